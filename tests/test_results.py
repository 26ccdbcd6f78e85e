"""Every result of dq becomes JSON in one way."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from dq.config import StrictModel
from dq.results import Result, html_table, plain


class Colour(enum.StrEnum):
    RED = "red"


class Settings(StrictModel):
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Inner(Result):
    path: Path
    share: float


@dataclass(frozen=True)
class Outer(Result):
    inner: tuple[Inner, ...]
    table: pl.DataFrame
    settings: Settings
    colour: Colour
    names: dict[int, str]
    nothing: None = None

    def record(self) -> dict[str, Any]:
        return {**super().record(), "rows": len(self.table)}


def test_everything_inside_a_result_becomes_plain() -> None:
    table = pl.DataFrame({"a": [1, 2], "b": [0.5, float("nan")], "c": [["x"], []]})
    made = Outer((Inner(Path("a/b"), float("inf")),), table, Settings(), Colour.RED, {1: "one"}).to_dict()
    assert made == {
        "inner": [{"path": "a/b", "share": None}],
        "table": [{"a": 1, "b": 0.5, "c": ["x"]}, {"a": 2, "b": None, "c": []}],
        "settings": {"sizes": [1, 2]},
        "colour": "red",
        "names": {"1": "one"},
        "nothing": None,
        "rows": 2,
    }
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert type(made["colour"]) is str


def test_a_list_of_results_is_a_list_of_their_records() -> None:
    one = Inner(Path("p"), 0.5)
    assert plain([one, one]) == [one.to_dict()] * 2


def test_a_result_is_a_row_of_its_single_values() -> None:
    made = Outer((), pl.DataFrame({"a": [1]}), Settings(), Colour.RED, {1: "one"})
    assert made.to_frame().to_dicts() == [{"colour": "red", "names.1": "one", "nothing": None, "rows": 1}]


def test_a_long_result_has_a_short_repr_that_counts_what_is_large() -> None:
    inner = tuple(Inner(Path("a" * 500), 0.5) for _ in range(100))
    text = repr(Outer(inner, pl.DataFrame({"a": [1] * 9}), Settings(), Colour.RED, dict.fromkeys(range(99), "x")))
    assert text.startswith("Outer(inner=<100 entries>, table=<DataFrame 9 x 1>") and len(text) <= 300
    assert repr(Inner(Path("b"), 0.5)) == "Inner(path=PosixPath('b'), share=0.5)"


def test_a_notebook_shows_markup_as_text() -> None:
    hostile = "<script>alert(1)</script>"
    shown = Inner(Path(hostile), 0.25)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<td>0.25</td>" in shown
    assert html_table(hostile, [hostile], [[hostile]]).count("&lt;script&gt;") == 3


def test_a_notebook_shows_thirty_rows_and_counts_the_others() -> None:
    rows = [[number] for number in range(31)]
    assert html_table("t", ["n"], rows[:30]).count("<tr>") == 31 and "more rows" not in html_table(
        "t", ["n"], rows[:30]
    )
    assert html_table("t", ["n"], rows).count("<tr>") == 31 and "and 1 more rows" in html_table("t", ["n"], rows)


@dataclass(frozen=True)
class Tabled(Result):
    FRAME: ClassVar = "table"

    table: pl.DataFrame
    count: int


def test_a_result_with_a_table_of_its_own_shows_that() -> None:
    made = Tabled(pl.DataFrame({"source": ["<b>", "web"], "n": [1, 2]}), 3)
    assert made.to_frame() is made.table
    assert made.to_dict() == {"table": [{"source": "<b>", "n": 1}, {"source": "web", "n": 2}], "count": 3}
    assert "<b>Tabled: count 3</b>" in made._repr_html_()
    assert "&lt;b&gt;" in made._repr_html_() and made._repr_html_().count("<tr>") == 3
