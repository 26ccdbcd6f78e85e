"""`dq dedup` and `dq audit duplicates`: deduplicate files, what it would cost, and whether it was right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq.cli import show
from dq.cli.log import duration
from dq.cli.options import (
    MAX_BAD_FRACTION,
    AllowRemoval,
    AsJson,
    CardFile,
    DeduplicatedFolder,
    DryRun,
    IdField,
    Keep,
    MaxBad,
    MaxRemoved,
    Memory,
    Ngram,
    OptionalInputs,
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
    resources_of,
    results_folder,
)
from dq.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from dq.dedup import Audit, DedupConfig
    from dq.files.dedup import DedupResult
    from dq.files.forecast import Forecast
    from dq.jobs import JobForecast

OldOutput = Annotated[Path | None, typer.Option("--out", hidden=True, help="The old name of --output.")]
Unit = Annotated[str, typer.Option(help="words (of scripts without spaces: letters) or characters.")]
Normalization = Annotated[
    str,
    typer.Option(
        help="What counts: meaning (signs do, case and the punctuation around words do in code only), folded (as of "
        "prose), written (all that is visible) or words (letters and digits)."
    ),
]
Index = Annotated[Path | None, typer.Option(help="Folder of documents kept earlier; kept ones join.")]
Explain = Annotated[bool, typer.Option("--explain", help="Print the bands and what they find, and stop.")]


def dedup(
    inputs: OptionalInputs = None,
    output: ResultsFolder = None,
    out: OldOutput = None,
    threshold: Threshold = 0.8,
    ngram: Ngram = 5,
    unit: Unit = "words",
    normalization: Normalization = "meaning",
    keep: Keep = "longest",
    index: Index = None,
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
    explain: Explain = False,
    as_json: AsJson = False,
) -> None:
    """Deduplicate files: every removed document names the kept one and their exact similarity.

    Example: dq dedup 'docs/*.jsonl' -o deduplicated
    """
    from dq.config import checked
    from dq.corpus import ReadConfig
    from dq.files.dedup import dedup_files
    from dq.files.forecast import forecast_cost
    from dq.stages.selection import DeduplicationConfig

    about: dict[str, Any] = {
        "threshold": threshold,
        "ngram": ngram,
        "unit": unit,
        "normalization": normalization,
        "keep": keep,
        "max_removed_fraction": max_removed_fraction,
        "allow_removal": tuple(allow_removal or ()),
    }
    config, about_card = checked(DeduplicationConfig, about), card_of(card)
    resources = resources_of(workers, memory)
    if explain:
        _show_bands(config.method, as_json=as_json)
        return
    if not inputs:
        raise typer.BadParameter("name the files to deduplicate", param_hint="IN")
    specs = input_specs(
        inputs,
        text_field=text_field,
        id_field=id_field,
        source_field=source_field,
        source_from=source_from,
        page_text=page_text,
    )
    read = ReadConfig(max_bad_fraction=max_bad_fraction)
    if dry_run:
        with show.progress() as progress:
            forecast = forecast_cost(specs, config, read=read, resources=resources, progress=progress)
        show_forecast(forecast, find="find duplicates", as_json=as_json)
        return
    folder = results_folder(output or out)
    with show.progress() as progress:
        done = dedup_files(
            specs,
            folder,
            config,
            read=read,
            card=about_card,
            index=index,
            overwrite=overwrite,
            resources=resources,
            progress=progress,
        )
    show.json(done) if as_json else _show_dedup(done)


def audit_duplicates(
    folder: DeduplicatedFolder,
    per_source: Annotated[int, typer.Option(min=1, help="Documents of each source that are compared.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Compare a sample with all documents: how many true duplicates were resolved, and is every removal proven.

    Example: dq audit duplicates deduplicated
    """
    from dq.inspect.audit import audit_workspace
    from dq.store import Workspace

    with show.progress() as progress, progress.step("audit"):
        audit = audit_workspace(Workspace(folder), per_source=per_source)
    show.json(audit) if as_json else _show_audit(audit)
    if audit.unproven_removals.height:
        first = audit.unproven_removals.row(0, named=True)
        raise WorkspaceError(
            f"{folder}: {audit.unproven_removals.height} of {audit.removals_checked} checked removals are unproven, "
            f"such as document {first['document']} for {first['kept_index']} at {first['similarity']:.3f}; "
            "delete the folder's duplicates/ and selection/ and run again"
        )


def _show_dedup(done: DedupResult) -> None:
    indexed = () if done.indexed is None else (f"{done.indexed:,} documents in the index",)
    show_kept(
        done.sources,
        root=done.workspace.root,
        note=_definition(done.shingles),
        quarantined=(done.quarantined, done.quarantine),
        warnings=done.warnings,
        more=indexed,
    )


