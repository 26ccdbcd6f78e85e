"""The column of texts in what other tools hand over, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dq.errors import ConfigError

MAX_COLUMNS = 24  # that a message lists


def texts_of(batch: Any, column: str) -> Any:
    """The texts of a batch, which a dataset hands over as a mapping of columns, or as a table.

    Raises:
        ConfigError: it has no such column, or is one row.
    """
    there = getattr(batch, "column_names", None) or getattr(batch, "columns", None) or batch
    check_column(column, there, of="dataset")
    if isinstance(batch[column], str) or batch[column] is None:
        raise ConfigError("one row in place of a batch; call the dataset's map or filter with batched=True")
    return batch[column]


def check_column(name: str, there: Iterable[str], *, of: str) -> None:
    """Refuse the name of a column that is not there.

    Raises:
        ConfigError: which there are.
    """
    if name not in (names := list(there)):
        listed = ", ".join(map(str, names[:MAX_COLUMNS]))
        raise ConfigError(f"the {of} has no column `{name}`; there are {listed}: name that of the texts by `text`")
