"""The one module that prints: lines, tables, JSON, errors and progress, for a terminal or a pipe.

Documents, ids, sources, reasons and file names are untrusted: the name of a source must not clear the screen, rename
the window or put other words before the reader. So every function here spells out what could steer a terminal, and
reads no markup: a command cannot forget it. Results go to standard output, errors and progress to standard error;
colours and progress appear on a terminal only.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID
    from rich.text import Text

    from dq.executors import Progress

WIDTH = 80  # of tables, and the least of everything else
MAX_WIDTH = 120
MAX_ROWS = 20  # of a table that could be longer than a screen
MAX_WARNINGS = 12
MAX_WARNING = 600  # columns
MAX_DETAIL = 30  # columns of what a step is at

# Control characters (C0 without the newline, DEL, C1), line separators, and what reorders text on the screen.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

Part = str | tuple[str, str]
"""A piece of a line: text, or text and its style, such as ``bold red``."""


def prepare() -> None:
    """Let a character that the terminal's encoding lacks be spelled out, where it would be an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def broken_pipe() -> None:
    """Whoever read this has gone (``dq signals | head``): what is still to be written goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flush() -> None:
    """Let what has been printed go out, where it can: a signal may ask for it while this very stream is flushed."""
    with suppress(Exception):
        sys.stdout.flush()


def at_terminal() -> bool:
    """Whether results appear on a terminal, which shows styles."""
    return _console().is_terminal


def clear() -> None:
    """An empty screen for what comes next."""
    _console().clear()


def line(*parts: Part, wrap: bool = False) -> None:
    """One line. ``wrap`` breaks it at spaces where the screen ends, which is for sentences and not for paths."""
    _console().print(_text(*parts), soft_wrap=not wrap)


def block(text: str, *, prefix: str = "") -> None:
    """Text as it is, line by line."""
    for one in text.split("\n"):
        line(prefix + one)


def warnings(found: Sequence[str]) -> None:
    """What the user should know, a line each, at most a screen of them."""
    for warning in found[:MAX_WARNINGS]:
        line((f"warning: {_shortened(_one_line(warning), MAX_WARNING)}", "yellow"), wrap=True)
    if len(found) > MAX_WARNINGS:
        line((f"and {len(found) - MAX_WARNINGS:,} more warnings (--json has all)", "yellow"))


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str = "",
    title: str = "",
    more: str = "",
    last: Sequence[Sequence[str]] = (),
) -> None:
    """A table of at most 80 columns.

    Args:
        head: names of the columns.
        rows: their cells; an empty row is an empty line.
        align: a letter a column, `l` or `r`. Columns to the left hold names, which are cut where room is short; those
            to the right hold numbers, which never are. Default: the first is a name.
        title: a line above.
        more: what the rows are, if no more than a screen of them is to be shown: the largest come first then.
        last: rows that are shown whatever becomes of the others.
    """
    beyond = len(rows) - MAX_ROWS if more else 0
    rows = [*rows[: MAX_ROWS if beyond > 0 else None], *last]
    align = align or "l" + "r" * (len(head) - 1)
    cells = [[_one_line(cell) for cell in row] for row in (head, *rows)]
    widths = _widths([row for row in cells if row], align)
    if title:
        line((title, "italic"), wrap=True)
    for number, row in enumerate(cells):
        text = "  ".join(_fit(*cell) for cell in zip(row, widths, align[: len(row)], strict=False)).rstrip()
        line((text, "bold" if number == 0 else ""))
    if beyond > 0:
        line(f"and {beyond:,} more {more} (--json has all)")


def side_by_side(heads: tuple[str, str], rows: Sequence[tuple[Part, Part]]) -> None:
    """Two texts beside each other in 80 columns, each wrapped in its half."""
    from rich.table import Table

    halves = Table(box=None, pad_edge=False, width=WIDTH, padding=(0, 2, 0, 0))
    for head in heads:
        halves.add_column(_text(head), ratio=1, overflow="fold")
    for left, right in rows:
        halves.add_row(_text(left), _text(right))
    _console().print(halves)


def json(value: Any) -> None:
    """JSON for machines, every control character of it escaped."""
    from json import dumps

    from dq.results import plain

    text = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", dumps(plain(value), indent=2, ensure_ascii=False))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def error(message: str) -> None:
    """What went wrong, on one line of standard error however long it is."""
    message = " ".join(message.split())
    if "://" in message:  # whoever wrote it, an address may hold a password or a signature
        from dq.corpus.addresses import redacted

        message = redacted(message)
    _console(stderr=True).print(_text(f"dq: {message}"), soft_wrap=True)


def usage_error(wrong: Any) -> None:
    """What is wrong with the words of a command (an error of click), and where to read about them."""
    if not (message := wrong.format_message()):  # help has been printed in its place
        return
    error(message)
    if wrong.ctx is not None:
        usage = " ".join(wrong.ctx.get_usage().split())
        _console(stderr=True).print(_text(f"{usage}; {wrong.ctx.command_path} --help says more"), soft_wrap=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Steps at work with their units and the time that is left: on standard error, or in the cell of a notebook.

    Where standard error is no terminal, such as in a log, there is a line a minute.
    """
    console = _console(stderr=True)
    if console.is_jupyter:
        yield _in_cell()
        return
    if not console.is_terminal:
        from dq.cli.log import logged

        with logged(lambda text: _console(stderr=True).print(_text(text), soft_wrap=True)) as log:
            yield log
        return
    from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            return _text(_amount(task.completed, task.total, task.fields["unit"]))

    named, detail = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[detail]"))
    columns = (SpinnerColumn(), named, BarColumn(20), Amount(), TimeRemainingColumn(), detail)
    with Bars(*columns, console=console, transient=True) as bars:
        yield Screen(bars)


