"""What deduplication found in a corpus: copies, verified pairs, large buckets. Not yet what is kept.

    pairs.parquet       left, right (document numbers), intersection, union (shingles), similarity
    copies.parquet      document, first_copy, first_text: documents whose shingles equal those of an earlier document,
                        and the first document with their very text
    empty.parquet       document: documents of white space alone, which match nothing
    frozen.parquet      document, id, source, first_text: documents of the index that were met; after all others
    visible.parquet     document, characters: visible ones, repeats left out, of what may have a duplicate
    buckets/*.npy       members of band buckets above ``max_bucket``, with their shingles and digests: selection
                        verifies them against the documents it keeps
    record.json         configuration, bands and counts; written last: without it the folder holds nothing

A document number is the row of the document in all shards, one after another. Pairs are between first copies.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, U8, U64, Array, distinct, offsets_of
from dq.config import canonical_json
from dq.dedup.bands import Bands
from dq.dedup.config import DedupConfig
from dq.errors import WorkspaceError
from dq.store import read_json, read_parquet, write_bytes_atomic
from dq.store.arrays import load_array, release_pages, save_array, save_parts
from dq.store.files import replacing

FORMAT_VERSION = 2
RECORD = "record.json"
MEMBERS_AT_A_TIME = 64  # of large buckets: their shingles are held
_ON_DISK = ("shingles", "digests")
FROZEN_SCHEMA = {"document": pl.Int64, "id": pl.String, "source": pl.String, "first_text": pl.Int64}


@dataclass(frozen=True)
class LargeBuckets:
    """Band buckets with more members than are verified pair by pair."""

    offsets: I64
    """int64 (buckets + 1,), into ``members``."""
    members: I64
    """int64, numbers of rows of the tables below."""
    documents: I64
    """int64 (m,), ascending document number of each row."""
    shingle_offsets: I64
    """int64 (m + 1,), into ``shingles`` (uint64, sorted and unique for each row)."""
    shingles: U64
    """uint64."""
    digests: U8
    """uint8 (m, num_perm), the low byte of each signature value."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def release(self) -> None:
        """Give the pages of what stays on disk back."""
        release_pages(self.shingles)
        release_pages(self.digests)

    @staticmethod
    def path(folder: Path, name: str) -> Path:
        """Where an array of the buckets stands in a folder of duplicates."""
        return folder / "buckets" / f"{name}.npy"

    @classmethod
    def save(cls, folder: Path, **arrays: Array) -> None:
        """Write some or all of the arrays; one that is read from this very folder stays where it is."""
        for name, values in arrays.items():
            path = cls.path(folder, name)
            if not (isinstance(values, np.memmap) and Path(str(values.filename)).resolve() == path.resolve()):
                save_array(path, values)

    def of(self, members: I64, *, folder: Path, name: str) -> LargeBuckets:
        """Those of some members, each of which has all of its buckets among them; large arrays go to files.

        Args:
            members: ascending numbers of rows.
            folder: for the files.
            name: with which theirs begin.
        """
        mine = np.flatnonzero(np.isin(self.members[self.offsets[:-1]], members))
        each = [self.members[self.offsets[one] : self.offsets[one + 1]] for one in mine]
        lengths = self.shingle_offsets[members + 1] - self.shingle_offsets[members]
        some = np.split(members, range(MEMBERS_AT_A_TIME, len(members), MEMBERS_AT_A_TIME))
        paths = {kind: folder / f"{name}.{kind}.npy" for kind in _ON_DISK}
        save_parts(paths["shingles"], (self._shingles_of(part) for part in some), int(lengths.sum()))
        save_parts(paths["digests"], (self.digests[part] for part in some), len(members))
        return LargeBuckets(
            offsets=offsets_of([len(one) for one in each]),
            members=np.searchsorted(members, np.concatenate([np.empty(0, np.int64), *each])),
            documents=self.documents[members],
            shingle_offsets=offsets_of(lengths),
            **{kind: load_array(path, mapped=True) for kind, path in paths.items()},
        )

    def _shingles_of(self, members: I64) -> U64:
        begins, ends = self.shingle_offsets[members], self.shingle_offsets[members + 1]
        found = [self.shingles[begin:end] for begin, end in zip(begins, ends, strict=True)]
        return np.concatenate([np.empty(0, np.uint64), *found])

    @classmethod
    def read(cls, folder: Path, *, mapped: bool = False) -> LargeBuckets:
        """Read the arrays, or map all of them; shingles and digests stay on disk until they are used."""
        paths = {name: cls.path(folder, name) for name in cls.__dataclass_fields__}
        return cls(**{name: load_array(path, mapped=mapped or name in _ON_DISK) for name, path in paths.items()})


@dataclass(frozen=True)
class Counts:
    """How much work it was: nothing that is skipped goes unsaid."""

    documents: int
    empty: int
    """Of white space alone."""
    exact_copies: int
    """Documents with the canonical text of an earlier one."""
    equal_shingles: int
    """Documents with the shingles of an earlier one and another text: near copies of similarity 1."""
    candidate_pairs: int
    skipped_by_signature: int
    verified_pairs: int
    large_buckets: int
    large_bucket_documents: int


