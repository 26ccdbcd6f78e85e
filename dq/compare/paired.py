"""One variant against the baseline: seeds and documents paired, the difference with its interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.compare.anova import Components, Estimate, estimate, linearised, mean_squares, set_differences
from dq.compare.bootstrap import document_bootstrap
from dq.compare.power import MIN_SEEDS, power_of
from dq.compare.results import Comparison, Interval, MeanSquares, joined
from dq.compare.tables import FloatArray, LossTable
from dq.compare.verdict import check_margin
from dq.errors import CompareError

DECIDED_BY = ("seeds and documents", "seeds", "documents")
PAIRED = "paired"
SeedPairs = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a comparison is computed."""

    confidence: float = 0.95
    """Of every interval."""
    margin: float | None = None
    """Bits per byte; only for the seeds needed to detect it."""
    resamples: int = 2_000
    """Draws of the bootstrap over documents."""
    bootstrap_seed: int = 0

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence < 1:
            raise CompareError(f"the confidence must be from 0.5 to below 1, got {self.confidence}")
        if self.resamples < 2:
            raise CompareError(f"a bootstrap needs at least 2 draws, got {self.resamples}")
        if self.margin is not None:
            check_margin(self.margin)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Differences (S, N) in bits and the bytes (N,) of documents whose sets follow one another."""

    differences_bits: FloatArray
    n_bytes: FloatArray
    set_sizes: Sequence[int]

    def by_seed(self) -> FloatArray:
        """Bits per byte of each seed, the mean of the sets: (S,)."""
        by_set = set_differences(self.differences_bits, n_bytes=self.n_bytes, set_sizes=self.set_sizes)
        mean: FloatArray = by_set.mean(-1)
        return mean

    def mean_squares(self) -> MeanSquares | None:
        """Mean squares, or None where a factor has a single level."""
        if len(self.differences_bits) < 2 or min(self.set_sizes) < 2:
            return None
        centred = linearised(self.differences_bits, n_bytes=self.n_bytes, set_sizes=self.set_sizes)
        found = mean_squares(centred, set_sizes=self.set_sizes)
        seed, document, residual = found.mean_squares.tolist()
        seed_df, document_df, residual_df = found.df.tolist()
        return MeanSquares(
            seed=seed,
            document=document,
            residual=residual,
            seed_df=seed_df,
            document_df=document_df,
            residual_df=residual_df,
            n_seeds=found.n_seeds,
            n_documents=found.n_documents,
        )

    def bootstrap(self, options: Options) -> Interval:
        """The interval over documents alone."""
        return document_bootstrap(
            self.differences_bits,
            n_bytes=self.n_bytes,
            set_sizes=self.set_sizes,
            confidence=options.confidence,
            resamples=options.resamples,
            seed=options.bootstrap_seed,
        )


def paired(
    losses: pl.DataFrame,
    *,
    variant: str,
    baseline: str,
    sets: Sequence[str],
    seed_pairs: SeedPairs | None = None,
    options: Options | None = None,
) -> Comparison:
    """Compare two arms on the mean of some held-out sets, each set weighing the same.

    Args:
        losses: the table of final losses that `dq.compare` describes; other variants and sets in it are left alone.
        variant: the arm that is judged.
        baseline: the arm that it is judged against.
        sets: held-out sets; an error if one is missing.
        seed_pairs: (seed of the variant, seed of the baseline); by default each seed with itself, and then both arms
            must have the same seeds.
        options: confidence, margin, bootstrap.

    Raises:
        CompareError: the arms cannot be paired; says which run, set or document is in the way.
    """
    table = LossTable.read(_only(losses, variants=[variant, baseline], sets=sets))
    return pair(table, variant=variant, baseline=baseline, sets=sets, seed_pairs=seed_pairs, options=options)


def pair(
    table: LossTable,
    *,
    variant: str,
    baseline: str,
    sets: Sequence[str],
    seed_pairs: SeedPairs | None = None,
    options: Options | None = None,
) -> Comparison:
    """`paired` on a table that is already checked."""
    options = options or Options()
    table.check_sets(sets)
    pairs = _resolve_pairs(table, variant=variant, baseline=baseline, seed_pairs=seed_pairs)
    arm = table.arm(variant, seeds=[one for one, _ in pairs], sets=sets)
    base = table.arm(baseline, seeds=[other for _, other in pairs], sets=sets)
    sizes = table.n_documents(sets)
    layout = _Layout(differences_bits=arm - base, n_bytes=table.bytes_per_document(sets), set_sizes=sizes)
    by_seed = layout.by_seed()
    squares = layout.mean_squares()
    missing = _why_no_interval(n_seeds=len(pairs), sizes=dict(zip(sets, sizes, strict=True)))
    comparison = Comparison(
        variant=variant,
        baseline=baseline,
        sets=tuple(sets),
        seed_pairs=pairs,
        n_documents=sum(sizes),
        n_bytes=int(layout.n_bytes.sum()),
        bits_per_byte=float(dataclasses.replace(layout, differences_bits=arm).by_seed().mean()),
        baseline_bits_per_byte=float(dataclasses.replace(layout, differences_bits=base).by_seed().mean()),
        difference=float(by_seed.mean()),
        differences_by_seed=tuple(by_seed.tolist()),
        mean_squares=squares,
        interval=None,
        family_interval=None,
        bootstrap_interval=layout.bootstrap(options),
        power=None,
        missing=missing,
    )
    if squares is None or missing is not None:
        return comparison
    return dataclasses.replace(
        comparison,
        interval=t_interval(squares, comparison.difference, confidence=options.confidence),
        power=power_of(squares, margin=options.margin, confidence=options.confidence),
    )


def _only(losses: pl.DataFrame, *, variants: Sequence[str], sets: Sequence[str]) -> pl.DataFrame:
    """The rows of some variants and sets; what is not there is an error here, where the whole table is known."""
    for column, wanted in (("variant", variants), ("set", sets)):
        if column not in losses.columns or losses.is_empty():
            continue  # LossTable.read says so
        names = losses[column].cast(pl.String)
        present = sorted(names.drop_nulls().unique())
        if missing := [name for name in wanted if name not in present]:
            raise CompareError(f"no losses of {column} {missing[0]!r}; the table has {', '.join(present)}")
        if wanted:
            losses = losses.filter(names.is_in(wanted))
    return losses


def t_interval(
    squares: MeanSquares, difference: float, *, confidence: float, comparisons: int = 1, label: str = PAIRED
) -> Interval:
    """The t interval of a difference with observed mean squares, or one that holds for several comparisons together."""
    found = estimate_of(squares)
    half_widths = found.half_widths(confidence, comparisons=comparisons)
    decided_by = int(half_widths.argmax())
    half_width = float(half_widths[decided_by])
    return Interval(
        low=difference - half_width,
        high=difference + half_width,
        confidence=confidence,
        standard_error=math.sqrt(float(found.variance)),
        df=float(found.df[decided_by]),
        decided_by=DECIDED_BY[decided_by],
        label=label,
    )


def estimate_of(squares: MeanSquares) -> Estimate:
    """The three variances of a difference with observed mean squares."""
    return estimate(
        Components(
            mean_squares=np.array([squares.seed, squares.document, squares.residual]),
            df=np.array([squares.seed_df, squares.document_df, squares.residual_df]),
            n_seeds=squares.n_seeds,
            n_documents=squares.n_documents,
        )
    )


def _resolve_pairs(
    table: LossTable, *, variant: str, baseline: str, seed_pairs: SeedPairs | None
) -> tuple[tuple[int, int], ...]:
    seeds, base_seeds = table.seeds(variant), table.seeds(baseline)
    if seed_pairs is None:
        if variant == baseline:
            raise CompareError(f"{variant!r} against itself needs seed_pairs: each seed with another one")
        if seeds != base_seeds:
            raise CompareError(
                f"variant {variant!r} has seeds {list(seeds)} and baseline {baseline!r} has {list(base_seeds)}; "
                "train the missing runs, or name the seed_pairs to compare"
            )
        return tuple((seed, seed) for seed in seeds)
    pairs = tuple((int(one), int(other)) for one, other in seed_pairs)
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    for name, wanted, has in ((variant, ones, seeds), (baseline, others, base_seeds)):
        if unknown := sorted(set(wanted) - set(has)):
            raise CompareError(f"seed_pairs name seed {unknown[0]} of {name!r}, which has {list(has)}")
    used = ones + others if variant == baseline else ones
    if not pairs or len(set(used)) != len(used) or len(set(others)) != len(others):
        raise CompareError(f"seed_pairs must name each run at most once, got {list(pairs)}")
    return pairs


def _why_no_interval(*, n_seeds: int, sizes: dict[str, int]) -> str | None:
    if n_seeds < MIN_SEEDS:
        return f"{n_seeds} paired seed{'s' if n_seeds != 1 else ''} of at least {MIN_SEEDS}: train more seeds"
    if small := sorted(name for name, size in sizes.items() if size < 2):
        return f"fewer than 2 held-out documents on {joined(small)}: hold out more"
    return None
