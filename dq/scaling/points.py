"""Where a law is evaluated: columns of numbers, a value a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from dq.errors import FitError, nearest

MOST_LOG_LOSS = 100.0
FloatArray: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
IntArray: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
FLOPS_PER_PARAMETER_AND_TOKEN = 6.0
"""Forward and backward (Kaplan 2020), for tables that have no column ``flops``."""


@dataclass(frozen=True)
class Points:
    """Columns of equal length. The logarithm of a column that holds 0 is -inf, which a law must expect of ``dose``."""

    columns: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> FloatArray:
        """A column, float64 of shape (n,)."""
        return self.columns[name]

    def log(self, name: str) -> FloatArray:
        """Its natural logarithm."""
        with np.errstate(divide="ignore"):
            logarithm: FloatArray = np.log(self.columns[name])
        return logarithm

    def rows(self, index: IntArray | slice) -> Points:
        """Some rows of it."""
        return Points({name: column[index] for name, column in self.columns.items()})

    @classmethod
    def of(cls, table: pl.DataFrame, names: Sequence[str], *, what: str) -> Points:
        """The named columns of a table.

        Args:
            table: of runs, or of points to predict.
            names: of the columns that a law reads.
            what: what reads them, for messages: ``"law `noise`"``.

        Raises:
            FitError: a column is missing or holds no number.
        """
        found = {}
        for name in names:
            if name not in table.columns:
                known = [one for one in table.columns if table[one].dtype.is_numeric()]
                raise FitError(f"{what} needs column `{name}`: {nearest(name, known, what='column')}", field="columns")
            column = table[name]
            if not column.dtype.is_numeric():
                raise FitError(f"{what}: column `{name}` holds {column.dtype}, not numbers", field="columns")
            values = column.cast(pl.Float64)
            if values.null_count() or not values.is_finite().all():
                row = int((values.is_null() | ~values.is_finite().fill_null(value=False)).arg_max() or 0)
                raise FitError(f"{what}: column `{name}` has no number in row {row + 1}", field="columns")
            found[name] = values.to_numpy().astype(np.float64)
        return cls(found)


def as_loss(log_loss: FloatArray) -> FloatArray:
    """Nats of log losses; an interval without an end in sight is one to `MOST_LOG_LOSS`, for infinity is not JSON."""
    loss: FloatArray = np.exp(np.clip(log_loss, -MOST_LOG_LOSS, MOST_LOG_LOSS))
    return loss


def compute_of(table: pl.DataFrame) -> FloatArray:
    """Training FLOPs of each row: the table's own where it has them, else 6 N D."""
    if "flops" in table.columns and not table["flops"].null_count():
        return table["flops"].cast(pl.Float64).to_numpy()
    flops: FloatArray = (
        FLOPS_PER_PARAMETER_AND_TOKEN * table["n_params"].to_numpy().astype(np.float64) * table["n_tokens"].to_numpy()
    )
    return flops
