"""The stage that judges: rules over signals give every document its full set of reasons. Nothing is edited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.arrays import Bools
from dq.config import fingerprint
from dq.corpus import Corpus
from dq.corpus.fields import json_field
from dq.executors import QUIET, Executor, Step
from dq.quality import RuleSet
from dq.quality.rules import script_warning
from dq.quality.urls import with_urls
from dq.stages.base import Need, View
from dq.stages.by_shard import ByShard, shard_file
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.store import read_parquet, write_parquet


class Verdicts(ByShard):
    """What the rules say of every document: keep (bool), reasons and not_judged (lists of str), script."""

    made_by: ClassVar = {"judge": 5}
    needs: ClassVar = {"signals": Need(Signals)}
    outside: ClassVar = ("urls",)

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``verdicts/<version>``."""
        return view.workspace.verdicts(view.texts.judged)

    @property
    def keep(self) -> Bools:
        """Whether each document stays, bool (documents,): the reasons, which take more memory, are not read."""
        return self.column("keep")

    @property
    def unjudged(self) -> pl.DataFrame:
        """The script and not_judged of the documents whose script not every rule is made for."""
        shards = self.shards(["script", "not_judged"])
        return pl.concat(shard.filter(pl.col("script").is_not_null()) for shard in shards)

    @property
    def rules(self) -> RuleSet:
        """The rules that judged, as they were then."""
        return RuleSet.model_validate(self.record.config, strict=False)


def script_warnings(verdicts: Verdicts) -> list[str]:
    """A line for each script without spaces that documents are mostly in: which rules did not judge them."""
    by_script = verdicts.unjudged.group_by("script")
    found = by_script.agg(pl.len().alias("documents"), pl.col("not_judged").first())
    return [
        f"{script_warning(*row)}; set any_script under quality to let them" for row in found.sort("script").iter_rows()
    ]


def lists_of(rules: RuleSet) -> dict[str, str]:
    """The fingerprint of the lists that rules about addresses read, where there are any."""
    return {} if rules.urls is None else {"urls": fingerprint(rules.urls.identity())}


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    metas: Path
    shard: int
    signals: Path
    rules: RuleSet
    folder: Path

    @property
    def output(self) -> Path:
        return shard_file(self.folder, self.shard)


def judge(view: View, rules: RuleSet, *, executor: Executor, step: Step = QUIET) -> Verdicts:
    """Judge every document, or find that it has been done. The step counts shards."""
    stage = view.stage(Verdicts, config=rules, others=lists_of(rules))
    if stage.done() is None:
        stage.start()
        corpus, signals, fixed = view.open(Documents, "judged"), view.open(Signals), rules
        if not rules.is_fixed:  # it ranks documents among all
            sources = (corpus.of_shard(shard, ["source"]) for shard in range(len(corpus.shards)))
            fixed = rules.fixed(signals.table([*rules.ranked()]).hstack(pl.concat(sources)))
        metas = view.open(Documents).folder
        tasks = [
            _ShardTask(corpus.folder, metas, shard, path, fixed, stage.folder)
            for shard, path in enumerate(signals.files)
        ]
        executor.run(_judge_shard, tasks, output=lambda task: task.output, step=step)
        kept = [int(read_parquet(task.output, columns=["keep"])["keep"].sum()) for task in tasks]
        stage.commit({"kept": sum(kept), "dropped": corpus.count - sum(kept)})
    return view.open(Verdicts)


def _judge_shard(task: _ShardTask) -> None:
    sources = Corpus(task.corpus).of_shard(task.shard, ["source"])
    verdicts = task.rules.judge(read_parquet(task.signals).hstack(sources))
    if (urls := task.rules.urls) is not None:
        metas = Corpus(task.metas).of_shard(task.shard, ["meta"])["meta"]
        verdicts = with_urls(verdicts, urls.judge(json_field(metas, urls.field))["reasons"])
    write_parquet(task.output, verdicts)
