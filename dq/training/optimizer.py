"""Fused AdamW with weight decay on the layers' matrices only.

Norm weights have no direction to shrink, and a decayed embedding shrinks the rows of rare tokens, which get decay at
every step and gradient at few; both go without, as in OLMo 2 (arXiv:2501.00656).
"""

from __future__ import annotations

import torch

from dq.training.config import TrainingConfig
from dq.training.model import Llama


def make_optimizer(model: Llama, config: TrainingConfig) -> torch.optim.AdamW:
    """The optimiser for a resolved configuration; it stands still until `set_learning_rate` before each step."""
    matrices = [parameter for parameter in model.layers.parameters() if parameter.dim() == 2]
    others = [parameter for name, parameter in model.named_parameters() if not is_layer_matrix(name, parameter)]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay or 0.0},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def is_layer_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether a parameter of this name is decayed."""
    return name.startswith("layers.") and parameter.dim() == 2
