"""Arrow IPC: files and streams of several writers, and files that are damaged, or stand for more than they hold."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from dq.corpus import ReadConfig
from dq.corpus.documents import Origin
from dq.corpus.formats import expansion
from dq.corpus.formats.arrow import ArrowIpc
from dq.corpus.inputs import find_inputs
from dq.errors import InputError
from tests.corpus.files import documents, quarantined, read, write

ROWS = [{"id": f"r{n}", "text": f"text {n} é 漢\n", "n": n, "deep": {"a": [n]}} for n in range(50)]
TABLE = pa.Table.from_pylist(ROWS)


def ipc(table: pa.Table, *, kind: str = "file", rows: int = 20, **options: Any) -> bytes:
    stored = io.BytesIO()
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(stored, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return stored.getvalue()


@pytest.mark.parametrize("name", ["in.arrow", "in.feather.gz", "in.ipc.zst", "in.jsonl"])
@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_files_and_streams_are_read_whatever_their_names(
    tmp_path: Path, name: str, kind: str, compression: str | None
) -> None:
    path = write(tmp_path / name, ipc(TABLE, kind=kind, compression=compression))
    assert isinstance(find_inputs([str(path)]).files[0].format, ArrowIpc)
    got = documents(read(path, tmp_path / "out"))
    assert [(row["id"], row["text"], row["meta"]) for row in got] == [
        (row["id"], row["text"], {"n": row["n"], "deep": row["deep"]}) for row in ROWS
    ]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_of_every_type_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.chunked_array([TABLE["text"].combine_chunks().cast(kind)])
    path = write(tmp_path / "in.arrow", ipc(pa.table({"text": texts})))
    assert [row["text"] for row in documents(read(path, tmp_path / "out"))] == [row["text"] for row in ROWS]


def test_what_polars_and_feather_write_is_read(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS).with_columns(kind=pl.Series(["a", "b"] * 25, dtype=pl.Categorical))
    frame.write_ipc(tmp_path / "a.arrow")
    frame.write_ipc_stream(tmp_path / "b.arrow", compression="zstd")
    pyarrow.feather.write_feather(TABLE, tmp_path / "c.feather")
    for name in ("a.arrow", "b.arrow", "c.feather"):
        got = documents(read(tmp_path / name, tmp_path / f"{name}.out"))
        assert [row["text"] for row in got] == [row["text"] for row in ROWS]


def test_bad_rows_are_quarantined_with_their_number_and_the_others_read(tmp_path: Path) -> None:
    raw = pa.array([b"good", b"caf\xe9", None, b"x" * 101, b"end"], pa.binary())
    text = pa.StringArray.from_buffers(len(raw), *raw.buffers()[1:], raw.buffers()[0])
    config = ReadConfig(max_document_bytes=100, max_bad_fraction=1.0)
    corpus = read(write(tmp_path / "in.arrow", ipc(pa.table({"text": text}), rows=2)), tmp_path / "out", config=config)
    assert [row["text"] for row in documents(corpus)] == ["good", "end"]
    assert [(row["line"], row["reason"]) for row in quarantined(corpus.folder)] == [
        (2, "invalid_utf8"),
        (3, "text_missing"),
        (4, "text_too_large"),
    ]


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_file_that_is_cut_or_broken_is_named_on_one_line(tmp_path: Path, kind: str) -> None:
    whole = ipc(TABLE, kind=kind, rows=50)
    for number, damaged in enumerate((whole[: len(whole) // 2], whole[:20], whole[:400] + b"\xff" * 200 + whole[600:])):
        path = write(tmp_path / f"{number}.arrow", damaged)
        with pytest.raises(InputError, match=rf"{number}\.arrow: (cannot be read: |.*unreadable)") as caught:
            read(path, tmp_path / str(number), config=ReadConfig())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_no_flipped_byte_ends_the_process_or_makes_a_traceback(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.chunked_array([pa.array([f"a text of some length {n}" for n in range(40)]).cast(kind)])
    draw = random.Random(1)
    for number in range(60):
        stored = bytearray(ipc(pa.table({"text": texts}), kind=("file", "stream")[number % 2], rows=40))
        for _ in range(3):
            stored[draw.randrange(8, len(stored))] = draw.randrange(256)
        path = write(tmp_path / "in.arrow", bytes(stored))
        try:
            read(path, tmp_path / str(number))
        except InputError as error:
            assert "\n" not in str(error)


def test_a_table_without_texts_names_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "in.arrow", ipc(TABLE.rename_columns(["id", "body", "n", "deep"])))
    with pytest.raises(
        InputError, match=r"no column `text`; the fields there are: id, body, n, deep.*did you mean `body`"
    ):
        read(path, tmp_path / "out")
    with pytest.raises(InputError, match=r"in\.arrow: holds no Arrow, as its name says"):
        read(write(tmp_path / "in.arrow", b"hello"), tmp_path / "out")


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_batches_that_stand_for_more_than_they_hold_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    monkeypatch.setattr(expansion, "FREE_BYTES", 1 << 20)
    monkeypatch.setattr(expansion, "MAX_RATIO", 2)
    path = write(tmp_path / "in.arrow", ipc(pa.table({"text": ["a" * 4_000_000]}), compression=codec))
    monkeypatch.setattr(pa.ipc, "open_file", None)  # nothing is decoded
    with pytest.raises(InputError, match="expand to more than 2 times as many"):
        read(path, tmp_path / "out")


def test_a_text_that_is_stored_once_is_decoded_a_few_rows_at_a_time(tmp_path: Path) -> None:
    long = "b" * 100_000_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int8()), [long])
    path = write(tmp_path / "in.arrow", ipc(pa.table({"text": texts}), rows=1000, compression="zstd"))
    one = find_inputs([str(path)]).files[0]
    before = pa.total_allocated_bytes()
    assert isinstance(one.format, ArrowIpc)
    batches = one.format.batches(one.file, Origin("in", "in", one.spec), max_document_bytes=len(long))
    assert len(next(batches).documents) == 2
    assert pa.total_allocated_bytes() - before < 1_000_000_000


def test_lists_of_shared_texts_are_refused_by_the_name_of_their_column(tmp_path: Path) -> None:
    tags = pa.array([["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string())))
    path = write(tmp_path / "in.arrow", ipc(pa.table({"text": ["x"], "tags": tags})))
    with pytest.raises(InputError, match=r"in\.arrow: column `tags` holds list<.*, which dq does not read"):
        read(path, tmp_path / "out")
