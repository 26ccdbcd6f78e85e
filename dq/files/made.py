"""What every command says that reads documents into a folder of its own and leaves some of them there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from dq.cards import CardConfig
from dq.corpus.quarantine import QUARANTINE
from dq.results import Result
from dq.stages.base import ORIGINAL, View
from dq.stages.read import Documents, reading_warnings
from dq.store import Workspace


@dataclass(frozen=True)
class Made(Result):
    """What a command made in its output folder.

    Attributes:
        workspace: the output folder.
        sources: DataFrame source, documents and other counts, a row a source.
        quarantined: unreadable rows.
        warnings: what the user should know.
    """

    FRAME: ClassVar = "sources"

    workspace: Workspace
    sources: pl.DataFrame
    quarantined: int
    warnings: tuple[str, ...]

    @property
    def quarantine(self) -> Path:
        """The list of the unreadable rows."""
        return self.workspace.corpus(ORIGINAL) / QUARANTINE

    def record(self) -> dict[str, Any]:
        """The fields and the sums over sources."""
        sums = {name: int(self.sources[name].sum()) for name in self.sources.columns[1:]}
        return {**super().record(), **sums, "workspace": self.workspace.root}


def made_in(view: View, sources: pl.DataFrame, card: CardConfig | None) -> dict[str, Any]:
    """The fields of :class:`Made`; warnings are of reading, and of a card that names other sources than there are."""
    read = view.record(Documents).summary
    return {
        "workspace": view.workspace,
        "sources": sources,
        "quarantined": sum(read["quarantined"].values()),
        "warnings": (*reading_warnings(read), *(card.warnings(sources["source"]) if card else ())),
    }
