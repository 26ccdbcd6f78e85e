"""One look at a study: its variants at a number of seeds, with the intervals that decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dq.compare.anova import set_differences
from dq.compare.family import Look, with_family
from dq.compare.paired import Options, pair
from dq.compare.results import Comparison
from dq.compare.spread import Pool, pool_spread
from dq.compare.tables import FloatArray, LossTable


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What does not change from look to look."""

    baseline: str
    scopes: tuple[tuple[str, ...], ...]
    """Held-out sets that are compared on together: the neutral ones, then each alone."""
    variants: int
    """How many are judged in all."""
    share: bool
    apart: Mapping[str, str]
    options: Options


def judge_look(
    table: LossTable, names: Sequence[str], *, look: Look, rule: Rule, fixed: bool
) -> tuple[list[list[Comparison]], list[Pool]]:
    """Compare some variants at a look.

    Spread is shared among those that are still judged: at a later look, decided ones have fewer seeds.

    Args:
        table: of the study.
        names: the variants.
        look: how many seeds, and the error that may be spent.
        rule: of the study.
        fixed: there is one look, with the seeds that each arm has.

    Returns:
        For each variant its comparison on every scope, and what is shared on the first: nothing below 2 seeds.
    """
    arms = [rule.baseline, *names]
    part = table.only(arms, n_seeds=None if fixed else look.seeds)
    by_scope, pools = [], []
    for scope in rule.scopes:
        alone = [pair(part, variant=name, baseline=rule.baseline, sets=scope, options=rule.options) for name in names]
        levels = levels_with_gaps(part, arms, sets=scope)
        if levels.shape[1] > 1:
            pools.append(pool_spread(levels, arms=arms, apart=rule.apart, share=rule.share))
            alone = [with_family(one, pool=pools[-1], variants=rule.variants, error=look.error) for one in alone]
        by_scope.append(alone)
    return [list(of_variant) for of_variant in zip(*by_scope, strict=True)], pools[:1]


def levels_with_gaps(table: LossTable, arms: Sequence[str], *, sets: Sequence[str]) -> FloatArray:
    """Bits per byte of every arm and seed of the first arm, the mean of the sets: (arms, seeds), NaN without a run."""
    n_bytes, sizes = table.bytes_per_document(sets), table.n_documents(sets)
    seeds = table.seeds(arms[0])
    levels: FloatArray = np.full((len(arms), len(seeds)), np.nan)
    for row, name in enumerate(arms):
        known = [seed for seed in table.seeds(name) if seed in seeds]
        bits = table.arm(name, seeds=known, sets=sets)
        columns = [seeds.index(seed) for seed in known]
        levels[row, columns] = set_differences(bits, n_bytes=n_bytes, set_sizes=sizes).mean(-1)
    return levels
