"""Results of deduplication in the terminal, at most 80 columns. Ids, sources and texts are untrusted: ``visible``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dq.cli.common import visible
from dq.dedup import Audit, Bands, DedupConfig
from dq.files.dedup import DedupResult
from dq.files.forecast import Forecast
from dq.inspect.pairs import Passage, RemovedPair, compare_words

__all__ = ["print_audit", "print_bands", "print_dedup", "print_forecast", "print_pair"]

WIDTH = 80
MAX_PASSAGES = 60  # of a pair
MAX_WORDS = 120  # of one differing passage


def _table(*columns: str, title: str | None = None) -> Table:
    """The first column is text, the others are numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if number else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=None if number else 30,
        )
    return table


def _name(text: str) -> Text:
    return Text(visible(text).replace("\n", "\\n"))


def print_dedup(console: Console, done: DedupResult) -> None:
    """Kept and removed documents by source, and where they are."""
    table = _table("source", "documents", "kept", "removed", "share", "exact copies", title="documents by source")
    sources = done.sources
    for row in sources.iter_rows(named=True):
        table.add_row(_name(row["source"]), *_counts(row))
    if len(sources) > 1:
        table.add_section()
        table.add_row("all", *_counts(sources.drop("source").sum().row(0, named=True)))
    console.print(table)
    if done.quarantined:
        listed = visible(str(done.quarantine))
        console.print(Text(f"unreadable rows: {done.quarantined:,}, listed in {listed}", "yellow"), soft_wrap=True)
    for warning in done.warnings:
        console.print(Text(f"warning: {visible(warning)}", style="yellow"))
    if done.indexed is not None:
        console.print(f"{done.indexed:,} documents in the index")
    root = visible(str(done.workspace.root))
    console.print(Text(f"kept: {root}/kept/"), Text(f"removed: {root}/removed.parquet"), sep="\n", soft_wrap=True)


def _counts(row: dict[str, Any]) -> list[str]:
    share = row["removed"] / row["documents"]
    return [
        f"{row['documents']:,}", f"{row['kept']:,}", f"{row['removed']:,}", f"{share:.1%}", f"{row['exact_copies']:,}"
    ]  # fmt: skip


def print_forecast(console: Console, forecast: Forecast) -> None:
    """What it would take, and what that rests on."""
    about = "" if forecast.complete else "about "
    console.print(
        f"input: {about}{forecast.documents:,} documents, {forecast.text_bytes / 1e6:,.1f} MB of text; "
        f"{forecast.sample_documents:,} documents tried"
    )
    console.print(
        f"time: {_duration(forecast.seconds)} (read {_duration(forecast.read_seconds)}, find duplicates "
        f"{_duration(forecast.find_seconds)}, write {_duration(forecast.write_seconds)})"
    )
    console.print(f"memory: {forecast.memory_bytes / 1e9:.2f} GB")
    console.print(f"disk: {forecast.disk_bytes / 1e9:.2f} GB")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_bands(console: Console, bands: Bands, config: DedupConfig) -> None:
    """The bands and the S-curve."""
    console.print(
        f"{bands.bands} bands of {bands.rows} of {bands.num_perm} values; candidates are verified where at least "
        f"{bands.min_matches} agree.\nVerified of pairs at similarity {config.threshold:g}: "
        f"{bands.recall(config.threshold):.2%}. Verification is exact: nothing below it is removed."
    )
    table = _table("similarity", "candidate", "verified", "")
    table.columns[3].justify = "left"
    for row in bands.curve().iter_rows(named=True):
        bar = "#" * round(40 * row["candidate_probability"])
        chances = (f"{row[name]:.4f}" for name in ("candidate_probability", "verified_probability"))
        table.add_row(f"{row['similarity']:.2f}", *chances, bar)
    console.print(table)


def print_audit(console: Console, audit: Audit) -> None:
    """Recall by source and similarity with its interval, beside theory; then precision."""
    table = _table(
        "source", "similarity", "docs", "pairs", "resolved", "95 % interval", "theory",
        title="true duplicate pairs of a sample, and the share resolved (not both kept)",
    )  # fmt: skip
    table.columns[0].max_width = 20
    for row in audit.recall.filter(audit.recall["true_pairs"] > 0).iter_rows(named=True):
        table.add_row(
            _name(row["source"]),
            f"{row['similarity_from']:.2f}-{row['similarity_to']:.2f}",
            f"{row['sampled_documents']:,}",
            f"{row['true_pairs']:,}",
            f"{row['recall']:.4f}",
            f"{row['low']:.3f}-{row['high']:.3f}",
            f"{row['theoretical_recall']:.4f}",
        )
    console.print(table)
    console.print(
        f"{audit.sampled_documents:,} documents compared with all; {audit.removals_checked:,} removals recomputed, "
        f"{audit.unproven_removals.height:,} unproven; {audit.missed_pairs.height:,} true pairs both kept",
        soft_wrap=False,
    )


def print_pair(console: Console, pair: RemovedPair, *, marked: bool) -> None:
    """A removed document beside the kept one; ``marked`` writes differences as [-x-] and {+y+}, for plain text."""
    counts = "" if pair.union is None else f" ({pair.intersection:,} of {pair.union:,} shingles)"
    console.print(Text(f"similarity {pair.similarity:.4f}{counts}", style="bold"))
    if pair.kept_text is None:
        console.print(_name(f"removed: {pair.id} ({pair.source})"))
        console.print(_name(f"kept: {pair.kept_id} ({pair.kept_source}), in the index, which holds no texts"))
        console.print()
        return
    table = Table(box=None, pad_edge=False, width=WIDTH, padding=(0, 2, 0, 0))
    for role, name in (("removed", pair.id), ("kept", pair.kept_id)):
        table.add_column(_name(f"{role}: {name}"), ratio=1, overflow="fold")
    passages = compare_words(pair.text, pair.kept_text)
    for passage in passages[:MAX_PASSAGES]:
        if passage.skipped:
            equal = Text(f"... {passage.skipped:,} equal words ...", style="dim")
            table.add_row(equal, equal)
        if passage.removed or passage.kept:
            table.add_row(*_sides(passage, marked=marked))
    if len(passages) > MAX_PASSAGES:
        rest = Text(f"... {len(passages) - MAX_PASSAGES:,} more passages ...", style="dim")
        table.add_row(rest, rest)
    console.print(table)
    console.print()


def _sides(passage: Passage, *, marked: bool) -> tuple[Text, Text]:
    left, right = _words(passage.removed), _words(passage.kept)
    if passage.equal:
        return Text(left), Text(right)
    if marked:
        left, right = f"[-{left}-]" if left else "", f"{{+{right}+}}" if right else ""
    return Text(left, style="red strike"), Text(right, style="green")


def _words(words: tuple[str, ...]) -> str:
    more = f" ... {len(words) - MAX_WORDS:,} more words" if len(words) > MAX_WORDS else ""
    return visible(" ".join(word[:200] for word in words[:MAX_WORDS])) + more
