"""Open a finished workspace as the universe that variants choose from."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from dq.errors import ConfigError, nearest
from dq.stages.base import Need, View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.fates import Fates
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.signals import Signals
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.variants.config import StreamConfig
from dq.variants.derived import is_rewritten, open_rewritten
from dq.variants.documents import CLUSTER_SIZE, Universe
from dq.variants.ingredient import Layer
from dq.variants.kind import Kind
from dq.variants.near import find_stand_ins


def open_universe(workspace: Workspace) -> Universe:
    """Token lengths, identities and fates of all documents.

    Raises:
        WorkspaceError: a stage has not finished, or was made from something else than what is there.
    """
    view = View.of(workspace)
    documents, fates = view.open(Documents, "trained").documents, view.open(Fates)
    tokenizer = view.open(Tokenizer)
    available = fates.having("dropped", "removed", "kept")
    return Universe(
        lengths=view.open(TokenPool).lengths,
        sources=documents["source"].to_numpy().astype(object),
        content_keys=documents["content_key"].to_numpy(),
        occurrences=documents["occurrence"].to_numpy(),
        available=available,
        kept=fates.having("kept"),
        dropped=fates.having("dropped"),
        texts=view.texts.model_dump(),
        made_identical=int(view.record(Documents, "trained").summary.get("made_identical", 0)),
        left_out=tokenizer.left_out,
        bos_id=tokenizer.bos.id,
        find_stand_ins=functools.partial(find_stand_ins, view, available),
        find_values=functools.partial(_find_values, view),
        find_pool=functools.partial(open_rewritten, view),
    )


def foreseen_universe(workspace: Workspace) -> Universe:
    """The same for a forecast: text that noise is to rewrite, and has not yet, is as long as it is without."""
    view = View.of(workspace)

    def find_pool(texts: tuple[Layer, ...]) -> TokenPool:
        return open_rewritten(view, texts) if is_rewritten(view, texts) else view.open(TokenPool)

    return dataclasses.replace(open_universe(workspace), find_pool=find_pool)


def _find_values(view: View, name: str) -> np.ndarray[Any, Any]:
    """A signal of every document, or how many documents its cluster has.

    Raises:
        ConfigError: no rule of the job needs that signal, so it has not been computed.
    """
    if name == CLUSTER_SIZE:
        return view.open(Selected).column(CLUSTER_SIZE)
    signals = view.open(Signals)
    if name not in (known := signals.record.summary["signals"]):
        message = f"{nearest(name, [CLUSTER_SIZE, *known], what='signal of the workspace')}; a rule of the job adds one"
        raise ConfigError(message, field="by")
    return signals.table([name])[name].to_numpy()


def variant_inputs(workspace: Workspace, spec: Kind, config: StreamConfig) -> dict[str, str]:
    """Fingerprints of exactly what a variant depends on: a changed rule leaves `raw` and its runs alone."""
    view = View.of(workspace)
    needs = {**spec.needs, **({"duplicates": Need(FoundDuplicates)} if config.draw == "cluster" else {})}
    return {name: view.record(need.output, need.of).fingerprint for name, need in needs.items()}
