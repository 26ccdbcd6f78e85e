"""Dropped documents look the same whatever dropped them: value, bound, all reasons."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.executors import LocalExecutor
from dq.files.filter import filter_files
from dq.inspect.dropped import dropped_documents
from dq.quality import QuantileRule, Rule, RuleSet
from dq.stages.base import View
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
    judge(View(workspace), RULES)
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
    assert ranked.accepted.endswith(", the best 25% of a")


def test_what_holds_no_dropped_documents_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `odd_length`"):
        dropped_documents(place / "work", "odd_lenght")
    with pytest.raises(InputError, match="kept documents"):
        dropped_documents(place / "kept", "odd_length")
    with pytest.raises(WorkspaceError, match="nothing that can be inspected; give a folder of `dq filter`"):
        dropped_documents(tmp_path, "odd_length")
    with pytest.raises(WorkspaceError, match="not finished; run"):
        dropped_documents(Workspace(tmp_path / "new").create().root, "odd_length")
