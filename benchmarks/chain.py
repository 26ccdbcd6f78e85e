"""A job from file to tokens, by stage, beside datatrove: `python benchmarks/chain.py FILE.jsonl[.zst] [--peer 150]`.

dq runs its own job with FineWeb's rules on all of FILE; the `tokenizers` library encodes the same texts by the file
that the job made, as do the bare kernels what the stages stand on: their floor, without a disk. datatrove's local
pipeline has every so many-th document of FILE, and does what is the same there: read, Gopher's, C4's and FineWeb's
filters, MinHash signatures, buckets, clusters and filter, tokens. Seconds are of one processor, of this process and
those it started.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tokenizers
from _common import read_texts

import dq
from dq.corpus import InputSpec
from dq.dedup import DedupConfig
from dq.dedup.overlap import Entries
from dq.executors import QUIET, LocalExecutor, Step
from dq.jobs import JobConfig, run_job
from dq.stages.base import View
from dq.stages.encoder import Encoder
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import Tokenizer
from dq.store import Workspace

DOCUMENTS = 256  # that a library is given at a time


class Seconds:
    """Progress that keeps the processor's seconds of every step."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        """Measure a step."""
        del unit, total
        started = used()
        yield QUIET
        self.of[name] = self.of.get(name, 0) + used() - started


def used() -> float:
    """The processor's seconds of this process and of those that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def seconds(work: Callable[[], object]) -> float:
    """The processor's seconds of some work."""
    started = used()
    work()
    return used() - started


def main() -> None:
    """Print seconds by stage, their floors, and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--peer", type=int, default=150, help="documents that datatrove is given; 0: it is left out")
    options = parser.parse_args()
    texts = read_texts(options.file)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "few.jsonl"
        few.write_text("\n".join(json.dumps({"text": text}) for text in texts[::50]), "utf-8")
        job(few, Path(folder) / "first", Seconds())  # compiles what is not compiled
        stages = Seconds()
        workspace = job(options.file, Path(folder) / "workspace", stages)
        view = View.of(workspace)
        file = view.open(Tokenizer).file
        floors, library = floors_of(options.file, texts, view), library_seconds(texts, file)
        whole = sum(stages.of.values())
        print(f"{len(texts):,} documents, {megabytes:,.0f} MB: seconds of one processor, and of the bare work")
        for name, taken in stages.of.items():
            floor = f"{floors[name]:8.2f}" if name in floors else ""
            print(f"  {name:<22}{taken:8.2f}{floor}")
        print(f"  {'all':<22}{whole:8.2f}  {megabytes / whole:.1f} MB/s")
        print(f"the whole takes {whole / stages.of['tokenise']:.2f} times as long as its tokenising")
        print(f"tokenizers' encode_batch of the same texts: {library:.2f} s, the job {whole / library:.2f} times that")
        if options.peer:
            beside(texts[:: max(1, len(texts) // options.peer)], file, Path(folder), ours=whole / megabytes)


def job(file: Path, folder: Path, stages: Seconds) -> Workspace:
    """Run the job."""
    config = JobConfig.model_validate(
        {
            "input": (InputSpec(path=str(file)),),
            "quality": {"preset": "fineweb"},
            "dedup": {"max_removed_fraction": 1},
        }
    )
    return run_job(config, Workspace(folder), executor=LocalExecutor(1), progress=stages).workspace


def floors_of(file: Path, texts: list[str], view: View) -> dict[str, float]:
    """What stages take at least: the same texts by the same kernels, in memory."""
    encoder, heldout = Encoder(view.open(Tokenizer).file), Entries(view.open(Heldout).entries()["text"])
    near = {"min_jaccard": 0.5, "min_containment": 0.5}
    return {
        "read": seconds(lambda: read_texts(file)),
        "find duplicates": seconds(lambda: dq.deduplicate(texts, threshold=DedupConfig().threshold)),
        "hold out": seconds(lambda: [heldout.look_in(some, **near) for some in lots(texts)]),
        "score": seconds(lambda: dq.score(texts, dq.presets.fineweb().signals())),
        "tokenise": seconds(lambda: [encoder.encode(some) for some in lots(texts)]),
    }


def library_seconds(texts: list[str], file: Path) -> float:
    """What the `tokenizers` library takes for all texts on one core."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    library = tokenizers.Tokenizer.from_file(str(file))
    return seconds(lambda: [library.encode_batch_fast(some, add_special_tokens=False) for some in lots(texts)])


def lots(texts: list[str]) -> Iterator[list[str]]:
    """Texts, some hundreds at a time."""
    return (texts[first : first + DOCUMENTS] for first in range(0, len(texts), DOCUMENTS))


def beside(texts: list[str], tokenizer: Path, folder: Path, *, ours: float) -> None:
    """Run datatrove's pipeline on a sample and print the ratio a megabyte."""
    source = folder / "sample"
    source.mkdir()
    rows = (json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))
    (source / "sample.jsonl").write_text("\n".join(rows), "utf-8")
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    theirs = {name: seconds(run) for name, run in pipelines(source, tokenizer, folder).items()}
    print(f"datatrove, {len(texts):,} documents, {megabytes:.1f} MB:")
    for name, taken in theirs.items():
        print(f"  {name:<22}{taken:8.2f}")
    whole = sum(theirs.values()) / megabytes
    print(f"a megabyte takes datatrove {whole:.2f} s and dq {ours:.3f} s: {whole / ours:.0f} times as long")


def pipelines(source: Path, tokenizer: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """Datatrove's steps, in order."""
    from datatrove.data import Document  # noqa: PLC0415
    from datatrove.executor import LocalPipelineExecutor  # noqa: PLC0415
    from datatrove.pipeline import dedup, filters  # noqa: PLC0415
    from datatrove.pipeline.readers import JsonlReader  # noqa: PLC0415
    from datatrove.pipeline.tokens import DocumentTokenizer  # noqa: PLC0415
    from datatrove.pipeline.writers import JsonlWriter  # noqa: PLC0415

    config = dedup.MinhashConfig()
    at = {name: str(folder / name) for name in ("kept", "signatures", "buckets", "clusters", "unique", "tokens")}

    def run(*steps: Any, tasks: int = 1) -> Callable[[], Any]:
        logs = tempfile.mkdtemp(dir=folder)
        return lambda: LocalPipelineExecutor(list(steps), tasks=tasks, workers=1, logging_dir=logs).run()

    chosen = (
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.C4QualityFilter(filter_no_terminal_punct=False),
        filters.FineWebQualityFilter(),
    )
    for one in chosen:
        one.filter(Document(text="A text that loads what they split words with.", id="0"))
    return {
        "read and filter": run(JsonlReader(str(source)), *chosen, JsonlWriter(at["kept"])),
        "minhash: signatures": run(
            JsonlReader(at["kept"]), dedup.MinhashDedupSignature(at["signatures"], config=config)
        ),
        "minhash: buckets": run(
            dedup.MinhashDedupBuckets(at["signatures"], at["buckets"], config=config), tasks=config.num_buckets
        ),
        "minhash: clusters": run(dedup.MinhashDedupCluster(at["buckets"], at["clusters"], config=config)),
        "minhash: filter": run(
            JsonlReader(at["kept"]), dedup.MinhashDedupFilter(at["clusters"]), JsonlWriter(at["unique"])
        ),
        "tokens": run(JsonlReader(at["unique"]), DocumentTokenizer(at["tokens"], str(tokenizer))),
    }


if __name__ == "__main__":
    main()
