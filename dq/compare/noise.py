"""How much the seeds of trained arms spread, without a word about which is better: what margins and seeds rest on."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from dq.compare.looks import levels_with_gaps
from dq.compare.power import detectable_at, variance_range
from dq.compare.spread import difference_variance, pooled_df
from dq.compare.tables import LossTable
from dq.results import Result

SEEDS = (3, 5, 8, 12)


@dataclass(frozen=True, kw_only=True)
class Noise(Result):
    """The spread over seeds of a paired difference on some held-out sets."""

    held_out_set: str
    arms: int
    seeds: int
    sd: float
    """Bits per byte, shared by all arms."""
    df: int
    low: float
    """The sd lies from here to ``high`` with 90 %."""
    high: float
    detectable: dict[int, float]
    """By number of seeds: the smallest difference found with 80 % power, all arms but one judged together."""


def noise_of(losses: pl.DataFrame, *, arms: Collection[str], neutral: Sequence[str]) -> tuple[Noise, ...]:
    """The spread on the mean of the neutral sets, then on each other set; nothing below 2 arms or seeds.

    Args:
        losses: the table of final losses that `dq.compare` describes.
        arms: the baseline and the variants, no controls.
        neutral: the sets that decide.

    Raises:
        CompareError: the table is not what `dq.compare` describes.
    """
    table = LossTable.read(losses)
    names = sorted(set(arms) & set(table.variants))
    common = min((len(table.seeds(name)) for name in names), default=0)
    if len(names) < 2 or common < 2:
        return ()
    table = table.only(names, n_seeds=common)
    scopes = [tuple(neutral), *((name,) for name in table.sets if name not in neutral)]
    return tuple(_noise(table, names, scope) for scope in scopes)


def _noise(table: LossTable, names: Sequence[str], sets: Sequence[str]) -> Noise:
    levels = levels_with_gaps(table, names, sets=sets)
    variants, seeds = len(names) - 1, levels.shape[1]
    sd, df = math.sqrt(difference_variance(levels)), variants * (seeds - 1)
    low, high = (math.sqrt(factor) * sd for factor in variance_range(df))
    detectable = {n: detectable_at(sd, df=pooled_df(variants, n), n_seeds=n, comparisons=variants) for n in SEEDS}
    return Noise(
        held_out_set=" and ".join(sets),
        arms=len(names),
        seeds=seeds,
        sd=sd,
        df=df,
        low=low,
        high=high,
        detectable=detectable,
    )
