"""The stage that cleans: a cleaner makes a new version of the text under the same ids, a shard at a time.

It rewrites and counts, and never drops: a document may become empty, and the rules say what becomes of it. Its content
key stays that of the text as read, so that every draw stays what it was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from dq.config import FieldFault, StrictModel
from dq.corpus import Corpus
from dq.dedup import passages
from dq.errors import nearest
from dq.executors import QUIET, Executor, Step
from dq.quality import cleaners
from dq.stages.base import ORIGINAL, TextVersions, View
from dq.stages.duplicates import shard_readers
from dq.stages.read import Documents
from dq.store import read_json, write_json_atomic, write_table
from dq.text import Cleaner, CorpusCleaner, content_keys

CLEANERS: dict[str, type[Cleaner] | type[CorpusCleaner]] = {**cleaners.CLEANERS, **passages.CLEANERS}
"""Every cleaner by the name that a job's YAML gives it."""


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
            self.make()
        except ValidationError as error:
            wrong = error.errors()[0]
            message = f"{wrong['msg'].removeprefix('Value error, ')} (an option of {self.cleaner})"
            raise FieldFault(message, "options", *wrong["loc"]) from None
        return self

    def make(self) -> Cleaner | CorpusCleaner:
        """The cleaner."""
        model = cast("type[StrictModel]", CLEANERS[self.cleaner])  # by whose own error a fault's place is known
        return cast("Cleaner | CorpusCleaner", model.model_validate(self.options))


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    cleaner: Cleaner
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
    cleaner: Cleaner | CorpusCleaner,
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
        ready = cleaner if isinstance(cleaner, Cleaner) else cleaner.survey(shard_readers(corpus))
        tasks = [_ShardTask(corpus.folder, shard, ready, stage.folder) for shard in range(len(corpus.shards))]
        executor.run(_clean_shard, tasks, output=lambda task: task.output, step=step)
        counts: Counter[str] = Counter()
        for task in tasks:
            counts.update(read_json(task.output))
        stage.commit({"counts": dict(sorted(counts.items())), "made_identical": _made_identical(corpus, tasks)})
    return view.open(Documents, version)


def _clean_shard(task: _ShardTask) -> None:
    with pq.ParquetFile(Corpus(task.corpus).shards[task.shard]) as file:
        table = file.read()
    done = task.cleaner.clean(table.column("text"))
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


TEXT_KEY = "text_key"  # xxh64 of the text of this version, beside the content key of the text as read


def _made_identical(corpus: Corpus, tasks: list[_ShardTask]) -> int:
    """How many fewer different texts there are than in the version that was cleaned."""

    def different(folder: Path) -> int:
        tables = pl.scan_parquet(sorted(folder.glob("[0-9]*.parquet")), glob=False)
        key = TEXT_KEY if TEXT_KEY in tables.collect_schema() else "content_key"
        return int(tables.select(pl.col(key).n_unique()).collect().item())

    return max(0, different(corpus.folder) - different(tasks[0].folder))
