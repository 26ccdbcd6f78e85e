"""The commands of deduplication: `dq dedup`, `dq audit duplicates`, `dq inspect duplicates`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dq.cli.common import AsJson, Workers, print_json, status_line, terminal_width, worker_count
from dq.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from rich.console import Console

    from dq.stages.selection import DeduplicationConfig

__all__ = ["register"]

Options = TypeVar("Options")

Inputs = Annotated[
    list[str] | None,
    typer.Argument(metavar="IN...", help="Files or quoted patterns: JSONL (plain, .gz, .zst) or Parquet."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the results; the same one goes on.")]
Threshold = Annotated[float, typer.Option(help="Smallest Jaccard similarity that makes two documents duplicates.")]
Ngram = Annotated[int, typer.Option(help="Words in a shingle.")]
Keep = Annotated[str, typer.Option(help="longest, best:SIGNAL, earliest:FIELD or prefer:SOURCE,SOURCE.")]
IndexFolder = Annotated[Path | None, typer.Option("--index", help="Folder of documents kept earlier; kept ones join.")]
Memory = Annotated[str, typer.Option(help="Memory for tables and pairs; the rest goes through the disk.")]
TextField = Annotated[str, typer.Option(help="Field of the rows that holds the text.")]
IdField = Annotated[str, typer.Option(help="Field that holds the id.")]
SourceField = Annotated[str, typer.Option(help="Field that holds the source.")]
MaxRemoved = Annotated[float, typer.Option(help="Stop where a source would lose more than this share.")]
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Share of unreadable rows past which it is an error.")]
AllowRemoval = Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="A source that may lose any share.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Estimate time, memory and disk from a sample, and stop.")]
Explain = Annotated[bool, typer.Option("--explain", help="Print the bands and what they find, and stop.")]
Folder = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="A folder that `dq dedup` or `dq run` made.")]


def register(app: typer.Typer, inspect_app: typer.Typer) -> None:
    """Add the commands of deduplication to the program."""
    audit_app = typer.Typer(help="Check what a step did against the truth on a sample.", no_args_is_help=True)
    app.command("dedup")(dedup)
    app.add_typer(audit_app, name="audit")
    audit_app.callback()(_group)
    audit_app.command("duplicates")(audit_duplicates)
    inspect_app.command("duplicates")(inspect_duplicates)


def _group() -> None:
    """Check what a step did against the truth on a sample."""


def dedup(
    inputs: Inputs = None,
    out: Out = None,
    threshold: Threshold = 0.8,
    ngram: Ngram = 5,
    keep: Keep = "longest",
    index: IndexFolder = None,
    memory: Memory = "4GB",
    workers: Workers = None,
    text_field: TextField = "text",
    id_field: IdField = "id",
    source_field: SourceField = "source",
    max_removed_fraction: MaxRemoved = 0.5,
    allow_removal: AllowRemoval = None,
    max_bad_fraction: MaxBad = 0.01,
    dry_run: DryRun = False,
    explain: Explain = False,
    as_json: AsJson = False,
) -> None:
    """Deduplicate files: every removed document names the kept one and their exact similarity."""
    from dq.corpus import InputSpec, ReadConfig
    from dq.dedup import Resources
    from dq.files.dedup import dedup_files, parse_bytes
    from dq.files.forecast import forecast_cost
    from dq.stages.selection import DeduplicationConfig

    config = _checked(
        DeduplicationConfig,
        threshold=threshold,
        ngram=ngram,
        keep=keep,
        max_removed_fraction=max_removed_fraction,
        allow_removal=tuple(allow_removal or ()),
    )
    resources = _checked(Resources, workers=worker_count(workers), memory_bytes=parse_bytes(memory))
    if explain:
        _explain(config, as_json=as_json)
        return
    if not inputs:
        raise typer.BadParameter("name the files to deduplicate", param_hint="IN...")
    specs = [
        InputSpec(path=path, text_field=text_field, id_field=id_field, source_field=source_field) for path in inputs
    ]
    read = ReadConfig(max_bad_fraction=max_bad_fraction)
    if dry_run:
        with status_line() as progress:
            forecast = forecast_cost(specs, config, read=read, resources=resources, progress=progress)
        _show(forecast, "print_forecast", as_json=as_json)
        return
    if out is None:
        raise typer.BadParameter("name the folder of the results", param_hint="--out")
    with status_line() as progress:
        done = dedup_files(specs, out, config, read=read, index=index, resources=resources, progress=progress)
    _show(done, "print_dedup", as_json=as_json)


def audit_duplicates(
    workspace: Folder,
    per_source: Annotated[int, typer.Option(min=1, help="Documents of each source that are compared.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Compare a sample with all documents: how many true duplicates were resolved, and is every removal proven."""
    from dq.cli.duplicate_tables import print_audit
    from dq.inspect.audit import audit_workspace
    from dq.store import Workspace

    with status_line() as progress, progress.step("audit"):
        audit = audit_workspace(Workspace(workspace), per_source=per_source)
    if as_json:
        print_json(audit.to_dict())
    else:
        print_audit(_console(), audit)
    if audit.unproven_removals.height:
        first = audit.unproven_removals.row(0, named=True)
        raise WorkspaceError(
            f"{workspace}: {audit.unproven_removals.height} of {audit.removals_checked} checked removals are unproven, "
            f"such as document {first['document']} for {first['kept_index']} at {first['similarity']:.3f}; "
            "delete the folder's duplicates/ and selection/ and run again"
        )


def inspect_duplicates(
    workspace: Folder,
    source: Annotated[str | None, typer.Option(help="Removed documents of this source only.")] = None,
    below: Annotated[float | None, typer.Option(help="Pairs of a smaller similarity only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of pairs, the least similar first.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show removed documents beside the kept ones, with the words that differ marked."""
    from dataclasses import asdict

    from dq.cli.duplicate_tables import print_pair
    from dq.inspect.pairs import removed_pairs
    from dq.store import Workspace

    pairs = removed_pairs(Workspace(workspace), source=source, below=below, limit=limit)
    if as_json:
        print_json([asdict(pair) for pair in pairs])
        return
    console = _console()
    for pair in pairs:
        print_pair(console, pair, marked=not console.is_terminal)
    if not pairs:
        typer.echo("no removed documents to show")


def _checked(model: type[Options], **values: Any) -> Options:
    """A model of options; what is wrong with one of them is one line that names it."""
    from pydantic import ValidationError

    names = {"memory_bytes": "memory"}
    try:
        return model(**values)
    except ValidationError as error:
        found = error.errors()[0]
        field = str(found["loc"][0])
        option = names.get(field, field).replace("_", "-")
        message = found["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--{option}: {message}, not {values[field]!r}") from None


def _explain(config: DeduplicationConfig, *, as_json: bool) -> None:
    from dq.cli.duplicate_tables import print_bands
    from dq.dedup import choose_bands

    bands = choose_bands(config.method)
    if as_json:
        print_json({"bands": bands.bands, "rows": bands.rows, "curve": bands.curve().to_dicts()})
    else:
        print_bands(_console(), bands, config.method)


def _show(result: Any, printer: str, *, as_json: bool) -> None:
    from dq.cli import duplicate_tables

    if as_json:
        print_json(result.to_dict())
    else:
        getattr(duplicate_tables, printer)(_console(), result)


def _console() -> Console:
    from rich.console import Console

    return Console(width=terminal_width(), highlight=False)
