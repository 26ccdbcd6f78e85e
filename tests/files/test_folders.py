"""A folder means the same files in every command, and in a job's `input:`."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.dedup import Resources
from dq.errors import InputError
from dq.files.dedup import dedup_files
from dq.files.filter import filter_files
from dq.files.forecast import forecast_cost
from dq.files.score import score_files
from dq.quality import Rule, RuleSet
from dq.stages.read import ingest
from dq.stages.selection import DeduplicationConfig

RULES = RuleSet(name="any", rules=(Rule(signal="word_count", minimum=1, reason="empty"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five documents in three files, one of them deeper, beside what is no input."""
    folder = tmp_path / "in"
    (folder / "deep/.hidden").mkdir(parents=True)
    texts = [f"document number {n} " + " ".join(f"word{n}{m}" for m in range(30)) for n in range(5)]
    (folder / "a.jsonl").write_text("\n".join(json.dumps({"text": text, "id": text[16]}) for text in texts[:2]))
    pl.DataFrame({"text": texts[2:4], "id": ["2", "3"]}).write_parquet(folder / "deep/b.parquet")
    (folder / "deep/c.json").write_text(json.dumps({"text": texts[4], "id": "4"}))
    for name in ("deep/.hidden/d.jsonl", "quarantined.jsonl", "stage.json", ".e.jsonl", "notes.txt"):
        (folder / name).write_text('{"text": "not an input"}')
    return folder


def test_every_command_reads_the_same_documents_of_a_folder(folder: Path, tmp_path: Path) -> None:
    spec, ids = InputSpec(path=str(folder)), [str(n) for n in range(5)]
    assert ingest(tmp_path / "read", [spec], ReadConfig()).documents["id"].to_list() == ids
    score_files([spec], tmp_path / "s.parquet", signals=["word_count"])
    assert pl.read_parquet(tmp_path / "s.parquet")["id"].to_list() == ids
    assert filter_files([spec], RULES, kept=tmp_path / "kept").kept == 5
    assert pl.read_parquet(tmp_path / "kept/*.parquet")["id"].to_list() == ids
    assert forecast_cost([spec], DeduplicationConfig(), resources=Resources(threads=1)).documents == 5
    assert dedup_files([spec], tmp_path / "dedup", DeduplicationConfig()).sources["documents"].sum() == 5


def test_every_command_refuses_a_folder_of_nothing_with_one_message(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    spec, messages = InputSpec(path=str(tmp_path / "in")), set()
    for command in (
        lambda: ingest(tmp_path / "read", [spec], ReadConfig()),
        lambda: score_files([spec], tmp_path / "s.parquet"),
        lambda: filter_files([spec], RULES, kept=tmp_path / "kept"),
        lambda: forecast_cost([spec], DeduplicationConfig()),
        lambda: dedup_files([spec], tmp_path / "dedup", DeduplicationConfig()),
    ):
        with pytest.raises(InputError) as refused:
            command()
        messages.add(str(refused.value))
    assert len(messages) == 1
    assert "no such file, and no folder with files in it that dq reads" in messages.pop()
