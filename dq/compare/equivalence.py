"""Token equivalence: of how many tokens of the baseline a variant's tokens are worth, by losses alone.

The baseline's losses at several budgets make a curve (`dq.compare.reference`); a variant's loss at a budget is looked
up on it. ``curated = 1.07 x raw at 230k`` says that 230k curated tokens reach what 246k raw ones do. No law is fitted,
no exponent and no irreducible loss is needed, and what lies beyond the baseline's budgets has no answer.

The interval is Fieller's (J. R. Stat. Soc. B 16, 1954): all tokens at which the variant's loss and the baseline's curve
do not differ by the t test, so an end may be open where the curve ends first. Seeds are taken whole: one seed's noise
at all budgets and in the variant moves together, and a part of it drops out. Held-out documents are as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.compare import seeds
from dq.compare.levels import ArmLosses, common_seeds, read_levels
from dq.compare.reference import Reference
from dq.compare.results import joined
from dq.compare.seeds import Spread
from dq.compare.tables import FloatArray
from dq.errors import CompareError
from dq.results import Result

MAX_GAP = 4.1
"""Between budgets further apart than this a smooth curve is a guess: at 4 it is good to 1 or 2 %."""
PLACES = 401  # on the curve, where the interval's ends are looked for; refined between two of them


@dataclass(frozen=True, kw_only=True)
class Equivalence(Result):
    """What a variant's tokens are worth at one budget, in tokens of the baseline."""

    variant: str
    tokens: float
    """The variant's budget."""
    loss: float
    """Its mean there."""
    baseline: str
    baseline_tokens: float | None
    """That reach the same loss; None where no budget between the baseline's first and last does."""
    low: float | None
    """Baseline tokens from here to ``high`` do not differ from the variant's loss; None: the curve ends before."""
    high: float | None
    confidence: float
    n_seeds: int
    """Runs of the variant at this budget."""
    paired: bool
    """Whether its seeds are the baseline's at every budget, so that noise in common drops out."""
    df: float | None
    """Of the interval; None without one."""
    error: float | None
    """Standard error of the difference from the curve there, in the unit of the losses."""
    gap: float | None
    """The factor between the two budgets of the baseline that the answer lies between."""
    missing: str | None
    """Why there is no answer, or no interval."""

    @property
    def ratio(self) -> float | None:
        """Baseline tokens for one of the variant's: above 1, the variant's are worth more."""
        return None if self.baseline_tokens is None else self.baseline_tokens / self.tokens

    @property
    def in_words(self) -> str:
        """Such as ``1.07 x (0.98 to 1.16)``, ``0.52 x (below 0.61)`` or ``none in range``."""
        if self.ratio is None:
            return (self.missing or "none in range").partition(":")[0]
        ends = [None if end is None else f"{end / self.tokens:.3g}" for end in (self.low, self.high)]
        if self.df is None:
            around = self.missing or "no interval"
        elif ends[0] and ends[1]:
            around = f"{ends[0]} to {ends[1]}"
        else:
            around = f"above {ends[0]}" if ends[0] else f"below {ends[1]}" if ends[1] else "anything in range"
        rough = f"; budgets {self.gap:.2g} x apart" if self.gap and self.gap > MAX_GAP else ""
        return f"{self.ratio:.3g} x ({around}{rough})"

    def record(self) -> dict[str, object]:
        """Every field, the ratio and the words."""
        return {**super().record(), "ratio": self.ratio, "in_words": self.in_words}


@dataclass(frozen=True, kw_only=True)
class TokenEquivalence(Result):
    """Every variant of runs of one kind (size, rate, decay), at every budget that it was trained on."""

    baseline: str
    tokens: tuple[float, ...]
    """The baseline's budgets."""
    losses: tuple[float, ...]
    """Its mean losses there."""
    variants: tuple[Equivalence, ...]
    missing: str | None = None
    """Why the baseline makes no curve; then there are no variants."""

    def to_frame(self) -> pl.DataFrame:
        """A row a variant and budget."""
        return pl.DataFrame([one.to_dict() for one in self.variants], infer_schema_length=None)


def token_equivalence(
    levels: pl.DataFrame, *, baseline: str, straight: bool = False, confidence: float = 0.95
) -> TokenEquivalence:
    """Look up every variant's loss on the baseline's curve of loss by tokens.

    Args:
        levels: runs of one model size, as `dq.compare.levels.read_levels` describes them.
        baseline: the variant whose curve it is.
        straight: interpolate on straight lines in tokens, as the published data efficiency of the NanoGPT slowrun.
        confidence: of each interval.

    Raises:
        CompareError: the table is not as described, or no run is the baseline's.
    """
    return equivalence_of(read_levels(levels), baseline=baseline, straight=straight, confidence=confidence)


