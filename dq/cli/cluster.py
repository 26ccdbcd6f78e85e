"""`dq run --plan`: what a job takes for a corpus of any size on nodes of a kind, by stage, and what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dq.cli import show
from dq.cli.log import amount
from dq.cli.options import about_yaml

if TYPE_CHECKING:
    from dq.jobs import ClusterPlan, JobConfig, Nodes
    from dq.jobs.cluster import StageNeeds

HEAD = ("stage", "tasks", "core h", "hours", "a task", "held", "disk")
SHORT_TASK_SECONDS, MANY_TASKS = 30, 10_000
LARGE_SHARD_BYTES = 100_000_000  # of text


def plan_job_for(config: JobConfig, size: str, nodes: Nodes, *, as_json: bool) -> None:
    """Plan a job for a corpus of some size, and show it."""
    from dq.files.dedup import parse_bytes
    from dq.jobs import plan_cluster

    text_bytes = parse_bytes(size, field="plan")
    with about_yaml(type(config)), show.progress() as progress:
        plan = plan_cluster(config, text_bytes, nodes, progress=progress)
    if as_json:
        show.json(plan)
        return
    _show(plan)


def _show(plan: ClusterPlan) -> None:
    nodes, documents = plan.nodes, amount(plan.documents, "documents")
    show.line(
        f"{amount(plan.text_bytes, 'bytes')} of text in {documents} like those of the input, on {_words(nodes)}",
        wrap=True,
    )
    show.table(HEAD, [_row(stage, nodes) for stage in plan.stages])
    cores = plan.core_hours
    show.line(
        f"time: at least {_hours(plan.hours)} hours; of cores {_hours(cores.expected)} hours, or by fewer parts of the "
        f"sample {_hours(cores.least)} to {_hours(cores.most)}",
        wrap=True,
    )
    disk, peak = amount(plan.disk_bytes, "bytes"), amount(plan.peak_disk_bytes, "bytes")
    show.line(f"disk: {disk} in the workspace, {peak} while the tokens of its parts are joined", wrap=True)
    show.line(_memory(plan), wrap=True)
    show.warnings(_limits(plan))
    show.line(
        f"measured now on a core of this machine: {amount(plan.sample_documents, 'documents')} of the input, "
        f"{amount(plan.sample_bytes, 'bytes')}. held: what grows in the memory of the command's node. >: one node does "
        "it or a part of it, and larger tables take longer to sort",
        wrap=True,
    )


def _row(stage: StageNeeds, nodes: Nodes) -> tuple[str, ...]:
    here = {"tasks": f"{stage.tasks:,}", "threads": f"{nodes.cores} threads", "process": "1 process"}[stage.way]
    return (
        stage.name,
        here,
        _hours(stage.core_hours.expected),
        f"{'>' if stage.alone_hours else ''}{_hours(stage.hours)}",
        amount(stage.task_bytes, "bytes"),
        amount(stage.held_bytes, "bytes"),
        amount(stage.disk_bytes, "bytes"),
    )


def _words(nodes: Nodes) -> str:
    what = f"{nodes.cores} cores and {amount(nodes.memory_bytes, 'bytes')}"
    return f"a node of {what}" if nodes.count == 1 else f"{nodes.count:,} nodes of {what}"


def _memory(plan: ClusterPlan) -> str:
    """Whether the command's node holds what it must, and up to which corpus it does."""
    most, has = plan.largest, amount(plan.nodes.memory_bytes, "bytes")
    holds = (
        f"memory: {most.name} takes {most.held_bytes_a_document} bytes a document on one node, "
        f"{amount(most.task_bytes + most.held_bytes, 'bytes')} in all"
    )
    if plan.largest_text_bytes >= plan.text_bytes:
        return f"{holds}: fits a node of {has}, up to {amount(plan.largest_text_bytes, 'bytes')} of text"
    return (
        f"{holds}: DOES NOT FIT a node of {has}. The largest corpus that fits is "
        f"{amount(plan.largest_text_bytes, 'bytes')} of text; in parts of that size, a job each, duplicates between "
        "parts stay"
    )


def _limits(plan: ClusterPlan) -> list[str]:
    """What more nodes do not change, tasks that are too short, and shards that are too many."""
    from dq.stages.shards import MAX_SHARDS, SHARD_TEXT_BYTES

    found = []
    hours = sum(stage.alone_hours for stage in plan.stages)
    if plan.nodes.count > 1 and hours > plan.hours / 2:
        longest = max(plan.stages, key=lambda stage: stage.alone_hours)
        found.append(
            f"{_hours(hours)} of the hours are of one node, whatever the number of nodes: {longest.name} "
            f"{_hours(longest.alone_hours)}"
        )
    tasks = [stage for stage in plan.stages if stage.way == "tasks" and stage.tasks > MANY_TASKS]
    short = [stage for stage in tasks if 3600 * stage.core_hours.expected / stage.tasks < SHORT_TASK_SECONDS]
    if short and plan.text_bytes < LARGE_SHARD_BYTES * plan.shards:
        seconds = 3600 * short[0].core_hours.expected / short[0].tasks
        found.append(
            f"{short[0].name} is {short[0].tasks:,} tasks of {seconds:.1f} s: `read: {{shard_rows: 65536}}` in the job "
            "makes fewer and longer ones"
        )
    if plan.shards > MAX_SHARDS:
        found.append(
            f"{plan.shards:,} shards, of which a job has {MAX_SHARDS:,} at most: raise `read.shard_rows`; more than "
            f"{amount(MAX_SHARDS * SHARD_TEXT_BYTES, 'bytes')} of text are several jobs"
        )
    return found


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.2g}"
