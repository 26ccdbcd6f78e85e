"""Runs that differ in their budgets and variants alone: each budget compared, and the budgets side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dq.compare.along import Along, along_budgets
from dq.compare.arms import ArmsComparison, Documents, compare_arms
from dq.compare.epochs import Repeated, ValueOfEpochs, value_of_epochs
from dq.compare.equivalence import TokenEquivalence, equivalence_of
from dq.compare.levels import ArmLosses, Losses
from dq.errors import CompareError
from dq.results import Result

MAX_SHARED_EPOCHS = 4
"""Arms whose text is seen more often spread 1.3 to 1.8 times as much (measured), so they share no spread."""
ROUNDED = 1.02  # epochs are exact to a document a part
ONE_EPOCH = 1.0005


@dataclass(frozen=True, eq=False)
class Cell:
    """Arms of one size and budget."""

    n_tokens: float
    arms: Mapping[str, Losses]
    epochs: Mapping[str, float] = field(default_factory=dict)
    """How often arms see their text, as far as it is known."""
    fresh: Mapping[str, str] = field(default_factory=dict)
    """Of arms of repeated text, the arm of the same text seen once."""
    documents: Documents | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetComparison(Result):
    """A cell of which arms could be compared."""

    n_tokens: float
    found: ArmsComparison
    confirmed: str = ""
    """The best variant on fresh seeds, in words, where a study tried it."""


@dataclass(frozen=True, kw_only=True)
class GroupComparison(Result):
    """What differs in its budgets and variants alone."""

    runs: str
    """What its runs have in common, such as ``size 0.1M``; empty where there is one group."""
    budgets: tuple[BudgetComparison, ...]
    equivalence: TokenEquivalence | None
    """Where the baseline has two budgets or more."""
    along: tuple[Along, ...]
    """Every variant with two budgets in common with the baseline."""
    epochs: tuple[ValueOfEpochs, ...]
    """Repeated text against the same text seen once, wherever that makes a curve."""
    matched: TokenEquivalence | None = None
    """Every arm on a curve from elsewhere, where one is given."""


def compare_group(
    label: str, cells: Sequence[Cell], *, baseline: str, margin: float | None = None, confidence: float = 0.95
) -> GroupComparison:
    """Compare the cells of a group, each alone, and look its variants up along the baseline's budgets.

    Args:
        label: what the runs have in common.
        cells: at different budgets.
        baseline: the arm that others are judged against; a cell without it is compared along the budgets only.
        margin: as of `compare_runs`.
        confidence: as of `compare_runs`.
    """
    budgets = [
        BudgetComparison(
            n_tokens=cell.n_tokens,
            found=compare_arms(
                cell.arms,
                baseline=baseline,
                margin=margin,
                apart=often_seen(cell.epochs),
                confidence=confidence,
                documents=cell.documents,
            ),
        )
        for cell in sorted(cells, key=lambda one: one.n_tokens)
        if baseline in cell.arms and len(cell.arms) > 1
    ]
    arms = arms_of(cells)
    several = baseline in arms and len(arms[baseline].by_tokens) > 1 and len(arms) > 1
    return GroupComparison(
        runs=label,
        budgets=tuple(budgets),
        equivalence=equivalence_of(arms, baseline=baseline, confidence=confidence) if several else None,
        along=tuple(_along(arms, baseline=baseline, confidence=confidence)),
        epochs=tuple(_values_of_epochs(arms, cells)),
    )


def often_seen(epochs: Mapping[str, float]) -> dict[str, str]:
    """Arms that share no spread for the number of their epochs, with the reason."""
    return {
        name: f"{n:.3g} epochs, more than {MAX_SHARED_EPOCHS}"
        for name, n in epochs.items()
        if n > MAX_SHARED_EPOCHS * ROUNDED
    }


def arms_of(cells: Sequence[Cell]) -> dict[str, ArmLosses]:
    """The arms of cells at different budgets."""
    found: dict[str, dict[float, Losses]] = {}
    for cell in cells:
        for name, losses in cell.arms.items():
            found.setdefault(name, {})[cell.n_tokens] = losses
    return {name: ArmLosses(by_tokens) for name, by_tokens in found.items()}


def _along(arms: Mapping[str, ArmLosses], *, baseline: str, confidence: float) -> Iterator[Along]:
    for name in arms:
        if baseline in arms and name != baseline:
            found = along_budgets(arms[name], arms[baseline], names=(name, baseline), confidence=confidence)
            if found is not None:
                yield found


def _values_of_epochs(arms: Mapping[str, ArmLosses], cells: Sequence[Cell]) -> Iterator[ValueOfEpochs]:
    by_fresh: dict[str, list[Repeated]] = {}
    for cell in cells:
        for name, fresh in cell.fresh.items():
            if name in cell.arms and cell.epochs.get(name, 1.0) > ONE_EPOCH * ROUNDED:
                one = Repeated(name, cell.n_tokens, cell.epochs[name], cell.arms[name])
                by_fresh.setdefault(fresh, []).append(one)
    for fresh, repeated in by_fresh.items():
        if fresh in arms and len(arms[fresh].by_tokens) > 1:
            try:
                yield value_of_epochs(arms[fresh], repeated, name=fresh)
            except CompareError:  # its losses do not fall, which its equivalence says
                continue
