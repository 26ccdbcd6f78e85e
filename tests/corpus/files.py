"""Small real input files, and what dq makes of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.stages.read import ingest

LENIENT = ReadConfig(max_bad_fraction=1.0)


def jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def zstd(content: bytes) -> bytes:
    """One Zstandard frame."""
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def write(path: Path, content: bytes) -> Path:
    """Write bytes, compressed as the name says."""
    if path.name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    elif path.name.endswith(".zst"):
        content = zstd(content)
    path.write_bytes(content)
    return path


def read(path: Path | str | Sequence[Path], folder: Path, *, config: ReadConfig = LENIENT, **spec: Any) -> Corpus:
    """Read input files into a corpus."""
    paths = [path] if isinstance(path, (Path, str)) else path
    return ingest(folder, [InputSpec(path=str(item), **spec) for item in paths], config)


def documents(corpus: Corpus) -> list[dict[str, Any]]:
    """Every document with its text and its meta parsed, in order."""
    frame = pl.concat([pl.read_parquet(shard) for shard in corpus.shards])
    return [{**row, "meta": json.loads(row["meta"])} for row in frame.to_dicts()]


def quarantined(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "quarantined.jsonl").read_bytes().splitlines()]


def parquet_table(columns: Mapping[str, Any]) -> pa.Table:
    return pa.table(dict(columns))


def invalid_strings(values: Sequence[bytes | None], *, large: bool = False) -> pa.Array:
    """A string array whose bytes nobody checked, as other writers leave them."""
    binary = pa.array(values, pa.large_binary() if large else pa.binary())
    return pa.Array.from_buffers(pa.large_string() if large else pa.string(), len(binary), binary.buffers())
