"""Signals equal plain Python on any text; order, batching and padding change nothing."""

from __future__ import annotations

import math
import random

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import ConfigError, InputError
from dq.quality import DEFAULT_SIGNALS, all_signals, presets, score, signals
from dq.quality.scoring import SLOW_SCORERS

from . import oracle

WORDS = """
the The OF and with to be that have a A an I i word words Word WORD naïve Straße ÜBER 中文 日本語 עברית مرحبا é́ I'm
don't it's can't
U.S. Mr. e.g. 10kg $5 5% 1,000 3.14 -- — – … ... .... . ! ? ; : , ( ) [ ] { } # ## • - * [1] [12] [edit] javascript
JavaScript lorem ipsum Terms of Use privacy policy uses cookies use cookie cooKie http://a.bc/d x@y.zz 🙂 👩‍👩‍👧 a-b
and/or :) foo:D ª ² ½ Ⅷ cannot id. K
"""
PHRASES = ["[citation needed]", "lorem ipsum", "terms of use", "privacy policy", "use of cooKies", "uses cookies are"]
SPECIAL = ["\u2028", "\u0085", "\u00a0", "\u3000", "\x0b", "\r", "\x1c", "\x00", "\ufffd", "\u212a"]
PIECES = [*WORDS.split(), *PHRASES, *SPECIAL]
SEPARATORS = ["", " ", " ", " ", " ", "  ", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\t", " \n "]
fragments = st.one_of(st.sampled_from(PIECES), st.text(max_size=6))
texts = st.lists(st.tuples(fragments, st.sampled_from(SEPARATORS)), max_size=40).map(
    lambda pairs: "".join(a + b for a, b in pairs).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
)


def close(found: object, wanted: object) -> bool:
    if found is None or wanted is None:
        return found is wanted
    assert isinstance(found, (int, float)) and isinstance(wanted, (int, float))
    return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_every_signal_equals_plain_python_of_tidy_text(text: str) -> None:
    wanted, row = oracle.signals(oracle.tidy(text)), score([text]).row(0, named=True)
    wrong = {name: (row[name], value) for name, value in wanted.items() if not close(row[name], value)}
    assert not wrong


@settings(max_examples=100, deadline=None)
@given(texts)
def test_every_signal_of_the_text_as_written_equals_plain_python(text: str) -> None:
    wanted = {f"{name}_as_written": value for name, value in oracle.signals(text).items()}
    row = score([text], list(signals.WRITTEN_SIGNALS)).row(0, named=True)
    assert not {name: value for name, value in wanted.items() if name in row and not close(row[name], value)}


def test_every_compiled_signal_has_an_oracle() -> None:
    assert set(oracle.signals("An ordinary line of text, for which nothing is left out.")) == set(DEFAULT_SIGNALS)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=6))
def test_values_stay_in_the_range_of_their_signal(batch: list[str]) -> None:
    table = score(batch)
    for name in DEFAULT_SIGNALS:
        signal = all_signals()[name]
        assert str(table.schema[name]).lower() == signal.dtype
        for value in table[name].drop_nulls():
            assert signal.minimum <= value <= signal.maximum, name


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, min_size=2, max_size=6), st.integers(0, 10_000))
def test_a_permuted_batch_permutes_the_results(batch: list[str], seed: int) -> None:
    order = list(range(len(batch)))
    random.Random(seed).shuffle(order)
    assert score([batch[k] for k in order]).equals(score(batch)[order])


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, max_size=5), st.lists(texts, max_size=5))
def test_concatenated_batches_change_nothing(first: list[str], second: list[str]) -> None:
    assert score(first + second).equals(pl.concat([score(first), score(second)]))


def test_single_capital_letters_are_the_words_that_small_ones_are() -> None:
    values = score(["A a I i"], ["unique_word_fraction", "function_word_fraction"]).row(0)
    assert values == (0.5, 1.0)


def test_long_documents_and_threads_give_what_one_thread_gives_document_by_document() -> None:
    rng = random.Random(1)
    batch = [" ".join(rng.choices([*PIECES, "\n"], k=rng.choice([5, 500, 60_000]))) for _ in range(12)]
    alone = pl.concat([score([text]) for text in batch])
    assert score(batch).equals(alone)
    assert score(batch, threads=3).equals(alone)


