"""Held-out loss, document by document.

Each document is scored on its own: BOS, then every token counted once; BOS itself is context only. A document longer
than the context is cut into chunks that do not overlap, each beginning with the last token of the one before as its
context: the stride is the context. Overlapping windows would give later tokens more context and cost twice as much; a
comparison needs the same treatment for every run, not the lowest loss.

Chunks are batched by length, so padding is small, in an order given by (length, document id, position): the order in
which documents come decides nothing, bit for bit. Padding stands behind the tokens, where causal attention cannot see
it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dq.training.model import Llama
from dq.training.precision import Precision, autocast
from dq.training.scoring import Scorer
from dq.training.stream import HeldoutTokens
from dq.training.team import ALONE, Team

_CPU_BATCH_TOKENS = 2048  # measured: 1,024 and 4,096 are 1.1 times slower at width 64
_GPU_BATCH_TOKENS = 65_536  # assumed


@dataclass(frozen=True, eq=False)
class DocumentLosses:
    """Losses of a held-out set, in the order of its documents."""

    loss_nats: NDArray[np.float64]
    """(n,) summed -log p of each document's tokens."""
    n_tokens: NDArray[np.int64]
    """(n,) tokens counted."""


class _Chunk(NamedTuple):
    """Inputs [start, stop) of a document; its targets lie one further."""

    length: int
    document: str
    start: int
    row: int


def evaluate(
    model: Llama, heldout: HeldoutTokens, *, bos_id: int, precision: Precision, team: Team = ALONE
) -> DocumentLosses:
    """Score every token of every document once, on the model's device; a team divides the batches."""
    (found,) = _evaluate([model], [(0,)], heldout, bos_id=bos_id, precision=precision, team=team)
    return found


def evaluate_ensembles(
    models: Sequence[Llama],
    ensembles: Sequence[Sequence[int]],
    heldout: HeldoutTokens,
    *,
    bos_id: int,
    precision: Precision,
) -> list[DocumentLosses]:
    """Score documents by averages of what several models give each token: -log of the mean probability.

    Args:
        models: of one vocabulary and context, on one device.
        ensembles: the models of each average, by their places.
        heldout: the documents.
        bos_id: the token before each document.
        precision: of matrix products.
    """
    return _evaluate(models, ensembles, heldout, bos_id=bos_id, precision=precision, team=ALONE)


def _evaluate(
    models: Sequence[Llama],
    ensembles: Sequence[Sequence[int]],
    heldout: HeldoutTokens,
    *,
    bos_id: int,
    precision: Precision,
    team: Team,
) -> list[DocumentLosses]:
    device = models[0].embed_tokens.weight.device
    batch_tokens = _CPU_BATCH_TOKENS if device.type == "cpu" else _GPU_BATCH_TOKENS
    n_tokens = np.diff(heldout.offsets).astype(np.int64)
    loss_nats = np.zeros((len(ensembles), len(n_tokens)), dtype=np.float64)
    measured, scorers = [], [Scorer(model) for model in models]
    with torch.no_grad(), autocast(precision, device=device):
        batches = _batches(heldout, context=models[0].context, batch_tokens=batch_tokens)
        for chunks in islice(batches, team.rank, None, team.world):
            ids_BT, targets_BT = (torch.from_numpy(one).to(device) for one in _padded(chunks, heldout, bos_id=bos_id))
            losses = [scorer.nats(ids_BT, targets_BT) for scorer in scorers]
            averaged = [_averaged([losses[place] for place in members]) for members in ensembles]
            measured.append((chunks, torch.stack(averaged).view(-1, *targets_BT.shape)))
    for chunks, device_losses_EBT in measured:  # read back when all work is under way
        losses_EBT = device_losses_EBT.cpu().numpy().astype(np.float64)
        for i, chunk in enumerate(chunks):
            loss_nats[:, chunk.row] += losses_EBT[:, i, : chunk.length].sum(1)
    if team.world > 1:
        total = torch.from_numpy(loss_nats).to(device)
        team.sum_up(total)
        loss_nats = total.cpu().numpy()
    return [DocumentLosses(loss_nats=one, n_tokens=n_tokens) for one in loss_nats]


def _averaged(losses: Sequence[Tensor]) -> Tensor:
    """(N,) nats of the mean probability; one model's own to the bit."""
    if len(losses) == 1:
        return losses[0]
    return math.log(len(losses)) - torch.logsumexp(-torch.stack(list(losses)), dim=0)


def _batches(heldout: HeldoutTokens, *, context: int, batch_tokens: int) -> Iterator[list[_Chunk]]:
    """All chunks, longest first, at most `batch_tokens` with padding (one chunk at least)."""
    lengths = np.diff(heldout.offsets)
    chunks = [
        _Chunk(min(context, int(length) - start), document, start, index)
        for index, (document, length) in enumerate(zip(heldout.documents, lengths, strict=True))
        for start in range(0, int(length), context)
    ]
    chunks.sort(reverse=True)
    first = 0
    while first < len(chunks):
        count = max(1, batch_tokens // chunks[first].length)
        yield chunks[first : first + count]
        first += count


def _padded(
    chunks: list[_Chunk], heldout: HeldoutTokens, *, bos_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets, (B, T) each, T the longest chunk; padding is BOS and is never counted."""
    ids_BT = np.full((len(chunks), chunks[0].length), bos_id, dtype=np.int64)
    targets_BT = ids_BT.copy()
    for i, chunk in enumerate(chunks):
        first = int(heldout.offsets[chunk.row]) + chunk.start
        tokens = heldout.tokens[first : first + chunk.length]
        targets_BT[i, : chunk.length] = tokens
        ids_BT[i, 1 : chunk.length] = tokens[:-1]
        if chunk.start > 0:
            ids_BT[i, 0] = heldout.tokens[first - 1]
    return ids_BT, targets_BT
