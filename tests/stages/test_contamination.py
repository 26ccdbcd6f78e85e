"""Benchmarks in a job: what is found, what is kept from training for it, and what a change makes anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dq.corpus import InputSpec
from dq.executors import LocalExecutor
from dq.inspect import document_history
from dq.jobs import JobConfig, plan_job, run_job
from dq.stages.base import View
from dq.stages.benchmarks import Benchmark
from dq.stages.cleaned import CleanConfig, clean_documents
from dq.stages.contamination import Contamination, DecontaminateConfig, find_contamination
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout, HeldoutConfig, NeutralSet, hold_out
from dq.stages.read import Documents
from dq.store import Workspace
from tests.jobs.texts import rows, write_jsonl
from tests.stages.test_heldout import READ, corpus_of

NEUTRAL = " ".join(f"neutral{n}" for n in range(60))


def job(folder: Path, *, drop: bool = True, ngram: int = 13, items: Sequence[int] = (3, 30)) -> JobConfig:
    made = rows(6, 60)
    source = write_jsonl(folder / "documents.jsonl", made)
    exam = [{"id": f"item-{n}", "q": " ".join(made[n]["text"].split(" ")[:16])} for n in items]
    benchmark = Benchmark(name="exam", path=str(write_jsonl(folder / "exam.jsonl", exam)), fields=("q",))
    essays = write_jsonl(folder / "neutral.jsonl", [{"text": f"{NEUTRAL} {n}"} for n in range(3)])
    neutral = NeutralSet(name="neutral", input=(InputSpec(path=str(essays)),))
    return JobConfig(
        input=(InputSpec(path=str(source)),),
        read=READ,
        decontaminate=DecontaminateConfig(benchmarks=(benchmark,), drop=drop, ngram=ngram),
        heldout=HeldoutConfig(fraction=0, neutral=(neutral,)),
    )


def test_documents_with_items_are_excluded_and_named_in_every_result(tmp_path: Path) -> None:
    config, workspace = job(tmp_path), Workspace(tmp_path / "ws")
    done = run_job(config, workspace)
    view = View.of(workspace)
    holding = set(view.open(Contamination).matches["document"])
    assert {3, 30} <= holding
    assert set(view.open(Fates).fate.eq("excluded").arg_true()) == holding
    told = view.open(Heldout).exclusions.filter(document=3).row(0, named=True)
    assert (told["set"], told["heldout_id"], told["measure"], told["score"]) == (
        "exam",
        "item-3",
        "benchmark_13gram",
        1,
    )
    (history,) = document_history(workspace.root, view.open(Documents).documents["id"][3])
    assert (history.fate, history.near_heldout) == ("excluded", None)
    assert history.holds_item == "item-3 of benchmark exam: 100% of its n-grams"
    assert done.benchmarks is not None
    assert done.benchmarks.select("benchmark", "items", "hit", "mean_covered").row(0) == ("exam", 2, 2, 1.0)
    assert all(stage.done for stage in plan_job(config, workspace).stages)
    changed = {stage.name for stage in plan_job(job(tmp_path, ngram=9), workspace).stages if not stage.done}
    assert {"decontaminate", "hold out", "settle fates"} <= changed and "score" not in changed


def test_a_report_alone_excludes_nothing(tmp_path: Path) -> None:
    config = job(tmp_path, drop=False)
    corpus_of(tmp_path / "ws", rows(6, 60))
    view = View(Workspace(tmp_path / "ws"))
    assert config.decontaminate is not None
    found = find_contamination(view, config.decontaminate, executor=LocalExecutor())
    heldout = hold_out(view, config.heldout, READ, benchmarks=config.excludes_benchmarks, executor=LocalExecutor())
    assert found.by_benchmark["documents"][0] >= 2
    assert not heldout.excluded.any()


def test_items_are_looked_for_in_what_is_trained_on_too(tmp_path: Path) -> None:
    """Cleaning may bring together what stood apart."""
    item = "one two three four five six seven eight"
    corpus_of(tmp_path, [{"text": item.replace(" four", " four\nOK\n")}, {"text": "nothing of it"}])
    exam = write_jsonl(tmp_path / "exam.jsonl", [{"text": item}])
    config = DecontaminateConfig(benchmarks=(Benchmark(name="exam", path=str(exam)),))
    clean = CleanConfig(version="lines", cleaner="c4_lines")
    view = View(Workspace(tmp_path))
    assert find_contamination(view, config, executor=LocalExecutor()).matches.is_empty()
    view = View(Workspace(tmp_path), view.texts.model_copy(update={"trained": "lines"}))
    clean_documents(view, clean, executor=LocalExecutor())
    found = find_contamination(view, config, executor=LocalExecutor())
    assert found.matches.select("document", "item", "coverage").rows() == [(0, found.items["id"][0], 1.0)]


def test_other_items_in_the_same_process_are_looked_for_anew(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    for items in ((3, 30), (7, 8, 9)):
        config = job(tmp_path, items=items)
        run_job(config, workspace)
        assert View.of(workspace).open(Contamination).items["id"].to_list() == [f"item-{n}" for n in items]
        assert View.of(workspace).open(Contamination).by_benchmark["hit"].to_list() == [len(items)]
