"""The spread over seeds in the studies of a workspace, by size, budget and held-out set."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dq.compare import Noise, noise_of
from dq.errors import DqError
from dq.results import Result
from dq.store import Workspace, read_json, read_parquet

# A mean over more tokens than another study's at most: beyond it the spread of one says little about the other.
NEAR_BUDGET = 2.0


@dataclass(frozen=True, kw_only=True)
class StudyNoise(Result):
    """The spread in one study."""

    study: str
    """Its name and, where it has several cells, which one this is."""
    size: str
    budget_tokens: int
    annealing: bool = False
    """Whether its arms differ in the cooldown alone: they share most of what makes seeds differ, and spread less."""
    noise: tuple[Noise, ...]
    """On the neutral sets, then on each other set."""


def noise_of_workspace(workspace: Workspace) -> tuple[StudyNoise, ...]:
    """Of every study with two seeds and arms or more, by size and budget; a damaged one is left out.

    Raises:
        WorkspaceError: there is no such workspace.
    """
    workspace.existing()
    found = []
    for path in sorted(workspace.root.glob("studies/*/*/comparison.json")):
        try:
            record = read_json(path)
            config, comparison = record["config"], record["comparison"]
            noise = noise_of(
                read_parquet(path.parent / "losses.parquet"),
                arms=config["variants"],
                neutral=comparison["neutral_sets"],
            )
            listed = path.parent.name.partition("-")[2]  # what a study of several cells lists beside its budgets
            study = StudyNoise(
                study=" ".join(filter(None, [str(record["study"]), listed])),
                size=str(config["size"]),
                budget_tokens=int(record["budget_tokens"]),
                annealing=config.get("annealing", False),  # older versions knew no other
                noise=noise,
            )
        except (DqError, KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError):
            continue
        if study.noise:
            found.append(study)
    return tuple(sorted(found, key=lambda one: (one.size, one.budget_tokens, one.study)))


def nearest_noise(
    studies: tuple[StudyNoise, ...], *, size: str, budget_tokens: int, annealing: bool = False
) -> StudyNoise | None:
    """What is known of the spread at a size and about a budget, from the study of its kind that is nearest to it."""

    def times(one: StudyNoise) -> float:
        return max(one.budget_tokens, budget_tokens) / min(one.budget_tokens, budget_tokens)

    alike = [one for one in studies if (one.size, one.annealing) == (size, annealing)]
    near = [one for one in alike if times(one) <= NEAR_BUDGET]
    return min(near, key=times, default=None)
