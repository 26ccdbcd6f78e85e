"""Fixed-size Llamas, trained on a token stream and evaluated on held-out documents.

Importing this package loads no torch: what needs it is imported when it is asked for, and names the extra that
brings it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dq.errors import require
from dq.training.config import PrecisionChoice, RunSpec, TrainingConfig
from dq.training.hf_tokenizer import has_tokenizer, save_tokenizer
from dq.training.record import RunFolder, RunRecord, read_run
from dq.training.schedule import Schedule
from dq.training.sizes import SIZES, ModelSize, ParameterCounts, find_size
from dq.training.stream import HeldoutTokens, TokenStream

if TYPE_CHECKING:
    from dq.training.device import working_on
    from dq.training.evaluation import DocumentLosses, evaluate, evaluate_ensembles
    from dq.training.hf import load_hf, save_hf
    from dq.training.model import Llama, initialise
    from dq.training.trainer import train

__all__ = [
    "SIZES",
    "DocumentLosses",
    "HeldoutTokens",
    "Llama",
    "ModelSize",
    "ParameterCounts",
    "PrecisionChoice",
    "RunFolder",
    "RunRecord",
    "RunSpec",
    "Schedule",
    "TokenStream",
    "TrainingConfig",
    "evaluate",
    "evaluate_ensembles",
    "find_size",
    "has_tokenizer",
    "initialise",
    "load_hf",
    "read_run",
    "save_hf",
    "save_tokenizer",
    "train",
    "working_on",
]

_NEEDS_TORCH = {
    "DocumentLosses": "evaluation",
    "Llama": "model",
    "evaluate": "evaluation",
    "evaluate_ensembles": "evaluation",
    "initialise": "model",
    "load_hf": "hf",
    "save_hf": "hf",
    "train": "trainer",
    "working_on": "device",
}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("torch")
    return getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
