"""A workspace is one local folder; this is the map of it. URLs are inputs and exports, never workspaces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dq.arguments import path
from dq.errors import WorkspaceError
from dq.store.files import local, read_json, write_json_atomic
from dq.store.lock import FolderLock

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _is_ours(path: Path) -> bool:
    """Whether a file of an unmarked folder was left by dq itself, killed before it wrote the marker."""
    return path.name == ".lock" or path.match(".workspace.json.*.partial")


def as_workspace(value: Any) -> Workspace:
    """The value of an argument that takes a workspace: one, or the path of one.

    Raises:
        ConfigError: it is neither.
    """
    return value if isinstance(value, Workspace) else Workspace(path(value, name="workspace"))


class Workspace:
    """Paths inside a workspace; names from configurations are checked, so that none can leave the folder."""

    def __init__(self, root: str | Path) -> None:
        self.root = local(root)

    @property
    def marker(self) -> Path:
        """The file that makes a folder a workspace."""
        return self.root / "workspace.json"

    def create(self, command: str = "") -> Workspace:
        """Make the folder a workspace, or accept that it is one.

        Args:
            command: whose results it holds, ``run`` or ``dedup``: they never share a workspace.

        Raises:
            WorkspaceError: the folder holds something else.
        """
        if self.root.exists() and not self.root.is_dir():
            raise WorkspaceError(f"{self.root}: a file, not a folder; name another workspace")
        if self.marker.exists():
            return self.existing()._of(command)
        try:
            if self.root.exists() and any(not _is_ours(path) for path in self.root.iterdir()):
                raise WorkspaceError(f"{self.root}: not empty and not a dq workspace; name an empty or new folder")
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{self.root}: cannot be made: {error.strerror}; name another workspace") from None
        write_json_atomic(self.marker, {"format": FORMAT, **({"command": command} if command else {})})
        return self

    def _of(self, command: str) -> Workspace:
        made_by = read_json(self.marker).get("command")
        if made_by is None:  # of an older version
            made_by = "run" if self.heldout().exists() else "dedup" if self.kept().exists() else command
        if command and made_by != command:
            raise WorkspaceError(f"{self.root}: holds results of `dq {made_by}`; name another folder")
        return self

    def existing(self) -> Workspace:
        """Check that the folder is a workspace.

        Raises:
            WorkspaceError: it is not; the message names the command that makes one.
        """
        if not self.marker.exists():
            raise WorkspaceError(f"{self.root}: no dq workspace here; make one with `dq run JOB.yaml`")
        try:
            known = read_json(self.marker).get("format") == FORMAT
        except WorkspaceError:
            known = False
        if not known:
            raise WorkspaceError(f"{self.marker}: of another program or another version of dq; name another workspace")
        return self

    def lock(self) -> FolderLock:
        """The lock that a writing command holds."""
        return FolderLock(self.root)

    def folder(self, *parts: str) -> Path:
        """A folder or file by the names on the way to it, none of which can leave the workspace."""
        for part in parts:
            if not _NAME.fullmatch(part):
                raise WorkspaceError(f"{part!r}: not a name; use letters, digits, `.`, `_` and `-`")
        return self.root.joinpath(*parts)

    def corpus(self, version: str) -> Path:
        """Documents of a text version: one Parquet file a shard."""
        return self.folder("corpus", version)

    def signals(self, version: str) -> Path:
        """Signals of a text version, shard by shard as the corpus."""
        return self.folder("signals", version)

    def verdicts(self, version: str) -> Path:
        """What the rules say of each document: keep and the full set of reasons."""
        return self.folder("verdicts", version)

    def selection(self, version: str) -> Path:
        """What deduplication keeps among the documents that the rules keep."""
        return self.folder("selection", version)

    def duplicates(self, version: str) -> Path:
        """Signatures and verified pairs of a text version."""
        return self.folder("duplicates", version)

    def kept(self) -> Path:
        """The documents that `dq dedup` keeps: one Parquet file a corpus shard."""
        return self.folder("kept")

    def removed(self) -> Path:
        """The documents that `dq dedup` removes, each with the kept one and their similarity."""
        return self.folder("removed.parquet")

    def neutral(self, name: str) -> Path:
        """The documents of a neutral held-out set."""
        return self.folder("neutral", name)

    def fates(self) -> Path:
        """What became of every document of the job."""
        return self.folder("fates")

    def planted(self) -> Path:
        """Controls of deduplication and exclusion: planted copies and whether they were found."""
        return self.folder("planted")

    def learned(self) -> Path:
        """The classifier that a job trains, and the text it was taught to want."""
        return self.folder("learned")

    def heldout(self) -> Path:
        """Held-out sets and the documents they exclude."""
        return self.folder("heldout")

    def tokenizer(self) -> Path:
        """The folder of the tokenizer and its record."""
        return self.folder("tokenizer")

    def tokens(self, version: str) -> Path:
        """The token pool of a text version."""
        return self.folder("tokens", version)

    def run(self, run_id: str) -> Path:
        """Everything about one training run."""
        return self.folder("runs", run_id)

    def study(self, name: str, budget_tokens: int, *settings: str) -> Path:
        """What a study found at a budget, and at what else it lists: comparison, losses, manifests and the report."""
        return self.folder("studies", name, "-".join([str(budget_tokens), *settings]))

    def grid(self, name: str) -> Path:
        """What a study of several cells found: a folder for each of them, and what is said of all."""
        return self.folder("studies", name)
