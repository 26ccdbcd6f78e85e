"""Shards that are read by tasks of an executor, which may be elsewhere, and by threads here: the same bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.corpus.corpus import read_column
from dq.dedup import DedupConfig, DuplicateIndex, find_duplicates, select
from dq.dedup.find import runs, verify
from dq.executors import LocalExecutor
from tests.dedup import oracle

CONFIG = DedupConfig(num_perm=64, max_bucket=4)


class Told:
    """How much a step was told."""

    done = 0.0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        del detail
        self.done += amount


def shards_of(folder: Path, texts: list[str]) -> list[partial[object]]:
    """Four shards, one of them empty, as files."""
    paths = []
    for number, part in enumerate((texts[:20], [], texts[20:50], texts[50:])):
        paths.append(folder / f"{number}.parquet")
        pl.DataFrame({"text": part}, schema={"text": pl.String}).write_parquet(paths[-1])
    return [partial(read_column, path, "text") for path in paths]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("with_index", [False, True])
def test_tasks_leave_the_bytes_of_threads(tmp_path: Path, with_index: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = oracle.corpus(5, families=10, copies=8)
    shards, index = shards_of(tmp_path, texts), None
    if with_index:
        index = DuplicateIndex(tmp_path / "index", CONFIG)
        first = find_duplicates([texts[::3]], index=index, inputs="first")
        chosen = select(first, np.ones(len(texts[::3]), np.bool_), order=np.arange(len(texts[::3])))
        ids = pl.DataFrame({"id": [str(n) for n in range(len(texts[::3]))], "source": "s"})
        index.add([texts[::3]], chosen.kept, ids=ids, inputs="first")
    here, there = tmp_path / "here", tmp_path / "there"
    told = Told()
    found = find_duplicates(shards, CONFIG, folder=here, inputs="a", index=index)
    # Each shard a run, and ranges of few documents: what large corpora have done elsewhere is done there for this one.
    monkeypatch.setattr(runs, "ROWS_A_RUN", 5)
    monkeypatch.setattr(verify, "DOCUMENTS_A_TASK", 15)
    find_duplicates(shards, CONFIG, folder=there, inputs="a", index=index, executor=LocalExecutor(2), step=told)
    assert found.counts.verified_pairs > 10 and len(found.buckets)
    assert contents(here) == contents(there)
    assert told.done == len(texts)


def test_a_shard_that_is_signed_is_not_read_again_and_counts_as_done(tmp_path: Path) -> None:
    texts = oracle.corpus(6, families=10, copies=8)
    shards, folder, told = shards_of(tmp_path, texts), tmp_path / "found", Told()
    find_duplicates(shards, CONFIG, folder=folder, inputs="a")
    whole = contents(folder)
    (folder / "signatures/00002.counts.npy").unlink()
    signed = {path: path.stat().st_mtime_ns for path in folder.glob("signatures/*.npy")}
    find_duplicates(shards, CONFIG, folder=folder, inputs="a", executor=LocalExecutor(1), step=told)
    assert contents(folder) == whole and told.done == len(texts)
    again = {path.name for path, at in signed.items() if path.stat().st_mtime_ns != at}
    assert again == {f"00002.{kind}.npy" for kind in ("signatures", "keys", "texts")}
