"""Tokens in a file, one behind another."""

from __future__ import annotations

from pathlib import Path

from dq.executors import Step
from dq.store.files import replacing
from dq.variants.exported import Exported


def write_tokens(exported: Exported, path: Path, *, dtype: str, step: Step) -> None:
    """All tokens of a stream, or nothing where the file is there: it is whole then."""
    if path.exists():
        step.advance(exported.budget_tokens)
        return
    with replacing(path) as temporary, temporary.open("wb") as file:
        for chunk in exported.chunks():
            file.write(chunk.tokens.astype(dtype).data)
            step.advance(len(chunk.tokens))
