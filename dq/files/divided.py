"""Documents divided into outputs: what paths name, how rows of a piece get into them, and what ends it all."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from dq.corpus.batches import Batch
from dq.corpus.config import InputSpec
from dq.corpus.documents import Carried
from dq.corpus.fields import json_field
from dq.errors import ConfigError, WorkspaceError
from dq.files.named import Named, lines_writer
from dq.files.own import Names, lines_with, rows_with
from dq.files.pieces import undone_without_text
from dq.files.tables import table_writer, unite
from dq.results import Result
from dq.store import Stage
from dq.store.claimed import claimed


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


def made_once(
    stages: Sequence[Stage],
    make: Callable[[], Result],
    *,
    describe: Callable[[Mapping[str, Any]], None],
    overwrite: bool,
    quarantine: Path,
    scratch: Sequence[Path],
) -> Mapping[str, Any]:
    """The summary of what is made, or has been made, into the folders of some stages, all of which hold it.

    Args:
        stages: the first is that of the folder with the tallies of pieces: without its record, all is made again.
        make: works on every piece that is not done.
        describe: writes the card, given the summary of what is made or has been made.
        overwrite: replace what other inputs or settings have made there.
        quarantine: the list of unreadable rows.
        scratch: folders of tallies, in the end deleted.

    Raises:
        WorkspaceError: one of the folders is gone, or holds something else.
    """
    folders = [stage.folder for stage in stages]
    with claimed(stages, overwrite=overwrite), undone_without_text(folders, listed_in=quarantine):
        records = [stage.done() for stage in stages]
        if records[0] is not None and None in records:
            first, gone = folders[0], folders[records.index(None)]
            raise WorkspaceError(f"{first}: finished, but {gone} is gone; delete {first} too, or name new folders")
        summary = make().to_dict() if records[0] is None else records[0].summary
        describe(summary)
        if records[0] is None:
            records = [stage.commit(summary) for stage in reversed(stages)]
        for folder in scratch:
            clear_scratch(folder)
    return summary


def finish(outputs: Sequence[Named], pieces: Sequence[int], *, scratch: Path) -> None:
    """Make of the pieces what the outputs name."""
    for output in outputs:
        made = [output.piece(number) for number in pieces]
        if output.kind != "lines":
            unite(made)
        output.finish(made)
    if any(output.kind != "folder" for output in outputs):
        # The tallies go before any piece: killed here, the pieces are made again.
        clear_scratch(scratch)
    for output in outputs:
        output.clear([output.piece(number) for number in pieces])


def clear_scratch(folder: Path) -> None:
    """Delete the folder of the tallies, and these first: a piece that has one must have all of its files."""
    for tally in folder.glob("[0-9]*.json"):
        tally.unlink()
    shutil.rmtree(folder, ignore_errors=True)


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
