"""Controls: comparisons whose answer is known, so that a broken trainer or a wrong pool does not go unnoticed."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from dq.compare.results import Comparison, Interval, Outcome, joined
from dq.compare.spread import Pool
from dq.compare.tables import FloatArray
from dq.compare.verdict import check_margin, judge
from dq.errors import CompareError
from dq.results import Result

AA_CONFIDENCE = 0.99
"""An honest A/A excludes 0 one time in a hundred, and fails only where it exceeds the margin as well."""
MANY_MARGINS = 10
"""An A/A control that only a difference of more margins would fail hardly tests anything."""


class ControlKind(enum.StrEnum):
    """Which answer is known."""

    AA = "aa"
    """The baseline's own seeds, one half against the other: no difference."""
    REPEAT = "repeat"
    """One run trained again: the same losses, bit for bit."""
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
class ControlOutcome(Result):
    """How a control came out."""

    kind: ControlKind
    status: ControlStatus
    reason: str
    comparison: Comparison | None = None
    """Of replaced tokens against the baseline on the mean of the neutral sets; None for other controls."""
    interval: Interval | None = None
    """The interval that judged, where one did."""
    detectable: float | None = None
    """Of an A/A control: the smallest difference that would have failed it, bits per byte."""
    could_hardly_fail: bool = False
    """Whether only a difference of many margins would have failed it: then its passing says little."""


def judge_aa(levels: FloatArray, *, margin: float) -> ControlOutcome:
    """The baseline's even seeds against its odd ones: no run of its own, and no difference.

    Taken relative to the variants on the same seeds, whose common part drops out, with the spread of all arms: that
    finds a difference of ten times an arm's spread in 93 % of studies of 3 seeds and in all of 5 (four arms); a control
    of as many runs more, paired with the baseline's, found it in 14 % and 99 %. What moves all arms alike is not
    found, and harms no comparison. Fails only where its 99 % interval excludes 0 and the difference is past the margin.

    Args:
        levels: bits per byte (arms, seeds) on the neutral sets, the baseline first; NaN where an arm lacks a seed.
        margin: of the study, bits per byte.
    """
    check_margin(margin)
    n_arms, n_seeds = levels.shape
    df = int(np.isfinite(levels).sum()) - n_arms - n_seeds  # arms + seeds - 1 means, and the difference
    if n_arms < 2 or df < 1:
        return _not_judged(ControlKind.AA, f"too few seeds to halve ({n_seeds} in {n_arms} arms): train more")
    difference, standard_error = _halves(levels, df=df)
    half_width = float(special.stdtrit(df, 0.5 + AA_CONFIDENCE / 2)) * standard_error
    interval = Interval(
        low=difference - half_width,
        high=difference + half_width,
        confidence=AA_CONFIDENCE,
        standard_error=standard_error,
        df=float(df),
        decided_by="seeds",
        label="halves of the baseline's seeds",
    )
    excludes, exceeds = abs(difference) > half_width, abs(difference) > margin
    failed, detectable = excludes and exceeds, max(half_width, margin)
    weak = not failed and detectable > MANY_MARGINS * margin
    reason = (
        f"even against odd seeds: the 99 % interval [{interval.low:+.4f}, {interval.high:+.4f}] "
        f"{'excludes' if excludes else 'holds'} 0 and the difference {difference:+.4f} is "
        f"{'past' if exceeds else 'within'} the margin of {margin:g} bits per byte"
        + ("; the same data differ from themselves: look for a fault in the runs" if failed else "")
        + (f"; it could hardly fail: only a difference above {detectable:.3g} would have shown" if weak else "")
    )
    return ControlOutcome(
        kind=ControlKind.AA,
        status=ControlStatus.FAILED if failed else ControlStatus.PASSED,
        reason=reason,
        interval=interval,
        detectable=detectable,
        could_hardly_fail=weak,
    )


def _halves(levels: FloatArray, *, df: int) -> tuple[float, float]:
    """Odd minus even seeds of the first arm, beside arm and seed effects, by least squares; with its standard error."""
    arms, seeds = np.nonzero(np.isfinite(levels))
    n_arms, n_seeds = levels.shape
    half = np.where(arms == 0, np.where(seeds % 2, 0.5, -0.5), 0.0)
    design = np.column_stack([half, np.eye(n_arms)[arms], np.eye(n_seeds)[seeds][:, 1:]])
    values = levels[arms, seeds]
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ values
    variance = float(((values - design @ coefficients) ** 2).sum()) / df
    return float(coefficients[0]), math.sqrt(variance * float(inverse[0] @ inverse[0]))


def judge_noise_control(comparison: Comparison, *, margin: float, pool: Pool | None) -> ControlOutcome:
    """Half of the tokens replaced: must be ``worse``, by the study's ordinary rule.

    The effect is some twenty times the spread, so one seed is enough: it is judged by the spread of the study's arms.

    Args:
        comparison: of the control with the baseline, on the neutral sets.
        margin: of the study, bits per byte.
        pool: of the study's arms on the same sets.
    """
    interval = comparison.interval or _by_pool(comparison, pool)
    if interval is None:
        return _not_judged(ControlKind.TOKEN_REPLACEMENT, comparison.missing or "no interval")
    verdict = judge(interval, margin=margin)
    passed = verdict.outcome is Outcome.WORSE
    return ControlOutcome(
        kind=ControlKind.TOKEN_REPLACEMENT,
        status=ControlStatus.PASSED if passed else ControlStatus.FAILED,
        reason=f"{verdict.outcome}: {verdict.reason}"
        + ("" if passed else "; replaced tokens must be worse: look for a fault in the noise or the training"),
        comparison=comparison,
        interval=interval,
    )


def _by_pool(comparison: Comparison, pool: Pool | None) -> Interval | None:
    """The interval of too few seeds to have one of their own: seeds by the study's arms, documents by the bootstrap."""
    if pool is None or comparison.bootstrap_interval is None:
        return None
    documents = comparison.bootstrap_interval.standard_error
    standard_error = math.sqrt(pool.variance / comparison.n_seeds + documents**2)
    half_width = float(special.stdtrit(pool.df, 0.975)) * standard_error
    return Interval(
        low=comparison.difference - half_width,
        high=comparison.difference + half_width,
        confidence=0.95,
        standard_error=standard_error,
        df=pool.df,
        decided_by="seeds and documents",
        label="spread of the study's arms",
    )


def judge_repeat(one: Mapping[str, str], other: Mapping[str, str], *, run: str) -> ControlOutcome:
    """A run trained twice: every file of it must be the same, bit for bit.

    Args:
        one: the run's files and their digests.
        other: those of its repetition.
        run: its name.
    """
    differing = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    reason = (
        f"{run} trained again: {joined(differing)} differ; the same machine and libraries must give the same numbers"
        if differing
        else f"{run} trained again gives the same losses and weights, bit for bit"
    )
    status = ControlStatus.FAILED if differing else ControlStatus.PASSED
    return ControlOutcome(kind=ControlKind.REPEAT, status=status, reason=reason)


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


def _not_judged(kind: ControlKind, reason: str) -> ControlOutcome:
    return ControlOutcome(kind=kind, status=ControlStatus.NOT_JUDGED, reason=reason)
