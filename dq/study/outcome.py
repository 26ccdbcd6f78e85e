"""What a finished study says: the tables of its runs, the comparison, the controls, as files and as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq.compare import (
    Comparison,
    ControlOutcome,
    Options,
    StudyComparison,
    compare_study,
    judge_repeat,
    judge_unigram,
    paired,
    size_of,
)
from dq.config import place_of
from dq.errors import DqError, TrainingError, WorkspaceError, listed
from dq.results import Result
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Workspace, read_json, read_parquet, write_json_atomic, write_parquet
from dq.study.config import CONTROL_PREFIX, MAX_SEEDS, StudyConfig
from dq.study.grid import TOKEN_REPLACEMENT, PlannedRun, fresh_runs
from dq.study.heldout_tokens import tokenized_sets, unigram_bits_per_byte
from dq.study.registered import Registered
from dq.study.runner import MISSING, RunOutcome
from dq.training import RunFolder
from dq.variants import Manifest, Universe
from dq.variants.manifest import WARN_SHARE

RESULT = "comparison.json"
MAX_SHARED_EPOCHS = 4
MAX_MISSING = 3  # runs that are named; --json has them all


@dataclass(frozen=True)
class StudyResult(Result):
    """A finished study.

    Attributes:
        losses: final loss per variant, seed, set and document.
        points: loss curves per variant, seed and set; `phase` keeps trunk and cooled points apart.
        runs: ids of all runs that it rests on.
        controls: every control, the unigram one included.
        registered: what was fixed before the first run, and what is different now.
        confirmation: the best variant on fresh seeds, where the study asks for it and one is better.
        diverged: runs whose loss left all bounds; their variants are in no comparison, and never better. A confirmation
            of which a run diverged is none.
        missing: runs that could not be trained, each with the reason; their variants are in no comparison either. The
            same study trains them.
    """

    config: StudyConfig
    comparison: StudyComparison
    controls: tuple[ControlOutcome, ...]
    losses: pl.DataFrame
    points: pl.DataFrame
    runs: tuple[str, ...]
    manifests: Mapping[str, Manifest]
    registered: Registered
    confirmation: Comparison | None
    diverged: tuple[str, ...]
    missing: Mapping[str, str]

    @property
    def confirmed(self) -> str:
        """The best variant on fresh seeds, in words; nothing where it was not tried."""
        if (again := self.confirmation) is None:
            return ""
        size, found = size_of(again.difference, again.baseline_bits_per_byte), again.interval
        where = f"95 % interval [{found.low:+.4f}, {found.high:+.4f}]" if found else again.missing
        return f"{again.variant} on {again.n_seeds} fresh seeds: {size} ({where})"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it was fixed, which runs diverged or are missing, what manifests say; a sentence each."""
        changed = (f"since the study was registered: {change}" for change in self.registered.changes)
        diverged = [f"diverged: {listed(list(self.diverged))}"] if self.diverged else []
        missing = [f"missing: {run}: {why}" for run, why in self.missing.items()]
        if len(missing) > MAX_MISSING:
            missing[MAX_MISSING:] = [f"missing: {len(missing) - MAX_MISSING:,} runs more"]
        again = ["the same command trains what is missing"] if missing else []
        streams = [
            f"{name}: {warning}"
            for name, manifest in self.manifests.items()
            for warning in manifest.warnings
            if not name.startswith(CONTROL_PREFIX)
        ]
        return (*changed, *diverged, *streams, *missing, *again)

    def record(self) -> dict[str, Any]:
        """What `--json` prints and a study's `comparison.json` holds: no tables of documents and points."""
        names = ("runs", "comparison", "controls", "manifests", "registered", "confirmation", "diverged", "missing")
        config = {"study": self.config.name, "budget_tokens": self.config.budget_tokens, "config": self.config}
        return {**config, **{name: getattr(self, name) for name in names}}

    def to_frame(self) -> pl.DataFrame:
        """The comparison's table: a row a variant and set."""
        return self.comparison.to_frame()

    def _repr_html_(self) -> str:
        """What a notebook shows: the comparison."""
        return self.comparison._repr_html_()


@dataclass(frozen=True)
class Finding:
    """What runs say at a look: their tables and the comparison."""

    losses: pl.DataFrame
    points: pl.DataFrame
    comparison: StudyComparison


