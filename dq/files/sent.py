"""What a command made, sent to a bucket: every object appears whole, and ``sent.json``, which lists all, last.

``sending.json`` comes first, so that the same call goes on after any interruption and sends nothing twice; where other
things lie nothing is sent. Only what such a list names is ever replaced or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.arguments import path as path_of_argument
from dq.corpus.addresses import has_user, redacted, scheme_of
from dq.corpus.names import spelled
from dq.corpus.places.patience import MissingError, patiently
from dq.corpus.places.remote import RemoteFile, filesystem
from dq.errors import ConfigError, WorkspaceError
from dq.executors import QUIET, Progress, run_in_threads
from dq.results import Result
from dq.store import Workspace, check_files, file_sha256, read_record
from dq.store.contents import RECORD, STARTED

BUCKETS = ("s3", "gs", "az", "abfs")
SENT, SENDING = "sent.json", "sending.json"
THREADS = 4


@dataclass(frozen=True)
class SendResult(Result):
    """What `send` did.

    Attributes:
        address: where the files are.
        files: how many are there.
        bytes: in all of them.
        sent: files that were not there before.
    """

    address: str
    files: int
    bytes: int
    sent: int


def send(path: Path, address: str, *, overwrite: bool = False, progress: Progress = QUIET) -> SendResult:
    """Send a file, or a folder that a command has finished, to a bucket. The same call goes on after any interruption.

    Args:
        path: a file becomes an object of the address's name, or one in it where that ends with a slash.
        address: ``s3://bucket/folder``, or of ``gs://``, ``az://``.
        overwrite: replace what was sent there before.
        progress: told of bytes.

    Raises:
        DqError: the folder is not finished, other things lie there, or the bucket cannot be reached.
    """
    path, target = path_of_argument(path, name="path"), _Target.of(address)
    if path.is_file():
        name = path.name if address.endswith("/") else target.path.rpartition("/")[2]
        target = target if address.endswith("/") else _Target(target.scheme, target.path.rpartition("/")[0])
        return _send_file(path, target, name, overwrite=overwrite, progress=progress)
    sizes = {name: (path / name).stat().st_size for name in _names(path)}
    with progress.step("compare with what is there", unit="files", total=len(sizes)) as step:
        listed = {}
        for name in sizes:
            listed[name] = file_sha256(path / name)
            step.advance(detail=name)
    there = target.prepare(listed, overwrite=overwrite)
    missing = [name for name, size in sizes.items() if there.get(name) != size]
    with progress.step("send", unit="bytes", total=sum(sizes[name] for name in missing)) as step:

        def put(name: str) -> None:
            target.put(path / name, name)
            step.advance(sizes[name], detail=name)

        run_in_threads(put, missing, threads=THREADS)
    target.write(SENT, listed)
    target.delete([SENDING])
    return SendResult(target.address, len(sizes), sum(sizes.values()), len(missing))


def _send_file(path: Path, target: _Target, name: str, *, overwrite: bool, progress: Progress) -> SendResult:
    size, info = path.stat().st_size, target.info(name)
    done = SendResult(f"{target.address}/{name}", 1, size, 0)
    if info is not None and info["size"] == size:
        there = RemoteFile.of(target.scheme, {**info, "name": f"{target.path}/{name}"})
        if there.sha256() == file_sha256(path):
            return done
    if info is not None and not overwrite:
        raise WorkspaceError(
            f"{done.address}: another file is there; name another place, or replace it: `overwrite`", field="overwrite"
        )
    with progress.step("send", unit="bytes", total=size) as step:
        target.put(path, name)
        step.advance(size, detail=name)
    return SendResult(done.address, 1, size, 1)


def _names(folder: Path) -> list[str]:
    """The files of a finished folder, the record of a stage last.

    Raises:
        WorkspaceError: it is not finished, holds links, or is a workspace.
    """
    if not folder.is_dir():
        raise WorkspaceError(f"{folder}: no such file or folder; name what a command has made")
    if Workspace(folder).marker.exists():
        raise WorkspaceError(f"{folder}: a workspace, which stays on this machine; send what is wanted of it, such as "
                             f"{folder / 'kept'}")  # fmt: skip
    if (folder / STARTED).exists():
        raise WorkspaceError(f"{folder}: not finished; run the command that makes it to its end first")
    if (folder / RECORD).exists():
        record = read_record(folder)
        check_files(folder, record)
        return [*record.files, RECORD]
    found = sorted(path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.parts[-1:]))
    if links := [path for path in found if path.is_symlink()]:
        raise WorkspaceError(f"{links[0]}: a link; put the file itself there")
    names = [path.relative_to(folder).as_posix() for path in found if path.is_file()]
    if not names:
        raise WorkspaceError(f"{folder}: holds no files; name what a command has made")
    return names


@dataclass(frozen=True)
class _Target:
    """A folder of a bucket."""

    scheme: str
    path: str

    @classmethod
    def of(cls, address: str) -> _Target:
        """The folder of an address.

        Raises:
            ConfigError: nothing is sent there.
        """
        if has_user(address):
            raise ConfigError(f"{redacted(address)}: holds a user or a key; leave them to the environment")
        if scheme_of(address) not in BUCKETS or not address.partition("://")[2].strip("/"):
            known = ", ".join(f"{scheme}://" for scheme in BUCKETS)
            raise ConfigError(f"{spelled(redacted(address))}: nothing is sent there; name a bucket of {known}")
        scheme = scheme_of(address)
        return cls(scheme, str(type(filesystem(scheme))._strip_protocol(address)))

    @property
    def address(self) -> str:
        """For people."""
        return spelled(f"{self.scheme}://{self.path}")

    def prepare(self, listed: Mapping[str, str], *, overwrite: bool) -> dict[str, int]:
        """The sizes of objects that are there of these very files; whatever else was sent there is gone.

        Raises:
            WorkspaceError: other things are there.
        """
        for name in (SENT, SENDING):
            if self.read(name) == listed:
                return {one: info["size"] for one in listed if (info := self.info(one)) is not None}
        before = [self.read(name) for name in (SENT, SENDING)]
        if not overwrite and (any(one is not None for one in before) or self.holds_anything()):
            raise WorkspaceError(
                f"{self.address}: other things are there; name another place, or replace what was sent there before: "
                "`overwrite`",
                field="overwrite",
            )
        old = {name for one in before if one is not None for name in one}
        self.delete([SENT])  # first: what is listed is there
        self.delete(sorted(old | set(listed)))
        self.write(SENDING, listed)
        return {}

    def info(self, name: str) -> dict[str, Any] | None:
        """What the bucket says of an object."""
        try:
            return self._ask("info", f"{self.path}/{name}")  # type: ignore[no-any-return]
        except MissingError:
            return None

    def holds_anything(self) -> bool:
        try:
            return bool(self._ask("ls", self.path, detail=False))
        except MissingError:
            return False

    def read(self, name: str) -> dict[str, str] | None:
        """A list, where there is one."""
        if self.info(name) is None:
            return None
        try:
            found = json.loads(self._ask("cat_file", f"{self.path}/{name}"))
        except ValueError:
            return {}
        return found["files"] if isinstance(found, dict) and isinstance(found.get("files"), dict) else {}

    def write(self, name: str, listed: Mapping[str, str]) -> None:
        content = json.dumps({"files": listed}, indent=2, ensure_ascii=False).encode() + b"\n"
        self._made("pipe_file", f"{self.path}/{name}", content)

    def put(self, path: Path, name: str) -> None:
        """Send a file, which appears when it is whole."""
        self._made("put_file", str(path), f"{self.path}/{name}")
        info = self.info(name)
        if info is None or info["size"] != path.stat().st_size:
            raise WorkspaceError(
                f"{self.address}/{name}: is not what was sent; run again when nobody else writes there"
            )

    def delete(self, names: list[str]) -> None:
        for name in names:
            if self.info(name) is not None:
                self._ask("rm_file", f"{self.path}/{name}")

    def _made(self, method: str, *arguments: Any) -> None:
        try:
            self._ask(method, *arguments)
        except MissingError:
            raise WorkspaceError(f"{self.address}: no such bucket; make it, or name another") from None

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        return patiently(lambda: getattr(filesystem(self.scheme), method)(*arguments, **options), name=self.address)
