"""What kinds of files dq reads, one module a format, and the one table of their endings."""

from __future__ import annotations

from typing import Any

from dq.corpus.formats.base import Format
from dq.corpus.formats.compression import PACKED_ENDINGS
from dq.corpus.formats.json_values import JsonValues
from dq.corpus.formats.jsonl import JsonLines
from dq.corpus.formats.parquet import Parquet
from dq.corpus.formats.recognised import recognised
from dq.corpus.formats.warc import Warc
from dq.corpus.places import File
from dq.errors import InputError

__all__ = [
    "ENDINGS",
    "FORMATS",
    "KNOWN_KINDS",
    "PACKED_ENDINGS",
    "Format",
    "JsonLines",
    "JsonValues",
    "Parquet",
    "Warc",
    "format_of",
    "recognised",
]

FORMATS: tuple[Format[Any], ...] = (JsonLines(), JsonValues(), Parquet(), Warc())
"""Every format that dq reads."""
_PLAIN_ENDINGS = tuple(ending for one in FORMATS for ending in one.endings)
ENDINGS = tuple(ending + packed for ending in _PLAIN_ENDINGS for packed in ("", *PACKED_ENDINGS))
"""Of the names of files that are read, in lower case; names may have any."""
KNOWN_KINDS = f"{', '.join(_PLAIN_ENDINGS)}, each also with {', '.join(PACKED_ENDINGS)}"
"""The endings for people."""


def format_of(file: File) -> Format[Any]:
    """The format of a file: its name must have a known ending, its first bytes say the rest.

    A file fault is the exception of who found it.

    Raises:
        InputError: it is no kind of file that dq reads; the message says which those are, or what it holds.
    """
    if not file.name.lower().endswith(ENDINGS):
        raise InputError(f"{file.name}: unknown kind of file by its name; dq reads {KNOWN_KINDS}")
    return recognised(file)
