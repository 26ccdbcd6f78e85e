"""`dq passages` and `dq audit passages`: passages that stand twice are cut, and every cut is proven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dq.cli import show
from dq.cli.duplicates import show_forecast
from dq.cli.options import (
    MAX_BAD_FRACTION,
    AllowRemoval,
    AsJson,
    CardFile,
    DryRun,
    IdField,
    Inputs,
    Keep,
    MaxBad,
    MaxRemoved,
    Memory,
    Overwrite,
    PageText,
    ResultsFolder,
    SourceField,
    SourceFrom,
    TextField,
    Workers,
    card_of,
    input_specs,
    resources_of,
    results_folder,
)
from dq.errors import WorkspaceError

if TYPE_CHECKING:
    from dq.files.passages import PassagesResult

MinBytes = Annotated[int, typer.Option("--min-bytes", help="Bytes of the shortest passage that is cut.")]
Boundaries = Annotated[
    Literal["characters", "words", "lines"],
    typer.Option("--boundaries", help="Where a text may be cut: at any character, behind white space, between lines."),
]
MinRest = Annotated[int, typer.Option("--min-rest-bytes", help="A document of which fewer are left goes.")]
DropAbove = Annotated[
    float | None,
    typer.Option("--drop-above", help="Cut nothing; documents go of which a larger share stands in others that stay."),
]
PassagesFolder = Annotated[Path, typer.Argument(help="A folder that `dq passages` made.")]


def passages(
    inputs: Inputs,
    output: ResultsFolder = None,
    min_bytes: MinBytes = 200,
    boundaries: Boundaries = "characters",
    min_rest_bytes: MinRest = 100,
    drop_above: DropAbove = None,
    keep: Keep = "longest",
    memory: Memory = "4GB",
    workers: Workers = None,
    text_field: TextField = "text",
    page_text: PageText = "main",
    id_field: IdField = "id",
    source_field: SourceField = "source",
    source_from: SourceFrom = "entry",
    max_removed_fraction: MaxRemoved = 0.5,
    allow_removal: AllowRemoval = None,
    max_bad_fraction: MaxBad = MAX_BAD_FRACTION,
    card: CardFile = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Cut passages that stand elsewhere too: one document keeps each, and every cut names it.

    Example: dq passages 'docs/*.jsonl' -o cut
    """
    from dq.config import checked
    from dq.corpus import ReadConfig
    from dq.files.forecast import forecast_passages
    from dq.files.passages import cut_passages
    from dq.stages.passages import PassageConfig

    about: dict[str, Any] = {
        "min_bytes": min_bytes,
        "boundaries": boundaries,
        "min_rest_bytes": min_rest_bytes,
        "drop_above": drop_above,
        "keep": keep,
        "max_removed_fraction": max_removed_fraction,
        "allow_removal": tuple(allow_removal or ()),
    }
    config, about_card = checked(PassageConfig, about), card_of(card)
    resources = resources_of(workers, memory)
    read = ReadConfig(max_bad_fraction=max_bad_fraction)
    specs = input_specs(
        inputs,
        text_field=text_field,
        id_field=id_field,
        source_field=source_field,
        source_from=source_from,
        page_text=page_text,
    )
    if dry_run:
        with show.progress() as progress:
            forecast = forecast_passages(specs, config, read=read, resources=resources, progress=progress)
        show_forecast(forecast, find="find passages", as_json=as_json)
        return
    folder = results_folder(output)
    with show.progress() as progress:
        done = cut_passages(
            specs,
            folder,
            config,
            read=read,
            card=about_card,
            overwrite=overwrite,
            resources=resources,
            progress=progress,
        )
    show.json(done) if as_json else _show(done)


def audit_passages(folder: PassagesFolder, as_json: AsJson = False) -> None:
    """Slice every passage from both of its texts and compare: is every cut proven.

    Example: dq audit passages cut
    """
    from dq.files.passages import audit_passages as audit
    from dq.store import Workspace

    with show.progress() as progress, progress.step("audit"):
        wrong = audit(Workspace(folder))
    show.json({"unproven": wrong}) if as_json else show.line(f"unproven passages: {len(wrong):,}")
    if len(wrong):
        first = wrong.row(0, named=True)
        raise WorkspaceError(
            f"{folder}: {len(wrong):,} passages are not what their documents hold, such as bytes {first['begin']} to "
            f"{first['end']} of document {first['document']}; delete the folder's passages/ and run again"
        )


def _show(done: PassagesResult) -> None:
    """Bytes and documents by source, and where they are."""
    sources = done.sources.sort("bytes", "source", descending=[True, False])
    rows = [(row["source"], *_counts(row)) for row in sources.iter_rows(named=True)]
    every = [(), ("all", *_counts(sources.drop("source").sum().row(0, named=True)))] if len(sources) > 1 else []
    head = ("source", "documents", "changed", "emptied", "MB", "MB left", "share cut")
    show.table(head, rows, title="repeated passages by source", more="smaller sources", last=every)
    if done.quarantined:
        show.line((f"unreadable rows: {done.quarantined:,}, listed in {done.quarantine}", "yellow"))
    show.warnings(done.warnings)
    show.line(f"kept: {done.workspace.root}/kept/")
    show.line(f"passages: {done.workspace.root}/passages.parquet ({done.pieces:,})")


def _counts(row: dict[str, Any]) -> tuple[str, ...]:
    share = 1 - row["kept_bytes"] / max(1, row["bytes"])
    documents = (f"{row[name]:,}" for name in ("documents", "cut", "emptied"))
    return *documents, f"{row['bytes'] / 1e6:,.2f}", f"{row['kept_bytes'] / 1e6:,.2f}", f"{share:.1%}"
