"""Documents divided by rules, files to files: the kept ones in one folder, the dropped ones with reasons in another.

Each piece of the input (a part of a large file, or many small files) has its own file in both. What is finished has its
record, written last; the same command finds it, goes on after any interruption to the same bytes, and no other one
replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from dq.arguments import path
from dq.cards import CardConfig, rules_section
from dq.corpus.apart import refuse_overlap
from dq.corpus.inputs import Entry, Inputs, find_inputs, input_identity
from dq.corpus.quarantine import RowCounts
from dq.errors import ConfigError
from dq.executors import QUIET, Executor, LocalExecutor, Progress, require_live_polars
from dq.files.card import Card, check_card_of, judged_section, kept_sources, write_documents_card
from dq.files.divided import adder, carried, field_of, finish, followed_link, made_once, outputs_of
from dq.files.named import Named
from dq.files.pieces import PieceTask, Scoring, counted, cut, join_quarantine, run_pieces
from dq.files.score import ScoreTask, score_piece, score_tasks
from dq.files.tally import BY_SOURCE, Tally
from dq.quality import LabelRule, RuleSet, a_rule_set
from dq.quality.rules import fixed_value
from dq.quality.urls import RULES as URL_REASONS
from dq.quality.urls import with_urls
from dq.results import Result
from dq.store import Stage, read_parquet

VERSION = 6
SCRATCH = ".pieces"  # in the folder of the kept documents: tallies and quarantines of pieces, until all are done
RANKED = ".ranked"  # the same, of a first pass for rules that rank the whole input
BY_RULE = {
    "reason": pl.String,
    "signal": pl.String,
    "minimum": pl.Float64,
    "maximum": pl.Float64,
    "dropped": pl.Int64,
    "alone": pl.Int64,
}
BY_SCRIPT: dict[str, Any] = {
    "script": pl.String,
    "documents": pl.Int64,
    "kept": pl.Int64,
    "not_judged": pl.List(pl.String),
}
BY_LANGUAGE = {"language": pl.String, "documents": pl.Int64, "kept": pl.Int64, "own_bounds": pl.Boolean}


@dataclass(frozen=True)
class FilterResult(Result):
    """What `filter_files` did.

    Attributes:
        rules: who judged, with the thresholds that ranking gave.
        by_rule: one row a rule, in rule order: reason, signal, minimum, maximum, dropped (documents that fail it),
            alone (documents that fail nothing else); then one row a rule about addresses.
        by_source: one row a source, by name: documents, bytes (UTF-8 of text), kept, kept_bytes.
        by_script: one row a script without spaces between words that documents are mostly in: documents, kept, and
            not_judged, the reasons of the rules that are not made for it and judged none of them.
        by_language: one row a language, of rules that read it, the most frequent first: language (null: unknown),
            documents, kept, and own_bounds, whether rules have bounds for it (null: no rule has any).
        rows: what happened to the rows of the files.
        warnings: what the user should know of the card.
    """

    FRAME: ClassVar = "by_rule"

    rules: RuleSet
    strict: bool
    by_rule: pl.DataFrame
    by_source: pl.DataFrame
    by_script: pl.DataFrame
    by_language: pl.DataFrame
    rows: RowCounts
    warnings: tuple[str, ...] = ()

    @property
    def documents(self) -> int:
        """Documents that were judged."""
        return self.rows.documents

    @property
    def kept(self) -> int:
        """Documents that every rule accepts."""
        return int(self.by_source["kept"].sum())

    @classmethod
    def of(cls, rules: RuleSet, tally: Tally, *, strict: bool) -> FilterResult:
        """The result of all pieces."""
        by_rule = [
            {
                "reason": rule.reason,
                "signal": rule.signals(strict=strict)[0],
                "minimum": fixed_value(rule, "minimum"),
                "maximum": fixed_value(rule, "maximum"),
                "dropped": tally.dropped[rule.reason],
                "alone": tally.alone[rule.reason],
            }
            for rule in rules.rules
        ]
        by_rule += [
            {
                "reason": reason,
                "signal": rules.urls.field,
                "dropped": tally.dropped[reason],
                "alone": tally.alone[reason],
            }
            for reason in URL_REASONS
            if rules.urls is not None
        ]
        by_script = [
            [script, count, tally.kept_scripts[script], tally.unjudged[script]]
            for script, count in sorted(tally.scripts.items())
        ]
        own = rules.judged_labels("language")
        by_language = [
            [language or None, count, tally.kept_languages[language], None if own is None else language in own]
            for language, count in sorted(tally.languages.items(), key=lambda one: (-one[1], one[0]))
        ]
        return cls(
            rules,
            strict,
            pl.DataFrame(by_rule, schema=BY_RULE),
            tally.by_source(),
            pl.DataFrame(by_script, schema=BY_SCRIPT, orient="row"),
            pl.DataFrame(by_language, schema=BY_LANGUAGE, orient="row"),
            tally.rows,
        )

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> FilterResult:
        """What `to_dict` gave."""
        return cls(
            RuleSet.model_validate_json(json.dumps(found["rule_set"])),
            found["strict"],
            pl.DataFrame(found["rules"], schema=BY_RULE),
            pl.DataFrame(found["sources"], schema=BY_SOURCE),
            pl.DataFrame(found["scripts"], schema=BY_SCRIPT),
            pl.DataFrame(found["languages"], schema=BY_LANGUAGE),
            RowCounts.from_dict(found),
        )

    def record(self) -> dict[str, Any]:
        """What the records of both output folders hold, and warnings, which they have none of.

        Nothing in it differs between two equal runs.
        """
        return {
            "documents": self.documents,
            "kept": self.kept,
            "dropped": self.documents - self.kept,
            **self.rows.to_dict(),
            "strict": self.strict,
            "rules": self.by_rule,
            "sources": self.by_source,
            "scripts": self.by_script,
            "languages": self.by_language,
            "rule_set": self.rules,
            **({"warnings": self.warnings} if self.warnings else {}),
        }


def filter_files(  # noqa: PLR0913 - what is read, by whom, and where it goes
    inputs: Sequence[Entry],
    rules: RuleSet,
    *,
    kept: Path,
    dropped: Path | None = None,
    card: CardConfig | None = None,
    strict: bool = False,
    overwrite: bool = False,
    scoring: Scoring | None = None,
    executor: Executor | None = None,
    progress: Progress = QUIET,
) -> FilterResult:
    """Divide the documents of some files by rules. The same call goes on after any interruption.

    Args:
        inputs: files, patterns, folders and samples.
        rules: who judges; what rules about addresses found is in the dropped documents' column ``entries``.
        kept: a new or empty folder for Parquet files; or the name of one file, by its ending Parquet or JSON lines
            (.jsonl, .jsonl.gz, .jsonl.zst). Rows keep their own fields; id and source are added where there are none.
        dropped: the same for the others, with their full list of reasons and the values of the rules' signals.
        card: licences and languages for the dataset's card of a folder ``kept``; for a finished one it is written anew.
        overwrite: replace what other inputs or settings of this function have made in the folders.
        strict: judge as the rules' sources do, defects included.
        scoring: how rows become documents, and these signals.
        executor: who works on pieces of the input; default this process.
        progress: told of what is done, in files and bytes.

    Raises:
        DqError: a folder holds something else, or the input cannot be read.
    """
    require_live_polars()
    scoring, executor, kept = scoring or Scoring(), executor or LocalExecutor(), path(kept, name="kept")
    dropped = None if dropped is None else path(dropped, name="dropped")
    _check(rules, scoring, strict=strict)
    outputs = outputs_of(kept, dropped)
    check_card_of(outputs["kept"], card)
    found = find_inputs(inputs)
    refuse_overlap(found, [output.path for output in outputs.values()])
    with progress.step("compare with what is there", unit="files", total=len(found.files)) as step:
        identity = input_identity(found.files, step=step)
    config = {"inputs": identity, "rules": rules, "strict": strict, **scoring.identity}
    config |= {} if rules.urls is None else {"urls": rules.urls.identity()}
    kinds = [f"{name}: {output.kind}" for name, output in outputs.items()]
    stages = [
        Stage("filter", VERSION, followed_link(output.folder), config={**config, "outputs": kinds, "holds": name})
        for name, output in outputs.items()
    ]
    for output in outputs.values():
        output.prepare()
    work = _Work(found, tuple(outputs.values()), scoring, strict)

    def describe(summary: Mapping[str, Any]) -> None:
        if outputs["kept"].kind == "folder":
            write_documents_card(stages[0], _card(FilterResult.from_dict(summary)), card)

    summary = made_once(
        stages,
        partial(work.divide, rules, executor=executor, progress=progress),
        describe=describe,
        overwrite=overwrite,
        quarantine=outputs["kept"].quarantine,
        scratch=[outputs["kept"].folder / name for name in (SCRATCH, RANKED)],
    )
    result = FilterResult.from_dict(summary)
    work.check(result.rows)
    return result if card is None else replace(result, warnings=tuple(card.warnings(result.by_source["source"])))


def _card(result: FilterResult) -> Card:
    """Of the folder of kept documents."""
    shares = {one.reason: getattr(one, "keep_fraction", None) for one in result.rules.rules}
    rows = [
        (row["reason"], row["signal"], row["minimum"], row["maximum"], shares.get(row["reason"]), row["dropped"])
        for row in result.by_rule.to_dicts()
    ]
    return Card(
        title=f"{result.rules.name}: kept",
        summary="Documents that every rule of a set accepts, as they were.",
        sources=kept_sources(result.by_source),
        sections=[
            judged_section("What was judged", result.by_source, result.rows),
            rules_section(result.rules.name, rows, strict=result.strict),
        ],
    )


@dataclass(frozen=True)
class _Work:
    """What is filtered, how, and into what: the kept documents first."""

    found: Inputs
    outputs: tuple[Named, ...]
    scoring: Scoring
    strict: bool

    def divide(self, rules: RuleSet, *, executor: Executor, progress: Progress) -> FilterResult:
        """Work on every piece, and make of the pieces what the outputs name."""
        pieces, folder = cut(self.found.files), self.outputs[0].folder
        if not rules.is_fixed:
            ranked = rules.ranked(strict=self.strict)
            ranks = score_tasks(pieces, ranked, scoring=self.scoring, scratch=folder / RANKED)
            rules = _fixed(rules, ranks, strict=self.strict, executor=executor, progress=progress)
        tasks = [
            FilterTask(piece, number, folder / SCRATCH, self.scoring, self.outputs, rules, self.strict)
            for number, piece in enumerate(pieces)
        ]
        tally = run_pieces(_filter_piece, tasks, executor=executor, progress=progress, name="filter")
        tally.rows.left_out = self.found.left_out
        join_quarantine(folder / SCRATCH, self.outputs[0].quarantine)
        self.check(tally.rows)
        finish(self.outputs, [task.number for task in tasks], scratch=folder / SCRATCH)
        return FilterResult.of(rules, tally, strict=self.strict)

    def check(self, rows: RowCounts) -> None:
        """Refuse rows that are mostly unreadable."""
        wanted = self.found.files[0].spec.text_field
        rows.check(self.scoring.limits, listed_in=self.outputs[0].quarantine, text_field=wanted)


def _check(rules: RuleSet, scoring: Scoring, *, strict: bool) -> None:
    scoring.check(a_rule_set(rules).signals(strict=strict))
    for rule in rules.rules:
        if isinstance(rule, LabelRule) and rule.signal == "language":
            scoring.check_languages(rule.any_of)
    if other := set(rules.groups) - {"source"} - rules.labels:
        raise ConfigError(
            f"rule set `{rules.name}` ranks by `{min(other)}`; files can be ranked by `source`, `language`, or in all"
        )


def _fixed(
    rules: RuleSet, tasks: Sequence[ScoreTask], *, strict: bool, executor: Executor, progress: Progress
) -> RuleSet:
    """The rules with the thresholds of the whole input, which is scored once for them."""
    run_pieces(score_piece, tasks, executor=executor, progress=progress, name="rank")
    columns = ["source", *rules.ranked(strict=strict)]
    return rules.fixed(pl.concat([read_parquet(task.output, columns=columns) for task in tasks]), strict=strict)


@dataclass(frozen=True)
class FilterTask(PieceTask):
    """A piece, who judges it, and where its documents go: the kept ones, then the dropped ones if they are wanted."""

    outputs: tuple[Named, ...]
    rules: RuleSet
    strict: bool


def _filter_piece(task: FilterTask) -> None:
    names = task.rules.signals(strict=task.strict)
    with counted(task, carries=carried(task.outputs)) as (tally, batches), ExitStack() as files:
        adders = [files.enter_context(adder(output, task.number)) for output in task.outputs]
        for spec, batch in batches:
            scores = task.scoring.scores(batch.documents, names)
            source = pl.Series("source", batch.documents.column("source"))
            verdicts = task.rules.judge(pl.DataFrame([*scores, source]), strict=task.strict)
            if (urls := task.rules.urls) is not None:
                verdicts, scores = _with_urls(verdicts, scores, found=urls.judge(field_of(batch, urls.field)))
            keep, failed = verdicts["keep"], ~verdicts["keep"]
            chosen = batch.filter(keep)
            tally.count_kept(chosen.documents)
            tally.count_reasons(verdicts.filter(failed)["reasons"])
            tally.count_scripts(verdicts)
            if "language" in scores.columns:
                tally.count_languages(scores["language"], keep)
            adders[0](spec, chosen, None)
            for add in adders[1:]:
                rest = batch.filter(failed)
                why = pl.concat([verdicts.select("reasons", "not_judged"), scores], how="horizontal").filter(failed)
                add(spec, rest, pl.concat([rest.places(), why], how="horizontal"))


def _with_urls(
    verdicts: pl.DataFrame, scores: pl.DataFrame, *, found: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Verdicts with what rules about addresses found, and their entries beside the signals."""
    return with_urls(verdicts, found["reasons"]), pl.DataFrame([*scores, found["entries"]])
