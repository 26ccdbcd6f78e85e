"""Killed anywhere, it goes on to the same bytes; a full disk and a huge text are no surprise either."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dq.dedup import DedupConfig, Resources, find_duplicates, select, shingle
from dq.errors import WorkspaceError
from dq.text import TextBatch
from tests.dedup import oracle

RUN = """
import sys, time
from pathlib import Path
from dq.dedup import DedupConfig, find_duplicates
from tests.dedup import oracle

folder, pause, limit = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
texts = oracle.corpus(31, families=150, copies=8)
reads = 0

def shard(number):
    def load():
        global reads
        reads += 1
        if reads > limit:
            (folder / "waiting").touch()
            time.sleep(pause)
        return texts[number * 100 : (number + 1) * 100]
    return load

find_duplicates([shard(n) for n in range(13)], DedupConfig(max_bucket=6), folder=folder, inputs="x")
(folder / "waiting").unlink(missing_ok=True)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def start(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-c", RUN, *arguments], env=environment)


def test_a_run_that_was_killed_during_signatures_or_shingles_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole, signing, shingling = (tmp_path / name for name in ("whole", "signing", "shingling"))
    for folder in (whole, signing, shingling):
        folder.mkdir()
    # The loader of one shard hangs, and the process is killed there. There are 13 shards, each read twice.
    hanging = {signing: (start(str(signing), "600", "4"), 4), shingling: (start(str(shingling), "600", "17"), 13)}
    for folder, (process, signed) in hanging.items():
        deadline = time.monotonic() + 250
        while not (folder / "waiting").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "record.json").exists()
        assert len(list((folder / "signatures").glob("*.counts.npy"))) == signed
        (folder / "signatures/.00012.keys.npy.1.partial").write_bytes(b"what a kill while a file is written leaves")
    for process in [start(str(folder), "0", "999") for folder in (whole, signing, shingling)]:
        assert process.wait(250) == 0
    assert contents(whole) == contents(signing) == contents(shingling)


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    texts = oracle.corpus(32, families=40)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        with pytest.raises(WorkspaceError, match="cannot be written: File too large"):
            find_duplicates([texts], folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert find_duplicates([texts], folder=tmp_path).counts.documents == len(texts)


def test_changed_input_under_an_old_folder_is_read_anew(tmp_path: Path) -> None:
    first, second = oracle.corpus(33), oracle.corpus(34)
    find_duplicates([first], folder=tmp_path, inputs="first")
    changed = find_duplicates([second], folder=tmp_path, inputs="second")
    assert changed.pairs.equals(find_duplicates([second]).pairs)


def test_a_million_identical_texts_are_one_class() -> None:
    line = np.frombuffer(b"the same short line", np.uint8)
    count = 1_000_000
    batch = TextBatch(np.tile(line, count), np.arange(count + 1, dtype=np.int64) * len(line))
    found = find_duplicates([batch], DedupConfig(num_perm=16, min_recall=0.5), resources=Resources(threads=2))
    assert found.counts.exact_copies == count - 1
    assert found.counts.candidate_pairs == 0
    chosen = select(found, np.ones(count, np.bool_), order=np.arange(count)[::-1].copy())
    assert chosen.kept.sum() == 1
    assert chosen.cluster_size[count - 1] == count


def test_near_copies_of_one_text_cost_comparisons_in_proportion() -> None:
    generator = np.random.default_rng(0)
    base = [f"w{number}" for number in range(300)]

    def compared(count: int) -> int:
        texts = []
        for number in range(count):
            words = list(base)
            words[int(generator.integers(300))] = f"edit{number}"
            texts.append(" ".join(words))
        found = find_duplicates([texts])
        chosen = select(found, np.ones(count, np.bool_), order=np.arange(count))
        assert chosen.kept.sum() == 1
        return found.counts.candidate_pairs + chosen.verified_at_selection

    assert compared(300) < 10 * 300
    assert compared(3_000) < 10 * 3_000


def test_a_text_of_ten_million_words_a_line_without_end_and_blanks_are_all_documents() -> None:
    texts = ["ab cd " * 1_000_000, "x" * 10_000_000, "\n" * 10_000_000, "\0" * 100, "é" * 1_000_000]
    sizes = np.diff(shingle(texts).offsets)
    assert sizes.tolist() == [2, 1, 0, 1, 1]
    assert find_duplicates([texts]).counts.empty == 1
