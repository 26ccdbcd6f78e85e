"""Repeated passages cut out of files: what is left, the ledger, the guard, and going on."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest

from dq.corpus import ReadConfig
from dq.dedup import Resources
from dq.dedup.passages import estimate_passages
from dq.dedup.policy import Policy
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.files import audit_passages, cut_passages
from dq.stages.base import View
from dq.stages.passages import FoundPassages, PassageConfig
from dq.store import Workspace
from tests.command import run_dq
from tests.jobs.texts import prose, vocabulary, write_jsonl
from tests.jobs.workspaces import contents

RNG, WORDS = random.Random(9), vocabulary(9)
NOTICE = prose(RNG, WORDS, 50)
ROWS = [
    {
        "id": f"d{number:02d}",
        "source": "news" if number % 2 else "web",
        "text": f"{prose(RNG, WORDS, 150)}\n{NOTICE if number % 4 == 0 else number}\n{prose(RNG, WORDS, 20)}\n",
        "date": f"2024-01-{30 - number:02d}",
    }
    for number in range(24)
]
TEXTS = {str(row["id"]): str(row["text"]) for row in ROWS}
OPTIONS = PassageConfig(min_bytes=100, boundaries="lines", keep=Policy.parse("earliest:date"))


def tables(out: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.read_parquet(out / "kept" / "*.parquet").sort("id"), pl.read_parquet(out / "passages.parquet")


def test_one_document_keeps_a_passage_and_the_ledger_names_it(tmp_path: Path) -> None:
    done = cut_passages([str(write_jsonl(tmp_path / "in.jsonl", ROWS))], tmp_path / "out", OPTIONS)
    kept, ledger = tables(tmp_path / "out")
    for row in kept.iter_rows(named=True):
        loses = row["id"] not in ("d20", *(name for name in TEXTS if int(name[1:]) % 4))  # d20 is the earliest
        assert row["text"] == (TEXTS[row["id"]].replace(f"{NOTICE}\n", "") if loses else TEXTS[row["id"]])
        assert row["cut_bytes"] == len(TEXTS[row["id"]]) - len(row["text"])
        assert json.loads(row["meta"]) == {"date": f"2024-01-{30 - int(row['id'][1:]):02d}"}
    assert set(ledger["id"]) == {"d00", "d04", "d08", "d12", "d16"} and "d20" in set(ledger["kept_id"])
    for row in ledger.iter_rows(named=True):
        size = row["end"] - row["begin"]
        assert TEXTS[row["id"]][row["begin"] : row["end"]] == TEXTS[row["kept_id"]][row["kept_begin"] :][:size]
        assert row["kept_id"] > row["id"]  # was written earlier
    for (name,), rows in ledger.group_by("id"):
        cuts = rows.sort("begin").select("cut_begin", "cut_end").iter_rows()
        assert "".join(TEXTS[str(name)][begin:end] for begin, end in cuts) == f"{NOTICE}\n"
    assert done.sources["cut"].to_list() == [0, 5] and done.sources["emptied"].sum() == 0
    assert done.record()["kept_bytes"] == kept["text"].str.len_bytes().sum()


def test_order_shards_threads_and_memory_change_nothing(tmp_path: Path) -> None:
    wanted = cut_passages([str(write_jsonl(tmp_path / "in.jsonl", ROWS))], tmp_path / "one", OPTIONS)
    mixed = random.Random(1).sample(ROWS, len(ROWS))
    cut_passages(
        [str(write_jsonl(tmp_path / "other.jsonl", mixed))],
        tmp_path / "two",
        OPTIONS,
        read=ReadConfig(shard_rows=5),
        resources=Resources(threads=2, memory_bytes=16_000_000),
    )
    (one, first), (two, second) = tables(tmp_path / "one"), tables(tmp_path / "two")
    assert one.equals(two) and wanted.pieces == len(first)
    names = [name for name in first.columns if not name.endswith("document")]
    assert first.select(names).sort(names).equals(second.select(names).sort(names))


def test_a_source_that_would_lose_too_much_stops_it_and_may_be_let(tmp_path: Path) -> None:
    files = [str(write_jsonl(tmp_path / "in.jsonl", ROWS))]
    tight = OPTIONS.model_copy(update={"max_removed_fraction": 0.01})
    with pytest.raises(InputError, match=r"source web: \d+% of its [\d,]+ bytes are passages .* `allow_removal`: web"):
        cut_passages(files, tmp_path / "out", tight)
    assert not (tmp_path / "out" / "kept").exists()
    let = tight.model_copy(update={"allow_removal": ("web",)})
    assert cut_passages(files, tmp_path / "out", let).sources["cut"].sum() == 5


def test_other_settings_are_refused_and_replaced(tmp_path: Path) -> None:
    files = [str(write_jsonl(tmp_path / "in.jsonl", ROWS))]
    cut_passages(files, tmp_path / "out", OPTIONS)
    before = contents(Workspace(tmp_path / "out"))
    cut_passages(files, tmp_path / "out", OPTIONS)
    assert contents(Workspace(tmp_path / "out")) == before
    whole = OPTIONS.model_copy(update={"drop_above": 0.1})
    with pytest.raises(WorkspaceError, match="overwrite"):
        cut_passages(files, tmp_path / "out", whole)
    assert cut_passages(files, tmp_path / "out", whole, overwrite=True).sources["emptied"].sum() == 5
    kept, _ = tables(tmp_path / "out")
    assert dict(kept.select("id", "text").iter_rows()) == {
        name: text for name, text in TEXTS.items() if int(name[1:]) % 4 or name == "d20"
    }


def test_a_finished_ledger_is_proven_and_a_changed_one_is_not(tmp_path: Path) -> None:
    cut_passages([str(write_jsonl(tmp_path / "in.jsonl", ROWS))], tmp_path / "out", OPTIONS)
    assert len(audit_passages(Workspace(tmp_path / "out"))) == 0
    found = View(Workspace(tmp_path / "out")).open(FoundPassages)
    moved = found.pieces.with_columns(pl.col("kept_begin") + 1)
    moved.write_parquet(found.folder / "pieces.parquet")
    with pytest.raises(WorkspaceError, match=r"pieces\.parquet"):  # its digest is not that of the record
        audit_passages(Workspace(tmp_path / "out"))


def test_a_policy_by_a_signal_takes_it_from_the_texts(tmp_path: Path) -> None:
    rows = [{"id": "short", "text": f"a b\n{NOTICE}"}, {"id": "long", "text": f"{NOTICE}\nc d e f"}]
    file = str(write_jsonl(tmp_path / "in.jsonl", rows))
    config = PassageConfig(min_bytes=100, keep=Policy.parse("best:word_count"), min_rest_bytes=0)
    cut_passages([file], tmp_path / "out", config)
    assert dict(tables(tmp_path / "out")[0].select("id", "text").iter_rows())["short"] == "a b\n"
    with pytest.raises(ConfigError, match="no document has a field 'year'"):
        cut_passages([file], tmp_path / "other", PassageConfig(keep=Policy.parse("earliest:year")))


def test_the_command_prints_what_went_and_audits_it(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", ROWS)
    done = run_dq("passages", "in.jsonl", "-o", "out", "--min-bytes", "100", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "repeated passages by source" in done.stdout and "passages: out/passages.parquet (" in done.stdout
    audit = run_dq("audit", "passages", "out", cwd=tmp_path)
    assert (audit.returncode, audit.stdout) == (0, "unproven passages: 0\n")
    wrong = run_dq("passages", "in.jsonl", "-o", "out", "--min-bytes", "3", cwd=tmp_path)
    assert wrong.returncode == 1 and "--min-bytes" in wrong.stderr and wrong.stderr.count("\n") == 1


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", ROWS)
    done = run_dq("passages", "in.jsonl", "--dry-run", "--json", "--workers", "1", cwd=tmp_path)
    forecast = json.loads(done.stdout)
    assert (forecast["documents"], forecast["complete"]) == (24, True)
    assert forecast["text_bytes"] == sum(len(text.encode()) for text in TEXTS.values())
    assert forecast["seconds"] > 0 and forecast["memory_bytes"] > 0
    assert forecast["disk_bytes"] > 2 * forecast["text_bytes"]  # the corpus, and its text once more
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    unnamed = run_dq("passages", "in.jsonl", cwd=tmp_path)
    assert unnamed.returncode == 2 and "--output" in unnamed.stderr


def test_memory_and_disk_are_foretold_as_they_were_measured() -> None:
    """On 314 MB of mixed text, a worker: 1,573 MB and 1,166 MB of working files; 2,680 MB for passages of 50 bytes."""
    corpus = {"documents": 94_040, "text_bytes": 314_233_122, "largest_shard_bytes": 55_000_000}
    ample, tight = Resources(threads=1, memory_bytes=4_000_000_000), Resources(threads=1, memory_bytes=100_000_000)
    found = estimate_passages(PassageConfig(), **corpus, resources=ample)
    assert found.memory_bytes == pytest.approx(1_573e6, rel=0.1)
    assert found.work_bytes == pytest.approx(1_166e6, rel=0.1)
    assert found.more_seconds < 1
    short = estimate_passages(PassageConfig(min_bytes=50), **corpus, resources=ample)
    assert short.work_bytes == pytest.approx(2_680e6, rel=0.1)
    less = estimate_passages(PassageConfig(), **corpus, resources=tight)
    assert less.memory_bytes < 1e9 and less.work_bytes == found.work_bytes and less.more_seconds > 10