@dataclass(frozen=True)
class Duplicates:
    """Copies, verified pairs and large buckets of one corpus under one configuration."""

    config: DedupConfig
    """What counted as duplicate."""
    bands: Bands
    """How candidates were looked for."""
    counts: Counts
    """Documents, candidates, verified pairs and so on."""
    pairs: pl.DataFrame
    """DataFrame left, right, intersection, union: int64, similarity: float64; left < right, sorted."""
    copies: pl.DataFrame
    """DataFrame document, first_copy, first_text: int64, by document: those whose shingles equal those of an earlier
    one, the first such document, and the first with their canonical text."""
    empty: I64
    """int64, ascending: documents without shingles."""
    measured: pl.DataFrame
    """DataFrame document, characters: int64: visible ones without repeats, of what may have a duplicate."""
    buckets: LargeBuckets
    """The large ones."""
    frozen: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FROZEN_SCHEMA))
    """DataFrame document: int64, id, source: str, first_text: int64: earlier documents from an index. They are always
    kept, take the document numbers from ``documents`` on, and appear in pairs and buckets only."""

    @property
    def documents(self) -> int:
        """Number of documents, those of an index not counted."""
        return self.counts.documents

    @property
    def first_copy(self) -> I64:
        """int64 (documents,), the first document with the same shingles (itself for most), -1 without any."""
        found = np.arange(self.documents)
        found[self.copies["document"].to_numpy()] = self.copies["first_copy"].to_numpy()
        found[self.empty] = -1
        return found

    @property
    def first_text(self) -> I64:
        """int64 (documents and frozen ones,), the first document with the same canonical text: of an exact copy."""
        found = np.concatenate([np.arange(self.documents), self.frozen["first_text"].to_numpy()])
        found[self.copies["document"].to_numpy()] = self.copies["first_text"].to_numpy()
        return found

    @property
    def visible(self) -> I64:
        """int64 (documents,), visible characters without repeats, 0 if not measured: `longest` goes by them."""
        found = np.zeros(self.documents, np.int64)
        found[self.measured["document"].to_numpy()] = self.measured["characters"].to_numpy()
        return found

    @cached_property
    def involved(self) -> I64:
        """int64, ascending: the documents in some copy, pair or large bucket. No other is a duplicate of anything."""
        columns = [*self.copies.get_columns(), self.pairs["left"], self.pairs["right"], self.frozen["first_text"]]
        numbers = distinct(np.concatenate([self.buckets.documents, *(column.to_numpy() for column in columns)]))
        return numbers[: np.searchsorted(numbers, self.documents)]

    def among(self, rows: I64) -> Duplicates:
        """The same of these documents alone, all that are involved among them, numbered by their places in ``rows``."""
        frozen = self.frozen["document"].to_numpy()
        numbers = np.concatenate([rows, frozen])

        def anew(table: pl.DataFrame, *names: str) -> pl.DataFrame:
            places = (pl.Series(name, np.searchsorted(numbers, table[name].to_numpy()), pl.Int64) for name in names)
            return table.with_columns(*places)

        measured = self.measured.filter(pl.Series(np.isin(self.measured["document"].to_numpy(), rows)))
        # A text of which no document is here is the first of its kind here.
        first_text = self.frozen["first_text"].to_numpy()
        known = pl.Series("first_text", np.where(np.isin(first_text, numbers), first_text, frozen), pl.Int64)
        return replace(
            self,
            counts=replace(self.counts, documents=len(rows)),
            pairs=anew(self.pairs, "left", "right"),
            copies=anew(self.copies, "document", "first_copy", "first_text"),
            empty=np.searchsorted(rows, self.empty[np.isin(self.empty, rows)]),
            measured=anew(measured, "document"),
            buckets=replace(self.buckets, documents=np.searchsorted(numbers, self.buckets.documents)),
            frozen=anew(self.frozen.with_columns(known), "document", "first_text"),
        )

    def write(self, folder: Path) -> None:
        """Write everything to ``folder``; the record comes last."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        tables = {
            "pairs": self.pairs,
            "copies": self.copies,
            "visible": self.measured,
            "empty": pl.DataFrame({"document": self.empty}),
            "frozen": self.frozen,
        }
        for name, table in tables.items():
            with replacing(folder / f"{name}.parquet") as temporary:
                table.write_parquet(temporary)
        LargeBuckets.save(folder, **vars(self.buckets))
        record = {
            "version": FORMAT_VERSION,
            "config": self.config,
            "bands": asdict(self.bands),
            "counts": asdict(self.counts),
        }
        write_bytes_atomic(folder / RECORD, canonical_json(record).encode())

    @classmethod
    def read(cls, folder: Path) -> Duplicates:
        """Read what :meth:`write` wrote; bucket shingles and digests stay on disk until they are used.

        Raises:
            WorkspaceError: there is no complete result, or one of another version.
        """
        config, bands, counts = read_facts(folder)
        names = ("pairs", "copies", "empty", "visible", "frozen")
        tables = {name: read_parquet(folder / f"{name}.parquet") for name in names}
        return cls(
            config=config,
            bands=bands,
            counts=counts,
            pairs=tables["pairs"],
            copies=tables["copies"],
            empty=tables["empty"]["document"].to_numpy(),
            measured=tables["visible"],
            buckets=LargeBuckets.read(folder),
            frozen=tables["frozen"],
        )


def read_facts(folder: Path) -> tuple[DedupConfig, Bands, Counts]:
    """What is known of the duplicates in a folder without reading them.

    Raises:
        WorkspaceError: as of `Duplicates.read`.
    """
    if not (folder / RECORD).exists():
        raise WorkspaceError(f"{folder}: no finished deduplication here; run it (again) first")
    record = read_json(folder / RECORD)
    if record.get("version") != FORMAT_VERSION:
        raise WorkspaceError(f"{folder}: made by another version of dq; delete the folder and run again")
    config = DedupConfig.model_validate(record["config"])
    return config, Bands(**record["bands"]), Counts(**record["counts"])
