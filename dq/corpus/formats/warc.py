"""WARC, WET and ARC files: the pages and texts that a crawler fetched are rows, each with its address and date.

Only answers of status 200 that are HTML or plain text are documents, and what others made of them (`conversion`); the
rest of an archive (requests, metadata, images, redirects) is passed over, as it is no text, and counted by its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from dq.corpus.config import InputSpec
from dq.corpus.documents import FIRST_BYTES, BadRow, PassedOver, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.formats.http_response import BodyError, HttpResponse
from dq.corpus.formats.records import Record, records
from dq.corpus.places import File
from dq.pages.extracted import PageError, PageText, check_libraries, decoded
from dq.pages.parser import read_page

HTML = ("text/html", "application/xhtml+xml")
PLAIN = "text/plain"
OK = 200
OTHER_RECORDS = ("warcinfo", "request", "metadata", "revisit", "resource", "continuation")
STATUSES = {2: "partial answer", 3: "redirect", 4: "client error", 5: "server error"}
MEDIA = ("image", "audio", "video", "font", "text")
FIELDS = {"warc-date": "date", "warc-identified-content-language": "language"}


class _NoPageError(Exception):
    """A record that is passed over; the message is its kind."""


@dataclass(frozen=True)
class Warc(RowFormat[None]):
    """Archives of a crawl."""

    endings: ClassVar = (".warc", ".wet", ".arc")
    page_text: PageText = "main"

    def for_entry(self, spec: InputSpec) -> Warc:
        """With what the entry says of pages."""
        check_libraries(spec.page_text)
        return Warc(spec.page_text)

    def rows(self, file: File, *, max_document_bytes: int, part: None = None) -> Iterator[Row | BadRow | PassedOver]:
        """The documents of the file, its damage, and of what kind the other records are."""
        del part
        for record in records(file, max_block_bytes=max_document_bytes):
            yield self._row(record, max_document_bytes)

    def _row(self, record: Record, max_document_bytes: int) -> Row | BadRow | PassedOver:
        """The document of a record, its fault, or its kind."""
        try:
            if record.fault is not None:
                raise BodyError(record.fault)
            content_type, body = _content(record, max_document_bytes)
            return self._document(record, content_type, body)
        except (BodyError, PageError) as error:
            return BadRow(record.number, str(error), record.block[:FIRST_BYTES], offset=record.offset)
        except _NoPageError as error:
            return PassedOver(str(error))

    def _document(self, record: Record, content_type: str, body: bytes) -> Row:
        kind = content_type.partition(";")[0].strip().lower()
        if kind not in (*HTML, PLAIN):
            media = kind.partition("/")[0]
            raise _NoPageError(media if media in MEDIA else "other content")
        headers = record.headers
        identity = headers.get("warc-record-id", "").strip("<>").removeprefix("urn:uuid:")
        fields = {"id": identity, "url": _address(headers)}
        fields |= {name: headers[header] for header, name in FIELDS.items() if header in headers}
        if kind == PLAIN:
            text, charset = decoded(body, content_type=content_type, is_html=False)
        else:
            page = read_page(body, content_type=content_type, what=self.page_text)
            text, charset = page.text, page.charset
            said = {"title": page.title, "published": page.published}
            fields |= {name: value for name, value in said.items() if value}
        return Row({**fields, "charset": charset, "text": text}, record.number)


def _content(record: Record, max_bytes: int) -> tuple[str, bytes]:
    """Of what kind the content of a record is, and the content where it is text.

    Raises:
        _NoPageError: it is none that was fetched; the message says what it is.
    """
    headers = record.headers
    kind, said = headers.get("warc-type"), headers.get("content-type", "")
    if kind == "conversion" or (kind == "resource" and not _address(headers).startswith("metadata:")):
        return said, record.block
    if kind != "response":
        raise _NoPageError(kind if kind in OTHER_RECORDS else "other record")
    response = HttpResponse.of(record.block)
    if response.status != OK:
        raise _NoPageError(STATUSES.get(response.status // 100, "no answer"))
    said = response.headers.get("content-type") or headers.get("warc-identified-payload-type", "")
    return said, response.body(max_bytes=max_bytes) if said.lower().startswith((*HTML, PLAIN)) else b""


def _address(headers: dict[str, str]) -> str:
    """What was fetched; Wget writes it in brackets."""
    return headers.get("warc-target-uri", "").strip("<>")
