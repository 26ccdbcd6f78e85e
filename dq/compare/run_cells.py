"""Cells of a table of runs as they stand in its file, each with its place, so that an error can name it."""

from __future__ import annotations

import csv
import io
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from dq.errors import ConfigError, InputError, cause_of, nearest

SEPARATORS = ",;\t"
EMPTY = ("", "na", "n/a", "null", "none")
"""What a cell says where it says nothing, in lower case. "nan" is a value: it is how a run that diverged looks."""
CONDITION = re.compile(r"\s*(?P<name>.*?)\s*(?P<sign>!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)
SIGNS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Cells:
    """A table of one file: rows that know where they stand in it.

    Attributes:
        file: its path, for messages.
        table: the rows.
        places: of each row: its line in a CSV file, else its number from 1.
        unit: "line" or "row".
        owned: the file's own name of each column that was renamed.
    """

    file: str
    table: pl.DataFrame
    places: Sequence[int]
    unit: str
    owned: Mapping[str, str]

    @classmethod
    def of(cls, table: pl.DataFrame, *, name: str) -> Cells:
        """A table in memory."""
        return cls(name, table, range(1, len(table) + 1), "row", {})

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> list[str]:
        """Columns, as the file or the mapping calls them."""
        return self.table.columns

    def place(self, row: int) -> str:
        """Where a row stands in the file."""
        return f"{self.unit} {self.places[row]:,}"

    def own(self, name: str) -> str:
        """What the file calls a column."""
        return self.owned.get(name, name)

    def told_apart(self, one: int, other: int) -> tuple[str, str] | None:
        """The first column of text, by the file's own name, in which two rows differ, and what the first says there."""
        for name in self.names:
            mine = self.table[name][one]
            is_text = isinstance(mine, str) and mine.isprintable() and not _empty(mine) and _number(mine) is None
            if is_text and mine != self.table[name][other]:
                return self.own(name), mine
        return None

    def renamed(self, columns: Mapping[str, str]) -> Cells:
        """The same table under our names, given its own by ours."""
        for ours, own in columns.items():
            if own not in self.names:
                message = f"{self.file}: {nearest(own, self.names, what='column')}"
                raise ConfigError(f"{message} (for {ours})", field="columns")
        hidden = [ours for ours, own in columns.items() if ours in self.names and ours != own]
        copies = [pl.col(own).alias(ours) for ours, own in columns.items()]
        others = [name for name in self.names if name not in {*hidden, *columns.values()}]
        return replace(self, table=self.table.select(*copies, *others), owned=dict(columns))

    def where(self, conditions: Sequence[str]) -> Cells:
        """The rows that meet every condition."""
        keep = [True] * len(self)
        for condition in conditions:
            found = CONDITION.fullmatch(condition)
            if found is None or not found["name"]:
                raise ConfigError(
                    f"`{condition}` is no condition; write COLUMN=VALUE, or !=, <, <=, >, >=", field="where"
                )
            if found["name"] not in self.names:
                raise ConfigError(f"{self.file}: {nearest(found['name'], self.names, what='column')}", field="where")
            holds = _test(found["sign"], found["value"], condition)
            keep = [so_far and holds(value) for so_far, value in zip(keep, self.table[found["name"]], strict=True)]
        if conditions and not any(keep):
            raise InputError(f"{self.file}: no row meets {' and '.join(conditions)}; see the table's values")
        places = [place for place, stays in zip(self.places, keep, strict=True) if stays]
        return replace(self, table=self.table.filter(pl.Series(keep, dtype=pl.Boolean)), places=places)

    def frame(self, *, numbers: Sequence[str], texts: Sequence[str]) -> pl.DataFrame:
        """The cells by type: some columns are numbers, some text, others numbers where every cell is one.

        Raises:
            InputError: a cell of a column of numbers is none.
        """
        columns = []
        for name in self.names:
            values = self.table[name].to_list()
            if name in texts:
                columns.append(pl.Series(name, [None if _empty(one) else str(one) for one in values], dtype=pl.String))
                continue
            parsed = [_number(one) for one in values]
            bad = [
                row
                for row, (one, given) in enumerate(zip(parsed, values, strict=True))
                if one is None and not _empty(given)
            ]
            if bad and name in numbers:
                shown = str(values[bad[0]])[:40]
                raise InputError(
                    f"{self.file}, {self.place(bad[0])}, column `{self.own(name)}`: {shown!r} is no number; correct "
                    "it or leave the row out"
                )
            columns.append(self.table[name] if bad else pl.Series(name, parsed, dtype=pl.Float64))
        return pl.DataFrame(columns)


def read_cells(path: Path) -> Cells:
    """Every cell of a CSV or Parquet file.

    Raises:
        InputError: the file cannot be read, or a row of it has more or fewer cells than its header.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({cause_of(error)}); name a CSV or Parquet table of runs") from None
    try:
        if raw.startswith(b"PAR1"):
            return Cells.of(pl.read_parquet(raw), name=str(path))
        return _from_csv(path, raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, csv.Error, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: neither CSV in UTF-8 nor Parquet ({cause_of(error)})") from None


def _from_csv(path: Path, text: str) -> Cells:
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(SEPARATORS, key=first.count), strict=True)
    header: list[str] = []
    rows, places = [], []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {reader.line_num:,}: {len(cells)} cells where the header names {len(header)} columns"
            )
        rows.append(cells)
        places.append(reader.line_num)
    if not header:
        raise InputError(f"{path}: empty; a table of runs has a header and a row a run")
    if repeated := [name for name in header if header.count(name) > 1]:
        raise InputError(f"{path}: two columns are called {repeated[0]!r}; rename one")
    table = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")
    return Cells(str(path), table, places, "line", {})


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in EMPTY)


def _number(value: Any) -> float | None:
    """A cell as a number. Python's own grammar would take `1_000` too, which no other tool reads so."""
    if isinstance(value, str) and "_" in value:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _test(sign: str, wanted: str, condition: str) -> Any:
    """Whether a cell meets a condition: as a number where both are numbers, else as text."""
    compare, number = SIGNS[sign], _number(wanted)
    if number is None and sign not in ("=", "!="):
        raise ConfigError(f"`{condition}`: {wanted!r} is no number to compare with", field="where")

    def holds(value: Any) -> bool:
        if _empty(value):
            return False
        mine = _number(value)
        if number is not None and mine is not None:
            return bool(compare(mine, number))
        return sign in ("=", "!=") and bool(compare(str(value).strip(), wanted))

    return holds
