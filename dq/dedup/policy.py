"""Which of several duplicates is kept: a policy, and the total order of the documents that it makes.

The policy decides first; ties go by content key, then source, then id, so neither row order nor shard plays a part.
`longest` counts visible characters once (`dq.dedup.kernels.visible`), and of equally long texts takes the one of fewest
bytes: a page repeated fifty times, double spaces and zero-width marks win nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import polars as pl
from pydantic_core import core_schema

from dq.arguments import kind_of
from dq.arrays import I64, between_groups
from dq.errors import ConfigError

KNOWN = "use `longest`, `best:SIGNAL`, `earliest:FIELD` or `prefer:SOURCE,SOURCE`"
TIED_AT_A_TIME = 1 << 18  # rows of which ids and sources are sorted
_TIES = ("content_key", "source", "id", "occurrence")


@dataclass(frozen=True)
class Policy:
    """What is kept first: the longest, the best by a signal, the earliest by a field, or those of preferred sources.

    A field of this type in a configuration takes the text and is written as that very text.
    """

    text: str
    """As the user wrote it."""
    kind: Literal["longest", "best", "earliest", "prefer"]
    names: tuple[str, ...]
    """The signal, the field, or the sources in order of preference; of ``longest``, none."""

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read a policy; documents without the value that it ranks by come last.

        Args:
            text: ``longest`` (most visible characters, repeats left out), ``best:SIGNAL`` (largest value),
                ``earliest:FIELD`` (smallest value) or ``prefer:SOURCE,SOURCE`` (in that order).

        Raises:
            ConfigError: it is none of these.
        """
        if not isinstance(text, str):
            raise ConfigError(f"`keep`: {KNOWN}, not {kind_of(text)}", field="keep")
        kind, _, rest = text.partition(":")
        names = tuple(name.strip() for name in (rest.split(",") if kind == "prefer" else [rest]))
        if text == "longest":
            return LONGEST
        if kind not in ("best", "earliest", "prefer") or not all(names):
            raise ConfigError(f"`keep`: {KNOWN}, not {text!r}", field="keep")
        return cls(text, cast("Literal['best', 'earliest', 'prefer']", kind), names)

    def __str__(self) -> str:
        return self.text

    @property
    def signal(self) -> str | None:
        """The signal it needs, if it does."""
        return self.names[0] if self.kind == "best" else None

    @property
    def field(self) -> str | None:
        """The field of the rows it needs, if it does."""
        return self.names[0] if self.kind == "earliest" else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources it prefers, if it does."""
        return self.names if self.kind == "prefer" else ()

    @property
    def column(self) -> str:
        """The column of documents it ranks by."""
        return {"longest": "visible_characters", "prefer": "source"}.get(self.kind) or self.names[0]

    def ranks(self, documents: pl.DataFrame) -> I64:
        """The rank of every document, 0 the first to be kept: int64 (documents,), each rank once.

        Args:
            documents: one row per document with ``content_key`` and, where present, ``source``, ``id``, ``occurrence``;
                and :attr:`column`; with `longest` ``n_bytes``, too, if present.

        Raises:
            ConfigError: the column is missing.
        """
        if self.column not in documents.columns:
            there = ", ".join(documents.columns)
            raise ConfigError(f"`keep`: `{self}` needs the column `{self.column}`; there are: {there}", field="keep")
        first: pl.Expr = pl.col(self.column)
        if self.sources:
            places = {source: place for place, source in enumerate(self.sources)}
            first = first.replace_strict(places, default=len(places), return_dtype=pl.Int64)
        elif documents.schema[self.column].is_float():
            first = first.fill_nan(None)
        wanted = ("n_bytes", *_TIES) if self.kind == "longest" else _TIES
        ties = [tie for tie in wanted if tie in documents.columns]
        table = documents.select(first.alias("__first"), *ties)
        rows = _sorted_rows(table, ties, descending=self.kind in ("longest", "best"))
        rank = np.empty(len(rows), np.int64)
        rank[rows] = np.arange(len(rows))
        return rank

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        """The text in configurations: read by `parse`, written as it was."""
        return core_schema.no_info_plain_validator_function(
            cls._of_config,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.to_string_ser_schema(when_used="always"),
        )

    @classmethod
    def _of_config(cls, value: Any) -> Policy:
        if isinstance(value, cls):
            return value
        try:
            return cls.parse(str(value))
        except ConfigError:
            raise ValueError(KNOWN) from None


LONGEST = Policy("longest", "longest", ())


def _sorted_rows(ranked: pl.DataFrame, ties: list[str], *, descending: bool) -> I64:
    """Row numbers in the order of ``__first``, then of the ties, then as they are.

    Ids and sources take the most memory to sort by, and few documents need them: those that agree in all before.
    """
    keys, rest = ["__first", *ties[:1]], ties[1:]
    order = [descending] + [False] * len(keys)
    table = ranked.select(*keys).with_row_index("__row").sort(*keys, "__row", descending=order, nulls_last=True)
    rows = table["__row"].cast(pl.Int64).to_numpy().copy()
    as_before = table.select(pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift()) for key in keys))
    tied = as_before.to_series().to_numpy().copy()
    tied[:1] = False
    runs = np.flatnonzero(tied | np.append(tied[1:], False))
    if rest:
        for some in np.split(runs, between_groups(~tied[runs], TIED_AT_A_TIME)):
            members = ranked[rows[some]].select(
                *rest, __group=pl.Series(np.cumsum(~tied[some])), __row=pl.Series(rows[some])
            )
            rows[some] = members.sort("__group", *rest, "__row", nulls_last=True)["__row"].to_numpy()
    return rows
