"""The user's benchmarks: files of items whose texts must not stand in training data, read and ready to be found."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import orjson
import polars as pl
from pydantic import Field, model_validator

from dq.config import FieldFault, StrictModel
from dq.corpus import InputSpec
from dq.corpus.batches import Batch
from dq.corpus.fields import value_of
from dq.corpus.inputs import find_inputs, input_identity
from dq.corpus.pieces import cut_files
from dq.dedup.contamination import ContaminationConfig, Items
from dq.errors import ConfigError, InputError
from dq.store import read_parquet

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
MAX_ITEM_BYTES = PIECE_BYTES = 64 << 20
REASON = "contaminated_by_"
"""Before the name of a benchmark: the reason of documents that hold an item of it."""
ITEMS = {"benchmark": pl.String, "id": pl.String, "text": pl.String}
BY_BENCHMARK: dict[str, type[pl.DataType]] = {
    "benchmark": pl.String,
    **dict.fromkeys(("items", "too_short", "whole", "hit", "untouched"), pl.Int64),
    "mean_covered": pl.Float64,
    "documents": pl.Int64,
}
"""Items; of these those too short to be looked for, and looked for whole for being shorter than n words; those that
stand in a document, and those that do not; of the former the mean share of their n-grams in all documents together;
documents that hold any."""


class Benchmark(StrictModel):
    """A benchmark: files with an item a row."""

    name: str = Field(pattern=NAME)
    """What reports and reasons call it."""
    path: str | tuple[str, ...]
    """A file, a pattern, a folder, or a list of these, of any format that is read as input."""
    fields: tuple[str, ...] = Field(default=("text",), min_length=1)
    """The fields whose texts, one after the other, are the item: texts, or lists or objects with texts in them."""
    id_field: str = "id"
    """The field that holds the id; items without one are named by file and row."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """``NAME=FILE``, or ``NAME=FILE:FIELD,FIELD`` where other fields than ``text`` hold the item.

        Raises:
            ConfigError: it is neither.
        """
        name, _, rest = text.partition("=")
        path, colon, fields = rest.rpartition(":")
        if not colon or "/" in fields:  # the colon of a scheme
            path, fields = rest, "text"
        names = tuple(one.strip() for one in fields.split(","))
        if not (re.fullmatch(NAME, name) and path and all(names)):
            raise ConfigError(
                f"{text}: write NAME=FILE or NAME=FILE:FIELD,FIELD, the name of letters, digits, `_` and `-`",
                field="benchmark",
            )
        return cls(name=name, path=path, fields=names)

    @property
    def inputs(self) -> list[InputSpec]:
        """Its files; the first field says which rows are items."""
        return [InputSpec(path=self.path, text_field=self.fields[0], id_field=self.id_field)]

    def identity(self) -> dict[str, Any]:
        """What a record holds of it: names and contents of its files, and its fields."""
        return {**self.model_dump(exclude={"path"}), "files": input_identity(find_inputs(self.inputs).files)}


class BenchmarksConfig(ContaminationConfig):
    """Benchmarks, and when an item of one stands in a document."""

    benchmarks: tuple[Benchmark, ...] = Field(min_length=1)
    """The benchmarks."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.benchmarks]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise FieldFault(f"two benchmarks are called {name}; their names must differ", "benchmarks", at, "name")
        return self

    @property
    def matching(self) -> ContaminationConfig:
        """When an item stands in a document, alone."""
        return ContaminationConfig(**self.model_dump(include=set(ContaminationConfig.model_fields)))

    def identity(self) -> dict[str, Any]:
        """What a record holds of it."""
        return {**self.matching.model_dump(), "benchmarks": [one.identity() for one in self.benchmarks]}


def read_items(benchmarks: Sequence[Benchmark]) -> pl.DataFrame:
    """All items of all benchmarks, in order: benchmark, id, text.

    Raises:
        InputError: a file cannot be read, or a row has no item.
    """
    rows = [(one.name, *item) for one in benchmarks for item in _items(one)]
    return pl.DataFrame(rows, schema=ITEMS, orient="row")


