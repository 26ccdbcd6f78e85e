"""The grid of a study: its variants and controls, each with its seeds, as planned runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dq.config import fingerprint
from dq.errors import ConfigError
from dq.stages.tokenizer import BOS_ID
from dq.store import Workspace, read_record
from dq.study.config import CONTROL_PREFIX, StudyConfig
from dq.training import RunSpec
from dq.variants import Kind, TokenNoise, Universe, Variant, variant_inputs

__all__ = ["AA", "TOKEN_REPLACEMENT", "Arm", "PlannedRun", "plan_grid"]

AA, TOKEN_REPLACEMENT = f"{CONTROL_PREFIX}aa", f"{CONTROL_PREFIX}token-replacement"


@dataclass(frozen=True)
class Arm:
    """One variant or control at the study's budget, and its seeds."""

    name: str
    variant: Variant
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class PlannedRun:
    """One run: its arm, its seed, its specification and the folder name that follows from it."""

    arm: Arm
    seed: int
    spec: RunSpec
    run_id: str


def plan_grid(config: StudyConfig, workspace: Workspace, universe: Universe) -> list[PlannedRun]:
    """Every run of a study, baseline first, seed by seed, so that early results already compare.

    Raises:
        ConfigError: shares name an unknown source.
        WorkspaceError: the workspace is not finished.
    """
    shares = _shares(config, universe)
    specs: dict[str, tuple[Kind, tuple[int, ...]]] = {
        name: (spec, tuple(range(config.seeds))) for name, spec in config.variants.items()
    }
    if (controls := config.active_controls) is not None:
        baseline = config.variants[config.baseline]
        specs[AA] = (baseline, tuple(seed for seed, _ in config.aa_seed_pairs))
        noise = TokenNoise(kind="token_noise", dose=controls.replaced_tokens)
        specs[TOKEN_REPLACEMENT] = (noise, tuple(range(config.seeds)))
    arms = [
        Arm(
            name,
            Variant(name, spec, config.budget_tokens, shares, variant_inputs(workspace, spec)),
            seeds,
        )
        for name, (spec, seeds) in specs.items()
    ]
    vocabulary = int(read_record(workspace.tokenizer()).summary["vocab_size"])
    heldout = fingerprint(
        [read_record(workspace.heldout()).fingerprint, read_record(workspace.tokenizer()).fingerprint]
    )
    return [
        _planned(config, arm, arm.seeds[number], vocabulary=vocabulary, heldout=heldout)
        for number in range(config.seeds)
        for arm in arms
    ]


def _shares(config: StudyConfig, universe: Universe) -> Mapping[str, float]:
    """Shares that sum to 1 exactly, however they were rounded in the file."""
    raw = universe.raw_shares()
    if config.shares is None:
        return raw
    for source in config.shares:
        if source not in raw:
            raise ConfigError(f"shares: no source `{source}` in the workspace; its sources are {', '.join(raw)}")
    total = math.fsum(config.shares.values())
    return {source: share / total for source, share in config.shares.items()}


def _planned(config: StudyConfig, arm: Arm, seed: int, *, vocabulary: int, heldout: str) -> PlannedRun:
    spec = RunSpec(
        variant=arm.name,
        size=config.size,
        seed=seed,
        steps=config.steps,
        vocabulary_size=vocabulary,
        bos_id=BOS_ID,
        stream_fingerprint=arm.variant.stream_fingerprint(seed),
        heldout_fingerprint=heldout,
        training=config.training,
    )
    return PlannedRun(arm, seed, spec, f"{arm.name}-{config.size}-seed{seed}-{fingerprint(spec)[:10]}")
