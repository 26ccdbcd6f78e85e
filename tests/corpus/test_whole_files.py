"""Files that are a document each: text and pages, read where they are named and not where they lie about."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq.corpus import ReadConfig
from dq.corpus.inputs import find_inputs
from dq.errors import InputError
from tests.corpus.files import documents, quarantined, read, write

PAGE = """<!DOCTYPE html><html><head><meta charset="{charset}"><title> A  title </title></head><body><nav>Menu</nav>
<article><h1>Head</h1><p>{text}</p></article></body></html>"""
LONG = "Words that make up the main part of a page, naïve ones too. " * 20


@pytest.mark.parametrize("name", ["a.txt", "a.TXT.gz", "a.b.txt.zst"])
def test_a_text_file_is_one_document_to_the_byte(tmp_path: Path, name: str) -> None:
    text = "[1] Title\r\n\r\n<p>no page</p>\n{}\n\0 é 漢 \n"
    write(tmp_path / name, b"\xef\xbb\xbf" + text.encode())
    assert [row["text"] for row in documents(read(tmp_path / name, tmp_path / "out"))] == [text]


def test_what_is_no_text_is_quarantined_or_named_with_its_remedy(tmp_path: Path) -> None:
    for number, content in enumerate([b"good", b"caf\xe9", b"", b"x" * 101]):
        write(tmp_path / f"{number}.txt", content)
    config = ReadConfig(max_document_bytes=100, max_bad_fraction=1.0)
    corpus = read(tmp_path / "*.txt", tmp_path / "out", config=config)
    assert [row["text"] for row in documents(corpus)] == ["good"]
    assert [(row["line"], row["reason"]) for row in quarantined(corpus.folder)] == [
        (1, "invalid_utf8"),
        (1, "text_too_large"),
    ]
    with pytest.raises(InputError, match=r"p\.txt: holds PDF"):
        read(write(tmp_path / "p.txt", b"%PDF-1.7"), tmp_path / "other")


def test_a_folder_leaves_notes_and_pages_out_and_a_pattern_reads_them(tmp_path: Path) -> None:
    for name in ("a.jsonl", "README.txt", "index.html"):
        write(tmp_path / name, b'{"text": "x"}\n')
    found = find_inputs([str(tmp_path)])
    assert [Path(one.name).name for one in found.files] == ["a.jsonl"]
    assert [Path(name).name for name in found.left_out] == ["README.txt", "index.html"]
    assert [Path(one.name).name for one in find_inputs([str(tmp_path / "*.txt")]).files] == ["README.txt"]
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(
        InputError, match=r"by a pattern such as `folder/\*\.txt` also \.csv, \.tsv, \.txt, .*in it are .*README\.txt"
    ):
        find_inputs([str(tmp_path)])


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_a_page_is_its_main_text_with_title_and_charset(tmp_path: Path, charset: str) -> None:
    pytest.importorskip("resiliparse")
    path = write(tmp_path / "page.html", PAGE.format(charset=charset, text=LONG).encode(charset))
    (row,) = documents(read(path, tmp_path / "out"))
    assert LONG.strip() in row["text"]
    assert "Menu" not in row["text"]
    assert row["meta"]["title"] == "A title"
    (whole,) = documents(read(path, tmp_path / "html", page_text="html"))
    assert "<nav>" in whole["text"]


def test_a_page_that_is_nested_without_end_is_quarantined(tmp_path: Path) -> None:
    pytest.importorskip("resiliparse")
    corpus = read(
        [write(tmp_path / "deep.htm", b"<div>" * 5000), write(tmp_path / "page.htm", b"<p>a page")], tmp_path / "out"
    )
    assert [row["reason"] for row in quarantined(corpus.folder)] == ["page_too_deep"]
    assert len(documents(corpus)) == 1
