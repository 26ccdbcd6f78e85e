"""A table of runs, whoever made it: any CSV or Parquet file as one checked frame that comparisons and laws read.

A fit takes whatever numbers it is given and returns a curve, so everything that would bend it silently is an error here
(a loss that is no number, a run counted twice, trunk and cooled points in one table) or, where it may be meant, a
warning.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.arguments import instance
from dq.compare.run_cells import Cells, read_cells
from dq.errors import CompareError, ConfigError, InputError, listed, nearest
from dq.results import Result

REQUIRED = ("n_params", "n_tokens", "loss")
"""Parameters (count them one way throughout), tokens trained on, and the final loss in nats a token."""
NUMBERS = (*REQUIRED, "n_params_total", "n_unique", "epochs", "dose", "flops", "budget")
"""``n_params_total`` counts embeddings too, ``n_unique`` the distinct tokens, ``dose`` is a share of noise."""
TEXTS = ("run", "variant", "size", "seed", "kind")
"""``run`` names the training run that a row was read from; ``kind`` is "trunk" or "cooled"."""
POSITIVE = tuple(name for name in NUMBERS if name != "dose")
OTHER_NAMES = {
    "n_params": ("n", "params", "parameters", "model_size", "num_params", "non_embedding"),
    "n_tokens": ("d", "tokens", "tokens_seen", "training_tokens", "num_tokens"),
    "loss": ("l", "val_loss", "final_loss", "eval_loss", "test_loss", "loss_nats"),
}  # fmt: skip
MISMATCH = 0.02
"""Epochs and unique tokens that contradict each other by more than this share."""
FEW_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class RunTable(Result):
    """Checked runs, a row a point.

    ``frame`` has float columns ``n_params``, ``n_tokens`` and ``loss``; those of `NUMBERS` and `TEXTS` that the table
    had; ``n_unique`` and ``epochs`` where either was given; and every other column as it was read.
    """

    FRAME: ClassVar[str] = "frame"

    name: str
    """The file, or what an error calls the table."""
    frame: pl.DataFrame
    warnings: tuple[str, ...]

    def has(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in self.frame.columns

    @classmethod
    def of(
        cls,
        runs: pl.DataFrame | RunTable,
        *,
        columns: Mapping[str, str] | None = None,
        needs: Sequence[str] = REQUIRED,
        name: str = "runs",
    ) -> RunTable:
        """Check a frame of runs that is already in memory; see `read_runs`.

        Raises:
            ConfigError, CompareError, InputError: as `read_runs`.
        """
        if isinstance(runs, RunTable):
            return runs
        remedy = "pass a polars DataFrame, or read a file with `read_runs`"
        cells = Cells.of(instance(runs, pl.DataFrame, name="runs", remedy=remedy), name=name)
        return _checked(cells, columns or {}, needs=needs)


def read_runs(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    where: Sequence[str] = (),
    needs: Sequence[str] = REQUIRED,
) -> RunTable:
    """Read a CSV or Parquet table of runs.

    Args:
        path: of the file; CSV with a header, separated by commas, semicolons or tabs, or Parquet.
        columns: the table's own names of columns, by ours: ``{"n_params": "N", "loss": "val_loss"}``.
        where: conditions on rows by the table's own names, all of which hold: ``["seed=1", "loss<4"]``; a row without
            a value meets none.
        needs: columns that must be there: those of a law; a comparison at one size needs no ``n_params``.

    Raises:
        ConfigError: the mapping or a condition names a column that is not there.
        InputError: the file cannot be read, or a value in it cannot be used: names the line and the column.
        CompareError: rows contradict each other, or must not stand in one table.
    """
    return _checked(read_cells(Path(path)).where(where), columns or {}, needs=needs)


def _checked(cells: Cells, columns: Mapping[str, str], *, needs: Sequence[str]) -> RunTable:
    known = (*NUMBERS, *TEXTS)
    for ours in columns:
        if ours not in known:
            raise ConfigError(nearest(ours, known, what="kind of column"), field="columns")
    cells = cells.renamed(columns)
    for ours in needs:
        if ours not in cells.names:
            raise ConfigError(_no_column(cells, ours), field="columns")
    if not len(cells):
        raise InputError(f"{cells.file}: no rows of runs; nothing can be fitted or compared")
    frame = cells.frame(numbers=[name for name in NUMBERS if name in cells.names], texts=TEXTS)
    _check_values(cells, frame)
    frame, warnings = _with_epochs(cells, frame)
    _check_kinds(cells, frame)
    spread = _spread(cells, frame) if "n_params" in needs else []
    return RunTable(name=cells.file, frame=frame, warnings=(*warnings, *_repeated_rows(cells, frame), *spread))


def _no_column(cells: Cells, ours: str) -> str:
    by_key = {name.casefold(): name for name in cells.names}
    wanted = (ours, *OTHER_NAMES[ours])
    near = next((by_key[one] for one in wanted if one in by_key), None)
    near = near or next(iter(difflib.get_close_matches(ours, by_key, n=1, cutoff=0.5)), None)
    example = f"map it: {ours}={near or 'NAME'}"
    return f"{cells.file}: no column `{ours}`; there are {listed(cells.names)}; {example}"


def _check_values(cells: Cells, frame: pl.DataFrame) -> None:
    for name in NUMBERS:
        if name not in frame.columns:
            continue
        column = pl.col(name)
        faults = {"infinite or NaN": ~column.is_finite()}
        if name in REQUIRED:
            faults = {"missing": column.is_null()} | faults
        if name in POSITIVE:
            faults["not above 0"] = column <= 0
        else:
            faults["not a share from 0 to 1"] = (column < 0) | (column > 1)
        for fault, condition in faults.items():
            bad = frame.select(condition.fill_null(value=False).arg_true()).to_series().to_list()
            if bad:
                more = f" (and {len(bad) - 1:,} more rows)" if len(bad) > 1 else ""
                remedy = "did the run diverge? leave the row out" if name == "loss" else "correct it or leave it out"
                raise InputError(
                    f"{cells.file}, {cells.place(bad[0])}, column `{cells.own(name)}`: the value is {fault}{more}; "
                    f"{remedy}"
                )


def _with_epochs(cells: Cells, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Unique tokens and epochs, each from the other where only one is given; at most the tokens trained on."""
    unique, tokens = pl.col("n_unique"), pl.col("n_tokens")
    if "n_unique" not in frame.columns:
        if "epochs" not in frame.columns:
            return frame, []
        return frame.with_columns(n_unique=tokens / pl.max_horizontal(pl.col("epochs"), 1.0)), []
    if frame["n_unique"].null_count():
        row = int(frame["n_unique"].is_null().arg_max() or 0)
        raise InputError(
            f"{cells.file}, {cells.place(row)}, column `{cells.own('n_unique')}`: no value; give unique tokens for "
            "every row or leave the column out"
        )
    frame = frame.with_columns(n_unique=pl.min_horizontal(unique, tokens))
    warnings = []
    if "epochs" in frame.columns:
        wrong = ((pl.col("epochs") * unique / tokens - 1).abs() > MISMATCH) & (pl.col("epochs") >= 1)
        bad = frame.select(wrong.fill_null(value=False).arg_true()).to_series().to_list()
        if bad:
            one = frame.row(bad[0], named=True)
            warnings.append(
                f"{cells.file}, {cells.place(bad[0])}: {one['epochs']:g} epochs of {one['n_unique']:g} unique tokens "
                f"are not {one['n_tokens']:g} tokens ({len(bad):,} such rows); laws use tokens and unique tokens"
            )
    return frame.with_columns(epochs=tokens / unique), warnings


