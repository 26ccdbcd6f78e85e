"""An index of earlier documents: frozen, met by new ones, safe to interrupt."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dq.dedup import DedupConfig, DuplicateIndex, Selection, find_duplicates, select
from dq.errors import ConfigError, WorkspaceError
from tests.dedup import oracle

CONFIG = DedupConfig(num_perm=256, min_recall=0.9999999)


def ids(prefix: str, count: int) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"{prefix}{i}" for i in range(count)], "source": ["s"] * count})


def run(
    folder: Path,
    texts: list[str],
    order: np.ndarray[Any, np.dtype[np.int64]],
    *,
    name: str,
    config: DedupConfig = CONFIG,
) -> Selection:
    index = DuplicateIndex(folder, config)
    found = find_duplicates([texts[:9], texts[9:]], index=index, inputs=name)
    chosen = select(found, np.ones(len(texts), np.bool_), order=order)
    index.add([texts[:9], texts[9:]], chosen.kept, ids=ids(name, len(texts)), inputs=name)
    return chosen


@pytest.mark.parametrize("max_bucket", [3, 64])
def test_batches_against_an_index_give_what_one_run_with_earlier_batches_first_gives(
    tmp_path: Path, max_bucket: int
) -> None:
    config = CONFIG.model_copy(update={"max_bucket": max_bucket})
    texts = oracle.corpus(3, families=8, copies=9)
    cut = len(texts) // 2
    order = oracle.random_order(len(texts), 5)
    batches = [(texts[:cut], order[:cut]), (texts[cut:], order[cut:])]
    first, second = (
        run(tmp_path, part, rank, name=str(number), config=config) for number, (part, rank) in enumerate(batches)
    )
    earlier_first = np.where(np.arange(len(texts)) < cut, order, order + len(texts))
    expected = oracle.greedy(texts, [True] * len(texts), earlier_first.tolist(), 0.8)
    # Removing in two runs: a document of the first batch never points to the second.
    assert first.kept.tolist() == [expected[d] == d for d in range(cut)]
    assert second.kept.tolist() == [expected[d] == d for d in range(cut, len(texts))]


def test_a_removed_document_names_the_id_of_the_earlier_one(tmp_path: Path) -> None:
    line = "one two three four five six seven eight nine ten"
    run(tmp_path, [line, "something else entirely"], np.arange(2), name="old")
    index = DuplicateIndex(tmp_path, CONFIG)
    found = find_duplicates(
        [[line.upper(), "new text of its own", ""]], index=index, inputs="new", folder=tmp_path / "d"
    )
    chosen = select(found, np.ones(3, np.bool_), order=np.arange(3))
    assert chosen.kept.tolist() == [False, True, True]
    assert found.frozen.rows() == [(3, "old0", "s", 3)]
    assert chosen.kept_index[0] == 3
    assert chosen.similarity[0] == 1.0


def test_documents_of_the_index_are_never_removed_or_compared_with_each_other(tmp_path: Path) -> None:
    line = [f"w{i}" for i in range(40)]
    near = [" ".join([*line[:-1], f"end{i}"]) for i in range(30)]
    index = DuplicateIndex(tmp_path, CONFIG)
    # Put near-duplicates into the index on purpose.
    index.add([near], np.ones(30, np.bool_), ids=ids("n", 30), inputs="a")
    found = find_duplicates([[near[3] + " more"]], index=index)
    assert found.pairs["left"].to_list() == [0] * 30
    chosen = select(found, np.ones(1, np.bool_), order=np.zeros(1, np.int64))
    assert chosen.kept_index.tolist() == [1 + 3]


def test_the_same_batch_again_sees_the_index_as_it_was_and_is_not_added_twice(tmp_path: Path) -> None:
    texts = oracle.corpus(4, families=5)
    order = oracle.random_order(len(texts), 0)
    first = run(tmp_path, texts, order, name="a")
    size = len(DuplicateIndex(tmp_path, CONFIG))
    again = run(tmp_path, texts, order, name="a")
    assert again.kept_index.tolist() == first.kept_index.tolist()
    assert len(DuplicateIndex(tmp_path, CONFIG)) == size == first.kept.sum()


def test_an_interrupted_addition_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    texts = oracle.corpus(5, families=5)
    run(tmp_path, texts, oracle.random_order(len(texts), 0), name="a")
    # What a killed process leaves: everything but the rename, here even with a record.
    shutil.copytree(tmp_path / "00000", tmp_path / "partial")
    (tmp_path / "00001").mkdir()
    shutil.copy(tmp_path / "00000" / "shingles.u64", tmp_path / "00001")
    index = DuplicateIndex(tmp_path, CONFIG)
    assert len(index) == len(pl.read_parquet(tmp_path / "00000" / "ids.parquet"))
    shutil.rmtree(tmp_path / "00001")
    index.add([["fresh words here"]], np.ones(1, np.bool_), ids=ids("b", 1), inputs="b")
    assert not (tmp_path / "partial").exists()
    assert len(DuplicateIndex(tmp_path, CONFIG)) == len(index)


def test_an_index_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, ["a b c"], np.arange(1), name="a")
    with pytest.raises(WorkspaceError, match="made with other settings"):
        DuplicateIndex(tmp_path, DedupConfig(threshold=0.7))
    with pytest.raises(ConfigError, match="leave config out"):
        find_duplicates([["a"]], DedupConfig(threshold=0.7), index=DuplicateIndex(tmp_path, CONFIG))


def test_an_empty_index_changes_nothing(tmp_path: Path) -> None:
    texts = oracle.corpus(6)
    with_index = find_duplicates([texts], index=DuplicateIndex(tmp_path, CONFIG))
    assert with_index.pairs.equals(find_duplicates([texts], CONFIG).pairs)
    assert with_index.frozen.height == 0
