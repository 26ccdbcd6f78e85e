"""Losses of single tokens by a model whose weights stay as they are: what evaluation asks of a batch.

For float32 on a CPU the calls are written down once a shape (`dq.training.forward`), in memory that layers and shapes
share, so that most of it stays in the cache: 0.75 of the time at 0.1M parameters and 0.85 at 0.3M.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dq.training.forward import Call, Forward, WeightedLayer, can_record
from dq.training.kernels.softmax import token_nats
from dq.training.loss import CPU_ROWS, token_losses
from dq.training.model import Llama


class Scorer:
    """Scores batches with a model; none of its weights may change meanwhile."""

    def __init__(self, model: Llama) -> None:
        self._model, self._shared = model, _Shared()
        self._recorded: dict[torch.Size, _TokenLosses] = {}

    @torch.no_grad()
    def nats(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """(N,) float32 of each target, window after window."""
        if not can_record(self._model):
            return token_losses(self._model.hidden(ids_BT).flatten(0, 1), self._model.head_VD, targets_BT.flatten())
        if ids_BT.shape not in self._recorded:
            self._recorded[ids_BT.shape] = _TokenLosses(self._model, self._shared, shape=ids_BT.shape)
        return self._recorded[ids_BT.shape].of(ids_BT, targets_BT)


class _Shared:
    """What all shapes use: memory by kind, and weights side by side."""

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}
        self._weights: dict[tuple[WeightedLayer, ...], Tensor] = {}

    def memory(self, kind: str, *shape: int) -> Tensor:
        """So many numbers of a kind. Where more are asked for, those who have it go on with the former ones."""
        size = math.prod(shape)
        if kind not in self._memory or len(self._memory[kind]) < size:
            self._memory[kind] = torch.empty(size)
        return self._memory[kind][:size].view(shape)

    def weights(self, *layers: WeightedLayer) -> Tensor:
        """A copy, where several are joined."""
        if layers not in self._weights:
            weights = [layer.weight.detach() for layer in layers]
            self._weights[layers] = weights[0] if len(weights) == 1 else torch.cat(weights)
        return self._weights[layers]


class _TokenLosses(Forward):
    """Of batches of one shape."""

    def __init__(self, model: Llama, shared: _Shared, *, shape: torch.Size) -> None:
        windows, positions = shape
        super().__init__(model, shared, windows=windows, positions=positions)
        self._nats_N = torch.empty(self.tokens)
        self._attention: list[Call] = []
        self.record(model)

    def of(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """(N,) nats of the targets."""
        self.take(ids_BT, targets_BT)
        for call in self.calls:
            call()
        return self._nats_N.clone()

    def attention(self, qkv_NE: Tensor) -> Tensor:
        """The same calls in each layer, since the memory is: to cut views anew costs as much as a batch."""
        if self._attention:
            self.calls += self._attention
            return self.memory("mixed", self.tokens, self.size.width)
        begin, mixed_ND = len(self.calls), super().attention(qkv_NE)
        self._attention = self.calls[begin:]
        return mixed_ND

    def losses(self, hidden_ND: Tensor, head: WeightedLayer) -> None:
        """In pieces of which the logits stay in the cache."""
        head_VD = self.weights(head)
        for h_nD, targets_n, nats_n in zip(
            *(torch.split(one, CPU_ROWS) for one in (hidden_ND, self.targets_N, self._nats_N)), strict=True
        ):
            logits_nV = self.memory("logits", len(h_nD), len(head_VD))
            self.do(torch.mm, h_nD, head_VD.T, out=logits_nV)
            self.do(token_nats, logits_nV.numpy(), targets_n.numpy(), nats_n.numpy())
