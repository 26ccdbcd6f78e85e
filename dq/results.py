"""What functions of dq return: records that turn into JSON, a table or a notebook's cell, each in one way."""

from __future__ import annotations

import dataclasses
import enum
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import polars as pl

MAX_REPR = 300  # characters
MAX_ROWS = 30  # of a table in a notebook


@dataclasses.dataclass(frozen=True)
class Result:
    """Base of the records: ``to_dict`` gives what ``--json`` prints, ``to_frame`` a table of it.

    A subclass with a table among its fields names it as ``FRAME``.
    """

    FRAME: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        # A dataclass writes a repr of every field, thousands of characters, unless its class has one of its own.
        setattr(cls, "__repr__", Result.__repr__)  # noqa: B010

    def __repr__(self) -> str:
        fields = (f"{field.name}={_short(getattr(self, field.name))}" for field in dataclasses.fields(self))
        text = f"{type(self).__name__}({', '.join(fields)})"
        return text if len(text) <= MAX_REPR else f"{text[: MAX_REPR - 2]}…)"

    def record(self) -> dict[str, Any]:
        """What belongs into JSON, by name: every field. A subclass may choose, and add what follows from the fields."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values: dicts, lists, strings, numbers, None."""
        return {name: plain(value) for name, value in self.record().items()}

    def to_frame(self) -> pl.DataFrame:
        """Its table, or one row of its single values; ``interval.low`` is one of a result inside this one."""
        if self.FRAME:
            frame: pl.DataFrame = getattr(self, self.FRAME)
            return frame
        import polars as pl  # noqa: PLC0415  a name is cheap, polars is not

        return pl.DataFrame([_flat(self.to_dict())], infer_schema_length=None)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, below the counts beside it."""
        frame, name = self.to_frame(), type(self).__name__
        if not self.FRAME:
            return html_table(name, ("", ""), list(frame.row(0, named=True).items()))
        counts = [f"{key} {value:,}" for key, value in self.record().items() if type(value) is int and value]
        return html_table(f"{name}: {', '.join(counts)}" if counts else name, frame.columns, frame.rows())


def html_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A small table for a notebook; names, texts and reasons are escaped, for they come from documents."""
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>" for row in rows[:MAX_ROWS]
    )
    more = f"<p>and {len(rows) - MAX_ROWS:,} more rows</p>" if len(rows) > MAX_ROWS else ""
    return (
        f"<p><b>{html.escape(title)}</b></p><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>{more}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_REPR else f"{text[: MAX_REPR - 1]}…"


def _short(value: Any) -> str:
    """A value in a few characters: what is large is counted."""
    if isinstance(value, Result):
        return f"{type(value).__name__}(…)"
    if hasattr(value, "shape"):
        return f"<{type(value).__name__} {' x '.join(map(str, value.shape))}>"
    if isinstance(value, tuple | list | dict) and len(repr(value)) > 60:
        return f"<{len(value)} entries>"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The single values of a record; lists are left out."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        elif not isinstance(value, list):
            found[name] = value
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it: tables become rows, paths text, and what is no number (NaN, infinity) null."""
    if isinstance(value, Result):
        value = value.record()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "to_dicts"):  # a polars DataFrame, which this module need not load
        value = value.to_dicts()
    elif hasattr(value, "model_dump"):  # a pydantic model
        value = value.model_dump(mode="json")
    elif isinstance(value, enum.Enum):
        value = value.value
    elif isinstance(value, Path):
        value = str(value)
    elif isinstance(value, float) and not math.isfinite(value):
        value = None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value