def show_kept(
    by_source: pl.DataFrame,
    *,
    root: Path,
    note: str,
    quarantined: tuple[int, Path],
    warnings: Sequence[str],
    more: Sequence[str] = (),
) -> None:
    """Kept and removed documents by source, and where they are.

    Args:
        by_source: of a result.
        root: the folder.
        note: what the numbers rest on.
        quarantined: how many unreadable rows, and their list.
        warnings: what the user should know.
        more: lines to tell beside.
    """
    sources = by_source.sort("documents", "source", descending=[True, False])
    rows = [(row["source"], *_counts(row)) for row in sources.iter_rows(named=True)]
    every = [(), ("all", *_counts(sources.drop("source").sum().row(0, named=True)))] if len(sources) > 1 else []
    head = ("source", "documents", "kept", "removed", "share", "exact copies", "near copies")
    show.table(head, rows, title="documents by source", more="smaller sources", last=every)
    show.line(note, wrap=True)
    if quarantined[0]:
        show.line((f"unreadable rows: {quarantined[0]:,}, listed in {quarantined[1]}", "yellow"))
    show.warnings(warnings)
    for line in more:
        show.line(line)
    show.line(f"kept: {root}/kept/")
    show.line(f"removed: {root}/removed.parquet")


def _counts(row: dict[str, Any]) -> tuple[str, ...]:
    share = f"{row['removed'] / row['documents']:.1%}"
    documents, kept, removed = (f"{row[name]:,}" for name in ("documents", "kept", "removed"))
    return documents, kept, removed, share, f"{row['exact_copies']:,}", f"{row['near_copies']:,}"


def _definition(shingles: Mapping[str, Any]) -> str:
    """What the numbers rest on."""
    return (
        f"exact: equal text, white space and zero-width marks aside; near: by {shingles['ngram']}-grams of "
        f"{shingles['unit']}, normalization {shingles['normalization']}"
    )


def show_forecast(forecast: Forecast, *, find: str, as_json: bool) -> None:
    """What a command on files would take; ``find`` is its step between reading and writing."""
    if as_json:
        show.json(forecast)
        return
    steps = {"read": forecast.read_seconds, find: forecast.find_seconds, "write": forecast.write_seconds}
    show_cost(forecast, steps)


def show_cost(forecast: Forecast | JobForecast, step_seconds: Mapping[str, float]) -> None:
    """What it would take, and what that rests on; of the steps those that take a second."""
    about = "" if forecast.complete else "about "
    show.line(
        f"input: {about}{forecast.documents:,} documents, {forecast.text_bytes / 1e6:,.1f} MB of text; "
        f"{forecast.sample_documents:,} documents tried"
    )
    steps = ", ".join(f"{name} {duration(seconds)}" for name, seconds in step_seconds.items() if seconds >= 1)
    show.line(f"time: {duration(forecast.seconds)}{steps and f' ({steps})'}", wrap=True)
    show.line(f"memory: {forecast.memory_bytes / 1e9:.2f} GB")
    show.line(f"disk: {forecast.disk_bytes / 1e9:.2f} GB")


def _show_bands(config: DedupConfig, *, as_json: bool) -> None:
    """The bands and the S-curve."""
    from dq.dedup import choose_bands

    bands = choose_bands(config)
    curve = bands.curve().to_dicts()
    if as_json:
        shingles = config.model_dump(include={"normalization", "unit", "ngram"})
        show.json({"shingles": shingles, "bands": bands.bands, "rows": bands.rows, "curve": curve})
        return
    show.line(
        f"{bands.bands} bands of {bands.rows} of {bands.num_perm} values; candidates are verified where at least "
        f"{bands.min_matches} agree. Verified of pairs at similarity {config.threshold:g}: "
        f"{bands.recall(config.threshold):.2%}. Verification is exact: nothing below it is removed.",
        wrap=True,
    )
    show.line(_definition(config.model_dump()), wrap=True)
    rows = [
        (
            f"{row['similarity']:.2f}",
            f"{row['candidate_probability']:.4f}",
            f"{row['verified_probability']:.4f}",
            "#" * round(40 * row["candidate_probability"]),
        )
        for row in curve
    ]
    show.table(("similarity", "candidate", "verified", ""), rows, align="rrrl")


def _show_audit(audit: Audit) -> None:
    """Recall by source and similarity with its interval, beside theory; then precision."""
    rows = [
        (
            row["source"],
            f"{row['similarity_from']:.2f}-{row['similarity_to']:.2f}",
            f"{row['sampled_documents']:,}",
            f"{row['true_pairs']:,}",
            f"{row['recall']:.4f}",
            f"{row['low']:.3f}-{row['high']:.3f}",
            f"{row['theoretical_recall']:.4f}",
        )
        for row in audit.recall.filter(audit.recall["true_pairs"] > 0).iter_rows(named=True)
    ]
    head = ("source", "similarity", "docs", "pairs", "resolved", "95 % interval", "theory")
    title = "true duplicate pairs of a sample, and the share resolved (not both kept)"
    show.table(head, rows, title=title, more="rows")
    show.line(
        f"{audit.sampled_documents:,} documents compared with all; {audit.removals_checked:,} removals recomputed from "
        f"their texts ({audit.exact_checked:,} exact copies), {audit.unproven_removals.height:,} unproven; "
        f"{audit.missed_pairs.height:,} true pairs both kept",
        wrap=True,
    )
