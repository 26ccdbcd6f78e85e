"""What a job says about its input."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dq.config import FieldFault, StrictModel

SampleName = Literal["news", "web", "factbook"]
HTML_SAMPLES = ("web", "factbook")  # whose text is converted when they are read


class InputSpec(StrictModel):
    """One entry of `input:`: files by a path, pattern or folder, or a sample corpus that dq fetches."""

    path: str | None = None
    """A file, a pattern (`data/**/*.jsonl.zst`) or a folder, which is read whole, relative to the current folder."""
    sample: SampleName | None = None
    """A sample corpus by name, fetched once into the user's cache folder."""
    source: str | None = Field(default=None, min_length=1)
    """The source of all these documents. Default: the row's own, else the sample's or the file's name."""
    text_field: str = "text"
    """The field that holds the text."""
    id_field: str = "id"
    """The field that holds the id; rows without one are named by file and row."""
    source_field: str = "source"
    """The field that holds the source, where `source` is not given."""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The converter of the samples that are HTML."""
        return ("resiliparse",) if self.sample in HTML_SAMPLES else ()

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
