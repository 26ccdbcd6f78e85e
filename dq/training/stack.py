"""Several runs of one shape as one program, their parameters stacked. Experimental: no GPU has shown its gain yet.

A small model leaves a GPU waiting for the next launch. A stack launches once for R runs: all parameters are one matrix
with a row a run, every layer is a batched product over parts of these rows, and clipping and AdamW are a few operations
on the whole of it, with each run's own rate, decay and clipping as a column. `torch.func.vmap` over `Llama` was the
other way: it would need rules for the loss and the compiled loops, into which it cannot see, and would leave the
optimiser with launches for every parameter. The model spelled out here is as short as those rules.

Nothing is added up over runs but losses, whose gradient is a constant: what is not finite in one run stays there. Each
run keeps its `Program`, whose weights and moments are views of the run's row, so it is evaluated, saved and exported as
if it were alone. A run that is alone has `Program.step`, which a stack equals to rounding (where training is unstable,
that grows as any rounding does). On a CPU a run that is alone has a tape, and 8 runs of a stack reach 0.7 times the
rate of single ones (measured at 0.1M, 0.3M and 1.1M).

Shape suffixes as in `dq.training.model`, and R runs, P parameters of one, N windows x positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dq.training.loss import chunked_loss
from dq.training.model import Llama
from dq.training.operations import add_and_norm, attend, gate, has_kernels
from dq.training.optimizer import is_layer_matrix
from dq.training.precision import autocast
from dq.training.program import Program, loss_function

_ADAM_EPSILON = 1e-8  # torch's, which single runs have
_CLIP_EPSILON = 1e-6  # of `clip_grad_norm_`


class StackedLlama(nn.Module):
    """The parameters of several models of one size, which become views of a row each."""

    rotation_TP2: Tensor  # noqa: N815

    def __init__(self, models: Sequence[Llama]) -> None:
        super().__init__()
        first = models[0]
        self.size, self.vocabulary_size = first.size, first.vocabulary_size
        self.weights_RP = nn.Parameter(_stacked([list(model.parameters()) for model in models]))
        for model, weights_P in zip(models, self.weights_RP.data, strict=True):
            for parameter, part in zip(model.parameters(), _views(weights_P, model), strict=True):
                parameter.data = part
        self.register_buffer("rotation_TP2", first.rotation_TP2, persistent=False)

    def parts(self) -> Iterator[Tensor]:
        """Matrices (R, out, in) and norms (R, 1, D) in a `Llama`'s order; several products of one input are one."""
        width, inner = self.size.width, self.size.feed_forward_width
        attention, feed_forward = [(1, width), (3 * width, width), (width, width)], [(1, width), (2 * inner, width)]
        layer = [*attention, *feed_forward, (width, inner)]
        shapes = [(self.vocabulary_size, width), *(layer * self.size.layers), (1, width)]
        rows = torch.split(self.weights_RP, [rows * columns for rows, columns in shapes], dim=1)
        return (part_RP.view(-1, *shape) for part_RP, shape in zip(rows, shapes, strict=True))


def stacked_losses(model: StackedLlama, windows_RBT: Tensor) -> Tensor:
    """(R,) of each run what `summed_loss` gives for its own windows."""
    ids_RBT, targets_RN = windows_RBT[..., :-1], windows_RBT[..., 1:].flatten(1)
    runs, windows, positions = ids_RBT.shape
    parts, heads = model.parts(), model.size.heads
    embedding_RVD = next(parts)
    first_R11 = torch.arange(runs, device=ids_RBT.device)[:, None, None] * model.vocabulary_size
    x_RND = functional.embedding(ids_RBT + first_R11, embedding_RVD.flatten(0, 1)).flatten(1, 2)
    ones_D, added_RND = torch.ones_like(x_RND[0, 0]), torch.zeros_like(x_RND)
    for _ in range(model.size.layers):
        x_RND, normed_RND = add_and_norm(x_RND, added_RND, ones_D)
        qkv_RNE = _product(normed_RND * next(parts), next(parts))
        mixed = attend(qkv_RNE.view(runs * windows, positions, -1), model.rotation_TP2[:positions], heads=heads)
        x_RND, normed_RND = add_and_norm(x_RND, _product(mixed.view(x_RND.shape), next(parts)), ones_D)
        added_RND = _product(gate(_product(normed_RND * next(parts), next(parts))), next(parts))
    _, normed_RND = add_and_norm(x_RND, added_RND, ones_D)
    return _losses(normed_RND * next(parts), embedding_RVD, targets_RN)


def _product(x_RNI: Tensor, weight_ROI: Tensor) -> Tensor:
    return torch.bmm(x_RNI, weight_ROI.mT)


