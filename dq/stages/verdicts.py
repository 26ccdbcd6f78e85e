"""The stage that judges: rules over signals give every document its full set of reasons. Nothing is edited."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from dq.arrays import Bools
from dq.config import fingerprint
from dq.corpus.fields import json_field
from dq.quality import RuleSet
from dq.quality.rules import script_warning
from dq.quality.urls import with_urls
from dq.stages.base import Need, Output, View
from dq.stages.read import Documents
from dq.stages.signals import Signals
from dq.store import read_parquet, write_parquet

FILE = "verdicts.parquet"


class Verdicts(Output):
    """What the rules say of every document."""

    made_by: ClassVar = {"judge": 3}
    needs: ClassVar = {"signals": Need(Signals)}
    outside: ClassVar = ("urls",)

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``verdicts/<version>``."""
        return view.workspace.verdicts(view.texts.judged)

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row a document in the corpus's order: keep (bool), reasons and not_judged (lists of str), script."""
        return read_parquet(self.folder / FILE)

    @cached_property
    def keep(self) -> Bools:
        """Whether each document stays, bool (documents,): the reasons, which take more memory, are not read."""
        return np.asarray(read_parquet(self.folder / FILE, columns=["keep"])["keep"].to_numpy())

    @property
    def unjudged(self) -> pl.DataFrame:
        """The script and not_judged of the documents whose script not every rule is made for."""
        return read_parquet(self.folder / FILE, columns=["script", "not_judged"]).filter(pl.col("script").is_not_null())

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


def judge(view: View, rules: RuleSet) -> Verdicts:
    """Judge every document, or find that it has been done."""
    stage = view.stage(Verdicts, config=rules, others=lists_of(rules))
    if stage.done() is None:
        stage.start()
        verdicts = pl.concat(_of_shards(view, rules))
        write_parquet(stage.folder / FILE, verdicts)
        stage.commit({"kept": int(verdicts["keep"].sum()), "dropped": int((~verdicts["keep"]).sum())})
    return view.open(Verdicts)


def _of_shards(view: View, rules: RuleSet) -> Iterator[pl.DataFrame]:
    """The verdicts of one shard after another, whose signals alone are in memory; ranks are of all documents."""
    corpus, signals = view.open(Documents, "judged"), view.open(Signals)
    sources = corpus.documents["source"]
    fixed = rules if rules.is_fixed else rules.fixed(signals.table([*rules.ranked()]).with_columns(sources))
    metas = view.open(Documents).shards
    for shard, first in enumerate(corpus.first_documents):
        table = signals.of_shard(shard)
        verdicts = fixed.judge(table.with_columns(sources[int(first) : int(first) + len(table)]))
        if (urls := rules.urls) is not None:
            addresses = json_field(read_parquet(metas[shard], columns=["meta"])["meta"], urls.field)
            verdicts = with_urls(verdicts, urls.judge(addresses)["reasons"])
        yield verdicts
