"""Pages by trafilatura: what it takes, within the bounds of all pages, and the same whatever came before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dq.errors import MissingExtraError
from dq.pages import extracted as pages
from dq.pages.extracted import MAX_DEPTH, PageError, extracted
from dq.pages.parser import LIMITS
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
    again = [extracted(PAGE.encode(), content_type="text/html", what="trafilatura").text for _ in range(5)]
    assert set(again) == {row["text"]}


def test_pages_are_bounded_in_size_and_depth(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura")
    hostile = {
        "large": "x" * (LIMITS["trafilatura"].bytes + 1),
        "deep": "<div>" * 5000,
        "empty": "<html></html>",
        "tags": f"<p>{LONG}</p>" + "<br>" * 16_000,
    }
    files = [write(tmp_path / f"{name}.html", html.encode()) for name, html in hostile.items()]
    corpus = read(files, tmp_path / "out", page_text="trafilatura")
    assert [row["reason"] for row in quarantined(corpus.folder)] == ["page_too_large", "page_too_deep"]
    assert [row["text"] for row in documents(corpus)] == ["", LONG.strip()]


def test_long_pages_are_not_deep() -> None:
    def text_of(html: str) -> str:
        return extracted(html.encode(), content_type="", what="all").text

    assert text_of("<ul>" + "<li>one<br><img src=a>" * 20_000 + "</ul>").count("one") == 20_000
    assert text_of("<svg>" + "<path d='m 0 0'/>" * 20_000 + "</svg>x") == "x"
    assert (
        text_of("<p><b>bold</b> <code>x</code></p><table><tr><td><i>y</i></td></tr></table>" * 3000).count("bold")
        == 3000
    )
    # 512 open at once: `html` and `body` are two of them
    assert text_of("</div>" * 9000 + "<div>" * (MAX_DEPTH - 2) + "x" + "</div>" * 9000) == "x"
    with pytest.raises(PageError, match="page_too_deep"):
        text_of("</div>" * 9000 + "<div>" * (MAX_DEPTH - 1) + "x" + "</div>" * 9000)


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
        extracted(PAGE.encode(), content_type="", what="trafilatura")


@pytest.mark.parametrize(
    ("markup", "published"),
    [
        ('<meta property="article:published_time" content="2019-03-04T05:06:07+01:00">', "2019-03-04T05:06:07+01:00"),
        ('<meta itemprop="datePublished" content=" 2019-03-04 ">', "2019-03-04"),
        (
            '<meta name="date" content="yesterday"><article><time datetime="2001-02-03">3 Feb</time></article>',
            "2001-02-03",
        ),
        ('<time datetime="2001-02-03">of a comment</time>', ""),
        (f'<meta name="date" content="2019-03-04T{"0" * 31}">', ""),
    ],
)
def test_a_page_was_published_when_it_says_so_by_a_date(markup: str, published: str, tmp_path: Path) -> None:
    page = f"<title>x</title>{markup}<p>{LONG}".encode()
    assert extracted(page, content_type="", what="all").published == published
    (row,) = documents(read(write(tmp_path / "page.html", page), tmp_path / "out"))
    assert row["meta"].get("published", "") == published
