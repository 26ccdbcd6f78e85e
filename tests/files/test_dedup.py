"""`dq.files.dedup`: files in, kept and removed documents out."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.dedup import Resources
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.files.dedup import REMOVED, DedupResult, dedup_files, parse_bytes
from dq.files.forecast import forecast_cost
from dq.inspect.audit import audit_workspace
from dq.inspect.pairs import compare_words, removed_pairs
from dq.quality import score
from dq.stages.selection import DeduplicationConfig
from dq.store import Workspace
from tests.command import list_again
from tests.dedup import oracle
from tests.jobs.texts import prose, rows, vocabulary, write_jsonl
from tests.jobs.workspaces import contents

SHARDS = ReadConfig(shard_rows=50)


def dedup(
    path: Path | str, out: Path, *, index: Path | None = None, workers: int = 1, overwrite: bool = False, **config: Any
) -> DedupResult:
    settings = DeduplicationConfig.model_validate({"max_removed_fraction": 1.0, **config})
    inputs, resources = [InputSpec(path=str(path))], Resources(threads=workers)
    return dedup_files(inputs, out, settings, read=SHARDS, index=index, overwrite=overwrite, resources=resources)


def kept(out: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted((out / "kept").glob("*.parquet"))])


def removed(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "removed.parquet")


def jaccard(left: str, right: str) -> float:
    return oracle.jaccard(oracle.shingles(left), oracle.shingles(right))


def copies(path: Path, total: int, extra: int) -> Path:
    """One source of ``total`` documents, ``extra`` of them copies of the first."""
    rng, words = random.Random(5), vocabulary(5)
    texts = [prose(rng, words, 40) for _ in range(total - extra)]
    lines = [{"id": f"d{n}", "text": text, "source": "s"} for n, text in enumerate([*texts, *texts[:1] * extra])]
    return write_jsonl(path, lines)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_jsonl(tmp_path_factory.mktemp("in") / "in.jsonl", rows(0))


@pytest.fixture(scope="module")
def done(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> DedupResult:
    return dedup(corpus, tmp_path_factory.mktemp("out") / "out")


@pytest.fixture
def out(done: DedupResult) -> Path:
    return done.workspace.root


# --- what it makes --------------------------------------------------------------------------------------------------


def test_kept_files_read_again_are_the_same_documents(out: Path, tmp_path: Path) -> None:
    dedup(out / "kept" / "*.parquet", tmp_path / "again")
    columns = ["id", "source", "text", "meta"]
    assert kept(tmp_path / "again").select(columns).equals(kept(out).select(columns))


def test_every_document_is_kept_or_removed_and_every_removal_is_proven(corpus: Path, out: Path) -> None:
    lines = {row["id"]: row for row in map(json.loads, corpus.read_text().splitlines())}
    stay, gone = kept(out), removed(out)
    assert sorted([*stay["id"], *gone["id"]]) == sorted(lines)
    assert stay.columns == ["id", "source", "text", "meta", "cluster_size"]
    assert gone.columns == list(REMOVED)
    assert set(gone["kept_id"]) <= set(stay["id"])
    assert stay["cluster_size"].sum() == len(lines)
    assert len(gone) > 5
    for row in gone.iter_rows(named=True):
        true = jaccard(lines[row["id"]]["text"], lines[row["kept_id"]]["text"])
        assert row["similarity"] == true >= 0.8
        assert (row["union"] is None) == (row["intersection"] is None)
        assert row["union"] is None or row["intersection"] / row["union"] == true
    names = stay["id"].to_list()
    for at, left in enumerate(names):
        assert all(jaccard(lines[left]["text"], lines[right]["text"]) < 0.8 for right in names[at + 1 :])


def test_the_table_counts_documents_by_source(done: DedupResult, out: Path) -> None:
    for row in done.sources.iter_rows(named=True):
        gone = removed(out).filter(source=row["source"])
        assert (row["kept"], row["removed"]) == (len(kept(out).filter(source=row["source"])), len(gone))
        assert row["documents"] == row["kept"] + row["removed"]
        assert row["exact_copies"] == gone["exact"].sum() == row["removed"] - row["near_copies"]


def test_two_workers_write_the_bytes_of_one(corpus: Path, done: DedupResult, tmp_path: Path) -> None:
    assert contents(dedup(corpus, tmp_path / "out", workers=2).workspace) == contents(done.workspace)


def test_finished_work_is_not_repeated_and_a_lost_result_is_written_again(
    corpus: Path, done: DedupResult, out: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.name != ".lock"}
    dedup(corpus, copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.name != ".lock"} == before
    (copy / "removed.parquet").unlink()
    dedup(corpus, copy)
    assert contents(Workspace(copy)) == contents(done.workspace)


def test_the_order_of_rows_and_the_number_of_files_change_nothing(corpus: Path, out: Path, tmp_path: Path) -> None:
    lines = corpus.read_text().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / f"in/{number}.jsonl").write_text("".join(lines[number::3]))
    dedup(tmp_path / "in/*.jsonl", tmp_path / "out")
    for table in (kept, removed):
        assert table(tmp_path / "out").sort("id").equals(table(out).sort("id"))


def test_a_changed_input_is_read_again_where_its_result_may_be_replaced(tmp_path: Path) -> None:
    path = copies(tmp_path / "in.jsonl", 6, 2)
    assert len(removed(dedup(path, tmp_path / "out").workspace.root)) == 2
    copies(path, 5, 0)
    before = contents(Workspace(tmp_path / "out"))
    with pytest.raises(
        WorkspaceError, match="made of other inputs or settings; name another folder, or replace it: `overwrite`"
    ):
        dedup(path, tmp_path / "out")
    assert contents(Workspace(tmp_path / "out")) == before
    assert len(removed(dedup(path, tmp_path / "out", overwrite=True).workspace.root)) == 0
    assert len(kept(tmp_path / "out")) == 5


def test_a_workspace_of_a_job_and_a_folder_of_something_else_are_left_alone(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "job/heldout").mkdir(parents=True)
    (tmp_path / "job/workspace.json").write_text('{"format": 1}')
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"cat")
    for name, message in (("job", "dq run"), ("photos", "not a dq workspace")):
        with pytest.raises(WorkspaceError, match=message):
            dedup(corpus, tmp_path / name)


# --- policies and the guard -----------------------------------------------------------------------------------------


def test_policies_decide_which_copy_stays(tmp_path: Path) -> None:
    text = prose(random.Random(2), vocabulary(2), 120)
    lines = [
        {"id": "long", "source": "a", "text": text.lower() + " !!!", "date": "2020-05-01", "rank": 10},
        {"id": "old", "source": "b", "text": text.lower(), "date": "2019-12-31", "rank": 9},
        {"id": "capital", "source": "c", "text": text.upper(), "rank": 100},
    ]
    path = write_jsonl(tmp_path / "in.jsonl", lines)
    best = score([line["text"] for line in lines], ["uppercase_char_fraction"])["uppercase_char_fraction"].arg_max()
    assert best == 2
    for keep, winner in (
        ("longest", "long"),
        ("best:uppercase_char_fraction", "capital"),
        ("earliest:date", "old"),  # as text; a document without the field comes last
        ("earliest:rank", "old"),  # as numbers: 9 before 10 before 100
        ("prefer:c,b", "capital"),
        ("prefer:b", "old"),
    ):
        dedup(path, tmp_path / "out", keep=keep, overwrite=True)
        assert kept(tmp_path / "out")["id"].to_list() == [winner], keep
        assert kept(tmp_path / "out")["cluster_size"].to_list() == [3]


def test_a_preferred_source_that_no_document_has_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown source `book`; there are news, web$"):
        dedup(corpus, tmp_path / "out", keep="prefer:news,book")


def test_another_threshold_uses_the_signatures_again_and_makes_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    changed, fresh = tmp_path / "changed", tmp_path / "fresh"
    dedup(corpus, changed)
    signatures = changed / "duplicates/original/signatures"
    before = {path: path.stat().st_mtime_ns for path in signatures.iterdir()}
    for setting in ({"threshold": 0.7}, {"keep": "prefer:news"}):
        with pytest.raises(WorkspaceError, match="made of other inputs or settings"):
            dedup(corpus, changed, **setting)
    dedup(corpus, changed, threshold=0.7, overwrite=True)
    dedup(corpus, fresh, threshold=0.7)
    assert {path: path.stat().st_mtime_ns for path in signatures.iterdir()} == before
    assert contents(Workspace(changed)) == contents(Workspace(fresh))
    dedup(corpus, changed, ngram=4, overwrite=True)
    assert {path: path.stat().st_mtime_ns for path in signatures.iterdir()} != before


def test_a_field_that_no_document_has_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no document has a field 'published'"):
        dedup(corpus, tmp_path / "out", keep="earliest:published")


def test_the_guard_stops_past_the_share_and_not_at_it(tmp_path: Path) -> None:
    half, more = copies(tmp_path / "half.jsonl", 8, 4), copies(tmp_path / "more.jsonl", 9, 5)
    dedup(half, tmp_path / "half", max_removed_fraction=0.5)
    with pytest.raises(InputError, match=r"source s: 5 of 9 documents \(56%\).*name it in `allow_removal`: s$"):
        dedup(more, tmp_path / "more", max_removed_fraction=0.5)
    assert not (tmp_path / "more/kept").exists() and not (tmp_path / "more/removed.parquet").exists()
    dedup(more, tmp_path / "more", max_removed_fraction=0.5, allow_removal=("s",))
    assert len(removed(tmp_path / "more")) == 5


# --- the index ------------------------------------------------------------------------------------------------------


def halves(corpus: Path, folder: Path) -> tuple[Path, Path]:
    lines = corpus.read_text().splitlines(keepends=True)
    for name, part in (("first", lines[: len(lines) // 2]), ("second", lines[len(lines) // 2 :])):
        (folder / f"{name}.jsonl").write_text("".join(part))
    return folder / "first.jsonl", folder / "second.jsonl"


def test_a_second_batch_meets_what_the_first_kept(corpus: Path, tmp_path: Path) -> None:
    first, second = halves(corpus, tmp_path)
    index = tmp_path / "index"
    one, two = dedup(first, tmp_path / "a", index=index), dedup(second, tmp_path / "b", index=index)
    earlier, new = kept(tmp_path / "a"), kept(tmp_path / "b")
    assert (one.indexed, two.indexed) == (len(earlier), len(earlier) + len(new))
    assert set(removed(tmp_path / "b")["kept_id"]) & set(earlier["id"])
    assert set(removed(tmp_path / "b")["kept_id"]) <= {*earlier["id"], *new["id"]}
    for text in new["text"]:
        assert all(jaccard(text, other) < 0.8 for other in earlier["text"])
    assert all(pair.kept_text is None for pair in removed_pairs(two.workspace) if pair.kept_id in set(earlier["id"]))
    audit = audit_workspace(two.workspace)
    assert audit.unproven_removals.height == 0

    again = dedup(first, tmp_path / "a", index=index)  # sees the index as it was before itself
    assert again.indexed == two.indexed
    assert kept(tmp_path / "a").equals(earlier)


def test_a_batch_interrupted_before_it_joined_the_index_joins_it_once(corpus: Path, tmp_path: Path) -> None:
    first, second = halves(corpus, tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for index in (whole, cut):
        dedup(first, tmp_path / f"a-{index.name}", index=index)
        dedup(second, tmp_path / f"b-{index.name}", index=index)
    (cut / "00001").rename(cut / "partial")  # what a process killed just before its last step leaves
    result = dedup(second, tmp_path / "b-cut", index=cut)
    assert contents(Workspace(cut)) == contents(Workspace(whole))
    assert contents(Workspace(tmp_path / "b-cut")) == contents(Workspace(tmp_path / "b-whole"))
    assert result.indexed == len(kept(tmp_path / "a-cut")) + len(kept(tmp_path / "b-cut"))


def test_an_index_refuses_the_same_documents_under_another_policy(tmp_path: Path) -> None:
    text = prose(random.Random(2), vocabulary(2), 60)
    lines = [{"id": "a", "source": "a", "text": text + "."}, {"id": "b", "source": "b", "text": text}]
    path, index = write_jsonl(tmp_path / "in.jsonl", lines), tmp_path / "index"
    dedup(path, tmp_path / "out", index=index)
    with pytest.raises(WorkspaceError, match="as another policy kept them"):
        dedup(path, tmp_path / "out", index=index, keep="prefer:b", overwrite=True)
    with pytest.raises(WorkspaceError, match="made with other settings"):
        dedup(path, tmp_path / "out", index=index, threshold=0.7, overwrite=True)


# --- audit, pairs, forecast -----------------------------------------------------------------------------------------


def test_the_audit_resolves_every_true_pair_and_finds_a_false_claim(out: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    audit = audit_workspace(Workspace(copy))
    assert audit.removals_checked == len(removed(out))
    assert (audit.unproven_removals.height, audit.missed_pairs.height) == (0, 0)
    written = json.loads((copy / "duplicates/original/audit.json").read_text())
    assert written["recall"] == audit.recall.to_dicts()
    assert written["selection"] == json.loads((copy / "selection/original/stage.json").read_text())["fingerprint"]
    path = copy / "selection/original/00000.parquet"
    table = pl.read_parquet(path)
    wrong = int(table.with_row_index().filter(~pl.col("kept"))["index"][0])
    other = int(table.with_row_index().filter(pl.col("kept"))["index"][-1])
    table[wrong, "kept_document"] = other
    table.write_parquet(path)
    list_again(path.parent)
    assert audit_workspace(Workspace(copy)).unproven_removals["document"].to_list() == [wrong]


def test_words_that_differ_are_aligned_and_long_equal_runs_are_left_out() -> None:
    same = [f"w{n}" for n in range(30)]
    passages = compare_words(" ".join([*same, "old", *same]), " ".join([*same, "new", "newer", *same]))
    assert [(p.equal, p.removed, p.kept, p.skipped) for p in passages] == [
        (True, tuple(same[-6:]), tuple(same[-6:]), 24),
        (False, ("old",), ("new", "newer"), 0),
        (True, tuple(same[:6]), tuple(same[:6]), 0),
        (True, (), (), 24),
    ]


def test_pairs_are_chosen_by_source_and_similarity(out: Path) -> None:
    workspace, gone = Workspace(out), removed(out)
    near = gone.filter(pl.col("similarity") < 1)
    assert [pair.id for pair in removed_pairs(workspace, below=1, limit=1000)] == near.sort("similarity", "id")[
        "id"
    ].to_list()
    web = removed_pairs(workspace, source="web", limit=2)
    assert len(web) == 2 and {pair.source for pair in web} == {"web"}
    with pytest.raises(ConfigError, match="unknown source `books`; there are news, web"):
        removed_pairs(workspace, source="books")


def test_a_forecast_counts_what_it_read_and_extrapolates_the_rest(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = corpus.read_text()
    for number in range(4):
        (tmp_path / f"{number}.jsonl").write_text(lines)
    inputs = [InputSpec(path=str(tmp_path / "*.jsonl"))]
    whole = forecast_cost(inputs, DeduplicationConfig())
    assert (whole.documents, whole.complete) == (640, True)
    monkeypatch.setattr("dq.corpus.drawn.MAX_READ_BYTES", whole.text_bytes // 3)
    part = forecast_cost(inputs, DeduplicationConfig())
    assert not part.complete
    assert part.documents == pytest.approx(640, rel=0.1)
    assert part.text_bytes == pytest.approx(whole.text_bytes, rel=0.1)
    # A third of so small a corpus: what costs the same for any size is counted as if it grew.
    assert part.disk_bytes == pytest.approx(whole.disk_bytes, rel=0.5)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 gb", 15 * 10**8), ("2GiB", 2**31), ("100TB", 10**14), ("100000000", 10**8)],
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4 apples", "-1GB", "4GB5", "IB"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(ConfigError, match="no amount of bytes"):
        parse_bytes(text)


@pytest.mark.needs_shared
def test_on_real_text_no_verified_neighbours_stay_and_every_removal_is_proven(shared: Path, tmp_path: Path) -> None:
    result = dedup(shared / "data/mixed_small.jsonl.zst", tmp_path / "out")
    texts = pl.concat([pl.read_parquet(path) for path in sorted((tmp_path / "out/corpus/original").glob("0*.parquet"))])
    stay = pl.read_parquet(tmp_path / "out/selection/original/*.parquet")["kept"]
    pairs = pl.read_parquet(tmp_path / "out/duplicates/original/pairs.parquet")
    assert pairs.height > 100
    assert not (stay.gather(pairs["left"]) & stay.gather(pairs["right"])).any()
    by_id = dict(texts.select("id", "text").iter_rows())
    sample = removed(tmp_path / "out").sample(200, seed=1)
    for row in sample.iter_rows(named=True):
        assert row["similarity"] == jaccard(by_id[row["id"]], by_id[row["kept_id"]]) >= 0.8
    audit = audit_workspace(result.workspace, per_source=50)
    assert audit.unproven_removals.height == 0
    assert audit.recall.row(0, named=True)["recall"] >= 0.99
