"""Signals of the four rule sets against datatrove's four filters: `python benchmarks/signals.py [FILE]`.

Same text, one core, one run. Ours computes every signal and evaluates every rule of every set; datatrove's filters stop
at the first rule that fails, which helps them. Rates are per second of processor time, so that a busy machine changes
them little; what remains is noise of 10 to 15 %. Without FILE (JSON lines, or .zst, with a `text` field) the text is
made up from this project's own source and documentation.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from dq.quality import presets, score

RULE_SETS = ("gopher_quality", "gopher_repetition", "c4", "fineweb_quality")


def read_texts(path: Path | None) -> list[str]:
    """The texts to score."""
    if path is None:
        root = Path(__file__).parent.parent
        files = sorted([*root.glob("dq/**/*.py"), *root.glob("tests/**/*.py"), *root.glob("**/*.md")])
        return [file.read_text("utf-8") for file in files] * 20
    if path.suffix == ".zst":
        import zstandard  # noqa: PLC0415 - only this kind of file needs it

        with path.open("rb") as file:
            return pl.read_ndjson(zstandard.ZstdDecompressor().stream_reader(file).read())["text"].to_list()
    return pl.read_ndjson(path)["text"].to_list()


def cpu_seconds(work: Callable[[], object], *, repeats: int) -> float:
    """The least processor time of several runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def wall_seconds(work: Callable[[], object], *, repeats: int) -> float:
    """The least wall-clock time of several runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def ours(texts: pl.Series, threads: int = 1) -> None:
    """All signals, all rules."""
    scores = score(texts, threads=threads)
    for name in RULE_SETS:
        presets.preset(name).judge(scores)


def theirs(texts: list[str]) -> None:
    """The filters of datatrove, one after another on every document."""
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


def long_document_ratio(texts: list[str]) -> float:
    """Time per byte of one document of 50 MB by that of documents of 50 kB, all of the same text."""
    flat = " ".join(texts).replace("\n", " ")
    flat = (flat * (1 + 50_000_000 // len(flat)))[:50_000_000]
    long, short = pl.Series([flat]), pl.Series([flat[at : at + 50_000] for at in range(0, 10_000_000, 50_000)])
    long_seconds = cpu_seconds(lambda: score(long), repeats=1) / 50e6
    return long_seconds / (cpu_seconds(lambda: score(short), repeats=2) / 10e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--peer-megabytes", type=float, default=0.5, help="how much text datatrove gets")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--long", action="store_true", help="also measure a document of 50 MB")
    options = parser.parse_args()
    texts = read_texts(options.file)
    series, size = pl.Series(texts), size_of(texts)
    ours(series)  # compiled, tables built
    one = size / cpu_seconds(lambda: ours(series), repeats=options.repeats)
    sys.stdout.write(f"dq         {one:8.1f} MB/s of processor time ({size:.1f} MB, every signal and rule)\n")
    walls = [wall_seconds(lambda n=n: ours(series, n), repeats=options.repeats) for n in (1, 2)]
    sys.stdout.write(f"dq         {walls[0] / walls[1]:8.2f} times as fast with two threads (wall clock)\n")
    sample, total = [], 0.0
    for text in texts:
        if total < options.peer_megabytes:
            sample.append(text)
            total += len(text.encode()) / 1e6
    theirs(sample[:1])
    peer = size_of(sample) / cpu_seconds(lambda: theirs(sample), repeats=1)
    sys.stdout.write(
        f"datatrove  {peer:8.2f} MB/s of processor time ({size_of(sample):.1f} MB, to the first failure)\n"
    )
    sys.stdout.write(f"ratio      {one / peer:8.0f}\n")
    if options.long:
        sys.stdout.write(f"50 MB document: {long_document_ratio(texts):.2f} times the time per byte of 50 kB ones\n")


if __name__ == "__main__":
    main()
