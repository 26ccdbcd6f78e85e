"""CSV and TSV: a header names the fields, each record after it is a row, whose texts may hold line ends in quotes.

A record is the lines up to where its quotes are closed. One of another number of fields than the header is damaged: of
several lines the first alone is tried then, so that a quote too many costs its line and not the rows behind it. Values
are text. Between fields stands what the header has most of: comma, semicolon, tab or bar; where it is one name alone,
a comma, or a tab in what is called TSV.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from pathlib import PurePath
from typing import ClassVar, NamedTuple

from dq.corpus.documents import FIRST_BYTES, BadRow, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.formats.compression import decompressed
from dq.corpus.formats.jsonl import BOM, is_utf8, lines_of
from dq.corpus.places import File
from dq.errors import InputError

DELIMITERS = ",;\t|"
QUOTE = b'"'
EXPANSION = 4  # a text of n bytes takes 2 n with every quote doubled; the rest of a row gets as much again
MAX_FIELDS = 10_000


class Delimited(RowFormat[None]):
    """Records of a header's fields."""

    endings: ClassVar = (".csv", ".tsv")

    def rows(self, file: File, *, max_document_bytes: int, part: None = None) -> Iterator[Row | BadRow]:
        """The records behind the header.

        Raises:
            InputError: the header is none.
        """
        del part
        with decompressed(file) as stream:
            max_bytes = EXPANSION * max_document_bytes
            lines = lines_of(stream, max_line_bytes=max_bytes)
            numbered = (_Line(number, raw, whole) for number, (raw, whole) in enumerate(lines, start=1))
            header = next((line for line in numbered if line.raw.strip()), None)
            if header is None:
                return
            first = header.raw.removeprefix(BOM).decode("utf-8", "replace")
            by_name = "\t" if ".tsv" in PurePath(file.name.lower()).suffixes else ""
            delimiter = max(by_name + DELIMITERS, key=first.count)
            yield from _Records(numbered, _header(first, delimiter, file.name), delimiter).read(max_bytes)


class _Line(NamedTuple):
    """A line without its end, and whether it was whole."""

    number: int
    raw: bytes
    whole: bool


class _Records:
    """The records of a file, of lines of which some are looked at twice."""

    def __init__(self, lines: Iterator[_Line], names: list[str], delimiter: str) -> None:
        self._lines, self._names, self._delimiter = lines, names, delimiter
        self._again: deque[_Line] = deque()

    def read(self, max_bytes: int) -> Iterator[Row | BadRow]:
        while (line := self._next()) is not None:
            if line.raw.strip(b"\r"):
                yield self._row(line, max_bytes)

    def _next(self) -> _Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)

    def _row(self, first: _Line, max_bytes: int) -> Row | BadRow:
        """The row that begins with a line."""
        found = _fields(first.raw, self._delimiter) if first.whole and first.raw.count(QUOTE) % 2 == 0 else None
        if found is None and first.whole and first.raw.count(QUOTE) % 2:
            found = self._of_several(first, max_bytes) or _fields(first.raw, self._delimiter)
        if not first.whole:
            return BadRow(first.number, "line_too_long", first.raw[:FIRST_BYTES])
        if found is None:
            reason = "broken_record" if is_utf8(first.raw) else "invalid_utf8"
            return BadRow(first.number, reason, first.raw[:FIRST_BYTES])
        if len(found) != len(self._names):
            return BadRow(first.number, "wrong_number_of_fields", first.raw[:FIRST_BYTES])
        return Row(dict(zip(self._names, found, strict=True)), first.number)

    def _of_several(self, first: _Line, max_bytes: int) -> list[str] | None:
        """The fields of a record of several lines; None where they make none, and then they are read again."""
        lines, size, is_open = [first], len(first.raw), True
        while is_open and size <= max_bytes and (line := self._next()) is not None:
            lines.append(line)
            size, is_open = size + len(line.raw), is_open != bool(line.raw.count(QUOTE) % 2)
        if not is_open and all(line.whole for line in lines):
            found = _fields(b"\n".join(line.raw for line in lines), self._delimiter)
            if found is not None and len(found) == len(self._names):
                return found
        self._again.extendleft(reversed(lines[1:]))
        return None


def _header(line: str, delimiter: str, name: str) -> list[str]:
    names = _fields(line.encode(), delimiter) or []
    if not names or len(names) > MAX_FIELDS:
        raise InputError(f"{name}: its first line names no fields; write a header, with a name for each column")
    if twice := next((one for at, one in enumerate(names) if one in names[:at]), None):
        raise InputError(f"{name}: two columns are named `{twice}`; rename one")
    return [one.strip() for one in names]


def _fields(record: bytes, delimiter: str) -> list[str] | None:
    """The fields of a record; None where its quotes, or its bytes, are wrong."""
    try:
        text = record.decode()
    except UnicodeDecodeError:
        return None
    between = re.escape(delimiter)
    one = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"\r\n{between}][^\r\n{between}]*)?)(?:({between})|\r?\Z)')
    found: list[str] = []
    at = 0
    while (match := one.match(text, at)) is not None and len(found) <= MAX_FIELDS:
        quoted, plain, more = match.groups()
        found.append(quoted.replace('""', '"') if quoted is not None else plain or "")
        if more is None:
            return found
        at = match.end()
    return None
