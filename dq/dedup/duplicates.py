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

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, U8, U64, Array
from dq.config import canonical_json
from dq.dedup.bands import Bands
from dq.dedup.config import DedupConfig
from dq.errors import WorkspaceError
from dq.store import read_json, read_parquet, write_bytes_atomic
from dq.store.arrays import release_pages, save_array
from dq.store.files import replacing

FORMAT_VERSION = 2
RECORD = "record.json"
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

    @classmethod
    def read(cls, folder: Path) -> LargeBuckets:
        """Read the arrays; shingles and digests stay on disk until they are used."""
        paths = {name: cls.path(folder, name) for name in cls.__dataclass_fields__}
        return cls(**{name: np.load(path, mmap_mode="r" if name in _ON_DISK else None) for name, path in paths.items()})


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
    first_copy: I64
    """int64 (documents,), the first document with the same shingles (itself for most), -1 without any."""
    first_text: I64
    """int64 (documents and frozen ones,), the first document with the same canonical text: of an exact copy."""
    visible: I64
    """int64 (documents,), visible characters without repeats, of what may have a duplicate: `longest` goes by them."""
    buckets: LargeBuckets
    """The large ones."""
    frozen: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FROZEN_SCHEMA))
    """DataFrame document: int64, id, source: str, first_text: int64: earlier documents from an index. They are always
    kept, take the document numbers from ``documents`` on, and appear in pairs and buckets only."""

    @property
    def documents(self) -> int:
        """Number of documents, those of an index not counted."""
        return self.counts.documents

    def write(self, folder: Path) -> None:
        """Write everything to ``folder``; the record comes last."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        numbers = np.arange(self.documents)
        copies = np.flatnonzero((self.first_copy >= 0) & (self.first_copy != numbers))
        measured = np.flatnonzero(self.visible)
        tables = {
            "pairs": self.pairs,
            "copies": pl.DataFrame(
                {
                    "document": copies,
                    "first_copy": self.first_copy[copies],
                    "first_text": self.first_text[copies],
                }
            ),
            "visible": pl.DataFrame({"document": measured, "characters": self.visible[measured]}),
            "empty": pl.DataFrame({"document": np.flatnonzero(self.first_copy < 0)}),
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
        if not (folder / RECORD).exists():
            raise WorkspaceError(f"{folder}: no finished deduplication here; run it (again) first")
        record = read_json(folder / RECORD)
        if record.get("version") != FORMAT_VERSION:
            raise WorkspaceError(f"{folder}: made by another version of dq; delete the folder and run again")
        counts = Counts(**record["counts"])
        first_copy = np.arange(counts.documents)
        copies = read_parquet(folder / "copies.parquet")
        first_copy[copies["document"].to_numpy()] = copies["first_copy"].to_numpy()
        first_copy[read_parquet(folder / "empty.parquet")["document"].to_numpy()] = -1
        frozen, measured = read_parquet(folder / "frozen.parquet"), read_parquet(folder / "visible.parquet")
        first_text = np.concatenate([np.arange(counts.documents), frozen["first_text"].to_numpy()])
        first_text[copies["document"].to_numpy()] = copies["first_text"].to_numpy()
        visible = np.zeros(counts.documents, np.int64)
        visible[measured["document"].to_numpy()] = measured["characters"].to_numpy()
        return cls(
            DedupConfig.model_validate(record["config"]),
            Bands(**record["bands"]),
            counts,
            read_parquet(folder / "pairs.parquet"),
            first_copy,
            first_text,
            visible,
            LargeBuckets.read(folder),
            frozen,
        )
