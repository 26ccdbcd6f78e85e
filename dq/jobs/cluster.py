"""What a job would take for a corpus of any size on nodes of a kind, stage by stage: tasks, hours, memory, disk.

The job is tried on parts of a fair sample of its input, and what grows from part to part is what a stage costs: seconds
of the processor, bytes left on disk. Whatever does not grow (libraries, merges of a tokenizer) is counted once.
Which stages are tasks that any node may take, and what the node of the command holds for each document in the others,
a sample does not show: it stands in `dq.jobs.costs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dq.corpus.drawn import Drawn, draw
from dq.dedup.estimate import BYTES_A_TEXT_BYTE
from dq.dedup.find.runs import ROWS_A_RUN
from dq.executors import QUIET, Progress, require_live_polars
from dq.jobs.costs import Cost, Way, cost_of
from dq.jobs.job import JobConfig
from dq.jobs.tried import Tried, compile_by, try_part
from dq.results import Result
from dq.stages.base import ORIGINAL
from dq.stages.read import MANY_BYTES, MANY_WORKERS
from dq.stages.read_tasks import PIECE_BYTES
from dq.stages.shards import SHARD_TEXT_BYTES
from dq.stages.tokens import MAX_PARTS
from dq.stages.tokens import PART_BYTES as TOKENS_BYTES

SAMPLE_BYTES = 320_000_000  # of text, half of it or more
PARTS = (8, 4, 2, 1)  # of the sample
MAX_HELD_OUT = 0.5  # of a part
SLURM_START_SECONDS = 2.0  # of a job: Python and libraries


@dataclass(frozen=True)
class Nodes(Result):
    """Machines of a kind that share a file system; the command runs on one of them.

    Attributes:
        cores: of each.
        memory_bytes: of each.
        count: how many.
        start_seconds: of a core, before each task works.
    """

    cores: int
    memory_bytes: int
    count: int = 1
    start_seconds: float = 0.0

    def tasks_at_a_time(self, task_bytes: int) -> int:
        """Tasks of one core, as many as memory has room for."""
        return self.count * max(1, min(self.cores, self.memory_bytes // max(1, task_bytes)))


@dataclass(frozen=True)
class Range(Result):
    """What is expected, and what follows where one of the parts of the sample is left out."""

    expected: float
    least: float
    most: float


@dataclass(frozen=True)
class StageNeeds(Result):
    """What a stage takes.

    Attributes:
        name: of the stage.
        way: ``tasks`` on any node; ``threads`` or one ``process`` on the node of the command.
        tasks: how many, each of one core; 1 where the node of the command does it.
        core_hours: of cores such as the one that tried the sample.
        hours: by the clock; at least so many where one node does it, since sorting takes longer in larger tables.
        alone_hours: of these, what the node of the command does by itself, whatever the number of nodes.
        task_bytes: memory of a task, or of the command without what grows.
        held_bytes_a_document: memory of the command that grows with the corpus.
        held_bytes: the same for all documents.
        disk_bytes: left in the workspace.
        grows: in words, what grows with the corpus and where.
    """

    name: str
    way: Way
    tasks: int
    core_hours: Range
    hours: float
    alone_hours: float
    task_bytes: int
    held_bytes_a_document: int
    held_bytes: int
    disk_bytes: int
    grows: str


@dataclass(frozen=True)
class ClusterPlan(Result):
    """What a job takes for a corpus of some size.

    Attributes:
        text_bytes: of UTF-8.
        documents: of the mean size of the sample's.
        nodes: on which it runs.
        sample_documents, sample_bytes: what was tried.
        shards: of its corpus.
        stages: in the order in which they are done.
    """

    text_bytes: int
    documents: int
    shards: int
    nodes: Nodes
    sample_documents: int
    sample_bytes: int
    stages: tuple[StageNeeds, ...]

    @property
    def hours(self) -> float:
        """By the clock, one stage after another."""
        return sum(stage.hours for stage in self.stages)

    @property
    def core_hours(self) -> Range:
        """Of all stages."""
        sums = (sum(getattr(stage.core_hours, name) for stage in self.stages) for name in ("expected", "least", "most"))
        return Range(*sums)

    @property
    def disk_bytes(self) -> int:
        """Left in the workspace."""
        return sum(stage.disk_bytes for stage in self.stages)

    @property
    def peak_disk_bytes(self) -> int:
        """Of the workspace while the tokens' parts are joined."""
        return self.disk_bytes + sum(stage.disk_bytes for stage in self.stages if stage.name == "tokenise")

    @property
    def largest(self) -> StageNeeds:
        """The stage that holds most on the command's node."""
        return max(self.stages, key=lambda stage: stage.task_bytes + stage.held_bytes)

    @property
    def largest_text_bytes(self) -> int:
        """The largest corpus of which every stage fits a node's memory."""
        room = [
            (self.nodes.memory_bytes - stage.task_bytes) / stage.held_bytes_a_document
            for stage in self.stages
            if stage.held_bytes_a_document
        ]
        return max(0, round(min(room) * self.text_bytes / self.documents))

    def record(self) -> dict[str, object]:
        """The fields, and what follows from them."""
        names = ("hours", "core_hours", "disk_bytes", "peak_disk_bytes", "largest_text_bytes")
        return {**super().record(), **{name: getattr(self, name) for name in names}}


