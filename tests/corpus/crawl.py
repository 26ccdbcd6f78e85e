"""Archives as crawlers write them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

from dq.corpus import InputSpec
from dq.corpus.documents import BadRow, PassedOver, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.inputs import find_inputs

LIMIT = 1_000_000


def record(kind: str, block: bytes, *, number: int = 0, length: int | None = None, **headers: str) -> bytes:
    """A WARC record; names of headers have underscores for hyphens."""
    named: Mapping[str, str] = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number:04d}>",
        "WARC-Target-URI": f"https://example.org/{number}",
        "WARC-Date": "2024-05-18T01:58:10Z",
        "Content-Length": str(len(block) if length is None else length),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return b"WARC/1.0\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def answer(body: bytes, *, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> bytes:
    """What a server sent."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


def page(number: int) -> bytes:
    """An answer with a page of some kilobytes that says its number."""
    words = " ".join(f"word{number}x{i}" for i in range(300))
    html = f"<html><head><title>Page {number}</title></head><body><p>Text of page {number}: {words}.</p></body></html>"
    return answer(html.encode())


def crawl(pages: int) -> list[bytes]:
    """Records as a crawl has them: of each page its request and its answer."""
    records = [record("warcinfo", b"software: test\r\n")]
    for number in range(pages):
        records += [record("request", b"GET / HTTP/1.1\r\n\r\n"), record("response", page(number), number=number)]
    return records


def written(path: Path, records: list[bytes]) -> Path:
    """A file with a gzip member a record."""
    path.write_bytes(b"".join(gzip.compress(one) for one in records))
    return path


def rows(path: Path, *, limit: int = LIMIT, **fields: str) -> list[Row | BadRow]:
    """What is read of a file."""
    one = find_inputs([InputSpec.model_validate({"path": str(path), **fields})]).files[0]
    assert isinstance(one.format, RowFormat)
    found = one.format.rows(one.file, max_document_bytes=limit)
    return [row for row in found if not isinstance(row, PassedOver)]


def good(found: list[Row | BadRow]) -> list[Row]:
    """The documents."""
    return [one for one in found if isinstance(one, Row)]


def bad(found: list[Row | BadRow]) -> list[BadRow]:
    """The faults."""
    return [one for one in found if isinstance(one, BadRow)]
