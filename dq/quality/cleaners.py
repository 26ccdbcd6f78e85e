"""Cleaners: C4's removal of lines, masking of addresses, and ftfy. They rewrite and count, and never drop.

What is removed or replaced follows datatrove's ``C4QualityFilter``, ``PIIFormatter`` and ``FTFYFormatter``, with one
change: datatrove walks through its replacement addresses from document to document, so its output depends on the order
of the documents; here every document begins with the first one.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dq.config import StrictModel
from dq.errors import require
from dq.quality.measure import rewrite
from dq.quality.scorers.personal import KINDS, Kind
from dq.quality.signals import C4_COUNTS
from dq.text import Cleaned, Cleaner, Texts, arrow_array, string_array, text_batch

EMAIL_REPLACEMENTS = ("email@example.com", "firstname.lastname@example.org")  # reserved for examples by RFC 2606
# datatrove's list: "randomly generated ... they did not respond to ping requests at the time".
IP_REPLACEMENTS = (
    "22.214.171.124",
    "126.96.36.199",
    "188.8.131.52",
    "184.108.40.206",
    "220.127.116.11",
    "18.104.22.168",
)
# An address holds no white space. Only so much on either side of an @ is searched, because the pattern takes quadratic
# time on long runs of letters and dots; RFC 5321 allows 64 characters before the @ and 255 after it.
AROUND_AT = re.compile(r"\S{0,320}@(?:\S{0,320}@)*\S{0,320}")


class C4Lines(StrictModel):
    """Remove the lines that C4 drops, and citation marks from the rest (datatrove ``C4QualityFilter``).

    Lines are judged as the signals see them, however they end and whatever blanks are in them (`dq.text.tidy`), and
    stay as they are written, without blanks at their ends. A document whose lines are all dropped becomes empty;
    whether it is dropped is for the rules to say.
    """

    name: ClassVar[str] = "c4_lines"
    version: ClassVar[int] = 2

    terminal_marks: bool = False
    """Whether lines must end in . ? ! \" or ' to be kept, as in C4 itself; FineWeb keeps the others too."""

    def config(self) -> Mapping[str, Any]:
        """The fields."""
        return self.model_dump()

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts are lines by what C4 did with them."""
        batch = text_batch(texts)
        left, counts = rewrite(batch, terminal=self.terminal_marks)
        total = dict(zip(C4_COUNTS, counts.sum(axis=0).tolist(), strict=True))
        return _cleaned(arrow_array(batch), arrow_array(left), total)


@dataclass(frozen=True)
class _Mask:
    """How one kind of personal data is replaced: by each of some texts in turn."""

    kind: Kind
    replacements: tuple[str, ...]
    suspect: str = ""
    """A pattern of Rust that finds all texts with such data, faster than the kind's own."""
    within: re.Pattern[str] | None = None
    """The runs that are searched, where a pattern takes long on others."""

    def suspects(self, texts: pl.Series) -> pl.Series:
        """Which texts may hold such data: bool."""
        return texts.str.contains(self.suspect or self.kind.pattern)

    def masked(self, text: str) -> tuple[str, int]:
        """The text, and how many were replaced."""
        replacements, found = itertools.cycle(self.replacements), 0

        def replace(match: re.Match[str]) -> str:
            nonlocal found
            if not self.kind.check(match.group()):
                return match.group()
            found += 1
            return next(replacements)

        if self.within is None:
            return self._pattern.sub(replace, text), found
        return self.within.sub(lambda run: self._pattern.sub(replace, run.group()), text), found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """The kind's pattern as Python writes it."""
        return re.compile(self.kind.pattern.replace("(?-u:\\b)", "(?a:\\b)"))


