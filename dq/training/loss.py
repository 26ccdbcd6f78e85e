"""Cross-entropy without the logits of a whole batch in memory, and without a second pass over them.

Logits are the largest tensor of a small model: 2,048 tokens x 2,048 words x 4 bytes = 16 MB, which falls out of every
cache. `chunked_loss` computes them a few rows at a time and takes the gradients while they are in cache; backward only
scales.

Losses are sums of nats, and the caller divides by the tokens of the whole step, so accumulating over micro-batches
weighs every token equally.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dq.training.kernels.softmax import loss_and_gradient, token_nats
from dq.training.operations import has_kernels

CPU_ROWS = 128  # measured: 64 to 256 rows are alike at vocabularies of 1,024 and 2,048, 1,024 rows are 1.2 times slower
_GPU_ROWS = 8192  # assumed


def chunked_loss(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
    """Sum over tokens of -log p(target), in nats: a float32 scalar that backpropagates into hidden states and head."""
    total: Tensor = _ChunkedLoss.apply(hidden_ND, head_VD, targets_N)  # type: ignore[no-untyped-call]
    return total


class _ChunkedLoss(torch.autograd.Function):
    """Gradients are taken in forward; backward multiplies them by the incoming scalar."""

    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:  # noqa: PLR0917
        dtype = _product_dtype(hidden_ND)
        hidden_ND, weight_VD = hidden_ND.to(dtype), head_VD.to(dtype)
        grad_hidden_ND = torch.empty_like(hidden_ND)
        grad_head_VD = torch.zeros_like(weight_VD, dtype=torch.float32)
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        rows = _rows(hidden_ND)
        for h_nD, target_n, grad_nD in zip(
            torch.split(hidden_ND, rows), torch.split(targets_N, rows), torch.split(grad_hidden_ND, rows), strict=True
        ):
            loss, grad_logits_nV = _loss_and_gradient((h_nD @ weight_VD.T).float(), target_n)
            total += loss
            grad_logits_nV = grad_logits_nV.to(dtype)
            torch.mm(grad_logits_nV, weight_VD, out=grad_nD)
            _add_product(grad_head_VD, grad_logits_nV, h_nD)
        ctx.save_for_backward(grad_hidden_ND, grad_head_VD)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden_ND, grad_head_VD = ctx.saved_tensors
        (scale,) = grads
        return grad_hidden_ND * scale, grad_head_VD * scale, None


def _add_product(total_VD: Tensor, grad_nV: Tensor, hidden_nD: Tensor) -> None:
    if grad_nV.dtype == total_VD.dtype:
        total_VD.addmm_(grad_nV.T, hidden_nD)
    else:
        total_VD += grad_nV.T @ hidden_nD


def token_losses(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
    """(N,) float32 nats of each token; no gradients."""
    dtype = _product_dtype(hidden_ND)
    weight_VD = head_VD.to(dtype)
    rows = _rows(hidden_ND)
    parts = [
        _surprise((h_nD.to(dtype) @ weight_VD.T).float(), target_n)
        for h_nD, target_n in zip(torch.split(hidden_ND, rows), torch.split(targets_N, rows), strict=True)
    ]
    return torch.cat(parts)


def _loss_and_gradient(logits_nV: Tensor, targets_n: Tensor) -> tuple[Tensor | float, Tensor]:
    """Sum of -log p of the targets and its gradient by the logits, which are spent."""
    if has_kernels(logits_nV):
        return loss_and_gradient(logits_nV.numpy(), targets_n.numpy()), logits_nV
    log_p_nV, targets_n1 = torch.log_softmax(logits_nV, dim=-1), targets_n[:, None]
    loss = -log_p_nV.gather(1, targets_n1).sum()
    return loss, log_p_nV.exp_().scatter_add_(1, targets_n1, torch.full_like(log_p_nV[:, :1], -1.0))


def _surprise(logits_nV: Tensor, targets_n: Tensor) -> Tensor:
    """(n,) -log p of the targets; the logits are spent."""
    if has_kernels(logits_nV):
        nats_n = logits_nV.new_empty(len(targets_n))
        token_nats(logits_nV.numpy(), targets_n.numpy(), nats_n.numpy())
        return nats_n
    return -torch.log_softmax(logits_nV, dim=-1).gather(1, targets_n[:, None])[:, 0]


def _rows(hidden_ND: Tensor) -> int:
    return CPU_ROWS if hidden_ND.device.type == "cpu" else _GPU_ROWS


def _product_dtype(hidden_ND: Tensor) -> torch.dtype:
    """Autograd functions run outside autocast, so its format is applied here."""
    device_type = hidden_ND.device.type
    if torch.is_autocast_enabled(device_type):
        return torch.get_autocast_dtype(device_type)
    return hidden_ND.dtype
