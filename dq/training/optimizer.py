"""Fused AdamW with weight decay on the layers' matrices only.

Norm weights have no direction to shrink, and a decayed embedding shrinks the rows of rare tokens, which get decay at
every step and gradient at few; both go without, as in OLMo 2 (arXiv:2501.00656).

A small model's step is short beside what clipping and AdamW do for each of its parameters: where these lie side by side
(`lay_out`), `FlatAdamW` does the same in one pass over each of two vectors. Suffix P: parameters of a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from dq.training.config import TrainingConfig
from dq.training.model import Llama

_CLIP_EPSILON = 1e-6  # of `clip_grad_norm_`


def make_optimizer(model: Llama, config: TrainingConfig) -> torch.optim.AdamW:
    """The optimiser for a resolved configuration; it stands still until `set_learning_rate` before each step."""
    matrices, others = _groups(model)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay or 0.0},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def is_layer_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter of this name is decayed."""
    return name.startswith("layers.") and parameter.dim() == 2


def _groups(model: Llama) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that are decayed, and the others."""
    named = list(model.named_parameters())
    matrices = [parameter for name, parameter in named if is_layer_matrix(name, parameter)]
    return matrices, [parameter for name, parameter in named if not is_layer_matrix(name, parameter)]


# --- parameters that lie side by side ---


def lay_out(model: Llama) -> None:
    """Make a model's parameters views of two vectors, one of each group, and so their gradients."""
    for parameters in _groups(model):
        weights_P = torch.cat([one.detach().flatten() for one in parameters])
        grads_P = torch.zeros_like(weights_P)
        parts = zip(parameters, _views(weights_P, parameters), _views(grads_P, parameters), strict=True)
        for parameter, weights, grads in parts:
            parameter.data, parameter.grad = weights, grads


def side_by_side(tensors: Sequence[Tensor]) -> Tensor:
    """What lies side by side, as one vector."""
    whole = tensors[0].detach().as_strided((sum(one.numel() for one in tensors),), (1,))
    parts = zip(tensors, _views(whole, tensors), strict=True)
    assert all(one.data_ptr() == part.data_ptr() for one, part in parts), "they do not lie side by side"
    return whole


class FlatAdamW:
    """Clipping, and the steps of an optimiser whose parameters lie side by side, from where it is on.

    Its moments become views too, and it counts its steps, so it is saved as if it had made them.
    """

    def __init__(self, optimizer: torch.optim.AdamW, *, clip: float) -> None:
        self._optimizer, self._clip, groups = optimizer, clip, optimizer.param_groups
        self._width = groups[0]["params"][0].shape[1]
        self.grads = [side_by_side([one.grad for one in group["params"]]) for group in groups]
        self._vectors = [(side_by_side(group["params"]), *_moments(optimizer, group["params"])) for group in groups]

    @torch.no_grad()
    def step(self) -> Tensor:
        """The norm of the gradients, which are divided by what they are too long."""
        # Row by row: in float32 the squares of a long vector are not summed up well.
        norms = [torch.linalg.vector_norm(grads_P.view(-1, self._width), dim=1) for grads_P in self.grads]
        norm: Tensor = torch.cat(norms).norm()
        too_long = ((norm + _CLIP_EPSILON) / self._clip).clamp(min=1)
        for group, grads_P, vectors in zip(self._optimizer.param_groups, self.grads, self._vectors, strict=True):
            weights_P, mean_P, square_P, step = vectors
            in_use = self._optimizer.state[group["params"][0]]["exp_avg"]
            assert in_use.data_ptr() == mean_P.data_ptr(), "the optimiser's state has been replaced"
            adamw(
                *([weights_P], [grads_P], [mean_P], [square_P], [], [step]),
                fused=True,
                grad_scale=too_long,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        return norm


def _moments(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> tuple[Tensor, Tensor, Tensor]:
    """Both moments and the number of steps, which all parameters share, put in the place of what the optimiser has."""
    states = [optimizer.state[one] for one in parameters]
    step = torch.as_tensor(states[0].get("step", 0.0), dtype=torch.float32)
    mean_P, square_P = (
        torch.cat(
            [state.get(name, torch.zeros_like(one)).flatten() for state, one in zip(states, parameters, strict=True)]
        )
        for name in ("exp_avg", "exp_avg_sq")
    )
    for state, mean, square in zip(states, _views(mean_P, parameters), _views(square_P, parameters), strict=True):
        state |= {"exp_avg": mean, "exp_avg_sq": square, "step": step}
    return mean_P, square_P, step


def _views(vector_P: Tensor, like: Sequence[Tensor]) -> Iterator[Tensor]:
    parts = torch.split(vector_P, [one.numel() for one in like])
    return (part.view(one.shape) for part, one in zip(parts, like, strict=True))
