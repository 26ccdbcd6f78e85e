"""How stages hang together: what an output is made from, and that no output is opened beside another one's maker.

A stage is a file of this package: an `Output`, which says where it is, which stages write it and what it *needs*, and
the function that makes it. Fingerprints are taken from what is needed, never wired by hand. Whoever opens an output
(`View.open`) walks down what it was made from: a job that was killed between two stages, or whose input has changed,
leaves outputs that do not belong together, and these are refused with the stage that is to be run again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from pydantic import ValidationError

from dq.config import StrictModel
from dq.errors import WorkspaceError
from dq.store import Stage, StageRecord, Workspace, check_files, read_record

ORIGINAL = "original"
"""The text version that is read; cleaners make others of it, under the same ids."""


class TextVersions(StrictModel):
    """Which version of the text is used for what; all have the same documents in the same order."""

    judged: str = ORIGINAL
    """Signals and rules."""
    deduplicated: str = ORIGINAL
    """Signatures and pairs."""
    trained: str = ORIGINAL
    """The tokenizer and the tokens."""

    def version(self, of: str) -> str:
        """The version of a role, such as ``judged``; what is no role is a version's own name."""
        return str(getattr(self, of)) if of in type(self).model_fields else of or ORIGINAL


@dataclass(frozen=True)
class Need:
    """An output that another one is made from."""

    output: type[Output]
    of: str = ""
    """Which one, where a workspace has several: the role or name of a text version, the name of a neutral set."""


class Output(ABC):
    """What a finished stage left in its folder. A subclass adds what is in it, read when it is asked for.

    ``made_by`` names the stages that write it, each with the version of what it writes, which is raised when the
    meaning or the format changes: older outputs are then made again.
    """

    made_by: ClassVar[Mapping[str, int]]
    needs: ClassVar[Mapping[str, Need]] = {}
    """What it is made from, by the names in its record; a stage may use some of them only."""
    outside: ClassVar[Collection[str]] = ()
    """Names in its record of what is not of the workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_record(folder)

    @classmethod
    @abstractmethod
    def place(cls, view: View, of: str, /) -> Path:
        """Its folder; ``of`` says which one, where a workspace has several."""

    @classmethod
    def need(cls, name: str, config: Any) -> Need | None:
        """What an input of a record is; None where it is not of the workspace. Raises KeyError for unknown names.

        Args:
            name: of the input.
            config: of the stage, as its record has it.
        """
        del config
        return None if name in cls.outside else cls.needs[name]


Opened = TypeVar("Opened", bound=Output)


@dataclass(frozen=True)
class View:
    """A workspace as one job sees it: with the text versions that it judges, deduplicates and trains on."""

    workspace: Workspace
    texts: TextVersions = field(default_factory=TextVersions)
    replaces: bool = True
    """Whether a stage may be made again where another input or other settings have made it."""
    _opened: dict[Path, Output] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What has been opened and is still what is there: tables of all documents are read once."""

    @classmethod
    def of(cls, workspace: Workspace) -> View:
        """The view of the job that finished last, whose versions the record of its fates holds."""
        folder = workspace.existing().fates()
        if not (folder / "stage.json").exists():
            return cls(workspace)
        try:
            return cls(workspace, TextVersions.model_validate(read_record(folder).config["texts"]))
        except (KeyError, TypeError, ValidationError):
            _refuse(folder)

    def open(self, output: type[Opened], of: str = "") -> Opened:
        """Open an output, and check everything that it was made from.

        Raises:
            WorkspaceError: it has not finished, or was made from something else than what is there.
        """
        record, folder = self.record(output, of), output.place(self, of)
        known = self._opened.get(folder)
        if not isinstance(known, output) or known.record.fingerprint != record.fingerprint:
            check_files(folder, record)
            try:
                known = self._opened[folder] = output(folder)
            except (KeyError, TypeError, ValueError):  # of a summary
                _refuse(folder)
        return known

    def record(self, output: type[Output], of: str = "") -> StageRecord:
        """The checked record of an output; raises as `open` does."""
        return self._check(output, of, {})

    def _check(self, output: type[Output], of: str, checked: dict[Path, StageRecord | None]) -> StageRecord:
        """Check a record and all below it, each once; a folder without one yet is being checked above this one."""
        folder = output.place(self, of)
        if folder in checked:
            return checked[folder] or _refuse(folder)
        checked[folder] = None
        record = read_record(folder)
        if output.made_by.get(record.stage) != record.version:
            raise WorkspaceError(f"{folder}: made by another version of dq; run the job again (stage `{record.stage}`)")
        try:
            needed = {name: output.need(name, record.config) for name in record.inputs}
        except (KeyError, TypeError):
            _refuse(folder)
        # All of them first: of several stale outputs the lowest is named.
        below = {name: self._check(need.output, need.of, checked) for name, need in needed.items() if need is not None}
        for name, found in below.items():
            if found.fingerprint != record.inputs[name]:
                raise WorkspaceError(
                    f"{folder}: made from another `{name}` than the one that is there now: the job was interrupted, or "
                    f"had other settings; run the job again (stage `{record.stage}`)"
                )
        checked[folder] = record
        return record

    def stage(
        self,
        output: type[Output],
        *,
        config: Any = None,
        of: str = "",
        uses: Collection[str] | None = None,
        others: Mapping[str, str] | None = None,
        name: str = "",
    ) -> Stage:
        """The stage that makes an output, with the fingerprints of what it is made from.

        Args:
            output: what it makes.
            config: of the stage.
            of: which one it makes.
            uses: names of what it is made from; default all that the output needs.
            others: fingerprints of inputs by names that are not among the needs.
            name: of the stage, where several make this output.
        """
        name = name or next(iter(output.made_by))
        needed = {one: output.needs[one] for one in (output.needs if uses is None else uses)}
        inputs = {one: self.record(need.output, need.of).fingerprint for one, need in needed.items()}
        inputs |= others or {}
        stage = Stage(name, output.made_by[name], output.place(self, of), config=config, inputs=inputs)
        return stage if self.replaces else unreplaced(stage)


def unreplaced(stage: Stage) -> Stage:
    """The stage, unless it has been made from something else.

    Raises:
        WorkspaceError: what is there would be replaced.
    """
    if stage.done() is None and (stage.folder / "stage.json").exists():
        raise WorkspaceError(
            f"{stage.folder}: made of other inputs or settings; name another folder, or replace it: `overwrite`",
            field="overwrite",
        )
    return stage


def _refuse(folder: Path) -> NoReturn:
    raise WorkspaceError(f"{folder / 'stage.json'}: not a record of this stage; delete {folder} and run the job again")
