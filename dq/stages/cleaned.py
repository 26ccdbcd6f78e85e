"""The stage that cleans: a cleaner makes a new version of the text under the same ids, a shard at a time.

It rewrites and counts, and never drops: a document may become empty, and the rules say what becomes of it. Its content
key stays that of the text as read, so that every draw stays what it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from dq.config import FieldFault, StrictModel
from dq.corpus import Corpus
from dq.dedup import RepeatedPassages, find_passages, passages
from dq.errors import nearest
from dq.executors import QUIET, Executor, Step
from dq.quality import cleaners
from dq.stages.base import ORIGINAL, TextVersions, View
from dq.stages.duplicates import disk_errors, shard_readers
from dq.stages.ranked import ranked_documents
from dq.stages.read import Documents
from dq.store import read_json, write_json_atomic, write_parquet, write_table
from dq.text import Cleaned, Cleaner, CorpusCleaner, Texts, content_keys

AnyCleaner: TypeAlias = Cleaner | CorpusCleaner | RepeatedPassages
CLEANERS: dict[str, type[AnyCleaner]] = {
    **cleaners.CLEANERS,
    **passages.CLEANERS,
    RepeatedPassages.name: RepeatedPassages,
}
"""Every cleaner by the name that a job's YAML gives it."""

LEDGER = "passages.parquet"
"""Beside the shards of a version without repeated passages: the pieces, as of `dq.dedup.Passages`."""


class CleanConfig(StrictModel):
    """One text version more, and the cleaner that makes it."""

    version: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{0,49}$")
    """Its name, for `texts:` and for the next cleaner."""
    of: str = ORIGINAL
    """The version that is rewritten."""
    cleaner: str
    """The cleaner's name."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """The cleaner's own options."""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """What the cleaner imports."""
        return getattr(CLEANERS[self.cleaner], "modules_needed", ())

    @field_validator("version")
    @classmethod
    def _free(cls, version: str) -> str:
        if version in (ORIGINAL, *TextVersions.model_fields):
            raise ValueError(f"`{version}` has a meaning of its own; choose another name")
        return version

    @model_validator(mode="after")
    def _known(self) -> CleanConfig:
        if self.cleaner not in CLEANERS:
            raise FieldFault(nearest(self.cleaner, CLEANERS, what="cleaner"), "cleaner")
        try:
            made = self.make()
        except ValidationError as error:
            wrong = error.errors()[0]
            message = f"{wrong['msg'].removeprefix('Value error, ')} (an option of {self.cleaner})"
            raise FieldFault(message, "options", *wrong["loc"]) from None
        if isinstance(made, RepeatedPassages) and made.keep.signal:
            message = (
                f"`{made.keep}` needs signals, which are made of cleaned text; use another policy, or `dq passages`"
            )
            raise FieldFault(message, "options", "keep")
        return self

    def make(self) -> AnyCleaner:
        """The cleaner."""
        model = cast("type[StrictModel]", CLEANERS[self.cleaner])  # by whose own error a fault's place is known
        return cast("AnyCleaner", model.model_validate(self.options))


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    clean: Callable[[Texts], Cleaned]
    folder: Path

    @property
    def output(self) -> Path:
        """What was rewritten, by kind; written after the shard itself."""
        return self.folder / f"{self.shard:05d}.json"


def clean_documents(view: View, config: CleanConfig, *, executor: Executor, step: Step = QUIET) -> Documents:
    """Make a text version, or find that it has been done. The step counts shards.

    The record says how many documents changed, what was rewritten by kind, and how many documents the cleaner made
    equal to another one.
    """
    return make_version(view, config.make(), of=config.of, version=config.version, executor=executor, step=step)


def make_version(
    view: View,
    cleaner: AnyCleaner,
    *,
    of: str,
    version: str,
    executor: Executor,
    step: Step = QUIET,
) -> Documents:
    """The same with a cleaner that is there: whatever rewrites texts makes a version by it."""
    corpus = view.open(Documents, of)
    stage = view.stage(
        Documents,
        name="clean",
        of=version,
        config={"of": of, "cleaner": cleaner.name, "version": cleaner.version, "options": cleaner.config()},
        others={"corpus": corpus.record.fingerprint},
    )
    if stage.done() is None:
        stage.start()
        if isinstance(cleaner, RepeatedPassages):
            of_shards = _without_passages(view, cleaner, corpus, folder=stage.folder)
        else:
            ready = cleaner if isinstance(cleaner, Cleaner) else cleaner.survey(shard_readers(corpus))
            of_shards = [ready.clean] * len(corpus.shards)
        tasks = [_ShardTask(corpus.folder, shard, clean, stage.folder) for shard, clean in enumerate(of_shards)]
        executor.run(_clean_shard, tasks, output=lambda task: task.output, step=step)
        counts: Counter[str] = Counter()
        for task in tasks:
            counts.update(read_json(task.output))
        stage.commit({"counts": dict(sorted(counts.items())), "made_identical": _made_identical(corpus, tasks)})
    return view.open(Documents, version)


def _clean_shard(task: _ShardTask) -> None:
    with pq.ParquetFile(Corpus(task.corpus).shards[task.shard]) as file:
        table = file.read()
    done = task.clean(table.column("text"))
    texts: dict[str, Any] = {
        "text": done.texts,
        "n_bytes": pc.binary_length(done.texts).cast(pa.int64()),
        TEXT_KEY: pl.Series(content_keys(done.texts)).to_arrow(),
    }
    for name, column in texts.items():
        at = table.schema.get_field_index(name)
        table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
    write_table(task.folder / f"{task.shard:05d}.parquet", table, repeated=["source"], often_read=True)
    write_json_atomic(task.output, {"changed_documents": done.changed, **done.counts})


def _without_passages(
    view: View, options: RepeatedPassages, corpus: Documents, *, folder: Path
) -> list[Callable[[Texts], Cleaned]]:
    """What cuts repeated passages out of each shard: which of several equal texts keeps them its place says alone."""
    with disk_errors(folder):
        ranked = ranked_documents(view, options.keep, of=corpus.version)
        found = find_passages(shard_readers(corpus), options, documents=ranked, folder=folder)
        write_parquet(folder / LEDGER, found.pieces)
    return [found.cuts_of(int(first), int(end - first)).clean for first, end in pairwise(corpus.first_documents)]


TEXT_KEY = "text_key"  # xxh64 of the text of this version, beside the content key of the text as read


def _made_identical(corpus: Corpus, tasks: list[_ShardTask]) -> int:
    """How many fewer different texts there are than in the version that was cleaned."""

    def different(folder: Path) -> int:
        tables = pl.scan_parquet(sorted(folder.glob("[0-9]*.parquet")), glob=False)
        key = TEXT_KEY if TEXT_KEY in tables.collect_schema() else "content_key"
        return int(tables.select(pl.col(key).n_unique()).collect().item())

    return max(0, different(corpus.folder) - different(tasks[0].folder))
