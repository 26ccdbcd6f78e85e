"""A guard against silent mass deletion: no source may lose more than a stated share of its documents unasked.

Why: DCLM removed 98 % of 505 GiB and Marin 859,092 documents down to 2 before anyone looked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from dq.dedup.selection import Selection
from dq.errors import InputError, listed

EXAMPLES = 3


def removal_by_source(
    selection: Selection, sources: pl.Series, *, others: Mapping[str, int] | None = None
) -> pl.DataFrame:
    """DataFrame source, eligible, removed (documents), removed_fraction; the greatest loss first.

    ``others`` are eligible documents of each source that are not in the selection, none of which is removed.
    """
    frame = pl.DataFrame({"source": sources, "eligible": selection.kept_index >= 0, "removed": selection.removed})
    more = pl.DataFrame([*(others or {}).items()], schema={"source": pl.String, "eligible": pl.Int64}, orient="row")
    each = [frame.cast({"eligible": pl.Int64, "removed": pl.Int64}), more.with_columns(removed=pl.lit(0, pl.Int64))]
    totals = pl.concat(each).group_by("source").agg(pl.col("eligible").sum(), pl.col("removed").sum())
    share = pl.when(pl.col("eligible") > 0).then(pl.col("removed") / pl.col("eligible")).otherwise(0.0)
    return totals.with_columns(removed_fraction=share).sort(["removed_fraction", "source"], descending=[True, False])


def guard_removal(
    selection: Selection,
    documents: pl.DataFrame,
    *,
    max_removed_fraction: float = 0.5,
    allowed: Collection[str] = (),
    others: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Stop where a source loses too much.

    Args:
        selection: what was kept.
        documents: one row per document with ``source`` and ``id``.
        max_removed_fraction: of a source's eligible documents; more than that stops.
        allowed: sources that may lose any share.
        others: eligible documents of each source beside these, none of which is removed.

    Returns:
        The table of :func:`removal_by_source`.

    Raises:
        InputError: a source that is not allowed to loses more; names it, gives examples and the field that allows it.
    """
    table = removal_by_source(selection, documents["source"], others=others)
    beyond = table.filter((pl.col("removed_fraction") > max_removed_fraction) & ~pl.col("source").is_in(list(allowed)))
    if beyond.height == 0:
        return table
    worst = beyond.row(0, named=True)
    removed = selection.table()
    removed = removed.filter(documents["source"].gather(removed["document"]) == worst["source"])
    named = [_example(documents, row) for row in removed.head(EXAMPLES).iter_rows(named=True)]
    and_more = f" (and {beyond.height - 1:,} more sources)" if beyond.height > 1 else ""
    remedy = f"name it in `allow_removal`: {listed([*beyond['source']])}"
    if beyond.height > 1:
        remedy = f"permit every source a larger share, or {remedy.replace(' it ', ' them ', 1)}"
    raise InputError(
        f"source {worst['source']}{and_more}: {worst['removed']:,} of {worst['eligible']:,} documents "
        f"({worst['removed_fraction']:.0%}) would be removed as duplicates, more than {max_removed_fraction:.0%}; "
        f"for example {'; '.join(named)}. If that is right, {remedy}",
        field="allow_removal",
    )


def _example(documents: pl.DataFrame, row: dict[str, Any]) -> str:
    number = row["kept_index"]
    kept = documents["id"][number] if number < documents.height else "a document of the index"
    return f"{documents['id'][row['document']]} (similarity {row['similarity']:.3f} to {kept})"
