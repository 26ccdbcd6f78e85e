"""Which number format a run uses: a fixed table by device, processor feature and size, never a timing.

Timing would make two machines, or two hours of one machine, train different models. float32 is the default wherever
bfloat16 has no hardware or the model is so small that the casts cost more than the products. The rows for bfloat16 are
assumed from others' measurements on larger models and not measured here; `precision: fp32` overrides them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from dq.training.config import PrecisionChoice
from dq.training.sizes import ModelSize

Precision = Literal["fp32", "bf16"]

# (device type, needs this feature, smallest width) -> bf16; everything else is fp32.
_BF16_FROM_WIDTH: tuple[tuple[str, str, int], ...] = (
    ("cuda", "cuda_bf16", 256),  # assumed: below, a step is bound by launches, not by products
    ("cpu", "amx_bf16", 512),  # assumed: tiles of 16 x 32 are filled from here on
)


@dataclass(frozen=True)
class Hardware:
    """What the table asks about a machine."""

    device_type: str
    features: frozenset[str]


def choose_precision(choice: PrecisionChoice, *, size: ModelSize, device: torch.device) -> Precision:
    """The precision of a run: the choice itself, or the table's under `auto`."""
    if choice != "auto":
        return choice
    return precision_from_table(size, hardware=_hardware(device))


def precision_from_table(size: ModelSize, *, hardware: Hardware) -> Precision:
    """The table's precision for a size on a machine."""
    for device_type, feature, width in _BF16_FROM_WIDTH:
        if hardware.device_type == device_type and feature in hardware.features and size.width >= width:
            return "bf16"
    return "fp32"


def _hardware(device: torch.device) -> Hardware:
    features = set()
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        features.add("cuda_bf16")
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():
        features.add("amx_bf16")
    return Hardware(device.type, frozenset(features))


def autocast(precision: Precision, *, device: torch.device) -> torch.autocast:
    """The context in which a forward pass runs."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
