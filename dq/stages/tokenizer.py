"""Byte-level BPE, trained on training text with equal bytes from every source, never on held-out text; or one's own.

Equal bytes per source keep one large source from shaping the vocabulary that all are measured with. Byte level means
that any text has tokens and none is unknown. The library is Hugging Face `tokenizers`, whose merging takes quadratic
time in the length of a run of letters, digits, marks or white space: long ones are cut (`encoder.LONG_RUNS`). The cut
stands in the file, so every reader of it encodes alike; words are far shorter, so ordinary text has the tokens it had.
A tokenizer of the user's is taken as it is (`dq.stages.own_tokenizer`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dq.arrays import Bools
from dq.config import FieldFault, SparseModel, fingerprint
from dq.corpus import Corpus
from dq.corpus.corpus import IDENTITY
from dq.errors import InputError, require
from dq.stages.base import Need, Output, View
from dq.stages.encoder import LONG_RUNS, MAX_RUN_CHARS
from dq.stages.heldout import Heldout
from dq.stages.own_tokenizer import read_tokenizer_file, take_own
from dq.stages.read import Documents
from dq.store import Stage, write_bytes_atomic
from dq.text import mix64, rows_with_long_runs, text_batch, uniform

FILE = "tokenizer.json"
BOS, BOS_ID = "<|bos|>", 0
MAX_TRIED = 200  # documents that are tried with a tokenizer of one's own
SPARE = 4.0  # times as many bytes are looked at as the sample is to have
DRAW = 0x746F6B  # names this use of the documents' keys, so that draws of different stages are independent


class TokenizerConfig(SparseModel):
    """Which tokenizer: one that is trained, or a file."""

    vocab_size: int = Field(default=2048, ge=258, le=65_536)
    """Entries, with the 256 bytes and BOS."""
    bytes_per_source: int = Field(default=4_000_000, ge=10_000)
    """Text of each source to train on; a source with less lowers it for all."""
    file: str | None = None
    """A ``tokenizer.json`` of Hugging Face's library, relative to the current folder, in place of a trained one."""
    bos: str | None = None
    """The special token of that file which begins every document, where it is none of the usual names."""

    @model_validator(mode="after")
    def _trained_or_given(self) -> Self:
        if self.file is None and self.bos is not None:
            raise FieldFault("names a token of a tokenizer's `file`, and there is none", "bos")
        trained = sorted({"vocab_size", "bytes_per_source"} & self.model_fields_set)
        if self.file is not None and trained:
            raise FieldFault("is for a tokenizer that is trained; leave it out beside `file`", trained[0])
        return self

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The library that trains it."""
        return ("tokenizers",)


class Tokenizer(Output):
    """The trained tokenizer."""

    made_by: ClassVar = {"tokenizer": 1}
    needs: ClassVar = {"corpus": Need(Documents, "trained"), "heldout": Need(Heldout)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``tokenizer``."""
        return view.workspace.tokenizer()

    @property
    def file(self) -> Path:
        """``tokenizer.json``, as `tokenizers` and `transformers` read it."""
        return self.folder / FILE

    @property
    def left_out(self) -> tuple[str, ...]:
        """Sources of which nothing was left to train on."""
        return tuple(self.record.summary.get("left_out", ()))

    @property
    def vocabulary_size(self) -> int:
        """Entries, with the bytes and BOS."""
        return int(self.record.summary["vocab_size"])

    @property
    def bos(self) -> Bos:
        """What begins a document."""
        return bos_of(self.record.summary)

    @property
    def inexact(self) -> tuple[int, int]:
        """Sampled texts that do not return from their tokens as they were, of how many; none of a trained one."""
        inexact, of = self.record.summary.get("inexact", (0, 0))
        return int(inexact), int(of)


@dataclass(frozen=True)
class Bos:
    """The token that begins every document, and its number."""

    token: str
    id: int


def bos_of(summary: Mapping[str, Any]) -> Bos:
    """BOS by the record of a tokenizer."""
    return Bos(str(summary.get("bos", BOS)), int(summary.get("bos_id", BOS_ID)))


def tokenizer_stage(view: View, config: TokenizerConfig) -> Stage:
    """The stage of a tokenizer; one's own is known by its content.

    Raises:
        InputError: its file cannot be read.
    """
    if config.file is None:
        return view.stage(Tokenizer, config=config)
    return view.stage(Tokenizer, config=[config, fingerprint(read_tokenizer_file(config.file))])


