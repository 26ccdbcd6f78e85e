"""Buckets of Google and Azure by the stand-ins of each, over HTTP on this machine; what holds of S3 holds of them.

Not in continuous integration: `npm install -g azurite`, `pip install adlfs gcsfs gcp-storage-emulator`, and
`pytest -m slow tests/corpus/test_clouds.py`.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from http import server
from pathlib import Path
from typing import Any

import pytest

import dq
from dq.corpus.inputs import find_inputs
from dq.corpus.places.remote import _made, filesystem
from dq.errors import InputError
from dq.files.sent import send
from tests.conftest import tool
from tests.corpus.files import jsonl

ROWS = [{"id": f"d{n}", "source": "x", "text": f"Some words of document {n}, and {n * n}. " * 30} for n in range(800)]
# The account and key that Azurite publishes for everybody.
AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6"
    "IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
)
AZURE_PORT, GOOGLE_PORT = 10963, 10964

pytestmark = [pytest.mark.slow, pytest.mark.needs_tool]


@pytest.fixture(params=["az", "gs"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of each."""
    started = azure if request.param == "az" else google
    _made.cache_clear()
    yield from started(tmp_path, monkeypatch)
    _made.cache_clear()


def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("adlfs")
    options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", str(AZURE_PORT)]
    process = subprocess.Popen([tool("azurite-blob"), *options], cwd=tmp_path)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", AZURITE.format(port=AZURE_PORT))
    try:
        time.sleep(5)
        filesystem("az").mkdir("corpus")
        yield "az://corpus"
    finally:
        process.terminate()
        process.wait()


def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("gcsfs")
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    monkeypatch.setattr(server, "HTTPServer", server.ThreadingHTTPServer)  # its own answers one connection at a time
    address = f"http://127.0.0.1:{GOOGLE_PORT}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # asks Google what kind of bucket it is
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    running = emulator.create_server("127.0.0.1", GOOGLE_PORT, in_memory=True, default_bucket="corpus")
    running.start()
    try:
        yield "gs://corpus"
    finally:
        running.stop()


def put(address: str, content: bytes) -> None:
    scheme, _, path = address.partition("://")
    with filesystem(scheme).open(path, "wb") as file:
        file.write(content)


def test_files_are_filtered_sent_back_and_seen_to_change(bucket: str, tmp_path: Path) -> None:
    content, rules = jsonl(ROWS), dq.presets.c4()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_bytes(content)
    put(f"{bucket}/in/a.jsonl", content)

    def filtered(entry: str, name: str) -> tuple[Any, dict[str, bytes]]:
        found = dq.filter_files([entry], rules, kept=tmp_path / name)
        return found, {one.name: one.read_bytes() for one in (tmp_path / name).rglob("*.parquet")}

    here, local = filtered(str(tmp_path / "in"), "here")
    for entry in (f"{bucket}/in", f"{bucket}/*/a.jsonl", f"{bucket}/in/a.jsonl"):
        there, remote = filtered(entry, f"there{len(entry)}")
        assert there.documents == here.documents == len(ROWS) and remote == local
    sent = send(tmp_path / "here", f"{bucket}/out")
    assert sent.sent == sent.files > 0 and send(tmp_path / "here", f"{bucket}/out").sent == 0
    assert json.loads(filesystem(bucket[:2]).cat("corpus/out/sent.json"))

    (file,) = find_inputs([f"{bucket}/in"]).files
    put(f"{bucket}/in/a.jsonl", content.replace(b"words", b"werds"))
    with pytest.raises(InputError, match=r"a\.jsonl: has changed since it was listed"), file.file.open() as opened:
        opened.read()
    filesystem(bucket[:2]).rm("corpus/in/a.jsonl")
    with pytest.raises(InputError, match="no such file"):
        find_inputs([f"{bucket}/in/a.jsonl"])
