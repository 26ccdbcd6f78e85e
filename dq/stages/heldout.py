"""The held-out stage: per-source sets by content key, neutral sets from elsewhere, and what they exclude.

Membership depends on a document's own content key alone, so it never moves when documents are added, and copies of a
held-out document are held out with it.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dq.config import FieldFault, StrictModel
from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.errors import ConfigError, InputError
from dq.executors import QUIET, Executor, Step
from dq.stages.base import ORIGINAL, Need, Output, View
from dq.stages.exclusion import Overlaps, find_overlaps
from dq.stages.read import Documents, NeutralDocuments, ingest
from dq.store import read_parquet, write_parquet
from dq.text import mix64, uniform

ENTRIES = "entries.parquet"
Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

DRAW = 0x68656C64  # names this use of the content keys: independent of every other draw


class NeutralSet(StrictModel):
    """Held-out text from elsewhere: no variant's home field, so verdicts are made on it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """The set's name in tables."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """Its files or samples; all of it is held out."""


class HeldoutConfig(StrictModel):
    """Which documents measure the models, and what is kept away from them."""

    fraction: float = Field(default=0.02, ge=0, lt=1)
    """Share of each source held out, by content key: adding documents never moves membership. 0: neutral sets only."""
    neutral: tuple[NeutralSet, ...] = ()
    """Sets from elsewhere."""
    max_documents: int = Field(default=500, ge=1)
    """Most documents of a set that are evaluated: those with the lowest draw. All of a set stay out of training."""
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
        held_out: bool (n documents), in a held-out set.
        excluded: bool (n documents), too near to one of a held-out set.
    """

    made_by: ClassVar = {"heldout": 3}
    needs: ClassVar = {"corpus": Need(Documents), "trained": Need(Documents, "trained")}

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
        marks = read_parquet(folder / "withheld.parquet")
        self.held_out: Bools = marks["held_out"].to_numpy()
        self.excluded: Bools = marks["excluded"].to_numpy()

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

    def entries(self) -> pl.DataFrame:
        """What excludes: every held-out document whole, and the beginning of long ones: set, heldout_id, text."""
        return read_parquet(self.folder / ENTRIES)


def hold_out(view: View, config: HeldoutConfig, read: ReadConfig, *, executor: Executor, step: Step = QUIET) -> Heldout:
    """Make the held-out sets and find what they exclude, or find that it has been done. The step counts shards."""
    neutral = {
        item.name: ingest(NeutralDocuments.place(view, item.name), item.input, read)
        for item in sorted(config.neutral, key=lambda item: item.name)
    }
    # What is trained on must be far from what is scored, and so must what it was made from.
    uses = ("corpus",) if view.texts.trained == ORIGINAL else ("corpus", "trained")
    others = {name: corpus.record.fingerprint for name, corpus in neutral.items()}
    stage = view.stage(Heldout, config=config, uses=uses, others=others)
    if stage.done() is None:
        stage.start()
        corpora = [view.open(Documents, "" if name == "corpus" else name) for name in uses]
        documents = corpora[0].documents
        held_out = is_held_out(documents["content_key"].to_numpy(), config.fraction)
        frames = dict(_per_source(corpora[0], held_out))
        frames |= {name: _neutral(name, one, corpora[0]) for name, one in neutral.items()}
        if not frames:
            raise InputError(
                f"no document is held out: {len(held_out):,} documents are too few for a fraction of "
                f"{config.fraction:g}; raise `heldout.fraction` or name a set under `heldout.neutral`"
            )
        for number, frame in enumerate(frames.values()):
            write_parquet(stage.folder / f"set-{number:03d}.parquet", _evaluated(frame, config))
        entries = pl.concat([_entries(name, frame, config) for name, frame in frames.items()])
        write_parquet(stage.folder / ENTRIES, entries)
        overlaps = Overlaps(stage.folder / ENTRIES, config.min_jaccard, config.min_containment)
        near = find_overlaps(corpora, overlaps, executor=executor, step=step)
        exclusions = _exclusions(near, entries, held_out)
        excluded = np.zeros(len(held_out), bool)
        excluded[exclusions["document"].to_numpy()] = True
        marks = {"held_out": held_out, "excluded": excluded}
        write_parquet(stage.folder / "withheld.parquet", pl.DataFrame(marks))
        write_parquet(stage.folder / "exclusions.parquet", exclusions)
        summary = {"sets": list(frames), "neutral": sorted(neutral), "held_out": int(held_out.sum())}
        stage.commit({**summary, "excluded": int(excluded.sum())})
    return view.open(Heldout)


def _per_source(corpus: Corpus, held_out: np.ndarray[Any, Any]) -> list[tuple[str, pl.DataFrame]]:
    if not held_out.any():
        return []
    frames, first = [], 0
    for path in corpus.shards:
        frame = read_parquet(path, columns=["id", "source", "text", "content_key", "n_bytes"])
        frames.append(frame.filter(pl.Series(held_out[first : first + len(frame)])))
        first += len(frame)
    held = pl.concat(frames)
    held = held.filter(pl.col("n_bytes").sum().over("source") > 0)  # empty documents alone measure nothing
    return [(str(source), held.filter(pl.col("source") == source)) for source in held["source"].unique().sort()]


def _neutral(name: str, neutral: Corpus, corpus: Corpus) -> pl.DataFrame:
    """All documents of a neutral set."""
    if name in corpus.documents["source"]:
        raise ConfigError(f"heldout.neutral: {name} is also a source of the corpus; give the set another name")
    columns = ["id", "source", "text", "content_key", "n_bytes"]
    whole = pl.concat([read_parquet(path, columns=columns) for path in neutral.shards])
    if whole["n_bytes"].sum() == 0:
        raise InputError(f"heldout.neutral: all documents of {name} are empty; check its `input:`")
    return whole


def _evaluated(frame: pl.DataFrame, config: HeldoutConfig) -> pl.DataFrame:
    """The documents that are scored: each scored text once, non-empty, lowest draw first, cut to their beginning."""
    draw = pl.Series("draw", mix64(frame["content_key"].to_numpy(), DRAW), pl.UInt64)
    ranked = frame.with_columns(draw).filter(pl.col("n_bytes") > 0).sort("draw", "id")
    heads = pl.Series("text", [_head(text, config.document_bytes) for text in ranked["text"]], pl.String)
    chosen = ranked.with_columns(heads).unique("text", keep="first", maintain_order=True).head(config.max_documents)
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


def _entries(name: str, frame: pl.DataFrame, config: HeldoutConfig) -> pl.DataFrame:
    frame = frame.sort("content_key", "id")  # of equally near entries the first is named: whatever the corpus's order
    long = frame.filter(pl.col("n_bytes") > config.document_bytes)
    heads = pl.Series("text", [_head(text, config.document_bytes) for text in long["text"]], pl.String)
    both = pl.concat([frame.select("id", "text"), long.select("id").with_columns(heads)])
    return both.select(pl.lit(name).alias("set"), pl.col("id").alias("heldout_id"), "text")
