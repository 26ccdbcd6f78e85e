"""A step's loss and gradients as a list of calls on memory that is laid out once, for float32 on a CPU.

A third to a half of a small model's step is not work: each of some thousand operations is dispatched by Python, takes
memory, cuts views and is entered into a graph for backward. All of that is the same in every step, so here it is done
once. A tape holds the memory of a model's activations and every call, ready to be made; what an operation does forward
and backward stands together. It equals autograd over `dq.training.model` to rounding, in 0.6 of the time at 0.1M and
0.3M parameters and 0.8 at 1.1M, where products, at the machine's own rate, are four fifths of what is left.

The memory of an activation takes its gradient in backward, and nothing is given back between steps. Suffixes as in
`dq.training.model`, and N windows x positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from dq.arrays import F32, F64, I64
from dq.training.kernels.layers import add_rows, gated, gated_gradient, norm_gradient, norm_of_sum, turn
from dq.training.kernels.softmax import causal_softmax, causal_softmax_gradient, loss_and_gradient
from dq.training.loss import CPU_ROWS
from dq.training.model import Layer, Llama
from dq.training.operations import LONGEST, RMS_EPSILON, has_kernels, query_blocks
from dq.training.optimizer import lay_out, side_by_side

Call = Callable[[], object]


def can_tape(model: Llama) -> bool:
    """Whether a tape can stand for this model's forward and backward."""
    return has_kernels(model.head_VD) and model.context <= LONGEST


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Weights (out, in) of a product, and where their gradient goes."""

    value: Tensor
    grad: Tensor


class Tape:
    """Loss and gradients of a model for so many windows of its context.

    Args:
        model: on a CPU, in float32; its parameters are laid out side by side (`dq.training.optimizer`).
        windows: of a step.
        scale: of the gradients, beside those of the summed loss.
    """

    def __init__(self, model: Llama, *, windows: int, scale: float) -> None:
        size, tokens = model.size, windows * model.context
        self._size, self._windows, self._scale = size, windows, scale
        self._forward: list[Call] = []
        self._backward: list[list[Call]] = []
        lay_out(model)
        self._grads = [(one, one.data_ptr(), _grad(one)) for one in model.parameters()]
        self._nats = np.zeros(())
        self._ids_N, self._targets_N = torch.zeros((2, tokens), dtype=torch.int64)
        rotation_TD = model.rotation_TP2.repeat(1, size.heads, 1).flatten(1)
        self._rotation_TR = torch.cat((rotation_TD * size.head_width**-0.5, rotation_TD), dim=1).numpy()
        # What one layer after another uses: what it adds to the residual stream, and gradients.
        self._added_ND, self._stream_grad_ND = torch.zeros((2, tokens, size.width))
        self._qkv_grad_NE = torch.empty(tokens, 3 * size.width)
        self._gate_up_grad_NE = torch.empty(tokens, 2 * size.feed_forward_width)
        longest_block = max(last - first for first, last in query_blocks(model.context))
        self._scores_grad = torch.empty(size.heads * longest_block * model.context)
        with torch.no_grad():
            self._record(model)

    def gradients(self, windows_BT: Tensor) -> Tensor:
        """Replace the gradient of every parameter; the summed nats."""
        self._ids_N.view(self._windows, -1).copy_(windows_BT[:, :-1])
        self._targets_N.view(self._windows, -1).copy_(windows_BT[:, 1:])
        self._nats.fill(0)
        for parameter, address, grad in self._grads:
            assert parameter.data_ptr() == address, "the tape's parameters have been moved"
            parameter.grad = grad
        with torch.no_grad():
            for call in chain(self._forward, *reversed(self._backward)):
                call()
        return torch.tensor(float(self._nats), dtype=torch.float32)

    # --- the model, from ids to the loss ---

    def _record(self, model: Llama) -> None:
        embedding = self._joined(model.embed_tokens)
        x_ND = torch.empty_like(self._added_ND)
        self._do(torch.index_select, embedding.value, 0, self._ids_N, out=x_ND)
        self._do(self._added_ND.zero_)
        self._undo(partial(add_rows, self._stream_grad_ND.numpy(), self._ids_N.numpy(), embedding.grad.numpy()))
        for layer in model.layers:
            assert isinstance(layer, Layer)
            x_ND = self._layer(layer, x_ND)
        _, hidden_ND = self._norm(x_ND, model.norm.weight)
        self._loss(hidden_ND, embedding)
        self._do(self._stream_grad_ND.zero_)

    def _layer(self, layer: Layer, x_ND: Tensor) -> Tensor:
        attention, feed_forward = layer.self_attn, layer.mlp
        x_ND, normed_ND = self._norm(x_ND, layer.input_layernorm.weight)
        qkv = self._joined(attention.q_proj, attention.k_proj, attention.v_proj)
        mixed_ND = self._attention(self._product(normed_ND, qkv, grad=self._qkv_grad_NE))
        self._add(mixed_ND, self._joined(attention.o_proj))
        x_ND, normed_ND = self._norm(x_ND, layer.post_attention_layernorm.weight)
        gate_up = self._joined(feed_forward.gate_proj, feed_forward.up_proj)
        opened_NF = self._gate(self._product(normed_ND, gate_up, grad=self._gate_up_grad_NE))
        self._add(opened_NF, self._joined(feed_forward.down_proj))
        return x_ND

    def _loss(self, hidden_ND: Tensor, head: _Matrix) -> None:
        """Backward too, in pieces of which the logits stay in the cache; hidden states become their gradient."""
        logits_nV = hidden_ND.new_empty(min(CPU_ROWS, len(hidden_ND)), len(head.value))
        first = True
        for h_nD, targets_n in zip(
            torch.split(hidden_ND, CPU_ROWS), torch.split(self._targets_N, CPU_ROWS), strict=True
        ):
            part_nV = logits_nV[: len(h_nD)]
            self._do(torch.mm, h_nD, head.value.T, out=part_nV)
            self._do(_count, part_nV.numpy(), targets_n.numpy(), self._nats)
            self._do(head.grad.addmm_, part_nV.T, h_nD, beta=0 if first else 1, alpha=self._scale)
            self._do(h_nD.addmm_, part_nV, head.value, beta=0, alpha=self._scale)
            first = False

    # --- its operations: each forward, and what undoes it in backward ---

    def _do(self, function: Callable[..., object], *arguments: object, **options: object) -> None:
        self._forward.append(partial(function, *arguments, **options))

    def _undo(self, *calls: Call) -> None:
        """Made in this order, after those of all later operations."""
        self._backward.append(list(calls))

    def _norm(self, x_ND: Tensor, weight_D: Tensor) -> tuple[Tensor, Tensor]:
        """The residual stream with what was added to it, and the norm of that."""
        into_weight_D = _grad(weight_D)
        weight, into = weight_D.detach().numpy(), self._stream_grad_ND.numpy()
        summed_ND, normed_ND = torch.empty_like(x_ND), torch.empty_like(x_ND)
        summed, normed, scale = summed_ND.numpy(), normed_ND.numpy(), x_ND.new_empty(len(x_ND)).numpy()
        self._do(norm_of_sum, x_ND.numpy(), self._added_ND.numpy(), weight, RMS_EPSILON, summed, normed, scale)
        self._undo(
            into_weight_D.zero_,
            partial(norm_gradient, normed, summed, weight, scale, into, into_weight_D.numpy()),
        )
        return summed_ND, normed_ND

    def _add(self, x_NI: Tensor, matrix: _Matrix) -> None:
        """Add a product to the residual stream, when its next norm is taken."""
        self._product(x_NI, matrix, grad=self._stream_grad_ND, out=self._added_ND)

    def _product(self, x_NI: Tensor, matrix: _Matrix, *, grad: Tensor, out: Tensor | None = None) -> Tensor:
        """The product; ``grad`` is where its gradient will be."""
        out = torch.empty_like(grad) if out is None else out
        self._do(torch.mm, x_NI, matrix.value.T, out=out)
        self._undo(
            partial(torch.mm, grad.T, x_NI, out=matrix.grad),
            partial(torch.mm, grad, matrix.value, out=x_NI),
        )
        return out

    def _gate(self, gate_up_NE: Tensor) -> Tensor:
        """SwiGLU's activation."""
        out_NF = gate_up_NE.new_empty(len(gate_up_NE), gate_up_NE.shape[1] // 2)
        self._do(gated, gate_up_NE.numpy(), out_NF.numpy())
        self._undo(partial(gated_gradient, out_NF.numpy(), gate_up_NE.numpy(), self._gate_up_grad_NE.numpy()))
        return out_NF

    def _attention(self, qkv_NE: Tensor) -> Tensor:
        """Queries and keys are turned where they are; heads are views; a window's scores stay in the cache."""
        out_ND = torch.empty_like(self._added_ND)
        self._do(turn, qkv_NE.numpy(), self._rotation_TR, np.float32(1))
        calls: list[Call] = []
        for qkv_3HTK, grads_3HTK, out_1HTK in zip(
            self._heads(qkv_NE), self._heads(self._qkv_grad_NE), self._heads(out_ND), strict=True
        ):
            calls += self._attend(qkv_3HTK, grads_3HTK, out_1HTK[0])
        self._undo(*calls, partial(turn, self._qkv_grad_NE.numpy(), self._rotation_TR, np.float32(-1)))
        return out_ND

    def _attend(self, qkv_3HTK: Tensor, grads_3HTK: Tensor, out_HTK: Tensor) -> list[Call]:
        """Attention of a window; the calls of its backward, before which the output has become its gradient.

        Queries are taken in blocks, without the keys behind them. Backward begins with the last block, which sees all
        keys and so replaces what was in their gradients; the others add to it. The softmax's loop goes before
        the product with probabilities: it is faster at fetching them from memory.
        """
        (q_HTK, k_HTK, v_HTK), (grad_q_HTK, grad_k_HTK, grad_v_HTK) = qkv_3HTK, grads_3HTK
        heads, positions, _ = q_HTK.shape
        back: list[Call] = []
        for first, last in query_blocks(positions):
            p_HQT = q_HTK.new_empty((heads, last - first, last))
            grad_p_HQT = self._scores_grad[: p_HQT.numel()].view(p_HQT.shape)
            q_HQK, out_HQK, k_HtK, v_HtK = (
                q_HTK[:, first:last],
                out_HTK[:, first:last],
                k_HTK[:, :last],
                v_HTK[:, :last],
            )
            self._do(torch.bmm, q_HQK, k_HtK.mT, out=p_HQT)
            self._do(causal_softmax, p_HQT.numpy(), first)
            self._do(torch.bmm, p_HQT, v_HtK, out=out_HQK)
            kept = 0 if last == positions else 1
            back = [
                partial(torch.bmm, out_HQK, v_HtK.mT, out=grad_p_HQT),
                partial(causal_softmax_gradient, p_HQT.numpy(), grad_p_HQT.numpy(), first),
                partial(grad_v_HTK[:, :last].baddbmm_, p_HQT.mT, out_HQK, beta=kept),
                partial(torch.bmm, grad_p_HQT, k_HtK, out=grad_q_HTK[:, first:last]),
                partial(grad_k_HTK[:, :last].baddbmm_, grad_p_HQT.mT, q_HQK, beta=kept),
                *back,
            ]
        return back

    def _heads(self, x_NE: Tensor) -> tuple[Tensor, ...]:
        """Of each window (E / D, H, T, K)."""
        parts = x_NE.shape[1] // self._size.width
        x_BTEHK = x_NE.view(self._windows, -1, parts, self._size.heads, self._size.head_width)
        return x_BTEHK.permute(0, 2, 3, 1, 4).unbind()

    def _joined(self, *layers: nn.Linear | nn.Embedding) -> _Matrix:
        """Products of one input as one: their weights lie side by side."""
        weights = [layer.weight for layer in layers]
        shape = (-1, weights[0].shape[1])
        return _Matrix(side_by_side(weights).view(shape), side_by_side([_grad(one) for one in weights]).view(shape))


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _count(logits_nV: F32, targets_n: I64, nats: F64) -> None:
    """Add to the nats; no method, or a tape would hold itself and its memory stay."""
    nats += loss_and_gradient(logits_nV, targets_n)