def equivalence_of(
    arms: Mapping[str, ArmLosses], *, baseline: str, straight: bool = False, confidence: float = 0.95
) -> TokenEquivalence:
    """`token_equivalence` of arms that are already read."""
    if baseline not in arms:
        raise CompareError(f"no runs of the baseline {baseline!r}; the table has {joined(sorted(arms))}")
    curve = arms[baseline]
    about = TokenEquivalence(
        baseline=baseline, tokens=tuple(curve.tokens.tolist()), losses=tuple(curve.means.tolist()), variants=()
    )
    try:
        curve_of(curve, straight=straight)
    except CompareError as error:
        return dataclasses.replace(about, missing=f"no equivalence in tokens of {baseline}: {error}")
    found = [
        tokens_to_match(curve, runs, names=(name, baseline), tokens=tokens, straight=straight, confidence=confidence)
        for name, arm in arms.items()
        if name != baseline
        for tokens, runs in sorted(arm.by_tokens.items())
    ]
    return dataclasses.replace(about, variants=tuple(found))


def matched_by(
    arms: Mapping[str, ArmLosses], curve: Reference, *, name: str, confidence: float = 0.95
) -> TokenEquivalence:
    """Look up every arm on a curve from elsewhere, such as a published one, which is taken as exact.

    Args:
        arms: by name.
        curve: losses in the unit of theirs.
        name: of the curve.
        confidence: of each interval.
    """
    found = [
        tokens_to_match(curve, runs, names=(arm, name), tokens=tokens, confidence=confidence)
        for arm, losses in arms.items()
        for tokens, runs in sorted(losses.by_tokens.items())
    ]
    tokens, losses = tuple(curve.tokens.tolist()), tuple(curve.losses.tolist())
    return TokenEquivalence(baseline=name, tokens=tokens, losses=losses, variants=tuple(found))


def curve_of(arm: ArmLosses, *, straight: bool = False) -> Reference:
    """The curve of an arm's mean losses."""
    return Reference(tokens=arm.tokens, losses=arm.means, straight=straight)


def tokens_to_match(
    curve: ArmLosses | Reference,
    runs: Mapping[str, float],
    *,
    names: tuple[str, str],
    tokens: float,
    straight: bool = False,
    confidence: float = 0.95,
) -> Equivalence:
    """The tokens at which a curve reaches the mean loss of some runs.

    Args:
        curve: losses of an arm, which spread as the runs do; or a curve taken as exact, such as a published one.
        runs: losses by seed.
        names: of the runs' arm and of the curve's.
        tokens: the runs' budget.
        straight: as of `token_equivalence`.
        confidence: of the interval.
    """
    shared: tuple[str, ...] = ()
    if isinstance(curve, ArmLosses) and (shared := common_seeds(runs, *curve.by_tokens.values())):
        curve, runs = curve.only(shared), {seed: runs[seed] for seed in shared}
    losses = np.array(list(runs.values()))
    about = Equivalence(
        variant=names[0],
        tokens=tokens,
        loss=float(losses.mean()),
        baseline=names[1],
        baseline_tokens=None,
        low=None,
        high=None,
        confidence=confidence,
        n_seeds=len(runs),
        paired=bool(shared),
        df=None,
        error=None,
        gap=None,
        missing=None,
    )
    try:
        reference = curve_of(curve, straight=straight) if isinstance(curve, ArmLosses) else curve
    except CompareError as error:  # of the seeds in common
        return dataclasses.replace(about, missing=f"none: {error}")
    if (matched := reference.tokens_at(about.loss)) is None:
        side = "above" if about.loss > reference.losses[0] else "below"
        ends = f"{reference.tokens[0]:,.0f} to {reference.tokens[-1]:,.0f} tokens"
        return dataclasses.replace(about, missing=f"none in range: its loss is {side} that of {names[1]} at {ends}")
    about = dataclasses.replace(about, baseline_tokens=matched, gap=reference.gap_at(matched), missing="single runs")
    places = np.union1d(np.geomspace(reference.tokens[0], reference.tokens[-1], PLACES), matched)
    spread = _spread(reference.weights(places), curve, losses, paired=bool(shared))
    return about if spread is None else _with_interval(about, reference, places, spread=spread)


def _with_interval(found: Equivalence, reference: Reference, places: FloatArray, *, spread: Spread) -> Equivalence:
    """All tokens around the match at which the t test finds no difference."""
    excess = np.abs(found.loss - reference.loss_at(places)) - spread.half_widths(found.confidence)
    at = int(np.searchsorted(places, found.baseline_tokens or 0.0))
    return dataclasses.replace(
        found,
        low=seeds.crossing(places, excess, range(at, -1, -1)),
        high=seeds.crossing(places, excess, range(at, len(places))),
        df=float(spread.df[at]),
        error=float(spread.error[at]),
        missing=None,
    )


def _spread(weights: FloatArray, curve: ArmLosses | Reference, losses: FloatArray, *, paired: bool) -> Spread | None:
    """Of the runs and the curve; None of single runs."""
    if paired and isinstance(curve, ArmLosses):
        return seeds.of_seeds(losses - weights @ curve.at(curve.seeds))
    runs = np.broadcast_to(losses, (len(weights), len(losses)))
    return seeds.apart([runs, *(seeds.weighted(weights, curve) if isinstance(curve, ArmLosses) else [])])
