"""Progress and results in a real notebook, and the lines of its progress."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dq
from dq.cli.notebook import Cell

CELLS = (
    """import dq
with dq.progress() as progress:
    done = dq.filter_files(["in.jsonl"], dq.presets.gopher_quality(), kept="kept", progress=progress)
done""",
    "from dq.inspect import document_history\ndocument_history('kept', 'good')[0]",
)


def test_a_notebook_shows_progress_in_place_and_results_as_tables(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    good = "The people of the town stood on the old bridge and looked at the water. " * 9
    rows = [{"id": "good", "text": good, "source": "<script>"}, {"text": "Short."}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    made = nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (progress, table), (history,) = (
        [output["data"]["text/html"] for output in cell["outputs"] if "data" in output] for cell in made["cells"]
    )
    assert [line.partition(":")[0] for line in progress.removeprefix("<pre>").splitlines()] == [
        "compare with what is there",
        "filter",
    ]
    assert table.startswith("<p><b>FilterResult: documents 2, kept 1, dropped 1</b></p><table>")
    assert "<td>too_few_words</td>" in table and "&lt;script&gt;" in history and "<script>" not in history


def test_a_cell_tells_open_steps_and_escapes_what_they_are_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dq.cli.notebook.DRAW_SECONDS", 0.0)
    drawn: list[str] = []
    cell = Cell(drawn.append, visible=lambda text: text.replace("\x1b", "?"))
    with cell.step("outer"), cell.step("read", unit="bytes", total=2_000_000) as step:
        step.advance(500_000, detail="<b>\x1b" + "x" * 100 + ".jsonl")
    assert "<pre>outer: at work\nread: 0% of 2 MB</pre>" in drawn
    inside = next(one for one in drawn if "25% of 2 MB" in one)
    assert inside.endswith("x.jsonl</pre>") and len(inside) < 200
    with pytest.raises(KeyError), cell.step("broken <i>") as step:
        step.advance(detail="<b>\x1b")
        raise KeyError
    assert any("broken &lt;i&gt;: 1 · &lt;b&gt;?" in one for one in drawn)
    assert drawn[-1] == "<pre>read: done in 0 s\nouter: done in 0 s</pre>"


def test_without_a_notebook_progress_is_that_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with dq.progress() as progress, progress.step("read") as step:
        step.advance()
    assert capsys.readouterr() == ("", "")  # a log, silent for its first seconds


def test_every_long_function_takes_it() -> None:
    import inspect  # noqa: PLC0415

    for name in ("score_files", "filter_files", "dedup_files", "run_job", "run_study", "run_grid"):
        function: Any = getattr(dq, name)
        assert "progress" in inspect.signature(function).parameters
