"""Dropped documents look the same whatever dropped them: value, bound, all reasons."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.executors import LocalExecutor
from dq.files.decontaminate import decontaminate_files
from dq.files.filter import filter_files
from dq.inspect import document_history
from dq.inspect.dropped import Item, dropped_documents
from dq.quality import QuantileRule, Rule, RuleSet
from dq.quality.urls import UrlRules
from dq.stages.base import View
from dq.stages.benchmarks import Benchmark, BenchmarksConfig
from dq.stages.contamination import DecontaminateConfig, find_contamination
from dq.stages.read import ingest
from dq.stages.signals import score_documents
from dq.stages.verdicts import judge
from dq.store import Workspace

RULES = RuleSet(
    name="mine",
    rules=(
        Rule(signal="word_count", minimum=4, maximum=30, open_maximum=True, reason="odd_length"),
        Rule(signal="hash_sign_to_word_ratio", maximum=0.1, reason="too_many_hash_signs"),
        QuantileRule(signal="char_count", keep_fraction=0.25, per="source", reason="not_among_the_longest"),
    ),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same documents divided by `dq filter` and judged in a workspace, as the stages of `dq run` do."""
    place = tmp_path_factory.mktemp("dropped")
    rows = [{"text": f"{'#' * (n % 3)} word" + " more" * (n % 40), "source": "ab"[n % 2]} for n in range(90)]
    (place / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    inputs = [str(place / "in.jsonl")]
    filter_files(inputs, RULES, kept=place / "kept", dropped=place / "dropped")
    workspace = Workspace(place / "work").create()
    ingest(workspace.corpus("original"), [InputSpec(path=inputs[0])], ReadConfig(shard_rows=13))
    score_documents(View(workspace), RULES.signals(), executor=LocalExecutor())
    judge(View(workspace), RULES, executor=LocalExecutor())
    return place


@pytest.mark.parametrize("reason", [rule.reason for rule in RULES.rules])
def test_a_workspace_and_a_filter_show_the_same(place: Path, reason: str) -> None:
    found = [dropped_documents(place / name, reason, limit=1000) for name in ("dropped", "work")]
    assert all(one.id == f"{one.file}:{one.row}" for one in found[0])
    nowhere = [replace(one, file=None, row=None) for one in found[0]]
    assert [asdict(one) for one in nowhere] == [asdict(one) for one in found[1]]
    assert len(found[0]) > 20
    assert all(reason in one.reasons for one in found[0])
    assert dropped_documents(place / "work", reason, limit=3) == nowhere[:3]


def test_the_value_missed_the_bound_that_is_shown(place: Path) -> None:
    short = dropped_documents(place / "work", "odd_length", limit=1)[0]
    assert (short.id, short.value) == (f"{place}/in.jsonl:1", 1)
    assert short.accepted == "at least 4 and below 30"
    assert short.text == " word"
    ranked = dropped_documents(place / "work", "not_among_the_longest", limit=1)[0]
    assert ranked.accepted is not None and ranked.accepted.endswith(", the best 25% of a")


def test_what_holds_no_dropped_documents_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `odd_length`"):
        dropped_documents(place / "work", "odd_lenght")
    with pytest.raises(InputError, match="kept documents"):
        dropped_documents(place / "kept", "odd_length")
    with pytest.raises(WorkspaceError, match="nothing that can be inspected; give a folder of `dq filter`"):
        dropped_documents(tmp_path, "odd_length")
    with pytest.raises(WorkspaceError, match="not finished; run"):
        dropped_documents(Workspace(tmp_path / "new").create().root, "odd_length")


def test_a_rule_about_addresses_shows_the_address_and_the_entry_in_files_and_jobs(tmp_path: Path) -> None:
    rows = [
        {"text": f"Text {n}.", "page": {"at": f"http://{'www.bad.org' if n % 3 else 'fine.org'}/{n}"}} for n in range(9)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "list.txt").write_text("bad.org")
    urls = UrlRules(field="page.at", domains=(f"file:{tmp_path / 'list.txt'}",), words=("7",))
    rules, inputs = RuleSet(name="urls", rules=(), urls=urls), [str(tmp_path / "in.jsonl")]
    filter_files(inputs, rules, kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    workspace = Workspace(tmp_path / "work").create()
    ingest(workspace.corpus("original"), [InputSpec(path=inputs[0])], ReadConfig(shard_rows=4))
    score_documents(View(workspace), ["word_count"], executor=LocalExecutor())
    judge(View(workspace), rules, executor=LocalExecutor())
    for name in ("dropped", "work"):
        found = dropped_documents(tmp_path / name, "url_domain")
        assert [(one.address, one.entry) for one in found] == [
            (f"http://www.bad.org/{n}", "bad.org") for n in (1, 2, 4, 5, 7, 8)
        ]
        assert dropped_documents(tmp_path / name, "url_word")[0].reasons == ("url_domain", "url_word")
        with pytest.raises(ConfigError, match="did you mean `url_word`"):
            dropped_documents(tmp_path / name, "url_words")
    (history,) = document_history(tmp_path / "dropped", found[4].id)
    assert [(one.reason, one.entry) for one in history.failing] == [("url_domain", "bad.org"), ("url_word", "7")]
    (tmp_path / "list.txt").write_text("good.org")
    assert [one.entry for one in dropped_documents(tmp_path / "work", "url_domain", limit=1)] == [None]


def test_a_benchmark_shows_its_items_in_files_and_jobs(tmp_path: Path) -> None:
    items = [{"id": f"q{n}", "text": " ".join(f"{letter}{n}" for letter in "abcdefghijklmnop")} for n in range(3)]
    half = " ".join(items[1]["text"].split()[:14])
    rows = [{"id": "none", "text": "Nothing."}, {"id": "two", "text": f"{half} and {items[2]['text']}"}]
    for name, lines in (("exam", items), ("other", items[:1]), ("in", rows)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    inputs = [str(tmp_path / "in.jsonl")]
    benchmarks = tuple(Benchmark(name=name, path=str(tmp_path / f"{name}.jsonl")) for name in ("exam", "other"))
    config = BenchmarksConfig(benchmarks=benchmarks)
    decontaminate_files(inputs, config, tmp_path / "report", kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    workspace = Workspace(tmp_path / "work").create()
    ingest(workspace.corpus("original"), [InputSpec(path=inputs[0])], ReadConfig())
    score_documents(View(workspace), ["word_count"], executor=LocalExecutor())
    judge(View(workspace), RuleSet(name="none", rules=()), executor=LocalExecutor())
    find_contamination(View(workspace), DecontaminateConfig(**config.model_dump()), executor=LocalExecutor())
    for name in ("dropped", "work"):
        (found,) = dropped_documents(tmp_path / name, "contaminated_by_exam")
        assert found.id == "two" and found.reasons == ("contaminated_by_exam",)
        assert found.items == (Item("exam", "q2", 4, 1.0), Item("exam", "q1", 2, 0.5))
        assert dropped_documents(tmp_path / name, "contaminated_by_other") == []
        with pytest.raises(ConfigError, match="unknown reason"):
            dropped_documents(tmp_path / name, "contaminated_by_nothing")
    for name, message in (("report", "no documents"), ("kept", "kept documents")):
        with pytest.raises(InputError, match=f"{message}; give the folder of"):
            dropped_documents(tmp_path / name, "contaminated_by_exam")
