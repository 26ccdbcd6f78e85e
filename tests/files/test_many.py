"""Many small files are read together, and every row is still that of its file."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from dq.corpus.config import InputSpec, ReadConfig, RowLimits
from dq.corpus.inputs import find_inputs
from dq.errors import InputError
from dq.executors import LocalExecutor
from dq.files import filter_files, score_files
from dq.files.pieces import Scoring, cut, run_pieces
from dq.files.score import score_piece, score_tasks
from dq.inspect.dropped import dropped_documents
from dq.quality import Rule, RuleSet
from dq.stages.read import ingest
from tests.progress import Heard

RULES = RuleSet(name="long", rules=(Rule(signal="char_count", minimum=14, reason="short"),))
NUMBERS = range(60)
LENIENT = Scoring(RowLimits(max_bad_fraction=0.5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of no, one and a few rows, of three kinds, some rows unreadable; ids repeat everywhere."""
    place = tmp_path / "in"
    place.mkdir()
    for n in NUMBERS:
        lines = [json.dumps({"id": f"d{k}", "text": text(n, k), "n": n}) for k in range(n % 4)]
        if n % 5 == 0:
            lines.insert(n % 2, "{broken")
        content = "".join(line + "\n" for line in lines).encode()
        if n % 7 == 0:
            rows = [json.loads(line) for line in lines if line != "{broken"]
            schema = {"id": pl.String, "text": pl.String, "n": pl.Int64}
            pl.DataFrame(rows, schema=schema).write_parquet(place / f"{n:02d}.parquet")
        elif n % 3 == 0:
            (place / f"{n:02d}.jsonl.gz").write_bytes(gzip.compress(content))
        else:
            (place / f"{n:02d}.jsonl").write_bytes(content)
    return place


def text(n: int, k: int) -> str:
    return f"text {n:02d} {k}" + " is long" * (n % 3 == k % 3)


def text_at(file: str, row: int) -> str:
    if file.endswith(".parquet"):
        return str(pq.read_table(file)["text"][row - 1].as_py())
    raw = Path(file).read_bytes()
    line = (gzip.decompress(raw) if file.endswith(".gz") else raw).splitlines()[row - 1]
    return str(json.loads(line)["text"])