def plan_cluster(
    config: JobConfig, text_bytes: int, nodes: Nodes, *, seed: int = 0, progress: Progress = QUIET
) -> ClusterPlan:
    """Tasks, hours, memory and disk of a job over a corpus of ``text_bytes`` that is like its input.

    Nothing is written but to a temporary folder.

    Raises:
        DqError: what the job would stop at, on one line.
    """
    require_live_polars()
    drawn = draw(config.input, config.read, sample_bytes=SAMPLE_BYTES, seed=seed, progress=progress)
    corpus = _Corpus(text_bytes, max(1, round(text_bytes * len(drawn.rows) / drawn.sample_bytes)), config)
    with progress.step("try a sample", unit="parts", total=len(PARTS)) as step:
        tries = []
        compile_by(drawn, config)
        for part in PARTS:
            tries.append(_try_part(drawn, config, rows=-(-len(drawn.rows) // part), documents=corpus.documents))
            step.advance()
    return ClusterPlan(
        text_bytes=text_bytes,
        documents=corpus.documents,
        shards=corpus.shards,
        nodes=nodes,
        sample_documents=len(drawn.rows),
        sample_bytes=drawn.sample_bytes,
        stages=tuple(_needs(name, corpus, tries, nodes=nodes) for name in tries[0].steps),
    )


def _try_part(drawn: Drawn, config: JobConfig, *, rows: int, documents: int) -> Tried:
    """The job on part of the sample, with held-out sets as large as those of a corpus of so many documents.

    Looking for held-out documents takes longer where there are more of them, and only a small corpus has few.
    """
    fraction = min(max(MAX_HELD_OUT, config.heldout.fraction), config.heldout.fraction * max(1.0, documents / rows))
    heldout = config.heldout.model_copy(update={"fraction": fraction})
    return try_part(drawn, config.model_copy(update={"heldout": heldout}), rows=rows)


@dataclass(frozen=True)
class _Corpus:
    """The corpus that is planned for."""

    text_bytes: int
    documents: int
    config: JobConfig

    @property
    def shard_bytes(self) -> int:
        """Text of a shard."""
        by_rows = self.config.read.shard_rows * self.text_bytes // self.documents
        return min(self.text_bytes, by_rows, SHARD_TEXT_BYTES)

    @property
    def shards(self) -> int:
        """Of the corpus."""
        return -(-self.text_bytes // max(1, self.shard_bytes))

    def tasks(self, cost: Cost) -> int:
        """Into how many tasks a stage is cut."""
        if cost.unit == "piece":
            return -(-self.text_bytes // PIECE_BYTES)
        shards = self.shards
        if cost.unit == "run":
            return min(self.shards, -(-self.documents // ROWS_A_RUN)) * cost.readings
        if cost.unit == "part":
            return shards * max(1, min(MAX_PARTS, self.shard_bytes // TOKENS_BYTES))
        return shards * cost.readings * (2 if cost.versions and self.config.texts.trained != ORIGINAL else 1)


def _needs(name: str, corpus: _Corpus, tries: Sequence[Tried], *, nodes: Nodes) -> StageNeeds:
    steps, sizes = [one.steps[name] for one in tries], [one.text_bytes for one in tries]
    in_order = nodes.count == 1 and (nodes.cores < MANY_WORKERS or corpus.text_bytes < MANY_BYTES)
    cost = cost_of(name, corpus.config, in_order=in_order, one_node=nodes.count == 1)
    taken = [step.seconds for step in steps]
    if cost.bounded:
        seconds = Range(taken[-1], min(taken), max(taken))
    else:
        seconds = _extended(sizes, taken, size=corpus.text_bytes)
    disk = _extended(sizes, [step.disk_bytes for step in steps], size=corpus.text_bytes)
    task_bytes = steps[0].memory_bytes + round(BYTES_A_TEXT_BYTE * max(0, corpus.shard_bytes - sizes[0]))
    tasks = corpus.tasks(cost) if cost.way == "tasks" else 1
    if cost.way == "tasks":
        seconds = Range(*(one + nodes.start_seconds * tasks for one in (seconds.expected, seconds.least, seconds.most)))
        alone = min(seconds.expected, cost.alone_seconds * corpus.documents)
        clock = alone + (seconds.expected - alone) / min(nodes.tasks_at_a_time(task_bytes), tasks)
    elif cost.way == "threads":
        alone = min(seconds.expected, cost.alone_seconds * corpus.documents)
        alone = clock = alone + (seconds.expected - alone) / nodes.cores
        task_bytes += round(BYTES_A_TEXT_BYTE * corpus.shard_bytes * (nodes.cores - 1))
    else:
        alone = clock = seconds.expected
    return StageNeeds(
        name=name,
        way=cost.way,
        tasks=tasks,
        core_hours=Range(seconds.expected / 3600, seconds.least / 3600, seconds.most / 3600),
        hours=clock / 3600,
        alone_hours=alone / 3600,
        task_bytes=task_bytes,
        held_bytes_a_document=cost.held,
        held_bytes=cost.held * corpus.documents,
        disk_bytes=round(disk.expected),
        grows=cost.grows,
    )


def _extended(sizes: Sequence[int], values: Sequence[float], *, size: int) -> Range:
    """Where the line through some measurements is at a size, and where the lines through all but one of them are."""
    every = range(len(sizes))
    chosen = [list(every), *([one for one in every if one != left] for left in every)]
    found = [_on_line([sizes[one] for one in some], [values[one] for one in some], size=size) for some in chosen]
    return Range(found[0], min(found), max(found))


def _on_line(sizes: Sequence[int], values: Sequence[float], *, size: int) -> float:
    """The line with the least errors in proportion to the values: a busy machine adds a part of them, not a number."""
    weights = 1 / np.maximum(values, 1e-3 * max(1e-9, *values))
    slope, start = np.polyfit(sizes, values, 1, w=weights)
    if start < 0:  # nothing takes less than nothing
        start, slope = 0.0, np.average(np.divide(values, sizes))
    return float(max(start + slope * size, 0.0) if slope > 0 else max(values))
