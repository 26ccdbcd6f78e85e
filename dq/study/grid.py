"""The grid of a study: its variants and controls, each with its seeds, as planned runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dq.config import fingerprint
from dq.errors import ConfigError, nearest
from dq.stages.tokenizer import BOS_ID
from dq.store import Workspace, read_record
from dq.study.config import CONTROL_PREFIX, StudyConfig
from dq.training import RunSpec, find_size
from dq.variants import Kind, TokenNoise, Universe, Variant, variant_inputs

AA, TOKEN_REPLACEMENT = f"{CONTROL_PREFIX}aa", f"{CONTROL_PREFIX}token-replacement"


@dataclass(frozen=True)
class PlannedRun:
    """One run: its variant or control, its specification and the folder name that follows from it."""

    variant: Variant
    spec: RunSpec
    run_id: str


def plan_grid(config: StudyConfig, workspace: Workspace, universe: Universe) -> list[PlannedRun]:
    """Every run of a study, baseline first, seed by seed, so that early results already compare.

    Raises:
        ConfigError: shares name an unknown source.
        WorkspaceError: the workspace is not finished.
    """
    shares = _shares(config, universe)
    arms: dict[str, tuple[Kind, Sequence[int]]] = {
        n: (kind, range(config.seeds)) for n, kind in config.variants.items()
    }
    if (controls := config.active_controls) is not None:
        arms[AA] = config.variants[config.baseline], [seed for seed, _ in config.aa_seed_pairs]
        arms[TOKEN_REPLACEMENT] = TokenNoise(dose=controls.replaced_tokens), range(config.seeds)
    variants = {
        name: Variant(
            name=name,
            spec=kind,
            budget_tokens=config.budget_tokens,
            shares=shares,
            inputs=variant_inputs(workspace, kind, config.stream),
            context=config.training.context,
            config=config.stream,
        )
        for name, (kind, _) in arms.items()
    }
    vocabulary = int(read_record(workspace.tokenizer()).summary["vocab_size"])
    heldout = fingerprint(
        [read_record(workspace.heldout()).fingerprint, read_record(workspace.tokenizer()).fingerprint]
    )
    return [
        _planned(config, variants[name], seeds[number], vocabulary=vocabulary, heldout=heldout)
        for number in range(config.seeds)
        for name, (_, seeds) in arms.items()
    ]


def _shares(config: StudyConfig, universe: Universe) -> Mapping[str, float]:
    """Shares that sum to 1 exactly, however they were rounded in the file."""
    raw = universe.raw_shares()
    if config.shares is None:
        return raw
    for source in config.shares:
        if source not in raw:
            raise ConfigError(f"shares: {nearest(source, raw, what='source')}", field="shares")
    total = math.fsum(config.shares.values())
    return {source: share / total for source, share in config.shares.items()}


def _planned(config: StudyConfig, variant: Variant, seed: int, *, vocabulary: int, heldout: str) -> PlannedRun:
    spec = RunSpec(
        variant=variant.name,
        size=config.size,
        seed=seed,
        steps=config.steps,
        vocabulary_size=vocabulary,
        bos_id=BOS_ID,
        stream_fingerprint=variant.stream_fingerprint(seed),
        heldout_fingerprint=heldout,
        training=config.training.resolved(
            find_size(config.size), vocabulary_size=vocabulary, budget_tokens=config.budget_tokens
        ),
    )
    return PlannedRun(variant, spec, f"{variant.name}-{config.size}-seed{seed}-{fingerprint(spec)[:10]}")
