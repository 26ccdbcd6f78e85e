"""What kinds of files dq reads, one module a format."""

from __future__ import annotations

from typing import Any

from dq.corpus.formats.base import Format
from dq.corpus.formats.jsonl import JsonLines
from dq.corpus.formats.parquet import Parquet
from dq.errors import InputError

__all__ = ["ENDINGS", "FORMATS", "Format", "JsonLines", "Parquet", "format_of"]

FORMATS: tuple[Format[Any], ...] = (JsonLines(), Parquet())
"""Every format that dq reads."""
ENDINGS = tuple(ending for one in FORMATS for ending in one.endings)


def format_of(name: str) -> Format[Any]:
    """The format of a file by its name.

    Raises:
        InputError: none; the message names those there are.
    """
    for one in FORMATS:
        if name.endswith(one.endings):
            return one
    raise InputError(f"{name}: unknown kind of file; dq reads {', '.join(ENDINGS)}")
