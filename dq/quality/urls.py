"""Rules about the address of a document: lists of hosts, domains, words and parts of words, one's own or published.

After RefinedWeb (Penedo et al. 2023, appendix G.1) and datatrove's ``URLFilter``, with which FineWeb was made: one hard
word is enough, soft words only together, and a part of a word is looked for in the address without its separators.
Here case never counts, a listed domain blocks all below it (datatrove asks for the registered domain and the whole
host), and every rule that fails is told, with the entry that it found. A document without an address is not judged.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dq.arrays import U64, Bools, distinct
from dq.config import FieldFault, StrictModel
from dq.errors import InputError, require

LISTS = ("hosts", "domains", "addresses", "words", "soft_words", "subwords")
HOSTS = ("hosts", "domains")
FILE = "file:"
LABELS = 12  # of a host, from its end, that are looked up: no listed domain has more
# As browsers read it: a backslash is a slash, and whoever asks ends at the last @.
HOST = r"^(?:[a-z][a-z0-9+.-]*:)?(?:[/\\]{2,})?(?:[^/\\?#]*@)?(\[[^\]]*\]|[^/\\?#:\[\]]+)"
MAX_IDN_CHARS = 1000
RULES = ("url_host", "url_domain", "url_address", "url_word", "url_soft_words", "url_subword")
"""The reasons, in the order in which they are told."""
Entries = tuple[str, ...]


class UrlRules(StrictModel):
    """What of an address is blocked. Entries are written in the list, or are lines of files: ``file:blocked.txt``."""

    field: str = "url"
    """The field of a document that holds its address."""
    hosts: Entries = ()
    """Hosts, alone: ``www.example.com``."""
    domains: Entries = ()
    """Domains with all below them: ``example.com`` blocks ``shop.example.com`` too."""
    addresses: Entries = ()
    """Whole addresses, as they are written."""
    words: Entries = ()
    """Words between separators, one of which is enough."""
    soft_words: Entries = ()
    """Words of which `soft_word_threshold` different ones are needed."""
    soft_word_threshold: int = Field(default=2, ge=1)
    """How many."""
    subwords: Entries = ()
    """Letters and digits that may stand anywhere in the address, separators left out."""
    published: Literal["datatrove"] | None = None
    """Lists that a package ships, added to these: ``datatrove`` has those of FineWeb."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.published is None and not any(getattr(self, name) for name in LISTS):
            raise FieldFault(f"nothing is blocked; give an entry of {', '.join(LISTS)}, or `published`", "domains")
        return self

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The package of the published lists."""
        return (self.published,) if self.published else ()

    def identity(self) -> dict[str, Any]:
        """What a record holds of it: a digest of every list."""
        lists = {name: sorted(_entries(getattr(self, name))) for name in LISTS}
        digest = hashlib.sha256(json.dumps(lists).encode()).hexdigest()
        published = self.published and f"{self.published} {importlib.metadata.version(self.published)}"
        about = {"field": self.field, "soft_word_threshold": self.soft_word_threshold}
        return {**about, "entries": digest, "published": published}

    def judge(self, urls: pl.Series) -> pl.DataFrame:
        """Judge addresses: a row each.

        Returns:
            ``reasons`` (of `RULES`; none where nothing fails or there is no address) and ``entries`` (``rule: entry``,
            of each reason the first that was found).
        """
        found = _found(_prepared(self, _stamps(self)), urls.cast(pl.String).fill_null(""))
        told = [
            pl.when(pl.col(name).is_not_null()).then(pl.format(name + ": {}", pl.col(name))).otherwise(None).alias(name)
            for name in RULES
        ]
        failed = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)).otherwise(None) for name in RULES]
        return found.select(
            reasons=pl.concat_list(failed).list.drop_nulls(), entries=pl.concat_list(told).list.drop_nulls()
        )


class _Prepared:
    """The lists, ready to be looked up."""

    def __init__(self, rules: UrlRules) -> None:
        lists = _lists(rules)
        self.threshold = rules.soft_word_threshold
        self.hosts, self.domains, self.addresses = (_hashes(lists[name]) for name in ("hosts", "domains", "addresses"))
        self.words, self.soft_words, self.subwords = (
            sorted(filter(None, map(_plain, lists[name].unique()))) for name in ("words", "soft_words", "subwords")
        )


def _found(lists: _Prepared, urls: pl.Series) -> pl.DataFrame:
    """Of each rule the entry that was found, null where none was: a column a rule."""
    lower = urls.str.to_lowercase().alias("url")
    hosts = lower.str.strip_chars().str.replace_all("[\t\r\n]", "").str.extract(HOST, 1)
    hosts = _in_ascii(hosts.fill_null("").str.strip_chars_end("."))
    columns = {
        "url_host": _listed(hosts, lists.hosts),
        "url_domain": _domain(hosts, lists.domains),
        "url_address": _listed(urls, lists.addresses),
    }
    words = (
        lower.str.replace_all("[^a-z0-9]+", " ").str.strip_chars(" ").str.split(" ").list.unique(maintain_order=True)
    )
    frame = pl.DataFrame([lower, words.alias("words")]).with_columns(
        hard=_common("words", lists.words), soft=_common("words", lists.soft_words)
    )
    enough = pl.col("soft").list.len() >= lists.threshold
    squeezed = pl.col("url").str.replace_all("[^a-z0-9]+", "")
    none = pl.lit(None, pl.String)
    subword = squeezed.str.extract_many(lists.subwords).list.first() if lists.subwords else none
    rest = frame.select(
        url_word=pl.col("hard").list.first(),
        url_soft_words=pl.when(enough).then(pl.col("soft").list.join(" ")),
        url_subword=subword,
    )
    return pl.DataFrame(columns).hstack(rest)


def _in_ascii(hosts: pl.Series) -> pl.Series:
    """Hosts as the network knows them: ``xn--bcher-kva.example`` of ``bücher.example`` and ``b%C3%BCcher.example``."""
    is_other = (hosts.str.len_bytes() != hosts.str.len_chars()) | hosts.str.contains("%", literal=True)
    others = hosts.filter(is_other).unique()
    return hosts.replace(others, [_idna(one) for one in others]) if len(others) else hosts


def _idna(host: str) -> str:
    if len(host) > MAX_IDN_CHARS:
        return host
    host = unquote(host).lower().rstrip(".")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _common(column: str, words: list[str]) -> pl.Expr:
    """Those of the words of an address that are listed, in its order."""
    if not words:
        return pl.lit([], pl.List(pl.String))
    return pl.col(column).list.set_intersection(pl.lit(pl.Series([words])).first())


def _domain(hosts: pl.Series, listed: U64) -> pl.Series:
    """The shortest listed domain that each host is in."""
    found = pl.Series([None], dtype=pl.String).new_from_index(0, len(hosts))
    if not len(listed):
        return found
    labels = hosts.str.split(".")
    longest = labels.list.len().max()
    for n in range(min(LABELS, longest if isinstance(longest, int) else 0), 0, -1):
        tail = labels.list.tail(n).list.join(".")
        found = tail.zip_with(pl.Series(_in(tail, listed)), found)
    return found


def _listed(values: pl.Series, listed: U64) -> pl.Series:
    """The values that are listed; null for the others."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    return values.zip_with(pl.Series(_in(values, listed)), nothing) if len(listed) else nothing


