"""Formats in which streams are exported, one a file: a function that writes a folder and returns the files' tokens.

Text has every piece whole; tokens are exactly the budget's. Files that are whole stay when an export goes on after an
interruption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from dq.executors import Step
from dq.variants.exported import Exported
from dq.variants.formats.datatrove import write_ds
from dq.variants.formats.jsonl import write_jsonl
from dq.variants.formats.megatron import write_megatron
from dq.variants.formats.nanochat import write_nanochat
from dq.variants.formats.parquet import write_parquet

Format: TypeAlias = Callable[[Exported, Path, Step], None]

FORMATS: Mapping[str, Format] = {
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "ds": write_ds,
    "megatron": write_megatron,
    "nanochat": write_nanochat,
}
