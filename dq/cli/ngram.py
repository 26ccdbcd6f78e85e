"""`dq train-ngram`: a byte n-gram model of some text, whose bits per byte are a signal of other text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dq.cli import show
from dq.cli.options import (
    MAX_BAD_FRACTION,
    AsJson,
    Engine,
    IdField,
    Inputs,
    MaxBad,
    Overwrite,
    PageText,
    SourceField,
    SourceFrom,
    TextField,
    Workers,
    executor_of,
    input_specs,
)
from dq.cli.quality import show_faults

ModelOutput = Annotated[Path, typer.Option("--output", "-o", help="The model: a file that ends with .safetensors.")]
Order = Annotated[int, typer.Option(help="Bytes of the longest n-gram, 2 to 7.")]
MinCount = Annotated[int, typer.Option(help="Leave out the longest n-grams that are rarer: 2 halves the file.")]
Share = Annotated[float, typer.Option(help="Share of the documents to train on, drawn by what they hold.")]


def train_ngram(
    inputs: Inputs,
    output: ModelOutput,
    order: Order = 5,
    min_count: MinCount = 2,
    share: Share = 1.0,
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
    """Train a byte n-gram model (modified Kneser-Ney) of good text; by it other text is scored in bits per byte.

    Example: dq train-ngram wikipedia.jsonl -o wikipedia.safetensors
    """
    from dq.config import checked
    from dq.corpus.config import RowLimits
    from dq.files.ngram import train_ngram_files
    from dq.files.pieces import Scoring
    from dq.quality.scorers.ngram import NgramOptions

    options = checked(NgramOptions, {"order": order, "min_count": min_count, "share": share})
    with show.progress() as progress:
        done = train_ngram_files(
            input_specs(
                inputs,
                text_field=text_field,
                id_field=id_field,
                source_field=source_field,
                source_from=source_from,
                page_text=page_text,
            ),
            output,
            options=options,
            overwrite=overwrite,
            scoring=Scoring(RowLimits(max_bad_fraction=max_bad_fraction)),
            executor=executor_of(executor, workers),
            progress=progress,
        )
    if as_json:
        show.json({**done.to_dict(), "output": str(output)})
        return
    size = f"{done.ngrams:,} n-grams of up to {order} bytes, {done.model_bytes / 1e6:.1f} MB"
    show.line(f"{done.documents:,} documents: {size}: {output}")
    show.line(f"A signal, in bits per byte: --model perplexity={output}", wrap=True)
    show_faults(done.rows, output.with_name(f"{output.stem}.quarantined.jsonl"))
