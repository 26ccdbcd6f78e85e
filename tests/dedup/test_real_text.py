"""Correctness on real corpora, against brute force and against another implementation's clusters."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from dq.dedup import (
    DedupConfig,
    Duplicates,
    InvertedIndex,
    Policy,
    Resources,
    Selection,
    find_duplicates,
    select,
    shingle,
)

pytestmark = pytest.mark.needs_shared


def read(path: Path) -> pl.DataFrame:
    with pa.input_stream(str(path), compression="zstd") as stream:
        frame = pl.read_ndjson(io.BytesIO(stream.read()))
    return frame.with_columns(content_key=pl.col("text").hash(), visible_characters=pl.col("text").str.len_bytes())


def run(frame: pl.DataFrame, *, shards: int, config: DedupConfig | None = None) -> tuple[Duplicates, Selection]:
    size = -(-frame.height // shards)
    parts = [frame["text"][at : at + size] for at in range(0, frame.height, size)]
    found = find_duplicates(parts, config, resources=Resources(threads=2))
    everything = np.ones(frame.height, np.bool_)
    return found, select(found, everything, order=Policy.parse("longest").ranks(frame), threads=2)


@pytest.fixture(scope="module")
def small(shared: Path) -> pl.DataFrame:
    return read(shared / "data" / "mixed_small.jsonl.zst")


def test_on_mixed_small_nothing_true_is_missed_and_nothing_is_removed_unproven(small: pl.DataFrame) -> None:
    _, chosen = run(small, shards=3)
    shingles = shingle(small["text"])
    truth = InvertedIndex(shingles).neighbours(shingles, 0.8).filter(pl.col("document") < pl.col("row"))
    left, right = truth["document"].to_numpy(), truth["row"].to_numpy()
    assert len(truth) > 3_000
    assert 1 - (chosen.kept[left] & chosen.kept[right]).mean() >= 0.99
    similarity = dict(zip(zip(left, right, strict=True), truth["intersection"] / truth["union"], strict=True))
    for document in np.flatnonzero(chosen.removed):
        pair = (document, chosen.kept_index[document])
        assert similarity[min(pair), max(pair)] == chosen.similarity[document]
        assert chosen.kept[pair[1]]


def test_on_mixed_small_order_shards_and_bucket_size_change_no_decision(small: pl.DataFrame) -> None:
    def fates(frame: pl.DataFrame, *, shards: int, max_bucket: int) -> pl.DataFrame:
        _, chosen = run(frame, shards=shards, config=DedupConfig(max_bucket=max_bucket))
        kept = frame["id"].gather(chosen.kept_index)
        columns = {"id": frame["id"], "kept": kept, "similarity": chosen.similarity, "size": chosen.cluster_size}
        return pl.DataFrame(columns).sort("id")

    expected = fates(small, shards=1, max_bucket=64)
    shuffled = small.sample(fraction=1.0, shuffle=True, seed=1)
    assert fates(shuffled, shards=5, max_bucket=64).equals(expected)
    assert fates(shuffled, shards=2, max_bucket=4).equals(expected)


def test_on_mixed_the_near_duplicates_of_another_implementation_are_resolved(shared: Path) -> None:
    frame = read(shared / "data" / "mixed.jsonl.zst")
    found, chosen = run(frame, shards=4)
    rows = dict(zip(frame["id"], range(frame.height), strict=True))
    clusters = json.loads((shared / "data" / "dup_clusters_mixed.json").read_text())
    pairs = unresolved = 0
    for cluster in clusters:
        members = np.array([rows[name] for name in cluster])
        shingles = shingle(frame["text"].gather(members))
        near = InvertedIndex(shingles).neighbours(shingles, 0.8).filter(pl.col("document") < pl.col("row"))
        left, right = members[near["document"].to_numpy()], members[near["row"].to_numpy()]
        pairs += len(left)
        unresolved += int((chosen.kept[left] & chosen.kept[right]).sum())
    assert pairs > 30_000
    assert unresolved <= 0.01 * pairs
    kept_pairs = chosen.kept[found.pairs["left"].to_numpy()] & chosen.kept[found.pairs["right"].to_numpy()]
    assert not kept_pairs.any()
