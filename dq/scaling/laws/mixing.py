"""Loss by the shares of sources in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import polars as pl

from dq.errors import FitError
from dq.scaling.common import floor
from dq.scaling.law import Form, Law, Parameter, Slopes, Term
from dq.scaling.points import FloatArray, Points

PREFIX = "share_"


@final
@dataclass(frozen=True)
class MixingLaw(Law):
    """E + exp(sum_j t_j r_j), r_j the share of source j; a table has a column ``share_NAME`` for each.

    The paper's factor k is left out: shares sum to 1, so it would only add one constant to every t_j.
    """

    sources: tuple[str, ...] = ("a", "b", "c")

    forms: ClassVar[Mapping[str, Form]] = {
        "mixing": Form(
            meaning="E + exp(sum_j t_j r_j), shares r_j from columns share_NAME (Ye 2024, arXiv 2403.16952)",
            example={"E": 2.0, "t_a": 0.5, "t_b": -0.7, "t_c": 1.2},
        )
    }

    @classmethod
    def for_runs(cls, runs: pl.DataFrame) -> MixingLaw:
        """With the table's sources.

        Raises:
            FitError: there are fewer than two.
        """
        sources = tuple(name.removeprefix(PREFIX) for name in runs.columns if name.startswith(PREFIX))
        if len(sources) < 2:
            raise FitError(f"law `mixing` needs a column {PREFIX}NAME for each source, at least two", field="columns")
        return cls(sources)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The floor, and a number for each source."""
        each = (
            Parameter(name=f"t_{one}", meaning=f"what {one} does", starts=(-1.0, 1.0), low=-60.0, high=60.0)
            for one in self.sources
        )
        return (floor(), *each)

    @property
    def columns(self) -> tuple[str, ...]:
        """The shares."""
        return tuple(f"{PREFIX}{one}" for one in self.sources)

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The floor and the exponential."""
        shares: Slopes = {f"t_{one}": points[f"{PREFIX}{one}"] for one in self.sources}
        log = sum((p[name] * share for name, share in shares.items()), start=0.0 * p["E"])
        return (Term(p["E"], {"E": 1.0}), Term(log, shares))
