"""Deduplication as steps of datatrove: its own stages go on from dq's signatures, and dq's step has its proof."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dq
from dq.errors import ConfigError

stages = pytest.importorskip("datatrove.pipeline.dedup.minhash")
from datatrove.data import Document  # noqa: E402
from datatrove.pipeline.writers import JsonlWriter  # noqa: E402

from dq.interop.datatrove_dedup import Deduplicate, Signatures  # noqa: E402

STORY = " ".join(f"word{number % 97} of the {number} tales" for number in range(60))
TEXTS = [STORY, "Quite another text, which says nothing alike.", "", STORY + " Again.", " \n", STORY]
MINHASH = dq.MinHash(num_perm=112, ngram=5, seed=3)


def documents() -> list[Any]:
    return [Document(text, f"d{number}") for number, text in enumerate(TEXTS)]


def test_datatrove_goes_on_from_our_signatures(tmp_path: Path) -> None:
    signed = pickle.loads(pickle.dumps(Signatures(str(tmp_path / "signed"), MINHASH, batch_size=2)))
    signed.run(iter(documents()))
    wanted = MINHASH.signatures(TEXTS).reshape(len(TEXTS), 14, 8)
    row = np.dtype([("hashes", "<u4", 8), ("document", "<u4")])
    for bucket in range(14):
        found = np.fromfile(tmp_path / f"signed/bucket_{bucket:03d}/00000.minhash.sig", row)
        assert {int(one["document"]): tuple(one["hashes"]) for one in found} == {
            number: tuple(wanted[number, bucket]) for number in (0, 1, 3, 5)
        }  # and none of the documents without a word
    for rank in range(14):
        step = stages.MinhashDedupBuckets(str(tmp_path / "signed"), str(tmp_path / "pairs"), config=signed.config)
        step.run(None, rank, 14)
    stages.MinhashDedupCluster(str(tmp_path / "pairs"), str(tmp_path / "removed"), config=signed.config).run(None, 0, 1)
    kept = stages.MinhashDedupFilter(str(tmp_path / "removed")).run(iter(documents()))
    assert [one.id for one in kept] == ["d0", "d1", "d2", "d4"]


def test_our_own_step_names_the_kept_document_and_their_similarity(tmp_path: Path) -> None:
    step = pickle.loads(pickle.dumps(Deduplicate(JsonlWriter(str(tmp_path), compression=None), threshold=0.8)))
    kept = {one.id: one.metadata for one in step.run(iter(documents()))}
    found = dq.deduplicate(TEXTS, threshold=0.8)
    assert (
        list(kept) == [f"d{at}" for at, row in enumerate(found["kept_index"]) if row == at] == ["d1", "d2", "d3", "d4"]
    )
    assert [one["cluster_size"] for one in kept.values()] == [1, 1, 3, 1]
    removed = (tmp_path / "00000.jsonl").read_text().splitlines()
    assert len(removed) == 2
    assert all('"kept_id":"d3"' in line and '"filter_reason":"near_copy"' in line for line in removed)
    assert f'"similarity":{found["similarity"][0]}' in removed[0]


def test_what_would_not_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="112 permutations do not fill 13 buckets"):
        Signatures("signed", MINHASH, num_buckets=13)
    with pytest.raises(ConfigError, match="less than or equal to 1"):
        Deduplicate(threshold=1.5)
    with pytest.raises(ConfigError, match="2 tasks, and documents of one are not compared with those of others"):
        Deduplicate().run(iter([]), 0, 2)
