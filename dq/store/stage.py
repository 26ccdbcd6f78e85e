"""The commit protocol: a stage writes its files, then its record, last. Without the record the output does not exist.

A record holds what the output was made from: the stage's name and version, its configuration, and the fingerprints of
its inputs. The same fingerprint means there is nothing to do. A stage that was killed leaves ``started.json`` with its
fingerprint; the next attempt with the same one keeps the shard files that are whole (each is written atomically) and
does the rest, any other attempt starts from an empty folder. What is not dq's own in that folder is never deleted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dq.config import canonical_json, fingerprint
from dq.errors import WorkspaceError
from dq.store.contents import RECORD, STARTED, check, clear, listing, refuse_foreign, refuse_links, sweep
from dq.store.files import local, read_json, write_json_atomic


@dataclass(frozen=True)
class StageRecord:
    """What a finished output was made from, and a small summary of what is in it."""

    stage: str
    version: int
    fingerprint: str
    inputs: Mapping[str, str]
    config: Any
    summary: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    """Digests of its files; none in records of older versions."""


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

    def __post_init__(self) -> None:
        local(self.folder)

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
        refuse_links(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        resumed = self.begun() == self.fingerprint
        if not resumed:
            listed = _listed(self.folder)
            refuse_foreign(self.folder, listed=listed)
            # Nobody goes on with what is left of it, killed while the old files go.
            write_json_atomic(self.folder / STARTED, {"stage": self.name, "fingerprint": ""})
            clear(self.folder, listed=listed, keep=keep)
        sweep(self.folder)
        write_json_atomic(self.folder / STARTED, {"stage": self.name, "fingerprint": self.fingerprint})
        return resumed

    def begun(self) -> str | None:
        """The fingerprint of what has begun in the folder and has not finished."""
        started = self.folder / STARTED
        if (self.folder / RECORD).exists() or not started.exists():
            return None
        try:
            return str(read_json(started).get("fingerprint"))
        except WorkspaceError:  # says nothing: as that of another attempt
            return ""

    def commit(self, summary: Mapping[str, Any] | None = None) -> StageRecord:
        """Declare the output finished."""
        record = StageRecord(
            stage=self.name,
            version=self.version,
            fingerprint=self.fingerprint,
            inputs=dict(self.inputs),
            config=json.loads(canonical_json(self.config)),  # plain data, models included
            summary=dict(summary or {}),
            files=listing(self.folder),
        )
        write_json_atomic(self.folder / RECORD, vars(record))
        (self.folder / STARTED).unlink(missing_ok=True)
        return record


def relist(folder: Path, files: Mapping[str, str]) -> None:
    """Say of a finished output that these are its files: one that nothing is made from has been written anew."""
    write_json_atomic(folder / RECORD, vars(replace(read_record(folder), files=dict(sorted(files.items())))))


def read_record(folder: Path) -> StageRecord:
    """The record of a finished stage.

    Raises:
        WorkspaceError: the stage has not finished.
    """
    if not (folder / RECORD).exists():
        raise WorkspaceError(f"{folder}: not finished; run `dq run`, or the `dq dedup` that began it, to its end first")
    try:
        record = StageRecord(**read_json(folder / RECORD))
        kinds = (record.stage, str), (record.version, int), (record.fingerprint, str)
        tables = (record.inputs, dict), (record.summary, dict), (record.files, dict)
        if all(isinstance(value, kind) for value, kind in (*kinds, *tables)):
            return record
    except TypeError:
        pass
    raise WorkspaceError(f"{folder / RECORD}: not a stage record; delete {folder} and run again")


def check_files(folder: Path, record: StageRecord) -> None:
    """Refuse a finished stage whose files are not as it left them.

    Raises:
        WorkspaceError: which file, and what to do.
    """
    check(folder, record.files, stage=record.stage)


def _listed(folder: Path) -> Mapping[str, str] | None:
    """The files of a finished stage; None where none has finished, or its record does not say."""
    try:
        return read_record(folder).files or None
    except WorkspaceError:
        return None
