"""The held-out stage: per-source sets by content key, neutral sets from elsewhere, and what they exclude.

Membership follows a document's own content key, and copies of a held-out document are held out with it. Only what is
scored is held out: of a source beyond `max_documents` those with the lowest draw, so that documents that are added
never move one into a set, and out of it only one whose place they take.

What is excluded is too near to one held-out document. Many documents may each quote a little of one: how much of it
stands in all of them together is measured too, and what stands there by over a fifth is not scored.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from dq.arrays import U64
from dq.config import FieldFault, SparseModel, StrictModel
from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.dedup.overlap import quoted_share
from dq.errors import ConfigError, InputError, listed
from dq.executors import QUIET, Executor, Step
from dq.stages.base import Need, Output, View
from dq.stages.contamination import Contamination, versions
from dq.stages.exclusion import Bools, Overlaps, find_overlaps
from dq.stages.read import Documents, NeutralDocuments, ingest
from dq.store import read_array, read_parquet, write_parquet, write_table
from dq.text import mix64, uniform

ENTRIES, SCORED = "entries.parquet", "scored.parquet"
WITHHELD = "withheld.parquet"
MAX_QUOTED = 0.2

BENCHMARKS = "_benchmarks"  # a name that no neutral set can have
DRAW = 0x68656C64  # names this use of the content keys: independent of every other draw


class NeutralSet(SparseModel):
    """Held-out text from elsewhere: no variant's home field, so verdicts are made on it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """The set's name in tables."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """Its files or samples; all of it is held out."""
    max_documents: int | None = Field(default=None, ge=1)
    """Most documents of it that are scored, where that is not the `max_documents` of all sets."""


class HeldoutConfig(StrictModel):
    """Which documents measure the models, and what is kept away from them."""

    fraction: float = Field(default=0.02, ge=0, lt=1)
    """Share of each source held out, by content key, `max_documents` at most. 0: neutral sets only."""
    neutral: tuple[NeutralSet, ...] = ()
    """Sets from elsewhere."""
    max_documents: int = Field(default=500, ge=1)
    """Most documents of a set: those with the lowest draw. Others of a source are trained on."""
    document_bytes: int = Field(default=2000, ge=100)
    """Of each evaluated document the first so many bytes (whole characters) are scored."""
    min_jaccard: float = Field(default=0.5, gt=0, le=1)
    """Documents with at least this word-5-gram Jaccard to a held-out one are excluded from training."""
    min_containment: float = Field(default=0.5, gt=0, le=1)
    """So are those that hold at least this share of a held-out document's word 13-grams."""

    @model_validator(mode="after")
    def _names_differ(self) -> HeldoutConfig:
        names = [item.name for item in self.neutral]
        if len(set(names)) != len(names):
            twice = next(at for at, name in enumerate(names) if name in names[:at])
            raise FieldFault("two neutral sets have the same name", "neutral", twice, "name")
        if not names and self.fraction == 0:
            raise FieldFault("nothing is held out: give `fraction` or `neutral`", "fraction")
        return self


