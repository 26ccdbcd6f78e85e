"""Deduplication of growing corpora, from the command line: `python benchmarks/scale.py [FILE [SIZE ...]]`.

FILE is JSON lines (plain or .zst) with `text`; without one, a small run is made of the project's own files. Its
documents come first, as they are; the others are made from them by seeded edits, each from its number alone. A fresh
one has every third word from another document, so it is near to none; one in PLANTED is a near-copy of an earlier
document with a few words changed. Of those pairs a sample is compared in plain Python (`dq.dedup.plain`), so the truth
is known without the kernels. For each size one worker runs `dq dedup` on Parquet files, and a line says documents a
second (wall and CPU), the largest process, and how many of the sampled pairs at or above the threshold were resolved:
not both were kept. 3 million documents take 30 GB of disk; all is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from _common import read_texts

from dq.dedup import DedupConfig
from dq.dedup.plain import similarity

SIZES = (100_000, 1_000_000, 3_000_000)
SMALL = (10_000, 20_000)  # without a file
FILE_DOCUMENTS = 50_000
PLANTED = 8
MAX_EDITED_SHARE = 0.02  # of the words of a near-copy
TRIES = 4  # to find a fresh document for a near-copy
PAIRS_CHECKED = 5_000
CONFIG = DedupConfig()


@dataclass(frozen=True)
class Measure:
    """What one size took."""

    documents: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    pairs: int
    resolved: int


class Generator:
    """Documents by number; the same for the same texts and seed, whatever was made before.

    Args:
        texts: they are made from.
        seed: of the edits.
        originals: whether the first documents are the texts as they are.
    """

    def __init__(self, texts: list[str], seed: int, *, originals: bool = True) -> None:
        self._texts, self._seed, self._first = texts, seed, len(texts) if originals else 1

    def _random(self, number: int) -> random.Random:
        return random.Random((self._seed << 40) + number)

    def original(self, number: int) -> int | None:
        """The document that this one is a near-copy of, or None."""
        if number < self._first:
            return None
        draws = self._random(-number)
        if draws.randrange(PLANTED):
            return None
        tried = [draws.randrange(number) for _ in range(TRIES)]
        return next((other for other in tried if self.original(other) is None), None)

    def text(self, number: int) -> str:
        """The document of that number."""
        if number < self._first:
            return self._texts[number]
        draws, original = self._random(number), self.original(number)
        if original is None:
            return self._fresh(draws)
        words = self.text(original).split(" ")
        edits = max(1, int(draws.random() * MAX_EDITED_SHARE * len(words)))
        for at in draws.sample(range(len(words)), edits):
            words[at] = f"edit{draws.getrandbits(32):x}"
        return " ".join(words)

    def _fresh(self, draws: random.Random) -> str:
        words, donor = (draws.choice(self._texts).split(" ") for _ in range(2))
        first = draws.randrange(3)
        places = len(words[first::3])
        start = draws.randrange(len(donor))
        donor = donor[start:] + donor[:start]
        words[first::3] = (donor * (places // len(donor) + 1))[:places]
        return f"{draws.getrandbits(32):x} " + " ".join(words)


def write_corpus(generator: Generator, folder: Path, *, documents: int) -> None:
    """Parquet files with id (the number) and text."""
    for first in range(0, documents, FILE_DOCUMENTS):
        numbers = range(first, min(documents, first + FILE_DOCUMENTS))
        frame = pl.DataFrame(
            {"id": [str(number) for number in numbers], "text": [generator.text(number) for number in numbers]}
        )
        frame.write_parquet(folder / f"{first:09d}.parquet", compression_level=1)


def similar_pairs(generator: Generator, documents: int) -> list[tuple[str, str]]:
    """Ids of a sample of the planted pairs whose similarity is at or above the threshold."""
    draws, pairs = random.Random(documents), []
    for number in draws.sample(range(documents), min(documents, PLANTED * PAIRS_CHECKED)):
        original = generator.original(number)
        if original is None:
            continue
        if similarity(generator.text(number), generator.text(original), CONFIG.shingles) >= CONFIG.threshold:
            pairs.append((str(number), str(original)))
    return pairs


def measure(generator: Generator, folder: Path, *, documents: int) -> Measure:
    """Make a corpus of a size, deduplicate it in a process of its own, check the planted pairs."""
    corpus, out = folder / "corpus", folder / "out"
    corpus.mkdir()
    write_corpus(generator, corpus, documents=documents)
    command = [sys.executable, "-m", "dq", "dedup", str(corpus / "*.parquet"), "-o", str(out), "--workers", "1"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--max-removed-fraction", "1"], stdout=subprocess.DEVNULL)
    used, peak = follow(process.pid)
    seconds = time.perf_counter() - started
    kept = pl.scan_parquet(out / "kept" / "*.parquet").select("id").collect()["id"]
    pairs = pl.DataFrame(similar_pairs(generator, documents), schema=["left", "right"], orient="row")
    both = pairs.filter(pl.col("left").is_in(kept.implode()) & pl.col("right").is_in(kept.implode()))
    cpu = used.ru_utime + used.ru_stime
    return Measure(documents, seconds, cpu, peak, len(pairs), len(pairs) - len(both))


def follow(pid: int) -> tuple[resource.struct_rusage, int]:
    """What a process used, and the peak of its memory (`ru_maxrss` counts the process that it was forked from)."""
    peak = 0
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))])
        ended, code, used = os.wait4(pid, os.WNOHANG)
        if ended:
            if code:
                raise SystemExit("dq dedup failed: see above")
            return used, peak
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("sizes", nargs="*", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    generator = Generator(read_texts(arguments.file), arguments.seed)
    for documents in arguments.sizes or (SMALL if arguments.file is None else SIZES):
        with tempfile.TemporaryDirectory(prefix="dq-bench-") as folder:
            found = measure(generator, Path(folder), documents=documents)
        if arguments.json:
            print(json.dumps(asdict(found)))
            continue
        print(
            f"{documents:>10,} documents  {documents / found.wall_seconds:8,.0f} a second"
            f"  {documents / found.cpu_seconds:8,.0f} a CPU second  largest process {found.peak_bytes / 1e9:.2f} GB"
            f"  {found.resolved:,} of {found.pairs:,} planted pairs resolved",
            flush=True,
        )


if __name__ == "__main__":
    main()
