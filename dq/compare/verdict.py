"""The verdict rule: one interval, one margin, four answers, and the right to say "undecided"."""

from __future__ import annotations

import math

from dq.compare.results import Interval, Outcome, Verdict
from dq.errors import CompareError


def check_margin(margin: float) -> None:
    """A margin is a positive number of bits per byte."""
    if not (math.isfinite(margin) and margin > 0):
        raise CompareError(f"the margin must be above 0 bits per byte, got {margin}")


def judge(interval: Interval | None, *, margin: float, missing: str | None = None) -> Verdict:
    """Apply the rule to one interval of variant minus baseline, in bits per byte.

    Inside +-margin is ``equivalent`` (also where 0 is outside: such a difference is too small to matter); else wholly
    below 0 is ``better``, wholly above 0 ``worse``, anything else ``undecided``. No interval: ``no verdict``.

    Args:
        interval: the interval that decides, or None.
        margin: the difference that matters, bits per byte, fixed before running.
        missing: why there is no interval.
    """
    check_margin(margin)
    if interval is None:
        return Verdict(outcome=Outcome.NO_VERDICT, reason=missing or "no interval", margin=margin, interval=None)
    outcome, why = _rule(interval, margin)
    bounds = f"the {100 * interval.confidence:g} % interval [{interval.low:+.4f}, {interval.high:+.4f}]"
    label = "" if interval.label == "paired" else f" ({interval.label})"
    return Verdict(outcome=outcome, reason=f"{bounds}{label} {why}", margin=margin, interval=interval)


def _rule(interval: Interval, margin: float) -> tuple[Outcome, str]:
    if -margin < interval.low and interval.high < margin:
        return Outcome.EQUIVALENT, f"lies inside the margin of {margin:g} bits per byte"
    if interval.high < 0:
        return Outcome.BETTER, "lies wholly below 0"
    if interval.low > 0:
        return Outcome.WORSE, "lies wholly above 0"
    return Outcome.UNDECIDED, f"holds 0 and reaches past the margin of {margin:g} bits per byte"


def names_worse(interval: Interval | None, *, margin: float) -> bool:
    """Whether a single set is named: its interval lies wholly above the margin."""
    return interval is not None and interval.low > margin
