"""Signals and verdicts for Ray Data: callables for ``map_batches`` over Arrow tables.

    dataset.map_batches(Score(), batch_format="pyarrow")          further columns: the signals
    dataset.map_batches(Judge(rules), batch_format="pyarrow")     further columns: keep, reasons, not_judged, script
    dataset.map_batches(Keep(rules), batch_format="pyarrow")      the rows that the rules keep

Kernels are compiled once a node and cached; a worker then loads them in a second, and keeps them for all its batches.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from dq.errors import ConfigError
from dq.interop import huggingface
from dq.interop.huggingface import Rules


class Score(huggingface.Score):
    """Adds one column a signal; arguments as of `dq.interop.huggingface.Score`."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The batch with columns of signals."""
        return _beside(_table(batch), self.scores(batch))


class Judge(Rules):
    """Adds ``keep`` (bool), ``reasons``, ``not_judged`` and ``script``, as `dq.interop.huggingface.Judge` does."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The batch with columns of verdicts."""
        return _beside(_table(batch), self.verdicts(batch))


class Keep(Rules):
    """Keeps the rows that every rule accepts."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The rows of the batch that are kept."""
        return _table(batch).filter(self.verdicts(batch)["keep"].to_arrow())


def _table(batch: pa.Table) -> pa.Table:
    if not isinstance(batch, pa.Table):
        raise ConfigError(f'a {type(batch).__name__} in place of an Arrow table; pass batch_format="pyarrow"')
    return batch


def _beside(batch: pa.Table, columns: pl.DataFrame) -> pa.Table:
    """The batch with further columns; one of the same name is replaced, as `Dataset.map` of `datasets` does."""
    kept = batch.drop_columns([name for name in columns.columns if name in batch.column_names])
    for name, values in zip(columns.columns, columns.to_arrow().columns, strict=True):
        kept = kept.append_column(name, values)
    return kept
