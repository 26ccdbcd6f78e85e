"""A token pool beside the tokenizer library: `python benchmarks/pools.py [FILE.jsonl.zst] [--tokenizer FILE.json]`.

The same text by the same `tokenizer.json`: dq makes a pool of it on disk from its corpus on disk; the library's
`encode_batch` makes encodings in memory and nothing else. Both use one core and begin with the file, knowing no word;
time is the processor's, which a busy machine changes less; they take turns, and of each the best round counts. Without
a tokenizer, a byte-level BPE of 32,768 entries is trained on the text before. Then the rate at which a trainer's
batches leave the pool.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tokenizers
from _common import read_texts

from dq.corpus import InputSpec
from dq.executors import LocalExecutor
from dq.jobs import JobConfig, run_job
from dq.stages.base import View
from dq.stages.heldout import HeldoutConfig
from dq.stages.tokenizer import Tokenizer, TokenizerConfig
from dq.stages.tokens import TokenPool, tokenize_documents
from dq.store import Workspace
from dq.study.grid import plan_grid
from dq.study.variants import usual_study
from dq.variants import open_universe

VOCABULARY = 32_768
BATCH_WINDOWS = 32
BOS = "<|endoftext|>"


def main() -> None:
    """Print seconds, tokens a second and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--documents", type=int, help="so many of the file, evenly")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    texts = read_texts(options.file)
    texts = texts[:: max(1, len(texts) // (options.documents or len(texts)))]
    with tempfile.TemporaryDirectory() as folder:
        file = options.tokenizer or train(texts, Path(folder) / "tokenizer.json")
        view = View.of(prepared(texts, file, Path(folder)))
        rounds = [one_round(view, file, texts) for _ in range(options.rounds)]
        pool = view.open(TokenPool)
        print(f"{len(texts):,} documents, {int(pool.lengths.sum()):,} tokens, {file.name}")
        ours, theirs = (min(one[side] for one in rounds) for side in (0, 1))
        print(f"pool {ours:.2f} s, encode_batch {theirs:.2f} s: {theirs / ours:.2f} times its speed")
        rates = [batch_rate(view) / 1e6 for _ in range(options.rounds)]
        print(f"batches {statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}) million tokens/s")


def train(texts: list[str], file: Path) -> Path:
    """A tokenizer as such files are: byte-level BPE with GPT-2's pieces."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[BOS], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts[:5000], trainer)
    tokenizer.save(str(file))
    return file


def prepared(texts: list[str], file: Path, folder: Path) -> Workspace:
    """A workspace of the text up to its tokens."""
    rows = (json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))
    (folder / "texts.jsonl").write_text("\n".join(rows), "utf-8")
    job = JobConfig(
        input=(InputSpec(path=str(folder / "texts.jsonl")),),
        heldout=HeldoutConfig(fraction=0.001, max_documents=5),
        tokenizer=TokenizerConfig(file=str(file)),
    )
    return run_job(job, Workspace(folder / "workspace")).workspace


def one_round(view: View, file: Path, texts: list[str]) -> tuple[float, float]:
    """Seconds of the pool, and of the library."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    theirs = timed(lambda: tokenizers.Tokenizer.from_file(str(file)).encode_batch(texts, add_special_tokens=False))
    (TokenPool.place(view, "") / "stage.json").unlink()  # it is made anew
    view.open(Tokenizer).file.touch()  # a file that has changed is read anew
    return timed(lambda: tokenize_documents(view, executor=LocalExecutor(1))), theirs


def batch_rate(view: View) -> float:
    """Tokens a second of the windows of `raw` at half of the pool, step by step as a trainer fetches them."""
    universe, pool = open_universe(view.workspace), view.open(TokenPool)
    study = usual_study(view.workspace, budget_tokens=int(pool.offsets[-1]) // 2)
    raw = next(run.variant for run in plan_grid(study, view.workspace, universe) if run.variant.name == "raw")
    stream = raw.stream(universe, pool, seed=0, vocabulary_size=VOCABULARY)
    steps = range(0, stream.n_tokens // stream.context - BATCH_WINDOWS, BATCH_WINDOWS)
    seconds = timed(lambda: [stream.windows(at, BATCH_WINDOWS) for at in steps])
    return len(steps) * BATCH_WINDOWS * stream.context / seconds


def timed(work: Callable[[], object]) -> float:
    """Seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
