"""Rows pass through `dq filter` with their own fields, into a folder or one file, and are read again from both."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dq.corpus.columns import as_schema, table_of_rows, united
from dq.corpus.config import InputSpec
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.executors import LocalExecutor
from dq.files import filter_files, score_files
from dq.inspect.document import document_history
from dq.inspect.dropped import dropped_documents
from dq.quality import Rule, RuleSet

RULES = RuleSet(name="r", rules=(Rule(signal="word_count", minimum=3, reason="short"),))
ROWS: list[dict[str, Any]] = [
    {"doc_id": n, "content": "a b c d" if n % 2 else "a", "tags": ["x"] * (n % 3), "big": 2**70 + n, "reasons": "mine"}
    for n in range(40)
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def source(tmp_path: Path) -> InputSpec:
    (tmp_path / "in.jsonl").write_text(lines(ROWS))
    return InputSpec(path=str(tmp_path / "in.jsonl"), text_field="content", id_field="doc_id")


def test_columns_keep_their_names_and_types_and_ours_stand_beside_them(tmp_path: Path, source: InputSpec) -> None:
    filter_files([source], RULES, kept=tmp_path / "k", dropped=tmp_path / "d")
    kept = pl.read_parquet(tmp_path / "k" / "*.parquet")
    assert kept.columns == ["source", *ROWS[0]]
    assert kept["doc_id"].to_list() == list(range(1, 40, 2))
    assert kept["tags"].to_list() == [row["tags"] for row in ROWS[1::2]]
    assert kept["big"].to_list() == [str(row["big"]) for row in ROWS[1::2]]
    dropped = pl.read_parquet(tmp_path / "d" / "*.parquet")
    assert dropped["reasons"].unique().to_list() == ["mine"]
    assert dropped["dq_reasons"].to_list() == [["short"]] * 20
    found = dropped_documents(tmp_path / "d", "short", limit=1)[0]
    assert (found.id, found.text, found.value, found.reasons) == ("0", "a", 1, ("short",))
    assert [one.fate for one in document_history(tmp_path / "k", "3")] == ["kept"]
    assert [one.fate for one in document_history(tmp_path / "d", "4")] == ["dropped"]


@pytest.mark.parametrize("name", ["k.jsonl", "k.jsonl.gz", "k.jsonl.zst", "k.parquet"])
def test_one_file_by_its_name_is_the_same_for_any_workers_and_goes_on(
    tmp_path: Path, source: InputSpec, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq.files.pieces.PIECE_BYTES", 500)
    outputs = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        run = {"kept": folder / name, "dropped": folder / f"dropped-{name}", "executor": LocalExecutor(workers)}
        filter_files([source], RULES, **run)  # type: ignore[arg-type]
        outputs.append([(folder / name).read_bytes(), (folder / f"dropped-{name}").read_bytes()])
        changed = (folder / name).stat().st_mtime_ns
        filter_files([source], RULES, **run)  # type: ignore[arg-type]
        assert (folder / name).stat().st_mtime_ns == changed
        (folder / name).unlink()
        filter_files([source], RULES, **run)  # type: ignore[arg-type]
        assert (folder / name).read_bytes() == outputs[-1][0]
    assert outputs[0] == outputs[1]
    if name == "k.jsonl":
        assert outputs[0][0].decode() == lines(ROWS[1::2])
        first = json.loads(outputs[0][1].splitlines()[0])
        place = {"file": str(source.path), "row": 1}
        why = {"dq_reasons": ["short"], "not_judged": [], "word_count": 1, "unsegmented_script": 0}
        assert first == {**ROWS[0], **place, **why}
    if name.endswith(".gz"):
        assert gzip.decompress(outputs[0][0]).decode() == lines(ROWS[1::2])


def test_columns_of_parquet_are_as_they_were(tmp_path: Path) -> None:
    table = pa.table(
        {
            "data": [{"text": "a b c", "n": 1}],
            "day": [datetime.date(2020, 1, 2)],
            "when": pa.array([0], pa.timestamp("us", "Not/AZone")),
            "number": pa.array([7], pa.uint64()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    filter_files([InputSpec(path=str(tmp_path / "in.parquet"), text_field="data.text")], RULES, kept=tmp_path / "k")
    found = pq.read_table(tmp_path / "k" / "00000.parquet")
    assert found.select(table.column_names).cast(table.schema).equals(table)
    assert document_history(tmp_path / "k", f"{tmp_path}/in.parquet:1")[0].text == "a b c"


def test_files_of_different_columns_become_one_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a b c"], "n": pa.array([1], pa.int32())}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["a b c"], "n": [0.5], "more": ["m"]}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text(lines([{"text": "a b c", "more": {"k": 1}}]))
    paths = [str(tmp_path / name) for name in ("a.parquet", "b.parquet", "c.jsonl")]
    filter_files(paths, RULES, kept=tmp_path / "k")
    found = pl.read_parquet(tmp_path / "k" / "*.parquet")
    assert found["n"].to_list() == [1.0, 0.5, None]
    assert found["more"].to_list() == [None, "m", '{"k":1}']


def test_a_type_that_changes_within_a_piece_is_united(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.corpus.batches.BATCH_ROWS", 2)
    values = [None, None, 1, 2, 0.5, None, "x", [1], True]
    (tmp_path / "a.jsonl").write_text(lines([{"text": "a b c", "v": value} for value in values]))
    filter_files([str(tmp_path / "a.jsonl")], RULES, kept=tmp_path / "k")
    found = pl.read_parquet(tmp_path / "k" / "*.parquet")["v"].to_list()
    assert found[:2] == [None, None]
    assert found[6:] == ["x", "[1]", "true"]
    assert [float(value) for value in found[2:5]] == [1, 2, 0.5]


def test_tables_of_rows_have_the_types_of_their_values() -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": 2**53 + 1, "c": {"k": [1, None]}, "d": {}},
        {"a": 0.5, "b": 0.5, "c": None, "e": 2**64},
    ]
    table = table_of_rows(rows)
    assert table.column("a").to_pylist() == [1.0, 0.5]
    assert table.column("b").to_pylist() == [str(2**53 + 1), "0.5"]
    assert table.column("c").to_pylist() == [{"k": [1, None]}, None]
    assert table.column("d").to_pylist() == ["{}", None]
    assert table.column("e").to_pylist() == [None, str(2**64)]
    both = united(table.schema, pa.schema([("f", pa.int8()), ("a", pa.large_string())]))
    assert as_schema(table, both).column("a").to_pylist() == ["1.0", "0.5"]


@pytest.mark.parametrize("name", ["k.csv", "k.json", "k.txt", "k.jsonl.bz2"])
def test_another_ending_is_refused_before_any_work(tmp_path: Path, source: InputSpec, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.jsonl\.zst"):
        filter_files([source], RULES, kept=tmp_path / name)
    assert not (tmp_path / name).exists()
    with pytest.raises(ConfigError, match=r"\.jsonl"):
        score_files([source], tmp_path / name.replace(".csv", ".tsv"))


def test_a_file_of_the_users_own_is_never_replaced(tmp_path: Path, source: InputSpec) -> None:
    (tmp_path / "mine.jsonl").write_text("mine")
    with pytest.raises(WorkspaceError, match="already there"):
        filter_files([source], RULES, kept=tmp_path / "mine.jsonl")
    with pytest.raises(WorkspaceError, match="already there"):
        score_files([source], tmp_path / "mine.jsonl", signals=["word_count"])
    assert (tmp_path / "mine.jsonl").read_text() == "mine"


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.zst", "s.csv"])
def test_scores_are_written_as_the_name_says(tmp_path: Path, source: InputSpec, name: str) -> None:
    score_files([source], tmp_path / name, signals=["word_count"])
    read = pl.read_csv if name.endswith(".csv") else pl.read_ndjson
    found = read(tmp_path / name)
    assert found["word_count"].to_list() == [4 if row["doc_id"] % 2 else 1 for row in ROWS]
    before = (tmp_path / name).stat().st_mtime_ns
    score_files([source], tmp_path / name, signals=["word_count"])
    assert (tmp_path / name).stat().st_mtime_ns == before


def test_after_a_wrong_text_field_the_right_one_goes_into_the_same_place(tmp_path: Path, source: InputSpec) -> None:
    wrong = InputSpec(path=str(tmp_path / "in.jsonl"))
    for name in ("k", "k.jsonl"):
        with pytest.raises(InputError, match="did you mean `content`"):
            filter_files([wrong], RULES, kept=tmp_path / name)
        assert filter_files([source], RULES, kept=tmp_path / name).kept == 20
    with pytest.raises(InputError, match="did you mean `content`"):
        score_files([wrong], tmp_path / "s.parquet", signals=["word_count"])
    assert score_files([source], tmp_path / "s.parquet", signals=["word_count"]).documents == 40


class Meanwhile(LocalExecutor):
    """Works as ever, while somebody puts files of their own beside what is written."""

    def run(self, function: Any, tasks: Any, **options: Any) -> None:
        place = tasks[0].scratch.parent
        (place / "mine.txt").write_text("of the user")
        (place / "link").symlink_to(place.parent)
        (place / "notes").mkdir()
        super().run(function, tasks, **options)


def test_files_of_the_user_outlive_a_wrong_text_field(tmp_path: Path, source: InputSpec) -> None:
    with pytest.raises(InputError, match="did you mean `content`"):
        filter_files([InputSpec(path=str(tmp_path / "in.jsonl"))], RULES, kept=tmp_path / "k", executor=Meanwhile())
    left = {path.relative_to(tmp_path / "k").as_posix() for path in (tmp_path / "k").rglob("*")}
    assert left - {".lock"} == {"mine.txt", "link", "notes"}
