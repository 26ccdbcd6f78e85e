"""The answer of a server as crawlers keep it: status, headers and what it sent, unpacked.

Crawlers differ in what they undo: a body may still be in chunks or compressed, or may be plain under headers that say
otherwise. Headers are believed where the bytes agree.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import pyarrow as pa

STATUS = re.compile(rb"HTTP/\d(?:\.\d)?\s+(\d{3})")
CHUNK = re.compile(rb"\s*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]{0,200})?\r?\n")
BREAK = re.compile(rb"\r?\n\r?\n")
HEADER = re.compile(rb"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)", re.M)
GZIP, DEFLATE = b"\x1f\x8b", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
MAX_HEAD_BYTES = 1 << 18
ZSTD = b"\x28\xb5\x2f\xfd"
OTHER_CODINGS = ("br", "zstd", "compress")
BLOCK_BYTES = 1 << 16


class BodyError(Exception):
    """A body that cannot be unpacked; the message is the reason as quarantines call it."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Status (0 where the block is no HTTP), headers by their names in lower case, and the body as it was stored."""

    status: int
    headers: dict[str, str]
    stored: bytes

    @classmethod
    def of(cls, block: bytes) -> HttpResponse:
        """What a record holds."""
        status = STATUS.match(block)
        if status is None:
            return cls(0, {}, block)
        found = BREAK.search(block, 0, MAX_HEAD_BYTES)
        head, body = (block[:MAX_HEAD_BYTES], b"") if found is None else (block[: found.start()], block[found.end() :])
        headers: dict[str, str] = {}
        for name, value in HEADER.findall(head, status.end()):
            headers.setdefault(name.decode("ascii").lower(), value.decode("latin-1").strip())
        return cls(int(status[1]), headers, body)

    def body(self, *, max_bytes: int) -> bytes:
        """What was sent.

        Raises:
            BodyError: it is compressed in a way that is not read, damaged, or swells past ``max_bytes``.
        """
        body = self.stored
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            body = _joined(body)
        coding = self.headers.get("content-encoding", "").lower()
        if body.startswith(GZIP) or ("deflate" in coding and body.startswith(DEFLATE)):
            return _unpacked(body, max_bytes=max_bytes)
        if "zstd" in coding and body.startswith(ZSTD):
            return _streamed(body, "zstd", max_bytes=max_bytes)
        if coding == "br" and not _is_text(body):  # Brotli has no mark to be known by
            return _streamed(body, "brotli", max_bytes=max_bytes)
        if any(other in coding for other in OTHER_CODINGS) and not _is_text(body):
            raise BodyError("unknown_content_encoding")
        return body


def _joined(body: bytes) -> bytes:
    """The chunks of a body; the body where it is not in chunks, and all there are where the last is cut."""
    joined, at = bytearray(), 0
    while found := CHUNK.match(body, at):
        size = int(found[1], 16)
        if not size:
            break
        joined += body[found.end() : found.end() + size]
        at = found.end() + size
    return bytes(joined) or body


def _unpacked(body: bytes, *, max_bytes: int) -> bytes:
    """What is there of a compressed body, cut ones too, as browsers show them."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise BodyError("damaged_body") from None
    if len(plain) > max_bytes:
        raise BodyError("record_too_large")
    return plain


def _streamed(body: bytes, codec: str, *, max_bytes: int) -> bytes:
    """The same of a codec that Arrow has."""
    plain = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
            while len(plain) <= max_bytes and (part := stream.read(BLOCK_BYTES)):
                plain += part
    except OSError:
        if not plain:
            raise BodyError("damaged_body") from None
    if len(plain) > max_bytes:
        raise BodyError("record_too_large")
    return bytes(plain)


def _is_text(body: bytes) -> bool:
    return b"\0" not in body[:512] and body.lstrip()[:1] in (b"<", b"")
