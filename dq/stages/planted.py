"""Controls of the data side: copies planted on purpose, and whether deduplication and exclusion find them.

Near-duplicates are documents of the corpus with 1 % of their words replaced (exact Jaccard of word 5-grams about 0.9);
held-out copies are held-out documents as they are, with 4 % replaced (about 0.67, above the exclusion's 0.5), and
between two other documents. Where a threshold is set so high that edited copies would be below it, fewer words are
replaced. All go through the same code and settings as the corpus. All must be found; the report says how many were.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from dq.config import fingerprint
from dq.corpus import Corpus
from dq.dedup import DedupConfig, find_duplicates, select
from dq.dedup.overlap import JACCARD_NGRAM, Entries
from dq.executors import run_in_threads
from dq.stages.base import Need, Output, View
from dq.stages.heldout import Heldout, HeldoutConfig
from dq.stages.read import Documents
from dq.store import read_json, write_json_atomic
from dq.text import mix64

FILE = "planted.json"
MAX_PLANTED = 50
MAX_SHARDS = 32  # that originals are taken from: each is read for its few
MIN_WORDS = 200  # in a shorter document one edit alone can undo a fifth of its 5-grams
NEAR_EDITS, HELDOUT_EDITS = 0.01, 0.04
DRAW = 0x706C616E74  # names this use of random draws


class Planted(Output):
    """Planted copies, and how many were found."""

    made_by: ClassVar = {"planted": 5}
    needs: ClassVar = {"corpus": Need(Documents), "heldout": Need(Heldout)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``planted``."""
        return view.workspace.planted()

    @property
    def controls(self) -> list[dict[str, Any]]:
        """Of each kind of copies: kind, planted, found."""
        return list(read_json(self.folder / FILE)["controls"])


def check_planted(view: View, *, dedup: DedupConfig, heldout_config: HeldoutConfig, threads: int = 1) -> Planted:
    """Plant copies and look for them, or find that it has been done."""
    stage = view.stage(Planted, config=fingerprint([dedup, heldout_config]))
    if stage.done() is None:
        stage.start()
        heldout, originals = view.open(Heldout), _originals(view.open(Documents))
        entries = heldout.entries()
        held = [text for name in heldout.sets for text in _long(entries.filter(set=name)["text"])[:MAX_PLANTED]]
        controls = [
            _near_duplicates(originals, dedup),
            *_heldout_copies(held, originals, heldout_config, threads=threads),
        ]
        write_json_atomic(stage.folder / FILE, {"controls": controls})
        stage.commit({str(control["kind"]): control["found"] for control in controls})
    return view.open(Planted)


def edit_words(text: str, share: float, *, seed: int) -> str:
    """Replace ``share`` of the white-space-separated words, rounded down, at hashed positions by a foreign word."""
    words = text.split()
    positions = np.argsort(mix64(np.arange(len(words)), seed, DRAW))[: int(share * len(words))]
    for position in positions:
        words[position] = f"zq{position}"
    return " ".join(words)


def _long(texts: pl.Series) -> list[str]:
    return [text for text in texts if len(text.split()) >= MIN_WORDS]


def _originals(corpus: Corpus) -> list[str]:
    """Long documents with the lowest draws, of shards that are spread over the corpus."""
    chosen = pl.DataFrame(schema={"document": pl.Int64, "draw": pl.UInt64})
    shards = np.linspace(0, len(corpus.shards) - 1, min(MAX_SHARDS, len(corpus.shards))).astype(int)
    for shard in shards.tolist():
        first, documents = corpus.first_documents[shard], corpus.of_shard(shard, ["content_key", "n_bytes"])
        draw = pl.Series("draw", mix64(documents["content_key"].to_numpy(), DRAW), pl.UInt64)
        numbers = pl.Series("document", np.arange(first, first + len(documents)))
        long = documents.with_columns(numbers, draw).filter(pl.col("n_bytes") >= 5 * MIN_WORDS).select(chosen.columns)
        chosen = pl.concat([chosen, long]).sort("draw", "document").head(2 * MAX_PLANTED)
    texts = corpus.texts_of(chosen["document"].to_list())
    return _long(pl.Series(texts, dtype=pl.String))[:MAX_PLANTED]


def _near_duplicates(originals: list[str], dedup: DedupConfig) -> dict[str, Any]:
    share = min(NEAR_EDITS, 0.5 * _room(dedup.threshold, dedup.ngram))
    copies = [edit_words(text, share, seed=number) for number, text in enumerate(originals)]
    n = len(originals)
    duplicates = find_duplicates([originals + copies], dedup)
    found = 0
    for number in range(n):
        # Each pair by itself: an original may be a duplicate of another one, and its copy need not be.
        pair = np.isin(np.arange(2 * n), [number, number + n])
        found += int(select(duplicates, pair, order=np.arange(2 * n)).removed[number + n])
    return {"kind": "planted near-duplicates", "planted": n, "found": found}


def _heldout_copies(held: list[str], others: list[str], config: HeldoutConfig, *, threads: int) -> list[dict[str, Any]]:
    share = min(HELDOUT_EDITS, 0.9 * _room(config.min_jaccard, JACCARD_NGRAM))
    around, entries = others or [""], Entries(held)
    kinds: dict[str, Callable[[], list[str]]] = {
        "verbatim": lambda: held,
        f"{share:.1%} of words replaced": lambda: [edit_words(text, share, seed=at) for at, text in enumerate(held)],
        "inside a longer document": lambda: [
            "\n\n".join([around[at % len(around)], text, around[(at + 1) % len(around)]])
            for at, text in enumerate(held)
        ],
    }

    def found(copies: Callable[[], list[str]]) -> int:
        there = entries.look_in(copies(), min_jaccard=config.min_jaccard, min_containment=config.min_containment)
        return there.near["document"].n_unique()

    return [
        {"kind": f"planted held-out copies, {kind}", "planted": len(held), "found": count}
        for kind, count in zip(kinds, run_in_threads(found, list(kinds.values()), threads=threads), strict=True)
    ]


def _room(threshold: float, ngram: int) -> float:
    """The share of words that can be replaced: each breaks up to ``ngram`` shingles and brings as many."""
    return (1 - threshold) / (1 + threshold) / ngram
