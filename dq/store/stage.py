"""The commit protocol: a stage writes its files, then its record, last. Without the record the output does not exist.

A record holds what the output was made from: the stage's name and version, its configuration, and the fingerprints of
its inputs. The same fingerprint means there is nothing to do. A stage that was killed leaves ``started.json`` with its
fingerprint; the next attempt with the same one keeps the shard files that are whole (each is written atomically) and
does the rest, any other attempt starts from an empty folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dq.config import canonical_json, fingerprint
from dq.errors import WorkspaceError
from dq.store.files import read_json, remove_partials, write_json_atomic

RECORD = "stage.json"
STARTED = "started.json"


@dataclass(frozen=True)
class StageRecord:
    """What a finished output was made from, and a small summary of what is in it."""

    stage: str
    version: int
    fingerprint: str
    inputs: Mapping[str, str]
    config: Any
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage's output folder and the fingerprint that decides whether it is done.

    Args:
        name: the stage, as in the log and in errors.
        version: raised when the meaning or format of its output changes.
        folder: where its files go; nothing else writes there.
        config: its configuration (JSON-able).
        inputs: fingerprints of what it reads, by name.
    """

    name: str
    version: int
    folder: Path
    config: Any = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the output: stage, version, configuration, inputs."""
        return fingerprint([self.name, self.version, self.config, dict(self.inputs)])

    def done(self) -> StageRecord | None:
        """The record, if a finished output with this fingerprint is there."""
        if not (self.folder / RECORD).exists():
            return None
        record = read_record(self.folder)
        return record if record.fingerprint == self.fingerprint else None

    def start(self, *, keep: Collection[str] = ()) -> bool:
        """Make the folder ready to write. True where an interrupted attempt of the same stage goes on.

        Args:
            keep: what a former stage left under these names stays: parts that say themselves what they were made from.
        """
        started = self.folder / STARTED
        resumed = started.exists() and read_json(started) == {"fingerprint": self.fingerprint}
        # The record goes first: killed while the files go, the folder must not look finished.
        (self.folder / RECORD).unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in [] if resumed else list(self.folder.iterdir()):
            if path.name in keep:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        remove_partials(self.folder)
        write_json_atomic(started, {"fingerprint": self.fingerprint})
        return resumed

    def commit(self, summary: Mapping[str, Any] | None = None) -> StageRecord:
        """Declare the output finished."""
        record = StageRecord(
            stage=self.name,
            version=self.version,
            fingerprint=self.fingerprint,
            inputs=dict(self.inputs),
            config=json.loads(canonical_json(self.config)),  # plain data, models included
            summary=dict(summary or {}),
        )
        write_json_atomic(self.folder / RECORD, vars(record))
        (self.folder / STARTED).unlink(missing_ok=True)
        return record


def read_record(folder: Path) -> StageRecord:
    """The record of a finished stage.

    Raises:
        WorkspaceError: the stage has not finished.
    """
    if not (folder / RECORD).exists():
        raise WorkspaceError(f"{folder}: not finished; run `dq run`, or the `dq dedup` that began it, to its end first")
    content = read_json(folder / RECORD)
    try:
        return StageRecord(**content)
    except TypeError:
        raise WorkspaceError(f"{folder / RECORD}: not a stage record; delete {folder} and run again") from None
