"""The command line: parses, calls the Python API, prints. Adds nothing to the API.

Exit codes: 0 done; 1 an error, on one line that says what to do; 2 wrong usage. Progress goes to standard error, and
only when it is a terminal; results go to standard output. Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import duplicates, quality, rules
from dq.cli.common import AsJson, Workers, print_json, status_line, terminal_width, visible, worker_count
from dq.errors import DqError

if TYPE_CHECKING:
    from dq.jobs import JobConfig, JobResult
    from dq.study import StudyConfig, StudyResult

app = typer.Typer(
    name="dq",
    help="Decide which training data is better: filter, deduplicate, build variants, train small models, compare.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
recipes_app = typer.Typer(help="Recipes that ship with dq.", no_args_is_help=True)
inspect_app = typer.Typer(help="Look at what a step did to documents.", no_args_is_help=True)
app.add_typer(recipes_app, name="recipes")
app.add_typer(inspect_app, name="inspect")
duplicates.register(app, inspect_app)
quality.register(app, inspect_app)
app.add_typer(rules.rules_app, name="rules")

WorkspaceOption = Annotated[Path | None, typer.Option(help="Folder of the results, instead of the file's own.")]
Budget = Annotated[int | None, typer.Option(min=1, help="Tokens a run, instead of the study's own: a quick look.")]

# Imports make a million objects that stay: looking through them for garbage again and again took 6 % of `dq dedup`.
RARE_COLLECTIONS = (100_000, 50, 1000)
QUICKSTART_JOB, QUICKSTART_STUDY = "pipelines/quickstart.yaml", "ablations/quickstart.yaml"


@app.command()
def quickstart(
    workspace: WorkspaceOption = None, workers: Workers = None, budget_tokens: Budget = None, as_json: AsJson = False
) -> None:
    """Run the whole chain on sample corpora: `run` and `ablate` on the two quickstart recipes."""
    from dq.config import load_yaml
    from dq.jobs import JobConfig
    from dq.recipes import recipe_path
    from dq.study import StudyConfig

    job = load_yaml(recipe_path(QUICKSTART_JOB), JobConfig)
    study = _with_budget(load_yaml(recipe_path(QUICKSTART_STUDY), StudyConfig), budget_tokens)
    done = _run_job(job, workspace, workers)
    if not as_json:
        _print_job(done)
    _print_study(*_run_study(study, workspace, workers), as_json=as_json)


@app.command()
def run(
    job: Annotated[Path, typer.Argument(help="A job such as pipelines/quickstart.yaml.")],
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Run a batch job: read, deduplicate, hold out, score, judge, tokenise. Goes on after any interruption."""
    from dq.config import load_yaml
    from dq.jobs import JobConfig

    done = _run_job(load_yaml(job, JobConfig), workspace, workers)
    if as_json:
        from dataclasses import asdict

        print_json(
            {
                "workspace": str(done.workspace.root),
                "sources": done.fates.to_dicts(),
                "quarantined": done.quarantined,
                "warnings": list(done.warnings),
                "learned": None if done.learned is None else asdict(done.learned),
            }
        )
    else:
        _print_job(done)


@app.command()
def ablate(
    study: Annotated[Path, typer.Argument(help="A study such as ablations/quickstart.yaml.")],
    workspace: WorkspaceOption = None,
    workers: Workers = None,
    budget_tokens: Budget = None,
    as_json: AsJson = False,
) -> None:
    """Train a study's grid and say which variant is better, by how much, how sure. Goes on after any interruption."""
    from dq.config import load_yaml
    from dq.study import StudyConfig

    _print_study(
        *_run_study(_with_budget(load_yaml(study, StudyConfig), budget_tokens), workspace, workers), as_json=as_json
    )


@recipes_app.command("list")
def recipes_list(as_json: AsJson = False) -> None:
    """List the recipes."""
    from dq.recipes import list_recipes

    names = list_recipes()
    print_json(names) if as_json else typer.echo("\n".join(names))


@recipes_app.command("show")
def recipes_show(name: Annotated[str, typer.Argument(help="A name from `dq recipes list`.")]) -> None:
    """Print a recipe."""
    from dq.recipes import recipe_path

    typer.echo(recipe_path(name).read_text("utf-8"), nl=False)


@recipes_app.command("copy")
def recipes_copy(
    names: Annotated[list[str], typer.Argument(help="Names from `dq recipes list`.")],
    to: Annotated[Path, typer.Option(help="Folder to copy into.")] = Path(),
) -> None:
    """Copy recipes, to make them your own."""
    from dq.recipes import copy_recipe

    for name in names:
        typer.echo(copy_recipe(name, to))


def _run_job(config: JobConfig, workspace: Path | None, workers: int | None) -> JobResult:
    from dq.executors import LocalExecutor
    from dq.jobs import run_job
    from dq.store import Workspace

    place, executor = Workspace(workspace or config.workspace), LocalExecutor(worker_count(workers))
    with status_line() as progress:
        return run_job(config, place, executor=executor, progress=progress)


def _run_study(config: StudyConfig, workspace: Path | None, workers: int | None) -> tuple[StudyResult, Path]:
    from dq.executors import LocalExecutor
    from dq.report import build_report
    from dq.store import Workspace
    from dq.study import run_study

    place = Workspace(workspace or config.workspace)
    with status_line() as progress:
        result = run_study(config, place, executor=LocalExecutor(worker_count(workers)), progress=progress)
    return result, build_report(place, config.name)


def _with_budget(config: StudyConfig, budget_tokens: int | None) -> StudyConfig:
    """The study at another budget, checked like the file itself."""
    from pydantic import ValidationError

    from dq.errors import ConfigError

    if budget_tokens is None:
        return config
    try:
        return type(config).model_validate({**config.model_dump(), "budget_tokens": budget_tokens})
    except ValidationError as error:
        raise ConfigError(f"--budget-tokens: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _print_job(done: JobResult) -> None:
    from rich.console import Console

    from dq.report.terminal import print_job

    console = Console(width=terminal_width())
    print_job(console, done.fates, quarantined=done.quarantined, warnings=done.warnings)
    if (learned := done.learned) is not None:
        typer.echo(
            f"{learned.name}: tells wanted text from the corpus with AUC {learned.auc:.3f} "
            f"[{learned.auc_low:.3f}, {learned.auc_high:.3f}] on {learned.heldout_documents:,} held-out documents"
        )


def _print_study(result: StudyResult, report: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({**result.to_dict(), "report": str(report)})
        return
    from rich.console import Console

    from dq.report.terminal import print_study

    print_study(Console(width=terminal_width()), result.comparison, result.controls)
    typer.echo(f"report: {report}")


def main(arguments: list[str] | None = None) -> None:
    """Entry point: every error that a user can meet is one line, never a traceback. Default: the command line's."""
    gc.set_threshold(*RARE_COLLECTIONS)
    try:
        app(arguments, prog_name="dq")
    except DqError as error:
        typer.echo(f"dq: {' '.join(visible(str(error)).split())}", err=True)  # ids and sources in it are untrusted
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("dq: interrupted; the same command goes on from here", err=True)
        sys.exit(130)
