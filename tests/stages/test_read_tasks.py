"""Reading by tasks leaves the bytes that reading in order leaves, whatever the pieces and interruptions."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq.corpus import InputSpec, ReadConfig
from dq.errors import InputError
from dq.executors import Executor
from dq.stages.read import ingest
from dq.stages.read_tasks import WORK, cut_rows
from dq.stages.shards import check_shards

Task = TypeVar("Task")
CONFIG = ReadConfig(shard_rows=70, max_bad_fraction=0.2)


class Elsewhere(Executor):
    """A cluster that is this process; after so many tasks it is killed."""

    workers = 2

    def __init__(self, tasks: int | None = None) -> None:
        self.left, self.done = tasks, 0

    def attempt(
        self,
        function: Callable[[Task], None],
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        """The last task first: order decides nothing."""
        del on_report, isolated
        for task in reversed(tasks):
            if self.left == self.done:
                raise KeyboardInterrupt
            function(task)
            self.done += 1
            on_done(task)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lines, columns, compressed and empty files, with rows that cannot be read; pieces of 2 KB."""
    monkeypatch.setattr("dq.stages.read_tasks.PIECE_BYTES", 2_000)
    folder = tmp_path / "input"
    folder.mkdir()
    lines = [json.dumps({"text": f"Zeile {n} " * (n % 9), "n": n, "source": f"s{n % 3}"}) for n in range(300)]
    lines[7], lines[150] = '{"text": broken', json.dumps({"other": 1})
    (folder / "a.jsonl").write_text("\n".join(lines))
    (folder / "b.jsonl").write_text("")
    (folder / "c.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[20:90]).encode()))
    pl.DataFrame({"id": [f"p{n}" for n in range(100)], "text": ["word " * n for n in range(100)]}).write_parquet(
        folder / "d.parquet", row_group_size=30
    )
    (folder / "e.jsonl").write_text("\n".join(f'{{"text": "{n}"}}' for n in range(40)) + "\nno JSON\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_bytes_as_in_order(corpus: Path, tmp_path: Path) -> None:
    spec = [InputSpec(path=str(corpus))]
    for config in (CONFIG, CONFIG.model_copy(update={"shard_rows": 5000})):
        here, there, cluster = (
            tmp_path / f"here{config.shard_rows}",
            tmp_path / f"there{config.shard_rows}",
            Elsewhere(),
        )
        ingest(here, spec, config)
        ingest(there, spec, config, executor=cluster)
        assert contents(here) == contents(there) and not (there / WORK).exists()
        assert cluster.done > 8
    assert len(list((tmp_path / "here70").glob("[0-9]*.parquet"))) == 8


def test_a_killed_reading_goes_on_with_what_is_left(corpus: Path, tmp_path: Path) -> None:
    spec, whole, killed = [InputSpec(path=str(corpus))], Elsewhere(), tmp_path / "killed"
    ingest(tmp_path / "whole", spec, CONFIG, executor=whole)
    for tasks in (3, whole.done - 5):  # in either round
        with pytest.raises(KeyboardInterrupt):
            ingest(killed, spec, CONFIG, executor=Elsewhere(tasks))
    rest = Elsewhere()
    ingest(killed, spec, CONFIG, executor=rest)
    assert contents(killed) == contents(tmp_path / "whole") and rest.done == 5 - 3
    with pytest.raises(KeyboardInterrupt):
        ingest(tmp_path / "other", spec, CONFIG, executor=Elsewhere(3))
    ingest(tmp_path / "other", spec, CONFIG)  # in order, over what tasks have left
    assert contents(tmp_path / "other") == contents(tmp_path / "whole")


def test_unreadable_rows_stop_it_as_in_order(corpus: Path, tmp_path: Path) -> None:
    strict, messages = ReadConfig(max_bad_fraction=0.001), []
    for executor in (None, Elsewhere()):
        with pytest.raises(InputError, match="rows are unreadable") as raised:
            ingest(tmp_path / "out", [InputSpec(path=str(corpus))], strict, executor=executor)
        messages.append(str(raised.value))
        assert len((tmp_path / "out" / "quarantined.jsonl").read_text().splitlines()) == 3
    assert messages[0] == messages[1]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 9), st.integers(1, 120))
def test_shards_end_by_rows_or_with_the_document_that_fills_them(sizes: list[int], rows: int, most: int) -> None:
    edges, held = [0], [0, 0]
    for number, size in enumerate(sizes, start=1):
        held = [held[0] + 1, held[1] + size]
        if held[0] == rows or held[1] >= most or number == len(sizes):
            edges.append(number)
            held = [0, 0]
    assert cut_rows(np.array(sizes, np.int64), rows=rows, max_bytes=most).tolist() == edges


def test_there_are_as_many_shards_as_names() -> None:
    check_shards(100_000)
    with pytest.raises(InputError, match=r"raise `read\.shard_rows`"):
        check_shards(100_001)
