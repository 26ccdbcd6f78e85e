"""What the commands share: options, JSON, the width of a terminal, a bar, and text that cannot command a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dq.executors import Progress, Step

__all__ = [
    "AsJson",
    "Workers",
    "print_json",
    "print_table",
    "progress_bar",
    "status_line",
    "terminal_width",
    "visible",
    "worker_count",
]

Workers = Annotated[int | None, typer.Option(min=1, help="Processes at a time. Default: one a core.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

# Control characters (C0 without the newline, DEL, C1), line separators, and what reorders text on the screen.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def worker_count(given: int | None) -> int:
    """Processes to use: the given number, else one for each core this process may use."""
    return given or len(os.sched_getaffinity(0))


def visible(text: str) -> str:
    r"""Text of documents for a terminal: what could steer it is spelled out, such as ``\x1b``; newlines stay."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def print_json(value: Any) -> None:
    """JSON on standard output. Control characters are escaped, as they may come from documents."""
    import json

    typer.echo(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, indent=2, ensure_ascii=False)))


def terminal_width() -> int:
    """Columns to print in: the terminal's, from 80 to 120."""
    import shutil

    return max(80, min(120, shutil.get_terminal_size().columns))


@contextmanager
def progress_bar(title: str) -> Iterator[Any]:
    """A bar with the time that is left, on standard error; nothing where that is not a terminal.

    Yields:
        A function of (description, done, total).
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        yield lambda name, done, total: progress.update(bar, completed=done, total=total, description=name)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table of at most 80 columns: the first column gives way, with its control characters spelled out."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(1, len(head))]
    room = 80 - sum(width + 2 for width in widths)
    names = [visible(row[0]).replace("\n", "\\n") for row in (head, *rows)]
    first = min(room, max(map(_columns, names)))
    for name, row in zip(names, (head, *rows), strict=True):
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths, strict=True))
        typer.echo(_fit(name, first) + cells)


def _columns(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, columns: int) -> str:
    from rich.cells import set_cell_size

    return set_cell_size(text if _columns(text) <= columns else set_cell_size(text, columns - 1) + "…", columns)


@contextmanager
def status_line() -> Iterator[Progress]:
    """A line on standard error that names the step at work; nothing where that is not a terminal."""
    from rich.console import Console
    from rich.text import Text

    from dq.executors import QUIET

    console = Console(stderr=True)
    if not console.is_terminal:
        yield QUIET
        return
    with console.status("start") as status:
        yield StatusLine(lambda line: status.update(Text(visible(line))))


class StatusLine:
    """Steps as a line that is written again and again."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        """Name the step."""
        del total
        self._write(name)
        yield StepLine(self._write, name, unit)


class StepLine:
    """One step: its name, how much is done, and what is at work."""

    def __init__(self, write: Callable[[str], None], name: str, unit: str) -> None:
        self._write, self._name, self._unit, self._done = write, name, unit, 0.0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Count."""
        self._done += amount
        self._write(f"{self._name}: {detail + ', ' if detail else ''}{self._done:,.0f} {self._unit}")
