"""Callables for the batched `map` and `filter` of Hugging Face datasets, on a real dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dq
from dq.interop.huggingface import Judge, Keep, Score

TEXTS = ["The people of the town stood on the old bridge. " * 12, "Short.", "", "naïve 日本語 text\nof two lines"]
RULES = dq.presets.gopher_quality()

PROGRAM = """
import sys, json
import dq
from datasets import Dataset, disable_progress_bars
from datasets.fingerprint import Hasher
from dq.interop.huggingface import Judge, Keep, Score

if __name__ == "__main__":
    disable_progress_bars()
    texts, rules = json.loads(sys.argv[1]), dq.presets.gopher_quality()
    dataset = Dataset.from_dict({"body": texts, "n": list(range(len(texts)))})
    out = {"hash": Hasher.hash(Keep(rules)), "formats": []}
    for kind in (None, "arrow", "polars"):
        source = dataset.with_format(kind)
        kept = source.filter(Keep(rules, text="body"), batched=True, batch_size=2)
        out["formats"].append(kept.with_format(None)["n"][:])
    judged = dataset.map(Score(["word_count"], text="body"), batched=True, batch_size=3)
    judged = judged.map(Judge(rules, text="body"), batched=True)
    out["columns"] = judged.to_dict()
    streamed = dataset.to_iterable_dataset().filter(Keep(rules, text="body"), batched=True)
    out["streamed"] = [row["n"] for row in streamed]
    print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The example in two processes of different hash seeds."""
    pytest.importorskip("datasets")
    folder: Path = tmp_path_factory.mktemp("datasets")
    (folder / "example.py").write_text(PROGRAM)
    results = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "example.py", json.dumps(TEXTS)],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        results.append(json.loads(done.stdout))
    return results


def test_filter_keeps_what_the_rules_keep_in_every_format(runs: list[dict[str, object]]) -> None:
    assert runs[0]["formats"] == [[0], [0], [0]]
    assert runs[0]["streamed"] == [0]


def test_map_adds_signals_and_verdicts_also_with_several_processes(runs: list[dict[str, object]]) -> None:
    scores = dq.score(TEXTS)
    verdicts = RULES.judge(scores)
    assert runs[0]["columns"] == {
        "body": TEXTS,
        "n": [0, 1, 2, 3],
        "word_count": scores["word_count"].to_list(),
        "keep": verdicts["keep"].to_list(),
        "reasons": verdicts["reasons"].to_list(),
        "not_judged": verdicts["not_judged"].to_list(),
        "script": verdicts["script"].to_list(),
    }


def test_results_are_found_again_in_the_cache_because_the_hash_is_the_same_in_every_process(
    runs: list[dict[str, object]],
) -> None:
    assert runs[0]["hash"] == runs[1]["hash"]


def test_the_callables_work_on_plain_columns() -> None:
    batch = {"text": TEXTS}
    assert Score(["line_count"])(batch) == {"line_count": [1, 1, 0, 2]}
    assert Keep(RULES)(batch) == Judge(RULES)(batch)["keep"] == [True, False, False, False]
