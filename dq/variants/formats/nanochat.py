"""nanochat's corpus: Parquet files of a column ``text``; it trains on all but the last one, and validates on that.

The last one has the neutral held-out sets, which no variant has seen; where there are none, all held-out sets.
"""

from __future__ import annotations

from pathlib import Path

from dq.executors import Step
from dq.variants.exported import Exported, shard_path
from dq.variants.formats.parquet import write_groups, write_shards


def write_nanochat(exported: Exported, folder: Path, step: Step) -> None:
    """``00000.parquet`` and so on; it sorts them by name."""
    files = write_shards(exported, folder, step, columns=["text"])
    sets = exported.validation_sets
    write_groups(shard_path(folder, files, ".parquet"), (exported.heldout.documents(one)[["text"]] for one in sets))
