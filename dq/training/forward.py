"""A model's forward as a list of calls on memory that is laid out once, for float32 on a CPU.

A third to a half of a small model's training step through autograd is not work: each of some thousand operations is
dispatched by Python, takes memory and cuts views. All of that is the same for every batch of a shape, so here it is
done once. `Forward` writes the calls down; what follows the hidden states is for its heirs: a step's gradients
(`dq.training.tape`), or the losses of single tokens (`dq.training.scoring`).

It equals `dq.training.model` to rounding. Suffixes as there, and N windows x positions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dq.arrays import F32
from dq.training.kernels.layers import gated, norm_of_sum, turn
from dq.training.kernels.softmax import causal_softmax
from dq.training.model import Layer, Llama
from dq.training.operations import LONGEST, RMS_EPSILON, has_kernels, query_blocks

Call = Callable[[], object]
WeightedLayer = nn.Linear | nn.Embedding


def can_record(model: Llama) -> bool:
    """Whether lists of calls can stand for this model."""
    return has_kernels(model.head_VD) and model.context <= LONGEST


class Block(NamedTuple):
    """Queries of a window that are worked on together, and the keys that the last of them sees."""

    first: int
    """The first query's position."""
    q_HQK: Tensor  # noqa: N815
    k_HTK: Tensor  # noqa: N815
    v_HTK: Tensor  # noqa: N815
    out_HQK: Tensor  # noqa: N815


class Storage(Protocol):
    """Where activations and weights are."""

    def memory(self, kind: str, *shape: int) -> Tensor:
        """For an activation, which every batch replaces; all that is ``added`` goes to one place."""

    def weights(self, *layers: WeightedLayer) -> Tensor:
        """(out, in) of several products of one input, side by side."""


