"""The datatrove step, in a real pipeline on real files."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dq

pytest.importorskip("datatrove")
GOOD = (
    "The river had risen in the night, and the people of the town stood on the old bridge to look at it. "
    "Nobody could remember that the water had been so high, and some of them began to carry their things to the hill. "
    "They were right to do so, because by noon the lower street was under water and the mill had lost its wheel."
)
TEXTS = {"good": GOOD, "short": "Too short.", "blank": " \n ", "hashes": "# # # of the and # # #"}


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl*")):
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
            yield from map(json.loads, stream)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of reader, filter with exclusion writer, writer: two files of the same documents, two tasks."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "in").mkdir()
    for name in ("a", "b"):
        lines = [json.dumps({"id": f"{name}-{key}", "text": text}) for key, text in TEXTS.items()]
        (folder / f"in/{name}.jsonl").write_text("\n".join(lines))
    program = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
import dq

if __name__ == "__main__":
    folder = sys.argv[1]
    rules = dq.interop.datatrove.Filter(
        dq.presets.gopher_quality(), JsonlWriter(f"{folder}/dropped"), batch_size=3
    )
    LocalPipelineExecutor(
        [JsonlReader(f"{folder}/in"), rules, JsonlWriter(f"{folder}/kept")],
        tasks=2, workers=2, logging_dir=f"{folder}/logs",
    ).run()
    assert "torch" not in sys.modules
"""
    (folder / "pipeline.py").write_text(program)
    done = subprocess.run([sys.executable, "pipeline.py", "."], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_the_pipeline_keeps_what_the_rules_keep(run: Path) -> None:
    assert [row["id"] for row in read_lines(run / "kept")] == ["a-good", "b-good"]


def test_dropped_documents_reach_the_exclusion_writer_with_reasons_and_values(run: Path) -> None:
    dropped = {row["id"]: row for row in read_lines(run / "dropped")}
    rules = dq.presets.gopher_quality()
    scores = dq.score(list(TEXTS.values()), rules.signals())
    reasons = dict(zip(TEXTS, rules.judge(scores)["reasons"].to_list(), strict=True))
    counts = dict(zip(TEXTS, scores["word_count"].to_list(), strict=True))
    assert set(dropped) == {f"{file}-{key}" for file in "ab" for key in ("short", "blank", "hashes")}
    for key in ("short", "blank", "hashes"):
        row = dropped[f"a-{key}"]
        assert row["text"] == TEXTS[key]
        assert row["metadata"]["filter_reason"] == reasons[key][0] == "too_few_words"
        assert row["metadata"]["filter_reasons"] == reasons[key]
        assert row["metadata"]["filter_values"]["word_count"] == counts[key]


def test_counters_name_the_first_reason_of_a_document_and_every_rule_it_fails(run: Path) -> None:
    (stats,) = [
        s["stats"] for s in json.loads((run / "logs/stats.json").read_text()) if "dq: gopher_quality" in s["name"]
    ]
    totals = {name: value["total"] if isinstance(value, dict) else value for name, value in stats.items()}
    assert (totals["total"], totals["forwarded"], totals["dropped"]) == (8, 2, 6)
    assert totals["dropped_too_few_words"] == 6
    assert totals["failed_too_few_words"] == 6
    assert totals["failed_too_many_hash_signs"] == 2


def test_batches_of_any_size_give_the_same_results() -> None:
    document = pytest.importorskip("datatrove.data").Document
    documents = [document(text=text, id=key) for key, text in TEXTS.items()] * 3
    steps = [dq.interop.datatrove.Filter(dq.presets.gopher_quality(), batch_size=size) for size in (1, 5, 100)]
    results = [[document.id for document in step.run(iter(documents))] for step in steps]
    assert results[0] == results[1] == results[2] == ["good"] * 3


def test_without_datatrove_the_error_names_the_command() -> None:
    program = "import sys; sys.modules['datatrove'] = None; import dq.interop.datatrove"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "datatrove is not installed; run: pip install datatrove" in done.stderr
