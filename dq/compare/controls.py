"""Controls: comparisons whose answer is known, so that a broken trainer or a wrong pool does not go unnoticed."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from dq.compare.paired import SeedPairs, t_interval
from dq.compare.results import Comparison, Interval, Outcome, Verdict
from dq.compare.verdict import check_margin, judge
from dq.errors import CompareError
from dq.results import Result

AA_CONFIDENCE = 0.999
"""An honest A/A fails one time in a thousand by its interval, and must exceed the margin as well."""
MANY_MARGINS = 10
"""An A/A control that only a difference of more margins would fail hardly tests anything."""


class ControlKind(enum.StrEnum):
    """Which answer is known."""

    AA = "aa"
    """The same data with other seeds: no difference."""
    TOKEN_REPLACEMENT = "token_replacement"  # noqa: S105 - not a password
    """Half of the tokens replaced at random: worse."""
    UNIGRAM = "unigram"
    """A trained model against word counts: better by a margin."""


class ControlStatus(enum.StrEnum):
    """Whether a control came out as it must."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control among the variants of a study: it gets no verdict of its own and is left out of pooling."""

    kind: ControlKind
    """AA or TOKEN_REPLACEMENT."""
    variant: str
    """The arm's name in the table; an A/A arm may be the baseline itself, with other seeds."""
    seed_pairs: SeedPairs | None = None
    """(seed of the control, seed of the baseline); by default each seed with itself."""

    def __post_init__(self) -> None:
        if self.kind is ControlKind.UNIGRAM:
            raise CompareError("a unigram control has no runs: judge_unigram takes its bits per byte")


@dataclass(frozen=True, kw_only=True)
class ControlOutcome(Result):
    """How a control came out."""

    kind: ControlKind
    status: ControlStatus
    reason: str
    comparison: Comparison | None = None
    """Control against baseline on the mean of the neutral sets; None for the unigram control."""
    verdict: Verdict | None = None
    """What the ordinary rule says; it does not judge an A/A control."""
    interval: Interval | None = None
    """The interval that judged; None for the unigram control and where there are too few seeds."""
    detectable: float | None = None
    """Of an A/A control: the smallest difference that would have failed it, bits per byte."""
    could_hardly_fail: bool = False
    """Whether only a difference of many margins would have failed it: then its passing says little."""


def judge_aa(comparison: Comparison, *, margin: float) -> ControlOutcome:
    """Same data, other seeds: fails only where its 99.9 % interval excludes 0 and the difference is past the margin.

    One in twenty honest A/A comparisons excludes 0 at 95 %, so its ordinary verdict is returned but does not judge.

    Args:
        comparison: on the neutral sets, seeds paired with other seeds.
        margin: of the study, bits per byte.
    """
    verdict = judge(comparison.interval, margin=margin, missing=comparison.missing)
    if comparison.interval is None or comparison.mean_squares is None:
        return _not_judged(ControlKind.AA, comparison, verdict)
    interval = t_interval(comparison.mean_squares, comparison.difference, confidence=AA_CONFIDENCE)
    excludes = interval.low > 0 or interval.high < 0
    exceeds = abs(comparison.difference) > margin
    failed = excludes and exceeds
    detectable = max((interval.high - interval.low) / 2, margin)
    weak = not failed and detectable > MANY_MARGINS * margin
    reason = (
        f"the 99.9 % interval [{interval.low:+.4f}, {interval.high:+.4f}] {'excludes' if excludes else 'holds'} 0 and "
        f"the difference {comparison.difference:+.4f} is {'past' if exceeds else 'within'} the margin of {margin:g} "
        "bits per byte"
        + ("; the same data differ from themselves: look for a fault in the runs" if failed else "")
        + (f"; it could hardly fail: only a difference above {detectable:.3g} would have shown" if weak else "")
    )
    return ControlOutcome(
        kind=ControlKind.AA,
        status=ControlStatus.FAILED if failed else ControlStatus.PASSED,
        reason=reason,
        comparison=comparison,
        verdict=verdict,
        interval=interval,
        detectable=detectable,
        could_hardly_fail=weak,
    )


def judge_noise_control(comparison: Comparison, *, margin: float) -> ControlOutcome:
    """Half of the tokens replaced: must be ``worse``; arguments as in `judge_aa`."""
    verdict = judge(comparison.interval, margin=margin, missing=comparison.missing)
    if comparison.interval is None:
        return _not_judged(ControlKind.TOKEN_REPLACEMENT, comparison, verdict)
    passed = verdict.outcome is Outcome.WORSE
    return ControlOutcome(
        kind=ControlKind.TOKEN_REPLACEMENT,
        status=ControlStatus.PASSED if passed else ControlStatus.FAILED,
        reason=f"{verdict.outcome}: {verdict.reason}"
        + ("" if passed else "; replaced tokens must be worse: look for a fault in the noise or the training"),
        comparison=comparison,
        verdict=verdict,
        interval=comparison.interval,
    )


def judge_unigram(bits_per_byte: float, unigram_bits_per_byte: float, *, margin: float) -> ControlOutcome:
    """A trained model must beat a unigram model of the same tokens by at least the margin.

    Args:
        bits_per_byte: of the trained model.
        unigram_bits_per_byte: of the unigram model on the same held-out bytes.
        margin: bits per byte.
    """
    check_margin(margin)
    if not (math.isfinite(bits_per_byte) and math.isfinite(unigram_bits_per_byte)):
        raise CompareError(
            f"the unigram control needs finite bits per byte, got {bits_per_byte} and {unigram_bits_per_byte}"
        )
    gain = unigram_bits_per_byte - bits_per_byte
    passed = gain >= margin
    return ControlOutcome(
        kind=ControlKind.UNIGRAM,
        status=ControlStatus.PASSED if passed else ControlStatus.FAILED,
        reason=f"{bits_per_byte:.4f} bits per byte against {unigram_bits_per_byte:.4f} of a unigram model: "
        f"a gain of {gain:+.4f} where at least {margin:g} is asked"
        + ("" if passed else "; the model has not learned: look for a fault in the training, or train longer"),
    )


def _not_judged(kind: ControlKind, comparison: Comparison, verdict: Verdict) -> ControlOutcome:
    return ControlOutcome(
        kind=kind, status=ControlStatus.NOT_JUDGED, reason=verdict.reason, comparison=comparison, verdict=verdict
    )
