"""Documents divided into outputs: what paths name, and how rows of a piece get into them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dq.corpus.batches import Batch
from dq.corpus.config import InputSpec
from dq.corpus.documents import Carried
from dq.errors import ConfigError
from dq.files.named import Named, lines_writer
from dq.files.own import Names, lines_with, rows_with
from dq.files.tables import table_writer
from dq.quality.urls import json_field


def outputs_of(kept: Path | None, dropped: Path | None, *, field: str = "output") -> dict[str, Named]:
    """What the paths name, by what is in them; ``field`` is the argument that names the kept documents.

    Raises:
        ConfigError: they name no outputs, or one lies in the other.
    """
    named = {"kept": (kept, field), "dropped": (dropped, "dropped")}
    outputs = {name: Named.of(path, field=of) for name, (path, of) in named.items() if path is not None}
    for one, other in itertools.permutations([output.path.resolve() for output in outputs.values()], 2):
        if one in (other, *other.parents):
            raise ConfigError(f"{kept}: kept and dropped documents need two folders, one beside the other")
    return outputs


def followed_link(folder: Path) -> Path:
    """The folder that a link of the user names: stages write into no links."""
    return folder.resolve() if folder.is_symlink() else folder


def carried(outputs: Sequence[Named]) -> Carried:
    """What the outputs need of the rows."""
    lines = {output.kind == "lines" for output in outputs}
    return "columns and lines" if len(lines) == 2 else "lines" if True in lines else "columns" if lines else "meta"


@contextmanager
def adder(output: Named, number: int) -> Iterator[Callable[[InputSpec, Batch, pl.DataFrame | None], None]]:
    """Takes rows of a piece, and why they are there, for an output."""
    if output.kind == "lines":
        with lines_writer(output.piece(number)) as lines:
            yield lambda _spec, batch, why: lines.add(lines_with(_lines_of(batch), why))
    else:
        with table_writer(output.piece(number)) as table:
            yield lambda spec, batch, why: table.add(rows_with(batch, spec, why))


def _lines_of(batch: Batch) -> list[str]:
    return [] if batch.lines is None else list(batch.lines.to_pylist())


def field_of(batch: Batch, name: str) -> pl.Series:
    """A field of the rows as text, null where a row has none; nested by dots."""
    if batch.own is None:
        rows = batch.documents.column("meta") if batch.lines is None else batch.lines
        return json_field(pl.Series(rows), name)
    held = name if name in batch.own.column_names else name.partition(".")[0]
    if held not in batch.own.column_names:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(batch.documents))
    frame = pl.DataFrame(batch.own.select([held]))
    column = frame.select(Names().column(name, frame.schema)).to_series()
    return column.cast(pl.String, strict=False)
