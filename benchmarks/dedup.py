"""Deduplication beside its peers on the same text: `python benchmarks/dedup.py [FILE]`.

FILE is JSON lines (plain or .zst) with `text`; without one, seeded synthetic text is used. Speeds are megabytes of
text per second of CPU time, one core, best of three; slow peers get the first part of the text only (its size is
printed). A peer that is not installed or fails is named and left out. `--json` prints one record.

    pip install datatrove spacy datasketch rensa gaoya marin-dupekit
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from _common import TwoThreads, best_seconds, read_texts

from dq.dedup import DedupConfig, MinHash, Policy, Resources, find_duplicates, select
from dq.text import text_batch

NUM_PERM, NGRAM = 112, 5
Measure = dict[str, Any]


def texts_of(path: Path | None, *, seed: int = 0) -> list[str]:
    """Texts of a file, or 20 MB of Zipf-distributed words with near-duplicates among them."""
    if path is not None:
        return read_texts(path)
    generator = np.random.default_rng(seed)
    vocabulary = np.array(["".join(generator.choice(list("abcdefghij"), 2 + i % 9)) for i in range(20_000)])
    texts: list[str] = []
    for _ in range(6_000):
        words = vocabulary[np.minimum(generator.zipf(1.3, 550), 20_000) - 1]
        if texts and generator.random() < 0.2:
            words = np.array(texts[int(generator.integers(len(texts)))].split(" "))
            words[generator.integers(len(words), size=int(generator.integers(0, 20)))] = "changed"
        texts.append(" ".join(words))
    return texts


def megabytes(texts: list[str]) -> float:
    return sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6


def first_megabytes(texts: list[str], limit: float) -> list[str]:
    """The longest prefix of the texts of at most ``limit`` MB, at least one text."""
    total, count = 0.0, 0
    for text in texts:
        total += len(text.encode("utf-8", "replace")) / 1e6
        if count and total > limit:
            break
        count += 1
    return texts[:count]


def ours(texts: list[str]) -> list[Measure]:
    batch, size = text_batch(texts), megabytes(texts)
    maker = MinHash(num_perm=NUM_PERM, ngram=NGRAM)
    one = best_seconds(lambda: maker.signatures(batch), rounds=7)
    wall_two = best_seconds(lambda: maker.signatures(batch, threads=2), clock=time.perf_counter, rounds=7)
    threads = TwoThreads.of(lambda n: maker.signatures(batch, threads=n), rounds=25)
    two = {"mb": size, "mb_per_second": size / wall_two, "ratio": threads.ratio, "machine_ratio": threads.machine}
    return [
        {"name": "dq", "mb": size, "mb_per_second": size / one},
        {"name": "dq, two threads (wall)", **two},
    ]


def datasketch_signatures(texts: list[str]) -> Callable[[], object]:
    datasketch = importlib.import_module("datasketch")

    def work() -> object:
        return datasketch.MinHash.bulk([shingles(text) for text in texts], num_perm=NUM_PERM)

    return work


def shingles(text: str) -> list[bytes]:
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]).encode("utf-8", "replace") for i in range(max(1, len(words) - NGRAM + 1))]


def rensa_signatures(texts: list[str]) -> Callable[[], object]:
    rensa = importlib.import_module("rensa")

    def work() -> object:
        sets = ([gram.decode() for gram in shingles(text)] for text in texts)
        return rensa.RMinHash.digest_matrix_from_token_sets(sets, NUM_PERM, 1)

    return work


def gaoya_signatures(texts: list[str]) -> Callable[[], object]:
    minhash = importlib.import_module("gaoya.minhash")

    def work() -> object:
        index = minhash.MinHashStringIndex(32, 0.8, 14, 8, None, "word", True, (NGRAM, NGRAM))
        for number, text in enumerate(texts):
            index.insert_document(number, text)
        return index

    return work


def dupekit_signatures(texts: list[str]) -> Callable[[], object]:
    dupekit = importlib.import_module("dupekit")

    batch = pa.RecordBatch.from_pydict({"text": texts})
    steps = [dupekit.Transformation.MinHash("text", "signature", NUM_PERM, NGRAM, 1)]
    return lambda: dupekit.transform(batch, steps)


def quiet_datatrove(module: str) -> Any:
    """A module of datatrove, with its log and progress bars off."""
    os.environ["TQDM_DISABLE"] = "1"
    importlib.import_module("loguru").logger.disable("datatrove")
    return importlib.import_module(f"datatrove.{module}")


def datatrove_signatures(texts: list[str]) -> Callable[[], object]:
    minhash = quiet_datatrove("pipeline.dedup.minhash")

    stage = minhash.MinhashDedupSignature(tempfile.mkdtemp(prefix="dq-bench-"), minhash.MinhashConfig())

    def work() -> object:
        made = [stage.get_shingles(text) for text in texts]
        return [stage.get_signature(hashes) for hashes in made if hashes.size]

    return work


PEERS: list[tuple[str, Callable[[list[str]], Callable[[], object]], float]] = [
    ("gaoya (inserts into its index)", gaoya_signatures, 5.0),
    ("rensa (R-MinHash)", rensa_signatures, 5.0),
    ("marin-dupekit (character n-grams)", dupekit_signatures, 5.0),
    ("datasketch 2.0 affine32", datasketch_signatures, 3.0),
    ("datatrove", datatrove_signatures, 0.5),
]


def peers(texts: list[str]) -> list[Measure]:
    found: list[Measure] = []
    for name, prepare, limit in PEERS:
        part = first_megabytes(texts, limit)
        size = megabytes(part)
        with reported(name):
            found.append({"name": name, "mb": size, "mb_per_second": size / best_seconds(prepare(part), rounds=2)})
    return found


@contextmanager
def reported(name: str) -> Iterator[None]:
    """A peer that is not installed, or fails in whatever way, is one line and not the end of the run."""
    try:
        yield
    except ImportError as error:
        sys.stderr.write(f"{name}: not installed ({error.name})\n")
    except Exception as error:
        sys.stderr.write(f"{name}: failed ({' '.join(str(error).split()) or type(error).__name__})\n")


def files_to_files(texts: list[str]) -> Measure:
    """Parquet in, verified, selected, kept documents out as Parquet; one worker."""
    with tempfile.TemporaryDirectory(prefix="dq-bench-") as temporary:
        folder = Path(temporary)
        frame = pl.DataFrame({"id": [str(i) for i in range(len(texts))], "text": texts})
        frame.write_parquet(folder / "in.parquet")

        def work() -> None:
            loaded = pl.read_parquet(folder / "in.parquet")
            found = find_duplicates(
                [loaded["text"]], DedupConfig(), folder=folder / "duplicates", resources=Resources()
            )
            visible = pl.Series("visible_characters", found.visible)
            table = loaded.select("id", visible, content_key=pl.col("text").hash())
            chosen = select(found, np.ones(len(loaded), np.bool_), order=Policy.parse("longest").ranks(table))
            loaded.filter(pl.Series(chosen.kept)).write_parquet(folder / "out.parquet")

        def fresh() -> None:
            for path in sorted(folder.glob("duplicates/**/*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            work()

        seconds = best_seconds(fresh)
    return {"name": "dq, files to files, verified", "documents_per_second": len(texts) / seconds}


def datatrove_files(texts: list[str]) -> Measure:
    """The four stages of datatrove on the first documents, unverified; one worker."""
    minhash = quiet_datatrove("pipeline.dedup.minhash")
    document = quiet_datatrove("data").Document
    writer = quiet_datatrove("pipeline.writers").JsonlWriter
    part = first_megabytes(texts, 1.0)
    documents = [document(text=text, id=str(number)) for number, text in enumerate(part)]
    config = minhash.MinhashConfig()

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="dq-bench-") as folder:
            minhash.MinhashDedupSignature(f"{folder}/1", config).run(iter(documents))
            for rank in range(config.num_buckets):
                step = minhash.MinhashDedupBuckets(f"{folder}/1", f"{folder}/2", config=config)
                step.run(None, rank, config.num_buckets)
            minhash.MinhashDedupCluster(f"{folder}/2", f"{folder}/3", config=config).run(None, 0, 1)
            kept = minhash.MinhashDedupFilter(f"{folder}/3").run(iter(documents), 0, 1)
            for _ in writer(f"{folder}/4").run(kept, 0, 1):
                pass

    name = f"datatrove, files to files ({len(part)} documents)"
    return {"name": name, "documents_per_second": len(part) / best_seconds(work, rounds=1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    texts = texts_of(arguments.file)
    measures = [*ours(texts), *peers(texts), files_to_files(texts)]
    with reported("datatrove, files to files"):
        measures.append(datatrove_files(texts))
    if arguments.json:
        print(json.dumps(measures))
        return
    print(f"{len(texts):,} documents, {megabytes(texts):.1f} MB; {NUM_PERM} permutations, {NGRAM}-grams\n")
    for measure in measures:
        speed = f"{measure['mb_per_second']:10.2f} MB/s" if "mb_per_second" in measure else ""
        speed = speed or f"{measure['documents_per_second']:10,.0f} documents/s"
        notes = f"  on {measure['mb']:.1f} MB" if "mb" in measure else ""
        if "ratio" in measure:
            notes = f"  {TwoThreads(measure['ratio'], measure['machine_ratio'])}"
        print(f"{measure['name']:45s}{speed}{notes}")


if __name__ == "__main__":
    main()
