"""Which variant at my target scale: extrapolated, with the right to abstain, beside what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.errors import ConfigError
from dq.results import Result
from dq.scaling.fit import Fit
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import RESAMPLES, Surface, training_flops

NAMED = {"n_params": "parameters", "n_tokens": "tokens"}


@dataclass(frozen=True, kw_only=True)
class VariantAt(Result):
    """A variant at the target.

    Attributes:
        variant: its name.
        loss: predicted by its own law.
        difference: from the variant with the least predicted loss; 0 for itself.
        wins: share of the refits in which it is best.
        regret: nats that choosing it loses on average over the refits.
    """

    variant: str
    loss: Quantity
    difference: Quantity
    wins: float
    regret: float


@dataclass(frozen=True, kw_only=True)
class VariantChoice(Reply):
    """Which variant a law of each says is best at a scale.

    Attributes:
        law: fitted to each variant alone: filters move exponents too (QualityPajama 2026).
        at: the target.
        variants: the best first.
        decided: whether its difference from every other one excludes 0, at a level shared by all of them.
        seen: variants by their mean loss at the largest point that all have, the best first: often the better guess
            (DataDecide). Empty where they have none in common.
    """

    law: str
    at: dict[str, float]
    variants: tuple[VariantAt, ...]
    decided: bool
    seen: tuple[str, ...]

    @property
    def question(self) -> str:
        """As a user would ask it."""
        target = ", ".join(f"{short(value)} {NAMED.get(name, name)}" for name, value in self.at.items())
        return f"Which variant at {target}?"

    @property
    def in_words(self) -> str:
        """The choice, or that there is none."""
        best, second = self.variants[:2]
        gap = f"{second.difference.in_words('nats')} before {second.variant}"
        if self.decided:
            words = f"law `{self.law}`: {best.variant}, {gap}"
        else:
            words = f"law `{self.law}`: undecided; {best.variant} is {gap}, and best in {best.wins:.0%} of the refits"
        words = f"{words}; choosing it loses {short(best.regret, digits=2)} nats on average"
        if self.seen and self.seen[0] != best.variant:
            words = f"{words}; among runs of all variants {self.seen[0]} was best, and that is often the better guess"
        elif self.seen:
            words = f"{words}; it was best among runs of all variants too"
        return words


def choose_variant(
    fits: Mapping[str, Fit], at: Mapping[str, float], *, level: float = 0.95, resamples: int = RESAMPLES
) -> VariantChoice:
    """Compare variants at a scale by laws fitted to each alone.

    Args:
        fits: by variant, all of one law.
        at: the columns that the law reads.
        level: of all differences from the best together (Bonferroni).
        resamples: refits of each law.

    Raises:
        ConfigError: there are fewer than two variants, or several laws.
    """
    if len(fits) < 2 or len({one.law for one in fits.values()}) > 1:
        raise ConfigError("a choice takes at least two variants, all fitted with one law", field="fits")
    surfaces = {name: Surface.of(one, resamples=resamples, seed=seed) for seed, (name, one) in enumerate(fits.items())}
    names = list(fits)
    losses = np.stack([surfaces[name].loss(at)[:, 0] for name in names])  # (variants, K)
    order = np.argsort(losses[:, 0], kind="stable")
    best = int(order[0])
    least = losses[:, 1:].min(axis=0)
    shared = 1 - (1 - level) / (len(names) - 1)
    gaps = {int(row): Quantity.of(losses[row] - losses[best], level=shared) for row in order}
    return VariantChoice(
        law=next(iter(fits.values())).law,
        at=dict(at),
        variants=tuple(
            VariantAt(
                variant=names[row],
                loss=Quantity.of(losses[row]),
                difference=gaps[int(row)],
                wins=float(np.mean(losses[row, 1:] <= least)),
                regret=float(np.mean(losses[row, 1:] - least)),
            )
            for row in order
        ),
        decided=all((gap.low or 0) > 0 for row, gap in gaps.items() if row != best),
        seen=_seen(fits),
        beyond=float(training_flops(at["n_params"], at["n_tokens"]))
        / max(one.largest_compute for one in surfaces.values())
        if {"n_params", "n_tokens"} <= set(at)
        else 1.0,
    )


def _seen(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """Variants by mean loss at the largest size and budget that each of them was run at."""
    runs = pl.concat(
        [
            fit.table.frame.select("n_params", "n_tokens", "loss").with_columns(variant=pl.lit(name))
            for name, fit in fits.items()
        ]
    )
    points = runs.group_by("n_params", "n_tokens").agg(pl.col("variant").n_unique())
    common = points.filter(pl.col("variant") == len(fits))
    if common.is_empty():
        return ()
    largest = common.sort(pl.col("n_params") * pl.col("n_tokens")).tail(1).drop("variant")
    found = runs.join(largest, on=["n_params", "n_tokens"]).group_by("variant").agg(pl.col("loss").mean())
    return tuple(found.sort("loss", "variant")["variant"])
