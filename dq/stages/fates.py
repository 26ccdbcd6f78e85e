"""The stage that says what became of every document: the one table that variants, reports and inspection read.

Its record names the text versions of the job, and with it a job is finished: it is written last.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from dq.stages.base import Need, Output, View
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import read_parquet, write_parquet

FATES = ("held_out", "excluded", "dropped", "removed", "kept")
"""Held out; too near to a held-out document; dropped by a rule; a duplicate of a kept one; kept. One a document."""
FILE = "fates.parquet"

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class Fates(Output):
    """What became of every document."""

    made_by: ClassVar = {"fates": 1}
    needs: ClassVar = {
        "heldout": Need(Heldout),
        "selection": Need(Selected),
        "tokens": Need(TokenPool),
        "verdicts": Need(Verdicts),
    }

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``fates``."""
        return view.workspace.fates()

    @cached_property
    def fate(self) -> pl.Series:
        """One of `FATES` a document, in the corpus's order."""
        return read_parquet(self.folder / FILE)["fate"]

    def having(self, *fates: str) -> Bools:
        """The documents with one of these fates: bool (documents,)."""
        return np.asarray(self.fate.is_in(fates).to_numpy())


def settle_fates(view: View) -> Fates:
    """Write down what became of every document, or find that it has been done."""
    stage = view.stage(Fates, config={"texts": view.texts})
    if stage.done() is None:
        stage.start()
        heldout = view.open(Heldout)
        dropped, removed = ~view.open(Verdicts).keep, ~view.open(Selected).kept
        marks = [heldout.held_out, heldout.excluded, dropped, removed]
        fate = np.select(marks, FATES[:-1], default=FATES[-1])
        write_parquet(stage.folder / FILE, pl.DataFrame({"fate": pl.Series(fate, dtype=pl.Enum(FATES))}))
        stage.commit({name: int((fate == name).sum()) for name in FATES})
    return view.open(Fates)


def count_fates(view: View) -> pl.DataFrame:
    """One row a source and fate: documents, n_bytes and tokens, all int64."""
    frame = (
        view.open(Documents, "trained")
        .documents.select("source", "n_bytes")
        .with_columns(view.open(Fates).fate.cast(pl.String), pl.Series("tokens", view.open(TokenPool).lengths))
    )
    counted = frame.group_by("source", "fate").agg(
        pl.len().cast(pl.Int64).alias("documents"), pl.col("n_bytes").sum(), pl.col("tokens").sum()
    )
    return counted.sort("source", "fate")
