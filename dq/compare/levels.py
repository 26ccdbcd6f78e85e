"""Runs by arm and budget: one loss a run. What everything that looks along budgets starts from."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from dq.compare.tables import FloatArray, check_columns
from dq.errors import CompareError
from dq.executors import require_live_polars

LEVEL_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "variant": pl.String,
    "n_tokens": pl.Float64,
    "loss": pl.Float64,
}
Losses = Mapping[str, float]
"""Of an arm at one budget, by seed."""
ENOUGH = 3  # seeds in common, for pairing by these alone


@dataclass(frozen=True, eq=False)
class ArmLosses:
    """Losses of an arm: by budget, each seed's. A run without a seed has a name of its own in its place."""

    by_tokens: Mapping[float, Mapping[str, float]]

    @cached_property
    def tokens(self) -> FloatArray:
        """Budgets, growing: (n,)."""
        return np.array(sorted(self.by_tokens), np.float64)

    @cached_property
    def means(self) -> FloatArray:
        """Mean losses at the budgets: (n,)."""
        return np.array([np.mean(list(self.by_tokens[one].values())) for one in self.tokens])

    @cached_property
    def seeds(self) -> tuple[str, ...]:
        """The seeds, if there are two and they are the same at every budget; else none."""
        every = {frozenset(runs) for runs in self.by_tokens.values()}
        (first, *others) = every
        return () if others or len(first) < 2 else tuple(sorted(first))

    def at(self, seeds: Collection[str]) -> FloatArray:
        """Losses of seeds that are there at every budget, in their order: (n, seeds)."""
        return np.array([[self.by_tokens[tokens][seed] for seed in seeds] for tokens in self.tokens])

    def only(self, seeds: Collection[str]) -> ArmLosses:
        """The same with some seeds."""
        return ArmLosses({
            tokens: {seed: loss for seed, loss in runs.items() if seed in seeds}
            for tokens, runs in self.by_tokens.items()
        })  # fmt: skip


def natural(name: str) -> list[tuple[str, float]]:
    """A key that sorts names with numbers in them by these: k=2 before k=13.8."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(text, float(number or 0)) for text, number in itertools.zip_longest(parts[::2], parts[1::2])]


def common_seeds(*runs: Collection[str]) -> tuple[str, ...]:
    """Seeds by which runs may be paired: those that all have, if they are 3 or all; else none."""
    shared = set.intersection(*(set(one) for one in runs))
    everything = set.union(*(set(one) for one in runs))
    paired = len(shared) >= ENOUGH or (len(shared) > 1 and shared == everything)
    return tuple(sorted(shared)) if paired else ()


def read_levels(levels: pl.DataFrame) -> dict[str, ArmLosses]:
    """The losses of every arm, by name.

    Args:
        levels: one row a run, of cooled ends only: ``variant`` str, ``n_tokens`` number (the budget), ``loss`` float
            (bits per byte or nats, all alike), ``seed`` or null, or no such column. Other columns are ignored.

    Raises:
        CompareError: a column is missing, a value is not usable, or a run is there twice.
    """
    require_live_polars()
    table = check_columns(levels, LEVEL_COLUMNS, what="the table of runs")
    own = pl.format("row {}", pl.int_range(1, len(levels) + 1))
    seeds = levels["seed"].cast(pl.String) if "seed" in levels.columns else pl.lit(None, pl.String)
    table = table.with_columns(pl.coalesce(seeds, own).alias("seed"))
    _check(table)
    arms: dict[str, dict[float, dict[str, float]]] = {}
    for variant, tokens, loss, seed in table.iter_rows():
        arms.setdefault(variant, {}).setdefault(tokens, {})[seed] = loss
    return {name: ArmLosses(arms[name]) for name in sorted(arms, key=natural)}


def levels_of_losses(losses: pl.DataFrame, *, sets: Collection[str], n_tokens: int) -> pl.DataFrame:
    """A study's table of final losses (`dq.compare`) as one row a run: the mean of some sets, bits per byte."""
    bits = pl.col("loss_nats").sum() / math.log(2) / pl.col("n_bytes").sum()
    by_set = losses.filter(pl.col("set").is_in(sets)).group_by("variant", "seed", "set").agg(bits.alias("loss"))
    by_run = by_set.group_by("variant", "seed").agg(pl.col("loss").mean()).sort("variant", "seed")
    return by_run.with_columns(pl.lit(float(n_tokens)).alias("n_tokens"), pl.col("seed").cast(pl.String))


def _check(table: pl.DataFrame) -> None:
    not_finite = "a loss that is not a finite number (did the run diverge? leave it out and say so)"
    faults = {
        not_finite: ~pl.col("loss").is_finite(),
        "a budget that is not above 0 tokens": ~(pl.col("n_tokens").is_finite() & (pl.col("n_tokens") > 0)),
        "more than one row": pl.struct("variant", "n_tokens", "seed").is_duplicated(),
    }
    for fault, condition in faults.items():
        bad = table.filter(condition)
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise CompareError(
                f"variant {row['variant']!r}, {row['n_tokens']:,.0f} tokens, seed {row['seed']!r} has {fault}; "
                f"{bad.height} such rows"
            )
