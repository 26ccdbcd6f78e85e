"""What a variant's tokens are worth in a study of several budgets, apart for each size, rate and decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dq.compare import TokenEquivalence, levels_of_losses, token_equivalence
from dq.results import Result

if TYPE_CHECKING:
    from dq.study.grid_result import CellResult


@dataclass(frozen=True, kw_only=True)
class StudyEquivalence(Result):
    """The cells of a study that differ in their budget alone."""

    listed: dict[str, str]
    """What else the study lists, and which of it they are: ``{"size": "0.1M"}``."""
    found: TokenEquivalence


def equivalences(cells: Sequence[CellResult], *, baseline: str) -> tuple[StudyEquivalence, ...]:
    """Look up every variant on the baseline's curve, wherever the baseline has two budgets or more."""
    groups: dict[tuple[tuple[str, str], ...], list[pl.DataFrame]] = {}
    for cell in cells:
        if cell.result is None:
            continue
        levels = levels_of_losses(
            cell.result.losses.filter(pl.col("variant").is_in(list(cell.result.config.variants))),
            sets=cell.result.comparison.neutral_sets,
            n_tokens=cell.budget_tokens,
        )
        groups.setdefault(tuple(cell.listed.items()), []).append(levels)
    return tuple(
        StudyEquivalence(listed=dict(listed), found=token_equivalence(pl.concat(levels), baseline=baseline))
        for listed, levels in groups.items()
        if len(levels) > 1
    )
