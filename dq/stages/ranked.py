"""Documents with the column that a policy ranks them by.

Policies beyond length and source need one: ``best:SIGNAL`` takes it from the signals, ``earliest:FIELD`` from the field
of the rows as they were read.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.arrays import I64
from dq.corpus.corpus import IDENTITY
from dq.dedup import Policy
from dq.errors import ConfigError, nearest
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals


def ranked_documents(view: View, policy: Policy, *, of: str, rows: I64 | None = None) -> pl.DataFrame:
    """Documents of a text version, with the column of the policy; `longest` counts its own.

    Args:
        view: of the workspace.
        policy: that ranks them.
        of: the version.
        rows: numbers of documents, ascending. Default: all.

    Raises:
        ConfigError: no document has the field, or the source.
    """
    corpus = view.open(Documents, of)
    rows = np.arange(corpus.count) if rows is None else rows
    documents = corpus.rows(rows, IDENTITY)
    if policy.signal:
        signals, names = view.open(Signals), [policy.signal]
        frames = [signals.of_shard(shard, names)[within] for shard, within in corpus.by_shard(rows)]
        return documents.hstack(pl.concat([signals.of_shard(0, names).clear(), *frames]))
    known = corpus.sources
    if unknown := [source for source in policy.sources if source not in known]:
        raise ConfigError(f"`keep`: {policy}: {nearest(unknown[0], known, what='source')}", field="keep")
    if policy.field:
        ties = documents.select("content_key", id="id", source="source")
        values = _field(corpus, policy.field, rows).alias(policy.field)
        return ties.drop(policy.field, strict=False).with_columns(values)
    return documents


def _field(corpus: Documents, name: str, rows: I64) -> pl.Series:
    """A field of some rows beside text, id and source: numbers where every value of the corpus is one, else text.

    Dates as text compare rightly when they are written alike, year first (ISO 8601).
    """
    path, kinds, some, found = f"$[{name!r}]", [pl.Int64, pl.Float64], False, [pl.Series([], dtype=pl.String)]
    cuts = np.searchsorted(rows, firsts := corpus.first_documents)
    for shard in range(len(corpus.shards)):
        try:
            values = corpus.of_shard(shard, ["meta"])["meta"].str.json_path_match(path)
        except pl.exceptions.ComputeError:
            message = f"`keep`: earliest:{name}: not the name of a field; use letters, digits, `_` and `-`"
            raise ConfigError(message, field="keep") from None
        kinds = [kind for kind in kinds if values.cast(kind, strict=False).null_count() == values.null_count()]
        some |= values.null_count() < len(values)
        found.append(values[rows[cuts[shard] : cuts[shard + 1]] - firsts[shard]])
    if not some:
        message = f"`keep`: earliest:{name}: no document has a field {name!r}; name a field of your rows"
        raise ConfigError(message, field="keep")
    whole: pl.Series = pl.concat(found)
    return whole.cast(kinds[0]) if kinds else whole
