"""The web over HTTP on loopback: folders as pages with links, and servers that give no ranges."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dq.corpus.inputs import find_inputs
from dq.corpus.places import web
from dq.errors import InputError

LINES = b"".join(b'{"text": "line %06d"}\n' % number for number in range(120_000))  # several blocks
ELSEWHERE = """<a href="?C=N;O=D">Name</a> <a href="/">Up</a> <a href="../">Up</a> <a href="../secret.jsonl">x</a>
<a href="%2e%2e/secret.jsonl">x</a> <a href="http://example.invalid/x.jsonl">x</a> <a href="mailto:a@b">x</a>
<a href="./a.jsonl">a</a> <a href="a.jsonl">a again</a>"""


@dataclass
class Served:
    """A server: its address, what was asked of it, and paths whose next whole answer ends early."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)

    def found(self, entry: str) -> list[str]:
        return [one.name.removeprefix(f"{self.address}/") for one in find_inputs([f"{self.address}/{entry}"]).files]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Python's own server: pages of links for folders, and whole files whatever part is asked for."""
    said = Served()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self) -> None:
            said.asked.append(self.path)
            if self.path in said.truncated and "Range" not in self.headers:
                said.truncated.remove(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(LINES)))
                self.end_headers()
                self.wfile.write(LINES[:100_000])
                return
            super().do_GET()

        def copyfile(self, source: Any, outputfile: Any) -> None:
            try:
                super().copyfile(source, outputfile)
            except OSError:  # who asked saw that this is no range, and left
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing."""

    for name in ("a.jsonl", "b.txt", "sub [1]/c d.jsonl", ".hidden.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'{"text": "short"}\n')
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield said
        server.shutdown()


def test_folders_and_patterns_of_the_web_are_files_by_the_links_of_its_pages(served: Served) -> None:
    assert served.found("") == ["a.jsonl", "sub%20%5B1%5D/c%20d.jsonl"]
    assert served.found("*.jsonl") == ["a.jsonl"]
    assert served.found("**/*.jsonl") == ["a.jsonl", "sub%20%5B1%5D/c%20d.jsonl"]
    assert served.found("*.txt") == ["b.txt"]
    with pytest.raises(InputError, match="no such file"):
        served.found("absent/")


def test_links_that_lead_elsewhere_are_not_followed(served: Served, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(ELSEWHERE)
    (tmp_path / "page" / "a.jsonl").write_bytes(b'{"text": "short"}\n')
    assert served.found("page/") == ["page/a.jsonl"]
    assert set(served.asked) <= {"/page/", "/page/a.jsonl"}


def test_a_server_without_ranges_gives_the_same_bytes_also_after_an_answer_that_ended_early(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "large.jsonl").write_bytes(LINES)
    (one,) = find_inputs([f"{served.address}/large.jsonl"]).files
    served.truncated.append("/large.jsonl")
    with one.file.open() as opened:
        assert opened.read() == LINES
    assert not served.truncated
    assert len(served.asked) < 12  # once whole, and parts of it until that was known


def test_a_large_file_without_ranges_is_to_be_downloaded_and_a_changed_one_is_refused(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large.jsonl").write_bytes(LINES)
    (one,) = find_inputs([f"{served.address}/large.jsonl"]).files
    monkeypatch.setattr(web, "MAX_WHOLE_BYTES", len(LINES) - 1)
    with (
        pytest.raises(InputError, match=r"large\.jsonl: its server gives no ranges of it; download it"),
        one.file.open() as opened,
    ):
        opened.read()
    monkeypatch.setattr(web, "MAX_WHOLE_BYTES", len(LINES))
    (tmp_path / "large.jsonl").write_bytes(LINES[:-2])
    with pytest.raises(InputError, match="has changed since it was listed"), one.file.open() as opened:
        opened.read()
