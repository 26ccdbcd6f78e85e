"""The cells of a study: each combination of its sizes, budgets, rates and decays, as a study of one value each.

A cell is compared alone, by the same code as a study that has no others: losses at two budgets or rates are never
pooled. Its folder is named by the budget and by what the study lists beside it, so that a list may grow later.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.store import Workspace
from dq.study.config import ONE_OF, RATES, StudyConfig
from dq.training import find_size, rates


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes:
        config: a study of this size, budget, rate and decay alone.
        listed: what the study lists beside its budgets, and which of it this is: ``{"size": "0.1M", "rate": "0.5x"}``.
    """

    config: StudyConfig
    listed: dict[str, str]

    @property
    def settings(self) -> tuple[str, ...]:
        """The parts of the folder's name behind the budget, such as ``0.1M`` and ``rate0.5x``."""
        return tuple(value if name == "size" else f"{name}{value}" for name, value in self.listed.items())

    @property
    def label(self) -> str:
        """For people, such as ``229,376 tokens, size 0.1M, rate 0.5x``."""
        return ", ".join([f"{self.config.budget_tokens:,} tokens", *(f"{n} {v}" for n, v in self.listed.items())])

    def folder(self, workspace: Workspace) -> Path:
        """Where its result is."""
        return workspace.study(self.config.name, self.config.budget_tokens, *self.settings)


def cells_of(config: StudyConfig) -> tuple[Cell, ...]:
    """Every cell of a study, by size, then budget, rate and decay, as they are listed; one where nothing is listed."""
    axes = [
        config.sizes or (config.size,),
        config.budgets_tokens or (config.budget_tokens,),
        config.learning_rates or (None,),
        config.weight_decays or (None,),
    ]
    return tuple(_cell(config, values) for values in itertools.product(*axes))


def _cell(config: StudyConfig, values: Sequence[Any]) -> Cell:
    size, budget_tokens, rate, decay = values
    listed = {"size": size} if config.sizes else {}
    listed |= {} if rate is None else {"rate": rate if isinstance(rate, str) else _plain(rate)}
    listed |= {} if decay is None else {"decay": _plain(decay)}
    several = dict.fromkeys((*ONE_OF.values(), *RATES.values()))
    one = config.model_copy(update=several | {"size": size, "budget_tokens": budget_tokens})
    training = {"peak_learning_rate": _times_rule(rate, one), "weight_decay": decay}
    stated = {name: value for name, value in training.items() if value is not None}
    return Cell(one.model_copy(update={"training": one.training.model_copy(update=stated)}), listed)


def _times_rule(rate: float | str | None, config: StudyConfig) -> float | None:
    """A rate as a number: ``2x`` is twice what the rule says for the cell."""
    if not isinstance(rate, str):
        return rate
    tokens_per_step = config.training.tokens_per_step
    rule = rates.learning_rate(
        find_size(config.size), tokens_per_step=tokens_per_step, budget_tokens=config.rule_tokens
    )
    return float(f"{float(rate.removesuffix('x')) * rule:.3g}")


def _plain(value: float) -> str:
    """Such as ``0.003`` and ``1e-05``, in characters that names of folders have."""
    return f"{value:g}".replace("+", "")
