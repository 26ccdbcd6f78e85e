"""What others hand to their workers: every public object of the faces is pickled, and comes back as it was."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

import dq
from dq import dedup, quality
from dq.interop import __all__ as tools
from dq.quality import presets
from dq.quality.urls import UrlRules

FACES = ["dq", "dq.quality", "dq.dedup", *(f"dq.interop.{tool}" for tool in tools)]
ABSTRACT = {"Scorer", "DqError", "FastTextModel", "Adapter", "Rules"}
"""A protocol, a base of errors (see `test_errors`), a scorer that needs a file (it holds arrays), bases of adapters."""
TEXT = "The people of the town stood on the old bridge and looked at the water below. "
TEXTS = [TEXT * 8, "Short.", "", TEXT * 8, TEXT * 7 + "And one more."]


def public(face: str) -> Iterator[tuple[str, Any]]:
    """The names that a face lists, or those that a module defines."""
    module = importlib.import_module(face)
    for name in getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == face and name[0] != "_"
    ]:
        if not isinstance(value := getattr(module, name), ModuleType):
            yield f"{face}.{name}", value


def returned(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def alike(one: Any, other: Any) -> bool:
    """Equal in type and all that is inside, tables and arrays by their contents."""
    assert type(one) is type(other)
    if isinstance(one, pl.DataFrame | pl.Series):
        return one.equals(other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return alike(vars(one), vars(other)) if hasattr(one, "__dict__") else bool(one == other)


def made_of_texts(folder: Path) -> Iterator[Any]:
    """What deduplication makes of a few texts, and a list of words in a file."""
    (folder / "words.txt").write_text("old bridge\nshort\n")
    yield quality.WordList(folder / "words.txt")
    config = dedup.DedupConfig()
    found = dedup.find_duplicates([TEXTS], config)
    documents = pl.DataFrame({"content_key": range(5), "source": ["a"] * 5, "visible_characters": [9] * 5})
    order = dedup.Policy.parse("longest").ranks(documents)
    chosen = dedup.select(found, np.ones(5, bool), order=order)
    yield dedup.choose(found, np.ones(5, bool), order=order[found.involved])
    shingles = dedup.shingle(TEXTS, config)
    yield from (config, found, found.counts, found.buckets, chosen, shingles, dedup.InvertedIndex(shingles))
    yield from (dedup.choose_bands(config), dedup.DuplicateIndex(folder / "seen", config))
    yield dedup.audit_duplicates(found, chosen, [TEXTS])
    yield dedup.estimate_cost(TEXTS, documents=5, text_bytes=2_000)
    yield dedup.RepeatedUnits(max_documents=1, min_bytes=5).survey([TEXTS])
    yield dedup.find_passages([TEXTS])


def settings() -> Iterator[Any]:
    """What a user writes down."""
    yield from (dedup.MinHash(num_perm=16), dedup.Resources(threads=1), dedup.ShingleConfig(ngram=3))
    yield from (dedup.Policy.parse("best:word_count"), dedup.RepeatedPassages(min_bytes=50), dedup.RepeatedUnits())
    yield from (quality.C4Lines(), quality.FixText(), quality.MaskPii(emails=False), quality.LearnedOptions(bits=12))
    rule = quality.Rule(signal="word_count", minimum=2, reason="few")
    ranked = quality.QuantileRule(signal="char_count", keep_fraction=0.5, reason="short")
    scores = dq.score(TEXTS, ["char_count", "word_count"]).with_columns(source=pl.lit("a"))
    fixed = quality.RuleSet(name="r", rules=(rule, ranked)).fixed(scores)
    urls = quality.RuleSet(name="mine", rules=(rule,), urls=UrlRules(domains=("bad.org",)))
    by_label = quality.RuleByLabel(signal="char_count", maximum={"de": 15, "*": 10}, reason="long")
    label = quality.LabelRule(signal="language", any_of=("en", "de"), reason="other_language")
    yield from (
        rule,
        ranked,
        by_label,
        label,
        quality.LanguageLabels(),
        *fixed.rules,
        fixed,
        urls,
        urls.urls,
        *presets.presets().values(),
    )
    yield quality.signal("word_count")
    yield quality.solve(dq.score(TEXTS), presets.gopher_quality(), "too_few_words", target=1)
    wanted, had = ([f"{words} {number}" for number in range(60)] for words in (TEXT, "Buy it now, at once."))
    trained = quality.train_quality(wanted, had, quality.LearnedOptions(bits=12))
    yield from (trained, trained.model, quality.NgramOptions(order=3))
    yield quality.train_ngram(TEXTS, quality.NgramOptions(order=3))


def adapters() -> Iterator[Any]:
    """What stands in other tools' pipelines."""
    rules = presets.gopher_quality()
    for tool in ("huggingface", "ray"):
        module = importlib.import_module(f"dq.interop.{tool}")
        yield from (module.Score(["word_count"], text="body"), module.Judge(rules), module.Keep(rules, strict=True))


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return [*settings(), *made_of_texts(tmp_path_factory.mktemp("made")), *adapters()]


@pytest.mark.parametrize("face", FACES)
def test_what_a_face_names_is_found_again_by_its_name(face: str) -> None:
    if face in ("dq.interop.datatrove", "dq.interop.datatrove_dedup"):
        pytest.importorskip("datatrove")
    named = dict(public(face))
    assert named
    for name, value in named.items():
        back = returned(value)
        assert back is value or back == value, name


def test_values_of_every_public_class_come_back_as_they_were(values: list[Any]) -> None:
    for value in values:
        assert alike(value, returned(value)), value
    pytest.importorskip("datatrove")
    classes = {value for face in FACES for _, value in public(face) if isinstance(value, type)}
    missing = {one.__name__ for one in classes if not any(type(value) is one for value in values)}
    assert missing - ABSTRACT == {"Filter", "Signatures", "Deduplicate"}, "yield a value of each of the others above"


def test_settings_and_adapters_are_equal_by_what_they_say() -> None:
    for value in adapters():
        assert returned(value) == value and hash(returned(value)) == hash(value)
    one, *others = adapters()
    assert all(one != other for other in others)


def test_a_filter_of_datatrove_judges_as_it_did() -> None:
    data = pytest.importorskip("datatrove.data")
    module = importlib.import_module("dq.interop.datatrove")
    one = module.Filter(presets.gopher_quality(), batch_size=7)
    back = returned(one)
    assert (back.rules, back.batch_size, back.name) == (one.rules, 7, one.name)
    documents = [data.Document(text, str(number)) for number, text in enumerate(TEXTS)]
    assert back.filter_batch(documents) == one.filter_batch(documents)
    assert {document.metadata["filter_reasons"][0] for document in documents if document.metadata} >= {"too_few_words"}
