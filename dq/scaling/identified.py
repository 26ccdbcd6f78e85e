"""Whether the runs determine a parameter at all: said in words, before anyone quotes its estimate."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dq.results import Result
from dq.scaling.law import Parameter
from dq.scaling.profile import ParameterInterval

WIDE_FACTOR = 10.0
"""Between the ends of a coefficient's interval: beyond it, not even its order of magnitude is known."""
WIDE_SHARE = 0.5
"""Half the length of an exponent's interval, as a share of the estimate."""


class Identified(enum.StrEnum):
    """How well runs determine a parameter."""

    YES = "determined"
    """An interval with two ends, short enough to be of use."""
    WEAKLY = "weakly determined"
    """An interval with two ends, too long for the estimate to be quoted alone."""
    NO = "not determined"
    """However far the parameter moves to one side, the law fits as well: only the other end is known, or none."""


@dataclass(frozen=True, kw_only=True)
class Identification(Result):
    """A parameter, its interval, and what that means."""

    interval: ParameterInterval
    verdict: Identified

    @property
    def words(self) -> str:
        """One clause for people."""
        one = self.interval
        if one.low is None and one.high is None:
            return f"{one.name} is not determined: any value fits as well as {one.estimate:.4g}"
        if one.low is None:
            return f"{one.name} is not determined from below: it is at most {one.high:.4g}"
        if one.high is None:
            return f"{one.name} is not determined from above: it is at least {one.low:.4g}"
        return f"{one.name} is {self.verdict}: {one.estimate:.4g}, from {one.low:.4g} to {one.high:.4g}"


def identify(parameter: Parameter, interval: ParameterInterval) -> Identification:
    """What the interval of a parameter says about it."""
    low, high = interval.low, interval.high
    if low is None or high is None:
        verdict = Identified.NO
    elif parameter.is_log:
        verdict = Identified.WEAKLY if high > WIDE_FACTOR * low else Identified.YES
    else:
        wide = (high - low) / 2 > WIDE_SHARE * abs(interval.estimate)
        verdict = Identified.WEAKLY if wide else Identified.YES
    return Identification(interval=interval, verdict=verdict)