def _in(values: pl.Series, listed: U64) -> Bools:
    hashes = values.hash().to_numpy()
    at = np.searchsorted(listed, hashes)
    found: Bools = (listed[np.minimum(at, len(listed) - 1)] == hashes) & (values != "").to_numpy()
    return found


def _hashes(entries: pl.Series) -> U64:
    """Sorted hashes: lists have millions of entries."""
    return distinct(entries.hash().to_numpy())


def _plain(entry: str) -> str:
    return "".join(one for one in entry.lower() if one.isascii() and one.isalnum())


@functools.lru_cache(maxsize=4)
def _prepared(rules: UrlRules, _stamps: tuple[tuple[int, int], ...], /) -> _Prepared:
    return _Prepared(rules)


def _stamps(rules: UrlRules) -> tuple[tuple[int, int], ...]:
    """Sizes and times of the files of entries: a process reads them again where they have changed."""
    files = (Path(one.removeprefix(FILE)) for name in LISTS for one in getattr(rules, name) if one.startswith(FILE))
    stats = [file.stat() for file in files if file.exists()]
    return tuple((one.st_size, one.st_mtime_ns) for one in stats)


def _lists(rules: UrlRules) -> dict[str, pl.Series]:
    """All entries of every list; hosts and domains in lower case, without a point at either end."""
    published = _of_datatrove() if rules.published else {}
    lists = {}
    for name in LISTS:
        own = pl.Series(list(_entries(getattr(rules, name))), dtype=pl.String)
        every = pl.concat([own, *([published[name]] if name in published else [])])
        lists[name] = _in_ascii(every.str.to_lowercase().str.strip_chars(".")) if name in HOSTS else every
    return lists


def _entries(given: Entries) -> Iterator[str]:
    for entry in given:
        if not entry.startswith(FILE):
            yield entry
            continue
        path = Path(entry.removeprefix(FILE))
        try:
            yield from _of_lines(path.read_bytes())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: a list of the rules about addresses, cannot be read: {error}") from None


def _of_lines(content: bytes) -> pl.Series:
    """An entry a line; blank lines and comments aside."""
    lines = pl.Series([content.decode()]).str.split("\n").explode().str.strip_chars()
    return lines.filter((lines != "") & ~lines.str.starts_with("#"))


def _of_datatrove() -> dict[str, pl.Series]:
    """The lists in datatrove's package (domains and addresses of the University of Toulouse, words of FineWeb)."""
    assets = Path(str(require("datatrove").__file__)).parent / "assets"
    words = {"words": "banned_words", "soft_words": "soft_banned_words", "subwords": "banned_subwords"}
    found = {name: _of_lines((assets / f"{file}.txt").read_bytes()) for name, file in words.items()}
    with tarfile.open(assets / "url_filterblacklistsv0_3_0.tar.gz", "r:gz") as archive:
        for member in archive:
            name = {"domains": "domains", "urls": "addresses"}.get(Path(member.name).name)
            if name and (content := archive.extractfile(member)) is not None:
                found[name] = _of_lines(content.read())
    return found


def with_urls(verdicts: pl.DataFrame, reasons: pl.Series) -> pl.DataFrame:
    """Verdicts of other rules with the reasons of those about addresses."""
    return verdicts.with_columns(
        keep=verdicts["keep"] & (reasons.list.len() == 0),
        reasons=pl.concat_list(verdicts["reasons"], reasons),
    )
