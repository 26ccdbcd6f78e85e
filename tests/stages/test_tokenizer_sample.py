"""The tokenizer's sample: of every source the lowest draws, found without sorting all documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dq.arrays import I64, Bools
from dq.corpus import Corpus
from dq.stages import tokenizer
from dq.stages.tokenizer import DRAW, TokenizerConfig
from dq.text import mix64

LIMIT = 10_000


class Table(Corpus):
    """A corpus whose shards are rows of a table."""

    def __init__(self, documents: pl.DataFrame) -> None:
        self._documents, self.shards = documents, [Path()] * (documents["shard"].n_unique())

    @cached_property
    def sizes(self) -> I64:
        return self._documents.group_by("shard").len().sort("shard")["len"].to_numpy().astype(np.int64)

    def of_shard(self, shard: int, columns: Sequence[str]) -> pl.DataFrame:
        return self._documents.filter(pl.col("shard") == shard).select(columns)


def a_corpus(seed: int) -> tuple[Corpus, Bools]:
    rng = np.random.default_rng(seed)
    sources = np.repeat(["large", "small", "empty", "withheld"], [5000, 40, 3, 20])
    documents = pl.DataFrame(
        {
            "id": [f"d{number}" for number in range(len(sources))],
            "source": sources,
            "content_key": rng.integers(0, 2**63, len(sources), dtype=np.uint64),
            "n_bytes": np.where(sources == "empty", 0, rng.integers(0, 1000, len(sources))),
        }
    ).sample(fraction=1, shuffle=True, seed=seed)
    documents = documents.with_columns(shard=pl.Series(np.arange(len(sources)) // 100, dtype=pl.UInt32))
    training = (documents["source"] != "withheld").to_numpy() & (rng.random(len(sources)) < 0.9)
    return Table(documents), training


def all_sorted(documents: pl.DataFrame, training: Any) -> list[int]:
    """One document after another by its draw, until its source has its bytes."""
    draw = mix64(documents["content_key"].to_numpy(), documents["occurrence"].to_numpy(), DRAW)
    sources, sizes = documents["source"].to_list(), documents["n_bytes"].to_list()
    rows = [(int(draw[n]), n, sources[n], sizes[n]) for n in np.flatnonzero(training).tolist()]
    totals: dict[str, int] = {}
    for _, _, source, size in rows:
        totals[source] = totals.get(source, 0) + size
    limit = min([LIMIT, *(total for total in totals.values() if total)])
    held, chosen = dict.fromkeys(totals, 0), []
    for _, number, source, size in sorted(rows):
        if totals[source] and held[source] < limit:
            chosen.append(number)
            held[source] += size
    return sorted(chosen)


@pytest.mark.parametrize("spare", [4.0, 1.0, 0.01])  # the last two have too few at first
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_what_sorting_all_documents_gives(monkeypatch: pytest.MonkeyPatch, spare: float, seed: int) -> None:
    monkeypatch.setattr(tokenizer, "SPARE", spare)
    corpus, training = a_corpus(seed)
    sample = tokenizer._sample(corpus, training, TokenizerConfig(bytes_per_source=LIMIT))
    assert sample["document"].to_list() == all_sorted(corpus.documents, training)
    assert set(sample["source"]) == {"large", "small"}
