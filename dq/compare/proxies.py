"""Which cheaper runs would have chosen the same: every size and budget as a proxy of the largest.

Decision accuracy is the share of pairs of arms that are in the same order in both (DataDecide, arXiv 2504.11393);
regret is how much worse at the target the arm is that the proxy would have chosen. Pairs that not even the target tells
apart are coin tosses, so accuracy on those that it does is told beside it.

Both rest on few seeds. Their ranges are the middle 95 % over draws of what the arms' true levels may be, here and at
the target: Student's t around each mean, as wide as the arm's own seeds spread (`ArmLevel.own_sd`).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.compare.arms import ArmLevel
from dq.compare.groups import BudgetComparison, GroupComparison
from dq.compare.power import MIN_SEEDS
from dq.compare.results import DECIDED
from dq.compare.tables import FloatArray
from dq.results import Result

MIN_ARMS = 3
DRAWS = 2000  # ends of an interval are then told to a fiftieth of its width
UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True, kw_only=True)
class Range(Result):
    """From here to there, with 95 %."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Proxy(Result):
    """A size and budget beside the target."""

    runs: str
    n_tokens: float
    arms: int
    """That both have."""
    decision_accuracy: float
    """Share of all pairs in the order that they have at the target."""
    told_accuracy: float | None
    """The same of the pairs that the target tells apart; None where it tells none."""
    regret: float
    """At the target, of the arm that is best here, over the best there, in the unit of the losses."""
    choice: str
    """The arm that is best here."""
    accuracy_range: Range | None
    """Of ``decision_accuracy``; None where an arm has fewer than 3 runs."""
    regret_range: Range | None
    """Of ``regret``."""


@dataclass(frozen=True, kw_only=True)
class Proxies(Result):
    """All sizes and budgets as proxies of the largest."""

    runs: str
    n_tokens: float
    """The target: the largest size, and its largest budget."""
    proxies: tuple[Proxy, ...]
    """The cheapest first, by parameters times tokens."""
    smallest: Proxy | None
    """The cheapest of which it and all dearer ones keep the order of what the target tells apart; None if none does."""


def proxies_of(groups: Sequence[GroupComparison]) -> Proxies | None:
    """Judge every cell as a proxy of the dearest; None where no two have three arms in common."""
    cells = sorted(((group.runs, cell) for group in groups for cell in group.budgets), key=_cost)
    if len(cells) < 2:
        return None
    name, target = cells.pop()
    judged = [one for runs, cell in cells if (one := _proxy(runs, cell, target)) is not None]
    if not judged:
        return None
    keeping = list(itertools.takewhile(_keeps, reversed(judged)))
    return Proxies(
        runs=name, n_tokens=target.n_tokens, proxies=tuple(judged), smallest=keeping[-1] if keeping else None
    )


def _keeps(proxy: Proxy) -> bool:
    """Whether it has all that the target tells apart in order."""
    return proxy.told_accuracy == 1.0


def _cost(cell: tuple[str, BudgetComparison]) -> float:
    """Parameters times tokens, as far as the name of the runs tells parameters."""
    found = re.search(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)([kMB]?)", cell[0])
    return cell[1].n_tokens * (float(found[1]) * UNITS[found[2]] if found else 1.0)


def _proxy(runs: str, cell: BudgetComparison, target: BudgetComparison) -> Proxy | None:
    arms, at_target = ({arm.variant: arm for arm in one.found.arms} for one in (cell, target))
    names = [name for name in arms if name in at_target]
    if len(names) < MIN_ARMS:
        return None
    told = {frozenset((one.variant, one.baseline)) for one in target.found.pairs if one.outcome in DECIDED}
    here, there = ([levels[name] for name in names] for levels in (arms, at_target))
    means_here, means_there = (np.array([[arm.loss for arm in levels]]) for levels in (here, there))
    same = _in_order(means_here, means_there)[0]
    sure = [bool(one) for one, pair in zip(same, itertools.combinations(names, 2), strict=True) if {*pair} in told]
    known = all(arm.n_runs >= MIN_SEEDS for arm in (*here, *there))
    draw = np.random.default_rng(0)
    drawn = (_drawn(here, draw), _drawn(there, draw)) if known else None
    return Proxy(
        runs=runs,
        n_tokens=cell.n_tokens,
        arms=len(names),
        decision_accuracy=float(same.mean()),
        told_accuracy=sum(sure) / len(sure) if sure else None,
        regret=float(_regret(means_here, means_there)[0]),
        choice=names[int(means_here.argmin())],
        accuracy_range=_range(_in_order(*drawn).mean(1)) if drawn else None,
        regret_range=_range(_regret(*drawn)) if drawn else None,
    )


def _drawn(arms: Sequence[ArmLevel], draw: np.random.Generator) -> FloatArray:
    """(draws, arms): what the true levels may be."""
    columns = [
        arm.loss + (arm.own_sd or 0.0) / math.sqrt(arm.n_runs) * draw.standard_t(arm.n_runs - 1, DRAWS) for arm in arms
    ]
    return np.stack(columns, axis=1)


def _in_order(here: FloatArray, there: FloatArray) -> FloatArray:
    """(draws, pairs) in the order of `itertools.combinations`: 1 where both have a pair in the same order, else 0."""
    first, second = np.triu_indices(here.shape[1], k=1)
    same: FloatArray = np.equal(here[:, first] < here[:, second], there[:, first] < there[:, second]).astype(np.float64)
    return same


def _regret(here: FloatArray, there: FloatArray) -> FloatArray:
    """(draws,): at the target, of the arm that is best here, over the best there."""
    chosen: FloatArray = np.take_along_axis(there, here.argmin(1)[:, None], axis=1)[:, 0]
    best: FloatArray = there.min(1)
    return chosen - best


def _range(values: FloatArray) -> Range:
    low, high = np.quantile(values, (0.025, 0.975))
    return Range(low=float(low), high=float(high))
