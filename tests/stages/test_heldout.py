"""Who is held out, what is evaluated, and what is kept away from training."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.errors import ConfigError, InputError
from dq.executors import LocalExecutor
from dq.stages.base import View
from dq.stages.heldout import Heldout, HeldoutConfig, NeutralSet, hold_out, is_held_out
from dq.stages.read import ingest
from dq.store import Workspace
from dq.text import content_keys
from tests.jobs.texts import edited, prose, rows, vocabulary, write_jsonl

READ = ReadConfig(shard_rows=64)


def corpus_of(folder: Path, lines: Iterable[dict[str, Any]], read: ReadConfig = READ) -> Corpus:
    path = write_jsonl(folder / "documents.jsonl", lines)
    return ingest(Workspace(folder).corpus("original"), [InputSpec(path=str(path))], read)


def held_out_of(folder: Path, config: HeldoutConfig) -> Heldout:
    return hold_out(View(Workspace(folder)), config, READ, executor=LocalExecutor())


def neutral_set(folder: Path, name: str, texts: list[str], **row: Any) -> NeutralSet:
    path = write_jsonl(folder / "sets" / f"{name}.jsonl", [{"text": text, **row} for text in texts])
    return NeutralSet(name=name, input=(InputSpec(path=str(path)),))


def ids(corpus: Corpus, chosen: np.ndarray[Any, Any]) -> set[str]:
    return set(corpus.documents["id"].filter(pl.Series(chosen)))


# --- membership -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.floats(0, 0.99), st.floats(0, 0.99))
def test_membership_is_a_function_of_the_key_and_grows_with_the_fraction(
    keys: list[int], one: float, other: float
) -> None:
    small, large = sorted((one, other))
    column = np.array(keys, np.uint64)
    few, many = is_held_out(column, small), is_held_out(column, large)
    assert (few <= many).all()
    assert few.tolist() == [bool(is_held_out(np.array([key], np.uint64), small)[0]) for key in keys]


@pytest.mark.parametrize("fraction", [0.02, 0.12, 0.5])
def test_the_held_out_fraction_is_within_binomial_error(fraction: float) -> None:
    keys = content_keys([f"document {number}" for number in range(100_000)])
    error = math.sqrt(fraction * (1 - fraction) / 100_000)
    assert abs(is_held_out(keys, fraction).mean() - fraction) < 4 * error


def test_adding_documents_never_moves_membership(tmp_path: Path) -> None:
    made, config = rows(3, 150), HeldoutConfig(fraction=0.2)
    before = corpus_of(tmp_path / "a", made[:100])
    random.Random(0).shuffle(made)
    after = corpus_of(tmp_path / "b", made)
    early = ids(before, held_out_of(tmp_path / "a", config).held_out)
    late = ids(after, held_out_of(tmp_path / "b", config).held_out)
    assert early == late & set(before.documents["id"])
    assert 0 < len(early) < len(late)


def test_copies_of_a_held_out_document_are_withheld_in_every_source(tmp_path: Path) -> None:
    made = rows(4, 80)
    copies = [{"id": f"copy-{row['id']}", "text": row["text"], "source": "mirror"} for row in made]
    corpus = corpus_of(tmp_path, made + copies)
    heldout = held_out_of(tmp_path, HeldoutConfig(fraction=0.25))
    chosen = ids(corpus, heldout.held_out)
    assert chosen == {f"copy-{name}" for name in chosen if not name.startswith("copy")} | {
        name for name in chosen if not name.startswith("copy")
    }
    assert heldout.sets == ["mirror", "news", "web"] and heldout.neutral == []


# --- exclusion ------------------------------------------------------------------------------------------------------


def test_planted_near_copies_of_held_out_and_neutral_documents_are_all_excluded(tmp_path: Path) -> None:
    rng, words = random.Random(7), vocabulary(7)
    essays = [prose(rng, words, rng.randint(20, 400)) for _ in range(30)]
    made = rows(5, 120)
    held = [
        row["text"]
        for row, out in zip(made, is_held_out(content_keys([r["text"] for r in made]), 0.2), strict=True)
        if out
    ]
    planted = [edited(rng, text, int(0.04 * len(text.split(" ")))) for text in held + essays]
    more = [{"id": f"planted-{n}", "text": text, "source": "web"} for n, text in enumerate(planted)]
    corpus = corpus_of(tmp_path, made + more)
    config = HeldoutConfig(fraction=0.2, neutral=(neutral_set(tmp_path, "essays", essays),))
    heldout = held_out_of(tmp_path, config)
    assert len(held) > 10
    withheld = ids(corpus, heldout.withheld)
    assert {row["id"] for row in more} <= withheld
    # Every excluded document names a held-out one, and no unrelated document is excluded.
    assert (heldout.held_out & heldout.excluded).sum() == 0
    assert len(heldout.exclusions) == heldout.excluded.sum()
    assert heldout.exclusions.null_count().sum_horizontal().item() == 0
    assert set(heldout.exclusions["set"]) >= {"essays"}
    corpus_of(tmp_path / "strangers", [{"text": prose(rng, vocabulary(99), 200)} for _ in range(20)])
    assert not held_out_of(tmp_path / "strangers", config.model_copy(update={"fraction": 0.0})).withheld.any()


def test_the_scored_beginning_of_a_long_document_is_protected_by_itself(tmp_path: Path) -> None:
    rng, words = random.Random(1), vocabulary(1)
    long = prose(rng, words, 4000)
    head, tail = long[:2000], long[-2000:]
    lines = [
        {"id": "quotes-the-head", "text": prose(rng, words, 400) + " " + head},
        {"id": "quotes-the-tail", "text": prose(rng, words, 400) + " " + tail},
    ]
    corpus = corpus_of(tmp_path, lines)
    config = HeldoutConfig(fraction=0, neutral=(neutral_set(tmp_path, "books", [long]),))
    heldout = held_out_of(tmp_path, config)
    assert ids(corpus, heldout.excluded) == {"quotes-the-head"}
    assert heldout.exclusions.select("measure", "set").row(0) == ("containment_13gram", "books")


def test_shards_and_order_change_nothing(tmp_path: Path) -> None:
    made = rows(6, 150)
    shuffled = random.Random(1).sample(made, len(made))
    config = HeldoutConfig(fraction=0.2)
    one, two = corpus_of(tmp_path / "a", made), corpus_of(tmp_path / "b", shuffled, ReadConfig(shard_rows=11))
    first, second = held_out_of(tmp_path / "a", config), held_out_of(tmp_path / "b", config)
    assert ids(one, first.held_out) == ids(two, second.held_out)
    assert ids(one, first.excluded) == ids(two, second.excluded)

    def named(heldout: Heldout, corpus: Corpus) -> set[tuple[Any, ...]]:
        found = heldout.exclusions.with_columns(corpus.documents["id"].gather(heldout.exclusions["document"]))
        return set(found.drop("document").rows())

    assert named(first, one) == named(second, two)
    for name in first.sets:
        assert first.documents(name).rows() == second.documents(name).rows()


# --- what is evaluated ----------------------------------------------------------------------------------------------


def test_evaluated_documents_are_unique_whole_characters_and_at_most_so_many(tmp_path: Path) -> None:
    texts = [
        "é" * 120,
        "é" * 120,
        "x" + "é" * 120,
        "",
        "   ",
        "é" * 119 + "other ending",
        "short",
        *(f"text {n}" for n in range(40)),
    ]
    config = HeldoutConfig(
        fraction=0, max_documents=30, document_bytes=100, neutral=(neutral_set(tmp_path, "n", texts),)
    )
    corpus_of(tmp_path, [{"text": "something else"}])
    documents = held_out_of(tmp_path, config).documents("n")
    assert len(documents) == 30 and documents["text"].is_unique().all() and documents["id"].is_unique().all()
    assert documents["n_bytes"].to_list() == [len(text.encode()) for text in documents["text"]]
    assert documents["n_bytes"].is_between(1, 100).all()

    every = held_out_of(tmp_path, config.model_copy(update={"max_documents": 100})).documents("n")
    assert set(every["text"]) == {"é" * 50, "x" + "é" * 49, "   ", "short", *(f"text {n}" for n in range(40))}
    assert set(documents["text"]) < set(every["text"])
    assert every["text"].to_list()[:30] == documents["text"].to_list()


def test_documents_with_one_id_are_told_apart_by_their_content(tmp_path: Path) -> None:
    neutral = neutral_set(tmp_path, "n", ["one text", "another text", "a third"], id="same")
    corpus_of(tmp_path, [{"text": "something else"}])
    documents = held_out_of(tmp_path, HeldoutConfig(fraction=0, neutral=(neutral,))).documents("n")
    assert documents["id"].to_list() == [f"same#{key}" for key in content_keys(documents["text"]).tolist()]


@pytest.mark.parametrize("source", ["../x", "/etc/passwd", "a/b", "..", "."])
def test_a_sources_name_never_becomes_a_path(source: str, tmp_path: Path) -> None:
    corpus_of(tmp_path, [{"text": f"text number {n}", "source": source} for n in range(30)])
    heldout = held_out_of(tmp_path, HeldoutConfig(fraction=0.5))
    assert heldout.sets == [source]
    assert 5 < len(heldout.documents(source)) < 25
    assert {path.name for path in tmp_path.iterdir()} == {"documents.jsonl", "corpus", "heldout"}
    assert all(path.is_relative_to(tmp_path / "heldout") for path in (tmp_path / "heldout").rglob("*"))


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", "x\n", "a b", "x" * 101])
def test_a_neutral_sets_name_is_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        NeutralSet(name=name, input=(InputSpec(sample="web"),))
    NeutralSet(name="Fact-book_2", input=(InputSpec(sample="web"),))


def test_of_a_source_no_more_are_held_out_than_are_scored(tmp_path: Path) -> None:
    made = rows(9, 400)
    corpus = corpus_of(tmp_path, made)
    every, few = (held_out_of(tmp_path, HeldoutConfig(fraction=0.2, max_documents=n)) for n in (400, 7))
    assert ids(corpus, few.held_out) < ids(corpus, every.held_out)
    for name in few.sets:
        scored = few.documents(name)["id"].to_list()
        assert len(scored) == 7 and scored == every.documents(name)["id"].to_list()[:7]
    held = corpus.documents.filter(pl.Series(few.held_out))
    assert held["source"].value_counts()["count"].to_list() == [7] * len(few.sets)


def test_what_stands_in_training_text_piece_by_piece_is_measured_and_not_scored(tmp_path: Path) -> None:
    rng, words = random.Random(3), vocabulary(3)
    quoted, clean, third = (prose(rng, words, 130).split(" ") for _ in range(3))
    # Ten strangers quote 26 words each: a tenth of its 13-grams each, and none of them is near to it.
    made = [
        " ".join([prose(rng, words, 60), *quoted[first : first + 26], prose(rng, words, 60)])
        for first in range(0, 105, 13)
    ]
    neutral = neutral_set(tmp_path, "n", [" ".join(one) for one in (quoted, clean, third)])
    corpus_of(tmp_path, [{"text": text} for text in made])
    heldout = held_out_of(tmp_path, HeldoutConfig(fraction=0, neutral=(neutral,)))
    assert not heldout.excluded.any()
    texts = set(heldout.documents("n")["text"])
    assert texts == {" ".join(clean), " ".join(third)}
    assert len(heldout.quoted["n"]["left_out"]) == 1
    assert heldout.quoted["n"]["share"] == pytest.approx(1 / 3, abs=0.03)
    assert heldout.quoted_in_words(["n"]) == [
        f"word 13-grams of held-out sets that stand in training text: n {heldout.quoted['n']['share']:.1%}",
        "held-out documents that are not scored, for over 20% of their word 13-grams stand in training text: n (1)",
    ]


def test_where_all_of_a_set_is_quoted_all_of_it_is_scored_and_said(tmp_path: Path) -> None:
    rng, words = random.Random(4), vocabulary(4)
    texts = [prose(rng, words, 130) for _ in range(2)]
    halves = [" ".join([prose(rng, words, 300), *text.split(" ")[:60], prose(rng, words, 300)]) for text in texts]
    corpus_of(tmp_path, [{"text": text} for text in halves])
    heldout = held_out_of(tmp_path, HeldoutConfig(fraction=0, neutral=(neutral_set(tmp_path, "n", texts),)))
    assert not heldout.excluded.any() and len(heldout.documents("n")) == 2
    assert heldout.quoted["n"]["left_out"] == [] and 0.3 < heldout.quoted["n"]["share"] < 0.5


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_a_neutral_set_named_like_a_source_is_a_configuration_error(fraction: float, tmp_path: Path) -> None:
    corpus_of(tmp_path, rows(1, 30))
    config = HeldoutConfig(fraction=fraction, neutral=(neutral_set(tmp_path, "web", ["text"]),))
    with pytest.raises(ConfigError, match="web is also a source of the corpus; give the set another name"):
        held_out_of(tmp_path, config)


def test_holding_nothing_out_is_refused_in_the_file_and_when_it_happens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is held out"):
        HeldoutConfig(fraction=0)
    corpus_of(tmp_path, [{"text": "one"}, {"text": "two"}])
    with pytest.raises(
        InputError, match=r"2 documents are too few for a fraction of 0\.0001; raise `heldout\.fraction`"
    ):
        held_out_of(tmp_path, HeldoutConfig(fraction=0.0001))


def test_a_neutral_set_of_empty_documents_is_refused_and_a_sources_empty_ones_make_no_set(tmp_path: Path) -> None:
    corpus_of(tmp_path, [{"text": "", "source": "blank"}, *({"text": f"t {n}", "source": "s"} for n in range(50))])
    with pytest.raises(InputError, match="all documents of n are empty"):
        held_out_of(tmp_path, HeldoutConfig(fraction=0.9, neutral=(neutral_set(tmp_path, "n", ["", ""]),)))
    heldout = held_out_of(tmp_path, HeldoutConfig(fraction=0.99))
    assert not heldout.held_out[0] and heldout.sets == ["s"]


def test_two_neutral_sets_of_one_name_are_refused() -> None:
    one = NeutralSet(name="n", input=(InputSpec(sample="web"),))
    with pytest.raises(ConfigError, match="same name"):
        HeldoutConfig(neutral=(one, one))
