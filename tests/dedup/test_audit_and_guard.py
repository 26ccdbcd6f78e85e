"""What an audit says, what the guard stops, and what the estimate promises."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dq.dedup import DedupConfig, find_duplicates, select
from dq.dedup.audit import audit_duplicates, wilson
from dq.dedup.bands import Bands, choose_bands
from dq.dedup.estimate import estimate_cost
from dq.dedup.guard import guard_removal, removal_by_source
from dq.errors import ConfigError, InputError
from tests.dedup import oracle


def test_an_audit_of_a_thorough_deduplication_finds_nothing_missed() -> None:
    texts = oracle.corpus(12, families=20)
    order, everything = oracle.random_order(len(texts), 0), np.ones(len(texts), np.bool_)
    found = find_duplicates([texts], DedupConfig(num_perm=256, min_recall=0.9999999))
    report = audit_duplicates(found, select(found, everything, order=order), [texts[:40], texts[40:]])
    whole = report.recall.row(0, named=True)
    sets = [oracle.shingles(text) for text in texts]
    truth = sum(oracle.jaccard(a, b) >= 0.8 for i, a in enumerate(sets) for j, b in enumerate(sets) if i != j)
    assert (whole["source"], whole["true_pairs"], whole["recall"]) == ("all", truth, 1.0)
    assert whole["low"] < 1.0
    assert whole["high"] == pytest.approx(1.0)
    assert report.unproven_removals.height == report.missed_pairs.height == 0
    assert report.removals_checked == select(found, everything, order=order).removed.sum()


def test_an_audit_sees_what_few_bands_miss_in_the_source_where_it_happens() -> None:
    texts = oracle.corpus(13, families=60, copies=5)
    sources = pl.Series(["web" if len(text) % 2 else "books" for text in texts])
    order, everything = oracle.random_order(len(texts), 0), np.ones(len(texts), np.bool_)
    # One band of 20 rows misses most pairs below 0.95.
    found = find_duplicates([texts], DedupConfig(num_perm=20, min_recall=0.01))
    chosen = select(found, everything, order=order)
    report = audit_duplicates(found, chosen, [texts], sources=sources)
    table = report.recall
    assert set(table["source"]) == {"all", "books", "web"}
    whole = table.row(0, named=True)
    assert whole["low"] <= whole["recall"] < 0.95
    assert report.missed_pairs.height == whole["true_pairs"] - whole["resolved_pairs"]
    sets = [oracle.shingles(text) for text in texts]
    for left, right, similarity in report.missed_pairs.iter_rows():
        assert chosen.kept[left] and chosen.kept[right]
        assert similarity == oracle.jaccard(sets[left], sets[right]) >= 0.8
    assert report.unproven_removals.height == 0


def test_an_audit_exposes_a_removal_that_was_never_proven() -> None:
    texts = [*oracle.corpus(14, families=6), "a text that nothing in this corpus is like, not at all"]
    order, everything = oracle.random_order(len(texts), 0), np.ones(len(texts), np.bool_)
    found = find_duplicates([texts])
    chosen = select(found, everything, order=order)
    last = len(texts) - 1
    chosen.kept_index[last], chosen.similarity[last] = int(np.flatnonzero(chosen.kept)[0]), 0.9
    report = audit_duplicates(found, chosen, [texts])
    assert report.unproven_removals["document"].to_list() == [last]


def test_wilson_intervals_match_published_values() -> None:
    low, high = wilson(81, 263)  # Newcombe 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)


def cluster(copies: int) -> tuple[list[str], pl.DataFrame]:
    texts = ["the same words in every one of these texts"] * copies + [
        f"different words number {i} here now" for i in range(4)
    ]
    frame = pl.DataFrame({"id": [f"d{i}" for i in range(len(texts))], "source": ["web"] * len(texts)})
    return texts, frame


@pytest.mark.parametrize(("copies", "stops"), [(5, False), (6, True)])
def test_a_source_may_lose_half_of_its_documents_and_no_more(copies: int, stops: bool) -> None:
    texts, frame = cluster(copies)
    chosen = select(find_duplicates([texts]), np.ones(len(texts), np.bool_), order=np.arange(len(texts)))
    lost = removal_by_source(chosen, frame["source"]).row(0, named=True)
    assert lost["removed"] == copies - 1
    if not stops:
        assert guard_removal(chosen, frame).height == 1
        return
    with pytest.raises(
        InputError, match=r"source web: 5 of 10 .* d1 \(similarity 1.000 to d0\).*`allow_removal`: web$"
    ):
        guard_removal(chosen, frame, max_removed_fraction=0.49)
    assert guard_removal(chosen, frame, max_removed_fraction=0.49, allowed=["web"]).height == 1


def test_a_thousand_sources_that_lose_too_much_are_one_screen() -> None:
    texts = [f"page {k // 2} of a site that tells the same story" for k in range(2_000)]
    frame = pl.DataFrame({"id": [f"d{k}" for k in range(2_000)], "source": [f"source-{k // 2}" for k in range(2_000)]})
    chosen = select(find_duplicates([texts]), np.ones(len(texts), np.bool_), order=np.arange(len(texts)))
    message = r"and 999 more sources.*larger share, or name them .*: source-0, .* more$"
    with pytest.raises(InputError, match=message) as caught:
        guard_removal(chosen, frame, max_removed_fraction=0.4)
    assert len(str(caught.value)) < 700


def test_bands_have_the_asked_recall_and_rows_as_long_as_it_permits() -> None:
    for threshold in (0.5, 0.7, 0.8, 0.9, 0.95):
        bands = choose_bands(DedupConfig(threshold=threshold))
        assert bands.bands * bands.rows <= 112
        assert bands.recall(threshold) >= 0.99
        longer = Bands(112 // (bands.rows + 1), bands.rows + 1, 112, bands.min_matches)
        assert longer.recall(threshold) < 0.99
    assert (choose_bands(DedupConfig()).bands, choose_bands(DedupConfig()).rows) == (18, 6)
    curve = choose_bands(DedupConfig()).curve()
    assert curve["candidate_probability"].is_sorted()
    assert curve["verified_probability"].is_sorted()
    with pytest.raises(ConfigError, match="raise num_perm"):
        choose_bands(DedupConfig(num_perm=2, threshold=0.5))


def test_the_curve_is_what_signatures_of_known_similarity_show() -> None:
    bands = Bands(9, 4, 36, 1)
    generator = np.random.default_rng(0)
    for similarity in (0.5, 0.7, 0.9):
        equal = generator.random((20_000, 9, 4)).max(axis=2).min(axis=1) < similarity
        assert abs(equal.mean() - bands.candidate_probability(similarity)) < 0.02


def test_an_estimate_grows_with_the_corpus_and_shrinks_with_workers() -> None:
    from dq.dedup import Resources  # noqa: PLC0415

    texts = oracle.corpus(15)
    small = estimate_cost(texts, documents=1_000, text_bytes=1_000_000)
    large = estimate_cost(texts, documents=1_000_000, text_bytes=1_000_000_000, resources=Resources(threads=2))
    assert 100 * small.disk_bytes < large.disk_bytes
    assert small.memory_bytes < large.memory_bytes
    assert small.signature_mb_per_second > 0
