"""Open a finished workspace as the universe that variants choose from."""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.stages.heldout import HeldoutSet
from dq.stages.tokens import TokenPool
from dq.store import Workspace, read_record
from dq.variants.parts import Universe
from dq.variants.spec import AnyVariant, Raw, TokenNoise

__all__ = ["VERSION", "open_universe", "variant_inputs"]

VERSION = "original"
"""The text version that is judged, deduplicated and trained on: the text as read."""


def open_universe(workspace: Workspace) -> Universe:
    """Token lengths, identities and verdicts of all documents.

    Raises:
        WorkspaceError: a stage has not finished.
    """
    documents = Corpus(workspace.corpus(VERSION)).documents
    available = ~HeldoutSet(workspace.heldout()).withheld
    read_record(workspace.verdicts(VERSION))
    read_record(workspace.selection(VERSION))
    keep = pl.read_parquet(workspace.verdicts(VERSION) / "verdicts.parquet", columns=["keep"])["keep"].to_numpy()
    selected = pl.read_parquet(workspace.selection(VERSION) / "selection.parquet", columns=["kept"])["kept"].to_numpy()
    return Universe(
        lengths=TokenPool(workspace.tokens(VERSION)).lengths,
        sources=documents["source"].to_numpy().astype(object),
        content_keys=documents["content_key"].to_numpy(),
        occurrences=documents["occurrence"].to_numpy(),
        available=available,
        kept=available & keep & selected,
        dropped=np.asarray(available & ~keep),
    )


def variant_inputs(workspace: Workspace, spec: AnyVariant) -> dict[str, str]:
    """Fingerprints of exactly what a variant depends on: a changed rule leaves `raw` and its runs alone."""
    needed = {"tokens": workspace.tokens(VERSION), "heldout": workspace.heldout()}
    if not isinstance(spec, Raw | TokenNoise):
        needed |= {"verdicts": workspace.verdicts(VERSION), "selection": workspace.selection(VERSION)}
    return {name: read_record(folder).fingerprint for name, folder in needed.items()}
