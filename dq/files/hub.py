"""A finished folder, sent to a dataset repository of the Hugging Face hub: one commit has all of it, or there is none.

Large files go first and are addressed by their contents, so the same call sends nothing twice. Afterwards the
repository is what the folder is; its history keeps what was there before. The records of stages and the list of
unreadable rows stay here, since they name files of this machine. Who asks is known by the environment (``HF_TOKEN``)
alone, and no message has the token, or an address of the hub's with a signature.

Proven against a server on loopback that speaks what `huggingface_hub` asks of the hub; it has not met the hub itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from dq.corpus.addresses import redacted
from dq.corpus.names import spelled
from dq.corpus.places.patience import BUSY, patiently, status_of
from dq.corpus.quarantine import QUARANTINE
from dq.errors import ConfigError, DqError, WorkspaceError, cause_of, listed, require
from dq.executors import QUIET, Progress, Step
from dq.files.finished import SendResult, finished_files
from dq.store import file_sha256
from dq.store.contents import RECORD

HUB = "hf"
STAYS_HERE = (RECORD, QUARANTINE)
OF_THE_HUB = (".gitattributes",)  # what a new repository has
ADDRESS = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)/?", re.ASCII)
TOGETHER = 16  # files that are sent before progress is told
SENDING = {"num_threads": 4, "free_memory": False}
MAX_SAID = 300  # characters of what the hub says

T = TypeVar("T")


def send_to_hub(
    path: Path, address: str, *, public: bool, overwrite: bool, dry_run: bool, progress: Progress
) -> SendResult:
    """As `dq.files.sent.send`.

    Raises:
        DqError: the folder is not finished, other things are there, or the hub refuses or cannot be reached.
    """
    repository = _Repository.of(address)
    if path.is_file():
        raise ConfigError(f"{path}: a file; a repository of the hub is sent a folder")
    names = [name for name in finished_files(path) if name not in STAYS_HERE]
    there = repository.look()
    with progress.step("compare with what is there", unit="files", total=len(names)) as step:
        changes = _Changes.of(path, names, there.files, step=step)
    done = SendResult(
        address=repository.address,
        files=len(names),
        bytes=sum((path / name).stat().st_size for name in names),
        sent=len(changes.added),
        deleted=len(changes.deleted),
        private=not public if there.private is None else there.private,
    )
    if there.private is False and not public:
        raise WorkspaceError(f"{done.address}: is public; say that this is meant: `public`", field="public")
    if not overwrite and (others := [*changes.replaced, *changes.deleted]):
        raise WorkspaceError(
            f"{done.address}: other things are there: {listed([*map(spelled, others)])}; name another repository, or "
            "replace them all, which its history keeps: `overwrite`",
            field="overwrite",
        )
    if not dry_run and (changes.added or changes.deleted):
        with _without_bars():
            parent = there.commit if there.private is not None else repository.make(public=public)
            repository.send(path, changes, parent=parent, progress=progress)
    return done


@dataclass(frozen=True)
class _There:
    """What a repository holds: nothing, and no say on who may read it, where there is none yet."""

    private: bool | None
    commit: str | None
    files: Mapping[str, Any]


@dataclass(frozen=True)
class _Changes:
    """What makes a repository equal to a folder.

    Attributes:
        files: all that are to be there.
        added: of these, those that are not there as they are here.
        replaced: of these, those that are there otherwise.
        deleted: what is there and not here.
    """

    files: Sequence[str]
    added: Sequence[str]
    replaced: Sequence[str]
    deleted: Sequence[str]

    @classmethod
    def of(cls, folder: Path, files: Sequence[str], there: Mapping[str, Any], *, step: Step = QUIET) -> _Changes:
        """Compare by contents; the step counts files."""
        added = []
        for name in files:
            added += [] if _is_same(folder / name, there.get(name)) else [name]
            step.advance(detail=name)
        deleted = sorted(there.keys() - set(files) - set(OF_THE_HUB))
        return cls(files, added, [name for name in added if name in there], deleted)


def check_dataset(address: str) -> None:
    """Whether an address names a dataset that can be sent to.

    Raises:
        DqError: no, or the hub's client is not installed.
    """
    _Repository.of(address)


def _is_same(path: Path, there: Any) -> bool:
    """Large files are known by their SHA-256, others by git's name of them."""
    if there is None or there.size != path.stat().st_size:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == file_sha256(path))
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return bool(there.blob_id == blob.hexdigest())


