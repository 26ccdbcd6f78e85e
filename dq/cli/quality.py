"""`dq score`, `dq filter` and `dq signals`: signals of files, files divided by rules, and what signals there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import (
    MAX_BAD_FRACTION,
    AnyScript,
    AsJson,
    CardFile,
    Dropped,
    Engine,
    IdField,
    Inputs,
    Languages,
    LanguageThreshold,
    MaxBad,
    Models,
    Overwrite,
    PageText,
    Preset,
    RulesFile,
    SourceField,
    SourceFrom,
    TextField,
    UrlsFile,
    Words,
    Workers,
    card_of,
    executor_of,
    input_specs,
    language_rules,
    rule_set,
)

if TYPE_CHECKING:
    from dq.corpus.quarantine import RowCounts
    from dq.files.filter import FilterResult
    from dq.files.pieces import Scoring
    from dq.text import WordDefinition

MADE_FOR = {"words": "text whose words are known", "spaces": "scripts with spaces between words", "English": "English"}


def score(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet, .jsonl or .csv; the same command goes on.")],
    signals: Annotated[
        list[str] | None, typer.Option(help="Names from `dq signals`; several with commas. Default: all.")
    ] = None,
    model: Models = None,
    words: Words = "unicode",
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
    """Compute signals of documents: id, source and one column a signal. Decides nothing.

    Example: dq score docs.jsonl -o signals.parquet
    """
    from dq.files.score import score_files

    names = [name.strip() for one in signals for name in one.split(",") if name.strip()] if signals else None
    specs = input_specs(
        inputs,
        text_field=text_field,
        id_field=id_field,
        source_field=source_field,
        source_from=source_from,
        page_text=page_text,
    )
    scoring = _scoring(words, model, max_bad_fraction)
    with show.progress() as progress:
        done = score_files(
            specs,
            output,
            signals=names,
            overwrite=overwrite,
            scoring=scoring,
            executor=executor_of(executor, workers),
            progress=progress,
        )
    if as_json:
        show.json({**done.to_dict(), "output": str(output)})
        return
    show.line(f"{done.documents:,} documents, {len(done.signals)} signals: {output}")
    from dq.quality.rules import script_note

    remedy = "" if words == "dictionary" else "; --words dictionary finds words"
    show.warnings([script_note(*row) + remedy for row in done.by_script.iter_rows()])
    show_faults(done.rows, output.with_name(f"{output.stem}.quarantined.jsonl"))


def filter_documents(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of kept documents, or .jsonl, .parquet file.")],
    preset: Preset = None,
    rules: RulesFile = None,
    urls: UrlsFile = None,
    language: Languages = None,
    language_threshold: LanguageThreshold = None,
    model: Models = None,
    dropped: Dropped = None,
    card: CardFile = None,
    strict: Annotated[bool, typer.Option("--strict", help="Judge as the source does, defects included.")] = False,
    any_script: AnyScript = False,
    words: Words = "unicode",
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
    """Divide documents by the rules of a preset or of a file; every dropped one has the full list of its reasons.

    Example: dq filter docs.jsonl --preset fineweb -o kept
    """
    from dq.files.filter import filter_files
    from dq.files.named import Named

    scoring = _scoring(words, model, max_bad_fraction)
    of_language = language_rules(language, language_threshold)
    models = [one.name for one in scoring.models]
    judging = rule_set(preset, rules, models=models, urls=urls, more=of_language)
    about_card = card_of(card)
    with show.progress() as progress:
        done = filter_files(
            input_specs(
                inputs,
                text_field=text_field,
                id_field=id_field,
                source_field=source_field,
                source_from=source_from,
                page_text=page_text,
            ),
            judging.for_any_script() if any_script else judging,
            kept=output,
            dropped=dropped,
            card=about_card,
            strict=strict,
            overwrite=overwrite,
            scoring=scoring,
            executor=executor_of(executor, workers),
            progress=progress,
        )
    if as_json:
        show.json(done)
        return
    _show_filter(done)
    from dq.quality.rules import script_warning

    remedy = (
        "; " + ("" if words == "dictionary" else "--words dictionary finds words, ") + "--any-script judges as it is"
    )
    for script, documents, _, reasons in done.by_script.iter_rows():
        show.warnings([script_warning(script, documents, reasons) + remedy])
    show_faults(done.rows, Named.of(output, field="output").quarantine)
    show.warnings(done.warnings)


def signals(as_json: AsJson = False) -> None:
    """List every signal: name, type, unit, range, definition, source.

    Example: dq signals
    """
    import textwrap

    from dq.quality import all_signals
    from dq.quality.signals import AS_WRITTEN, WRITTEN_SIGNALS

    known = all_signals().values()
    if as_json:
        show.json(
            [
                {
                    "name": signal.name,
                    "dtype": signal.dtype,
                    "unit": signal.unit,
                    "minimum": None if signal.is_label else signal.minimum,
                    "maximum": None if signal.is_label or signal.maximum == float("inf") else signal.maximum,
                    "definition": signal.definition,
                    "source": signal.source,
                    "made_for": signal.made_for,
                }
                for signal in known
            ]
        )
        return
    for signal in known:
        if signal.name in WRITTEN_SIGNALS:
            continue
        most = "no limit" if signal.maximum == float("inf") else f"{signal.maximum:g}"
        bounds = "" if signal.is_label else f", {signal.minimum:g} to {most}"
        show.line(f"{signal.name}: {signal.dtype}, {signal.unit}{bounds}")
        made_for = "" if signal.made_for == "any text" else f" Made for {MADE_FOR[signal.made_for]}."
        show.block(textwrap.fill(f"{signal.definition}.{made_for} Source: {signal.source}", 76), prefix="    ")
    show.line()
    note = (
        "Signals see text whose line ends are one character, without blanks at the ends of lines and of the text. "
        f"NAME{AS_WRITTEN} is the same of the text as it is, for {len(WRITTEN_SIGNALS)} of them (--json lists all): "
        "what --strict judges."
    )
    show.block(textwrap.fill(note, 80))


def _scoring(words: WordDefinition, models: list[str] | None, max_bad_fraction: float) -> Scoring:
    from dq.corpus.config import RowLimits
    from dq.files.pieces import Scoring
    from dq.quality.scorers.files import ModelFile

    limits = RowLimits(max_bad_fraction=max_bad_fraction)
    return Scoring(limits, words, tuple(ModelFile.parse(text) for text in models or ()))


def _show_filter(done: FilterResult) -> None:
    strict = " (strict: texts as written, every script)" if done.strict else ""
    share = f" ({done.kept / done.documents:.1%})" if done.documents else ""
    show.line(f"{done.rules.name}{strict}: {done.documents:,} documents, {done.kept:,} kept{share}")
    show.line()
    rules = [row for row in done.by_rule.to_dicts() if row["dropped"]]
    if rules:
        counts = [(row["reason"], f"{row['dropped']:,}", f"{row['alone']:,}") for row in rules]
        show.table(("dropped because", "documents", "by this rule alone"), counts)
    if idle := len(done.by_rule) - len(rules):
        show.line(f"{idle} of {len(done.by_rule)} rules dropped nothing")
    show.line()
    sources = sorted(done.by_source.to_dicts(), key=lambda row: (-row["documents"], row["source"]))
    lines = [
        (
            row["source"],
            f"{row['documents']:,}",
            f"{row['kept']:,}",
            f"{row['kept'] / row['documents']:.1%}",
            f"{row['kept_bytes'] / max(1, row['bytes']):.1%}",
        )
        for row in sources
    ]
    show.table(("source", "documents", "kept", "of documents", "of bytes"), lines, more="smaller sources")
    _show_languages(done)


def _show_languages(done: FilterResult) -> None:
    """Documents by language, where rules read it, and which of them had no bounds of their own."""
    found = done.by_language
    if found.is_empty():
        return
    show.line()
    rows = [
        (name or "(unknown)", f"{documents:,}", f"{kept:,}", f"{kept / documents:.1%}")
        for name, documents, kept, _ in found.iter_rows()
    ]
    show.table(("language", "documents", "kept", "of documents"), rows, more="rarer languages")
    others = found.filter(~found["own_bounds"])
    if len(others):
        some = ", ".join(name or "unknown" for name in others["language"][:3].to_list()) + ", ..." * (len(others) > 3)
        count = int(others["documents"].sum())
        which = "1 language without bounds of its own"
        if len(others) > 1:
            which = f"{len(others)} languages without bounds of their own"
        message = f"{count:,} documents of {which} ({some})"
        show.warnings([f"{message} were judged by the rules for any language alone"])


def show_faults(rows: RowCounts, path: Path) -> None:
    """Unreadable rows and where they are listed, and warnings."""
    from dq.corpus.quarantine import MAX_LISTED

    if rows.quarantined:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rows.quarantined.items())
        first = f" (the first {MAX_LISTED:,})" if rows.quarantined.total() > MAX_LISTED else ""
        show.line((f"{rows.quarantined.total():,} unreadable rows ({reasons}): {path}{first}", "yellow"))
    show.warnings(rows.warnings())
