"""datatrove's ``.ds``: tokens and nothing else, with where each document ends in ``.ds.index`` beside it.

Layout as its DocumentTokenizer writes: uint16 or uint32, little endian; the index uint64, in tokens; the metadata names
the tokenizer with the bytes of a token, and counts the tokens.
"""

from __future__ import annotations

from pathlib import Path

from dq.executors import Step
from dq.store import write_bytes_atomic
from dq.variants.exported import Exported, shard_path
from dq.variants.formats.tokens import write_tokens

UNITS = (("GT", 10**9), ("MT", 10**6), ("KT", 10**3))


def write_ds(exported: Exported, folder: Path, step: Step) -> None:
    """``00000.ds``, ``00000.ds.index``, ``00000.ds.metadata``."""
    path, n_tokens = shard_path(folder, 0, ".ds"), exported.budget_tokens
    write_tokens(exported, path, dtype=exported.dtype, step=step)
    write_bytes_atomic(path.with_suffix(".ds.index"), exported.bounds[1:].astype("<u8").tobytes())
    about = f"{exported.tokenizer.file.name}|{exported.dtype[-1]}\n{n_tokens}\n{_for_people(n_tokens)}"
    write_bytes_atomic(path.with_suffix(".ds.metadata"), about.encode())


def _for_people(n_tokens: int) -> str:
    """Three digits and a unit, such as ``1.05 MT``."""
    unit, size = next((one for one in UNITS if n_tokens >= one[1]), ("T", 1))
    return f"{n_tokens / size:.3g} {unit}"
