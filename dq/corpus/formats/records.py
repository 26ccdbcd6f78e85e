"""The records of WARC and ARC files: headers and a block, or where the file is damaged.

WARC is ISO 28500; ARC, its forerunner, puts a record's address, time, kind and length on one line. Nothing longer than
a bound is held. Crawlers compress each record by itself, so what damage hides ends where the next stream begins; there
reading goes on. Of a plain file it goes on at the next line that begins a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from dq.corpus.documents import FIRST_BYTES
from dq.corpus.formats.compression import DAMAGE, Unpacked, decompressed
from dq.corpus.places import File

WARC = rb"WARC/\d+\.\d+[ \t]*\r?\n"
# address, IP, time, kind, what version 2 adds, length; addresses may hold spaces, and no quantifier runs past its line
ARC = rb"(\w[\w.+-]{0,30}:[^\r\n]{1,8000}?) (\S{1,64}) (\d{14}) (\S{1,200})(?: [^\r\n]{0,500})? (\d{1,15})\r?\n"
BEGINS, NEXT = re.compile(WARC + b"|" + ARC), re.compile(b"(?m)^(?:" + WARC + b"|" + ARC + b")")
LONGEST_LINE = 1 << 14
MAX_HEADERS = 1000
MAX_CANDIDATES = 10_000  # places behind damage that look like a member and are none, before the rest is given up
PLAIN_BYTES = 1 << 18  # unpacked at a time


@dataclass(slots=True)
class Record:
    """A record.

    Attributes:
        number: among the records of the file, damaged ones too, from 1.
        offset: byte of the file at which its compressed stream begins; of a plain file, at which it begins.
        headers: by their names in lower case; of an ARC record, those that WARC has for the same.
        block: what follows them; no more than a few bytes where it is longer than the bound.
        fault: why it cannot be read; None of a good one.
    """

    number: int
    offset: int
    headers: dict[str, str] = field(default_factory=dict)
    block: bytes = b""
    fault: str | None = None


def records(file: File, *, max_block_bytes: int) -> Iterator[Record]:
    """Every record of a file, in order.

    Args:
        file: WARC or ARC, plain or compressed.
        max_block_bytes: a longer block is not held, and its record a fault.
    """
    with decompressed(file) as stream:
        reader = _Reader(stream, file.size)
        number = 0
        while True:
            number += 1
            try:
                if not reader.at_record():
                    return
                yield reader.record(number, max_block_bytes)
            except _BrokenError as broken:
                yield Record(number, reader.place, block=broken.first, fault=broken.fault)
                if not reader.go_on():
                    return
            except DAMAGE as error:
                fault = "truncated_record" if isinstance(error, EOFError) else "damaged_record"
                yield Record(number, reader.place, block=reader.first(), fault=fault)
                if not reader.past_damage():
                    return


class _BrokenError(Exception):
    def __init__(self, first: bytes, fault: str = "broken_record") -> None:
        super().__init__()
        self.first, self.fault = first[:FIRST_BYTES], fault


class _Reader:
    """Plain bytes that are looked at from where a record begins."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size = stream, size
        self._packed = stream if isinstance(stream, Unpacked) else None
        self._held = bytearray()
        self._edges: list[tuple[int, int]] = []  # places in what is held at which streams begin, and their offsets
        self._passed = 0  # plain bytes before what is held
        self._begun: int | None = None

    @property
    def place(self) -> int:
        """The offset of the record at hand, or of the stream that could not be read to its first record."""
        if self._begun is not None:
            return self._begun
        return self._passed if self._packed is None else self._packed.offset

    def at_record(self) -> bool:
        """Go past the empty lines between records; whether there is one."""
        self._begun = None
        while True:
            empty = len(self._held) - len(self._held.lstrip(b"\r\n"))
            self._drop(empty)
            if self._held:
                break
            if not self._fill():
                return False
        self._begun = self._edges[0][1] if self._edges else self._passed
        return True

    def record(self, number: int, max_block_bytes: int) -> Record:
        line = self._line()
        if not (begins := BEGINS.fullmatch(line)):
            raise _BrokenError(line)
        headers = _arc_headers(begins) if begins[1] else self._warc_headers()
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            raise _BrokenError(line)
        block, whole = self._block(int(length), max_block_bytes)
        return Record(number, self.place, headers, block, None if whole else "record_too_large")

    def first(self) -> bytes:
        """The first bytes of what is held."""
        return bytes(self._held[:FIRST_BYTES])

    def go_on(self) -> bool:
        """Behind a record that is none, go to where the next begins; whether there is one."""
        try:
            while not (found := NEXT.search(self._held)):
                self._drop(max(0, len(self._held) - LONGEST_LINE))
                if not self._fill():
                    return False
        except DAMAGE:
            return self.past_damage()
        self._drop(found.start())
        return True

    def past_damage(self) -> bool:
        """Go to the next stream that can be read and begins a record; whether there is one."""
        self._drop(len(self._held))
        for _ in range(MAX_CANDIDATES):
            if self._packed is None or not self._packed.skip_stream():
                return False
            try:
                if self._fill() and BEGINS.match(self._held):
                    return True
            except DAMAGE:
                pass
            self._drop(len(self._held))
        return False

    def _warc_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        name = ""
        for _ in range(MAX_HEADERS):
            line = self._line()
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                return headers
            if text[0] in " \t" and name:  # goes on from the line before
                headers[name] += " " + text.strip()
                continue
            name, colon, value = text.partition(":")
            if not colon:
                raise _BrokenError(line)
            name = name.strip().lower()
            headers.setdefault(name, value.strip())
        raise _BrokenError(line)

    def _line(self) -> bytes:
        at = self._held.find(b"\n")
        while at < 0:
            if len(self._held) > LONGEST_LINE:
                raise _BrokenError(bytes(self._held[:FIRST_BYTES]))
            if not self._fill():
                raise EOFError("the file ends within a record")
            at = self._held.find(b"\n")
        line = bytes(self._held[: at + 1])
        self._drop(at + 1)
        return line

    def _block(self, length: int, most: int) -> tuple[bytes, bool]:
        """So many bytes; only the first of them, where they are more than is held."""
        if self._packed is None and self._passed + length > self._size:  # other records may lie before the end
            raise _BrokenError(self.first(), "truncated_record")
        if length > most:
            first = bytes(self._held[:FIRST_BYTES])
            while length > len(self._held):
                length -= len(self._held)
                self._drop(len(self._held))
                self._grow()
            self._drop(length)
            return first, False
        while length > len(self._held):
            self._grow()
        block = bytes(self._held[:length])
        self._drop(length)
        return block, True

    def _grow(self) -> None:
        """Hold more of a block; a stream that begins with a record says that the block was shorter than its length."""
        before = len(self._held)
        if not self._fill():
            raise EOFError("the file ends within a record")
        if self._edges and self._edges[-1][0] == before and BEGINS.match(self._held, before):
            first = bytes(self._held[: min(before, FIRST_BYTES)])
            self._drop(before)
            raise _BrokenError(first)

    def _fill(self) -> bool:
        plain = self._stream.read(PLAIN_BYTES)
        if self._packed is not None and (not self._edges or self._edges[-1][1] != self._packed.offset):
            self._edges.append((len(self._held), self._packed.offset))
        self._held += plain
        return bool(plain)

    def _drop(self, size: int) -> None:
        """What was looked at; of the streams begun before what is held then, the last one matters."""
        if not size:
            return
        del self._held[:size]
        self._passed += size
        edges = [(at - size, offset) for at, offset in self._edges]
        self._edges = edges[max(0, sum(at <= 0 for at, _ in edges) - 1) :]


def _arc_headers(found: re.Match[bytes]) -> dict[str, str]:
    url, _, date, kind, length = (part.decode("utf-8", "replace") for part in found.groups())
    day, time = "-".join((date[:4], date[4:6], date[6:8])), ":".join((date[8:10], date[10:12], date[12:]))
    return {
        "warc-type": "response" if url.startswith("http") else "metadata",
        "warc-target-uri": url,
        "warc-date": f"{day}T{time}Z",
        "warc-identified-payload-type": kind,
        "content-length": length,
    }
