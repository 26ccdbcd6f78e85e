"""`dq decontaminate`: which documents hold items of benchmarks, and the documents without them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import (
    MAX_BAD_FRACTION,
    AsJson,
    CardFile,
    Dropped,
    Engine,
    IdField,
    Inputs,
    MaxBad,
    Ngram,
    Overwrite,
    PageText,
    SourceField,
    SourceFrom,
    TextField,
    Workers,
    card_of,
    executor_of,
    input_specs,
)
from dq.cli.quality import show_faults

if TYPE_CHECKING:
    import polars as pl

    from dq.files.decontaminate import ContaminationResult

Benchmarks = Annotated[
    list[str],
    typer.Option("--benchmark", metavar="NAME=FILE:FIELD,FIELD", help="A file of items, and the fields of their text."),
]
Report = Annotated[Path, typer.Option("--output", "-o", help="Folder of the report: matches.parquet, items.parquet.")]
Kept = Annotated[Path | None, typer.Option(help="Folder or file for the documents without any item.")]
MinWords = Annotated[int, typer.Option(help="Shorter items than --ngram are looked for whole, from so many words on.")]
MinCoverage = Annotated[
    float, typer.Option(help="Share of an item's n-grams that a document must hold. 0: a single one, as in GPT-3.")
]


def decontaminate(
    inputs: Inputs,
    benchmark: Benchmarks,
    output: Report,
    kept: Kept = None,
    dropped: Dropped = None,
    card: CardFile = None,
    ngram: Ngram = 13,
    min_words: MinWords = 8,
    min_coverage: MinCoverage = 0.0,
    text_field: TextField = "text",
    page_text: PageText = "main",
    id_field: IdField = "id",
    source_field: SourceField = "source",
    source_from: SourceFrom = "entry",
    max_bad_fraction: MaxBad = MAX_BAD_FRACTION,
    workers: Workers = None,
    executor: Engine = "local",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find items of benchmarks in documents, by exact word n-grams: a report, and the documents divided by it.

    Example: dq decontaminate docs.jsonl --benchmark gsm8k=gsm8k.jsonl:question,answer -o report --kept clean
    """
    from dq.config import checked
    from dq.corpus.config import RowLimits
    from dq.files.decontaminate import decontaminate_files
    from dq.stages.benchmarks import Benchmark, BenchmarksConfig

    about = {"ngram": ngram, "min_words": min_words, "min_coverage": min_coverage}
    about_card = card_of(card)
    named = tuple(Benchmark.parse(text) for text in benchmark)
    config = checked(BenchmarksConfig, {**about, "benchmarks": named}, names={"benchmarks": "benchmark"})
    with show.progress() as progress:
        done = decontaminate_files(
            input_specs(
                inputs,
                text_field=text_field,
                id_field=id_field,
                source_field=source_field,
                source_from=source_from,
                page_text=page_text,
            ),
            config,
            output,
            kept=kept,
            dropped=dropped,
            card=about_card,
            overwrite=overwrite,
            limits=RowLimits(max_bad_fraction=max_bad_fraction),
            executor=executor_of(executor, workers),
            progress=progress,
        )
    if as_json:
        show.json(done)
        return
    _show(done, output, config.ngram)
    show_faults(done.rows, output / "quarantined.jsonl")
    show.warnings(done.warnings)


def _show(done: ContaminationResult, output: Path, ngram: int) -> None:
    share = f" ({done.contaminated / done.documents:.2%})" if done.documents else ""
    show.line(f"{done.documents:,} documents, {done.contaminated:,}{share} hold items of benchmarks")
    show_benchmarks(done.by_benchmark, ngram=ngram)
    show.line(f"which documents and items: {output}/matches.parquet, {output}/items.parquet")


def show_benchmarks(counts: pl.DataFrame, *, ngram: int) -> None:
    """What of each benchmark stands in documents."""
    rows = [
        (
            row["benchmark"],
            *(f"{row[name]:,}" for name in ("items", "too_short", "untouched", "hit")),
            "" if row["mean_covered"] is None else f"{row['mean_covered']:.0%}",
            f"{row['documents']:,}",
        )
        for row in counts.iter_rows(named=True)
    ]
    show.table(("benchmark", "items", "too short", "without a hit", "hit", "covered", "documents"), rows)
    show.line(
        f"hit: {ngram} words of it, or all of a shorter one, stand in a document; covered: the mean share of a hit "
        "item's n-grams that stand in all documents together",
        wrap=True,
    )
