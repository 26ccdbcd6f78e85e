"""Arms of one model size and budget, a loss a run: every one against the baseline, and all pairs of them.

Against the baseline the error of 5 % is that of all variants together: Dunnett's quantile on the spread that arms share
(`dq.compare.spread` says which may), or an equal part of the error with an arm's own. Of all pairs Holm's rule (Scand.
J. Stat. 6, 1979) keeps it, for any dependence between them. Runs that share seeds are paired; others are compared by
Welch's rule, which shares no spread. Where losses by document are there, documents count as in a study.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dq.compare.family import share_of
from dq.compare.levels import Losses, common_seeds, natural
from dq.compare.paired import Options, estimate_of, pair, t_interval
from dq.compare.power import MIN_SEEDS
from dq.compare.results import Interval, MeanSquares, Outcome
from dq.compare.spread import Pool, pool_spread
from dq.compare.tables import FloatArray, LossTable
from dq.compare.verdict import judge
from dq.errors import CompareError
from dq.results import Result


@dataclass(frozen=True)
class Documents:
    """Losses by document of the same runs, and the sets that their losses are the mean of."""

    table: LossTable
    sets: Sequence[str]

    def squares(self, names: tuple[str, str], seeds: Sequence[str]) -> MeanSquares | None:
        """Of the difference of two arms on seeds that both have."""
        pairs = [(int(seed), int(seed)) for seed in seeds]
        options = Options(resamples=2)  # of a bootstrap that nothing here asks for
        variant, baseline = names
        return pair(
            self.table, variant=variant, baseline=baseline, sets=self.sets, seed_pairs=pairs, options=options
        ).mean_squares


@dataclass(frozen=True, kw_only=True)
class ArmLevel(Result):
    """How an arm did."""

    variant: str
    n_runs: int
    loss: float
    """Mean over runs."""
    sd: float | None
    """Over runs; None of one."""
    own_sd: float | None
    """Over seeds, without what they share with the other arms' runs of the seed, if they share any."""


@dataclass(frozen=True, kw_only=True)
class Difference(Result):
    """An arm minus another one. Below 0 is better."""

    variant: str
    baseline: str
    difference: float
    """On the seeds in common, if it is paired."""
    relative: float
    """Of the other's loss."""
    n_seeds: int
    """In common, or of the arm that has fewer."""
    paired: bool
    p: float | None
    """Of this difference alone, where the arms are alike; None with fewer than 3 seeds."""
    interval: Interval | None
    """For all variants together where it is against the baseline, alone where it is one of all pairs."""
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Pair(Difference):
    """One of all pairs."""

    p_holm: float | None
    """The smallest error over all pairs at which this one is told apart."""


@dataclass(frozen=True, kw_only=True)
class ArmsComparison(Result):
    """The arms of one size and budget."""

    baseline: str
    confidence: float
    """Of all variants against the baseline together, and of all pairs together."""
    arms: tuple[ArmLevel, ...]
    """The baseline first."""
    differences: tuple[Difference, ...]
    """Of every other arm from the baseline."""
    pairs: tuple[Pair, ...]
    """All of them, the surest first; none where there are two arms."""
    notes: tuple[str, ...]


