"""Open a finished workspace as the universe that variants choose from."""

from __future__ import annotations

from dq.stages.base import Output, View
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import Workspace
from dq.variants.parts import Universe
from dq.variants.spec import AnyVariant, Raw, TokenNoise

__all__ = ["open_universe", "variant_inputs"]


def open_universe(workspace: Workspace) -> Universe:
    """Token lengths, identities and fates of all documents.

    Raises:
        WorkspaceError: a stage has not finished, or was made from something else than what is there.
    """
    view = View.of(workspace)
    documents, fates = view.open(Documents, "trained").documents, view.open(Fates)
    return Universe(
        lengths=view.open(TokenPool).lengths,
        sources=documents["source"].to_numpy().astype(object),
        content_keys=documents["content_key"].to_numpy(),
        occurrences=documents["occurrence"].to_numpy(),
        available=fates.having("dropped", "removed", "kept"),
        kept=fates.having("kept"),
        dropped=fates.having("dropped"),
    )


def variant_inputs(workspace: Workspace, spec: AnyVariant) -> dict[str, str]:
    """Fingerprints of exactly what a variant depends on: a changed rule leaves `raw` and its runs alone."""
    needed: dict[str, type[Output]] = {"tokens": TokenPool, "heldout": Heldout}
    if not isinstance(spec, Raw | TokenNoise):
        needed |= {"verdicts": Verdicts, "selection": Selected}
    view = View.of(workspace)
    return {name: view.record(output).fingerprint for name, output in needed.items()}
