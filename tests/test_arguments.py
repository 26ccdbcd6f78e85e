"""What is passed by mistake to the Python API: one line of dq's own that says what to pass instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dq
from dq.dedup import MinHash
from dq.executors import LocalExecutor
from dq.interop.datatrove_minhash import signatures
from dq.interop.huggingface import Judge, Keep, Score

TEXTS = {"n": [1, 2], "body": ["one text", "another"]}
RULES = dq.presets.gopher_quality()
ANY = cast("Any", dq)
FRAMES = {
    "polars DataFrame": pl.DataFrame,
    "polars LazyFrame": pl.LazyFrame,
    "pandas DataFrame": pd.DataFrame,
    "pyarrow Table": pa.table,
}


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(dq.DqError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("take", [ANY.score, ANY.deduplicate, MinHash().signatures])
@pytest.mark.parametrize("kind", FRAMES)
def test_a_table_is_answered_with_its_columns_of_text(take: Callable[[Any], object], kind: str) -> None:
    message = refused(lambda: take(FRAMES[kind](TEXTS)))
    assert kind in message
    assert "table['body']" in message
    assert "'n'" not in message


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        ("one text", "[text]"),
        (b"one text", "[text]"),
        ([["one"], ["two"]], "number 0 (from 0) is a list"),
        (["one", None, b"two"], "number 2 (from 0) is a bytes"),
        ({"text": ["one"]}, "a dict"),
        ({"one", "two"}, "a set"),
        (None, "None"),
        (3.5, "a float"),
        (np.array([["a"], ["b"]]), "list of strings"),
        (pl.Series([1, 2]), "int64"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_texts_is_refused(texts: Any, part: str) -> None:
    for take in (ANY.score, ANY.deduplicate):
        assert part in refused(partial(take, texts))


def test_missing_texts_and_categories_are_texts() -> None:
    assert dq.score(["a b", None], ["word_count"])["word_count"].to_list() == [2, 0]
    assert len(dq.score(pl.Series(["a", "b"], dtype=pl.Categorical), ["word_count"])) == 2


CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "one signal": (lambda: ANY.score(["a"], "word_count"), "['word_count']"),
    "number as signal": (lambda: ANY.score(["a"], [3]), "names"),
    "unknown signal": (lambda: dq.score(["a"], ["wordcount"]), "did you mean `word_count`"),
    "far signal": (lambda: dq.score(["a"], ["zzzz"]), "there are"),
    "threads 0": (lambda: dq.score(["a"], ["word_count"], threads=0), "at least 1"),
    "threads text": (lambda: ANY.score(["a"], ["word_count"], threads="2"), "whole number"),
    "words of other texts": (lambda: dq.score(["a"], ["word_count"], words=[["a"], ["b"]]), "2 texts; there are 1"),
    "words of letters": (lambda: ANY.score(["a"], ["word_count"], words=["a"]), "list of strings"),
    "scorer alone": (lambda: ANY.score(["a"], scorers=SimpleNamespace()), "list of scorers"),
    "no scorer": (lambda: ANY.score(["a"], scorers=[3]), "no scorer"),
    "judge texts": (lambda: RULES.judge(cast("Any", ["a"])), "dq.score"),
    "threshold 1.5": (lambda: dq.deduplicate(["a"], threshold=1.5), "less than or equal to 1"),
    "threshold text": (lambda: ANY.deduplicate(["a"], threshold="0.8"), "valid number"),
    "ngram 0": (lambda: dq.deduplicate(["a"], ngram=0), "greater than or equal to 1"),
    "dedup threads 0": (lambda: dq.deduplicate(["a"], threads=0), "greater than or equal to 1"),
    "keep 3": (lambda: ANY.deduplicate(["a"], keep=3), "longest"),
    "no permutations": (lambda: MinHash(num_perm=0).signatures(["a"]), "greater than or equal to 2"),
    "another unit": (lambda: MinHash(unit="lines").signatures(["a"]), "words"),
    "offsets past the end": (lambda: MinHash().signatures_of_hashes([1, 2], [0, 3]), "at most 2"),
    "hashes of fractions": (lambda: MinHash().signatures_of_hashes([0.5], [0, 1]), "whole numbers"),
    "one path": (lambda: ANY.score_files("x.jsonl", "s.parquet"), "['x.jsonl']"),
    "no paths": (lambda: dq.score_files([], Path("s.parquet")), "empty"),
    "number as path": (lambda: ANY.score_files([3], "s.parquet"), "path"),
    "one signal of files": (lambda: ANY.score_files(["x.jsonl"], "s.parquet", signals="word_count"), "list of names"),
    "rules by name": (lambda: ANY.filter_files(["x.jsonl"], "fineweb", kept="k"), "dq.presets"),
    "kept nowhere": (lambda: ANY.filter_files(["x.jsonl"], RULES, kept=None), "path"),
    "settings of dedup": (lambda: ANY.dedup_files(["x.jsonl"], "out", {"threshold": 1}), "DeduplicationConfig"),
    "job by name": (lambda: ANY.run_job("job.yaml", "ws"), "JobConfig"),
    "study by name": (lambda: ANY.run_study("study.yaml", "ws"), "StudyConfig"),
    "no workers": (lambda: LocalExecutor(0), "at least 1"),
    "rules for keep": (lambda: Keep(cast("Any", "fineweb")), "dq.presets"),
    "wrong column": (lambda: Keep(RULES)({"content": ["a"]}), "there are content"),
    "wrong column to judge": (lambda: Judge(RULES)({"content": ["a"], "n": [1]}), "there are content, n"),
    "wrong column to score": (lambda: Score(["word_count"])(pa.table({"content": ["a"]})), "there are content"),
    "one row": (lambda: Keep(RULES)({"text": "a b"}), "batched=True"),
    "pandas in polars": (lambda: dq.interop.polars.judge(cast("Any", pd.DataFrame(TEXTS)), RULES), "from_pandas"),
    "column of polars": (lambda: dq.interop.polars.judge(pl.DataFrame(TEXTS), RULES), "there are n, body"),
    "rules for polars": (lambda: dq.interop.polars.judge(pl.Series(["a"]), cast("Any", {})), "dq.presets"),
    "text for words": (lambda: signatures(["a b"]), "list of words"),
    "numbers for words": (lambda: signatures(cast("Any", [[1, 2]])), "list of words"),
    "no hashes": (lambda: signatures([["a"]], num_perm=0), "at least 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_one_line_with_the_remedy(name: str) -> None:
    call, part = CALLS[name]
    assert part in refused(call)
