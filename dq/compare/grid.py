"""A whole study compared: every variant against the baseline, one verdict each, look by look, controls apart."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dq.compare.controls import ControlOutcome, judge_aa, judge_noise_control
from dq.compare.curves import Level, levels_of
from dq.compare.family import Look
from dq.compare.looks import Rule, judge_look, levels_with_gaps
from dq.compare.paired import Options, pair
from dq.compare.results import DECIDED, Comparison, Verdict, joined
from dq.compare.spread import ArmSpread, Pool
from dq.compare.tables import LossTable
from dq.compare.verdict import check_margin, judge, names_worse
from dq.compare.words import range_of, size_of
from dq.errors import CompareError, listed
from dq.executors import require_live_polars
from dq.results import Result, html_table

ADVISED_DOCUMENTS = 100
MAX_DOCUMENT_SHARE = 0.1
NEUTRAL_MEAN = "mean of the neutral sets"


@dataclass(frozen=True, kw_only=True)
class VariantComparison(Result):
    """One variant of a study against the baseline."""

    variant: str
    verdict: Verdict
    """On the mean of the neutral sets; the only one."""
    neutral: Comparison
    """On the mean of the neutral sets, with the seeds of the look at which it was judged last."""
    next_look: int | None
    """Seeds of the look at which it is to be judged again; None where it is decided, or no look is left."""
    by_set: tuple[Comparison, ...]
    """On each held-out set alone: these never decide."""
    worse_on: tuple[str, ...]
    """Sets whose interval lies wholly above the margin."""
    scope: str = ""
    """Where the verdict holds, if not for whole runs: ``in the cooldown``."""
    mixture: tuple[str, ...] = ()
    """Sources whose shares of the streams are not the baseline's, such as "web +4.1 %": what is judged is quality and
    mixture together."""

    @property
    def summary(self) -> str:
        """The verdict and what to be warned of, such as "better; worse on web"."""
        worse = f"; worse on {joined(self.worse_on)}" if self.worse_on else ""
        mixture = f"; quality + mixture ({', '.join(self.mixture)})" if self.mixture else ""
        return f"{self.verdict.outcome}{f' {self.scope}' if self.scope else ''}{worse}{mixture}"

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
    """Of the verdicts of all variants at all looks together."""
    pool: bool
    """Whether variants may share their spread over seeds."""
    looks: tuple[Look, ...]
    """The numbers of seeds at which variants are judged, and the error spent at each; one where seeds are fixed."""
    spreads: tuple[ArmSpread, ...]
    """How much each arm's seeds spread on the neutral sets, at the look at which it was judged last."""
    pooled_sd: float | None
    """Over seeds, of a paired difference, as the variants at the last look share it; None where nothing is shared."""
    variants: tuple[VariantComparison, ...]
    controls: tuple[ControlOutcome, ...]
    levels: tuple[Level, ...]
    """Every variant, the baseline and the controls among them, on every set."""
    notes: tuple[str, ...]

    @property
    def undecided(self) -> tuple[str, ...]:
        """Variants that are to be judged again, with more seeds."""
        return tuple(found.variant for found in self.variants if found.next_look is not None)

    def to_frame(self) -> pl.DataFrame:
        """Differences as a table: one row per variant for the mean of the neutral sets, then one per set."""
        return pl.concat([found.to_frame() for found in self.variants])

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdicts, and differences below 0 where a variant is better."""
        shown = ["variant", "set", "verdict", "difference", "family_low", "family_high", "bits_per_byte", "n_documents"]
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
    "family_low": pl.Float64,
    "family_high": pl.Float64,
    "smallest_detectable_difference": pl.Float64,
    "seeds_needed": pl.Int64,
}


def compare_study(
    losses: pl.DataFrame,
    *,
    baseline: str,
    neutral_sets: Sequence[str],
    margin: float,
    pool: bool = True,
    looks: Sequence[Look] = (),
    apart: Mapping[str, str] | None = None,
    noise_control: str | None = None,
    options: Options | None = None,
) -> StudyComparison:
    """Compare every variant with the baseline, on the mean of the neutral sets and on each set.

    With looks, variants are judged at the first of them, the undecided ones at the next, as far as their seeds reach:
    the same table gives the same verdicts, whatever more seeds of a decided variant are in it.

    Args:
        losses: the table of final losses that `dq.compare` describes: all variants and the baseline.
        baseline: the variant that the others are judged against.
        neutral_sets: held-out sets that are no variant's home field; their mean decides.
        margin: the difference that matters, bits per byte, fixed before running.
        pool: let variants share their spread over seeds where they look alike; fixed before running.
        looks: of `plan_looks`, fixed before running. Default: one, with the seeds that are there.
        apart: variants that never share their spread, with the reason.
        noise_control: an arm that must come out worse; it is no variant.
        options: confidence and bootstrap; its margin is replaced by ``margin``.

    Raises:
        CompareError: runs cannot be paired, there is nothing to compare, or too little for the first look.
    """
    require_live_polars()
    check_margin(margin)
    options = dataclasses.replace(options or Options(), margin=margin)
    table = LossTable.read(losses)
    table.check_sets(neutral_sets)
    names = [name for name in table.variants if name not in (baseline, noise_control)]
    if not names:
        raise CompareError(f"nothing to compare with {baseline!r}: the table holds no other variant that is no control")
    plan = tuple(looks) or (Look(seeds=len(table.seeds(baseline)), error=1 - options.confidence),)
    rule = Rule(
        baseline=baseline,
        scopes=(tuple(neutral_sets), *((name,) for name in table.sets)),
        variants=len(names),
        share=pool,
        apart=apart or {},
        options=options,
    )
    found: dict[str, VariantComparison] = {}
    pools: list[Pool] = []
    for number, look in enumerate(plan):
        going_on = [name for name in names if name not in found or found[name].next_look]
        if not going_on or (looks and not _reached(table, [baseline, *going_on], look)):
            break
        later = plan[number + 1].seeds if number + 1 < len(plan) else None
        judged, shared = judge_look(table, going_on, look=look, rule=rule, fixed=not looks)
        found |= {one.variant: _variant(one, by_set, margin=margin, later=later) for one, *by_set in judged}
        pools += shared
    if not found:
        raise CompareError(f"the first look needs {plan[0].seeds} seeds of every variant: train more seeds")
    spreads = {one.arm: one for shared in pools for one in shared.spreads}
    return StudyComparison(
        baseline=baseline,
        neutral_sets=tuple(neutral_sets),
        seeds=table.seeds(baseline),
        margin=margin,
        confidence=1 - math.fsum(look.error for look in plan),
        pool=pool,
        looks=plan,
        spreads=tuple(spreads[name] for name in (baseline, *names) if name in spreads),
        pooled_sd=math.sqrt(pools[-1].variance) if pools and pools[-1].members else None,
        variants=tuple(found[name] for name in names),
        controls=tuple(_controls(table, rule, pools, noise_control=noise_control)),
        levels=levels_of(table),
        notes=(*_notes(table, neutral_sets), *_pool_notes(pools)),
    )


def _reached(table: LossTable, arms: Sequence[str], look: Look) -> bool:
    return all(len(table.seeds(name)) >= look.seeds for name in arms)


def _variant(
    neutral: Comparison, by_set: Sequence[Comparison], *, margin: float, later: int | None
) -> VariantComparison:
    """One variant's record from its comparisons on the neutral mean and on each set."""
    verdict = judge(neutral.family_interval, margin=margin, missing=neutral.missing)
    return VariantComparison(
        variant=neutral.variant,
        verdict=verdict,
        neutral=neutral,
        next_look=None if verdict.outcome in DECIDED else later,
        by_set=tuple(by_set),
        # A single neutral set has its verdict; its name would only repeat it.
        worse_on=tuple(
            found.sets[0]
            for found in by_set
            if found.sets != neutral.sets and names_worse(found.family_interval, margin=margin)
        ),
    )