@pytest.mark.parametrize("batch_rows", [1, 5, 1 << 14])
def test_a_dropped_row_names_its_file_and_row_whatever_its_id(
    folder: Path, tmp_path: Path, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq.corpus.batches.BATCH_ROWS", batch_rows)
    result = filter_files([str(folder)], RULES, kept=tmp_path / "k", dropped=tmp_path / "d", scoring=LENIENT)
    dropped = pl.read_parquet(tmp_path / "d" / "*.parquet")
    assert result.documents == sum(n % 4 for n in NUMBERS)
    assert len(dropped) == sum(n % 3 != k % 3 for n in NUMBERS for k in range(n % 4))
    assert dropped.select("file", "row").n_unique() == len(dropped) > dropped["id"].n_unique()
    for row in dropped.iter_rows(named=True):
        assert text_at(row["file"], row["row"]) == row["text"]
    assert dropped["n"].is_sorted()  # in the order of the files
    found = dropped_documents(tmp_path / "d", "short", limit=1)[0]
    assert (found.file, found.row) == (dropped["file"][0], dropped["row"][0])


def test_rows_are_counted_and_listed_by_the_file_they_are_in(folder: Path, tmp_path: Path) -> None:
    result = filter_files([str(folder)], RULES, kept=tmp_path / "k", scoring=LENIENT)
    broken = {n for n in NUMBERS if n % 5 == 0 and n % 7}
    by_file = {int(Path(name).name[:2]): rows for name, rows in result.rows.rows_by_file.items()}
    assert by_file == {n: n % 4 + (n in broken) for n in NUMBERS}
    assert {int(Path(name).name[:2]) for name in result.rows.empty_files} == {n for n in NUMBERS if not by_file[n]}
    listed = [json.loads(line) for line in (tmp_path / "k/quarantined.jsonl").read_text().splitlines()]
    assert {(int(Path(one["file"]).name[:2]), one["line"]) for one in listed} == {
        (n, 1 + min(n % 2, n % 4)) for n in broken
    }


def test_many_files_are_the_documents_of_one(folder: Path, tmp_path: Path) -> None:
    rows = [{"id": f"d{k}", "text": text(n, k), "n": n} for n in NUMBERS for k in range(n % 4)]
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    filter_files([str(folder)], RULES, kept=tmp_path / "many", scoring=LENIENT)
    filter_files([str(tmp_path / "one.jsonl")], RULES, kept=tmp_path / "one")
    many, one = (pl.read_parquet(tmp_path / name / "*.parquet") for name in ("many", "one"))
    assert many.drop("source").equals(one.drop("source"))
    assert many.schema == one.schema
    score_files([str(folder)], tmp_path / "many.parquet", signals=["char_count"], scoring=LENIENT)
    score_files([str(tmp_path / "one.jsonl")], tmp_path / "one.parquet", signals=["char_count"])
    assert pl.read_parquet(tmp_path / "many.parquet")["char_count"].equals(
        pl.read_parquet(tmp_path / "one.parquet")["char_count"]
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_the_bytes_of_a_compressed_file_as_it_is_read(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq.corpus.batches.BATCH_BYTES", 5_000)
    monkeypatch.setattr("dq.corpus.formats.compression.PACKED_BYTES", 1_000)
    monkeypatch.setattr("dq.corpus.formats.jsonl.CHUNK_BYTES", 1_000)
    rows = [json.dumps({"text": f"{n} {n * n}" * 40}) for n in range(1000)]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    (tmp_path / "b.jsonl").write_text("\n".join(rows[:50]))
    files = [tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"]
    size, heard = sum(file.stat().st_size for file in files), Heard()
    paths = [str(file) for file in files]
    filter_files(paths, RULES, kept=tmp_path / "k", progress=heard, executor=LocalExecutor(workers))
    assert heard.steps[-1] == ("filter", "bytes", size)
    assert heard.done[-1] == size
    first = [done for done, detail in zip(heard.done, heard.details, strict=True) if detail.endswith("a.jsonl.gz")]
    assert len(first) > 3
    assert max(after - before for before, after in itertools.pairwise(first)) < files[0].stat().st_size / 2
    scored = Heard()
    score_files(paths, tmp_path / "s.parquet", signals=["char_count"], progress=scored)
    assert (scored.steps[-1], scored.done[-1]) == (("score", "bytes", size), size)


def test_progress_of_what_is_gone_on_with_counts_what_was_done_before(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(3)))
    pieces, heard = cut(find_inputs([str(tmp_path / "a.jsonl")]).files) * 3, Heard()
    tasks = score_tasks(pieces, ["char_count"], scoring=Scoring(), scratch=tmp_path / "parts")
    tasks[1].scratch.mkdir()
    score_piece(tasks[1])
    run_pieces(score_piece, tasks, executor=LocalExecutor(), progress=heard, name="score")
    size = (tmp_path / "a.jsonl").stat().st_size
    assert heard.steps == [("score", "bytes", 3 * size)]
    assert (heard.done[0], heard.done[-1]) == (size, 3 * size)


def test_entries_of_other_fields_share_no_batch(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "body": "no"}\n')
    (tmp_path / "b.jsonl").write_text('{"body": "b", "text": "no"}\n')
    specs = [InputSpec(path=str(tmp_path / "a.jsonl")), InputSpec(path=str(tmp_path / "b.jsonl"), text_field="body")]
    corpus = ingest(tmp_path / "out", find_inputs(specs), ReadConfig())
    assert corpus.texts_of([0, 1]) == ["a", "b"]


def test_a_damaged_file_among_many_is_the_one_that_is_named(folder: Path, tmp_path: Path) -> None:
    broken = folder / "33.jsonl.gz"
    broken.write_bytes(broken.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"33\.jsonl\.gz: cannot be read: the gzip data ends before its end mark"):
        filter_files([str(folder)], RULES, kept=tmp_path / "k")