@dataclass(frozen=True)
class _Repository:
    """A dataset repository by ``OWNER/NAME``."""

    name: str

    @classmethod
    def of(cls, address: str) -> _Repository:
        """The repository of an address.

        Raises:
            ConfigError: it is none.
        """
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise ConfigError(f"{spelled(redacted(address))}: no dataset; name one as hf://datasets/OWNER/NAME")
        require("huggingface_hub")
        return cls(found[1])

    @property
    def address(self) -> str:
        """For people."""
        return f"hf://datasets/{self.name}"

    @cached_property
    def _api(self) -> Any:
        return require("huggingface_hub").HfApi(endpoint=os.environ.get("HF_ENDPOINT"))

    @property
    def _which(self) -> dict[str, str]:
        return {"repo_id": self.name, "repo_type": "dataset"}

    def look(self) -> _There:
        """What is there now."""
        try:
            info = self._ask(lambda: self._api.repo_info(**self._which))
        except _MissingRepositoryError:
            return _There(None, None, {})
        tree = self._ask(
            lambda: [*self._api.list_repo_tree(**self._which, recursive=True, revision=info.sha)] if info.sha else []
        )
        return _There(bool(info.private), info.sha, {one.path: one for one in tree if hasattr(one, "size")})

    def make(self, *, public: bool) -> str | None:
        """Make it; its first commit."""
        self._ask(lambda: self._api.create_repo(**self._which, private=not public, exist_ok=True))
        return self.look().commit

    def send(self, folder: Path, changes: _Changes, *, parent: str | None, progress: Progress) -> None:
        """Make it what the folder is, unless somebody else has written there since: large files, then the commit."""
        library = require("huggingface_hub")
        added = [library.CommitOperationAdd(name, str(folder / name)) for name in changes.added]
        sizes = [(folder / name).stat().st_size for name in changes.added]
        with progress.step("send", unit="bytes", total=sum(sizes)) as step:
            for at in range(0, len(added), TOGETHER):
                some = added[at : at + TOGETHER]
                self._ask(functools.partial(self._api.preupload_lfs_files, additions=some, **SENDING, **self._which))
                step.advance(sum(sizes[at : at + TOGETHER]), detail=changes.added[at])
        operations = [*added, *(library.CommitOperationDelete(name) for name in changes.deleted)]
        about = {"commit_message": "Send a dataset by dq", "parent_commit": parent}
        try:
            self._ask(lambda: self._api.create_commit(**self._which, operations=operations, **about))
        except DqError:
            after = _Changes.of(folder, changes.files, self.look().files)
            if after.added or after.deleted:  # else it was made, and its answer was lost
                raise

    def _ask(self, ask: Callable[[], T]) -> T:
        """What the hub answers, in spite of faults that pass; other refusals in words of ours."""
        token = require("huggingface_hub").get_token()

        def once() -> T:
            try:
                return ask()
            except Exception as error:
                cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
                status = status_of(cause)
                said = spelled(redacted(cause_of(cause)))
                said = said.replace(token, "...") if token else said
                raise self._fault(cause, status, said) from None

        return patiently(once, name=self.address)

    def _fault(self, error: BaseException, status: int | None, said: str) -> Exception:
        if type(error).__name__ == "RepositoryNotFoundError":
            return _MissingRepositoryError(f"{self.address}: is not there, or may not be seen; set HF_TOKEN")
        if status in (401, 403):
            return ConfigError(
                f"{self.address}: may not be written ({status}); set HF_TOKEN to a token that may write there"
            )
        refuses = isinstance(error, ValueError) if status is None else 400 <= status < 500 and status not in BUSY
        if refuses:
            return WorkspaceError(f"{self.address}: the hub refuses: {said[:MAX_SAID]}")
        return ConnectionError(said)


class _MissingRepositoryError(WorkspaceError):
    """There is none of that name, or none that this token sees."""


@contextmanager
def _without_bars() -> Iterator[None]:
    """No bars of the library's own: whoever asked shows progress."""
    tools = require("huggingface_hub.utils")
    shown = not tools.are_progress_bars_disabled()
    tools.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            tools.enable_progress_bars()
