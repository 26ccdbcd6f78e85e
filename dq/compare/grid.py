"""A whole study compared: every variant against the baseline, one verdict each, controls apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.compare.anova import set_differences
from dq.compare.controls import Control, ControlKind, ControlOutcome, judge_aa, judge_noise_control
from dq.compare.curves import Level, levels_of
from dq.compare.paired import Options, pair, with_pooled_spread
from dq.compare.results import Comparison, Interval, SeedSpread, Verdict, joined
from dq.compare.tables import LossTable
from dq.compare.verdict import check_margin, judge, names_worse
from dq.compare.words import range_of, size_of
from dq.errors import CompareError
from dq.executors import require_live_polars
from dq.results import Result, html_table

ADVISED_DOCUMENTS = 100
NEUTRAL_MEAN = "mean of the neutral sets"


@dataclass(frozen=True, kw_only=True)
class VariantComparison(Result):
    """One variant of a study against the baseline."""

    variant: str
    verdict: Verdict
    """On the mean of the neutral sets; the only one."""
    neutral: Comparison
    """On the mean of the neutral sets."""
    by_set: tuple[Comparison, ...]
    """On each held-out set alone: these never decide."""
    worse_on: tuple[str, ...]
    """Sets whose interval lies wholly above the margin."""

    @property
    def summary(self) -> str:
        """The verdict and the sets to be warned of, such as "better; worse on web"."""
        warning = f"; worse on {joined(self.worse_on)}" if self.worse_on else ""
        return f"{self.verdict.outcome}{warning}"

    @property
    def in_words(self) -> str:
        """The difference that was judged and where it could lie: "-0.026 bits per byte (-0.8 %), could be ..."."""
        size = size_of(self.neutral.difference, self.neutral.baseline_bits_per_byte)
        interval = self.verdict.interval
        return size if interval is None else f"{size}, {range_of(interval.low, interval.high)}"

    def to_frame(self) -> pl.DataFrame:
        """A row for the mean of the neutral sets, then one per set."""
        named = [(NEUTRAL_MEAN, self.neutral), *((one.sets[0], one) for one in self.by_set)]
        return pl.DataFrame([_row(self, one, name=name) for name, one in named], schema=ROW_SCHEMA, orient="row")


@dataclass(frozen=True, kw_only=True)
class StudyComparison(Result):
    """Everything the table and the report show."""

    baseline: str
    neutral_sets: tuple[str, ...]
    seeds: tuple[int, ...]
    margin: float
    """Bits per byte."""
    confidence: float
    pool: bool
    """Whether the interval with pooled seed spread decides."""
    variants: tuple[VariantComparison, ...]
    controls: tuple[ControlOutcome, ...]
    levels: tuple[Level, ...]
    """Every variant, the baseline and the controls among them, on every set."""
    notes: tuple[str, ...]

    def to_frame(self) -> pl.DataFrame:
        """Differences as a table: one row per variant for the mean of the neutral sets, then one per set."""
        return pl.concat([found.to_frame() for found in self.variants])

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdicts, and differences below 0 where a variant is better."""
        shown = ["variant", "set", "verdict", "difference", "low", "high", "bits_per_byte", "n_documents"]
        frame = self.to_frame().select(shown)
        title = f"Difference from {self.baseline}, bits per byte (below 0 is better; margin {self.margin:g})"
        return html_table(title, frame.columns, frame.rows())


ROW_SCHEMA: dict[str, type[pl.DataType]] = {
    "variant": pl.String,
    "set": pl.String,
    "verdict": pl.String,
    "worse_on": pl.String,
    "n_seeds": pl.Int64,
    "n_documents": pl.Int64,
    "bits_per_byte": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "standard_error": pl.Float64,
    "df": pl.Float64,
    "pooled_low": pl.Float64,
    "pooled_high": pl.Float64,
    "smallest_detectable_difference": pl.Float64,
    "seeds_needed": pl.Int64,
}


def compare_study(
    losses: pl.DataFrame,
    *,
    baseline: str,
    neutral_sets: Sequence[str],
    margin: float,
    pool: bool = False,
    controls: Sequence[Control] = (),
    options: Options | None = None,
) -> StudyComparison:
    """Compare every variant with the baseline, on the mean of the neutral sets and on each set.

    Args:
        losses: the table of final losses that `dq.compare` describes: all variants, the baseline and the controls.
        baseline: the variant that the others are judged against.
        neutral_sets: held-out sets that are no variant's home field; their mean decides.
        margin: the difference that matters, bits per byte, fixed before running.
        pool: let the interval with the seed spread pooled over variants decide; fixed before running.
        controls: arms that are judged as controls and left out of pooling. Where an A/A control is the baseline with
            other seeds, those runs are left out of the study's pairs.
        options: confidence and bootstrap; its margin is replaced by ``margin``.

    Raises:
        CompareError: runs cannot be paired, or there is nothing to compare.
    """
    require_live_polars()
    check_margin(margin)
    options = dataclasses.replace(options or Options(), margin=margin)
    table = LossTable.read(losses)
    table.check_sets(neutral_sets)
    study = _without_controls(table, baseline=baseline, controls=controls)
    names = [name for name in study.variants if name != baseline]
    if not names:
        raise CompareError(f"nothing to compare with {baseline!r}: the table holds no other variant that is no control")

    scopes = [tuple(neutral_sets), *((name,) for name in study.sets)]
    alone = {
        name: [pair(study, variant=name, baseline=baseline, sets=scope, options=options) for scope in scopes]
        for name in names
    }
    spreads = [pooled_seed_spread(study, sets=scope) for scope in scopes]
    return StudyComparison(
        baseline=baseline,
        neutral_sets=tuple(neutral_sets),
        seeds=study.seeds(baseline),
        margin=margin,
        confidence=options.confidence,
        pool=pool,
        variants=tuple(_variant(found, spreads, margin=margin, pool=pool) for found in alone.values()),
        controls=tuple(
            _judged(table, control, baseline=baseline, sets=neutral_sets, options=options) for control in controls
        ),
        levels=levels_of(table),
        notes=_notes(study),
    )


