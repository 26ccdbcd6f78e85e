"""The stage that finds items of benchmarks in the corpus, shard by shard, in every version of a text that is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.corpus import Corpus
from dq.dedup.contamination import ContaminationConfig
from dq.executors import QUIET, Executor, Step
from dq.stages.base import ORIGINAL, Need, Output, View
from dq.stages.benchmarks import BY_BENCHMARK, BenchmarksConfig, by_benchmark, items_of, read_items, report_of
from dq.stages.read import Documents
from dq.store import read_parquet, write_parquet

MATCHES, ITEMS, ENTRIES = "matches.parquet", "items.parquet", "entries.parquet"
MEASURE = "benchmark_"  # begins what exclusions for items are measured by


class DecontaminateConfig(BenchmarksConfig):
    """Benchmarks whose items must not stand in what models are trained on."""

    drop: bool = True
    """Whether documents with an item are kept away from training, as those near to held-out ones are; else they are
    reported only."""


class Contamination(Output):
    """Which documents hold items of benchmarks."""

    made_by: ClassVar = {"decontaminate": 1}
    needs: ClassVar = {"corpus": Need(Documents), "trained": Need(Documents, "trained")}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``contamination``."""
        return view.workspace.folder("contamination")

    @property
    def by_benchmark(self) -> pl.DataFrame:
        """A row a benchmark, as `dq.stages.benchmarks.BY_BENCHMARK` says."""
        return pl.DataFrame(self.record.summary["benchmarks"], schema=BY_BENCHMARK)

    @property
    def items(self) -> pl.DataFrame:
        """A row an item: benchmark, id, words up to n, ngrams, documents, covered, most_covered."""
        return read_parquet(self.folder / ITEMS)

    @property
    def matches(self) -> pl.DataFrame:
        """A row a document and item: document, benchmark, item (its id), ngrams, coverage."""
        return read_parquet(self.folder / MATCHES)

    def exclusions(self) -> pl.DataFrame:
        """Of each document the item that stands in it the most, as held-out exclusions are told."""
        ngram = int(self.record.config["ngram"])
        ranked = self.matches.sort("document", "coverage", descending=[False, True], maintain_order=True)
        return ranked.unique("document", keep="first", maintain_order=True).select(
            "document",
            pl.col("coverage").alias("score"),
            pl.lit(f"{MEASURE}{ngram}gram").alias("measure"),
            pl.col("benchmark").alias("set"),
            pl.col("item").alias("heldout_id"),
        )


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    entries: Path
    config: ContaminationConfig

    @property
    def output(self) -> Path:
        return self._file("matches")

    @property
    def found(self) -> Path:
        return self._file("found")

    def _file(self, what: str) -> Path:
        return self.entries.parent / f"overlap-{self.corpus.name}-{self.shard:05d}.{what}.parquet"


def find_contamination(
    view: View, config: DecontaminateConfig, *, executor: Executor, step: Step = QUIET
) -> Contamination:
    """Look for the items in every document, or find that it has been done. The step counts shards."""
    uses = versions(view)
    stage = view.stage(Contamination, config=config.identity(), uses=uses)
    if stage.done() is None:
        stage.start()
        items, entries = read_items(config.benchmarks), stage.folder / ENTRIES
        write_parquet(entries, items)
        corpora = [view.open(Documents, "" if name == "corpus" else name) for name in uses]
        tasks = [
            _ShardTask(corpus.folder, shard, entries, config.matching)
            for corpus in corpora
            for shard in range(len(corpus.shards))
        ]
        executor.run(_look_in_shard, tasks, output=lambda task: task.output, step=step)
        firsts = corpora[0].first_documents
        parts = [read_parquet(task.output).with_columns(pl.col("document") + int(firsts[task.shard])) for task in tasks]
        # Of two versions of a document the one that holds more of an item counts.
        matches = pl.concat(parts).group_by("document", "item").agg(pl.col("ngrams").max()).sort("document", "item")
        found = [read_parquet(task.found) for task in tasks]
        report = report_of(items, items_of(entries, config.matching), matches=matches, found=found)
        write_parquet(stage.folder / ITEMS, report)
        numbers = matches["item"]
        named = matches.select(
            "document",
            items["benchmark"].gather(numbers),
            items["id"].gather(numbers).alias("item"),
            "ngrams",
            coverage=pl.col("ngrams") / report["ngrams"].gather(numbers),
        )
        write_parquet(stage.folder / MATCHES, named)
        counts = by_benchmark(report, matches, items, ngram=config.ngram)
        stage.commit({"benchmarks": counts.to_dicts(), "documents": matches["document"].n_unique()})
    return view.open(Contamination)


def versions(view: View) -> tuple[str, ...]:
    """The text as it was read, and as it is trained on where that is another one."""
    return ("corpus",) if view.texts.trained == ORIGINAL else ("corpus", "trained")


def _look_in_shard(task: _ShardTask) -> None:
    there = items_of(task.entries, task.config).look_in(Corpus(task.corpus).texts(task.shard))
    write_parquet(task.found, there.found)
    write_parquet(task.output, there.matches)
