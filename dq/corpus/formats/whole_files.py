"""Files that are one document each: plain text, and HTML pages as text by `dq.pages`.

Plain text is UTF-8, kept to the byte but for a mark of byte order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from dq.corpus.config import InputSpec
from dq.corpus.documents import FIRST_BYTES, BadRow, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.formats.compression import decompressed
from dq.corpus.formats.jsonl import BOM, CHUNK_BYTES
from dq.corpus.places import File
from dq.pages.extracted import PageError, PageText, check_libraries
from dq.pages.parser import read_page


class WholeFile(RowFormat[None]):
    """A file that is one row."""

    def rows(self, file: File, *, max_document_bytes: int, part: None = None) -> Iterator[Row | BadRow]:
        """The file, where it has a byte."""
        del part
        content = bytearray()
        with decompressed(file) as stream:
            while len(content) <= max_document_bytes and (chunk := stream.read(CHUNK_BYTES)):
                content += chunk
        if len(content) > max_document_bytes:
            yield BadRow(1, "text_too_large", bytes(content[:FIRST_BYTES]))
        elif content:
            yield self._row(bytes(content))

    def _row(self, content: bytes) -> Row | BadRow:
        try:
            return Row(self.fields(content), 1)
        except (PageError, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, PageError) else "invalid_utf8"
            return BadRow(1, reason, content[:FIRST_BYTES])

    @abstractmethod
    def fields(self, content: bytes) -> dict[str, Any]:
        """What the row holds."""


class PlainText(WholeFile):
    """Plain text."""

    endings: ClassVar = (".txt",)

    def fields(self, content: bytes) -> dict[str, Any]:
        """The text."""
        return {"text": content.removeprefix(BOM).decode()}


@dataclass(frozen=True)
class HtmlPage(WholeFile):
    """A page."""

    endings: ClassVar = (".html", ".htm", ".xhtml")
    page_text: PageText = "main"

    def for_entry(self, spec: InputSpec) -> HtmlPage:
        """With what the entry says of pages."""
        check_libraries(spec.page_text)
        return HtmlPage(spec.page_text)

    def fields(self, content: bytes) -> dict[str, Any]:
        """Its text, title, date where it says one, and charset."""
        page = read_page(content, content_type="", what=self.page_text)
        date = {"published": page.published} if page.published else {}
        return {"title": page.title, **date, "charset": page.charset, "text": page.text}
