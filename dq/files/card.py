"""The cards of folders of documents that files were made into, with the licences and languages that the user names.

A card is no part of what a folder holds: another one, given for a finished folder, is written anew and nothing else is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arguments import instance
from dq.cards import CROISSANT, README, CardConfig, Column, Facts, Section, Source, Split, croissant, write_cards
from dq.cards.facts import Type
from dq.cards.markdown import printable
from dq.corpus.quarantine import RowCounts
from dq.errors import ConfigError, WorkspaceError
from dq.files.named import Named
from dq.store import Stage, StageRecord, check_files, read_json, relist
from dq.store.contents import digest


@dataclass(frozen=True)
class Card:
    """What dq knows of a folder of documents.

    Attributes:
        title: of the dataset; not the folder's name, which is no part of what it holds.
        summary: plain words.
        sources: with the count ``documents``.
        sections: what was done to them.
    """

    title: str
    summary: str
    sources: Sequence[Source]
    sections: Sequence[Section]


def check_card(config: CardConfig | None) -> None:
    """Refuse what says nothing of a dataset.

    Raises:
        ConfigError: it is something else.
    """
    if config is not None:
        instance(config, CardConfig, name="card", remedy="dq.cards has it")


def check_card_of(kept: Named | None, config: CardConfig | None) -> None:
    """Refuse a card that nothing would have.

    Args:
        kept: where the documents go.
        config: what the caller says of them.

    Raises:
        ConfigError: they go into no folder.
    """
    check_card(config)
    if config is not None and (kept is None or kept.kind != "folder"):
        where = "no kept documents are written" if kept is None else f"{kept.path}: one file"
        raise ConfigError(f"{where}, and only a folder has a card; name a folder for them", field="card")


def write_documents_card(stage: Stage, card: Card, config: CardConfig | None = None) -> None:
    """Write the card of a folder of Parquet files, all of the same columns, in which every document is a row.

    Args:
        stage: whose folder is whole but for its record; or finished, and then a card is written where ``config`` is
            given and says something else.
        card: what it says.
        config: what only the user knows.

    Raises:
        WorkspaceError: somebody has edited the card of a finished folder.
    """
    record = stage.done()
    if record is None:
        write_cards(stage.folder, _facts(stage, card, config or CardConfig()))
    elif config is not None:
        _write_anew(stage.folder, _facts(stage, card, config), record)


def kept_sources(by_source: pl.DataFrame) -> list[Source]:
    """What each source of a tally gave, of those that gave something."""
    return [
        Source(one["source"], {"documents": one["kept"], "bytes": one["kept_bytes"]})
        for one in by_source.iter_rows(named=True)
        if one["kept"]
    ]


def judged_section(title: str, by_source: pl.DataFrame, rows: RowCounts) -> Section:
    """What there was of each source of a tally before documents were dropped."""
    text = f"{rows.quarantined.total():,} rows could not be read and are not counted."
    return Section(title, text, head := ("source", "documents", "kept"), by_source.select(head).rows())


def _write_anew(folder: Path, facts: Facts, record: StageRecord) -> None:
    """Write the card of a finished folder; killed meanwhile, the folder is whole, and the next card does it."""
    check_files(folder, record)
    files, cards = dict(record.files), (README, CROISSANT)
    killed = README in files and CROISSANT not in files
    earlier: Any = read_json(folder / CROISSANT) if CROISSANT in files else None
    metadata = croissant(facts, folder, earlier=earlier)
    if metadata == earlier and (folder / README).exists():
        return
    for name in () if killed else cards:
        if (folder / name).exists() and digest(folder / name) != files.get(name):
            raise WorkspaceError(
                f"{folder / name}: edited, and a card would be written over it; move it to another place first"
            )
    relist(folder, {name: known for name, known in files.items() if name != CROISSANT})
    write_cards(folder, facts, metadata=metadata)
    relist(folder, {**files, **{name: digest(folder / name) for name in cards}})


def _facts(stage: Stage, card: Card, config: CardConfig) -> Facts:
    files = sorted(path.name for path in stage.folder.glob("[0-9]*.parquet"))
    rows = sum(one.counts["documents"] for one in card.sources)
    columns = (
        [Column(name, kind, "as in the files") for name, kind in _columns(stage.folder / files[0])] if files else []
    )
    return Facts(
        title=card.title,
        summary=card.summary,
        rows=rows,
        loader="parquet" if rows else None,  # which refuses to read nothing
        splits=[Split("train", files, "*.parquet")] if rows else [],
        columns=columns,
        files=files,
        sources=card.sources,
        sections=card.sections,
        fingerprints={"result": stage.fingerprint},
        config=config,
    )


def _columns(path: Path) -> list[tuple[str, Type]]:
    """Columns of plain values and their types in Croissant; of others, and of strange names, it knows nothing."""
    found: list[tuple[str, Type]] = []
    for field in pq.read_schema(path):
        kind = _type(field.type)
        if kind and printable(field.name) == field.name:
            found.append((field.name, kind))
    return found


def _type(kind: pa.DataType) -> Type | None:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "sc:Text"
    return "sc:Integer" if pa.types.is_integer(kind) else "sc:Float" if pa.types.is_floating(kind) else None
