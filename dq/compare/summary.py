"""A comparison of runs in plain words: what they determine, and what they do not."""

from __future__ import annotations

from collections.abc import Iterator

from dq.compare.arms import Difference
from dq.compare.groups import GroupComparison
from dq.compare.results import Outcome, joined
from dq.compare.runs import RunsComparison
from dq.compare.words import range_of, signed, tokens_of

MAX_NAMED = 4


def summary(found: RunsComparison) -> tuple[str, ...]:
    """A sentence for every variant that is decided, one for what is not, and one for what its tokens are worth."""
    return tuple(sentence for group in found.groups for sentence in _group(group, found))


def _group(group: GroupComparison, found: RunsComparison) -> Iterator[str]:
    where = f"{group.runs}: " if group.runs else ""
    several = len(group.budgets) > 1
    by_outcome: dict[Outcome, list[str]] = {}
    for cell in group.budgets:
        at = f" at {tokens_of(cell.n_tokens)} tokens" if several else ""
        for one in cell.found.differences:
            by_outcome.setdefault(one.outcome, []).append(f"{one.variant}{at} ({_size(one, found.unit)})")
    said = {
        Outcome.BETTER: f"better than {found.baseline}",
        Outcome.WORSE: f"worse than {found.baseline}",
        Outcome.EQUIVALENT: f"equivalent to {found.baseline} within {found.margin or 0:g}",
        Outcome.UNDECIDED: f"not told apart from {found.baseline} by these runs",
        Outcome.NO_VERDICT: "of fewer than 3 runs, which say nothing of how sure they are",
    }
    for outcome, words in said.items():
        if names := by_outcome.get(outcome):
            more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
            yield f"{where}{words}: {joined(names) if not more else ', '.join(names[:MAX_NAMED]) + more}"
    if group.equivalence is not None:
        silent = [one for one in group.equivalence.variants if one.ratio is None]
        if silent:
            yield (
                f"{where}what tokens are worth is unknown for {len(silent):,} of {len(group.equivalence.variants):,}: "
                f"their losses are not between those of {found.baseline}'s budgets; train it on more or fewer tokens"
            )


def _size(one: Difference, unit: str) -> str:
    """Such as ``-0.026 bits per byte, could be 0.119 better or 0.068 worse``."""
    size = f"{signed(one.difference)} {unit}" if unit != "loss" else signed(one.difference)
    if one.outcome is Outcome.UNDECIDED and one.interval is not None:
        return f"{size}, {range_of(one.interval.low, one.interval.high)}"
    return size
