"""Whole tables of runs compared: cell by cell (a size and a budget), and along the budgets of each size.

Losses at two sizes or budgets are never pooled. A group is what differs in its budgets and variants alone; a cell is a
group at one budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dq.compare.equivalence import matched_by
from dq.compare.groups import ONE_EPOCH, Cell, GroupComparison, arms_of, compare_group
from dq.compare.levels import read_levels
from dq.compare.proxies import Proxies, proxies_of
from dq.compare.reference import Reference
from dq.compare.run_tables import RunTable
from dq.compare.verdict import check_margin
from dq.errors import CompareError, ConfigError, listed, nearest
from dq.results import Result

BASELINES = ("raw", "baseline", "base")
"""What the baseline of a table is called, if nothing is said."""
MANY = " k="
"""Between a variant and how often it sees its text, in the name of an arm."""
NEEDS = ("n_tokens", "loss")


@dataclass(frozen=True, kw_only=True)
class RunsComparison(Result):
    """A table of runs compared."""

    name: str
    """The file's or the study's."""
    baseline: str
    margin: float | None
    """In the unit of the losses."""
    unit: str
    """Of the losses."""
    groups: tuple[GroupComparison, ...]
    notes: tuple[str, ...]

    @property
    def proxies(self) -> Proxies | None:
        """Every size and budget as a proxy of the largest."""
        return proxies_of(self.groups)

    def record(self) -> dict[str, Any]:
        """Every field, and the proxies."""
        return {**super().record(), "proxies": self.proxies}

    def to_frame(self) -> pl.DataFrame:
        """Differences from the baseline: a row a group, budget and variant."""
        rows = [
            {"runs": group.runs, "n_tokens": cell.n_tokens, **_flat(one.to_dict())}
            for group in self.groups
            for cell in group.budgets
            for one in cell.found.differences
        ]
        return pl.DataFrame(rows, infer_schema_length=None)


def _flat(row: dict[str, object]) -> dict[str, object]:
    interval = row.pop("interval")
    ends = interval if isinstance(interval, dict) else {}
    return {**row, "low": ends.get("low"), "high": ends.get("high"), "interval_is": ends.get("label")}


def compare_runs(
    runs: RunTable | pl.DataFrame,
    *,
    baseline: str | None = None,
    margin: float | None = None,
    reference: RunTable | pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> RunsComparison:
    """Compare the variants of a table of runs, apart for each size and budget, and along the budgets.

    Args:
        runs: of `dq.compare.read_runs`, or a frame of the same columns: ``variant``, ``n_tokens``, ``loss``; ``seed``,
            ``size`` or ``n_params``, ``epochs`` or ``n_unique`` as far as they are known. Where a variant has several
            numbers of epochs, each is an arm of its own: ``base k=4``.
        baseline: a variant; by default the one that is called raw, baseline or base.
        margin: the difference that matters, in the unit of the losses; without it nothing is called equivalent.
        reference: a curve from elsewhere, ``n_tokens`` and ``loss`` in the same unit, a row a point: how many of its
            tokens reach what each arm reached. It is taken as exact; of several rows at the same tokens, their mean.
        confidence: of all variants of a cell together.

    Raises:
        ConfigError: the table has no variants, or none that is the baseline.
        CompareError: the rows cannot be used, or no two arms stand at one size and budget or along budgets.
    """
    table = RunTable.of(runs, needs=NEEDS)
    if margin is not None:
        check_margin(margin)
    if not table.has("variant"):
        raise ConfigError(
            f"{table.name}: no column `variant`; name the one that tells arms apart: variant=NAME", field="columns"
        )
    variants = table.frame["variant"].drop_nulls().unique().sort().to_list()
    name = _baseline(table, variants, given=baseline)
    groups = [
        compare_group(label, cells, baseline=name, margin=margin, confidence=confidence)
        for label, cells in _groups(table)
    ]
    if reference is not None:
        elsewhere = RunTable.of(reference, needs=NEEDS, name="reference")
        curve, of = _curve(elsewhere), elsewhere.name
        groups = [
            replace(one, matched=matched_by(arms_of(cells), curve, name=of, confidence=confidence))
            for one, (_, cells) in zip(groups, _groups(table), strict=True)
        ]
    groups = [one for one in groups if one.budgets or one.matched or (one.equivalence and one.equivalence.variants)]
    if not groups:
        raise CompareError(
            f"{table.name}: no variant stands beside {name!r} at one size and budget, or along its budgets; nothing to "
            "compare"
        )
    return RunsComparison(
        name=table.name, baseline=name, margin=margin, unit="loss", groups=tuple(groups), notes=table.warnings
    )


def _curve(reference: RunTable) -> Reference:
    points = reference.frame.group_by("n_tokens").agg(pl.col("loss").mean()).sort("n_tokens")
    try:
        return Reference(tokens=points["n_tokens"].to_numpy(), losses=points["loss"].to_numpy())
    except CompareError as error:
        raise CompareError(f"{reference.name}: {error}") from None


def _baseline(table: RunTable, variants: list[str], *, given: str | None) -> str:
    if given is not None:
        if given not in variants:
            raise ConfigError(f"{table.name}: {nearest(given, variants, what='variant')}", field="baseline")
        return given
    if len(variants) == 1:
        return variants[0]
    for name in BASELINES:
        if name in variants:
            return name
    raise ConfigError(f"{table.name}: which of {listed(variants)} are the others judged against?", field="baseline")


def _groups(table: RunTable) -> Iterator[tuple[str, list[Cell]]]:
    """The cells of every group, by its name."""
    by = next((name for name in ("size", "n_params") if table.has(name)), None)
    frame = _with_epochs_named(table.frame.filter(pl.col("variant").is_not_null()))
    keys = frame[by].unique().sort().to_list() if by else [None]
    for key in keys:
        rows = frame if by is None else frame.filter(pl.col(by).eq_missing(key))
        label = "" if len(keys) == 1 else f"size {key}" if by == "size" else f"{_short(key)} parameters"
        yield label, [_cell(tokens, rows) for tokens in rows["n_tokens"].unique().sort()]


def _with_epochs_named(frame: pl.DataFrame) -> pl.DataFrame:
    """Each number of epochs of a variant as an arm of its own, where the table has several."""
    if "epochs" not in frame.columns:
        return frame
    rounded = frame["epochs"].round_sig_figs(3)
    several = frame.select(pl.col("epochs").round_sig_figs(3).n_unique().over("variant") > 1).to_series()
    names = [
        f"{name}{MANY}{epochs:g}" if many and epochs is not None and epochs > ONE_EPOCH else name
        for name, epochs, many in zip(frame["variant"], rounded, several, strict=True)
    ]
    return frame.with_columns(pl.Series("variant", names, dtype=pl.String))


def _cell(tokens: float, rows: pl.DataFrame) -> Cell:
    here = rows.filter(pl.col("n_tokens") == tokens)
    arms = {name: arm.by_tokens[tokens] for name, arm in read_levels(here).items()}
    epochs: dict[str, float] = {}
    if "epochs" in here.columns:
        epochs = dict(here.group_by("variant").agg(pl.col("epochs").max()).drop_nulls().iter_rows())
    fresh = {name: name.rpartition(MANY)[0] for name in arms if MANY in name}
    return Cell(tokens, arms, epochs, fresh)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
