"""Megatron's indexed dataset: tokens in ``.bin``, and in ``.idx`` a table of its documents.

Layout of ``.idx`` (`megatron/core/datasets/indexed_dataset.py`, version 1), little endian: the nine bytes ``MMIDIDX``
and two zeros; uint64 version; uint8 code of the tokens' type; uint64 sequences; uint64 entries of the last array; int32
tokens of each sequence; int64 first byte of each in ``.bin``; int64 the sequence at which each document begins, and
behind the last. Here every document is one sequence.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from dq.executors import Step
from dq.store.files import replacing
from dq.variants.exported import Exported, shard_path
from dq.variants.formats.tokens import write_tokens

MAGIC, VERSION = b"MMIDIDX\x00\x00", 1
UINT16, INT32 = (8, "<u2"), (4, "<i4")
MAX_U16 = 65_500  # entries of a vocabulary: beyond it Megatron's own tools take int32


def write_megatron(exported: Exported, folder: Path, step: Step) -> None:
    """``00000.bin`` and ``00000.idx``: their prefix is the path without an ending."""
    code, dtype = UINT16 if exported.tokenizer.vocabulary_size < MAX_U16 else INT32
    write_tokens(exported, shard_path(folder, 0, ".bin"), dtype=dtype, step=step)
    n, starts = len(exported), exported.bounds
    with replacing(shard_path(folder, 0, ".idx")) as temporary, temporary.open("wb") as file:
        file.write(MAGIC + struct.pack("<QBQQ", VERSION, code, n, n + 1))
        file.write(np.diff(starts).astype("<i4").data)
        file.write((starts[:-1] * np.dtype(dtype).itemsize).astype("<i8").data)
        file.write(np.arange(n + 1, dtype="<i8").data)
