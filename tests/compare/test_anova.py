"""The variance of a paired difference: known answers, and coverage of the interval in simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dq.compare.anova import Components, estimate, linearised, mean_squares, set_differences
from dq.compare.bootstrap import document_bootstrap
from dq.compare.tables import FloatArray


def components(
    seed: float, document: float, residual: float, *, n_seeds: int = 3, n_documents: int = 100
) -> Components:
    return Components(
        mean_squares=np.array([seed, document, residual]),
        df=np.array([n_seeds - 1.0, n_documents - 1.0, (n_seeds - 1.0) * (n_documents - 1.0)]),
        n_seeds=n_seeds,
        n_documents=n_documents,
    )


def test_mean_squares_of_a_layout_worked_by_hand() -> None:
    # Rows are seeds, columns documents. Grand mean 5, row means 4 and 6, column means 2, 5 and 8.
    layout = np.array([[1.0, 5.0, 6.0], [3.0, 5.0, 10.0]])
    found = mean_squares(layout, set_sizes=[3])
    # seed: 3 (1 + 1) / 1; document: 2 (9 + 0 + 9) / 2; residuals are 0, 1, -1 and 0, -1, 1: 4 / 2.
    np.testing.assert_allclose(found.mean_squares, [6.0, 18.0, 2.0], rtol=1e-14)
    np.testing.assert_allclose(found.df, [1.0, 2.0, 2.0], rtol=1e-14)


@given(seed=st.integers(0, 10_000), n_seeds=st.integers(2, 6), n_documents=st.integers(2, 30))
def test_mean_squares_agree_with_least_squares_on_dummy_variables(seed: int, n_seeds: int, n_documents: int) -> None:
    layout = np.random.default_rng(seed).normal(size=(n_seeds, n_documents))
    rows, columns = (grid.ravel() for grid in np.indices(layout.shape))
    by_row, by_column = np.eye(n_seeds)[rows], np.eye(n_documents)[columns]

    def unexplained(design: FloatArray) -> float:
        fitted = design @ np.linalg.lstsq(design, layout.ravel(), rcond=None)[0]
        return float(((layout.ravel() - fitted) ** 2).sum())

    rest = unexplained(np.hstack([by_row, by_column]))
    expected = [
        (unexplained(by_column) - rest) / (n_seeds - 1),
        (unexplained(by_row) - rest) / (n_documents - 1),
        rest / ((n_seeds - 1) * (n_documents - 1)),
    ]
    np.testing.assert_allclose(mean_squares(layout, set_sizes=[n_documents]).mean_squares, expected, atol=1e-10)


def test_without_documents_differing_the_interval_is_the_paired_t_test_of_the_seeds() -> None:
    by_seed = np.array([0.3, 0.1, 0.5, 0.2])
    found = estimate(mean_squares(np.repeat(by_seed[:, None], 50, axis=1), set_sizes=[50]))
    low, high = stats.ttest_1samp(by_seed, 0.0).confidence_interval(0.95)
    assert found.half_widths(0.95).max() == pytest.approx((high - low) / 2)


def test_without_seeds_differing_the_interval_is_the_t_test_over_documents() -> None:
    by_document = np.random.default_rng(1).normal(size=40)
    found = estimate(mean_squares(np.repeat(by_document[None], 3, axis=0), set_sizes=[40]))
    low, high = stats.ttest_1samp(by_document, 0.0).confidence_interval(0.95)
    assert found.half_widths(0.95).max() == pytest.approx((high - low) / 2)


def test_the_variance_is_the_sum_of_seeds_and_documents_less_the_residual() -> None:
    found = estimate(components(4.0, 3.0, 2.0))
    assert found.variance == pytest.approx(5.0 / 300)
    # Satterthwaite: (4 + 3 - 2)^2 / (4^2 / 2 + 3^2 / 99 + 2^2 / 198).
    assert found.df[0] == pytest.approx(25 / (8 + 9 / 99 + 4 / 198))


@pytest.mark.parametrize(
    ("residual", "largest"), [(2.9, "sum"), (3.1, "seed")], ids=["a small residual", "a residual above MS_doc"]
)
def test_the_variance_never_falls_below_the_larger_single_factor(residual: float, largest: str) -> None:
    found = estimate(components(4.0, 3.0, residual))
    assert found.variance == pytest.approx(4.1 / 300 if largest == "sum" else 4.0 / 300)
    assert (found.variances[0] == 0) == (largest == "seed")


def test_a_residual_that_cancels_the_sum_gives_no_absurd_interval() -> None:
    found = estimate(components(1.0, 1.0, 2.0 - 1e-12))
    assert found.half_widths(0.95).max() == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(1.0 / 300))


def test_runs_that_agree_everywhere_have_an_interval_of_no_width() -> None:
    found = estimate(mean_squares(np.zeros((3, 10)), set_sizes=[10]))
    assert found.half_widths(0.95).tolist() == [0.0, 0.0, 0.0]


def test_several_sets_have_the_variance_of_the_mean_of_independent_strata() -> None:
    generator = np.random.default_rng(3)
    sizes = [30, 90]
    differences = generator.normal(0, [[1.0] * 30 + [5.0] * 90], (4, 120)) + generator.normal(0, 3, (1, 120))
    found = mean_squares(linearised(differences, n_bytes=np.ones(120), set_sizes=sizes), set_sizes=sizes)
    alone = [mean_squares(part, set_sizes=[part.shape[1]]) for part in np.split(differences, [30], axis=1)]
    for index in (1, 2):
        by_hand = sum(one.mean_squares[index] / one.n_documents for one in alone) / 4
        assert found.mean_squares[index] / found.n_documents == pytest.approx(by_hand)
    # Satterthwaite over strata lies between the poorer stratum and all documents.
    assert 29 < found.df[1] < 118


@given(
    seed=st.integers(0, 10_000), n_seeds=st.integers(1, 5), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4)
)
def test_seed_means_of_the_layout_are_exactly_the_differences_in_bits_per_byte(
    seed: int, n_seeds: int, sizes: list[int]
) -> None:
    generator = np.random.default_rng(seed)
    n_bytes = generator.integers(1, 3_000, sum(sizes)).astype(np.float64)
    differences = generator.normal(size=(n_seeds, sum(sizes))) * n_bytes
    cuts = np.cumsum(sizes)[:-1]
    by_hand = np.mean(
        [
            bits.sum(-1) / size.sum()
            for bits, size in zip(np.split(differences, cuts, axis=-1), np.split(n_bytes, cuts), strict=True)
        ],
        axis=0,
    )
    layout = linearised(differences, n_bytes=n_bytes, set_sizes=sizes)
    np.testing.assert_allclose(layout.mean(-1), by_hand, rtol=0, atol=1e-12)


def test_documents_of_unequal_bytes_that_agree_per_byte_do_not_look_like_disagreement() -> None:
    n_bytes = np.array([10.0, 500.0, 2_000.0, 90.0])
    seeds = np.array([[0.2], [0.5], [0.3]])
    found = mean_squares(linearised(seeds * n_bytes, n_bytes=n_bytes, set_sizes=[4]), set_sizes=[4])
    np.testing.assert_allclose(found.mean_squares[1:], [0.0, 0.0], atol=1e-28)
    unscaled = mean_squares(4 * seeds * n_bytes / n_bytes.sum(), set_sizes=[4])
    assert unscaled.mean_squares[1] > 0.1


# Spread of seeds, documents and residual; 3 seeds and 100 documents.
SPREADS = {
    "documents alone": (0.0, 0.1, 0.0),
    "documents and residual": (0.0, 0.1, 0.1),
    "seeds and documents": (0.015, 0.1, 0.03),
    "seeds above documents": (0.05, 0.1, 0.05),
    "seeds above all": (0.2, 0.1, 0.05),
    "seeds alone": (0.05, 0.0, 0.0),
}


def simulated(seed: int, spreads: tuple[float, float, float], *, n_sets: int, n_bytes: FloatArray) -> FloatArray:
    """Differences in bits, true mean 0: (datasets, 3, N)."""
    generator = np.random.default_rng(seed)
    seeds, documents, residual = spreads
    shape = (n_sets, 3, len(n_bytes))
    per_byte = (
        generator.normal(0, 1, (n_sets, 3, 1)) * seeds
        + generator.normal(0, 1, (n_sets, 1, len(n_bytes))) * documents
        + generator.normal(0, 1, shape) * residual
    )
    differences: FloatArray = per_byte * n_bytes
    return differences


@pytest.mark.parametrize("sizes", [[100], [60, 40]], ids=["one set", "two sets"])
@pytest.mark.parametrize("equal_bytes", [True, False], ids=["equal bytes", "unequal bytes"])
@pytest.mark.parametrize("spread", SPREADS)
def test_the_interval_covers_the_truth_as_often_as_it_says(spread: str, equal_bytes: bool, sizes: list[int]) -> None:
    n_bytes = np.full(100, 1_000.0) if equal_bytes else np.random.default_rng(0).uniform(200, 2_000, 100)
    differences = simulated(7, SPREADS[spread], n_sets=3_000, n_bytes=n_bytes)
    found = estimate(mean_squares(linearised(differences, n_bytes=n_bytes, set_sizes=sizes), set_sizes=sizes))
    means = set_differences(differences, n_bytes=n_bytes, set_sizes=sizes).mean((-1, -2))
    coverage = (np.abs(means) <= found.half_widths(0.95).max(-1)).mean()
    assert 0.93 <= coverage <= 0.985


@pytest.mark.parametrize("seed_to_document", [0.03, 0.3, 1.0, 3.0, 10.0, 30.0, 300.0])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_interval_holds_its_level_at_every_ratio_of_seeds_to_documents(
    seed_to_document: float, confidence: float
) -> None:
    # Straight from the distributions of the mean squares, 40,000 studies of 3 seeds and 100 documents.
    generator = np.random.default_rng(11)
    n_studies, n_seeds, n_documents = 40_000, 3, 100
    seed_variance = seed_to_document * n_seeds / n_documents
    degrees = np.array([2.0, 99.0, 198.0])
    expected = np.array([n_documents * seed_variance + 0.1, n_seeds * 1.0 + 0.1, 0.1])
    found = estimate(
        Components(
            mean_squares=expected * generator.chisquare(degrees, (n_studies, 3)) / degrees,
            df=np.broadcast_to(degrees, (n_studies, 3)),
            n_seeds=n_seeds,
            n_documents=n_documents,
        )
    )
    true_variance = (expected @ [1, 1, -1]) / (n_seeds * n_documents)
    means = generator.normal(0, np.sqrt(true_variance), n_studies)
    missed = (np.abs(means) > found.half_widths(confidence).max(-1)).mean()
    # Three standard errors of the simulation above the nominal miss rate.
    nominal = 1 - confidence
    assert missed <= nominal + 3 * np.sqrt(nominal / n_studies)


def test_a_bootstrap_over_documents_alone_misses_the_truth_where_seeds_differ() -> None:
    n_bytes = np.full(100, 1_000.0)
    differences = simulated(9, SPREADS["seeds and documents"], n_sets=300, n_bytes=n_bytes)
    covered = []
    for one in differences:
        found = document_bootstrap(one, n_bytes=n_bytes, set_sizes=[100], confidence=0.95, resamples=300, seed=0)
        covered.append(found.low <= 0 <= found.high)
    assert np.mean(covered) < 0.88


def test_batches_of_layouts_give_what_each_gives_alone() -> None:
    layouts = np.random.default_rng(2).normal(size=(4, 5, 3, 20))
    together = estimate(mean_squares(layouts, set_sizes=[12, 8]))
    for i, j in itertools.product(range(4), range(5)):
        alone = estimate(mean_squares(layouts[i, j], set_sizes=[12, 8]))
        np.testing.assert_allclose(alone.variances, together.variances[i, j], rtol=1e-12)
        np.testing.assert_allclose(alone.df, together.df[i, j], rtol=1e-12)
