"""Final losses as dense arrays: one checked layout of seeds x documents a held-out set.

A paired comparison is only as good as its pairing, so everything that would break it silently is an error here: a seed
without its partner, another document, other bytes, a duplicate row, a loss that is not a number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dq.errors import CompareError

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

LOSS_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "variant": pl.String,
    "seed": pl.Int64,
    "set": pl.String,
    "document": pl.String,
    "n_bytes": pl.Int64,
    "loss_nats": pl.Float64,
}
RUN_KEY = ["variant", "seed", "set"]


@dataclass(frozen=True, kw_only=True)
class LossTable:
    """Losses of every run on every held-out set, documents in one fixed order.

    ``losses_bits`` maps (variant, seed, set) to float64 of shape (n,); ``bytes_of_set`` maps a set to float64 of shape
    (n,), the UTF-8 bytes scored of the same n documents.
    """

    losses_bits: dict[tuple[str, int, str], FloatArray]
    bytes_of_set: dict[str, FloatArray]

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant, sorted."""
        return tuple(sorted({variant for variant, _, _ in self.losses_bits}))

    @property
    def sets(self) -> tuple[str, ...]:
        """Every held-out set, sorted."""
        return tuple(sorted(self.bytes_of_set))

    def seeds(self, variant: str) -> tuple[int, ...]:
        """The seeds of a variant, sorted."""
        found = tuple(sorted({seed for name, seed, _ in self.losses_bits if name == variant}))
        if not found:
            raise CompareError(f"no losses of variant {variant!r}; the table has {', '.join(self.variants)}")
        return found

    def run(self, variant: str, seed: int, held_out: str) -> FloatArray:
        """Losses in bits, float64 of shape (n,), of one run on one held-out set."""
        found = self.losses_bits.get((variant, seed, held_out))
        if found is None:
            raise CompareError(
                f"variant {variant!r}, seed {seed} has no losses on set {held_out!r}; "
                "evaluate every run of a study on the same held-out sets"
            )
        return found

    def arm(self, variant: str, *, seeds: Sequence[int], sets: Sequence[str]) -> FloatArray:
        """Losses in bits, float64 of shape (len(seeds), documents of all sets), sets one after another."""
        arm = np.stack([np.concatenate([self.run(variant, seed, name) for name in sets]) for seed in seeds])
        for row, seed in enumerate(seeds):
            for earlier in range(row):
                if np.array_equal(arm[row], arm[earlier]):
                    raise CompareError(
                        f"variant {variant!r}: seeds {seeds[earlier]} and {seed} have the same loss on every document; "
                        "the seed did not reach the run, or one run is counted twice"
                    )
        return arm

    def bytes_per_document(self, sets: Sequence[str]) -> FloatArray:
        """UTF-8 bytes, float64 of shape (documents of all sets,), sets one after another."""
        return np.concatenate([self.bytes_of_set[name] for name in sets])

    def n_documents(self, sets: Sequence[str]) -> tuple[int, ...]:
        """The number of documents of each set."""
        return tuple(len(self.bytes_of_set[name]) for name in sets)

    def only(self, variants: Collection[str], *, n_seeds: int | None = None) -> LossTable:
        """The same table with some variants, and of each its first seeds."""
        seeds = {variant: self.seeds(variant)[:n_seeds] for variant in variants}
        kept = {key: bits for key, bits in self.losses_bits.items() if key[1] in seeds.get(key[0], ())}
        return LossTable(losses_bits=kept, bytes_of_set=self.bytes_of_set)

    def check_sets(self, sets: Sequence[str]) -> None:
        """Every set is in the table, and is named once."""
        if not sets or len(set(sets)) != len(sets):
            raise CompareError(f"the sets to compare on must be named, each once; got {list(sets)}")
        if unknown := sorted(set(sets) - set(self.bytes_of_set)):
            raise CompareError(f"no losses on set {unknown[0]!r}; the table has {', '.join(self.sets)}")

    @classmethod
    def read(cls, losses: pl.DataFrame) -> LossTable:
        """Check a table of final losses and lay it out.

        Args:
            losses: one row per variant, seed, held-out set and document: ``variant`` str, ``seed`` int, ``set`` str,
                ``document`` str, ``n_bytes`` int (UTF-8 bytes scored), ``loss_nats`` float (summed over the tokens of
                the document). Row order has no meaning; other columns are ignored.

        Raises:
            CompareError: a column is missing, a value is not usable, a row is doubled, or runs were not scored on the
                same documents and bytes.
        """
        table = check_columns(losses, LOSS_COLUMNS, what="the table of final losses")
        _check_values(table)
        ordered = table.sort(*RUN_KEY, "document")
        runs = {
            (str(key[0]), int(key[1]), str(key[2])): rows
            for key, rows in ordered.partition_by(RUN_KEY, as_dict=True, maintain_order=True).items()
        }
        return cls(
            losses_bits={
                key: rows["loss_nats"].to_numpy().astype(np.float64) / math.log(2) for key, rows in runs.items()
            },
            bytes_of_set=_common_bytes(runs),
        )