def compare_arms(
    arms: Mapping[str, Losses],
    *,
    baseline: str,
    margin: float | None = None,
    apart: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    documents: Documents | None = None,
) -> ArmsComparison:
    """Compare arms of one size and budget.

    Args:
        arms: losses by seed, by arm.
        baseline: the arm that the others are judged against.
        margin: the difference that matters, in the unit of the losses; without it nothing is called equivalent.
        apart: arms that never share their spread, with the reason.
        confidence: of all variants together, and of all pairs together.
        documents: the losses by document that ``arms`` are the means of, so that their spread counts too.

    Raises:
        CompareError: there is no such baseline, or nothing beside it.
    """
    if baseline not in arms or len(arms) < 2:
        raise CompareError(f"nothing to compare with {baseline!r}: there are {', '.join(sorted(arms))}")
    names = [baseline, *sorted(set(arms) - {baseline}, key=natural)]
    pool = _pool(arms, names, apart=apart or {})
    error = 1 - confidence
    made = [_difference(arms, pair, documents=documents) for pair in itertools.combinations(reversed(names), 2)]
    against = {one.found.variant: one for one in made if one.found.baseline == baseline}
    differences = [
        _judged(against[name], pool, error=error, variants=len(against), margin=margin) for name in names[1:]
    ]
    pairs: tuple[Pair, ...] = ()
    if len(names) > 2:
        pairs = _holm([_tested(one, pool, confidence=confidence) for one in made], error=error)
    return ArmsComparison(
        baseline=baseline,
        confidence=confidence,
        arms=tuple(_level(name, arms[name], pool) for name in names),
        differences=tuple(differences),
        pairs=pairs,
        notes=tuple(_notes(pool, differences)),
    )


@dataclass(frozen=True)
class _Made:
    """A difference with the spread of its own runs."""

    found: Difference
    squares: MeanSquares | None
    """None with fewer than 3 seeds."""


def _difference(arms: Mapping[str, Losses], names: tuple[str, str], *, documents: Documents | None) -> _Made:
    one, other = (arms[name] for name in names)
    shared = common_seeds(one, other)
    if shared:
        one, other = ({seed: arm[seed] for seed in shared} for arm in (one, other))
    first, second = (np.array(list(arm.values())) for arm in (one, other))
    n_seeds = min(len(first), len(second))
    squares = None
    if n_seeds >= MIN_SEEDS and shared and documents is not None:
        squares = documents.squares(names, shared)
    elif n_seeds >= MIN_SEEDS and shared:
        squares = _squares(float((first - second).var(ddof=1)), df=n_seeds - 1, n_seeds=n_seeds)
    elif n_seeds >= MIN_SEEDS:
        squares = _welch(first, second)
    found = Difference(
        variant=names[0],
        baseline=names[1],
        difference=float(first.mean() - second.mean()),
        relative=float(first.mean() / second.mean() - 1),
        n_seeds=n_seeds,
        paired=bool(shared),
        p=None,
        interval=None,
        outcome=Outcome.NO_VERDICT,
    )
    return _Made(found, squares)


def _welch(first: FloatArray, second: FloatArray) -> MeanSquares:
    """Of runs without seeds in common, as one seed's difference with the spread of them all."""
    variances = [float(arm.var(ddof=1)) / len(arm) for arm in (first, second)]
    total = math.fsum(variances)
    parts = math.fsum(v**2 / (len(arm) - 1) for v, arm in zip(variances, (first, second), strict=True))
    return _squares(total, df=total**2 / parts if parts else len(first) - 1, n_seeds=1)


def _squares(variance: float, *, df: float, n_seeds: int) -> MeanSquares:
    """The variance of one seed's difference as a layout of one document, which adds nothing."""
    return MeanSquares(
        seed=variance,
        document=0.0,
        residual=0.0,
        seed_df=df,
        document_df=1.0,
        residual_df=1.0,
        n_seeds=n_seeds,
        n_documents=1,
    )


def _pool(arms: Mapping[str, Losses], names: Sequence[str], *, apart: Mapping[str, str]) -> Pool | None:
    """What the arms that share seeds with the baseline share; None where there are fewer than 3 such seeds."""
    with_seeds = [name for name in names if name == names[0] or common_seeds(arms[name], arms[names[0]])]
    seeds = common_seeds(*(arms[name] for name in with_seeds))
    if len(seeds) < MIN_SEEDS or len(with_seeds) < 2:
        return None
    levels = np.array([[arms[name][seed] for seed in seeds] for name in with_seeds])
    return pool_spread(levels, arms=with_seeds, apart=apart)


