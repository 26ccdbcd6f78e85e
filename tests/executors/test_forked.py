"""A fork after dq was used: results, or one error at once, with the tools that people fork with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

USED_BEFORE = """
import multiprocessing
import sys

import dq

TEXTS = ["a first look at one text"] * 50
RULES = dq.presets.gopher_quality()


def score(texts):
    return dq.score(texts)["word_count"].to_list()


def judge(texts):
    return RULES.judge(dq.score(texts))["keep"].to_list()


def deduplicate(texts):
    return dq.deduplicate(texts)["kept_index"].to_list()


class Lengths:
    names = ("length",)

    def scores(self, texts):
        return {"length": texts.str.len_chars()}


def score_by_own(texts):
    return dq.score(texts, signals=["word_count"], scorers=[Lengths()])["length"].to_list()
"""

IN_A_POOL = """
if __name__ == "__main__":
    before, work, method = sys.argv[1:]
    if before != "nothing":
        globals()[before](TEXTS)
    with multiprocessing.get_context(method).Pool(2) as pool:
        try:
            print("result", len(pool.map(globals()[work], [TEXTS] * 4)))
        except dq.DqError as error:
            print("error", error)
"""

IN_A_DATASET = """
import datasets

if __name__ == "__main__":
    found = datasets.Dataset.from_dict({"text": TEXTS * 8})
    keep = dq.interop.huggingface.Keep(RULES)
    print(len(found.select(range(50)).filter(keep, batched=True)))
    found.filter(keep, batched=True, num_proc=2)
"""

IN_A_LOADER = """
from torch.utils.data import DataLoader


class Judged:
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return judge(TEXTS)[0]


if __name__ == "__main__":
    judge(TEXTS)
    list(DataLoader(Judged(), num_workers=1, multiprocessing_context=sys.argv[1]))
    print("result")
"""


def run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a user's script; it ends in time, or the test fails."""
    path = folder / "script.py"
    path.write_text(USED_BEFORE + script)
    return subprocess.run(
        [sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


SLOW = pytest.mark.slow  # ten seconds each: their like is in every run


@pytest.mark.parametrize(
    "work", ["judge", pytest.param("deduplicate", marks=SLOW), pytest.param("score_by_own", marks=SLOW)]
)
def test_what_needs_polars_is_an_error_in_a_fork_of_a_process_that_used_it(tmp_path: Path, work: str) -> None:
    ended = run(tmp_path, IN_A_POOL, "judge", work, "fork")
    assert ended.stdout.startswith("error this process was forked"), ended
    assert 'get_context("spawn")' in ended.stdout


@pytest.mark.parametrize(
    ("before", "work", "method"),
    [
        ("judge", "score", "fork"),
        ("nothing", "judge", "fork"),
        pytest.param("score", "judge", "fork", marks=SLOW),
        ("judge", "judge", "spawn"),
        pytest.param("deduplicate", "deduplicate", "forkserver", marks=SLOW),
    ],
)
def test_workers_whose_polars_lives_give_results(tmp_path: Path, before: str, work: str, method: str) -> None:
    ended = run(tmp_path, IN_A_POOL, before, work, method)
    assert ended.stdout == "result 4\n", ended


def test_num_proc_of_datasets_after_a_look_at_a_sample_is_an_error_at_once(tmp_path: Path) -> None:
    ended = run(tmp_path, IN_A_DATASET)
    assert ended.returncode == 1
    assert "this process was forked" in ended.stderr
    assert "set_start_method" in ended.stderr


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=SLOW)])
def test_a_data_loader_gets_results_or_an_error(tmp_path: Path, method: str) -> None:
    ended = run(tmp_path, IN_A_LOADER, method)
    if method == "spawn":
        assert ended.stdout == "result\n", ended
    else:
        assert ended.returncode == 1
        assert "this process was forked" in ended.stderr
