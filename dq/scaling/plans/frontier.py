"""The best split and what a doubling buys along compute, for figures."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dq.scaling.plans.optimal import RULE, compute_optimal
from dq.scaling.plans.quantity import Quantity
from dq.scaling.plans.saturation import doubling
from dq.scaling.plans.surface import Surface
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN


def frontier(surface: Surface, flops: Sequence[float]) -> pl.DataFrame:
    """A law's best split at each compute.

    Returns:
        ``flops``, ``rule`` (parameters with 20 tokens each), and three columns each for ``n_params``, ``loss`` and
        ``share`` (of the loss that a doubling removes): the value, ``_low`` and ``_high``; null where there is none.
    """
    rows = []
    for one in flops:
        plan = compute_optimal(surface, one)
        found = {"n_params": plan.n_params, "loss": plan.loss, "share": doubling(surface, one).share}
        rule = (one / (FLOPS_PER_PARAMETER_AND_TOKEN * RULE)) ** 0.5
        rows.append({"flops": one, "rule": rule, **{k: v for name, q in found.items() for k, v in _ends(name, q)}})
    return pl.DataFrame(rows, infer_schema_length=None)


def _ends(name: str, found: Quantity) -> list[tuple[str, float | None]]:
    return [(name, found.value), (f"{name}_low", found.low), (f"{name}_high", found.high)]
