"""Small files that stand for gigabytes: they end within bounds of memory and time, or are refused on one line."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from dq.corpus import quarantine
from dq.corpus.batches import BATCH_BYTES
from dq.corpus.formats import expansion, parquet_bounds
from dq.corpus.inputs import find_inputs
from dq.corpus.pieces import Part, read_parts
from dq.errors import InputError
from tests.corpus.files import LENIENT, documents, quarantined, read

TEXT = "The quick brown fox of the night went to the house and said that it was good. " * 11_500  # 0.9 MB


def sizes(path: Path) -> list[int]:
    """Bytes of the batches that a file is read in."""
    (file,) = find_inputs([path]).files
    return [batch.documents.nbytes for _, batch in read_parts([Part(file)], max_document_bytes=64_000_000)]


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"use_dictionary": ["text"], "version": "1.0"}])
def test_a_text_that_is_stored_once_is_decoded_a_few_rows_at_a_time(tmp_path: Path, options: dict[str, object]) -> None:
    pq.write_table(pa.table({"text": [TEXT] * 300}), tmp_path / "x.parquet", **options)
    found = sizes(tmp_path / "x.parquet")
    assert sum(found) > 300 * len(TEXT)
    assert max(found) <= parquet_bounds.MAX_BATCH_BYTES
    if "use_dictionary" not in options:
        assert (tmp_path / "x.parquet").stat().st_size < 200_000


def test_texts_that_share_their_beginnings_are_decoded_a_few_rows_at_a_time(tmp_path: Path) -> None:
    table = pa.table({"text": [f"{TEXT}{n}" for n in range(300)]})
    encoding = {"text": "DELTA_BYTE_ARRAY"}
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False, column_encoding=encoding, compression="none")
    assert (tmp_path / "x.parquet").stat().st_size < 2_000_000
    found = sizes(tmp_path / "x.parquet")
    assert sum(found) > 300 * len(TEXT)
    assert max(found) <= parquet_bounds.MAX_BATCH_BYTES


def test_batches_that_were_read_small_are_put_together_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {n % 50}" for n in range(2000)]
    pq.write_table(pa.table({"text": texts, "n": list(range(2000))}), tmp_path / "x.parquet")
    monkeypatch.setattr(parquet_bounds, "MAX_BATCH_BYTES", 10_000)
    corpus = read(tmp_path / "x.parquet", tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == texts
    assert len(sizes(tmp_path / "x.parquet")) == 1


def test_a_row_whose_list_decodes_to_gigabytes_is_refused_and_a_smaller_one_is_read(tmp_path: Path) -> None:
    for count, name in ((8000, "bomb"), (20, "list")):
        values = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([TEXT]))
        tags = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), values)
        pq.write_table(pa.table({"text": ["a"], "tags": tags}), tmp_path / f"{name}.parquet", store_schema=False)
    with pytest.raises(InputError, match=r"bomb\.parquet: a row of column `tags\.list\.element` decodes to more than"):
        sizes(tmp_path / "bomb.parquet")
    assert len(documents(read(tmp_path / "list.parquet", tmp_path / "out"))[0]["meta"]["tags"]) == 20


@pytest.mark.parametrize(("columns", "is_read"), [(parquet_bounds.MAX_COLUMNS, True), (100_001, False)])
def test_a_file_of_very_many_columns_is_one_line(tmp_path: Path, columns: int, *, is_read: bool) -> None:
    table = pa.table({"text": ["a"], **{f"c{n}": pa.array([1], pa.int8()) for n in range(columns - 1)}})
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False, write_statistics=False)
    if is_read:
        assert len(documents(read(tmp_path / "x.parquet", tmp_path / "out"))[0]["meta"]) == columns - 1
        return
    with pytest.raises(InputError, match=r"x\.parquet: 100,001 columns, more than 10,000; ") as caught:
        sizes(tmp_path / "x.parquet")
    assert len(str(caught.value)) < 400


def test_a_missing_text_among_many_columns_names_a_few_of_them(tmp_path: Path) -> None:
    table = pa.table({f"column_{n}": pa.array([1], pa.int8()) for n in range(9000)})
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False, write_statistics=False)
    with pytest.raises(InputError, match=r"no column `text`; the fields there are: column_0, .*, \.\.\.;") as caught:
        sizes(tmp_path / "x.parquet")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", ["zstd", "parquet", "rows"])
def test_a_file_is_read_up_to_the_bound_and_refused_past_it(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "FREE_BYTES", 3_000_000)
    for rows, name in ((2, "within"), (5, "past")):
        path = tmp_path / f"{name}.{'parquet' if kind == 'parquet' else 'jsonl'}"
        if kind == "zstd":
            path.write_bytes(zstd.compress(b'{"text": "%s"}\n' % (b"a" * 1_000_000) * rows))
        elif kind == "rows":
            path.write_bytes(zstd.compress(b"{}\n" * (rows * 1_000_000 // expansion.ROW_BYTES)))
        else:
            pq.write_table(pa.table({"text": ["a" * 1_000_000] * rows}), path, compression="zstd")
        if name == "within":
            assert sizes(path)
            continue
        with pytest.raises(InputError, match=r"past\..*: [\d,]+ bytes expand to more than 1,000 times as many"):
            sizes(path)


def test_the_list_of_unreadable_rows_is_bounded_and_their_count_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_LISTED", 10)
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "a"}\n' + b"x\n" * 50)
    corpus = read(tmp_path / "in.jsonl", tmp_path / "out", config=LENIENT)
    assert corpus.record.summary["quarantined"] == {"broken_json": 50}
    assert [row["line"] for row in quarantined(tmp_path / "out")] == list(range(2, 12))


def test_a_bomb_ends_within_its_memory(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [TEXT] * 8000}), tmp_path / "x.parquet")  # 7.4 GB of text in 0.1 MB
    program = (
        "import resource, sys\n"
        "from dq.corpus.inputs import find_inputs\n"
        "from dq.corpus.pieces import Part, read_parts\n"
        "from dq.errors import InputError\n"
        "try:\n"
        "    for _ in read_parts([Part(find_inputs(sys.argv[1:]).files[0])], max_document_bytes=64_000_000): pass\n"
        "except InputError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.parquet")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)),
    )
    message, peak_kb = done.stdout.splitlines()
    assert "expand to more than 1,000 times" in message
    assert int(peak_kb) < 2_500_000
    assert BATCH_BYTES < parquet_bounds.MAX_BATCH_BYTES
