"""The commands about quality: `score`, `filter`, `signals`, `inspect dropped`. They parse, call `dq.jobs`, print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dq.cli.common import AsJson, Workers, print_json, print_table, visible, worker_count

if TYPE_CHECKING:
    from dq.corpus import InputSpec
    from dq.corpus.quarantine import RowCounts
    from dq.files.filter import FilterResult
    from dq.files.pieces import Scoring
    from dq.inspect.dropped import DroppedDocument
    from dq.quality import RuleSet
    from dq.text.words import WordDefinition

__all__ = ["Preset", "RulesFile", "register", "rule_set"]

SHOWN_SOURCES = 20
EXCERPT_CHARS = 400

Inputs = Annotated[list[str], typer.Argument(help="Files, patterns or folders: .jsonl (.gz, .zst) and .parquet.")]
Words = Annotated[
    Literal["unicode", "whitespace"], typer.Option(help="What a word is; unicode splits about as spaCy does.")
]
TextField = Annotated[str, typer.Option(help="The field or column that holds the text.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", help="A classifier as a signal: NAME=FILE.safetensors, or NAME=FILE.bin:LABEL of fastText."
    ),
]
Preset = Annotated[str | None, typer.Option(help="A rule set, such as fineweb or gopher_quality.")]
RulesFile = Annotated[Path | None, typer.Option("--rules", help="Rules of your own in YAML, in place of a preset.")]
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Share of unreadable rows past which it is an error.")]


def register(app: typer.Typer, inspect_app: typer.Typer) -> None:
    """Add these commands to the program and to its group `inspect`."""
    app.command()(score)
    app.command("filter")(filter_documents)
    app.command()(signals)
    inspect_app.command("dropped")(inspect_dropped)


def score(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write: one row a document.")],
    signals: Annotated[str | None, typer.Option(help="Names from `dq signals`, with commas. Default: all.")] = None,
    model: Models = None,
    words: Words = "unicode",
    text_field: TextField = "text",
    max_bad_fraction: MaxBad = 0.01,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compute signals of documents: id, source and one column a signal. Decides nothing."""
    from dq.executors import LocalExecutor
    from dq.files.score import score_files

    names = None if signals is None else [name.strip() for name in signals.split(",") if name.strip()]
    scoring = _scoring(words, model, max_bad_fraction=max_bad_fraction)
    executor = LocalExecutor(worker_count(workers))
    done = score_files(_inputs(inputs, text_field), output, signals=names, scoring=scoring, executor=executor)
    if as_json:
        print_json({**done.to_dict(), "output": str(output)})
        return
    typer.echo(f"{done.documents:,} documents, {len(done.signals)} signals: {output}")
    _echo_faults(done.rows, output.with_name(f"{output.stem}.quarantined.jsonl"))


