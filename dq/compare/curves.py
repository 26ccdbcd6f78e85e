"""Levels and learning curves: means and t bands over seeds. Descriptive only; nothing here decides.

Trunk and cooled points measure different things (the learning rate has come down or it has not), so a mean never holds
both; nor does it hold points on a tenth of the documents and on all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import special

from dq.compare.results import joined
from dq.compare.tables import LossTable, check_columns
from dq.errors import CompareError
from dq.executors import require_live_polars
from dq.results import Result

PHASES = ("trunk", "cooling", "cooled")
POINT_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "variant": pl.String,
    "seed": pl.Int64,
    "set": pl.String,
    "step": pl.Int64,
    "tokens_seen": pl.Int64,
    "unique_tokens_seen": pl.Int64,
    "phase": pl.String,
    "bits_per_byte": pl.Float64,
}
POINT_KEY = ["variant", "set", "phase", "step"]


@dataclass(frozen=True, kw_only=True)
class Level(Result):
    """Bits per byte of one variant on one held-out set."""

    variant: str
    held_out_set: str
    n_seeds: int
    n_documents: int
    n_bytes: int
    bits_per_byte: float
    """Mean over seeds."""
    standard_deviation: float | None
    """Over seeds, bits per byte; None with one seed."""
    by_seed: tuple[float, ...]
    """In the order of the seeds."""


def levels(losses: pl.DataFrame) -> tuple[Level, ...]:
    """Bits per byte of every variant on every held-out set, in that order, from a table of final losses.

    Raises:
        CompareError: the table is not what `dq.compare` describes.
    """
    return levels_of(LossTable.read(losses))


def levels_of(table: LossTable) -> tuple[Level, ...]:
    """`levels` of a table that is already checked."""
    return tuple(_level(table, variant, name) for variant in table.variants for name in table.sets)


def _level(table: LossTable, variant: str, held_out_set: str) -> Level:
    n_bytes = table.bytes_of_set[held_out_set]
    seeds = table.seeds(variant)
    by_seed = np.array([table.run(variant, seed, held_out_set).sum() / n_bytes.sum() for seed in seeds])
    return Level(
        variant=variant,
        held_out_set=held_out_set,
        n_seeds=len(seeds),
        n_documents=len(n_bytes),
        n_bytes=int(n_bytes.sum()),
        bits_per_byte=float(by_seed.mean()),
        standard_deviation=float(by_seed.std(ddof=1)) if len(seeds) > 1 else None,
        by_seed=tuple(by_seed.tolist()),
    )


def curves(points: pl.DataFrame, *, confidence: float = 0.95) -> pl.DataFrame:
    """Mean learning curve of every variant on every set, each phase apart, with a t band over seeds.

    Args:
        points: one row per variant, seed, held-out set, phase and step: ``variant`` str, ``seed`` int, ``set`` str,
            ``step`` int, ``tokens_seen`` int, ``unique_tokens_seen`` int, ``phase`` "trunk", "cooling" or "cooled",
            ``bits_per_byte`` float; such as a study's ``points.parquet``, whose ``subset`` (which documents were
            scored) is kept apart too.
        confidence: of the band. It is the spread of the level over seeds, which pairing removes from a difference:
            overlapping bands do not mean that variants are alike.

    Returns:
        One row per variant, set, (subset,) phase and step, sorted so: ``tokens_seen`` i64, ``unique_tokens_seen`` f64
        (mean over seeds), ``n_seeds`` i64, ``bits_per_byte`` f64 (mean), ``low`` and ``high`` f64 (null with one seed).

    Raises:
        CompareError: a column is missing, a value is not usable, a row is doubled, or a step means different numbers of
            tokens in two runs.
    """
    require_live_polars()
    if not 0 < confidence < 1:
        raise CompareError(f"the confidence must be between 0 and 1, got {confidence}")
    subset = ["subset"] if "subset" in points.columns else []
    columns = {**POINT_COLUMNS, **dict.fromkeys(subset, pl.String)}
    key = [*POINT_KEY[:2], *subset, *POINT_KEY[2:]]
    table = check_columns(points, columns, what="the table of curve points")
    _check_points(table, key)
    by_point = table.sort(*key, "seed").group_by(key, maintain_order=True)
    means = by_point.agg(
        pl.col("tokens_seen").first(),
        pl.col("unique_tokens_seen").mean(),
        pl.len().cast(pl.Int64).alias("n_seeds"),
        pl.col("bits_per_byte").mean(),
        pl.col("bits_per_byte").std(ddof=1).alias("spread"),
    )
    quantile = {n: _half_width_in_deviations(n, confidence) for n in means["n_seeds"].unique().to_list()}
    half_width = pl.col("spread") * pl.col("n_seeds").replace_strict(quantile, return_dtype=pl.Float64)
    return means.with_columns(
        (pl.col("bits_per_byte") - half_width).alias("low"), (pl.col("bits_per_byte") + half_width).alias("high")
    ).drop("spread")


def paired_curves(points: pl.DataFrame, *, baseline: str, confidence: float = 0.95) -> pl.DataFrame:
    """Mean difference of every variant from the baseline along the tokens, paired by seed, with a t interval over them.

    The documents are taken as given, so these intervals are narrower than the final one, and never decide.

    Args:
        points: as for `curves`.
        baseline: its points are what the others' are paired with; seeds that it lacks are left out.
        confidence: of the interval.

    Returns:
        As of `curves`, with ``difference`` f64 (below 0 is better) in place of ``bits_per_byte``, without the baseline.
    """
    base = points.filter(pl.col("variant") == baseline)
    if base.is_empty():
        raise CompareError(f"no points of the baseline {baseline!r}; the table has {joined(_names(points))}")
    by = [name for name in ("seed", "set", "subset", "phase", "step") if name in points.columns]
    theirs = base.select(*by, pl.col("bits_per_byte").alias("base"))
    pairs = points.filter(pl.col("variant") != baseline).join(theirs, on=by, how="inner")
    if pairs.is_empty():
        raise CompareError(f"no variant shares a seed and step with the baseline {baseline!r}; train the same seeds")
    differences = pairs.with_columns(pl.col("bits_per_byte") - pl.col("base"))
    return curves(differences, confidence=confidence).rename({"bits_per_byte": "difference"})


def _names(points: pl.DataFrame) -> list[str]:
    return sorted(points["variant"].cast(pl.String).drop_nulls().unique())


def _half_width_in_deviations(n_seeds: int, confidence: float) -> float | None:
    if n_seeds < 2:
        return None
    return float(special.stdtrit(n_seeds - 1, 0.5 + confidence / 2)) / math.sqrt(n_seeds)


def _check_points(table: pl.DataFrame, key: list[str]) -> None:
    faults = {
        f"a phase other than {', '.join(PHASES)}": ~pl.col("phase").is_in(PHASES),
        "bits per byte that are not a finite number (did the run diverge?)": ~pl.col("bits_per_byte").is_finite(),
        "more than one row": pl.struct(*key, "seed").is_duplicated(),
        "another number of tokens than other seeds": pl.col("tokens_seen").n_unique().over(key) > 1,
    }
    for fault, condition in faults.items():
        bad = table.filter(condition)
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise CompareError(
                f"variant {row['variant']!r}, seed {row['seed']}, set {row['set']!r}, {row['phase']} step "
                f"{row['step']} has {fault}; {bad.height} such rows"
            )
