"""Whether `dq run --plan` is right: `python benchmarks/plan.py [FILE.jsonl[.zst] [SIZE ...]]`, sizes as 0.3GB 1GB 3GB.

The documents are made from those of FILE (without one, from the project's own files) by seeded edits, as in `scale.py`:
every third word from another document, or near-copies of an earlier one. The job with FineWeb's rules is planned from
the smallest size and then done at the others, by one process. A line a stage says seconds of the processor as planned
and as taken, and the most memory; the whole job also what it leaves on disk. 3 GB take 20 GB of disk; all is removed.

`--rows 1000000 3000000` measures what `dq.jobs.costs` says that one node holds: jobs over so many documents of a line,
whose text is next to nothing, and of each stage the memory that it takes more for each further document.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import polars as pl
from _common import read_texts
from scale import Generator

from dq.corpus import InputSpec
from dq.files import parse_bytes
from dq.jobs import JobConfig, Nodes, plan_cluster
from dq.jobs.cluster import ClusterPlan
from dq.jobs.tried import Took, measure_job

SIZES, SMALL = ("0.3GB", "1GB", "3GB"), ("5MB", "10MB")  # the latter without a file
FILE_DOCUMENTS = 2_000
SECONDS = 2.0  # a stage that takes less is no line of its own
LINES = 100_000  # a file
WORDS = "the of and to in that is was it for on with as his they at be this have from or had by word but what"
ONE = Nodes(cores=1, memory_bytes=10**12)


def main() -> None:
    """Print what was planned beside what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("sizes", nargs="*")
    parser.add_argument("--rows", nargs=2, type=int, metavar="DOCUMENTS")
    options = parser.parse_args()
    if options.rows:
        print_held(*sorted(options.rows))
        return
    sizes = sorted(parse_bytes(size) for size in options.sizes or (SMALL if options.file is None else SIZES))
    with tempfile.TemporaryDirectory(prefix="dq-bench-") as folder:
        generator = Generator(read_texts(options.file), seed=0, originals=False)
        corpora = write_corpora(generator, Path(folder), sizes)
        for size in sizes[1:]:
            text_bytes, corpus = corpora[size]
            plan = plan_cluster(job(corpora[sizes[0]][1]), text_bytes, ONE)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                compare(plan, measure_job(job(corpus), Path(work)))


def write_corpora(generator: Generator, folder: Path, sizes: list[int]) -> dict[int, tuple[int, Path]]:
    """For each size a folder of Parquet files, with the bytes of its text: the first files of the next one."""
    found, written, number, text_bytes = {}, list[Path](), 0, 0
    for size in sizes:
        while text_bytes < size:
            texts = [generator.text(one) for one in range(number, number + FILE_DOCUMENTS)]
            written.append(folder / f"{number:09d}.parquet")
            pl.DataFrame({"text": texts}).write_parquet(written[-1], compression_level=1)
            number, text_bytes = number + FILE_DOCUMENTS, text_bytes + sum(len(text.encode()) for text in texts)
        corpus = folder / str(size)
        corpus.mkdir()
        for path in written:
            (corpus / path.name).hardlink_to(path)
        found[size] = text_bytes, corpus
    return found


def job(corpus: Path, *, shard_rows: int = 4096) -> JobConfig:
    """FineWeb's rules."""
    return JobConfig.model_validate(
        {
            "input": (InputSpec(path=str(corpus / "*.parquet")),),
            "quality": {"preset": "fineweb"},
            "dedup": {"max_removed_fraction": 1},
            "read": {"shard_rows": shard_rows},
        }
    )


def compare(plan: ClusterPlan, took: Took) -> None:
    """A line a stage that takes some time, and one of all."""
    print(
        f"{plan.text_bytes / 1e9:.2f} GB, {plan.documents:,} documents planned, from {plan.sample_bytes / 1e9:.2f} GB"
    )
    print(f"  {'':<20}{'planned':>9}{'took':>9}{'ratio':>7}   memory: planned, took, ratio")
    for stage in plan.stages:
        cost = took.steps[stage.name]
        if cost.seconds >= SECONDS:
            memory = stage.task_bytes + stage.held_bytes
            print(
                f"  {stage.name:<20}{beside(3600 * stage.core_hours.expected, cost.seconds, unit=1)}"
                f"{beside(memory, cost.memory_bytes, unit=1e9)} GB"
            )
    disk = sum(cost.disk_bytes for cost in took.steps.values())
    memory = max(stage.task_bytes + stage.held_bytes for stage in plan.stages)
    most = max(cost.memory_bytes for cost in took.steps.values())
    seconds = 3600 * plan.core_hours.expected
    print(f"  {'all':<20}{beside(seconds, took.seconds, unit=1)}{beside(memory, most, unit=1e9)} GB")
    print(f"  {'disk':<20}{beside(plan.disk_bytes, disk, unit=1e9)} GB", flush=True)


def print_held(few: int, many: int) -> None:
    """Bytes a document, by stage."""
    took = {}
    for rows in (few, many):
        with tempfile.TemporaryDirectory(prefix="dq-bench-") as folder:
            (Path(folder) / "corpus").mkdir()
            for first in range(0, rows, LINES):
                texts = [line(number) for number in range(first, min(rows, first + LINES))]
                pl.DataFrame({"text": texts}).write_parquet(Path(folder) / "corpus" / f"{first:09d}.parquet")
            took[rows] = measure_job(job(Path(folder) / "corpus", shard_rows=65_536), Path(folder))
    for name, cost in took[many].steps.items():
        more = cost.memory_bytes - took[few].steps[name].memory_bytes
        print(f"{name:<22}{more / (many - few):6.0f} bytes a document")


def line(number: int) -> str:
    """Twelve words like no other line's."""
    draws = random.Random(number)
    return " ".join(draws.choices(WORDS.split(), k=12)) + f" {number}."


def beside(planned: float, took: float, *, unit: float) -> str:
    """Two numbers and their ratio."""
    return f"{planned / unit:>9.2f}{took / unit:>9.2f}{planned / took:>7.2f}"


if __name__ == "__main__":
    main()