def check_columns(
    table: pl.DataFrame, columns: dict[str, type[pl.DataType] | pl.DataType], *, what: str
) -> pl.DataFrame:
    """The named columns cast to their types, without nulls and with at least one row."""
    if missing := [name for name in columns if name not in table.columns]:
        raise CompareError(f"{what} has no column {missing[0]!r}; it needs {', '.join(columns)}")
    if table.is_empty():
        raise CompareError(f"{what} is empty; nothing has been evaluated yet")
    try:
        chosen = table.select(pl.col(name).cast(kind) for name, kind in columns.items())
    except pl.exceptions.PolarsError as error:
        raise CompareError(f"{what} has a column of the wrong type: {str(error).splitlines()[0]}") from None
    for name in columns:
        if chosen[name].null_count():
            raise CompareError(f"{what} has {chosen[name].null_count()} missing values in column {name!r}")
    return chosen


def _check_values(table: pl.DataFrame) -> None:
    loss = pl.col("loss_nats")
    faults = {
        "a loss that is not a finite number (did the run diverge? leave it out and say so)": ~loss.is_finite(),
        "a negative loss": loss < 0,
        "no scored bytes": pl.col("n_bytes") <= 0,
        "more than one row": pl.struct(*RUN_KEY, "document").is_duplicated(),
    }
    for fault, condition in faults.items():
        bad = table.filter(condition)
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise CompareError(
                f"variant {row['variant']!r}, seed {row['seed']}, set {row['set']!r}, document {row['document']!r} "
                f"has {fault}; {bad.height} such rows"
            )


def _common_bytes(runs: dict[tuple[str, int, str], pl.DataFrame]) -> dict[str, FloatArray]:
    """Bytes of each set's documents, after a check that all runs were scored on the same ones."""
    reference: dict[str, tuple[tuple[str, int, str], pl.DataFrame]] = {}
    for key, rows in runs.items():
        first_key, first = reference.setdefault(key[2], (key, rows))
        if rows["document"].equals(first["document"]) and rows["n_bytes"].equals(first["n_bytes"]):
            continue
        raise CompareError(
            f"set {key[2]!r}: variant {key[0]!r}, seed {key[1]} was scored on other {_what_differs(rows, first)} than "
            f"variant {first_key[0]!r}, seed {first_key[1]}; evaluate every run on the same held-out documents"
        )
    return {name: rows["n_bytes"].to_numpy().astype(np.float64) for name, (_, rows) in reference.items()}


def _what_differs(rows: pl.DataFrame, first: pl.DataFrame) -> str:
    one, other = set(rows["document"]), set(first["document"])
    if one != other:
        return f"documents ({len(other - one)} missing, {len(one - other)} more, such as {min(one ^ other)!r})"
    different = rows.filter(rows["n_bytes"] != first["n_bytes"])["document"]
    return f"bytes ({len(different)} documents, such as {different[0]!r})"