def _in_cell() -> Progress:
    from dq.cli.notebook import Cell
    from dq.errors import require

    ipython = require("IPython.display")  # is there: this runs in it
    shown = ipython.display(ipython.HTML(""), display_id=True)
    return Cell(lambda drawn: shown.update(ipython.HTML(drawn)), visible=_one_line)


class Screen:
    """A `Progress` of executors: each open step is a line on the screen."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Bar]:
        """A line from here to the end of the block."""
        task = self._bars.add_task(_one_line(name), total=total, unit=unit, detail="")
        try:
            yield Bar(self._bars, task)
        finally:
            self._bars.remove_task(task)


class Bar:
    """A `Step` of executors: a line of the screen."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """Move on, and name what is being worked on."""
        self._bars.update(self._task, advance=amount)
        if detail:
            self._bars.update(self._task, detail=_shortened(_one_line(detail), MAX_DETAIL))


def _amount(done: float, total: float | None, unit: str) -> str:
    """``1,000 of 4,000 documents``; nothing where neither a unit nor a total says what is counted."""
    if unit == "bytes":
        from dq.cli.log import amount

        return amount(done, unit) if total is None else f"{amount(done, unit)} of {amount(total, unit)}"
    of = "" if total is None else f" of {total:,.0f}"
    return f"{done:,.0f}{of} {unit}".rstrip() if unit or of else ""


def _visible(text: str) -> str:
    r"""What could steer a terminal is spelled out, such as ``\x1b``; newlines stay."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _one_line(text: str) -> str:
    return _visible(text).replace("\n", "\\n")


def _text(*parts: Part) -> Text:
    from rich.text import Text

    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((_one_line(text), style) for text, style in pairs))


def _console(*, stderr: bool = False) -> Console:
    """Where to print now: tests and callers may have put another stream in place of the terminal."""
    import shutil

    from rich.console import Console

    width = max(WIDTH, min(MAX_WIDTH, shutil.get_terminal_size().columns))
    return Console(width=None if stderr else width, stderr=stderr, highlight=False, markup=False, emoji=False)


def _widths(rows: Sequence[Sequence[str]], align: str) -> list[int]:
    """Columns of the screen for each column of a table: the widest name gives way until all fits."""
    widths = [max(_columns(row[at]) for row in rows) for at in range(len(align))]
    names = [at for at, side in enumerate(align) if side == "l"]
    room = WIDTH - 2 * (len(align) - 1) - sum(width for at, width in enumerate(widths) if at not in names)
    for at in names:
        widths[at] = min(widths[at], room)
    while sum(widths[at] for at in names) > room:
        widths[max(names, key=lambda at: widths[at])] -= 1
    return widths


def _columns(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _shortened(text: str, columns: int) -> str:
    from rich.cells import set_cell_size

    return text if _columns(text) <= columns else set_cell_size(text, columns - 1) + "…"


def _fit(text: str, columns: int, side: str) -> str:
    short = _shortened(text, columns)
    padding = " " * (columns - _columns(short))
    return short + padding if side == "l" else padding + short
