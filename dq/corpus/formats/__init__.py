"""What kinds of files dq reads, one module a format, and the one table of their endings."""

from __future__ import annotations

from typing import Any

from dq.corpus.formats.arrow import ArrowIpc
from dq.corpus.formats.base import Format
from dq.corpus.formats.compression import PACKED_ENDINGS
from dq.corpus.formats.delimited import Delimited
from dq.corpus.formats.json_values import JsonValues
from dq.corpus.formats.jsonl import JsonLines
from dq.corpus.formats.parquet import Parquet
from dq.corpus.formats.recognised import recognised
from dq.corpus.formats.warc import Warc
from dq.corpus.formats.whole_files import HtmlPage, PlainText
from dq.corpus.places import File
from dq.errors import InputError

__all__ = [
    "ENDINGS",
    "FORMATS",
    "KNOWN_KINDS",
    "NAMED_ENDINGS",
    "NAMED_FORMATS",
    "PACKED_ENDINGS",
    "ArrowIpc",
    "Delimited",
    "Format",
    "HtmlPage",
    "JsonLines",
    "JsonValues",
    "Parquet",
    "PlainText",
    "Warc",
    "format_of",
    "recognised",
]

FORMATS: tuple[Format[Any], ...] = (JsonLines(), JsonValues(), Parquet(), ArrowIpc(), Warc())
"""The formats of files that hold documents wherever they lie."""
NAMED_FORMATS: tuple[Format[Any], ...] = (Delimited(), PlainText(), HtmlPage())
"""Those of files that are more often tables, notes or pages about the data, and are read where they are named."""


def _endings(formats: tuple[Format[Any], ...]) -> tuple[str, ...]:
    return tuple(ending for one in formats for ending in one.endings)


def _packed(endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ending + packed for ending in endings for packed in ("", *PACKED_ENDINGS))


ENDINGS = _packed(_endings(FORMATS))
"""Of the names of files that a folder is searched for, in lower case; names may have any."""
NAMED_ENDINGS = _packed(_endings((*FORMATS, *NAMED_FORMATS)))
"""Of those that are read where they are named."""
KNOWN_KINDS = (
    f"{', '.join(_endings(FORMATS))}, and by a pattern such as `folder/*.txt` also "
    f"{', '.join(_endings(NAMED_FORMATS))}, each also with {', '.join(PACKED_ENDINGS)}"
)
"""The endings for people."""


def format_of(file: File) -> Format[Any]:
    """The format of a file: its name must have a known ending, its first bytes say the rest.

    A file fault is the exception of who found it.

    Raises:
        InputError: it is no kind of file that dq reads; the message says which those are, or what it holds.
    """
    if not file.name.lower().endswith(NAMED_ENDINGS):
        raise InputError(f"{file.name}: unknown kind of file by its name; dq reads {KNOWN_KINDS}")
    return recognised(file)
