"""A step's loss and gradients as a list of calls on memory that is laid out once, for float32 on a CPU.

Forward is `dq.training.forward`'s, and here every operation brings what undoes it in backward, so no step dispatches,
cuts views or writes a graph. It equals autograd over `dq.training.model` to rounding, in 0.6 of the time at 0.1M and
0.3M parameters and 0.8 at 1.1M, where products, at the machine's own rate, are four fifths of what is left.

The memory of an activation takes its gradient in backward, and nothing is given back between steps. Suffixes as in
`dq.training.model`, and N windows x positions.
"""

from __future__ import annotations

from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from dq.arrays import F32, F64, I64
from dq.training.forward import Block, Call, Forward, WeightedLayer
from dq.training.kernels.layers import add_rows, gated_gradient, norm_gradient, turn
from dq.training.kernels.softmax import causal_softmax_gradient, loss_and_gradient
from dq.training.loss import CPU_ROWS
from dq.training.model import Llama
from dq.training.operations import query_blocks
from dq.training.optimizer import lay_out, side_by_side


class Tape(Forward):
    """Loss and gradients of a model for so many windows of its context.

    Args:
        model: on a CPU, in float32; its parameters are laid out side by side (`dq.training.optimizer`).
        windows: of a step.
        scale: of the gradients, beside those of the summed loss.
    """

    def __init__(self, model: Llama, *, windows: int, scale: float) -> None:
        lay_out(model)
        super().__init__(model, _Kept(), windows=windows, positions=model.context)
        self._scale, self._backward = scale, list[list[Call]]()
        self._parameters = [(one, one.data_ptr(), _grad(one)) for one in model.parameters()]
        self._nats = np.zeros(())
        # Of what one layer after another uses: `added` is the residual stream's, for its gradient passes unchanged.
        width, inner = self.size.width, self.size.feed_forward_width
        wide = {"added": width, "qkv": 3 * width, "gate_up": 2 * inner}
        self._grads = {kind: torch.zeros(self.tokens, columns) for kind, columns in wide.items()}
        longest_block = max(last - first for first, last in query_blocks(model.context))
        self._scores_grad = torch.empty(self.size.heads * longest_block * model.context)
        with torch.no_grad():
            self.record(model)
        self.do(self._grads["added"].zero_)

    def gradients(self, windows_BT: Tensor) -> Tensor:
        """Replace the gradient of every parameter; the summed nats."""
        self.take(windows_BT[:, :-1], windows_BT[:, 1:])
        self._nats.fill(0)
        for parameter, address, grad in self._parameters:
            assert parameter.data_ptr() == address, "the tape's parameters have been moved"
            parameter.grad = grad
        with torch.no_grad():
            for call in chain(self.calls, *reversed(self._backward)):
                call()
        return torch.tensor(float(self._nats), dtype=torch.float32)

    def _undo(self, *calls: Call) -> None:
        """Made in this order, after those of all later operations."""
        self._backward.append(list(calls))

    # --- what undoes each operation ---

    def embedded(self, embedding: nn.Embedding) -> Tensor:
        """And the gradient of each token's row."""
        into_VD = _joined_grads(embedding)
        self._undo(partial(add_rows, self._grads["added"].numpy(), self.ids_N.numpy(), into_VD.numpy()))
        return super().embedded(embedding)

    def norm(self, x_ND: Tensor, layer: nn.RMSNorm) -> tuple[Tensor, Tensor, Tensor]:
        """And what the stream's gradient gains."""
        summed_ND, normed_ND, scale_N = super().norm(x_ND, layer)
        weight, into_weight, into = layer.weight.detach(), _grad(layer.weight), self._grads["added"]
        arrays = (one.numpy() for one in (normed_ND, summed_ND, weight, scale_N, into, into_weight))
        self._undo(into_weight.zero_, partial(norm_gradient, *arrays))
        return summed_ND, normed_ND, scale_N

    def product(self, kind: str, x_NI: Tensor, *layers: nn.Linear) -> Tensor:
        """And the gradients of weights and input, which takes the input's place."""
        grad_NE = self._grads[kind]
        self._undo(
            partial(torch.mm, grad_NE.T, x_NI, out=_joined_grads(*layers)),
            partial(torch.mm, grad_NE, self.weights(*layers), out=x_NI),
        )
        return super().product(kind, x_NI, *layers)

    def gate(self, gate_up_NE: Tensor) -> Tensor:
        """And the gradient of both halves."""
        opened_NF = super().gate(gate_up_NE)
        self._undo(partial(gated_gradient, opened_NF.numpy(), gate_up_NE.numpy(), self._grads["gate_up"].numpy()))
        return opened_NF

    def attention(self, qkv_NE: Tensor) -> Tensor:
        """And queries and keys are turned back, after all blocks."""
        self._undo(partial(turn, self._grads["qkv"].numpy(), self.rotation_TR, np.float32(-1)))
        return super().attention(qkv_NE)

    def attend(self, block: Block) -> Tensor:
        """And the gradients of queries, keys and values; before them the output has become its gradient.

        Backward begins with the last block, which sees all keys and so replaces what was in their gradients; the others
        add to it. The softmax's loop goes before the product with probabilities: it is faster at fetching them from
        memory.
        """
        p_HQT = super().attend(block)
        grad_p_HQT = self._scores_grad[: p_HQT.numel()].view(p_HQT.shape)
        grad_q_HQK, grad_k_HTK, grad_v_HTK = (
            _same_part(self._grads["qkv"], one) for one in (block.q_HQK, block.k_HTK, block.v_HTK)
        )
        kept = 0 if p_HQT.shape[2] * self.windows == self.tokens else 1
        self._undo(
            partial(torch.bmm, block.out_HQK, block.v_HTK.mT, out=grad_p_HQT),
            partial(causal_softmax_gradient, p_HQT.numpy(), grad_p_HQT.numpy(), block.first),
            partial(grad_v_HTK.baddbmm_, p_HQT.mT, block.out_HQK, beta=kept),
            partial(torch.bmm, grad_p_HQT, block.k_HTK, out=grad_q_HQK),
            partial(grad_k_HTK.baddbmm_, grad_p_HQT.mT, block.q_HQK, beta=kept),
        )
        return p_HQT

    def losses(self, hidden_ND: Tensor, head: WeightedLayer) -> None:
        """Backward too, in pieces of which the logits stay in the cache; hidden states become their gradient."""
        head_VD, grad_VD = self.weights(head), _joined_grads(head)
        logits_nV = hidden_ND.new_empty(min(CPU_ROWS, len(hidden_ND)), len(head_VD))
        first = True
        for h_nD, targets_n in zip(
            torch.split(hidden_ND, CPU_ROWS), torch.split(self.targets_N, CPU_ROWS), strict=True
        ):
            part_nV = logits_nV[: len(h_nD)]
            self.do(torch.mm, h_nD, head_VD.T, out=part_nV)
            self.do(_count, part_nV.numpy(), targets_n.numpy(), self._nats)
            self.do(grad_VD.addmm_, part_nV.T, h_nD, beta=0 if first else 1, alpha=self._scale)
            self.do(h_nD.addmm_, part_nV, head_VD, beta=0, alpha=self._scale)
            first = False


class _Kept:
    """Every activation is kept for backward; weights are where they lie."""

    def __init__(self) -> None:
        self._added: Tensor | None = None

    def memory(self, kind: str, *shape: int) -> Tensor:
        """Its own, but of what is added to the stream."""
        if kind != "added":
            return torch.empty(shape)
        if self._added is None:
            self._added = torch.zeros(shape)
        return self._added

    def weights(self, *layers: WeightedLayer) -> Tensor:
        """As they change."""
        return _joined([layer.weight for layer in layers])


def _joined_grads(*layers: WeightedLayer) -> Tensor:
    return _joined([_grad(layer.weight) for layer in layers])


def _joined(tensors: list[Tensor]) -> Tensor:
    """(out, in) of products of one input, which lie side by side."""
    return side_by_side(tensors).view(-1, tensors[0].shape[1])


def _same_part(grad: Tensor, part: Tensor) -> Tensor:
    """Of a gradient what a view is of its activation."""
    return grad.as_strided(part.shape, part.stride(), part.storage_offset())


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _count(logits_nV: F32, targets_n: I64, nats: F64) -> None:
    """Add to the nats; no method, or a tape would hold itself and its memory stay."""
    nats += loss_and_gradient(logits_nV, targets_n)
