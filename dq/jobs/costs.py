"""How each stage of a job runs on a cluster, and what of it grows with the corpus: the one table of both.

Bytes a document are what the process of a whole job took more for 3 million documents of a line than for 1 million
(`python benchmarks/plan.py --rows 1000000 3000000`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from dq.jobs.job import JobConfig
from dq.text import Cleaner

Way = Literal["tasks", "threads", "process"]
SEARCH, SELECT = "find duplicates", "select"


@dataclass(frozen=True)
class Cost:
    """How a stage runs.

    Attributes:
        way: cut into tasks that any node takes; threads, or one process, on the node of the command.
        held: bytes a document that the node of the command holds while it runs.
        grows: in words, what grows with the corpus, and where.
        unit: what a task is.
        bounded: whether it looks at a bounded sample, and takes about the same for any corpus.
        versions: whether there is a task for the text as read and one for the text that is trained on.
        readings: tasks a shard or run, one after the other.
        alone_seconds: for each document, what one core of the command's node does while the others wait.
    """

    way: Way
    held: int
    grows: str
    unit: Literal["piece", "shard", "run", "part", ""] = ""
    versions: bool = False
    readings: int = 1
    bounded: bool = False
    alone_seconds: float = 0.0


KEYS = "keys of all documents while they are sorted, on the command's node"
MARKS = "marks of some bytes a document, on the command's node"
STAGES = {
    "read": Cost("tasks", 25, KEYS, "piece"),
    "clean": Cost("tasks", 40, KEYS, "shard"),
    SEARCH: Cost(
        "tasks",
        35,  # 110 of each that has a copy: of three in ten
        "copies and verified pairs, on the command's node; signatures on disk",
        "shard",
        readings=2,
        alone_seconds=1e-7,  # copies and pairs put in order; 6e-8 of each copy were measured, the rest is a guess
    ),
    "decontaminate": Cost("tasks", 10, MARKS, "shard", versions=True),
    "hold out": Cost("tasks", 10, f"{MARKS}; held-out sets are bounded", "shard", versions=True),
    "learn": Cost("process", 70, KEYS, bounded=True),
    "score": Cost("tasks", 10, MARKS, "shard"),
    "judge": Cost("tasks", 10, f"{MARKS}; signals where rules rank documents by them", "shard"),
    "tokenise": Cost("tasks", 70, f"{KEYS}, ids of those that occur twice; the tokenizer's sample is bounded", "part"),
    SELECT: Cost(
        "tasks",
        20,  # 10, and 110 for each verified pair: of one document in ten
        f"{MARKS}; what hangs together over verified pairs",
        "run",
        readings=2,
        alone_seconds=1e-7,  # parts of copies and pairs: 5e-8 of each copy, 3e-7 of each pair
    ),
    "check planted copies": Cost("process", 25, MARKS, bounded=True),
    "settle fates": Cost("tasks", 20, MARKS, "shard"),
}


def cost_of(name: str, config: JobConfig, *, in_order: bool = False, one_node: bool = False) -> Cost:
    """How a stage of a job runs; versions of the text are made by tasks unless the whole corpus decides them.

    Args:
        name: of the stage.
        config: of the job.
        in_order: whether one process reads.
        one_node: whether there is no other.
    """
    kind, _, version = name.partition(": ")
    found = STAGES[kind]
    if kind == "read" and in_order:
        return replace(found, way="process", unit="")
    if kind == SEARCH:
        return replace(found, way="threads", unit="", readings=1) if one_node else found
    if kind == SELECT and one_node:  # by threads, but how much faster many of them are has not been measured
        return replace(found, way="process", unit="")
    if kind == "clean":
        made = next(one for one in config.clean if one.version == version).make()
        if not isinstance(made, Cleaner):
            return replace(found, way="process", unit="", grows=f"{found.grows}; what repeats, on its disk")
    return found
