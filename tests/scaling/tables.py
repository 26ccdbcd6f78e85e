"""Tables of runs whose law is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from dq.compare import read_runs
from dq.scaling.known import law_named
from dq.scaling.points import Points
from dq.scaling.space import Space

CHINCHILLA = {"E": 1.82, "A": 482.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366}


def grid(*, sizes: int = 6, budgets: int = 5) -> pl.DataFrame:
    """Sizes from 10M to 1B, each at budgets from 5 to 80 tokens a parameter."""
    n_params = np.geomspace(1e7, 1e9, sizes)
    n_tokens = (n_params[:, None] * np.geomspace(5, 80, budgets)).ravel()
    return pl.DataFrame({"n_params": np.repeat(n_params, budgets), "n_tokens": n_tokens})


def with_loss(
    table: pl.DataFrame, law: str, params: Mapping[str, float], *, noise: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """The table with the loss that a law gives, and relative noise."""
    named = law_named(law, table)
    values = {**named.form.fixed, **params}
    values |= {one: values[other] for one, other in named.form.tied.items() if one not in values}
    space = Space.of(named.law, fixed=values, tied={})
    points = Points.of(table, named.law.columns, what=law)
    clean = named.law.evaluate(points, space.all_of(np.zeros((1, 0)))).log_loss[0]
    drawn = noise * np.random.default_rng(seed).standard_normal(len(table))
    return table.with_columns(loss=pl.Series(np.exp(clean + drawn)))


def public_runs(shared: Path) -> pl.DataFrame:
    """The 240 runs of Besiroglu 2024: without the five largest losses."""
    return read_runs(shared / "data/runs/chinchilla_besiroglu_245.csv").frame.sort("loss").head(240)
