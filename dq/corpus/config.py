"""What a job says about its input."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from dq.config import FieldFault, StrictModel
from dq.corpus.addresses import BACKENDS, redacted, scheme_of
from dq.corpus.names import spelled
from dq.pages.extracted import PageText


def _paths(value: Any) -> Any:
    """Paths as texts, with whatever bytes their names hold: pydantic's own texts are Unicode."""
    if isinstance(value, (list, tuple)) and value:
        return tuple(_paths(one) for one in value)
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return os.fsdecode(value)
    if value is None:
        return None
    raise ValueError("write a path, or several in a list")


def _plain_paths(value: Any) -> Any:
    return [_plain_paths(one) for one in value] if isinstance(value, tuple) else value and spelled(redacted(value))


Paths: TypeAlias = Annotated[str | tuple[str, ...] | None, PlainValidator(_paths), PlainSerializer(_plain_paths)]
SampleName = Literal["news", "web", "factbook"]
HTML_SAMPLES = ("web", "factbook")  # whose text is converted when they are read


class InputSpec(StrictModel):
    """One entry of `input:`: files by a path, pattern or folder, or a sample corpus that dq fetches."""

    path: Paths = None
    """A file, a pattern (`data/**/*.jsonl.zst`), a folder, which is read whole, or a list of these; relative to the
    current folder, or an address such as `s3://bucket/folder`."""
    sample: SampleName | None = None
    """A sample corpus by name, fetched once into the user's cache folder."""
    source: str | None = Field(default=None, min_length=1)
    """The source of all these documents. Default: the row's own, else the name of this entry."""
    source_from: Literal["entry", "file"] = "entry"
    """What rows without a source of their own are named by: this entry as a whole, or the file that they are in."""
    text_field: str = "text"
    """The field that holds the text."""
    id_field: str = "id"
    """The field that holds the id; rows without one are named by file and row."""
    source_field: str = "source"
    """The field that holds the source, where `source` is not given."""
    page_text: PageText = "main"
    """What of a page, in a crawl or an HTML file, is its text: main content (also trafilatura's), all, or its HTML."""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The converter of the samples that are HTML, and what reads the places of addresses."""
        paths = self.path if isinstance(self.path, tuple) else (self.path or "",)
        schemes = dict.fromkeys(scheme_of(one) for one in paths if not os.path.lexists(one))
        remote = [module for one in schemes if one for module in ("fsspec", BACKENDS[one])]
        return (*(["resiliparse"] if self.sample in HTML_SAMPLES else []), *remote)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        """A text alone is a path."""
        return {"path": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of(self) -> InputSpec:
        if (self.path is None) == (self.sample is None):
            raise FieldFault("give exactly one of `path` and `sample`", *(["sample"] if self.sample else []))
        return self


class RowLimits(StrictModel):
    """Which rows become documents, and how many may not."""

    max_bad_fraction: float = Field(default=0.01, ge=0, le=1)
    """Share of unreadable rows past which it is an error."""
    max_document_bytes: int = Field(default=64_000_000, ge=1)
    """Longest text, in bytes of UTF-8; longer rows are quarantined."""


class ReadConfig(RowLimits):
    """How rows become the documents of a corpus."""

    shard_rows: int = Field(default=4096, ge=1)
    """Documents a shard. Shards are cut by rows (and at 256 MB of text), never by worker."""
