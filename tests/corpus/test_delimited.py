"""CSV and TSV: a header, quotes with line ends in them, and damage that costs its own line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.corpus import ReadConfig
from dq.errors import InputError
from tests.corpus.files import LENIENT, documents, quarantined, read, write


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "in.tsv.zst"])
@pytest.mark.parametrize("delimiter", ",;\t|")
def test_records_are_documents_and_quotes_hold_line_ends(tmp_path: Path, name: str, delimiter: str) -> None:
    stored = io.StringIO(newline="")
    rows = [["1", 'two\nlines, and "quotes"', "x"], ["2", "", "tab\tand ; and |"], ["3", "é 漢\r\n\r\nend", ""]]
    csv.writer(stored, delimiter=delimiter).writerows([["id", "text", "note"], *rows])
    write(tmp_path / name, stored.getvalue().encode())
    got = documents(read(tmp_path / name, tmp_path / "out"))
    assert [[row["id"], row["text"], row["meta"]["note"]] for row in got] == rows


@pytest.mark.parametrize(("name", "separator"), [("in.csv", ","), ("in.tsv", "\t"), ("in.TSV.gz", "\t")])
def test_a_column_alone_has_the_separator_that_its_name_promises(tmp_path: Path, name: str, separator: str) -> None:
    texts = ["one, two; three", "a\ttab", 'two\nlines and "quotes"', "plain"]
    stored = pl.DataFrame({"text": texts}).write_csv(separator=separator)
    write(tmp_path / name, stored.encode())
    assert [row["text"] for row in documents(read(tmp_path / name, tmp_path / "out"))] == texts


def test_fields_are_named_by_the_header_as_the_input_says(tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", b"\xef\xbb\xbfkey,body,site\r\na,first,web\r\n\r\nb,second,news\r\n")
    got = documents(read(path, tmp_path / "out", text_field="body", id_field="key", source_field="site"))
    assert [(row["id"], row["text"], row["source"]) for row in got] == [("a", "first", "web"), ("b", "second", "news")]
    with pytest.raises(InputError, match=r"in\.csv: no row has the field `text`; .* key, body, site; .*did you mean"):
        read(path, tmp_path / "other", config=ReadConfig())


def test_what_is_damaged_costs_its_own_line_and_is_listed_with_it(tmp_path: Path) -> None:
    lines = [
        b"id,text",
        b"1,good",
        b'2,"never closed',
        b"3,good too",
        b"4,one,too many",
        b'5,a 5" disk',
        b"6,\xff",
        b'7,"closed" and more',
        b'8,"two',
        b'lines"',
        b"9",
        b"10,last",
    ]
    path = write(tmp_path / "in.csv", b"\n".join(lines))
    corpus = read(path, tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == ["good", "good too", 'a 5" disk', "two\nlines", "last"]
    assert [(row["line"], row["reason"]) for row in quarantined(corpus.folder)] == [
        (3, "broken_record"),
        (5, "wrong_number_of_fields"),
        (7, "invalid_utf8"),
        (8, "broken_record"),
        (11, "wrong_number_of_fields"),
    ]


def test_a_quote_too_many_in_a_long_file_takes_linear_time_and_loses_no_row(tmp_path: Path) -> None:
    rows = [b'%d,"open' % n if n % 50 == 0 else b"%d,fine" % n for n in range(20_000)]
    path = write(tmp_path / "in.csv", b"\n".join([b"id,text", *rows]))
    corpus = read(path, tmp_path / "out")
    assert len(documents(corpus)) + len(quarantined(corpus.folder)) == 20_000


def test_texts_and_lines_are_bounded(tmp_path: Path) -> None:
    config = ReadConfig(max_document_bytes=100, max_bad_fraction=1.0)
    rows = [b"text", b"x" * 100, b"y" * 101, b"z" * 401, b'"' + b"open\n" * 200, b"end"]
    corpus = read(write(tmp_path / "in.csv", b"\n".join(rows)), tmp_path / "out", config=config)
    reasons = [(row["line"], row["reason"]) for row in quarantined(corpus.folder)]
    assert reasons == [(3, "text_too_large"), (4, "line_too_long"), (5, "broken_record")]
    assert {row["text"] for row in documents(corpus)} == {"x" * 100, "open", "end"}


def test_a_header_without_names_or_with_one_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in\.csv: two columns are named `text`; rename one"):
        read(write(tmp_path / "in.csv", b"text,id,text\na,b,c\n"), tmp_path / "out")
    with pytest.raises(InputError, match=r"in\.csv: its first line names no fields"):
        read(write(tmp_path / "in.csv", b'te"xt","id\na,b\n'), tmp_path / "out")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_the_standard_library_writes_is_read_as_it_was(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stored, folder = io.StringIO(newline=""), tmp_path_factory.mktemp("csv")
    csv.writer(stored, quoting=csv.QUOTE_ALL).writerows([["text", "note"], *rows])
    corpus = read(write(folder / "in.csv", stored.getvalue().encode()), folder / "out", config=LENIENT)
    assert [[row["text"], row["meta"]["note"]] for row in documents(corpus)] == rows
