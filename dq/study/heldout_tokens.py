"""Held-out documents as tokens, and what a unigram model scores on them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from dq.errors import ConfigError, nearest
from dq.stages.base import View
from dq.stages.encoder import Encoder
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.training import HeldoutTokens
from dq.variants import Universe


def scored_sets(workspace: Workspace, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the held-out sets that runs are scored on: the neutral ones and those chosen, or all.

    Raises:
        ConfigError: one that is chosen is not there.
        WorkspaceError: nothing has been held out.
    """
    heldout = View.of(workspace).open(Heldout)
    for name in chosen or ():
        if name not in heldout.sets:
            raise ConfigError(nearest(name, heldout.sets, what="held-out set"), field="score")
    return tuple(name for name in heldout.sets if chosen is None or name in (*chosen, *heldout.neutral))


def tokenized_sets(workspace: Workspace, names: Collection[str] | None = None) -> list[HeldoutTokens]:
    """Held-out sets of a workspace, all or those that are named, tokenised; documents of a set have distinct ids."""
    view = View.of(workspace)
    heldout, encoder = view.open(Heldout), Encoder(view.open(Tokenizer).file)
    sets = []
    for name in heldout.sets if names is None else names:
        frame = heldout.documents(name)
        encoded = encoder.encode(frame["text"])
        sets.append(
            HeldoutTokens(
                name=name,
                documents=frame["id"].to_list(),
                tokens=encoded.ids.astype(np.int32),
                offsets=encoded.offsets,
                n_bytes=frame["n_bytes"].to_numpy(),
            )
        )
    return sets


def unigram_bits_per_byte(
    universe: Universe, pool: TokenPool, sets: Sequence[HeldoutTokens], *, vocabulary_size: int
) -> float:
    """Mean over the sets of what the token frequencies of all available documents score, add-one smoothed."""
    counts = np.ones(vocabulary_size, np.int64)
    for document in np.flatnonzero(universe.available):
        counts += np.bincount(pool.tokens(int(document))[1:], minlength=vocabulary_size)
    bits = -np.log2(counts / counts.sum())
    return math.fsum(float(bits[one.tokens].sum()) / int(one.n_bytes.sum()) for one in sets) / len(sets)
