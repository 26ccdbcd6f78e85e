"""Judging a shard at a time is judging all documents at once, also where rules rank them."""

from __future__ import annotations

import shutil
from pathlib import Path

from polars.testing import assert_frame_equal

from dq.executors import LocalExecutor
from dq.quality import QuantileRule, Rule, RuleSet
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.stages.verdicts import judge
from dq.store import Workspace
from tests.jobs.conftest import Finished


def test_ranks_are_of_all_documents(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.workspace.root, tmp_path / "copy")
    view = View.of(Workspace(tmp_path / "copy"))
    corpus, table = view.open(Documents), view.open(Signals).table()
    of_source = QuantileRule(signal="word_count", keep_fraction=0.5, reason="short_of_its_source")
    of_all = QuantileRule(signal="word_count", keep_fraction=0.8, per=None, best="lowest", reason="long")
    fixed = Rule(signal="word_count", minimum=100, reason="few_words")
    whole = table.with_columns(corpus.documents["source"])
    for rules in (RuleSet(name="ranks", rules=(of_source, fixed, of_all)), RuleSet(name="fixed", rules=(fixed,))):
        verdicts = rules.judge(whole)
        assert len(corpus.shards) > 2 and 0 < verdicts["keep"].sum() < len(verdicts)
        assert_frame_equal(judge(view, rules, executor=LocalExecutor()).table(), verdicts)
