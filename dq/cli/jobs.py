"""`dq run`: a batch job, and what became of its documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.cluster import plan_job_for
from dq.cli.decontaminate import show_benchmarks
from dq.cli.duplicates import show_cost
from dq.cli.log import amount
from dq.cli.options import (
    AsJson,
    DryRun,
    Engine,
    Node,
    NodeCount,
    Overwrite,
    PlanSize,
    Workers,
    WorkspaceFolder,
    about_yaml,
    executor_of,
    nodes_of,
    worker_count,
)

if TYPE_CHECKING:
    from dq.executors import Executor
    from dq.jobs import JobConfig, JobResult

FATES = ("kept", "dropped", "removed", "excluded", "held_out")


def run(
    job: Annotated[Path, typer.Argument(help="A job such as pipelines/quickstart.yaml.")],
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    executor: Engine = "local",
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    plan: PlanSize = None,
    node: Node = None,
    nodes: NodeCount = 1,
    as_json: AsJson = False,
) -> None:
    """Run a batch job: read, deduplicate, hold out, score, judge, tokenise. Goes on after any interruption.

    With --plan nothing is run but a sample of the input, for some minutes.

    Example: dq run pipelines/quickstart.yaml
    """
    from dq.config import load_yaml
    from dq.jobs import JobConfig

    config = load_yaml(job, JobConfig)
    if plan is not None:
        plan_job_for(config, plan, nodes_of(node, nodes, executor), as_json=as_json)
        return
    if dry_run:
        _show_plan(config, workspace, workers, as_json=as_json)
        return
    done = finish_job(config, workspace, executor_of(executor, workers), overwrite=overwrite)
    if not as_json:
        show_job(done)
        if done.benchmarks is not None and config.decontaminate is not None:
            show_benchmarks(done.benchmarks, ngram=config.decontaminate.ngram)
        return
    show.json(done)


def _show_plan(config: JobConfig, workspace: Path | None, workers: int | None, *, as_json: bool) -> None:
    """The stages with what is done of them; before the first of them is done, what the whole job would take."""
    from dq.jobs import forecast_job, plan_job
    from dq.store import Workspace

    place, count = Workspace(workspace or config.workspace), worker_count(workers)
    with about_yaml(type(config)), show.progress() as progress:
        plan = plan_job(config, place)
        forecast = None if plan.stages[0].done else forecast_job(config, workers=count, progress=progress)
    if as_json:
        show.json({**plan.to_dict(), "workspace": str(place.root), "forecast": forecast})
        return
    show.line(f"input: {amount(plan.files, 'files')}, {amount(plan.input_bytes, 'bytes')}; workspace: {place.root}")
    show.table(("stage", ""), [(stage.name, "done" if stage.done else "to do") for stage in plan.stages])
    if forecast is not None:
        show_cost(forecast, forecast.step_seconds)


def finish_job(config: JobConfig, workspace: Path | None, executor: Executor, *, overwrite: bool) -> JobResult:
    """Run a job to its end, with its stages on the screen."""
    from dq.jobs import run_job
    from dq.store import Workspace

    place = Workspace(workspace or config.workspace)
    with about_yaml(type(config)), show.progress() as progress:
        return run_job(config, place, overwrite=overwrite, executor=executor, progress=progress)


def show_job(done: JobResult) -> None:
    """What became of each source's documents, and what the user should know."""
    rows = []
    for (source,), fates in done.fates.group_by("source", maintain_order=True):
        total = int(fates["documents"].sum())
        counts = dict(fates.select("fate", "documents").iter_rows())
        cells = [f"{counts.get(fate, 0):,} ({counts.get(fate, 0) / total:.0%})" for fate in FATES]
        rows.append((total, (str(source), *cells)))
    by_size = [cells for _, cells in sorted(rows, key=lambda row: (-row[0], row[1][0]))]
    head = ("source", *(fate.replace("_", " ") for fate in FATES))
    show.table(head, by_size, title="documents by source", more="smaller sources")
    show.line(f"near-duplicates: {done.near}", wrap=True)
    if done.quarantined:
        show.line((f"{done.quarantined:,} unreadable rows quarantined", "yellow"))
    show.warnings(done.warnings)
    if (learned := done.learned) is not None:
        show.line(
            f"{learned.name}: tells wanted text from the corpus with AUC {learned.auc:.3f} "
            f"[{learned.auc_low:.3f}, {learned.auc_high:.3f}] on {learned.heldout_documents:,} held-out documents",
            wrap=True,
        )