def _items(benchmark: Benchmark) -> Iterator[tuple[str, str]]:
    for piece in cut_files(find_inputs(benchmark.inputs).files, max_bytes=PIECE_BYTES):
        for _, batch in piece.batches(max_document_bytes=MAX_ITEM_BYTES, carries="lines"):
            _refuse_bad(benchmark, batch)
            ids, lines = batch.documents.column("id").to_pylist(), batch.lines
            for name, line in zip(ids, [] if lines is None else lines.to_pylist(), strict=True):
                yield name, _text(benchmark, name, orjson.loads(line))


def _refuse_bad(benchmark: Benchmark, batch: Batch) -> None:
    for name, row in batch.unreadable():
        there = f"; the fields there are: {', '.join(row.fields)}" if row.fields else ""
        raise InputError(
            f"{name}:{row.line}: no item of {benchmark.name}: {row.reason.replace('_', ' ')} (field "
            f"`{benchmark.fields[0]}`){there}; name the fields of its text, or leave the row out"
        )


def _text(benchmark: Benchmark, name: str, row: dict[str, Any]) -> str:
    values = {field: value_of(row, field) for field in benchmark.fields}
    if missing := [field for field, value in values.items() if value is None]:
        raise InputError(f"item {name} of {benchmark.name} has no field `{missing[0]}`; it has: {', '.join(row)}")
    return "\n".join(text for value in values.values() for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value, in order."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def items_of(path: Path, config: ContaminationConfig) -> Items:
    """The items of a file that `read_items` filled, ready to be looked for; made once a process, and of a file anew."""
    return _ready_items(path, path.stat().st_mtime_ns, config)


@functools.lru_cache(maxsize=2)
def _ready_items(path: Path, _written: int, config: ContaminationConfig) -> Items:
    return Items(read_parquet(path)["text"], config)


def report_of(
    items: pl.DataFrame, index: Items, *, matches: pl.DataFrame, found: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """What was found of each item: benchmark, id, words (up to n), ngrams, documents, covered, most_covered.

    Args:
        items: as `read_items` gives them.
        index: the same, ready.
        matches: a row a document and item, of all documents.
        found: n-grams of items that were found, in any parts.

    ``words`` and ``ngrams`` are 0 of items that are too short to be looked for. ``covered`` is the share of the item's
    n-grams in all documents together, ``most_covered`` that in a single one.
    """
    per_item = matches.group_by("item").agg(documents=pl.len().cast(pl.Int64), most=pl.col("ngrams").max())
    numbered = items.select("benchmark", "id").with_columns(
        item=pl.int_range(pl.len(), dtype=pl.Int64),
        words=pl.Series(index.lengths),
        ngrams=pl.Series(index.ngrams),
        covered=pl.Series(index.covered(found)),
    )
    most = pl.col("most").fill_null(0) / pl.col("ngrams").clip(1)
    return (
        numbered.join(per_item, on="item", how="left", maintain_order="left")
        .with_columns(pl.col("documents").fill_null(0), most_covered=most)
        .select("benchmark", "id", "words", "ngrams", "documents", "covered", "most_covered")
    )


def by_benchmark(report: pl.DataFrame, matches: pl.DataFrame, items: pl.DataFrame, *, ngram: int) -> pl.DataFrame:
    """A row a benchmark, with the columns of `BY_BENCHMARK`.

    Args:
        report: as `report_of` gives it.
        matches: a row a document and item.
        items: as `read_items` gives them.
        ngram: words below which an item was looked for whole.
    """
    looked, hit = pl.col("words") > 0, pl.col("documents") > 0
    counts = report.group_by("benchmark", maintain_order=True).agg(
        items=pl.len(),
        too_short=(~looked).sum(),
        whole=(looked & (pl.col("words") < ngram)).sum(),
        hit=hit.sum(),
        untouched=(looked & ~hit).sum(),
        mean_covered=pl.col("covered").filter(hit).mean(),
    )
    named = matches.select("document", items["benchmark"].gather(matches["item"]))
    documents = named.group_by("benchmark").agg(documents=pl.col("document").n_unique())
    joined = counts.join(documents, on="benchmark", how="left", maintain_order="left")
    return joined.select(pl.col(name).cast(dtype) for name, dtype in BY_BENCHMARK.items()).with_columns(
        pl.col("documents").fill_null(0)
    )
