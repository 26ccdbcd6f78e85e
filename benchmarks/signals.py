"""Signals of the four rule sets against datatrove's four filters: `python benchmarks/signals.py [FILE]`.

Same text, one core, one run. Ours computes every signal and evaluates every rule of every set; datatrove's filters stop
at the first rule that fails, which helps them. Rates are per second of processor time, so that a busy machine changes
them little; what remains is noise of 10 to 15 %. Without FILE (JSON lines, or .zst, with a `text` field) the text is
made up from this project's own source and documentation.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
from _common import TwoThreads, best_seconds, read_texts

from dq.files import filter_files, score_files
from dq.quality import presets, score, train_ngram

RULE_SETS = ("gopher_quality", "gopher_repetition", "c4", "fineweb_quality")


def ours(texts: pl.Series) -> None:
    """All signals, all rules."""
    scores = score(texts)
    for name in RULE_SETS:
        presets.preset(name).judge(scores)


def theirs(texts: list[str]) -> None:
    """Datatrove's filters, one after another on every document."""
    from datatrove.data import Document  # type: ignore[import-untyped]  # noqa: PLC0415
    from datatrove.pipeline.filters import (  # type: ignore[import-untyped]  # noqa: PLC0415
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(), FineWebQualityFilter()]
    for text in texts:
        for one in filters:
            one.filter(Document(text=text or " ", id="0"))


def size_of(texts: list[str]) -> float:
    """Megabytes of UTF-8."""
    return sum(len(text.encode()) for text in texts) / 1e6


def files_rates(texts: list[str]) -> dict[str, float]:
    """MB/s of processor time of whole jobs, Parquet to Parquet in one process, reading and writing included."""
    with tempfile.TemporaryDirectory() as name:
        folder, size = Path(name), size_of(texts)
        source = folder / "in.parquet"
        pl.DataFrame({"text": texts}).write_parquet(source, row_group_size=4096)

        def filter_once() -> None:
            for kind in ("kept", "dropped"):
                shutil.rmtree(folder / kind, ignore_errors=True)
            filter_files([str(source)], presets.fineweb(), kept=folder / "kept", dropped=folder / "dropped")

        def score_once() -> None:
            (folder / "signals.parquet").unlink(missing_ok=True)
            score_files([str(source)], folder / "signals.parquet")

        return {
            "score": size / best_seconds(score_once, rounds=3),
            "filter by fineweb": size / best_seconds(filter_once, rounds=3),
        }


def slow_rates(texts: list[str]) -> dict[str, float]:
    """MB/s of processor time of each signal that is computed only where it is asked for, and of training n-grams."""
    series, size = pl.Series(texts), size_of(texts)
    ngram = train_ngram(series)
    work: dict[str, Callable[[], object]] = {
        "compression_ratio": lambda: score(series, ["compression_ratio"]),
        "email_count": lambda: score(series, ["email_count"]),
        "language": lambda: score(series, ["language"]),
        "perplexity": lambda: ngram.scores(series),
        "train_ngram": lambda: train_ngram(series),
    }
    return {name: size / best_seconds(one, rounds=2) for name, one in work.items()}


def long_document_ratio(texts: list[str]) -> float:
    """Time per byte of one document of 50 MB by that of documents of 50 kB, all of the same text."""
    flat = " ".join(texts).replace("\n", " ")
    flat = (flat * (1 + 50_000_000 // len(flat)))[:50_000_000]
    long, short = pl.Series([flat]), pl.Series([flat[at : at + 50_000] for at in range(0, 10_000_000, 50_000)])
    long_seconds = best_seconds(lambda: score(long), rounds=1) / 50e6
    return long_seconds / (best_seconds(lambda: score(short), rounds=2) / 10e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--peer-megabytes", type=float, default=0.5, help="how much text datatrove gets")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--long", action="store_true", help="also measure a document of 50 MB")
    parser.add_argument("--slow", action="store_true", help="also measure signals that are not computed unasked")
    options = parser.parse_args()
    texts = read_texts(options.file)
    series, size = pl.Series(texts), size_of(texts)
    ours(series)  # compiled, tables built
    one = size / best_seconds(lambda: ours(series), rounds=options.repeats)
    sys.stdout.write(f"dq         {one:8.1f} MB/s of processor time ({size:.1f} MB, every signal and rule)\n")
    threads = TwoThreads.of(lambda n: score(series, threads=n), rounds=2 * options.repeats)
    sys.stdout.write(f"dq signals {threads}\n")
    for name, rate in files_rates(texts).items():
        sys.stdout.write(f"dq         {rate:8.1f} MB/s of processor time, {name}, Parquet to Parquet\n")
    sample, total = [], 0.0
    for text in texts:
        if total < options.peer_megabytes:
            sample.append(text)
            total += len(text.encode()) / 1e6
    theirs(sample[:1])
    peer = size_of(sample) / best_seconds(lambda: theirs(sample), rounds=1)
    sys.stdout.write(
        f"datatrove  {peer:8.2f} MB/s of processor time ({size_of(sample):.1f} MB, until the first failure)\n"
    )
    sys.stdout.write(f"ratio      {one / peer:8.0f}\n")
    if options.slow:
        for name, rate in slow_rates(texts).items():
            sys.stdout.write(f"{name:18}{rate:8.1f} MB/s of processor time\n")
    if options.long:
        sys.stdout.write(f"50 MB document: {long_document_ratio(texts):.2f} times the time per byte of 50 kB ones\n")


if __name__ == "__main__":
    main()