def _judged(made: _Made, pool: Pool | None, *, error: float, variants: int, margin: float | None) -> Difference:
    """Against the baseline: the interval that holds for all variants together, and what it says."""
    found, squares = made.found, made.squares
    if squares is None:
        return found
    if pool is None or not found.paired:
        pool = Pool(spreads=(), members=(), variance=0.0, df=1.0)
    share = share_of(pool, found.variant, squares=squares, variants=variants, error=error)
    interval = share.interval(found.difference, error)
    label = interval.label if found.paired else f"{interval.label}, seeds apart"
    interval = _of_seeds(dataclasses.replace(interval, label=label), squares)
    outcome = judge(interval, margin=margin).outcome if margin is not None else _side(interval)
    return dataclasses.replace(found, interval=interval, outcome=outcome, p=_p(found.difference, share.squares))


def _tested(made: _Made, pool: Pool | None, *, confidence: float) -> Difference:
    """One of all pairs: its interval alone and its p, with the spread that both share, if they do."""
    found, squares = made.found, made.squares
    if squares is None:
        return found
    if pool is not None and pool.members and found.paired:
        sharing = {*pool.members, pool.spreads[0].arm}
        if {found.variant, found.baseline} <= sharing:
            squares = dataclasses.replace(squares, seed=pool.variance * squares.n_documents, seed_df=pool.df)
    interval = t_interval(squares, found.difference, confidence=confidence, label="this pair alone")
    interval = _of_seeds(interval, squares)
    return dataclasses.replace(found, interval=interval, p=_p(found.difference, squares))


def _holm(found: Sequence[Difference], *, error: float) -> tuple[Pair, ...]:
    """All pairs, the surest first, with Holm's p: the largest so far of p times the number of pairs left."""
    tested = sorted((one for one in found if one.p is not None), key=lambda one: one.p or 0.0)
    pairs, largest = [], 0.0
    for place, one in enumerate(tested):
        largest = max(largest, min(1.0, (one.p or 0.0) * (len(tested) - place)))
        side = Outcome.BETTER if one.difference < 0 else Outcome.WORSE
        outcome = side if largest <= error else Outcome.UNDECIDED
        pairs.append(Pair(**{**one.record(), "p_holm": largest, "outcome": outcome}))
    return (*pairs, *(Pair(**one.record(), p_holm=None) for one in found if one.p is None))


def _of_seeds(interval: Interval, squares: MeanSquares) -> Interval:
    """Named so where there are no documents."""
    return dataclasses.replace(interval, decided_by="seeds") if squares.n_documents == 1 else interval


def _p(difference: float, squares: MeanSquares) -> float:
    """Two-sided, by t: the error at which the longest of the three intervals that decide first holds 0."""
    found = estimate_of(squares)
    errors, df = np.sqrt(found.variances), found.df
    surest = [
        float(2 * special.stdtr(d, -abs(difference) / e)) if e > 0 else float(difference == 0)
        for e, d in zip(errors, df, strict=True)
    ]
    return max(surest)


def _side(interval: Interval) -> Outcome:
    """The verdict without a margin: nothing is equivalent."""
    if interval.high < 0:
        return Outcome.BETTER
    return Outcome.WORSE if interval.low > 0 else Outcome.UNDECIDED


def _level(name: str, losses: Losses, pool: Pool | None) -> ArmLevel:
    values = np.array(list(losses.values()))
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    own = {one.arm: one.sd / math.sqrt(2) for one in pool.spreads} if pool is not None else {}
    return ArmLevel(variant=name, n_runs=len(values), loss=float(values.mean()), sd=sd, own_sd=own.get(name, sd))


def _notes(pool: Pool | None, differences: Sequence[Difference]) -> Iterator[str]:
    for one in pool.spreads if pool is not None else ():
        if one.left_out:
            yield f"{one.arm} has an interval of its own spread: {one.left_out}"
    apart = [one.variant for one in differences if one.interval and not one.paired]
    if apart:
        yield f"{', '.join(apart)}: not 3 seeds in common with the baseline, so compared by Welch's rule"