def make_tokenizer(view: View, config: TokenizerConfig) -> Tokenizer:
    """Train on the documents that are not withheld, or take the file, or find that it has been done.

    A source of which nothing is left is named in the summary, as ``left_out``: no variant has it.

    Raises:
        InputError: no source has training text, or the file is no tokenizer that text can be measured with.
    """
    stage = tokenizer_stage(view, config)
    if stage.done() is None:
        stage.start()
        corpus = view.open(Documents, "trained")
        sample = _sample(corpus, ~view.open(Heldout).withheld, config)
        per_source = sample.group_by("source").agg(pl.col("n_bytes").sum()).sort("source")
        left_out = sorted(set(corpus.sources) - set(per_source["source"]))
        if config.file is None:
            tokenizer = _train(_texts(corpus, sample), config)
            content, about = tokenizer.to_str(pretty=False), {"vocab_size": tokenizer.get_vocab_size()}
        else:
            content, about = take_own(
                config.file, bos=config.bos, texts=islice(chain.from_iterable(_texts(corpus, sample)), MAX_TRIED)
            )
        write_bytes_atomic(stage.folder / FILE, content.encode())
        stage.commit({**about, "bytes": dict(per_source.iter_rows()), "left_out": left_out})
    return view.open(Tokenizer)


def _sample(corpus: Corpus, training: Bools, config: TokenizerConfig) -> pl.DataFrame:
    """Documents in a random order fixed by their keys, of each source as many bytes as the smallest source allows.

    The smallest of those of which anything is left.
    """
    of_source = pl.col("n_bytes").sum()
    totals = pl.concat(
        corpus.of_shard(shard, ["source", "n_bytes"])
        .filter(pl.Series(training[first:end]))
        .group_by("source")
        .agg(of_source)
        for shard, (first, end) in enumerate(pairwise(corpus.first_documents))
    )
    totals = totals.group_by("source").agg(of_source).filter(pl.col("n_bytes") > 0)
    if totals.is_empty():
        raise InputError(
            "no training text is left of any source after holding out and excluding; lower `heldout.fraction`, or take "
            "neutral sets from elsewhere"
        )
    smallest = int(totals["n_bytes"].cast(pl.Int64).min())  # type: ignore[arg-type]
    limit = min(config.bytes_per_source, smallest)
    for spare in (SPARE, math.inf):
        shares = totals.with_columns(share=spare * limit / pl.col("n_bytes"))
        pool = pl.concat(_lowest(corpus, training, shares))
        held = pool.group_by("source").agg(pl.col("n_bytes").sum())["n_bytes"]
        if len(held) == len(totals) and (held >= limit).all():  # else, by a rare chance, all are looked at
            break
    before = pl.col("n_bytes").cum_sum().over("source") - pl.col("n_bytes")
    return pool.sort("draw", "source", "id").filter(before < limit).sort("document")


def _lowest(corpus: Corpus, training: Bools, shares: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Of each shard the documents in the share of their source that has the lowest draws: few, where all are many."""
    for shard, (first, end) in enumerate(pairwise(corpus.first_documents)):
        documents = corpus.of_shard(shard, IDENTITY)
        draw = mix64(documents["content_key"].to_numpy(), corpus.occurrences[first:end], DRAW)
        share = documents["source"].replace_strict(
            shares["source"], shares["share"], default=0, return_dtype=pl.Float64
        )
        low = np.flatnonzero(training[first:end] & (uniform(draw) < share.to_numpy()))
        yield documents[low].with_columns(
            pl.Series("document", first + low), pl.Series("draw", draw[low]), pl.lit(shard, pl.UInt32).alias("shard")
        )


def _texts(corpus: Corpus, sample: pl.DataFrame) -> Iterator[list[str]]:
    first_of = corpus.first_documents
    for (shard,), rows in sample.group_by("shard", maintain_order=True):
        mine = (rows["document"] - first_of[shard]).to_arrow()
        yield corpus.texts(int(str(shard))).take(mine).to_pylist()


def _train(texts: Iterator[list[str]], config: TokenizerConfig) -> Any:
    tokenizers = require("tokenizers")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer, pieces = tokenizers.Tokenizer(tokenizers.models.BPE()), tokenizers.pre_tokenizers
    long_runs = pieces.Split(tokenizers.Regex(LONG_RUNS), behavior="isolated")
    words = pieces.ByteLevel(add_prefix_space=False)  # GPT-2's pieces of text
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[BOS],
        initial_alphabet=pieces.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.pre_tokenizer = words
    tokenizer.train_from_iterator((_without_long_runs(some, long_runs) for some in texts), trainer)
    tokenizer.pre_tokenizer = pieces.Sequence([long_runs, words])  # none is without bound
    return tokenizer


def _without_long_runs(texts: list[str], split: Any) -> list[str]:
    """The texts, those with long runs cut there: nearly none has any, and the rule takes a fifth of the time."""
    long = set(rows_with_long_runs(text_batch(texts), MAX_RUN_CHARS).tolist())
    cut = (
        [piece for piece, _ in split.pre_tokenize_str(text)] if row in long else [text]
        for row, text in enumerate(texts)
    )
    return list(chain.from_iterable(cut))
