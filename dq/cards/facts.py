"""What is told of a dataset, whatever it was made by: the card and the metadata are two ways to write it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dq.cards.config import CardConfig

Type: TypeAlias = Literal["sc:Text", "sc:Integer", "sc:Float"]
"""Of a column, as Croissant calls it."""
Cell: TypeAlias = str | int | float | None
"""Of a table: a name, which may come from documents; a count; a bound; nothing."""


@dataclass(frozen=True)
class Source:
    """What a source gave: its name, and counts by what is counted, the same in every source."""

    name: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Column:
    """A column of the documents' files: its type, and what it holds."""

    name: str
    type: Type
    what: str


@dataclass(frozen=True)
class Split:
    """Files that are read as one: by their names, and in short as a pattern where one means them alone."""

    name: str
    files: Sequence[str]
    pattern: str | None = None


@dataclass(frozen=True)
class Section:
    """A part of the card: Markdown in which all names are `named`, and a table."""

    title: str
    text: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


@dataclass(frozen=True)
class Facts:
    """All that is told of a folder.

    Attributes:
        title: a name, which may come from a user.
        summary: plain words of ours, a sentence or two.
        rows: of all splits.
        loader: what `datasets` reads the splits with; None for files of tokens, which it does not read.
        files: all that belong to the dataset, by their names.
        others: what else the files hold text of, beside the sources: a section says how much.
        fingerprints: by what they are of.
    """

    title: str
    summary: str
    rows: int
    loader: Literal["json", "parquet"] | None
    splits: Sequence[Split]
    columns: Sequence[Column]
    files: Sequence[str]
    sources: Sequence[Source]
    sections: Sequence[Section] = ()
    others: Sequence[str] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    config: CardConfig = field(default_factory=CardConfig)

    @property
    def licences(self) -> tuple[str, ...]:
        """Of all that the files hold text of, each once; unknown ones too."""
        names = [*(source.name for source in self.sources), *self.others]
        return tuple(dict.fromkeys(map(self.config.licence, names)))