def compare_runs(config: StudyConfig, outcomes: Sequence[RunOutcome], *, neutral: Sequence[str]) -> Finding:
    """Collect the runs and compare them.

    A run that diverged says something of its variant, so that variant is judged by no other of its runs:
    it gets no verdict, and the others are compared without it. So it is with a variant of which runs are missing.

    Raises:
        TrainingError: runs of the baseline diverged or are missing, or of every variant.
    """
    without = {one.run.arm for one in outcomes if one.status != "complete"}
    if config.baseline in without or without >= set(config.variants) - {config.baseline}:
        raise _none_left(outcomes)
    kept = [one for one in outcomes if one.run.arm not in without]
    losses, points = (_collect(kept, file) for file in ("documents.parquet", "ledger.parquet"))
    noisy = TOKEN_REPLACEMENT if config.active_controls and TOKEN_REPLACEMENT not in without else None
    comparison = compare_study(
        losses,
        baseline=config.baseline,
        neutral_sets=neutral,
        margin=config.margin_bits_per_byte,
        pool=config.pool,
        looks=config.plan,
        apart=variants_apart(config),
        noise_control=noisy,
    )
    notes = (_no_verdict(arm, [one for one in outcomes if one.run.arm == arm]) for arm in sorted(without))
    comparison = dataclasses.replace(comparison, notes=(*comparison.notes, *notes))
    if config.annealing:
        comparison = _in_the_cooldown(comparison, config)
    return Finding(losses, points, comparison)


def diverged_runs(outcomes: Sequence[RunOutcome]) -> tuple[str, ...]:
    """Names of the runs whose loss left all bounds."""
    return tuple(one.folder.name for one in outcomes if one.status not in {"complete", MISSING})


def missing_runs(config: StudyConfig, outcomes: Sequence[RunOutcome]) -> dict[str, str]:
    """Names of the runs that could not be trained, with the reason, which names fields as the study's file does."""
    return {one.folder.name: _reason(config, one.fault) for one in outcomes if one.fault is not None}


def _reason(config: StudyConfig, fault: DqError) -> str:
    place = place_of(type(config), fault.field) if fault.field else None
    return str(fault).replace(f"`{fault.field}`", f"`{place}`") if place else str(fault)


def _no_verdict(arm: str, outcomes: Sequence[RunOutcome]) -> str:
    if n_diverged := len(diverged_runs(outcomes)):
        return (
            f"{arm} gets no verdict, and is not better: {n_diverged} of its runs diverged; lower "
            "`training.peak_learning_rate`"
        )
    n_missing = sum(one.status == MISSING for one in outcomes)
    return f"{arm} gets no verdict: {n_missing} of its runs {'is' if n_missing == 1 else 'are'} missing"


def _in_the_cooldown(comparison: StudyComparison, config: StudyConfig) -> StudyComparison:
    """The same, every verdict named as one of annealing."""
    note = (
        f"annealing: variants differ in the last {config.training.decay_fraction:.0%} of the steps alone, behind a "
        f"trunk of {config.baseline}; of training on them from the beginning this says nothing"
    )
    variants = tuple(dataclasses.replace(one, scope="in the cooldown") for one in comparison.variants)
    return dataclasses.replace(comparison, variants=variants, notes=(note, *comparison.notes))


def _none_left(outcomes: Sequence[RunOutcome]) -> TrainingError:
    if faults := [one.fault for one in outcomes if one.fault is not None]:
        missing = f"{len(faults):,} of {len(outcomes):,} runs {'is' if len(faults) == 1 else 'are'} missing"
        return TrainingError(f"{faults[0]} ({missing})", field=faults[0].field)
    diverged = diverged_runs(outcomes)
    return TrainingError(
        f"{len(diverged)} of {len(outcomes)} runs diverged ({diverged[0]}); lower `training.peak_learning_rate`"
    )


def confirm_winner(
    config: StudyConfig, outcomes: Sequence[RunOutcome], *, winner: str, sets: Sequence[str]
) -> Comparison | None:
    """The best variant against the baseline on fresh seeds alone; None where not all of these runs ended well."""
    if any(outcome.status != "complete" for outcome in outcomes):
        return None
    losses = _collect(outcomes, "documents.parquet")
    options = Options(margin=config.margin_bits_per_byte)
    return paired(losses, variant=winner, baseline=config.baseline, sets=sets, options=options)