def test_lines_with_citation_marks_are_counted_in_documents_of_any_size() -> None:
    line = "A line of text that C4 keeps without its mark [12]."
    lines = [1, 3, 40_000, 2, 30_000]  # the longer ones have 2 MB and 1.5 MB
    found = score(["\n".join([line] * n) for n in lines], ["c4_kept_line_count", "c4_kept_sentence_count"])
    assert found.rows() == [(n, n) for n in lines]


def test_slices_of_arrow_arrays_are_read_in_place() -> None:
    batch = ["not this", "a first text.", "and a second, longer text", "nor that"]
    for kind in (pa.string(), pa.large_string()):
        assert score(pa.array(batch, kind)[1:3]).equals(score(batch[1:3]))
    assert score(pl.Series(batch)[1:3]).equals(score(batch[1:3]))


def test_nulls_are_empty_texts_and_lone_surrogates_are_replaced() -> None:
    assert score([None]).equals(score([""]))
    assert score(["a \ud800 b"]).equals(score(["a \ufffd b"]))


def test_an_unknown_signal_names_the_nearest_where_one_is_near() -> None:
    with pytest.raises(ConfigError, match="did you mean `word_count`"):
        score(["a"], ["word_cuont"])
    with pytest.raises(ConfigError, match="unknown signal `zzz`; there are char_count"):
        score(["a"], ["zzz"])
    with pytest.raises(ConfigError, match="use `unicode`, `whitespace` or"):
        score(["a"], words="spacy")


def test_only_the_asked_signals_come_back_in_the_asked_order() -> None:
    assert score(["a b"], ["word_count", "char_count"]).columns == ["word_count", "char_count"]
    assert score(["a b"], ["word_count"])["word_count"].to_list() == [2]


def test_words_of_another_splitter_are_taken_as_they_are() -> None:
    text = "New York is not New Jersey"
    found = score([text], ["word_count"], words=[["New York", "is", "not", "New Jersey"]])
    assert found["word_count"].to_list() == [4]
    with pytest.raises(InputError, match="'is' is not in it after"):
        score([text], words=[["not", "is"]])


def test_white_space_words_are_those_of_str_split_and_have_no_sentences() -> None:
    text = "Hello, world!\u3000It's me.\n"
    row = score([text], words="whitespace").row(0, named=True)
    assert row["word_and_mark_count"] == len(text.split())
    assert row["sentence_count"] is None


def test_the_table_describes_every_signal_once() -> None:
    assert len(all_signals()) == len(set(DEFAULT_SIGNALS)) + len(signals.WRITTEN_SIGNALS) + len(signals.SLOW)
    assert [one.name for one in signals.SLOW] == [name for scorer in SLOW_SCORERS for name in scorer.names]
    for signal in all_signals().values():
        assert signal.definition and signal.unit and signal.source
        assert signal.is_label or signal.minimum < signal.maximum


@pytest.mark.parametrize("lines", [2, 3])
def test_line_rules_look_at_documents_of_three_lines_and_more(lines: int) -> None:
    verdict = presets.fineweb_quality().judge(score(["- item\n" * lines]))
    assert verdict["keep"].to_list() == [lines < 3]


def test_an_odd_line_counts_like_a_line_without_its_citation() -> None:
    cited = "It was written in 1999.[12] It was read by many.[citation needed]\nA second line is here.\n"
    plain = "It was written in 1999. It was read by many.\nA second line is here.\n"
    names = [name for name in DEFAULT_SIGNALS if "c4_" in name]
    assert score([cited], names).equals(score([plain], names))


def test_scores_are_exact_where_they_are_counts() -> None:
    row = score(["One two. Three four! five\n\n- bullet...\n"]).row(0, named=True)
    assert (row["word_count"], row["word_and_mark_count"], row["sentence_count"]) == (6, 10, 3)
    assert np.isclose(row["bullet_line_fraction"], 1 / 3)
