"""Questions about thresholds, answered from a table of signals without reading the text again.

What would each value of a threshold keep (`sweep`); what does each rule drop alone, first and with others
(`attribution`); which threshold gives so many tokens or documents (`solve`); what became of each source
(`by_source`). The best share of each source is a rule itself: ``dq.quality.rules.QuantileRule``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from dq.errors import BudgetError, ConfigError
from dq.executors import require_live_polars
from dq.quality.rule_kinds import Rule
from dq.quality.rules import RuleSet

Bound = Literal["minimum", "maximum"]


@dataclass(frozen=True)
class Solution:
    """A threshold that keeps about what was asked for."""

    rule: Rule
    """The rule with its bound moved."""
    kept_documents: int
    """Documents that all rules then keep."""
    kept_weight: float
    """Their weight: tokens, characters, or documents where no weight was given."""


def _weights(scores: pl.DataFrame, weight: str | None) -> pl.Series:
    if weight is None:
        return pl.Series("weight", np.ones(scores.height))
    if weight not in scores.columns:
        raise ConfigError(f"no column `{weight}` to weigh documents by; the table has: {', '.join(scores.columns[:8])}")
    column = scores[weight]
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise ConfigError(f"column `{weight}` holds {column.dtype}, not numbers to weigh documents by; name another")
    return column.cast(pl.Float64).fill_null(0.0)


def sweep(
    scores: pl.DataFrame, rules: RuleSet, reason: str, *, values: Sequence[float], weight: str | None = None
) -> pl.DataFrame:
    """What the set would keep at each value of one rule's bound; the rule must have one bound, not two.

    Returns:
        One row a value: value, kept_documents, kept_weight, kept_fraction (of the weight).

    Raises:
        ConfigError: no rule gives this reason, or it has two bounds.
    """
    require_live_polars()
    rule, bound = _one_bound(rules, reason)
    others = RuleSet(name=rules.name, rules=tuple(r for r in rules.rules if r.reason != reason))
    weights = _weights(scores, weight)
    rest = scores.select(others.keep()).to_series()
    total = float(weights.sum())
    rows = []
    for value in values:
        moved = rule.model_copy(update={bound: float(value)})
        keep = rest & ~scores.select(moved.fails()).to_series()
        kept = float(weights.filter(keep).sum())
        rows.append((float(value), int(keep.sum()), kept, kept / total if total else None))
    schema = {"value": pl.Float64, "kept_documents": pl.Int64, "kept_weight": pl.Float64, "kept_fraction": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _one_bound(rules: RuleSet, reason: str) -> tuple[Rule, Bound]:
    for rule in rules.rules:
        if rule.reason == reason:
            if not isinstance(rule, Rule):
                raise ConfigError(f"the rule `{reason}` has no fixed bound to move: it ranks, or goes by label")
            if rule.minimum is not None and rule.maximum is not None:
                raise ConfigError(f"the rule `{reason}` has two bounds; write it as two rules and move one")
            return rule, "maximum" if rule.minimum is None else "minimum"
    known = ", ".join(rule.reason for rule in rules.rules)
    raise ConfigError(f"no rule of `{rules.name}` gives the reason `{reason}`; its reasons: {known}")


def attribution(
    scores: pl.DataFrame, rules: RuleSet, *, weight: str | None = None, strict: bool = False
) -> pl.DataFrame:
    """What each rule drops: alone, as the last one, and in all.

    Returns:
        One row a rule: reason; ``drops``, the documents that fail it; ``drops_alone``, those that fail no other (what
        would come back without it, the rule as the last one); ``first``, those that no earlier rule drops (what a chain
        of filters would report); the same by weight where one is given; ``together`` in the last row, ``(any)``.
    """
    require_live_polars()
    fails = scores.select(rule.fails(strict=strict).alias(rule.reason) for rule in rules.rules)
    weights = _weights(scores, weight).to_numpy()
    matrix = fails.to_numpy().reshape(scores.height, len(rules.rules))
    failed = matrix.sum(axis=1)
    earlier = np.cumsum(matrix, axis=1) - matrix
    masks = {"drops": matrix, "drops_alone": matrix & (failed == 1)[:, None], "first": matrix & (earlier == 0)}
    data: dict[str, list[str] | list[int] | list[float]] = {"reason": [*fails.columns, "(any)"]}
    for name, mask in masks.items():
        data[name] = [*mask.sum(axis=0).tolist(), int(mask.any(axis=1).sum())]
        if weight is not None:
            data[f"{name}_{weight}"] = [*(weights @ mask).tolist(), float(weights @ mask.any(axis=1))]
    return pl.DataFrame(data)


def solve(scores: pl.DataFrame, rules: RuleSet, reason: str, *, target: float, weight: str | None = None) -> Solution:
    """Move one rule's bound so that the whole set keeps at least ``target``, and as little more as possible.

    Args:
        scores: a table of signals, with the ``weight`` column.
        rules: the set; its other rules stay.
        reason: which rule's bound to move.
        target: weight to keep: tokens, or documents where ``weight`` is None.
        weight: column to count, such as ``tokens`` or ``char_count``.

    Raises:
        BudgetError: even without this rule the set keeps less than the target.
        ConfigError: no rule gives this reason, or it has two bounds.
    """
    require_live_polars()
    rule, bound = _one_bound(rules, reason)
    others = RuleSet(name=rules.name, rules=tuple(r for r in rules.rules if r.reason != reason))
    # Documents that this rule cannot drop, because its signal is null or they have too few lines, are kept anyway.
    judged = pl.col(rule.signal).is_not_null() & rule.judges()
    columns = scores.select(others.keep().alias("keep"), judged.alias("judged"), pl.col(rule.signal).alias("value"))
    table = columns.with_columns(_weights(scores, weight).alias("weight")).filter(pl.col("keep"))
    available = float(table["weight"].sum())
    if available < target:
        what = weight or "documents"
        raise BudgetError(f"the other rules of `{rules.name}` keep only {available:,.0f} {what} of {target:,.0f} asked")
    always = float(table.filter(~pl.col("judged"))["weight"].sum())
    best = table.filter(pl.col("judged")).group_by("value").agg(pl.col("weight").sum())
    best = best.sort("value", descending=bound == "minimum")
    reached = always + np.cumsum(best["weight"].to_numpy())
    if always >= target or not len(reached):
        # Even dropping all that can be dropped keeps enough: put the bound at the best value and keep those only.
        position = 0
    else:
        position = min(int(np.searchsorted(reached, target)), len(reached) - 1)
    threshold = float(best["value"][position]) if best.height else float(getattr(rule, bound))
    solved = rule.model_copy(update={bound: threshold, f"open_{bound}": False})
    keep = table.select(
        ~solved.model_copy(update={"signal": "value", "min_lines": None, "any_script": True}).fails()
        | ~pl.col("judged")
    )
    kept = table.filter(keep.to_series())
    return Solution(solved, kept.height, float(kept["weight"].sum()))


def by_source(verdict: pl.DataFrame, source: pl.Series) -> pl.DataFrame:
    """Kept and dropped documents of a verdict by source and reason: source, documents, kept, and a list of counts."""
    require_live_polars()
    table = verdict.with_columns(source.alias("source"))
    totals = table.group_by("source").agg(pl.len().alias("documents"), pl.col("keep").sum().alias("kept"))
    reasons = (
        table.select("source", "reasons")
        .explode("reasons")
        .drop_nulls("reasons")
        .group_by("source", "reasons")
        .len("dropped")
        .sort("source", "dropped", "reasons", descending=[False, True, False])
    )
    pairs = pl.struct(reason="reasons", dropped="dropped").alias("reasons")
    listed = reasons.group_by("source", maintain_order=True).agg(pairs)
    return totals.join(listed, on="source", how="left").sort("source")