def filter_documents(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder for the kept documents.")],
    preset: Preset = None,
    rules: RulesFile = None,
    model: Models = None,
    dropped: Annotated[Path | None, typer.Option(help="New folder for dropped documents, reasons, values.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Judge as the source does, defects included.")] = False,
    words: Words = "unicode",
    text_field: TextField = "text",
    max_bad_fraction: MaxBad = 0.01,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Divide documents by the rules of a preset or of a file; every dropped one has the full list of its reasons."""
    from dq.executors import LocalExecutor
    from dq.files.filter import filter_files

    scoring = _scoring(words, model, max_bad_fraction=max_bad_fraction)
    done = filter_files(
        _inputs(inputs, text_field),
        rule_set(preset, rules, models=[one.name for one in scoring.models]),
        kept=output,
        dropped=dropped,
        strict=strict,
        scoring=scoring,
        executor=LocalExecutor(worker_count(workers)),
    )
    if as_json:
        print_json(done.to_dict())
        return
    _echo_filter(done)
    _echo_faults(done.rows, output / "quarantined.jsonl")


def signals(as_json: AsJson = False) -> None:
    """List every signal: name, type, unit, range, definition, source."""
    import textwrap

    from dq.quality import all_signals

    known = all_signals().values()
    if as_json:
        print_json(
            [
                {
                    "name": signal.name,
                    "dtype": signal.dtype,
                    "unit": signal.unit,
                    "minimum": signal.minimum,
                    "maximum": None if signal.maximum == float("inf") else signal.maximum,
                    "definition": signal.definition,
                    "source": signal.source,
                }
                for signal in known
            ]
        )
        return
    for signal in known:
        most = "no limit" if signal.maximum == float("inf") else f"{signal.maximum:g}"
        typer.echo(f"{signal.name}: {signal.dtype}, {signal.unit}, {signal.minimum:g} to {most}")
        text = f"{signal.definition}. Source: {signal.source}"
        typer.echo(textwrap.fill(text, 80, initial_indent="    ", subsequent_indent="    "))


def inspect_dropped(
    folder: Annotated[Path, typer.Argument(help="The folder that `dq filter --dropped` wrote.")],
    reason: Annotated[str, typer.Option(help="A reason from the filter's summary.")],
    limit: Annotated[int, typer.Option(min=1, help="Documents to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show documents that a rule dropped, the value it judged and which values it accepts."""
    from dq.inspect.dropped import dropped_documents

    found = dropped_documents(folder, reason, limit=limit)
    if as_json:
        print_json([document.to_dict() for document in found])
        return
    if not found:
        typer.echo(f"no document was dropped for {visible(reason)}")
    for document in found:
        _echo_dropped(document)


def rule_set(preset: str | None, rules: Path | None, *, models: Sequence[str] = ()) -> RuleSet:
    """The rules that a command was given: a preset's or a file's, one of the two."""
    from dq.quality import load_rules, presets

    if (preset is None) == (rules is None):
        raise typer.BadParameter("give one of --preset NAME and --rules FILE")
    return load_rules(rules, models=models) if rules is not None else presets.preset(str(preset))


def _inputs(inputs: list[str], text_field: str) -> list[InputSpec]:
    from dq.corpus import InputSpec

    return [InputSpec(path=path, text_field=text_field) for path in inputs]


def _scoring(words: WordDefinition, models: list[str] | None, *, max_bad_fraction: float) -> Scoring:
    from dq.corpus.config import RowLimits
    from dq.files.pieces import Scoring
    from dq.quality.scorers.files import ModelFile

    limits = RowLimits(max_bad_fraction=max_bad_fraction)
    return Scoring(limits, words, tuple(ModelFile.parse(text) for text in models or ()))


def _echo_filter(done: FilterResult) -> None:
    strict = " (strict)" if done.strict else ""
    typer.echo(f"{done.rules.name}{strict}: {done.documents:,} documents, {done.kept:,} kept{_share(done)}")
    typer.echo("")
    rules = [row for row in done.by_rule.to_dicts() if row["dropped"]]
    if rules:
        counts = [(row["reason"], f"{row['dropped']:,}", f"{row['alone']:,}") for row in rules]
        print_table(("dropped because", "documents", "by this rule alone"), counts)
    if idle := len(done.by_rule) - len(rules):
        typer.echo(f"{idle} of {len(done.by_rule)} rules dropped nothing")
    typer.echo("")
    sources = sorted(done.by_source.to_dicts(), key=lambda row: (-row["documents"], row["source"]))
    lines = [
        (
            row["source"],
            f"{row['documents']:,}",
            f"{row['kept']:,}",
            f"{row['kept'] / row['documents']:.1%}",
            f"{row['kept_bytes'] / max(1, row['bytes']):.1%}",
        )
        for row in sources[:SHOWN_SOURCES]
    ]
    print_table(("source", "documents", "kept", "of documents", "of bytes"), lines)
    if len(sources) > SHOWN_SOURCES:
        typer.echo(f"and {len(sources) - SHOWN_SOURCES:,} smaller sources (--json lists all)")


def _share(done: FilterResult) -> str:
    return f" ({done.kept / done.documents:.1%})" if done.documents else ""


def _echo_faults(rows: RowCounts, path: Path) -> None:
    if rows.quarantined:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rows.quarantined.items())
        typer.echo(f"{rows.quarantined.total():,} unreadable rows ({reasons}): {path}")
    for warning in rows.warnings():
        typer.echo(visible(warning))


def _echo_dropped(document: DroppedDocument) -> None:
    value = "undefined" if document.value is None else f"{document.value:g}"
    typer.echo(visible(f"{document.id} ({document.source})").replace("\n", "\\n"))
    typer.echo(f"  {document.reason}: {document.signal} is {value}, accepted is {document.accepted}")
    others = [reason for reason in document.reasons if reason != document.reason]
    if others:
        typer.echo(f"  also: {', '.join(others)}")
    excerpt = document.text[:EXCERPT_CHARS]
    for line in visible(excerpt).split("\n"):
        typer.echo(f"  | {line}")
    if len(document.text) > EXCERPT_CHARS:
        typer.echo(f"  … and {len(document.text) - EXCERPT_CHARS:,} characters")
    typer.echo("")