MASKS: Mapping[str, _Mask] = {
    "emails": _Mask(KINDS["email_count"], EMAIL_REPLACEMENTS, "@", AROUND_AT),
    "ip_addresses": _Mask(KINDS["public_ip_count"], IP_REPLACEMENTS, r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"),
    "secrets": _Mask(KINDS["secret_count"], ("<secret>",)),
    "cards": _Mask(KINDS["card_count"], ("<card>",)),
    "account_numbers": _Mask(KINDS["account_number_count"], ("<account number>",)),
    "phones": _Mask(KINDS["phone_count"], ("<phone>",)),
}
"""By the option of :class:`MaskPii`, in the order in which they are replaced."""


class MaskPii(StrictModel):
    """Replace e-mail addresses and public IPv4 addresses (datatrove ``PIIFormatter``), and other kinds where asked.

    What is one of a kind, the signals that count them decide (`dq.quality.scorers.personal`).
    """

    name: ClassVar[str] = "mask_pii"
    version: ClassVar[int] = 1

    emails: bool = True
    """Whether to replace e-mail addresses, by some that are reserved for examples."""
    ip_addresses: bool = True
    """Whether to replace public IPv4 addresses; private ones identify nobody and stay."""
    secrets: bool = False
    """Whether to write `<secret>` for keys and tokens that give access, whole private keys among them."""
    cards: bool = False
    """Whether to write `<card>` for numbers of cards whose check digit holds."""
    account_numbers: bool = False
    """Whether to write `<account number>` for international ones (IBAN) whose check digits hold."""
    phones: bool = False
    """Whether to write `<phone>` for numbers that begin with + or are written as in North America."""

    def config(self) -> Mapping[str, Any]:
        """The fields."""
        return self.model_dump()

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts: ``masked_`` and the option, of each that is asked for."""
        array = arrow_array(text_batch(texts))
        series = pl.Series(array, dtype=pl.String).fill_null("")
        counts: Counter[str] = Counter()
        rewritten: dict[int, str] = {}
        for option, mask in MASKS.items():
            if not getattr(self, option):
                continue
            counts[f"masked_{option}"] = 0
            for row in mask.suspects(series).arg_true().to_list():  # of nearly no text
                rewritten[row], found = mask.masked(rewritten.get(row, series[row]))
                counts[f"masked_{option}"] += found
        return _replace_rows(array, dict(sorted(rewritten.items())), counts)


class FixText(StrictModel):
    """Repair wrongly decoded text with ftfy, leaving quotes, widths and line breaks (datatrove ``FTFYFormatter``)."""

    name: ClassVar[str] = "fix_text"
    modules_needed: ClassVar[tuple[str, ...]] = ("ftfy",)
    version: ClassVar[int] = 1

    options: dict[str, Any] = Field(
        default_factory=lambda: {
            "fix_latin_ligatures": False,
            "fix_character_width": False,
            "uncurl_quotes": False,
            "fix_line_breaks": False,
            "normalization": None,
        }
    )
    """Fields of ``ftfy.TextFixerConfig`` that differ from its defaults."""

    def config(self) -> Mapping[str, Any]:
        """The fields, and ftfy's version."""
        return {**self.model_dump(), "ftfy": require("ftfy").__version__}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts: fixed_texts."""
        ftfy = require("ftfy")
        array = arrow_array(text_batch(texts))
        settings = ftfy.TextFixerConfig(**self.options)
        rewritten = {}
        for row, text in enumerate(array.to_pylist()):
            fixed = ftfy.fix_text(text, config=settings)
            if fixed != text:
                rewritten[row] = fixed
        return _replace_rows(array, rewritten, Counter(fixed_texts=len(rewritten)))


CLEANERS: dict[str, type[Cleaner]] = {one.name: one for one in (C4Lines, MaskPii, FixText)}
"""Cleaners by name; the fields of each are its options, all of which have defaults."""


def _cleaned(before: pa.LargeStringArray, after: pa.LargeStringArray, counts: Mapping[str, int]) -> Cleaned:
    return Cleaned(after, int(pc.sum(pc.not_equal(before, after)).as_py() or 0), dict(counts))


def _replace_rows(array: pa.LargeStringArray, rewritten: Mapping[int, str], counts: Mapping[str, int]) -> Cleaned:
    if not rewritten:
        return Cleaned(array, 0, dict(counts))
    mask = np.zeros(len(array), bool)
    mask[list(rewritten)] = True
    texts = string_array(rewritten.values())
    return _cleaned(array, pc.replace_with_mask(array, pl.Series(mask).to_arrow(), texts), counts)