def _controls(
    table: LossTable, rule: Rule, pools: Sequence[Pool], *, noise_control: str | None
) -> Iterator[ControlOutcome]:
    """Halves of the baseline's seeds, and the arm whose tokens were replaced."""
    neutral, margin = rule.scopes[0], rule.options.margin
    if margin is None:
        raise CompareError("a control is judged against a margin: state one")
    steady = [
        one.arm for shared in pools[:1] for one in shared.spreads if not one.left_out and one.arm != rule.baseline
    ]
    yield judge_aa(levels_with_gaps(table, [rule.baseline, *steady], sets=neutral), margin=margin)
    if noise_control is not None:
        pairs = [(seed, seed) for seed in table.seeds(noise_control)]
        against = pair(
            table,
            variant=noise_control,
            baseline=rule.baseline,
            sets=neutral,
            seed_pairs=pairs,
            options=rule.options,
        )
        yield judge_noise_control(against, margin=margin, pool=pools[-1] if pools else None)


def _notes(table: LossTable, neutral: Sequence[str]) -> Iterator[str]:
    """What is to be known of the sets, those that decide first: few documents, or one that weighs too much."""
    few, heavy = [], []
    for name in sorted(table.sets, key=lambda name: name not in neutral):
        n_bytes = table.bytes_of_set[name]
        if len(n_bytes) < ADVISED_DOCUMENTS:
            few.append(f"{name} ({len(n_bytes)})")
        if (share := float(n_bytes.max() / n_bytes.sum())) > MAX_DOCUMENT_SHARE and len(n_bytes) > 1:
            heavy.append(f"{name} ({share:.0%})")
    if few:
        yield f"sets of fewer than {ADVISED_DOCUMENTS} documents, whose intervals are rough: {listed(few)}"
    if heavy:
        yield (
            "sets of which one document holds much of the bytes, whose intervals are too sure of themselves (at 30 % "
            f"they cover 93 % where 95 % is stated): {listed(heavy)}"
        )


def _pool_notes(pools: Sequence[Pool]) -> tuple[str, ...]:
    """Who shares no spread, and who is unstable; each said once."""
    said: dict[str, None] = {}
    for shared in pools:
        for one in shared.spreads:
            if one.left_out:
                said[f"{one.arm} has an interval of its own spread: {one.left_out}"] = None
            if one.unstable:
                said[f"{one.arm} spreads {one.ratio:.1f} times as much as the others: unstable training, not data"] = (
                    None
                )
    return tuple(said)


def _row(found: VariantComparison, comparison: Comparison, *, name: str) -> dict[str, object]:
    """One row of `StudyComparison.to_frame`; the verdict stands on the row of the neutral mean only."""
    own, family, power = comparison.interval, comparison.family_interval, comparison.power
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
        "family_low": family.low if family else None,
        "family_high": family.high if family else None,
        "smallest_detectable_difference": power.smallest_detectable_difference if power else None,
        "seeds_needed": power.seeds_needed if power else None,
    }