def pooled_seed_spread(table: LossTable, *, sets: Sequence[str]) -> SeedSpread | None:
    """The variance of a seed's difference between two variants, pooled over all variants of a table.

    It is twice the variant x seed interaction mean square of the levels, with (V - 1)(S - 1) degrees of freedom, the
    baseline counted in V: with one variant beside the baseline it is exactly that pair's own. It assumes that every
    variant spreads alike over seeds; where one is 2-3 times noisier, nominal 95 % intervals cover 87-90 %.

    Args:
        table: only the study's variants, all with the same seeds.
        sets: the held-out sets whose mean is compared.

    Returns:
        None with fewer than 2 seeds or variants.
    """
    variants = table.variants
    n_bytes, sizes = table.bytes_per_document(sets), table.n_documents(sets)
    levels = np.stack(
        [
            set_differences(table.arm(name, seeds=table.seeds(name), sets=sets), n_bytes=n_bytes, set_sizes=sizes).mean(
                -1
            )
            for name in variants
        ]
    )
    df = (levels.shape[0] - 1) * (levels.shape[1] - 1)
    if df == 0:
        return None
    interaction = levels - levels.mean(0) - levels.mean(1, keepdims=True) + levels.mean()
    return SeedSpread(variance=float(2 * (interaction**2).sum() / df), df=df, variants=variants)


def _variant(
    alone: Sequence[Comparison], spreads: Sequence[SeedSpread | None], *, margin: float, pool: bool
) -> VariantComparison:
    """One variant's record from its comparisons on the neutral mean and then on each set."""
    neutral, *by_set = (
        found if spread is None else with_pooled_spread(found, spread, decides=pool)
        for found, spread in zip(alone, spreads, strict=True)
    )
    return VariantComparison(
        variant=neutral.variant,
        verdict=judge(_deciding(neutral, pool=pool), margin=margin, missing=neutral.missing),
        neutral=neutral,
        by_set=tuple(by_set),
        # A single neutral set has its verdict; its name would only repeat it.
        worse_on=tuple(
            found.sets[0]
            for found in by_set
            if found.sets != neutral.sets and names_worse(_deciding(found, pool=pool), margin=margin)
        ),
    )


def _deciding(comparison: Comparison, *, pool: bool) -> Interval | None:
    return comparison.pooled_interval if pool else comparison.interval


def _without_controls(table: LossTable, *, baseline: str, controls: Sequence[Control]) -> LossTable:
    """The table of the study's own runs."""
    for control in controls:
        taken = table.seeds(control.variant)
        if control.variant == baseline:
            taken = tuple(one for one, _ in control.seed_pairs or ())
        table = table.without(control.variant, taken)
    return table


def _judged(
    table: LossTable, control: Control, *, baseline: str, sets: Sequence[str], options: Options
) -> ControlOutcome:
    margin = options.margin
    if margin is None:
        raise CompareError("a control is judged against a margin: state one")
    comparison = pair(
        table,
        variant=control.variant,
        baseline=baseline,
        sets=sets,
        seed_pairs=control.seed_pairs,
        options=options,
    )
    rule = judge_aa if control.kind is ControlKind.AA else judge_noise_control
    return rule(comparison, margin=margin)


def _notes(table: LossTable) -> tuple[str, ...]:
    few = [(name, len(table.bytes_of_set[name])) for name in table.sets]
    return tuple(
        f"set {name} has {size} documents; with fewer than {ADVISED_DOCUMENTS} its interval is rough"
        for name, size in few
        if size < ADVISED_DOCUMENTS
    )


def _row(found: VariantComparison, comparison: Comparison, *, name: str) -> dict[str, object]:
    """One row of `StudyComparison.to_frame`; the verdict stands on the row of the neutral mean only."""
    own, pooled, power = comparison.interval, comparison.pooled_interval, comparison.power
    decides = comparison is found.neutral
    return {
        "variant": found.variant,
        "set": name,
        "verdict": found.verdict.outcome.value if decides else None,
        "worse_on": ", ".join(found.worse_on) if decides else None,
        "n_seeds": comparison.n_seeds,
        "n_documents": comparison.n_documents,
        "bits_per_byte": comparison.bits_per_byte,
        "difference": comparison.difference,
        "low": own.low if own else None,
        "high": own.high if own else None,
        "standard_error": own.standard_error if own else None,
        "df": own.df if own else None,
        "pooled_low": pooled.low if pooled else None,
        "pooled_high": pooled.high if pooled else None,
        "smallest_detectable_difference": power.smallest_detectable_difference if power else None,
        "seeds_needed": power.seeds_needed if power else None,
    }
