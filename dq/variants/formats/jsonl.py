"""Lines of JSON, a piece a line."""

from __future__ import annotations

from pathlib import Path

from dq.executors import Step
from dq.store.files import replacing
from dq.variants.exported import Exported, shard_path


def write_jsonl(exported: Exported, folder: Path, step: Step) -> None:
    """``00000.jsonl`` and so on."""
    for number, (first, end) in enumerate(exported.shards()):
        path = shard_path(folder, number, ".jsonl")
        if path.exists():
            step.advance(int(exported.bounds[end] - exported.bounds[first]))
            continue
        with replacing(path) as temporary, temporary.open("wb") as file:
            for chunk in exported.chunks(first, end):
                file.write(exported.table(chunk).write_ndjson().encode())
                step.advance(len(chunk.tokens))
