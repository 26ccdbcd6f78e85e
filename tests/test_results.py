"""Every result of dq becomes JSON in one way."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq.config import StrictModel
from dq.results import Result, plain


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
