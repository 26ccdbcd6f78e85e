"""Files to files: every document ends in one place, with all its reasons, whatever the format and the workers."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import dq
from dq.corpus import InputSpec
from dq.corpus.config import RowLimits
from dq.corpus.inputs import find_inputs
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.executors import LocalExecutor
from dq.files.filter import FilterResult, filter_files
from dq.files.pieces import Scoring, cut
from dq.files.score import score_files
from dq.inspect.dropped import dropped_documents
from dq.quality import LearnedOptions, QuantileRule, Rule, RuleSet, train_quality
from dq.quality.scorers.files import ModelFile

RULES = dq.presets.gopher_quality()
GOOD = "The people of the town stood on the old bridge to look at the water that had risen. " * 6
TEXTS = [GOOD, "Too short.", "", "# # the # of # #", "naïve 日本語 \u0000 text", GOOD.upper()]
ROWS = [{"id": f"d{n}", "text": TEXTS[n % 6], "source": "ab"[n % 2], "url": f"http://x/{n}"} for n in range(60)]


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]] = ROWS, **options: Any) -> str:
    pl.DataFrame(rows).write_parquet(path, **options)
    return str(path)


def write_jsonl(path: Path, lines: Sequence[str]) -> str:
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def read(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("[0-9]*.parquet"))])


def read_documents(path: str) -> pa.Table:
    """The documents of all pieces of a file."""
    batches = [batch for piece in cut(find_inputs([path]).files) for _, batch in piece.batches(max_document_bytes=1000)]
    return pa.concat_tables([batch.documents for batch in batches])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


@pytest.fixture
def done(tmp_path: Path) -> Path:
    filter_files([write_parquet(tmp_path / "in.parquet")], RULES, kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    return tmp_path


def test_kept_and_dropped_together_are_the_input_as_the_rules_judge_it(done: Path) -> None:
    kept, dropped = read(done / "kept"), read(done / "dropped")
    scores = dq.score([row["text"] for row in ROWS], RULES.signals())
    verdicts = RULES.judge(scores)
    expected = pl.DataFrame(ROWS).hstack(scores).hstack(verdicts)
    assert kept["id"].to_list() == expected.filter("keep")["id"].to_list()
    assert kept.columns == [*ROWS[0]]
    assert kept["url"][0] == "http://x/0"
    columns = ["id", "source", "text", "reasons", *RULES.signals()]
    assert_frame_equal(dropped.select(columns), expected.filter(~pl.col("keep")).select(columns))


def test_the_summary_counts_each_rule_alone_and_each_source(tmp_path: Path) -> None:
    result = filter_files([write_parquet(tmp_path / "in.parquet")], RULES, kept=tmp_path / "kept")
    reasons = RULES.judge(dq.score([row["text"] for row in ROWS]))["reasons"].to_list()
    for row in result.by_rule.to_dicts():
        assert row["dropped"] == sum(row["reason"] in found for found in reasons)
        assert row["alone"] == sum(found == [row["reason"]] for found in reasons)
    assert result.by_source["documents"].to_list() == [30, 30]
    assert result.by_source["bytes"].sum() == sum(len(row["text"].encode()) for row in ROWS)
    assert result.kept == sum(not found for found in reasons) == result.by_source["kept"].sum()
    assert json.loads((tmp_path / "kept/stage.json").read_text())["summary"] == result.to_dict()
    assert FilterResult.from_dict(result.to_dict()).to_dict() == result.to_dict()


def test_strict_judges_as_the_source_does(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "in.parquet", [{"text": GOOD.upper()}])
    assert filter_files([path], RULES, kept=tmp_path / "a").kept == 1
    assert filter_files([path], RULES, kept=tmp_path / "b", dropped=tmp_path / "c", strict=True).kept == 0
    (found,) = dropped_documents(tmp_path / "c", "too_few_stop_words")
    assert found.signal == "distinct_stop_word_count_case_sensitive_as_written"


def test_outputs_are_the_same_bytes_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.files.pieces.PIECE_BYTES", 2000)
    inputs = [
        write_parquet(tmp_path / "a.parquet", row_group_size=7),
        write_jsonl(tmp_path / "b.jsonl.gz", [json.dumps(row) for row in ROWS]),
    ]
    assert len(cut(find_inputs(inputs).files)) > 3
    for workers in (1, 3):
        place = tmp_path / str(workers)
        place.mkdir()
        filter_files(inputs, RULES, kept=place / "k", dropped=place / "d", executor=LocalExecutor(workers))
        score_files(inputs, place / "s.parquet", signals=["word_count"], executor=LocalExecutor(workers))
    for folder in ("k", "d"):
        assert contents(tmp_path / "1" / folder) == contents(tmp_path / "3" / folder)
    assert (tmp_path / "1/s.parquet").read_bytes() == (tmp_path / "3/s.parquet").read_bytes()


def test_scores_have_one_row_a_document_in_order(tmp_path: Path) -> None:
    inputs = [write_parquet(tmp_path / "a.parquet"), write_jsonl(tmp_path / "b.jsonl", [json.dumps(ROWS[0])])]
    assert score_files(inputs, tmp_path / "s.parquet").documents == 61
    table = pl.read_parquet(tmp_path / "s.parquet")
    assert table["id"].to_list() == [row["id"] for row in [*ROWS, ROWS[0]]]
    assert_frame_equal(table.drop("id", "source"), dq.score([row["text"] for row in [*ROWS, ROWS[0]]]))


def test_jsonl_and_parquet_of_the_same_rows_give_the_same_documents(tmp_path: Path) -> None:
    paths = [
        write_jsonl(tmp_path / "x.jsonl", [json.dumps(row) for row in ROWS]),
        write_parquet(tmp_path / "x.parquet", row_group_size=7),
    ]
    tables = [read_documents(path) for path in paths]
    assert tables[0].equals(tables[1])


def test_rows_without_id_or_source_are_named_by_file_and_row_also_past_the_first_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dq.files.pieces.PIECE_BYTES", 100)
    path = write_parquet(tmp_path / "web.2024.parquet", [{"text": "a b c" * 9}] * 9, row_group_size=2)
    assert len(cut(find_inputs([path]).files)) > 2
    documents = read_documents(path)
    assert documents.column("id").to_pylist() == [f"{path}:{row}" for row in range(1, 10)]
    assert set(documents.column("source").to_pylist()) == {"web"}
    assert set(documents.column("meta").to_pylist()) == {"{}"}


def test_unreadable_rows_are_quarantined_with_file_and_row(tmp_path: Path) -> None:
    texts = [b"fine", None, b"bad \xff bytes", b"x" * 101, b"also fine"]
    table = pa.table({"id": pa.array(range(5)), "text": pa.array(texts, pa.binary())})
    column = pa.Array.from_buffers(pa.string(), 5, table.column("text").chunk(0).buffers())
    pq.write_table(table.set_column(1, "text", column), tmp_path / "p.parquet")
    lines = ['{"text": "fine", "id": "j"}', "{broken", '{"text": 3}', '{"text": "\\ud800 lone"}']
    inputs = [str(tmp_path / "p.parquet"), write_jsonl(tmp_path / "j.jsonl", lines)]
    scoring = Scoring(RowLimits(max_document_bytes=100, max_bad_fraction=0.6))
    result = filter_files(inputs, RULES, kept=tmp_path / "k", dropped=tmp_path / "d", scoring=scoring)
    found = [json.loads(line) for line in (tmp_path / "k/quarantined.jsonl").read_text().splitlines()]
    assert [(row["file"].rpartition("/")[2], row["line"], row["reason"]) for row in found] == [
        ("p.parquet", 2, "text_missing"),
        ("p.parquet", 3, "invalid_utf8"),
        ("p.parquet", 4, "text_too_large"),
        ("j.jsonl", 2, "broken_json"),
        ("j.jsonl", 3, "text_not_a_string"),
    ]
    assert found[1]["first_bytes"].startswith("bad ")
    assert read(tmp_path / "d")["id"].to_list() == ["0", "4", "j", f"{tmp_path}/j.jsonl:4"]
    assert (result.rows.quarantined["invalid_utf8"], result.rows.replaced_surrogates) == (1, 1)
    with pytest.raises(InputError, match=r"5 of 9 rows are unreadable .* raise `max_bad_fraction`"):
        score_files(inputs, tmp_path / "s.parquet", scoring=Scoring(RowLimits(max_document_bytes=100)))
    assert not (tmp_path / "s.parquet").exists()
    assert len((tmp_path / "s.quarantined.jsonl").read_text().splitlines()) == 5


def test_a_file_without_documents_beside_others_is_passed_over(tmp_path: Path) -> None:
    empty = pl.DataFrame(schema={"text": pl.String, "id": pl.String})
    empty.write_parquet(tmp_path / "a.parquet")
    inputs = [str(tmp_path / "a.parquet"), write_jsonl(tmp_path / "b.jsonl", []), write_parquet(tmp_path / "c.parquet")]
    filter_files(inputs, RULES, kept=tmp_path / "k", dropped=tmp_path / "d")
    assert len(read(tmp_path / "k")) + len(read(tmp_path / "d")) == 60
    with pytest.raises(InputError, match="no documents"):
        filter_files(inputs[:2], RULES, kept=tmp_path / "k2")


def test_kept_documents_can_be_filtered_again_and_keep_their_meta(done: Path) -> None:
    filter_files([str(done / "kept")], RULES, kept=done / "again")
    assert_frame_equal(read(done / "again"), read(done / "kept"))


def test_columns_of_other_types_become_meta(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["x"]).dictionary_encode(), "n": [1.5], "raw": [b"\x01"], "tags": [["a"]]})
    pq.write_table(table, tmp_path / "a.parquet")
    (batch,) = [
        batch
        for piece in cut(find_inputs([str(tmp_path / "a.parquet")]).files)
        for _name, batch in piece.batches(max_document_bytes=1000)
    ]
    meta = json.loads(batch.documents.column("meta")[0].as_py())
    assert (meta["n"], meta["tags"]) == (1.5, ["a"])


def test_an_output_that_is_there_is_never_overwritten(done: Path) -> None:
    inputs = [str(done / "in.parquet")]
    (done / "mine").mkdir()
    (done / "mine/notes.txt").write_text("keep me")
    with pytest.raises(WorkspaceError, match="not an empty folder"):
        filter_files(inputs, RULES, kept=done / "mine")
    assert contents(done / "mine") == {"notes.txt": b"keep me"}
    with pytest.raises(ConfigError, match=r"in\.parquet: the input is inside the output"):
        filter_files(inputs, RULES, kept=done / "in.parquet")
    with pytest.raises(ConfigError, match="the input is inside the output"):
        score_files(inputs, done / "in.parquet")
    with pytest.raises(ConfigError, match="two folders"):
        filter_files(inputs, RULES, kept=done / "x", dropped=done / "x")
    shutil.rmtree(done / "dropped")
    with pytest.raises(WorkspaceError, match=r"kept: finished, but .*dropped is gone; delete"):
        filter_files(inputs, RULES, kept=done / "kept", dropped=done / "dropped")


def test_a_result_that_was_lenient_is_refused_to_one_that_is_not(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "in.jsonl", [json.dumps({"text": GOOD}), "{broken"])
    with pytest.raises(InputError, match="1 of 2 rows are unreadable") as refused:
        filter_files([path], RULES, kept=tmp_path / "kept")
    assert refused.value.field == "max_bad_fraction"
    lenient = Scoring(RowLimits(max_bad_fraction=0.5))
    assert filter_files([path], RULES, kept=tmp_path / "kept", scoring=lenient).documents == 1
    with pytest.raises(InputError, match="1 of 2 rows are unreadable"):
        filter_files([path], RULES, kept=tmp_path / "kept")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"not parquet", "holds no Parquet"),
        ("a.docx", b"text\n", "unknown kind of file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 99, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_a_faulty_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        filter_files([str(tmp_path / name)], RULES, kept=tmp_path / "k")


def test_a_missing_text_column_names_those_there_are(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"body": "x", "n": 1}])
    with pytest.raises(InputError, match="no column `text`; the fields there are: body, n"):
        filter_files([path], RULES, kept=tmp_path / "k")
    assert filter_files([InputSpec(path=path, text_field="body")], RULES, kept=tmp_path / "k").documents == 1


def test_dropped_documents_show_value_bound_and_all_reasons(done: Path) -> None:
    found = dropped_documents(done / "dropped", "too_many_hash_signs", limit=3)
    assert [document.id for document in found] == ["d3", "d9", "d15"]
    assert found[0].signal == "hash_sign_to_word_ratio"
    assert isinstance(found[0].value, float) and found[0].value > 0.1
    assert found[0].accepted == "at most 0.1"
    assert found[0].reasons[0] == "too_few_words"
    assert found[0].text == TEXTS[3]
    with pytest.raises(ConfigError, match="did you mean `too_few_words`"):
        dropped_documents(done / "dropped", "too_few_word")
    with pytest.raises(InputError, match="kept documents"):
        dropped_documents(done / "kept", "too_few_words")
    with pytest.raises(WorkspaceError, match="nothing that can be inspected"):
        dropped_documents(done, "too_few_words")


RANKED = RuleSet(
    name="ranked",
    rules=(
        Rule(signal="word_count", minimum=1, reason="empty"),
        QuantileRule(signal="char_count", keep_fraction=0.25, reason="not_among_the_longest"),
    ),
)


def test_a_quantile_rule_ranks_the_whole_input_whatever_its_pieces(tmp_path: Path) -> None:
    rows = [{"text": "word " * n, "source": "ab"[n % 2]} for n in range(40)]
    paths = [write_parquet(tmp_path / f"{part}.parquet", rows[part::3]) for part in range(3)]
    for workers in (1, 2):
        kept, dropped = tmp_path / f"kept{workers}", tmp_path / f"dropped{workers}"
        done = filter_files(paths, RANKED, kept=kept, dropped=dropped, executor=LocalExecutor(workers))
        assert sorted(text.count("word") for text in read(kept)["text"]) == list(range(30, 40))
        assert done.rules.is_fixed
    assert contents(tmp_path / "kept1") == contents(tmp_path / "kept2")
    found = dropped_documents(tmp_path / "dropped1", "not_among_the_longest", limit=1)[0]
    assert found.accepted in ("at least 149, the best 25% of a", "at least 154, the best 25% of b")


def test_a_classifier_is_a_signal_of_files(tmp_path: Path) -> None:
    wanted = [f"The river runs past garden {n} and the old stone bridge." for n in range(60)]
    have = [f"Buy now, offer {n}! Click here to win the best deal." for n in range(60)]
    train_quality(wanted, have, LearnedOptions(bits=12)).model.save(tmp_path / "m.safetensors")
    path = write_parquet(tmp_path / "in.parquet", [{"text": text} for text in [*wanted[:3], *have[:3]]])
    scoring = Scoring(models=(ModelFile.parse(f"like_rivers={tmp_path / 'm.safetensors'}"),))
    rules = RuleSet(name="mine", rules=(Rule(signal="like_rivers", minimum=0.5, reason="unlike_rivers"),))
    assert filter_files([path], rules, kept=tmp_path / "kept", scoring=scoring).kept == 3
    assert read(tmp_path / "kept")["text"].to_list() == wanted[:3]
    scored = score_files([path], tmp_path / "s.parquet", scoring=scoring)
    assert scored.signals[-1] == "like_rivers"
    assert pl.read_parquet(tmp_path / "s.parquet")["like_rivers"].is_between(0, 1).all()
    with pytest.raises(InputError, match=r"absent\.safetensors: no such file"):
        filter_files(
            [path],
            rules,
            kept=tmp_path / "k",
            scoring=Scoring(models=(ModelFile("like_rivers", Path("absent.safetensors")),)),
        )


def test_a_rule_over_files_may_rank_by_source_only(tmp_path: Path) -> None:
    rule = QuantileRule(signal="char_count", keep_fraction=0.25, reason="r", per="url")
    with pytest.raises(ConfigError, match="ranks by `url`"):
        filter_files([write_parquet(tmp_path / "in.parquet")], RuleSet(name="t", rules=(rule,)), kept=tmp_path / "k")


def test_a_large_plain_file_is_read_in_parts_with_its_own_line_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.dumps({"text": f"{n} {GOOD}"}) for n in range(300)]
    lines[150] = "{broken"
    path, lenient = write_jsonl(tmp_path / "in.jsonl", lines), Scoring(RowLimits(max_bad_fraction=1))
    whole = filter_files([path], RULES, kept=tmp_path / "whole", scoring=lenient)
    monkeypatch.setattr("dq.files.pieces.PIECE_BYTES", 20_000)
    monkeypatch.setattr("dq.corpus.formats.jsonl.CHUNK_BYTES", 4_000)
    assert len(cut(find_inputs([path]).files)) > 5
    parts = filter_files([path], RULES, kept=tmp_path / "parts", scoring=lenient, executor=LocalExecutor(2))
    assert parts.to_dict() == whole.to_dict()
    assert_frame_equal(read(tmp_path / "parts"), read(tmp_path / "whole"))
    quarantines = [(tmp_path / name / "quarantined.jsonl").read_bytes() for name in ("whole", "parts")]
    assert quarantines[0] == quarantines[1]
    assert b'"line":151,' in quarantines[0]
