"""Parts: what hangs together is in one, and the rest is spread evenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dq.dedup import DedupConfig, find_duplicates
from dq.dedup.parts import BYTES_A_DOCUMENT, components, divide
from dq.errors import WorkspaceError
from dq.store.files import read_between
from tests.dedup import oracle


@given(st.integers(0, 2**20), st.integers(1, 60), st.integers(0, 80))
def test_components_are_those_of_scipy(seed: int, count: int, links: int) -> None:
    left, right = np.random.default_rng(seed).integers(0, count, (2, links))
    number, theirs = connected_components(coo_array((np.ones(links), (left, right)), (count, count)), directed=False)
    ours = components(left, right, count=count)
    assert len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == len(set(ours.tolist())) == number
    np.testing.assert_array_equal(ours, [np.flatnonzero(theirs == one)[0] for one in theirs])


def test_a_chain_of_links_is_one_component_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(5_000)
    assert not components(order[:-1], order[1:], count=5_000).any()


def test_copies_and_pairs_share_a_part_and_parts_are_of_about_one_size(tmp_path: Path) -> None:
    # Copies stand next to each other, so that all first copies are even.
    texts = [f"number {number // 2}" for number in range(8_000)]
    near = [text for text in oracle.corpus(3, copies=8) if text.strip()]
    found = find_duplicates([texts, near, ["alone"]], DedupConfig(max_bucket=4), folder=tmp_path)
    parts = divide(tmp_path, documents=found.documents, memory_bytes=BYTES_A_DOCUMENT * 1_000)
    of = parts.of_documents
    assert parts.count >= 8 and of.max() == parts.count and of[-1] == 0
    assert found.pairs.height and len(found.buckets)
    for table, left, right in ((found.copies, "document", "first_copy"), (found.pairs, "left", "right")):
        assert (of[table[left].to_numpy()] == of[table[right].to_numpy()]).all()
    for first, end in zip(found.buckets.offsets[:-1], found.buckets.offsets[1:], strict=True):
        assert len({*of[found.buckets.documents[found.buckets.members[first:end]]].tolist()}) == 1
    np.testing.assert_array_equal(np.flatnonzero(of), found.involved)
    sizes = np.bincount(of[of > 0])[1:]
    assert sizes.max() < 1.5 * sizes.mean() and sizes.max() < 1_000


def test_rows_between_bounds_are_read_and_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "[rows].parquet"
    pl.DataFrame({"document": np.arange(0, 40, 2)}).write_parquet(path, row_group_size=5)
    assert read_between(path, (7, 12), by="document")["document"].to_list() == [8, 10]
    assert read_between(path, (40, 99), by="document").height == 0
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WorkspaceError, match="cannot be read"):
        read_between(path, (7, 12), by="document")