def _losses(hidden_RND: Tensor, head_RVD: Tensor, targets_RN: Tensor) -> Tensor:
    """A CPU does well with the loss of single runs, in pieces that stay in its cache; a GPU with few launches."""
    if has_kernels(hidden_RND):
        each = zip(hidden_RND, head_RVD, targets_RN, strict=True)
        return torch.stack([chunked_loss(hidden_ND, head_VD, targets_N) for hidden_ND, head_VD, targets_N in each])
    logits_RNV = _product(hidden_RND, head_RVD).float()
    nats_M = functional.cross_entropy(logits_RNV.flatten(0, 1), targets_RN.flatten(), reduction="none")
    return nats_M.view(targets_RN.shape).sum(1)


class Stack:
    """Programs that take their steps together.

    Args:
        programs: of one size, vocabulary, precision and shape of steps.
        done: steps that all of them have done.
    """

    def __init__(self, programs: Sequence[Program], *, done: int) -> None:
        self.programs, self._done = programs, done
        self.model = StackedLlama([program.model for program in programs])
        self._mean_RP, self._square_RP = (self._moments(name) for name in ("exp_avg", "exp_avg_sq"))
        first, configs = programs[0], [program.config for program in programs]
        self._loss = loss_function(stacked_losses, config=first.config, device=first.device)
        own_R4 = [(one.weight_decay or 0.0, one.gradient_clip, one.beta1, one.beta2) for one in configs]
        own_4R1 = torch.tensor(own_R4, device=first.device).T[:, :, None]
        decay_R1, self._clip_R1, self._beta1_R1, self._beta2_R1 = own_4R1.unbind()
        self._decay_RP = decay_R1 * torch.cat([
            one.new_full((one.numel(),), is_layer_matrix(name, one)) for name, one in first.model.named_parameters()
        ])  # fmt: skip

    def step(self, windows_RBT: Tensor, *, learning_rate_R: Tensor) -> Tensor:
        """One optimiser step of every run: (R, parts + 1), of each what `Program.step` gives."""
        first, measured = self.programs[0], []
        for part_RBT in torch.split(windows_RBT, first.config.microbatch_windows or windows_RBT.shape[1], dim=1):
            with autocast(first.precision, device=first.device):
                losses_R = self._loss(self.model, part_RBT)
            torch.autograd.backward(losses_R.sum() / first.config.tokens_per_step)
            measured.append(losses_R.detach().clone())
        norm_R1 = self._update(learning_rate_R[:, None])
        return torch.cat((torch.stack(measured, dim=1), norm_R1), dim=1)

    @torch.no_grad()
    def _update(self, rate_R1: Tensor) -> Tensor:
        """Clip and take AdamW's step; the norms of the gradients."""
        weights_RP, mean_RP, square_RP = self.model.weights_RP, self._mean_RP, self._square_RP
        assert weights_RP.grad is not None
        self._done += 1
        gradient_RP, weights_RP.grad = weights_RP.grad, None
        norm_R1: Tensor = torch.linalg.vector_norm(gradient_RP, dim=1, keepdim=True)
        gradient_RP = gradient_RP * (self._clip_R1 / (norm_R1 + _CLIP_EPSILON)).clamp(max=1.0)
        mean_RP.lerp_(gradient_RP, 1 - self._beta1_R1)
        square_RP.lerp_(gradient_RP.square(), 1 - self._beta2_R1)
        root_RP = (square_RP / (1 - self._beta2_R1**self._done)).sqrt_().add_(_ADAM_EPSILON)
        weights_RP.mul_(1 - rate_R1 * self._decay_RP)
        weights_RP.sub_((rate_R1 / (1 - self._beta1_R1**self._done)) * mean_RP / root_RP)
        return norm_R1

    def hand_back(self) -> None:
        """Let every program's optimiser know how many steps it has done: before it is saved."""
        for program in self.programs:
            for state in program.optimizer.state.values():
                state["step"].fill_(self._done)

    def _moments(self, name: str) -> Tensor:
        """The moments of all programs; those of each are views of its row from here on."""
        like = [
            [program.optimizer.state[one].get(name, torch.zeros_like(one)) for one in program.model.parameters()]
            for program in self.programs
        ]
        found_RP = _stacked(like)
        for program, row_P in zip(self.programs, found_RP, strict=True):
            for parameter, part in zip(program.model.parameters(), _views(row_P, program.model), strict=True):
                program.optimizer.state[parameter] |= {name: part, "step": torch.tensor(float(self._done))}
        return found_RP


def _stacked(tensors: Sequence[Sequence[Tensor]]) -> Tensor:
    """A row for each list of tensors."""
    return torch.stack([torch.cat([one.detach().flatten() for one in row]) for row in tensors])


def _views(row_P: Tensor, model: Llama) -> Iterator[Tensor]:
    """A row as the parameters of a model."""
    parameters = list(model.parameters())
    parts = torch.split(row_P, [one.numel() for one in parameters])
    return (part.view(one.shape) for part, one in zip(parts, parameters, strict=True))
