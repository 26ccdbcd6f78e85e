"""Pages a second from WARC files to text: dq beside datatrove's WarcReader and trafilatura, on the same files.

python benchmarks/crawl.py FILE.warc.gz ... [--rounds 3]: needs datatrove, warcio and trafilatura. Both take the main
content of every HTML page of status 200. datatrove gives a page up to a second; dq parses in another process, whose
time counts too, but for its start, as a crawl has more pages.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader

from dq.corpus.documents import Row
from dq.corpus.formats.base import RowFormat
from dq.corpus.inputs import find_inputs
from dq.pages.parser import parser_of

MAX_BYTES = 64_000_000


def main() -> None:
    """Time both, round by round, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    readers: dict[str, Callable[[list[Path]], tuple[int, int]]] = {"dq": ours, "datatrove": theirs}
    times: dict[str, list[float]] = {name: [] for name in readers}
    parser_of("main").read(b"<p>started", content_type="")
    for _ in range(given.rounds):
        for name, read in readers.items():
            started, clock = processor_seconds(), time.perf_counter()
            pages, characters = read(given.files)
            times[name].append((processor_seconds() - started) / pages)
            took = (
                f"{1e3 * times[name][-1]:.2f} ms a page, {1e3 * (time.perf_counter() - clock) / pages:.2f} by the clock"
            )
            print(f"{name:<10} {pages:,} pages, {characters:,} characters, {took}")
    ratios = [other / own for own, other in zip(times["dq"], times["datatrove"], strict=True)]
    print(f"dq reads {statistics.median(ratios):.1f} times as many pages a second of processor time")


def processor_seconds() -> float:
    """Of this process and the one that parses, whose clock has this number (Linux, CPUCLOCK_SCHED)."""
    pid = parser_of("main").pid
    assert pid is not None
    return time.process_time() + time.clock_gettime((~pid << 3) | 2)


def ours(files: list[Path]) -> tuple[int, int]:
    """Pages and characters by dq."""
    pages = characters = 0
    for one in find_inputs([str(file) for file in files]).files:
        assert isinstance(one.format, RowFormat)
        for row in one.format.rows(one.file, max_document_bytes=MAX_BYTES):
            if isinstance(row, Row):
                pages, characters = pages + 1, characters + len(row.fields["text"])
    return pages, characters


def theirs(files: list[Path]) -> tuple[int, int]:
    """Pages and characters by datatrove."""
    extractor, pages, characters = Trafilatura(), 0, 0
    for file in files:
        for document in WarcReader(str(file.parent), glob_pattern=file.name).run():
            pages, characters = pages + 1, characters + len(extractor.extract(document.text) or "")
    return pages, characters


if __name__ == "__main__":
    main()