def conclude(
    found: StudyResult, folder: Path, *, universe: Universe, repeated: tuple[RunOutcome, RunOutcome] | None
) -> StudyResult:
    """Judge the controls that need the workspace, and write it all to the study's folder.

    Args:
        found: without these controls.
        folder: of the study, in its workspace.
        universe: its documents.
        repeated: a run and its repetition.
    """
    workspace = Workspace(folder.parents[2])
    more = _study_controls(found.config, workspace, universe=universe, comparison=found.comparison)
    if repeated is not None:
        one, other = (RunFolder(outcome.folder).digests() for outcome in repeated)
        more = (judge_repeat(one, other, run=repeated[0].folder.name), *more)
    sets = sorted({level.held_out_set for level in found.comparison.levels})
    notes = (*found.comparison.notes, *View.of(workspace).open(Heldout).quoted_in_words(sets))
    comparison = _of_mixture(dataclasses.replace(found.comparison, notes=notes), found.manifests)
    result = dataclasses.replace(found, comparison=comparison, controls=(*found.controls, *more))
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(folder / "losses.parquet", result.losses)
    write_parquet(folder / "points.parquet", result.points)
    write_json_atomic(folder / RESULT, result.to_dict())
    return result


def _of_mixture(comparison: StudyComparison, manifests: Mapping[str, Manifest]) -> StudyComparison:
    """The same, verdicts named as those of quality and mixture where sources have other shares than in the baseline."""
    due = manifests[comparison.baseline].source_shares
    variants = []
    for one in comparison.variants:
        here = manifests[one.variant].source_shares
        more = {name: here.get(name, 0.0) - due.get(name, 0.0) for name in sorted({*here, *due})}
        said = tuple(f"{name} {by:+.1%}" for name, by in more.items() if abs(by) > WARN_SHARE)
        variants.append(dataclasses.replace(one, mixture=said))
    return dataclasses.replace(comparison, variants=tuple(variants))


def keep_result(folder: Path, runs: Sequence[PlannedRun]) -> None:
    """Refuse to replace a finished result by one that does not rest on all of its runs: that would lose it.

    More seeds or variants, another margin or baseline only add to what was found.

    Raises:
        WorkspaceError: other settings, or another corpus, have made what is there.
    """
    path = folder / RESULT
    if not path.exists():
        return
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("runs"), list):
        raise WorkspaceError(f"{path}: not the result of a study; delete {folder} and run again")
    lost = set(found["runs"]) - {run.run_id for run in runs}
    if lost:  # a confirmation's runs may be of any variant
        arms = list(dict.fromkeys(run.arm for run in runs))
        lost -= {run.run_id for run in fresh_runs(runs, arms, seeds=MAX_SEEDS)}
    if lost:
        raise WorkspaceError(
            f"{folder}: holds the result of other settings or of another corpus ({len(lost)} of its "
            f"{len(found['runs'])} runs, such as {min(lost)}, are not of this study); give the study another `name`, "
            "or replace it: `overwrite`",
            field="overwrite",
        )


def _collect(outcomes: Sequence[RunOutcome], file: str) -> pl.DataFrame:
    frames = [
        read_parquet(outcome.folder / file).select(
            pl.lit(outcome.run.arm).alias("variant"),
            pl.lit(outcome.run.spec.seed, pl.Int64).alias("seed"),
            pl.all(),
        )
        for outcome in outcomes
    ]
    return pl.concat(frames).sort("variant", "seed", maintain_order=True)


def variants_apart(config: StudyConfig) -> dict[str, str]:
    """Variants whose text is seen too often to be as noisy as the others: they spread 1.3 to 1.8 times as much."""
    budget = config.budget_tokens
    epochs = {
        name: max(one.epochs_at(budget) for one in kind.composition() if one.fraction)
        for name, kind in config.variants.items()
    }
    return {name: f"{n:g} epochs, more than {MAX_SHARED_EPOCHS}" for name, n in epochs.items() if n > MAX_SHARED_EPOCHS}


def _study_controls(
    config: StudyConfig, workspace: Workspace, *, universe: Universe, comparison: StudyComparison
) -> tuple[ControlOutcome, ...]:
    """The baseline must beat a unigram model of the same text, on the mean of the neutral sets."""
    if (controls := config.active_controls) is None:
        return ()
    sets = tokenized_sets(workspace, comparison.neutral_sets)
    view = View.of(workspace)
    unigram = unigram_bits_per_byte(
        universe, view.open(TokenPool), sets, vocabulary_size=view.open(Tokenizer).vocabulary_size
    )
    level = comparison.variants[0].neutral.baseline_bits_per_byte
    return (judge_unigram(level, unigram, margin=controls.unigram_margin),)
