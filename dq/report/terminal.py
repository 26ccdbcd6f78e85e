"""The study's table at the end of the terminal output: at most 80 columns, the verdict last."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dq.compare import Comparison, ControlOutcome, ControlStatus, Outcome, StudyComparison, VariantComparison

__all__ = ["print_study"]

COLORS = {Outcome.BETTER: "green", Outcome.WORSE: "red", Outcome.EQUIVALENT: "cyan"}


def print_study(console: Console, comparison: StudyComparison, controls: tuple[ControlOutcome, ...]) -> None:
    """Bits per byte and paired differences per variant and held-out set, one verdict a variant, then the controls."""
    console.print(_table(comparison))
    for found in comparison.variants:
        console.print(_verdict_line(found))
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
