"""A JSON array of objects, pretty or on one line, and objects that take several lines: each object is a row.

Values are found by their brackets as the file streams by, and parsed one by one: memory is that of a value, whatever
the size of the array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from dq.corpus.documents import FIRST_BYTES, BadRow, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.formats.compression import decompressed
from dq.corpus.formats.jsonl import CHUNK_BYTES, JSON_EXPANSION, json_row
from dq.corpus.places import File

BETWEEN = re.compile(
    rb"[\s,\[\]\xef\xbb\xbf]*"
)  # values of the file, with marks of byte order: its array is a list of them
IN_STRING, IN_OBJECT, IN_SCALAR = (re.compile(part) for part in (rb'["\\]', rb'["{}\[\]]', rb"[\s,\[\]{}]"))


class JsonValues(RowFormat[None]):
    """One array, or one value after another; rows are numbered as they come."""

    def rows(self, file: File, *, max_document_bytes: int, part: None = None) -> Iterator[Row | BadRow]:
        """The values of the file."""
        del part
        with decompressed(file) as stream:
            values = _Values(max_bytes=JSON_EXPANSION * max_document_bytes).read(stream)
            for number, (value, whole) in enumerate(values, start=1):
                yield json_row(value, number) if whole else BadRow(number, "line_too_long", value[:FIRST_BYTES])


def is_json_values(text: bytes) -> bool:
    """Whether a file that begins so is an array, objects over several lines, or objects with commas between them."""
    first = text.partition(b"\n")[0].rstrip()
    return text.startswith(b"[") or first == b"{" or (first.startswith(b"{") and first.endswith(b"},"))


class _Values:
    """Where values begin and end, chunk by chunk."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun, self._whole = bytearray(), True  # of the value at hand, from the chunks before
        self._depth = self._arrays = 0  # brackets that are open, in the value and around it
        self._inside: re.Pattern[bytes] | None = None  # what is looked for next; None between values
        self._escaped = False

    def read(self, stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
        """Values, and whether they are whole: of a longer one little more than the bound is in memory.

        Raises:
            EOFError: the file ends within a value, or within its array.
        """
        while chunk := stream.read(CHUNK_BYTES):
            at = 0
            while at < len(chunk):
                if self._inside is None:
                    at = self._skip(chunk, at)
                    continue
                end = self._end(chunk, at)
                self._begun += chunk[at : len(chunk) if end is None else end]
                if len(self._begun) > self._max_bytes:
                    self._whole = False
                    del self._begun[FIRST_BYTES:]
                if end is None:
                    break
                yield bytes(self._begun), self._whole
                self._begun, self._whole, self._inside, at = bytearray(), True, None, end
        if self._inside is IN_SCALAR:
            yield bytes(self._begun), self._whole
        elif self._inside is not None or self._arrays > 0:
            raise EOFError("the JSON ends before its last bracket")

    def _skip(self, chunk: bytes, at: int) -> int:
        """Past what is between values, to where one begins."""
        between = BETWEEN.match(chunk, at)
        assert between is not None
        self._arrays += between[0].count(b"[") - between[0].count(b"]")
        begin = chunk[between.end() : between.end() + 1]
        if begin:
            self._inside, self._depth = (IN_OBJECT if begin in b'{"' else IN_SCALAR), 0
        return between.end()

    def _end(self, chunk: bytes, at: int) -> int | None:
        """Where the value ends; None where the chunk ends before."""
        if self._escaped:
            self._escaped, at = False, at + 1
        elif self._inside is IN_SCALAR and not self._begun:
            at += 1  # whatever it begins with: a stray bracket is a value too
        while (found := self._inside.search(chunk, at)) is not None:  # type: ignore[union-attr]
            at, mark = found.end(), found[0]
            if self._inside is IN_SCALAR:
                return found.start()
            if mark == b"\\":
                self._escaped = at == len(chunk)
                at += 1
            elif mark == b'"':
                self._inside = IN_OBJECT if self._inside is IN_STRING else IN_STRING
                if self._inside is IN_OBJECT and not self._depth:
                    return at
            else:
                self._depth += 1 if mark in b"{[" else -1
                if not self._depth:
                    return at
        return None
