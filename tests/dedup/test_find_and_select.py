"""Pairs and selection against brute force; order, shards, workers and memory change nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dq.dedup import DedupConfig, Duplicates, Policy, Resources, choose, deduplicate, find_duplicates, select
from dq.dedup.find import band_files, candidates, runs, verify
from dq.dedup.greedy import select_all
from dq.dedup.kernels.verify import Bound
from dq.errors import ConfigError, WorkspaceError
from tests.dedup import oracle

# Rows this short find every pair of these small corpora, so results must equal brute force exactly.
SURE = DedupConfig(num_perm=256, min_recall=0.9999999)
SURE_LARGE = SURE.model_copy(update={"max_bucket": 2})


def brute_pairs(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    sets = [oracle.shingles(text) for text in texts]
    return {(i, j) for j in range(len(texts)) for i in range(j) if oracle.jaccard(sets[i], sets[j]) >= threshold}


@pytest.mark.parametrize("seed", range(4))
def test_every_verified_pair_is_true_and_none_is_missing(seed: int) -> None:
    texts = oracle.corpus(seed)
    found = find_duplicates([texts], SURE)
    sets = [oracle.shingles(text) for text in texts]
    pairs = set()
    for left, right, common, union, similarity in found.pairs.iter_rows():
        assert (common, union) == (len(sets[left] & sets[right]), len(sets[left] | sets[right]))
        assert similarity == common / union >= 0.8
        pairs.add((left, right))
    first = found.first_copy.tolist()
    expected = {(i, j) for i, j in brute_pairs(texts, 0.8) if first[i] == i and first[j] == j}
    assert pairs == expected
    assert all(sets[d] == sets[f] if f >= 0 else not sets[d] for d, f in enumerate(first))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([SURE, SURE_LARGE]), st.floats(0, 1))
def test_selection_is_the_greedy_independent_set_of_brute_force(seed: int, config: DedupConfig, share: float) -> None:
    texts = oracle.corpus(seed, families=6, copies=5, length=80)
    eligible = np.random.default_rng(seed).random(len(texts)) <= share
    order = oracle.random_order(len(texts), seed)
    chosen = select(find_duplicates([texts], config), eligible, order=order)
    assert chosen.kept_index.tolist() == oracle.greedy(texts, eligible.tolist(), order.tolist(), 0.8)
    sets = [oracle.shingles(text) for text in texts]
    for d in np.flatnonzero(chosen.removed):
        truth = oracle.jaccard(sets[d], sets[int(chosen.kept_index[d])])
        assert chosen.similarity[d] == truth >= 0.8
    kept = np.flatnonzero(chosen.kept)
    assert chosen.cluster_size.sum() == eligible.sum()
    assert (chosen.cluster_size[kept] >= 1).all()


def test_large_buckets_are_kept_as_members_and_give_the_same_selection() -> None:
    texts = oracle.corpus(5, families=4, copies=40)
    small = find_duplicates([texts], SURE.model_copy(update={"max_bucket": 4096}))
    large = find_duplicates([texts], SURE.model_copy(update={"max_bucket": 8}))
    assert len(small.buckets) == 0
    assert len(large.buckets) > 0
    assert large.pairs.height < small.pairs.height
    order = oracle.random_order(len(texts), 1)
    everything = np.ones(len(texts), np.bool_)
    one, other = select(small, everything, order=order), select(large, everything, order=order)
    assert other.verified_at_selection > one.verified_at_selection == 0
    for name in ("kept_index", "exact", "intersection", "union", "similarity", "cluster_size"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("max_bucket", [4, 64])
def test_workers_memory_runs_and_parts_change_no_byte(
    tmp_path: Path, max_bucket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = oracle.corpus(6, families=60, copies=8)
    shards = [texts[at : at + 100] for at in range(0, len(texts), 100)]
    config = DedupConfig(max_bucket=max_bucket)
    find_duplicates(shards, config, folder=tmp_path / "one")
    tight = Resources(threads=3).model_copy(update={"memory_bytes": 4_000})
    small = {runs: ["ROWS_A_RUN"], candidates: ["MEMBERS_AT_A_TIME", "PAIRS_AT_A_TIME", "PAIRS_A_FILE"]}
    small |= {verify: ["DOCUMENTS_A_TASK", "SHINGLES_AT_A_TIME"], band_files: ["ROWS_AT_A_TIME"]}
    for module, names in small.items():
        for name in names:
            assert getattr(module, name) > 150
            monkeypatch.setattr(module, name, 150)
    find_duplicates(shards, config, folder=tmp_path / "two", resources=tight)
    one, two = folder_bytes(tmp_path / "one"), folder_bytes(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_shingles_of_large_buckets_are_written_once_in_a_relative_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("duplicates")
    found = find_duplicates([["the same words but one " + str(n) for n in range(40)]], SURE_LARGE, folder=folder)
    assert len(found.buckets) > 0
    before = (folder / "buckets" / "shingles.npy").stat().st_ino
    Duplicates.read(folder).write(folder)
    assert (folder / "buckets" / "shingles.npy").stat().st_ino == before


@pytest.mark.parametrize("max_bucket", [4, 64])
def test_order_and_shards_change_nothing(max_bucket: int) -> None:
    texts = oracle.corpus(7, families=20)
    documents = pl.DataFrame({"id": [f"d{i}" for i in range(len(texts))], "n_bytes": [len(t) for t in texts]})
    documents = documents.with_columns(visible_characters="n_bytes").with_columns(
        content_key=pl.Series(texts).hash(1), source=pl.lit("s")
    )

    def kept_ids(rows: list[int], cut: int) -> dict[str, str]:
        shuffled, table = [texts[i] for i in rows], documents[rows]
        found = find_duplicates([shuffled[:cut], [], shuffled[cut:]], DedupConfig(max_bucket=max_bucket))
        chosen = select(found, np.ones(len(rows), np.bool_), order=Policy.parse("longest").ranks(table))
        ids = table["id"].to_list()
        return {ids[d]: ids[int(k)] for d, k in enumerate(chosen.kept_index)}

    forward, backward = list(range(len(texts))), list(reversed(range(len(texts))))
    assert kept_ids(forward, 10) == kept_ids(backward, 33)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    texts = oracle.corpus(8, copies=20)
    found = find_duplicates([texts], DedupConfig(max_bucket=8), folder=tmp_path)
    again = Duplicates.read(tmp_path)
    assert again.counts == found.counts
    assert again.bands == found.bands
    assert again.config == found.config
    assert again.pairs.equals(found.pairs)
    np.testing.assert_array_equal(again.first_text, found.first_text)
    np.testing.assert_array_equal(again.visible, found.visible)
    order, everything = oracle.random_order(len(texts), 0), np.ones(len(texts), np.bool_)
    np.testing.assert_array_equal(
        select(found, everything, order=order).kept_index, select(again, everything, order=order).kept_index
    )


def test_a_folder_without_a_record_holds_nothing(tmp_path: Path) -> None:
    find_duplicates([["a b c"]], folder=tmp_path)
    (tmp_path / "record.json").unlink()
    with pytest.raises(WorkspaceError, match="no finished deduplication"):
        Duplicates.read(tmp_path)


def test_another_threshold_reads_texts_again_but_makes_no_new_signatures(tmp_path: Path) -> None:
    texts = oracle.corpus(9)
    calls: list[int] = []

    def loader() -> list[str]:
        calls.append(1)
        return texts

    find_duplicates([loader], folder=tmp_path, inputs="a")
    assert len(calls) == 2  # signatures, then shingles of candidates
    stricter = find_duplicates([loader], DedupConfig(threshold=0.9), folder=tmp_path, inputs="a")
    assert len(calls) == 3
    assert stricter.pairs.equals(find_duplicates([texts], DedupConfig(threshold=0.9)).pairs)
    find_duplicates([loader], folder=tmp_path, inputs="b")
    assert len(calls) == 5


def test_a_stricter_threshold_at_selection_equals_finding_with_it() -> None:
    texts = oracle.corpus(10)
    order, everything = oracle.random_order(len(texts), 3), np.ones(len(texts), np.bool_)
    loose, strict = (
        find_duplicates([texts], SURE),
        find_duplicates([texts], SURE.model_copy(update={"threshold": 0.92})),
    )
    np.testing.assert_array_equal(
        select(loose, everything, order=order, threshold=0.92).kept_index,
        select(strict, everything, order=order).kept_index,
    )
    with pytest.raises(ConfigError, match="find the duplicates again"):
        select(loose, everything, order=order, threshold=0.5)


def test_a_pair_exactly_at_the_threshold_is_a_duplicate_and_one_just_below_is_not() -> None:
    # Four of five shingles shared is 0.8 exactly; no float rounding may decide it.
    base = [f"w{i}" for i in range(8)]  # 4 shingles
    at, below = [*base, "tail"], [*base, "tail", "end"]  # 4/5 and 4/6
    found = find_duplicates([[" ".join(base), " ".join(at)], [" ".join(below)]], SURE)
    assert found.pairs.rows() == [(0, 1, 4, 5, 0.8), (1, 2, 5, 6, 5 / 6)]


def test_removed_documents_never_point_through_a_chain() -> None:
    base = [f"w{i}" for i in range(60)]
    texts = [" ".join(base[i : i + 40]) for i in range(0, 8, 2)]  # neighbours 2 words apart, ends 6 apart
    chosen = deduplicate(texts)
    for row, (kept, similarity, _, _) in enumerate(chosen.iter_rows()):
        truth = oracle.jaccard(oracle.shingles(texts[row]), oracle.shingles(texts[kept]))
        assert similarity == (1.0 if kept == row else truth)
        assert truth >= 0.8


def test_deduplicate_keeps_the_longest_and_counts_the_cluster() -> None:
    line = "the quick brown fox jumps over the lazy dog near the river bank today"
    texts = [line, line + "!", line.upper(), "", "something else entirely", ""]
    table = deduplicate(pl.Series(texts))
    assert table["kept_index"].to_list() == [1, 1, 1, 3, 4, 5]
    assert table["cluster"].to_list() == [3, 3, 3, 1, 1, 1]
    assert table["similarity"].to_list() == [1.0] * 6
    assert not table["exact"].any()


def test_no_texts_and_no_shards_give_empty_results() -> None:
    assert deduplicate([]).height == 0
    assert find_duplicates([]).counts.documents == 0
    assert find_duplicates([[], []]).counts.documents == 0


@pytest.fixture
def unreadable() -> Callable[[], list[str]]:
    def loader() -> list[str]:
        raise OSError("disk gone")

    return loader


def test_an_unreadable_shard_stops_the_run_and_finished_shards_are_not_read_again(
    tmp_path: Path, unreadable: Callable[[], list[str]]
) -> None:
    calls: list[int] = []

    def loader() -> list[str]:
        calls.append(1)
        return ["a b c d e f"]

    with pytest.raises(OSError, match="disk gone"):
        find_duplicates([loader, unreadable], folder=tmp_path, inputs="a")
    find_duplicates([loader, loader], folder=tmp_path, inputs="a")
    assert len(calls) == 2  # once a shard, for signatures: copies of each other need no shingles


@pytest.mark.parametrize("seed", range(4))
def test_a_selection_by_parts_is_the_selection_of_all(seed: int) -> None:
    """Documents without a duplicate are not in memory, and decide nothing."""
    texts = [text for other in range(6) for text in (*oracle.corpus(seed), *oracle.corpus(10 * seed + other))]
    found, rng = find_duplicates([texts], SURE_LARGE), np.random.default_rng(seed)
    eligible, order = rng.random(len(texts)) < 0.7, rng.permutation(len(texts))
    whole = select_all(found, eligible, order=order, bound=Bound(4, 5))
    chosen = choose(found, eligible, order=order[found.involved])
    assert 0 < len(chosen.rows) < len(texts) and len(found.buckets) and whole.removed.any()
    for first, end in ((0, len(texts)), (0, 13), (13, 13), (13, len(texts) - 5), (len(texts) - 5, len(texts))):
        part = chosen.between(first, end)
        for name in ("intersection", "union", "similarity", "exact", "cluster_size", "kept_index", "kept", "removed"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first:end])
        removed = whole.table().filter(pl.col("document").is_between(first, end, closed="left"))
        assert_frame_equal(part.table(), removed)
