"""What a job would do: which of its stages are done, and which are to be done, with its input's size.

A stage is done where its record has the fingerprint that the job would give it; whatever stands on one that is to be
done is to be done too. `tests/jobs/test_plan.py` holds the fingerprints here to those of the stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from dq.config import fingerprint
from dq.corpus.inputs import find_inputs
from dq.errors import WorkspaceError
from dq.jobs.job import JobConfig
from dq.quality.scorers.files import load_models
from dq.results import Result
from dq.stages.base import View
from dq.stages.contamination import Contamination, versions
from dq.stages.duplicates import FoundDuplicates
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout, heldout_uses
from dq.stages.learned import LearnedModel
from dq.stages.planted import Planted
from dq.stages.read import Documents, NeutralDocuments, WantedDocuments, read_stage
from dq.stages.selection import JOB_NEEDS, Selected
from dq.stages.signals import signals_stage
from dq.stages.tokenizer import tokenizer_stage
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts, lists_of
from dq.store import Stage, Workspace, read_record


@dataclass(frozen=True)
class PlannedStage(Result):
    """A stage of a job by its name, and whether it is done."""

    name: str
    done: bool


@dataclass(frozen=True)
class JobPlan(Result):
    """What a job would do.

    Attributes:
        stages: in the order in which they are done.
        files: of the input, without neutral sets.
        input_bytes: on disk.
    """

    stages: tuple[PlannedStage, ...]
    files: int
    input_bytes: int


def plan_job(config: JobConfig, workspace: Workspace) -> JobPlan:
    """Compare a job with what its workspace holds. Nothing is written.

    Raises:
        InputError: the input cannot be read, or a model.
    """
    files = find_inputs(config.input).files
    load_models(config.quality.model_files, config.signals)
    view = View(workspace, config.texts)
    replaced: set[str] = set()
    stages = tuple(PlannedStage(name, _is_done(stage, replaced)) for name, stage in _stages(view, config))
    return JobPlan(stages, len(files), sum(file.file.size for file in files))


def _is_done(make: Callable[[], Stage], replaced: set[str]) -> bool:
    """Whether a stage is done, and made from nothing whose fingerprint is to be replaced; else its own is too."""
    try:
        stage = make()
    except WorkspaceError:  # what it is made from is not there, or is another one
        return False
    if stage.done() is not None and replaced.isdisjoint(stage.inputs.values()):
        return True
    with suppress(WorkspaceError):  # nothing is there
        replaced.add(read_record(stage.folder).fingerprint)
    return False


def _stages(view: View, config: JobConfig) -> Iterator[tuple[str, Callable[[], Stage]]]:
    """Every stage by its name, made when it is asked for: it reads the records of those before it."""
    read, rules, learned = config.read, config.quality.rule_set, config.quality.learned
    yield "read", lambda: read_stage(Documents.place(view, ""), config.input, read)
    for one in config.clean:
        cleaner = one.make()
        about = {"of": one.of, "cleaner": cleaner.name, "version": cleaner.version, "options": cleaner.config()}
        yield (
            f"clean: {one.version}",
            lambda one=one, about=about: view.stage(  # type: ignore[misc]
                Documents,
                name="clean",
                of=one.version,
                config=about,
                others={"corpus": view.record(Documents, one.of).fingerprint},
            ),
        )
    yield "find duplicates", lambda: view.stage(FoundDuplicates, config=config.dedup.method)
    for neutral in config.heldout.neutral:
        place = NeutralDocuments.place(view, neutral.name)
        yield f"read {neutral.name}", lambda place=place, neutral=neutral: read_stage(place, neutral.input, read)  # type: ignore[misc]
    if (benchmarks := config.decontaminate) is not None:
        about = benchmarks.identity()
        yield "decontaminate", lambda: view.stage(Contamination, config=about, uses=versions(view))
    yield "hold out", lambda: _heldout(view, config)
    if learned is not None:
        yield "read wanted", lambda: read_stage(WantedDocuments.place(view, ""), learned.wanted, read)
        yield "learn", lambda: view.stage(LearnedModel, config=learned)
    models = config.quality.model_files
    yield "score", lambda: signals_stage(view, config.signals, learned=learned is not None, models=models)
    yield "judge", lambda: view.stage(Verdicts, config=rules, others=lists_of(rules))
    yield "train a tokenizer", lambda: tokenizer_stage(view, config.tokenizer)
    yield "tokenise", lambda: view.stage(TokenPool)
    policy = config.dedup.model_dump(mode="json", include={"keep", "max_removed_fraction", "allow_removal"})
    yield "select", lambda: view.stage(Selected, config=policy, uses=JOB_NEEDS)
    planted = fingerprint([config.dedup.method, config.heldout])
    yield "check planted copies", lambda: view.stage(Planted, config=planted)
    yield "settle fates", lambda: view.stage(Fates, config={"texts": view.texts})


def _heldout(view: View, config: JobConfig) -> Stage:
    neutral = sorted(one.name for one in config.heldout.neutral)
    others = {name: view.record(NeutralDocuments, name).fingerprint for name in neutral}
    uses = heldout_uses(view, benchmarks=config.excludes_benchmarks)
    return view.stage(Heldout, config=config.heldout, uses=uses, others=others)
