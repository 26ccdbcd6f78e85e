"""Which cheaper runs would have chosen the same: every size and budget as a proxy of the largest.

Decision accuracy is the share of pairs of arms that are in the same order in both (DataDecide, arXiv 2504.11393);
regret is how much worse at the target the arm is that the proxy would have chosen. Pairs that not even the target tells
apart are coin tosses, so accuracy on those that it does is told beside it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dq.compare.groups import BudgetComparison, GroupComparison
from dq.compare.results import DECIDED
from dq.results import Result

MIN_ARMS = 3
UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}


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
    here, there = _levels(cell), _levels(target)
    names = [name for name in here if name in there]
    if len(names) < MIN_ARMS:
        return None
    told = {frozenset((one.variant, one.baseline)) for one in target.found.pairs if one.outcome in DECIDED}
    pairs = list(itertools.combinations(names, 2))
    same = {pair: (here[pair[0]] < here[pair[1]]) == (there[pair[0]] < there[pair[1]]) for pair in pairs}
    sure = [same[pair] for pair in pairs if frozenset(pair) in told]
    choice = min(names, key=here.__getitem__)
    return Proxy(
        runs=runs,
        n_tokens=cell.n_tokens,
        arms=len(names),
        decision_accuracy=sum(same.values()) / len(pairs),
        told_accuracy=sum(sure) / len(sure) if sure else None,
        regret=there[choice] - min(there[name] for name in names),
        choice=choice,
    )


def _levels(cell: BudgetComparison) -> Mapping[str, float]:
    return {arm.variant: arm.loss for arm in cell.found.arms}
