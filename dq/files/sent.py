"""What a command made, sent to a bucket: every object appears whole, and ``sent.json``, which lists all, last.

What goes to the Hugging Face hub goes in one commit (`dq.files.hub`). In a bucket ``sending.json`` comes first, so that
the same call goes on after any interruption and sends nothing twice; where other things lie nothing is sent. Only what
such a list names is ever replaced or deleted.
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
from dq.corpus.places.local import SENDING, SENT
from dq.corpus.places.patience import MissingError, patiently
from dq.corpus.places.remote import RemoteFile, filesystem
from dq.errors import ConfigError, WorkspaceError
from dq.executors import QUIET, Progress, run_in_threads
from dq.files.finished import SendResult, finished_files
from dq.files.hub import HUB, check_dataset, send_to_hub
from dq.store import file_sha256

BUCKETS = ("s3", "gs", "az", "abfs")
THREADS = 4


def send(
    path: Path,
    address: str,
    *,
    public: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = QUIET,
) -> SendResult:
    """Send a file, or a folder that a command has finished, elsewhere. The same call goes on after any interruption.

    Args:
        path: a file becomes an object of the address's name, or one in it where that ends with a slash.
        address: ``s3://bucket/folder``, or of ``gs://``, ``az://``; a folder also ``hf://datasets/OWNER/NAME``.
        public: let everybody read what goes to the Hugging Face hub.
        overwrite: replace what was sent there before.
        dry_run: only compare with what is there; nothing is sent or changed.
        progress: told of bytes.

    Raises:
        DqError: the folder is not finished, other things lie there, or the bucket cannot be reached.
    """
    path = path_of_argument(path, name="path")
    if scheme_of(address) == HUB:
        return send_to_hub(path, address, public=public, overwrite=overwrite, dry_run=dry_run, progress=progress)
    if public:
        raise ConfigError(f"{spelled(redacted(address))}: a bucket, whose owner says who may read it", field="public")
    target = _Target.of(address)
    if path.is_file():
        name = path.name if address.endswith("/") else target.path.rpartition("/")[2]
        target = target if address.endswith("/") else _Target(target.scheme, target.path.rpartition("/")[0])
        return _send_file(path, target, name, overwrite=overwrite, dry_run=dry_run, progress=progress)
    sizes = {name: (path / name).stat().st_size for name in finished_files(path)}
    with progress.step("compare with what is there", unit="files", total=len(sizes)) as step:
        listed = {}
        for name in sizes:
            listed[name] = file_sha256(path / name)
            step.advance(detail=name)
    there = target.there(listed, overwrite=overwrite)
    missing = [name for name, size in sizes.items() if (there or {}).get(name) != size]
    done = SendResult(target.address, len(sizes), sum(sizes.values()), len(missing))
    if dry_run:
        return done
    if there is None:
        target.clear(listed)
    with progress.step("send", unit="bytes", total=sum(sizes[name] for name in missing)) as step:

        def put(name: str) -> None:
            target.put(path / name, name)
            step.advance(sizes[name], detail=name)

        run_in_threads(put, missing, threads=THREADS)
    target.write(SENT, listed)
    target.delete([SENDING])
    return done


def check_address(address: str) -> None:
    """Whether something can be sent to an address, as far as it says so itself.

    Raises:
        ConfigError: no.
    """
    if scheme_of(address) == HUB:
        check_dataset(address)
    else:
        _Target.of(address)


def _send_file(
    path: Path, target: _Target, name: str, *, overwrite: bool, dry_run: bool, progress: Progress
) -> SendResult:
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
    done = SendResult(done.address, 1, size, 1)
    if dry_run:
        return done
    with progress.step("send", unit="bytes", total=size) as step:
        target.put(path, name)
        step.advance(size, detail=name)
    return done


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

    def there(self, listed: Mapping[str, str], *, overwrite: bool) -> dict[str, int] | None:
        """The sizes of objects that are there of these very files; None where the place is to be cleared for them.

        Raises:
            WorkspaceError: other things are there.
        """
        before = [self.read(name) for name in (SENT, SENDING)]
        if listed in before:
            return {one: info["size"] for one in listed if (info := self.info(one)) is not None}
        if not overwrite and (any(one is not None for one in before) or self.holds_anything()):
            raise WorkspaceError(
                f"{self.address}: other things are there; name another place, or replace what was sent there before: "
                "`overwrite`",
                field="overwrite",
            )
        return None

    def clear(self, listed: Mapping[str, str]) -> None:
        """Delete whatever else was sent there, and say what is to come."""
        old = {name for one in (SENT, SENDING) for name in self.read(one) or ()}
        self.delete([SENT])  # first: what is listed is there
        self.delete(sorted(old | set(listed)))
        self.write(SENDING, listed)

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
