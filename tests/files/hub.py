"""A stand-in for the Hugging Face hub on loopback: what `huggingface_hub` asks to send and read a dataset, and faults.

It keeps repositories in memory as the hub's HTTP interface shows them (large files by SHA-256, others by git's names of
blobs, one tree a commit); it knows nothing that the client does not ask for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_quiteSecretTokenOfATest"
LARGE = (".parquet", ".jsonl", ".bin")
Faults = Callable[[str, str, int], int | None]
"""Of method, path and how often it was asked before: the status to answer in place of the hub's own."""


@dataclass
class Repository:
    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    commits: list[str] = field(default_factory=lambda: ["0" * 40])


@dataclass
class Hub:
    server: ThreadingHTTPServer
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: Faults | None = None
    after_commit: int | None = None
    """The status that a commit answers after it was made."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def puts(self) -> int:
        """How many large files were sent."""
        return sum(method == "PUT" for method, _ in self.asked)

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any]:  # noqa: PLR0911
        before = self.asked.count((method, path))
        self.asked.append((method, path))
        if self.faults and (status := self.faults(method, path, before)):
            return status, {"error": f"a fault for {token}"}
        if path.startswith("/lfs/"):
            digest = path.rpartition("/")[2]
            assert method == "GET" or hashlib.sha256(body).hexdigest() == digest
            return 200, self.objects.setdefault(digest, body)
        address, query = urlsplit(unquote(path)), parse_qs(urlsplit(path).query)
        path = address.path.removeprefix("/api").removeprefix("/datasets/")
        there = self.repositories.get("/".join(path.split("/")[:2]))
        is_for_all = there is not None and not there.private and (method == "GET" or "/paths-info/" in path)
        if token != f"Bearer {TOKEN}" and not is_for_all:
            return 401, {"error": f"Invalid credentials {token}"}
        if "/paths-info/" in path:
            return self._of_repository(path, parse_qs(body.decode()), b"")
        asked = json.loads(body) if body and not path.endswith("/commit/main") else {**query}
        if path == "/repos/create":
            private = bool(asked.get("private")) or asked.get("visibility") == "private"
            self.repositories.setdefault(f"{asked['organization']}/{asked['name']}", Repository(private))
            return 200, {"url": f"{self.endpoint}/datasets/{asked['organization']}/{asked['name']}"}
        if path == "/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        return self._of_repository(path, asked, body)

    def _of_repository(self, path: str, asked: dict[str, Any], body: bytes) -> tuple[int, Any]:  # noqa: PLR0911
        owner, name, *rest = path.split("/")
        repository = self.repositories.get(f"{owner}/{name.removesuffix('.git')}")
        if repository is None:
            return 404, {"error": "Repository not found"}
        match rest:
            case [] | ["revision", "main"]:
                about = {"id": f"{owner}/{name}", "private": repository.private, "sha": repository.commits[-1]}
                return 200, {**about, "siblings": [{"rfilename": one} for one in repository.files]}
            case ["tree", revision, *folder]:
                assert revision in ("main", repository.commits[-1])
                found = below(repository.files, "/".join(folder), everything=asked["recursive"] == ["true"])
                return (200, found) if found else (404, {"error": "Entry not found"})
            case ["paths-info", "main"]:
                every = below(repository.files, "", everything=True)
                return 200, [one for one in every if one["path"] in asked["paths"]]
            case ["resolve", "main", *parts]:
                content = repository.files.get("/".join(parts))
                if content is None:
                    return 404, {"error": "Entry not found"}
                if not parts[-1].endswith(LARGE):
                    return 200, content
                digest = hashlib.sha256(content).hexdigest()
                self.objects[digest] = content
                return 302, f"{self.endpoint}/lfs/{digest}"
            case ["preupload", "main"]:
                modes = [(one["path"], "lfs" if one["path"].endswith(LARGE) else "regular") for one in asked["files"]]
                return 200, {"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes]}
            case ["info", "lfs", "objects", "batch"]:
                return 200, {"transfer": "basic", "objects": [self._upload(one) for one in asked["objects"]]}
            case ["commit", "main"]:
                return self._commit(repository, [json.loads(line) for line in body.splitlines()])
        return 404, {"error": path}

    def _upload(self, one: dict[str, Any]) -> dict[str, Any]:
        there = one["oid"] in self.objects
        return one if there else {**one, "actions": {"upload": {"href": f"{self.endpoint}/lfs/{one['oid']}"}}}

    def _commit(self, repository: Repository, lines: list[dict[str, Any]]) -> tuple[int, Any]:
        header, files = lines[0]["value"], dict(repository.files)
        if header.get("parentCommit", repository.commits[-1]) != repository.commits[-1]:
            return 412, {"error": "A commit has happened since. Please refresh and try again."}
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        repository.files = files
        repository.commits.append(f"{len(repository.commits):040x}")
        if self.after_commit:
            return self.after_commit, {"error": "lost"}
        return 200, {"commitUrl": f"{self.endpoint}/commit", "commitOid": repository.commits[-1]}


def entry(path: str, content: bytes) -> dict[str, Any]:
    """A file of a tree."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if path.endswith(LARGE):
        found["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return found


def below(files: dict[str, bytes], folder: str, *, everything: bool) -> list[dict[str, Any]]:
    """What a folder holds: files and folders, its own or all."""
    prefix = f"{folder}/" if folder else ""
    found = [entry(*one) for one in files.items() if one[0].startswith(prefix)]
    parents = {"/".join(one["path"].split("/")[:n]) for one in found for n in range(1, one["path"].count("/") + 1)}
    found += [
        {"type": "directory", "path": one, "size": 0, "oid": "0" * 40} for one in parents if one.startswith(prefix)
    ]
    return [one for one in found if everything or "/" not in one["path"].removeprefix(prefix)]


@contextmanager
def served() -> Iterator[Hub]:
    """The stand-in, on a port of its own."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                status, said = hub.answer(self.command, self.path, body, self.headers.get("Authorization", ""))
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if isinstance(said, bytes) and wanted:
                status, content = 206, content[int(wanted[1]) : int(wanted[2]) + 1]
            self.send_response(status)
            if status == 404 and "not found" in content.decode():
                self.send_header("X-Error-Code", "EntryNotFound" if "Entry" in content.decode() else "RepoNotFound")
            of_repository = re.search("/api/datasets/|/resolve/", self.path)
            if status == 401 and of_repository and not self.headers.get("Authorization"):
                self.send_header("X-Error-Code", "RepoNotFound")  # which the client takes it for on https://
            if status == 302:
                self.send_header("Location", said)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815

        def log_message(self, *said: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = Hub(server)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
