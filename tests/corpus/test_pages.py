"""Pages by trafilatura: what it takes, within the bounds of all pages, and the same whatever came before."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dq.corpus.formats import pages
from dq.corpus.formats.pages import MAX_TRAFILATURA_BYTES, PageError, read_page
from dq.errors import MissingExtraError
from tests.corpus.files import documents, quarantined, read, write

LONG = "Words that make up the main part of a page, and there are enough of them to be one. " * 8
PAGE = f"""<html><head><title>A title</title></head><body><nav><a href=/>Menu</a></nav><article><p>{LONG}</p></article>
<footer>Imprint</footer></body></html>"""


def test_the_main_content_is_trafilaturas_whatever_came_before(tmp_path: Path) -> None:
    library = pytest.importorskip("trafilatura")
    write(tmp_path / "page.html", PAGE.encode())
    (row,) = documents(read(tmp_path / "page.html", tmp_path / "out", page_text="trafilatura"))
    assert row["text"] == library.extract(PAGE, favor_precision=True, include_comments=False)
    assert LONG.strip() in row["text"]
    assert "Menu" not in row["text"]
    assert row["meta"]["title"] == "A title"
    again = [read_page(PAGE.encode(), content_type="text/html", what="trafilatura").text for _ in range(5)]
    assert set(again) == {row["text"]}


def test_pages_are_bounded_in_size_depth_and_time(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura")
    hostile = {
        "large": "x" * (MAX_TRAFILATURA_BYTES + 1),
        "tags": "<p>x" * 15_001,
        "deep": "<div>" * 5000,
        "empty": "<html></html>",
    }
    files = [write(tmp_path / f"{name}.html", html.encode()) for name, html in hostile.items()]
    corpus = read(files, tmp_path / "out", page_text="trafilatura")
    assert [row["reason"] for row in quarantined(corpus.folder)] == [
        "page_too_large",
        "page_too_large",
        "page_too_deep",
    ]
    assert [row["text"] for row in documents(corpus)] == [""]
    started = time.process_time()
    read_page(b"<br>x" * 15_000, content_type="", what="trafilatura")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_a_page_in_utf_16_is_read_by_its_mark_of_byte_order(tmp_path: Path, mark: str) -> None:
    pytest.importorskip("resiliparse")
    write(tmp_path / "page.html", "\ufeff<p>Straße und Café</p>".encode(mark))
    assert documents(read(tmp_path / "page.html", tmp_path / "out", page_text="all"))[0]["text"] == "Straße und Café"


def test_without_the_library_it_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.trafilatura.cache_clear()
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    path = write(tmp_path / "page.html", PAGE.encode())
    with pytest.raises(MissingExtraError, match=r"trafilatura is not installed; run: .* install trafilatura"):
        read(path, tmp_path / "out", page_text="trafilatura")
    assert read(path, tmp_path / "main").record.summary["rows"] == 1


def test_what_fails_in_the_library_is_a_fault_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("trafilatura")

    def fails(*_: object, **__: object) -> str:
        raise RecursionError

    monkeypatch.setattr(library, "extract", fails)
    with pytest.raises(PageError, match="broken_html"):
        read_page(PAGE.encode(), content_type="", what="trafilatura")
