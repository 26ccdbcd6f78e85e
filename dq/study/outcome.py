"""What a finished study says: the tables of its runs, the comparison, the controls, as files and as one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq.compare import Control, ControlKind, ControlOutcome, StudyComparison, compare_study, judge_unigram
from dq.errors import TrainingError, WorkspaceError
from dq.results import Result
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Workspace, read_json, read_parquet, write_json_atomic, write_parquet
from dq.study.config import StudyConfig
from dq.study.grid import AA, TOKEN_REPLACEMENT, PlannedRun
from dq.study.heldout_tokens import tokenized_sets, unigram_bits_per_byte
from dq.study.runner import RunOutcome
from dq.variants import Manifest, Universe

RESULT = "comparison.json"


@dataclass(frozen=True)
class StudyResult(Result):
    """A finished study.

    Attributes:
        losses: final loss per variant, seed, set and document.
        points: loss curves per variant, seed and set; `phase` keeps trunk and cooled points apart.
        runs: ids of all runs that it rests on.
        controls: every control, the unigram one included.
        diverged: runs whose loss was not finite; they are in no comparison.
    """

    config: StudyConfig
    comparison: StudyComparison
    controls: tuple[ControlOutcome, ...]
    losses: pl.DataFrame
    points: pl.DataFrame
    runs: tuple[str, ...]
    manifests: Mapping[str, Manifest]
    diverged: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """What `--json` prints and a study's `comparison.json` holds: no tables of documents and points."""
        names = ("runs", "comparison", "controls", "manifests", "diverged")
        config = {"study": self.config.name, "budget_tokens": self.config.budget_tokens, "config": self.config}
        return {**config, **{name: getattr(self, name) for name in names}}

    def to_frame(self) -> pl.DataFrame:
        """The comparison's table: a row a variant and set."""
        return self.comparison.to_frame()

    def _repr_html_(self) -> str:
        """What a notebook shows: the comparison."""
        return self.comparison._repr_html_()


def conclude(
    config: StudyConfig,
    workspace: Workspace,
    outcomes: Sequence[RunOutcome],
    *,
    universe: Universe,
    manifests: Mapping[str, Manifest],
) -> StudyResult:
    """Collect the runs, compare, judge the controls, and write it all to the study's folder.

    Raises:
        TrainingError: runs diverged, so that variants lack seeds.
    """
    diverged = tuple(outcome.folder.name for outcome in outcomes if outcome.status != "complete")
    if diverged:
        raise TrainingError(
            f"{len(diverged)} of {len(outcomes)} runs diverged ({diverged[0]}); lower `training.peak_learning_rate`"
        )
    losses, points = _collect(outcomes, "documents.parquet"), _collect(outcomes, "ledger.parquet")
    neutral = View.of(workspace).open(Heldout).neutral
    comparison = compare_study(
        losses,
        baseline=config.baseline,
        neutral_sets=neutral,
        margin=config.margin_bits_per_byte,
        pool=config.pool,
        controls=_controls(config),
    )
    controls = comparison.controls + _unigram_control(config, workspace, universe=universe, comparison=comparison)
    runs = tuple(outcome.folder.name for outcome in outcomes)
    result = StudyResult(config, comparison, controls, losses, points, runs, manifests, diverged)
    folder = workspace.study(config.name, config.budget_tokens)
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(folder / "losses.parquet", losses)
    write_parquet(folder / "points.parquet", points)
    write_json_atomic(folder / RESULT, result.to_dict())
    return result


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
    planned = {run.run_id for run in runs}
    if lost := [run for run in found["runs"] if run not in planned]:
        raise WorkspaceError(
            f"{folder}: holds the result of other settings or of another corpus ({len(lost)} of its "
            f"{len(found['runs'])} runs, such as {lost[0]}, are not of this study); give the study another `name`, or "
            "replace it: `overwrite`",
            field="overwrite",
        )


def _collect(outcomes: Sequence[RunOutcome], file: str) -> pl.DataFrame:
    frames = [
        read_parquet(outcome.folder / file).select(
            pl.lit(outcome.run.variant.name).alias("variant"),
            pl.lit(outcome.run.spec.seed, pl.Int64).alias("seed"),
            pl.all(),
        )
        for outcome in outcomes
    ]
    return pl.concat(frames).sort("variant", "seed", maintain_order=True)


def _controls(config: StudyConfig) -> list[Control]:
    if config.active_controls is None:
        return []
    return [
        Control(kind=ControlKind.AA, variant=AA, seed_pairs=config.aa_seed_pairs),
        Control(kind=ControlKind.TOKEN_REPLACEMENT, variant=TOKEN_REPLACEMENT),
    ]


def _unigram_control(
    config: StudyConfig, workspace: Workspace, *, universe: Universe, comparison: StudyComparison
) -> tuple[ControlOutcome, ...]:
    """The baseline must beat a unigram model of the same text, on the mean of the neutral sets."""
    if (controls := config.active_controls) is None:
        return ()
    sets = [one for one in tokenized_sets(workspace) if one.name in comparison.neutral_sets]
    view = View.of(workspace)
    unigram = unigram_bits_per_byte(
        universe, view.open(TokenPool), sets, vocabulary_size=view.open(Tokenizer).vocabulary_size
    )
    level = comparison.variants[0].neutral.baseline_bits_per_byte
    return (judge_unigram(level, unigram, margin=controls.unigram_margin),)
