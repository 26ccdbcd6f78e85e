"""What a study found in all of its cells: one row a cell and variant, never pooled over cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from dq.results import Result, html_table
from dq.store import Workspace, write_json_atomic
from dq.study.cells import Cell
from dq.study.config import StudyConfig
from dq.study.equivalence import StudyEquivalence, equivalences
from dq.study.outcome import StudyResult
from dq.study.runner import MISSING
from dq.training import RunSpec

FILE = "grid.json"
DIVERGED = "diverged"


@dataclass(frozen=True, kw_only=True)
class CellResult(Result):
    """One cell of a study.

    Attributes:
        cell: the name of its folder.
        listed: what the study lists beside its budgets, as it is listed.
        learning_rate: of its runs, by the rule where the study states none; so is the decay.
        result: None where the baseline or all variants diverged or are missing.
        failed: what diverged then, or why it is missing.
    """

    cell: str
    label: str
    size: str
    budget_tokens: int
    learning_rate: float
    weight_decay: float
    listed: dict[str, str]
    result: StudyResult | None
    failed: str

    def verdicts(self, config: StudyConfig) -> dict[str, str]:
        """Of every variant but the baseline: its verdict, or that runs of it diverged or are missing."""
        is_missing = "missing" in self.failed if self.result is None else not self.result.diverged
        found = {} if self.result is None else {one.variant: one for one in self.result.comparison.variants}
        return {
            name: found[name].summary if name in found else MISSING if is_missing else DIVERGED
            for name in config.variants
            if name != config.baseline
        }

    def record(self) -> dict[str, Any]:
        """The cell and, beside it, what its own file holds."""
        about = {name: value for name, value in super().record().items() if name != "result"}
        return about | ({} if self.result is None else self.result.record())


@dataclass(frozen=True, kw_only=True)
class GridResult(Result):
    """A finished study of several cells."""

    config: StudyConfig
    cells: tuple[CellResult, ...]
    changes: tuple[str, ...] = ()
    """Cells that were added or left out since the first run."""

    @cached_property
    def equivalences(self) -> tuple[StudyEquivalence, ...]:
        """What variants' tokens are worth in the baseline's, where it was trained on several budgets."""
        return equivalences(self.cells, baseline=self.config.baseline)

    def record(self) -> dict[str, Any]:
        """What `--json` prints."""
        about = {"study": self.config.name, "config": self.config, "changes": self.changes}
        return {**about, "cells": self.cells, "equivalences": self.equivalences}

    def to_frame(self) -> pl.DataFrame:
        """The comparisons of all cells: a row a cell, variant and set."""
        found = [cell for cell in self.cells if cell.result is not None]
        keys = ("size", "budget_tokens", "learning_rate", "weight_decay")
        return pl.concat([
            cell.result.to_frame().select(*(pl.lit(getattr(cell, key)).alias(key) for key in keys), pl.all())
            for cell in found
            if cell.result is not None
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        """What a notebook shows: a row a cell, its verdicts."""
        names = [name for name in self.config.variants if name != self.config.baseline]
        rows = [(cell.label, *cell.verdicts(self.config).values()) for cell in self.cells]
        return html_table(f"Verdicts against {self.config.baseline}, each cell alone", ("", *names), rows)


def cell_result(cell: Cell, spec: RunSpec, *, result: StudyResult | None = None, failed: str = "") -> CellResult:
    """The record of a cell of which ``spec`` is a run."""
    rates = spec.resolved_training
    return CellResult(
        cell="-".join([str(cell.config.budget_tokens), *cell.settings]),
        label=cell.label,
        size=cell.config.size,
        budget_tokens=cell.config.budget_tokens,
        learning_rate=rates.peak_learning_rate or 0.0,
        weight_decay=rates.weight_decay or 0.0,
        listed=cell.listed,
        result=result,
        failed=failed,
    )


def write_grid(found: GridResult, workspace: Workspace) -> None:
    """Write which cells there are and what each says, beside their folders."""
    about = ("cell", "label", "size", "budget_tokens", "learning_rate", "weight_decay", "listed", "failed")
    cells = [
        {name: getattr(cell, name) for name in about} | {"verdicts": cell.verdicts(found.config)}
        for cell in found.cells
    ]
    write_json_atomic(workspace.grid(found.config.name) / FILE, {**found.to_dict(), "cells": cells})
