"""The cards of folders of documents that files were made into. Nobody says licences here: they are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dq.cards import Column, Facts, Section, Source, Split, write_cards
from dq.cards.facts import Type
from dq.cards.markdown import printable


def write_documents_card(
    folder: Path, *, title: str, summary: str, sources: Sequence[Source], sections: Sequence[Section], fingerprint: str
) -> None:
    """Write the card of a folder of Parquet files, all of the same columns, in which every document is a row.

    Args:
        folder: whole but for its record.
        title: of the dataset; not the folder's name, which is no part of what it holds.
        summary: plain words.
        sources: with the count ``documents``.
        sections: what was done to them.
        fingerprint: of the stage.
    """
    files = sorted(path.name for path in folder.glob("[0-9]*.parquet"))
    rows = sum(one.counts["documents"] for one in sources)
    columns = [Column(name, kind, "as in the files") for name, kind in _columns(folder / files[0])] if files else []
    write_cards(
        folder,
        Facts(
            title=title,
            summary=summary,
            rows=rows,
            loader="parquet" if rows else None,  # which refuses to read nothing
            splits=[Split("train", files, "*.parquet")] if rows else [],
            columns=columns,
            files=files,
            sources=sources,
            sections=sections,
            fingerprints={"result": fingerprint},
        ),
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
