"""Documents in which items of benchmarks stand, files to files: a report, and the documents divided by it if wanted.

The report's folder has ``matches.parquet`` (a row a document and item: benchmark, item, id, source, file, row, ngrams,
coverage: the share of the item's n-grams that stand in this document) and ``items.parquet`` (a row an item: benchmark,
id, words up to n, ngrams, documents, covered in all documents together, most_covered in a single one; words and ngrams
are 0 of items that are too short to be looked for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from dq.arguments import instance, path
from dq.cards import CardConfig, Section
from dq.corpus.apart import refuse_overlap
from dq.corpus.batches import Batch
from dq.corpus.config import RowLimits
from dq.corpus.inputs import Entry, Inputs, find_inputs, input_identity
from dq.corpus.quarantine import QUARANTINE, RowCounts
from dq.dedup.contamination import ContaminationConfig
from dq.errors import ConfigError
from dq.executors import QUIET, Executor, LocalExecutor, Progress, require_live_polars
from dq.files.card import Card, check_card_of, judged_section, kept_sources, write_documents_card
from dq.files.divided import adder, carried, finish, followed_link, made_once, outputs_of
from dq.files.named import Named
from dq.files.pieces import PieceTask, Scoring, counted, cut, join_quarantine, run_pieces
from dq.files.tally import BY_SOURCE
from dq.results import Result
from dq.stages.benchmarks import (
    BY_BENCHMARK,
    REASON,
    BenchmarksConfig,
    by_benchmark,
    items_of,
    read_items,
    report_of,
)
from dq.store import Stage, read_parquet, write_parquet

VERSION = 2
MATCHES, ITEMS, SCRATCH = "matches.parquet", "items.parquet", ".pieces"


@dataclass(frozen=True)
class ContaminationResult(Result):
    """What `decontaminate_files` found.

    Attributes:
        by_benchmark: a row a benchmark, as `dq.stages.benchmarks.BY_BENCHMARK` says.
        by_source: a row a source: documents, bytes (UTF-8 of text), kept, kept_bytes.
        rows: what happened to the rows of the files.
        warnings: what the user should know of the card.
    """

    FRAME: ClassVar = "by_benchmark"

    by_benchmark: pl.DataFrame
    by_source: pl.DataFrame
    rows: RowCounts
    warnings: tuple[str, ...] = ()

    @property
    def documents(self) -> int:
        """Documents that were looked at."""
        return self.rows.documents

    @property
    def contaminated(self) -> int:
        """Documents that hold an item."""
        return self.documents - int(self.by_source["kept"].sum())

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ContaminationResult:
        """What `to_dict` gave."""
        benchmarks = pl.DataFrame(found["benchmarks"], schema=BY_BENCHMARK)
        return cls(benchmarks, pl.DataFrame(found["sources"], schema=BY_SOURCE), RowCounts.from_dict(found))

    def record(self) -> dict[str, Any]:
        """What the records of all outputs hold, and warnings, which they have none of."""
        counts = {"documents": self.documents, "contaminated": self.contaminated, **self.rows.to_dict()}
        warnings = {"warnings": self.warnings} if self.warnings else {}
        return {**counts, "benchmarks": self.by_benchmark, "sources": self.by_source, **warnings}


def decontaminate_files(  # noqa: PLR0913 - what is read, by whom, and where it goes
    inputs: Sequence[Entry],
    config: BenchmarksConfig,
    report: Path,
    *,
    kept: Path | None = None,
    dropped: Path | None = None,
    card: CardConfig | None = None,
    overwrite: bool = False,
    limits: RowLimits | None = None,
    executor: Executor | None = None,
    progress: Progress = QUIET,
) -> ContaminationResult:
    """Find the documents of some files in which items of benchmarks stand. The same call goes on after interruptions.

    Args:
        inputs: files, patterns, folders and samples.
        config: the benchmarks, and when an item stands in a document.
        report: a new or empty folder for what was found.
        kept: where the other documents go, as `filter_files` writes them; None writes none.
        dropped: where those that hold an item go, with the benchmarks as reasons, and ``items``: benchmark, item,
            ngrams and coverage of each, as in the report.
        card: licences and languages for the dataset's card of a folder ``kept``; for a finished one it is written anew.
        overwrite: replace what other inputs or settings of this function have made there.
        limits: which rows become documents.
        executor: who works on pieces of the input; default this process.
        progress: told of what is done.

    Raises:
        DqError: a folder holds something else, or input or benchmarks cannot be read.
    """
    require_live_polars()
    instance(config, BenchmarksConfig, name="config", remedy="BenchmarksConfig(benchmarks=(Benchmark(...),))")
    report, executor = path(report, name="report"), executor or LocalExecutor()
    kept = None if kept is None else path(kept, name="kept")
    dropped = None if dropped is None else path(dropped, name="dropped")
    outputs = outputs_of(kept, dropped, field="kept")
    check_card_of(outputs.get("kept"), card)
    if any(output.path.resolve() == report.resolve() for output in outputs.values()):
        raise ConfigError(f"{report}: the report and the documents need folders of their own", field="report")
    work = _Work(find_inputs(inputs), config, report, tuple(outputs.values()), Scoring(limits or RowLimits()))
    for read in (work.found, *(find_inputs(one.inputs) for one in config.benchmarks)):
        refuse_overlap(read, [report, *(output.path for output in outputs.values())])
    with progress.step("compare with what is there", unit="files", total=len(work.found.files)) as step:
        identity = {"inputs": input_identity(work.found.files, step=step), **config.identity()}
    identity |= {"max_document_bytes": work.scoring.limits.max_document_bytes}
    holds = {"report": report, **{name: output.folder for name, output in outputs.items()}}
    identity |= {"outputs": ["report", *(f"{name}: {output.kind}" for name, output in outputs.items())]}
    stages = [
        Stage("decontaminate", VERSION, followed_link(folder), config={**identity, "holds": name})
        for name, folder in holds.items()
    ]
    for output in outputs.values():
        output.prepare()

    def describe(summary: Mapping[str, Any]) -> None:
        if kept is not None and outputs["kept"].kind == "folder":
            write_documents_card(stages[1], _card(config, ContaminationResult.from_dict(summary)), card)

    summary = made_once(
        stages,
        partial(work.run, executor=executor, progress=progress),
        describe=describe,
        overwrite=overwrite,
        quarantine=report / QUARANTINE,
        scratch=[report / SCRATCH],
    )
    result = ContaminationResult.from_dict(summary)
    work.check(result.rows)
    return result if card is None else replace(result, warnings=tuple(card.warnings(result.by_source["source"])))


def _card(config: BenchmarksConfig, result: ContaminationResult) -> Card:
    """Of the folder of kept documents."""
    share = f"{config.min_coverage:g} or more of" if config.min_coverage else "one of"
    text = (
        f"Dropped is a document that holds {share} the word {config.ngram}-grams of an item; of a shorter item, of "
        f"{config.min_words} words or more, all of it. Items that are still shorter were not looked for."
    )
    rows = result.by_benchmark.select("benchmark", "items", "too_short", "hit", "documents").rows()
    return Card(
        title="decontaminated",
        summary="Documents in which no item of some benchmarks stands, as they were.",
        sources=kept_sources(result.by_source),
        sections=[
            judged_section("What was looked at", result.by_source, result.rows),
            Section("Benchmarks", text, ("benchmark", "items", "too short", "found", "documents dropped"), rows),
        ],
    )


@dataclass(frozen=True)
class DecontaminateTask(PieceTask):
    """A piece, the items that are looked for in it, and where its documents go."""

    items: Path
    config: ContaminationConfig
    outputs: tuple[Named, ...]

    @property
    def matches(self) -> Path:
        """The table of its documents that hold items."""
        return self.scratch / f"{self.number:05d}.matches.parquet"

    @property
    def found(self) -> Path:
        """The n-grams of items that stand in it."""
        return self.scratch / f"{self.number:05d}.found.parquet"


@dataclass(frozen=True)
class _Work:
    """What is looked at, for what, and where it goes."""

    found: Inputs
    config: BenchmarksConfig
    report: Path
    outputs: tuple[Named, ...]
    scoring: Scoring

    def run(self, *, executor: Executor, progress: Progress) -> ContaminationResult:
        """Look at every piece, and put together what was found."""
        scratch = self.report / SCRATCH
        scratch.mkdir(parents=True, exist_ok=True)
        items, file = read_items(self.config.benchmarks), scratch / "items.parquet"
        write_parquet(file, items)
        tasks = [
            DecontaminateTask(piece, number, scratch, self.scoring, file, self.config.matching, self.outputs)
            for number, piece in enumerate(cut(self.found.files))
        ]
        tally = run_pieces(_look_in_piece, tasks, executor=executor, progress=progress, name="decontaminate")
        tally.rows.left_out = self.found.left_out
        join_quarantine(scratch, self.report / QUARANTINE)
        self.check(tally.rows)
        matches = pl.concat([read_parquet(task.matches) for task in tasks])
        found = [read_parquet(task.found) for task in tasks]
        per_item = report_of(items, items_of(file, self.config.matching), matches=matches, found=found)
        write_parquet(self.report / ITEMS, per_item)
        named = _items(matches, items, per_item["ngrams"])
        columns = ("benchmark", "item", "id", "source", "file", "row", "ngrams", "coverage")
        write_parquet(self.report / MATCHES, named.select(columns))
        finish(self.outputs, [task.number for task in tasks], scratch=scratch)
        placed = matches.with_columns(document=pl.struct("file", "row"))
        counts = by_benchmark(per_item, placed, items, ngram=self.config.ngram)
        return ContaminationResult(counts, tally.by_source(), tally.rows)

    def check(self, rows: RowCounts) -> None:
        """Refuse rows that are mostly unreadable."""
        wanted = self.found.files[0].spec.text_field
        rows.check(self.scoring.limits, listed_in=self.report / QUARANTINE, text_field=wanted)


def _items(matches: pl.DataFrame, items: pl.DataFrame, ngrams: pl.Series) -> pl.DataFrame:
    """What was found, with the names of benchmarks and items, and the share of each item: its n-grams are given."""
    numbers = matches["item"]
    return matches.with_columns(
        items["benchmark"].gather(numbers),
        items["id"].gather(numbers).alias("item"),
        coverage=pl.col("ngrams") / ngrams.gather(numbers),
    )


def _look_in_piece(task: DecontaminateTask) -> None:
    index, named = items_of(task.items, task.config), read_parquet(task.items, columns=["benchmark", "id"])
    matches, found = [], []
    with counted(task, carries=carried(task.outputs)) as (tally, batches), ExitStack() as files:
        adders = [files.enter_context(adder(output, task.number)) for output in task.outputs]
        for spec, batch in batches:
            there = index.look_in(batch.documents.column("text"))
            why = _why(_items(there.matches, named, pl.Series(index.ngrams)), documents=len(batch.documents))
            clean = why["reasons"].list.len() == 0
            tally.count_kept(batch.filter(clean).documents)
            tally.count_reasons(why["reasons"].filter(~clean))
            matches.append(_placed(there.matches, batch))
            found.append(there.found)
            for add, chosen in zip(adders, (clean, ~clean), strict=False):
                part = batch.filter(chosen)
                add(spec, part, None if chosen is clean else part.places().hstack(why.filter(chosen)))
        write_parquet(task.matches, pl.concat(matches))
        write_parquet(task.found, pl.concat(found).unique().sort("item", "hash"))


def _placed(matches: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """What was found, with the ids, sources and places of the documents in place of their numbers in the batch."""
    names = pl.DataFrame(batch.documents.select(["id", "source"])).hstack(batch.places())
    return names[matches["document"]].hstack(matches.select("item", "ngrams"))


def _why(items: pl.DataFrame, *, documents: int) -> pl.DataFrame:
    """Of each document the benchmarks that stand in it as reasons, and their items."""
    listed = items.group_by("document", maintain_order=True).agg(
        reasons=(REASON + pl.col("benchmark")).unique(maintain_order=True),
        items=pl.struct("benchmark", "item", "ngrams", "coverage"),
    )
    every = pl.DataFrame({"document": pl.int_range(documents, dtype=pl.Int64, eager=True)})
    joined = every.join(listed, on="document", how="left", maintain_order="left").drop("document")
    return joined.with_columns(pl.col("reasons", "items").fill_null([]))