def is_held_out(content_keys: Any, fraction: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether documents with these content keys (uint64) are held out: bool, same shape."""
    return np.asarray(uniform(mix64(content_keys, DRAW)) < fraction)


class Heldout(Output):
    """Held-out sets, and the documents that they keep out of training.

    Attributes:
        sets: names of the held-out sets, per-source ones first.
        neutral: names of those that decide.
        quoted: by set, what part of its word 13-grams stands in training text, and what is not scored for it.
        held_out: bool (n documents), in a held-out set.
        excluded: bool (n documents), too near to one of a held-out set, or with an item of a benchmark in it.
    """

    made_by: ClassVar = {"heldout": 4}
    needs: ClassVar = {
        "corpus": Need(Documents),
        "trained": Need(Documents, "trained"),
        BENCHMARKS: Need(Contamination),
    }

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``heldout``."""
        return view.workspace.heldout()

    @classmethod
    def need(cls, name: str, config: Any) -> Need:
        """The corpus as read and as trained on; every other input is a neutral set."""
        del config
        return cls.needs.get(name) or Need(NeutralDocuments, name)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sets: list[str] = list(self.record.summary["sets"])
        self.neutral: list[str] = list(self.record.summary["neutral"])
        self.quoted: dict[str, dict[str, Any]] = dict(self.record.summary.get("quoted", {}))
        self.held_out: Bools = read_array(folder / WITHHELD, "held_out")
        self.excluded: Bools = read_array(folder / WITHHELD, "excluded")

    @property
    def withheld(self) -> Bools:
        """Held out or excluded: what no variant may use. Bool (n documents)."""
        return self.held_out | self.excluded

    @cached_property
    def exclusions(self) -> pl.DataFrame:
        """One row an excluded document: document, entry, score, measure, set, heldout_id."""
        return read_parquet(self.folder / "exclusions.parquet")

    def documents(self, name: str) -> pl.DataFrame:
        """The evaluated documents of a set: id, text (its scored beginning), n_bytes."""
        # Files are numbered: a source's name is the input's own text and never becomes a path.
        return read_parquet(self.folder / f"set-{self.sets.index(name):03d}.parquet")

    def quoted_in_words(self, sets: Iterable[str]) -> list[str]:
        """What of some sets stands in training text, and how many of their documents are not scored for it."""
        shares = [f"{name} {self.quoted[name]['share']:.1%}" for name in sets if self.quoted[name]["share"] > 0]
        said = [f"word 13-grams of held-out sets that stand in training text: {listed(shares)}"] if shares else []
        return said + self.unscored_in_words(sets)

    def unscored_in_words(self, sets: Iterable[str]) -> list[str]:
        """How many documents of some sets are not scored, for too much of them stands in training text."""
        gone = [f"{name} ({n})" for name in sets if (n := len(self.quoted[name]["left_out"]))]
        reason = f"for over {MAX_QUOTED:.0%} of their word 13-grams stand in training text"
        return [f"held-out documents that are not scored, {reason}: {listed(gone)}"] if gone else []

    def entries(self) -> pl.DataFrame:
        """What excludes: every held-out document whole, and the beginning of long ones: set, heldout_id, text."""
        return read_parquet(self.folder / ENTRIES)


def hold_out(
    view: View,
    config: HeldoutConfig,
    read: ReadConfig,
    *,
    benchmarks: bool = False,
    executor: Executor,
    step: Step = QUIET,
) -> Heldout:
    """Make the held-out sets and find what they exclude, or find that it has been done. The step counts shards.

    With ``benchmarks`` documents that hold items of these, which have been found, are excluded too.
    """
    neutral = {
        item.name: ingest(NeutralDocuments.place(view, item.name), item.input, read)
        for item in sorted(config.neutral, key=lambda item: item.name)
    }
    # What is trained on must be far from what is scored, and so must what it was made from.
    uses = versions(view)
    others = {name: corpus.record.fingerprint for name, corpus in neutral.items()}
    stage = view.stage(Heldout, config=config, uses=heldout_uses(view, benchmarks=benchmarks), others=others)
    if stage.done() is None:
        stage.start()
        corpora = [view.open(Documents, "" if name == "corpus" else name) for name in uses]
        held_out = _drawn(corpora[0], config)
        frames = dict(_per_source(corpora[0], held_out))
        frames |= {name: _neutral(name, one, corpora[0]) for name, one in neutral.items()}
        if not frames:
            raise InputError(
                f"no document is held out: {len(held_out):,} documents are too few for a fraction of "
                f"{config.fraction:g}; raise `heldout.fraction` or name a set under `heldout.neutral`"
            )
        most = {one.name: one.max_documents or config.max_documents for one in config.neutral}
        scored = {
            name: _evaluated(frame, config, max_documents=most.get(name, config.max_documents))
            for name, frame in frames.items()
        }
        write_parquet(stage.folder / SCORED, pl.concat(scored.values()))
        entries = pl.concat([_entries(name, frame, config) for name, frame in frames.items()])
        write_parquet(stage.folder / ENTRIES, entries)
        overlaps = Overlaps(
            stage.folder / ENTRIES,
            stage.folder / SCORED,
            config.min_jaccard,
            config.min_containment,
            stage.fingerprint,
        )
        near, quoted = find_overlaps(corpora, overlaps, held_out=held_out, executor=executor, step=step)
        leaks = {}
        for number, (name, frame) in enumerate(scored.items()):
            left, leaks[name] = _without_quoted(frame, quoted)
            write_parquet(stage.folder / f"set-{number:03d}.parquet", left)
        exclusions = _exclusions(near, entries, held_out)
        if benchmarks:
            exclusions = _with_benchmarks(exclusions, view.open(Contamination).exclusions(), held_out)
        excluded = np.zeros(len(held_out), bool)
        excluded[exclusions["document"].to_numpy()] = True
        write_table(stage.folder / WITHHELD, pa.table({"held_out": held_out, "excluded": excluded}))
        write_parquet(stage.folder / "exclusions.parquet", exclusions)
        summary = {"sets": list(frames), "neutral": sorted(neutral), "held_out": int(held_out.sum()), "quoted": leaks}
        stage.commit({**summary, "excluded": int(excluded.sum())})
    return view.open(Heldout)


def heldout_uses(view: View, *, benchmarks: bool) -> tuple[str, ...]:
    """What the held-out stage is made from, beside neutral sets."""
    return (*versions(view), *((BENCHMARKS,) if benchmarks else ()))


def _drawn(corpus: Corpus, config: HeldoutConfig) -> Bools:
    """Which documents are in a set of their source: the lowest draws below the fraction, with all their copies."""
    shards = range(len(corpus.sizes))
    chosen = pl.DataFrame(schema={"source": pl.String, "content_key": pl.UInt64, "draw": pl.UInt64})
    for shard in shards:
        documents = corpus.of_shard(shard, ["source", "content_key", "n_bytes"])
        keys = documents["content_key"].to_numpy()
        draw = pl.Series("draw", mix64(keys, DRAW), pl.UInt64)
        drawn = pl.Series(is_held_out(keys, config.fraction)) & (documents["n_bytes"] > 0)
        mine = documents.with_columns(draw).filter(drawn).select(chosen.columns)
        unique = pl.concat([chosen, mine]).unique(["source", "content_key"])
        chosen = unique.filter(pl.col("draw").rank("ordinal").over("source") <= config.max_documents)
    held = chosen["content_key"].implode()
    return np.concatenate(
        [corpus.of_shard(one, ["content_key"])["content_key"].is_in(held).to_numpy() for one in shards]
    )


def _without_quoted(frame: pl.DataFrame, quoted: U64) -> tuple[pl.DataFrame, dict[str, Any]]:
    """What is scored of a set, and how much of all of it stands in training text: a share, and ids left out.

    Where that leaves fewer than two documents, all are scored: the share then says what their losses are worth.
    """
    share = quoted_share(frame["text"], quoted)
    clean = share <= MAX_QUOTED
    left = frame.filter(pl.Series(clean)) if clean.sum() > 1 else frame
    gone = frame.filter(~pl.Series(clean))["id"].to_list() if len(left) < len(frame) else []
    weights = frame["n_bytes"].to_numpy()
    return left, {"share": float((share * weights).sum() / weights.sum()), "left_out": gone}


def _per_source(corpus: Corpus, held_out: np.ndarray[Any, Any]) -> list[tuple[str, pl.DataFrame]]:
    if not held_out.any():
        return []
    held = corpus.rows(np.flatnonzero(held_out), ["id", "source", "text", "content_key", "n_bytes"])
    held = held.filter(pl.col("n_bytes").sum().over("source") > 0)  # empty documents alone measure nothing
    return [(str(source), held.filter(pl.col("source") == source)) for source in held["source"].unique().sort()]


def _neutral(name: str, neutral: Corpus, corpus: Corpus) -> pl.DataFrame:
    """All documents of a neutral set."""
    if name in corpus.sources:
        raise ConfigError(f"heldout.neutral: {name} is also a source of the corpus; give the set another name")
    columns = ["id", "source", "text", "content_key", "n_bytes"]
    whole = pl.concat([read_parquet(path, columns=columns) for path in neutral.shards])
    if whole["n_bytes"].sum() == 0:
        raise InputError(f"heldout.neutral: all documents of {name} are empty; check its `input:`")
    return whole


def _evaluated(frame: pl.DataFrame, config: HeldoutConfig, *, max_documents: int) -> pl.DataFrame:
    """The documents that are scored: each scored text once, non-empty, lowest draw first, cut to their beginning."""
    draw = pl.Series("draw", mix64(frame["content_key"].to_numpy(), DRAW), pl.UInt64)
    ranked = frame.with_columns(draw).filter(pl.col("n_bytes") > 0).sort("draw", "id")
    heads = pl.Series("text", [_head(text, config.document_bytes) for text in ranked["text"]], pl.String)
    chosen = ranked.with_columns(heads).unique("text", keep="first", maintain_order=True).head(max_documents)
    # Ids are the user's and need not differ; what is measured is named by id, so doubled ones get their content key.
    key = pl.format("{}#{}", "id", "content_key")
    return chosen.select(
        pl.when(pl.col("id").is_duplicated()).then(key).otherwise("id").alias("id"),
        "text",
        pl.col("text").str.len_bytes().cast(pl.Int64).alias("n_bytes"),
    )


def _head(text: str, n_bytes: int) -> str:
    """The longest beginning of whole characters within ``n_bytes`` of UTF-8."""
    return text.encode()[:n_bytes].decode("utf-8", "ignore")


def _exclusions(near: pl.DataFrame, entries: pl.DataFrame, held_out: Bools) -> pl.DataFrame:
    """The near documents that are not held out themselves, with the set and the id of what they are near to."""
    named = entries.select("set", "heldout_id").with_row_index("entry").cast({"entry": pl.Int64})
    return (
        near.filter(~pl.Series(held_out[near["document"].to_numpy()]))
        .join(named, on="entry", how="left", maintain_order="left")
        .drop("entry")
    )


def _with_benchmarks(exclusions: pl.DataFrame, contaminated: pl.DataFrame, held_out: Bools) -> pl.DataFrame:
    """What is excluded for held-out documents, and then for benchmarks."""
    mine = contaminated.filter(~pl.Series(held_out[contaminated["document"].to_numpy()]))
    new = mine.join(exclusions, on="document", how="anti", maintain_order="left")
    return pl.concat([exclusions, new.select(exclusions.columns)]).sort("document")


def _entries(name: str, frame: pl.DataFrame, config: HeldoutConfig) -> pl.DataFrame:
    frame = frame.sort("content_key", "id")  # of equally near entries the first is named: whatever the corpus's order
    long = frame.filter(pl.col("n_bytes") > config.document_bytes)
    heads = pl.Series("text", [_head(text, config.document_bytes) for text in long["text"]], pl.String)
    both = pl.concat([frame.select("id", "text"), long.select("id").with_columns(heads)])
    return both.select(pl.lit(name).alias("set"), pl.col("id").alias("heldout_id"), "text")
