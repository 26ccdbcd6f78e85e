"""Originals of planted copies: long documents, of few shards, from all over the corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq.corpus import ReadConfig
from dq.stages import planted
from tests.corpus.files import read, write


@pytest.mark.parametrize(("most", "expected"), [(3, {0, 10, 20}), (100, set(range(21)))])
def test_originals_are_of_few_shards_that_are_spread_over_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, expected: set[int]
) -> None:
    long = " ".join(["word"] * planted.MIN_WORDS)
    texts = [f"{number} {long}" for number in range(41)] + ["too short"]
    path = write(tmp_path / "in.jsonl", "\n".join(json.dumps({"text": text}) for text in texts).encode())
    corpus = read(path, tmp_path / "corpus", config=ReadConfig(shard_rows=2))
    monkeypatch.setattr(planted, "MAX_SHARDS", most)
    originals = planted._originals(corpus)
    assert {int(text.partition(" ")[0]) // 2 for text in originals} == expected
    assert all(text.endswith(long) for text in originals)