class Forward(ABC):
    """The calls of a model's forward for so many windows of so many positions.

    Args:
        model: on a CPU, in float32.
        storage: for its activations and weights.
        windows: of a batch.
        positions: of each window, up to the context.
    """

    def __init__(self, model: Llama, storage: Storage, *, windows: int, positions: int) -> None:
        self.memory, self.weights = storage.memory, storage.weights
        self.size, self.windows, self.tokens = model.size, windows, windows * positions
        self.calls: list[Call] = []
        self.ids_N, self.targets_N = torch.zeros((2, self.tokens), dtype=torch.int64)
        rotation_TD = model.rotation_TP2[:positions].repeat(1, self.size.heads, 1).flatten(1)
        self.rotation_TR: F32 = torch.cat((rotation_TD * self.size.head_width**-0.5, rotation_TD), dim=1).numpy()

    @abstractmethod
    def losses(self, hidden_ND: Tensor, head: WeightedLayer) -> None:
        """Write down what follows the hidden states."""

    # --- the model, from ids to the loss ---

    def do(self, function: Callable[..., object], *arguments: object, **options: object) -> None:
        """Write a call down."""
        self.calls.append(partial(function, *arguments, **options))

    def take(self, ids_BT: Tensor, targets_BT: Tensor) -> None:
        """Put a batch where the calls read it."""
        self.ids_N.view(self.windows, -1).copy_(ids_BT)
        self.targets_N.view(self.windows, -1).copy_(targets_BT)

    def record(self, model: Llama) -> None:
        """Write down all of the model's calls."""
        x_ND = self.embedded(model.embed_tokens)
        self.do(self.memory("added", self.tokens, self.size.width).zero_)
        for layer in model.layers:
            assert isinstance(layer, Layer)
            x_ND = self._layer(layer, x_ND)
        _, hidden_ND, _ = self.norm(x_ND, model.norm)
        self.losses(hidden_ND, model.embed_tokens)

    def _layer(self, layer: Layer, x_ND: Tensor) -> Tensor:
        attention, feed_forward = layer.self_attn, layer.mlp
        x_ND, normed_ND, _ = self.norm(x_ND, layer.input_layernorm)
        mixed_ND = self.attention(self.product("qkv", normed_ND, attention.q_proj, attention.k_proj, attention.v_proj))
        self.product("added", mixed_ND, attention.o_proj)
        x_ND, normed_ND, _ = self.norm(x_ND, layer.post_attention_layernorm)
        opened_NF = self.gate(self.product("gate_up", normed_ND, feed_forward.gate_proj, feed_forward.up_proj))
        self.product("added", opened_NF, feed_forward.down_proj)
        return x_ND

    # --- its operations ---

    def embedded(self, embedding: nn.Embedding) -> Tensor:
        """The residual stream as it begins."""
        x_ND = self.memory("stream", self.tokens, self.size.width)
        self.do(torch.index_select, self.weights(embedding), 0, self.ids_N, out=x_ND)
        return x_ND

    def norm(self, x_ND: Tensor, layer: nn.RMSNorm) -> tuple[Tensor, Tensor, Tensor]:
        """The residual stream with what was added to it, the norm of that, and what each row was multiplied by."""
        summed_ND, added_ND, normed_ND = (self.memory(kind, *x_ND.shape) for kind in ("stream", "added", "normed"))
        scale_N = self.memory("scale", len(x_ND))
        inputs = (one.detach().numpy() for one in (x_ND, added_ND, layer.weight))
        outputs = (one.numpy() for one in (summed_ND, normed_ND, scale_N))
        self.do(norm_of_sum, *inputs, RMS_EPSILON, *outputs)
        return summed_ND, normed_ND, scale_N

    def product(self, kind: str, x_NI: Tensor, *layers: nn.Linear) -> Tensor:
        """Several products of one input, as one; what is ``added`` joins the residual stream at its next norm."""
        weights_EI = self.weights(*layers)
        out_NE = self.memory(kind, len(x_NI), len(weights_EI))
        self.do(torch.mm, x_NI, weights_EI.T, out=out_NE)
        return out_NE

    def gate(self, gate_up_NE: Tensor) -> Tensor:
        """SwiGLU's activation."""
        opened_NF = self.memory("opened", len(gate_up_NE), gate_up_NE.shape[1] // 2)
        self.do(gated, gate_up_NE.numpy(), opened_NF.numpy())
        return opened_NF

    def attention(self, qkv_NE: Tensor) -> Tensor:
        """Queries and keys are turned where they are; heads are views; a window's scores stay in the cache."""
        mixed_ND = self.memory("mixed", self.tokens, self.size.width)
        self.do(turn, qkv_NE.numpy(), self.rotation_TR, np.float32(1))
        for (q_HTK, k_HTK, v_HTK), (out_HTK,) in zip(self._heads(qkv_NE), self._heads(mixed_ND), strict=True):
            for first, last in query_blocks(q_HTK.shape[1]):
                queries = slice(first, last)
                self.attend(Block(first, q_HTK[:, queries], k_HTK[:, :last], v_HTK[:, :last], out_HTK[:, queries]))
        return mixed_ND

    def attend(self, block: Block) -> Tensor:
        """Attention of some queries of a window; their probabilities."""
        heads, queries, _ = block.q_HQK.shape
        p_HQT = self.memory("scores", heads, queries, block.k_HTK.shape[1])
        self.do(torch.bmm, block.q_HQK, block.k_HTK.mT, out=p_HQT)
        self.do(causal_softmax, p_HQT.numpy(), block.first)
        self.do(torch.bmm, p_HQT, block.v_HTK, out=block.out_HQK)
        return p_HQT

    def _heads(self, x_NE: Tensor) -> tuple[Tensor, ...]:
        """Of each window (E / D, H, T, K)."""
        parts = x_NE.shape[1] // self.size.width
        x_BTEHK = x_NE.view(self.windows, -1, parts, self.size.heads, self.size.head_width)
        return x_BTEHK.permute(0, 2, 3, 1, 4).unbind()
