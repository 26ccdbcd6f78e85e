"""Results in the terminal, at most 80 columns: a job's corpus by fate, a study's differences and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dq.compare import Comparison, ControlOutcome, ControlStatus, Outcome, StudyComparison, VariantComparison

__all__ = ["print_job", "print_study"]

COLORS = {Outcome.BETTER: "green", Outcome.WORSE: "red", Outcome.EQUIVALENT: "cyan"}


FATES = ("kept", "dropped", "removed", "excluded", "held_out")


def print_job(console: Console, fates: pl.DataFrame, *, quarantined: int, warnings: Sequence[str]) -> None:
    """What became of each source's documents, and what the user should know."""
    table = Table(title="documents by source", title_justify="left", box=None, pad_edge=False)
    for column in ("source", *FATES):
        table.add_column(column.replace("_", " "), justify="left" if column == "source" else "right", no_wrap=True)
    for (source,), rows in fates.group_by("source", maintain_order=True):
        total = int(rows["documents"].sum())
        counts = dict(rows.select("fate", "documents").iter_rows())
        cells = [f"{counts.get(fate, 0):,} ({counts.get(fate, 0) / total:.0%})" for fate in FATES]
        table.add_row(Text(str(source)), *cells)
    console.print(table)
    if quarantined:
        console.print(f"{quarantined:,} unreadable rows quarantined", style="yellow")
    for warning in warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))


def print_study(console: Console, comparison: StudyComparison, controls: tuple[ControlOutcome, ...]) -> None:
    """Bits per byte and paired differences per variant and held-out set, one verdict a variant, then the controls."""
    console.print(_table(comparison))
    for found in comparison.variants:
        console.print(_verdict_line(found))
    if not controls:
        console.print("no controls ran: nothing checks this study's trainer and pools", style="yellow")
    for control in controls:
        passed = control.status is ControlStatus.PASSED
        style = "dim" if passed else "bold red"
        console.print(Text(f"control {control.kind}: {control.status}: {control.reason}", style=style))


def _table(comparison: StudyComparison) -> Table:
    table = Table(
        title=f"bits per byte, and the difference from {comparison.baseline} (below 0 is better)",
        title_justify="left",
        box=None,
        pad_edge=False,
        width=80,
    )
    table.add_column("variant", no_wrap=True, overflow="ellipsis", max_width=18)
    table.add_column("held-out set", no_wrap=True, overflow="ellipsis", max_width=18)
    table.add_column("level", justify="right", no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column(f"{comparison.confidence:.0%} interval", justify="right", no_wrap=True)
    neutral = set(comparison.neutral_sets)
    for level in comparison.levels:
        if level.variant == comparison.baseline:
            name = _set_name(level.held_out_set, neutral)
            table.add_row(level.variant, name, f"{level.bits_per_byte:.4f}", "", "")
    for found in comparison.variants:
        table.add_section()
        rows = found.by_set if len(neutral) == 1 else (*found.by_set, found.neutral)
        for row in rows:
            name = _set_name(row.sets[0], neutral) if len(row.sets) == 1 else "mean of neutral"
            table.add_row(found.variant, name, f"{row.bits_per_byte:.4f}", f"{row.difference:+.4f}", _interval(row))
    return table


def _set_name(name: str, neutral: set[str]) -> str:
    return f"{name} *" if name in neutral else name


def _interval(row: Comparison) -> str:
    return f"[{row.interval.low:+.4f}, {row.interval.high:+.4f}]" if row.interval else "too few seeds"


def _verdict_line(found: VariantComparison) -> Text:
    line = Text()
    line.append(f"{found.variant}: ", style="bold")
    line.append(found.summary, style=f"bold {COLORS.get(found.verdict.outcome, 'yellow')}")
    line.append(f" (on the neutral set *: {found.verdict.reason})")
    return line