def _check_kinds(cells: Cells, frame: pl.DataFrame) -> None:
    """Losses on a trunk lie above cooled ones by a nearly constant gap and fall at another rate (Gemstones 2025)."""
    if "kind" not in frame.columns:
        return
    kinds = frame["kind"]
    for row, kind in enumerate(kinds):
        if kind not in ("trunk", "cooled"):
            raise InputError(
                f"{cells.file}, {cells.place(row)}, column `{cells.own('kind')}`: {kind!r} is neither 'trunk' nor "
                "'cooled'; correct it or leave the column out"
            )
    if kinds.n_unique() > 1:
        counts = " and ".join(f"{(kinds == kind).sum():,} {kind}" for kind in ("trunk", "cooled"))
        raise CompareError(
            f"{cells.file}: {counts} points in one table, which no law fits together; keep one kind, such as "
            f"where {cells.own('kind')}=cooled"
        )


def _repeated_rows(cells: Cells, frame: pl.DataFrame) -> list[str]:
    """A run that is counted twice: an error where its name shows it, else a warning."""
    if "run" in frame.columns:
        point = [name for name in ("run", "n_tokens") if name in frame.columns]
        if pair := _first_repeat(frame.select(point)):
            raise CompareError(
                f"{cells.file}, {cells.place(pair[0])} and {cells.place(pair[1])}: run {frame['run'][pair[0]]!r} has "
                f"two rows at the same tokens; {_choice(cells, pair)}",
                field="where",
            )
        return []
    known = [name for name in (*NUMBERS, *TEXTS) if name in frame.columns]
    if pair := _first_repeat(frame.select(known)):
        return [
            f"{cells.file}, {cells.place(pair[0])} and {cells.place(pair[1])} are the same point; if one run is "
            "counted twice, intervals come out too short: leave one out"
        ]
    return []


def _choice(cells: Cells, pair: tuple[int, int]) -> str:
    """What keeps one of two rows of a run at the same tokens: as a rule it was evaluated on several held-out sets."""
    if (apart := cells.told_apart(*pair)) is None:
        return "leave one out by `where`, or of the table"
    name, value = apart
    return f"they differ in {name}: choose one, such as a held-out set, by `where` {shlex.quote(f'{name}={value}')}"


def _first_repeat(frame: pl.DataFrame) -> tuple[int, int] | None:
    repeated = frame.is_duplicated()
    if not repeated.any():
        return None
    first = int(repeated.arg_max() or 0)
    same = frame.with_row_index("row").filter(repeated)
    mine = same.join(frame[first : first + 1], on=frame.columns, nulls_equal=True)
    return first, int(mine["row"].sort()[1])


def _spread(cells: Cells, frame: pl.DataFrame) -> list[str]:
    found = []
    if len(frame) < FEW_RUNS:
        found.append(f"{cells.file}: {len(frame)} runs; a law needs more runs than it has parameters")
    for name, what in (("n_params", "size"), ("n_tokens", "number of tokens")):
        if len(frame) > 1 and frame[name].n_unique() == 1:
            found.append(
                f"{cells.file}: every run has the same {what} ({frame[name][0]:,.0f}), so how the loss changes with it "
                "is unknown"
            )
    return found
