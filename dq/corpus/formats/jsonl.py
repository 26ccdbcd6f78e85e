"""JSON lines: each is an object or a fault with its line. Nothing is lost silently.

Lines are parsed by orjson (about 1 GB/s); what it refuses is given to the standard library, which tells the valid but
unusual (lone surrogates, control characters) from the broken. What no JSON begins with is broken at first sight: a
flood of it takes a few microseconds a line. Compressed files are one piece; plain ones are cut at line ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import orjson

from dq.corpus.digits import exact, loads
from dq.corpus.documents import FIRST_BYTES, BadRow, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.formats.compression import compression_of, decompressed
from dq.corpus.places import File

BOM = b"\xef\xbb\xbf"
# A valid text of n bytes can take 6 n bytes of JSON (\\u0041 for A); the rest of a row gets as much again.
JSON_EXPANSION = 7
JSON_BEGINS = frozenset(b'{["-0123456789tfn \t\r')
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Span:
    """Bytes [start, end) of a plain file, which are whole lines; ``line`` is the number of the first, from 1."""

    start: int
    end: int
    line: int


class JsonLines(RowFormat[Span]):
    """One object a line, plain or compressed."""

    endings: ClassVar = (".jsonl", ".ndjson", ".jsonlines", ".jl", ".ldjson", ".json")

    def rows(self, file: File, *, max_document_bytes: int, part: Span | None = None) -> Iterator[Row | BadRow]:
        """The rows of the file, or of some of its lines."""
        with decompressed(file) as stream:
            if part is not None:
                stream.seek(part.start)
            size = None if part is None else part.end - part.start
            lines = lines_of(stream, max_line_bytes=JSON_EXPANSION * max_document_bytes, size=size)
            yield from _json_rows(lines, first=1 if part is None else part.line)

    def cut(self, file: File, *, max_bytes: int) -> list[tuple[Span | None, int]]:
        """Runs of lines of a plain file; a compressed one whole."""
        if file.size <= max_bytes or compression_of(file) is not None:
            return super().cut(file, max_bytes=max_bytes)
        return [(span, span.end - span.start) for span in line_spans(file, max_bytes=max_bytes)]


def line_spans(file: File, *, max_bytes: int) -> list[Span]:
    """A plain file cut after the first line end past every ``max_bytes``.

    A file fault is the exception of who found it. The whole file is read for it, at about the speed of memory, because
    lines are numbered from the file's first.
    """
    spans, start, at, line, lines = [], 0, 0, 1, 0
    with file.open() as stream:
        while chunk := stream.read(CHUNK_BYTES):
            cut = chunk.find(b"\n") + 1 if at - start >= max_bytes else 0
            if cut:
                spans.append(Span(start, at + cut, line))
                start, line, lines = at + cut, line + lines + 1, chunk.count(b"\n") - 1
            else:
                lines += chunk.count(b"\n")
            at += len(chunk)
    return [*spans, Span(start, at, line)] if at > start or not spans else spans


def lines_of(stream: IO[bytes], *, max_line_bytes: int, size: int | None = None) -> Iterator[tuple[bytes, bool]]:
    """Lines without their end, and whether the line was whole; of a longer line little more than that is in memory.

    With a size, those within so many bytes.
    """
    begun, whole, left = bytearray(), True, math.inf if size is None else size
    while left > 0 and (chunk := stream.read(int(min(CHUNK_BYTES, left)))):
        left -= len(chunk)
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = bytes(begun + end) if begun else end
            yield line, whole and len(line) <= max_line_bytes
            begun, whole = bytearray(), True
        begun += rest
        if len(begun) > max_line_bytes:
            whole = False
            del begun[FIRST_BYTES:]
    if begun:
        yield bytes(begun), whole


def _json_rows(lines: Iterable[tuple[bytes, bool]], *, first: int) -> Iterator[Row | BadRow]:
    for number, (raw, whole) in enumerate(lines, start=first):
        line = raw
        while line.startswith(BOM):  # of the file, or of those that it was joined from
            line = line[len(BOM) :]
        if not whole:
            yield BadRow(number, "line_too_long", line[:FIRST_BYTES])
        elif line.strip():
            yield json_row(line, number)


def json_row(line: bytes, number: int) -> Row | BadRow:
    """The row that a line of at least one byte holds."""
    if line[0] not in JSON_BEGINS:
        return BadRow(number, "broken_json" if is_utf8(line) else "invalid_utf8", line[:FIRST_BYTES])
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _unusual_json_row(line, number)
    if not isinstance(fields, dict):
        return BadRow(number, "not_an_object", line[:FIRST_BYTES])
    return Row(exact(fields, line), number, written=line)


def _unusual_json_row(line: bytes, number: int) -> Row | BadRow:
    try:
        fields = loads(line)
        clean = _without_surrogates(fields)
        replaced = clean != fields
    except UnicodeDecodeError:
        return BadRow(number, "invalid_utf8", line[:FIRST_BYTES])
    except (ValueError, RecursionError):
        return BadRow(number, "broken_json", line[:FIRST_BYTES])
    if not isinstance(clean, dict):
        return BadRow(number, "not_an_object", line[:FIRST_BYTES])
    return Row(clean, number, replaced_surrogates=replaced, written=b"" if replaced else line)


def is_utf8(line: bytes) -> bool:
    """Whether bytes are text."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_surrogates(value: Any) -> Any:
    """Lone surrogates become U+FFFD, pairs of them the character that they spell."""
    if type(value) is str:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value
