"""Documents with the column that a policy ranks them by, of a shard or of all.

Policies beyond length and source need one: ``best:SIGNAL`` takes it from the signals, ``earliest:FIELD`` from the field
of the rows as they were read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl

from dq.corpus import Corpus
from dq.corpus.corpus import IDENTITY
from dq.dedup import Policy
from dq.errors import ConfigError, nearest
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.store import read_parquet

NUMBERS = {"int": pl.Int64, "float": pl.Float64}


@dataclass(frozen=True)
class Field:
    """What the values of a field are, in some documents or in all: they are ranked as numbers where each is one.

    Dates as text compare rightly when they are written alike, year first (ISO 8601).
    """

    numbers: tuple[str, ...]
    """The names of `NUMBERS` that all of them fit."""
    some: bool
    """Whether there is one."""

    @classmethod
    def of(cls, values: pl.Series) -> Field:
        """Of values as text."""
        fits = (
            name
            for name, kind in NUMBERS.items()
            if values.cast(kind, strict=False).null_count() == values.null_count()
        )
        return cls(tuple(fits), values.null_count() < len(values))

    @classmethod
    def all(cls, parts: Iterable[Field], policy: Policy) -> Field:
        """Of all documents, by those of their parts.

        Raises:
            ConfigError: none has a value.
        """
        whole = cls.merged(parts)
        if not whole.some:
            name = policy.field
            message = f"`keep`: earliest:{name}: no document has a field {name!r}; name a field of your rows"
            raise ConfigError(message, field="keep")
        return whole

    @classmethod
    def merged(cls, parts: Iterable[Field]) -> Field:
        """Of some documents, by those of their parts."""
        return reduce(cls._with, parts, cls(tuple(NUMBERS), some=False))

    def _with(self, other: Field) -> Field:
        return Field(tuple(name for name in self.numbers if name in other.numbers), self.some or other.some)

    def cast(self, values: pl.Series) -> pl.Series:
        """Values as they are to be ranked."""
        kinds: list[Any] = [NUMBERS[name] for name in self.numbers]
        return values.cast(kinds[0]) if kinds else values


@dataclass(frozen=True)
class RankedShard:
    """Where the documents of a shard are, and their signals where a policy ranks by one."""

    documents: Path
    signals: Path | None

    def identity(self) -> pl.DataFrame:
        """A row a document: what ties are decided by."""
        return read_parquet(self.documents, columns=IDENTITY)

    def values(self, policy: Policy) -> pl.Series | None:
        """What a policy ranks them by, where that is a signal or a field, which is text here.

        Raises:
            ConfigError: the field has no name that can be asked for.
        """
        if policy.signal and self.signals:
            return read_parquet(self.signals, columns=[policy.signal]).to_series()
        if not policy.field:
            return None
        metas = read_parquet(self.documents, columns=["meta"])["meta"]
        try:
            return metas.str.json_path_match(f"$[{policy.field!r}]")
        except pl.exceptions.ComputeError:
            message = f"`keep`: earliest:{policy.field}: not the name of a field; use letters, digits, `_` and `-`"
            raise ConfigError(message, field="keep") from None


def with_values(identity: pl.DataFrame, values: pl.Series | None, policy: Policy) -> pl.DataFrame:
    """Documents as a policy ranks them: a field of the rows may have the name of what ties are decided by."""
    if values is None:
        return identity
    ties = identity.drop("n_bytes", policy.field, strict=False) if policy.field else identity
    return ties.with_columns(values.alias(policy.column))


def ranked_shards(view: View, policy: Policy, *, of: str) -> list[RankedShard]:
    """The shards of a text version, ready to be ranked.

    Raises:
        WorkspaceError: there are no documents.
        ConfigError: no document has one of the policy's sources.
    """
    corpus: Corpus = view.open(Documents, of)
    known = corpus.sources if policy.sources else []
    if unknown := [source for source in policy.sources if source not in known]:
        raise ConfigError(f"`keep`: {policy}: {nearest(unknown[0], known, what='source')}", field="keep")
    signals = view.open(Signals).files if policy.signal else [None] * len(corpus.sizes)
    return [RankedShard(*paths) for paths in zip(corpus.shards, signals, strict=True)]


def ranked_documents(view: View, policy: Policy, *, of: str) -> pl.DataFrame:
    """All documents of a text version, with the column of the policy; `longest` counts its own.

    Raises:
        ConfigError: no document has the field, or the source.
    """
    shards = ranked_shards(view, policy, of=of)
    identity, each = pl.concat(shard.identity() for shard in shards), [shard.values(policy) for shard in shards]
    found = [values for values in each if values is not None]
    values = pl.concat(found) if found else None
    if policy.field and values is not None:
        values = Field.all(map(Field.of, found), policy).cast(values)
    return with_values(identity, values, policy)
