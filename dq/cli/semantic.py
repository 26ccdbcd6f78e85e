"""`dq semdedup` and `dq audit semdedup`: of documents of nearly one meaning one stays, and whether that holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq.cli import show
from dq.cli.duplicates import show_forecast, show_kept
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
    Overwrite,
    PageText,
    ResultsFolder,
    SourceField,
    SourceFrom,
    TextField,
    Threshold,
    Workers,
    card_of,
    input_specs,
    results_folder,
    worker_count,
)
from dq.errors import WorkspaceError

if TYPE_CHECKING:
    from dq.files.semantic import SemanticResult

Vectors = Annotated[
    str | None, typer.Option("--vectors", metavar="FIELD", help="The field or column that holds a document's vector.")
]
StaticModel = Annotated[
    str | None,
    typer.Option("--static-model", metavar="FOLDER", help="A static embedding model, as model2vec saves it, instead."),
]
SemanticFolder = Annotated[Path, typer.Argument(help="A folder that `dq semdedup` made.")]


def semdedup(
    inputs: Inputs,
    output: ResultsFolder = None,
    vectors: Vectors = None,
    static_model: StaticModel = None,
    threshold: Threshold = 0.99,
    keep: Keep = "longest",
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
    """Deduplicate files by meaning: every removed document names the kept one and the cosine of their vectors.

    Example: dq semdedup 'docs/*.parquet' --vectors embedding -o distinct
    """
    from dq.config import checked
    from dq.corpus import ReadConfig
    from dq.files.forecast import forecast_semantic
    from dq.files.semantic import semdedup_files
    from dq.stages.semantic import SemanticConfig

    if (vectors is None) == (static_model is None):
        raise typer.BadParameter("give one of --vectors FIELD and --static-model FOLDER")
    about: dict[str, Any] = {
        "vectors": vectors,
        "static_model": static_model,
        "threshold": threshold,
        "keep": keep,
        "max_removed_fraction": max_removed_fraction,
        "allow_removal": tuple(allow_removal or ()),
    }
    config, threads, about_card = checked(SemanticConfig, about), worker_count(workers), card_of(card)
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
            forecast = forecast_semantic(specs, config, read=read, threads=threads, progress=progress)
        show_forecast(forecast, find="vectors and cosines", as_json=as_json)
        return
    folder = results_folder(output)
    with show.progress() as progress:
        done = semdedup_files(
            specs,
            folder,
            config,
            read=read,
            card=about_card,
            overwrite=overwrite,
            threads=threads,
            progress=progress,
        )
    show.json(done) if as_json else _show(done)


def audit_semdedup(folder: SemanticFolder, as_json: AsJson = False) -> None:
    """Take every cosine again in another way, and look for kept documents that are too near to each other.

    Example: dq audit semdedup distinct
    """
    from dq.files.semantic import audit_semantic
    from dq.store import Workspace

    with show.progress() as progress, progress.step("audit"):
        audit = audit_semantic(Workspace(folder))
    if as_json:
        show.json(audit)
    else:
        show.line(
            f"{audit.removals_checked:,} removals, {audit.unproven.height:,} unproven; {audit.kept_checked:,} kept "
            f"documents compared with all kept ones, {audit.missed.height:,} pairs at {audit.threshold:g} or above",
            wrap=True,
        )
    for table, what in ((audit.unproven, "removals are unproven"), (audit.missed, "pairs were both kept")):
        if table.height:
            first = table.row(0, named=True)
            other = first["kept_id"] if "kept_id" in first else first["other_id"]
            raise WorkspaceError(
                f"{folder}: {table.height:,} {what}, such as {first['id']} and {other} at {first['true_cosine']:.6f}; "
                "delete the folder's selection/ and run again"
            )


def _show(done: SemanticResult) -> None:
    show_kept(
        done.sources,
        root=done.workspace.root,
        note=f"exact: equal text; near: {done.options.near}, of {done.dimensions:,} dimensions",
        quarantined=(done.quarantined, done.quarantine),
        warnings=done.warnings,
    )
