"""What a design detects: known answers, simulation, and seeds that a margin needs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from dq.compare import MeanSquares, power_of
from dq.compare.anova import Components, Estimate, estimate
from dq.compare.power import detectable_difference, projected
from dq.compare.tables import FloatArray


def squares(seed: float, document: float, residual: float, *, n_seeds: int = 3, n_documents: int = 100) -> MeanSquares:
    return MeanSquares(
        seed=seed,
        document=document,
        residual=residual,
        seed_df=n_seeds - 1.0,
        document_df=n_documents - 1.0,
        residual_df=(n_seeds - 1.0) * (n_documents - 1.0),
        n_seeds=n_seeds,
        n_documents=n_documents,
    )


@pytest.mark.parametrize("df", [2.0, 5.0, 99.0])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_detectable_difference_is_that_of_a_t_test(df: float, confidence: float) -> None:
    found = Estimate(variances=np.array([0.0, 4.0, 0.0]), df=np.array([df, df, df]))
    smallest = float(detectable_difference(found, confidence=confidence))
    threshold = stats.t.ppf(0.5 + confidence / 2, df)
    assert stats.nct.sf(threshold, df, smallest / 2.0) == pytest.approx(0.8, abs=1e-4)


# Variances of seed, document and residual.
WORLDS = {
    "documents": (0.0, 1.0, 0.2),
    "both": (0.03, 1.0, 0.2),
    "seeds": (0.5, 1.0, 0.2),
    "only seeds": (1.0, 0.0, 0.0),
}


@pytest.mark.parametrize("n_seeds", [3, 6])
@pytest.mark.parametrize("world", WORLDS)
def test_a_true_difference_of_the_stated_size_is_found_four_times_in_five(world: str, n_seeds: int) -> None:
    seed, document, residual = WORLDS[world]
    n_documents, n_studies = 100, 20_000
    expected = np.array([n_documents * seed + residual, n_seeds * document + residual, residual])
    degrees = np.array([n_seeds - 1.0, n_documents - 1.0, (n_seeds - 1.0) * (n_documents - 1.0)])

    def design(mean_squares: FloatArray) -> Estimate:
        df = np.broadcast_to(degrees, mean_squares.shape)
        return estimate(Components(mean_squares=mean_squares, df=df, n_seeds=n_seeds, n_documents=n_documents))

    smallest = float(detectable_difference(design(expected), confidence=0.95))
    generator = np.random.default_rng(4)
    observed = expected * generator.chisquare(degrees, (n_studies, 3)) / degrees
    variance = (expected @ [1, 1, -1]) / (n_seeds * n_documents)
    means = generator.normal(smallest, np.sqrt(variance), n_studies)
    found = (means > design(observed).half_widths(0.95).max(-1)).mean()
    assert 0.74 <= found <= 0.84


def test_a_projection_to_the_same_seeds_is_the_estimate_itself() -> None:
    now = squares(4.0, 3.0, 2.0)
    again = projected(now, n_seeds=3)
    direct = estimate(
        Components(mean_squares=np.array([4.0, 3.0, 2.0]), df=np.array([2.0, 99.0, 198.0]), n_seeds=3, n_documents=100)
    )
    np.testing.assert_allclose(again.variances, direct.variances)
    np.testing.assert_allclose(again.df, direct.df)


def test_more_seeds_shrink_the_seed_and_residual_variance_and_leave_that_of_documents() -> None:
    # Components: seed (4 - 1) / 100, document (7 - 1) / 3, residual 1.
    found = projected(squares(4.0, 7.0, 1.0), n_seeds=12)
    assert found.variance == pytest.approx(0.03 / 12 + 2.0 / 100 + 1.0 / 1_200)


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.2])
def test_the_seeds_needed_detect_the_margin_and_one_fewer_do_not(margin: float) -> None:
    now = squares(0.5, 0.006, 0.003)
    needed = power_of(now, margin=margin, confidence=0.95).seeds_needed
    assert needed is not None
    assert needed > 3
    smallest = [float(detectable_difference(projected(now, n_seeds=n), confidence=0.95)) for n in (needed - 1, needed)]
    assert smallest[0] > margin >= smallest[1]


def test_where_documents_are_the_limit_no_number_of_seeds_is_named() -> None:
    found = power_of(squares(1e-6, 1.0, 1e-6), margin=0.05, confidence=0.95)
    assert found.seeds_needed is None
    assert found.advice == "not even 1,000 seeds make 0.05 bits per byte detectable: add held-out documents"


@pytest.mark.parametrize(
    ("margin", "needed", "advice"),
    [
        (100.0, 3, "3 seeds suffice for 100 bits per byte"),
        (None, None, "name a margin to learn how many seeds it needs"),
    ],
)
def test_power_says_in_words_what_to_do(margin: float | None, needed: int | None, advice: str) -> None:
    found = power_of(squares(1.0, 1.0, 0.5), margin=margin, confidence=0.95)
    assert (found.seeds_needed, found.advice) == (needed, advice)


def test_runs_that_agree_everywhere_detect_anything() -> None:
    found = power_of(squares(0.0, 0.0, 0.0), margin=0.01, confidence=0.95)
    assert (found.smallest_detectable_difference, found.seeds_needed) == (0.0, 3)


def test_a_larger_spread_detects_less() -> None:
    small = squares(1.0, 1.0, 0.5)
    large = dataclasses.replace(small, seed=4.0)
    one, other = (
        power_of(each, margin=None, confidence=0.95).smallest_detectable_difference for each in (small, large)
    )
    assert other > one
