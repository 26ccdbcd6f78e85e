"""The stage that finds duplicates: exact copies and verified pairs of a corpus, once; what is kept is asked later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.corpus import Corpus
from dq.corpus.corpus import read_column
from dq.dedup import DedupConfig, DuplicateIndex, Duplicates, Resources, find_duplicates
from dq.errors import WorkspaceError, cause_of
from dq.executors import QUIET, Executor, LocalExecutor, Step
from dq.stages.base import Need, Output, View
from dq.stages.read import Documents


class FoundDuplicates(Output):
    """Copies and verified pairs of a text version."""

    made_by: ClassVar = {"duplicates": 2}
    needs: ClassVar = {"corpus": Need(Documents, "deduplicated")}
    outside: ClassVar = ("index",)

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``duplicates/<version>``."""
        return view.workspace.duplicates(view.texts.deduplicated)

    @cached_property
    def duplicates(self) -> Duplicates:
        """What was found."""
        return Duplicates.read(self.folder)


def find_pairs(
    view: View,
    config: DedupConfig,
    *,
    resources: Resources,
    index: DuplicateIndex | None = None,
    executor: Executor | None = None,
    step: Step = QUIET,
) -> FoundDuplicates:
    """Find the copies and verified pairs, or find that it has been done. The step counts documents as they are signed.

    Texts are read by threads of this process, or by tasks of an executor whose workers are on other machines.
    With an index the result depends on the batches that were added before this corpus, so they are an input too.
    """
    corpus = view.open(Documents, "deduplicated")
    identity = corpus.record.fingerprint
    others = {} if index is None else {"index": index.state_before(identity)}
    stage = view.stage(FoundDuplicates, config=config, others=others)
    if stage.done() is None:
        stage.start(keep=["signatures"])  # another threshold needs no new ones
        with disk_errors(stage.folder):
            found = find_duplicates(
                shard_readers(corpus),
                config,
                folder=stage.folder,
                inputs=identity,
                index=index,
                resources=resources,
                executor=None if isinstance(executor, LocalExecutor) else executor,
                step=step,
            )
        stage.commit({"verified_pairs": found.counts.verified_pairs, "exact_copies": found.counts.exact_copies})
    return view.open(FoundDuplicates)


def shard_readers(corpus: Corpus) -> list[Callable[[], object]]:
    """A function for each shard that reads its texts, on any machine that sees the file."""
    return [partial(read_column, path, "text") for path in corpus.shards]


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say on one line what went wrong with the disk while ``folder`` was written."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:  # polars reports a full disk as the latter
        raise WorkspaceError(f"{folder}: cannot be written: {cause_of(error)}; free some space and run again") from None
