"""The grid of a study: its variants and controls, each with its seeds, as planned runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dq.config import fingerprint
from dq.errors import BudgetError, ConfigError, listed, nearest
from dq.stages.tokenizer import bos_of
from dq.store import Workspace, read_record
from dq.study.config import CONTROL_PREFIX, MAX_SEEDS, StudyConfig
from dq.study.heldout_tokens import scored_sets
from dq.training import RunSpec, Schedule, find_size
from dq.variants import Kind, TokenNoise, Trunk, Universe, Variant, variant_inputs

TOKEN_REPLACEMENT, REPEAT = f"{CONTROL_PREFIX}token-replacement", f"{CONTROL_PREFIX}repeat"
MAX_LABEL = 60  # characters of a run's name
FIRST_FRESH_SEED = MAX_SEEDS  # beyond any that a study may have, now or with more seeds


@dataclass(frozen=True)
class PlannedRun:
    """One run: its variant or control, its specification and the folder name that follows from it.

    The name tells the kind and its settings and not the variant's name, so that two variants, studies or controls that
    are the same run share its folder.
    """

    variant: Variant
    spec: RunSpec
    run_id: str
    sets: tuple[str, ...]
    """Held-out sets that it is scored on."""

    @property
    def arm(self) -> str:
        """The variant's or control's name."""
        return self.variant.name


def plan_grid(config: StudyConfig, workspace: Workspace, universe: Universe) -> list[PlannedRun]:
    """Every run of a study, baseline first, seed by seed, so that early results already compare.

    With looks these are all that it may come to; controls have one run each, of the first seed.

    Raises:
        ConfigError: an unknown source or held-out set is named.
        WorkspaceError: the workspace is not finished.
    """
    shares = _shares(config, universe)
    baseline = config.variants[config.baseline]
    arms: dict[str, Kind] = {config.baseline: baseline, **config.variants}
    if (controls := config.active_controls) is not None:
        arms |= {TOKEN_REPLACEMENT: TokenNoise(dose=controls.replaced_tokens), REPEAT: baseline}
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
        for name, kind in arms.items()
    }
    if config.annealing:
        variants = _annealed(config, variants)
    heldout, tokenizer = read_record(workspace.heldout()), read_record(workspace.tokenizer())
    sets = scored_sets(workspace, config.score)
    some = [] if config.score is None else [sets]  # said only where it is so: runs of older versions stay the same
    measured = {
        "vocabulary_size": int(tokenizer.summary["vocab_size"]),
        "bos_id": bos_of(tokenizer.summary).id,
        "heldout_fingerprint": fingerprint([heldout.fingerprint, tokenizer.fingerprint, *some]),
    }
    return [
        _planned(config, variants[name], seed, sets=sets, measured=measured)
        for seed in range(config.seeds)
        for name in arms
        if seed == 0 or not name.startswith(CONTROL_PREFIX)
    ]


def _annealed(config: StudyConfig, variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """The variants in the cooldown alone, each behind a trunk of the baseline's text."""
    trunk_steps = Schedule(config=config.training, steps=config.steps).trunk_steps
    trunk = Trunk(variants[config.baseline], trunk_steps * config.training.tokens_per_step)
    cooldown = config.budget_tokens - trunk.tokens
    return {name: replace(one, budget_tokens=cooldown, trunk=trunk) for name, one in variants.items()}


def check_pools(config: StudyConfig, runs: Sequence[PlannedRun], universe: Universe) -> None:
    """Whether every variant's pools hold what its streams need.

    Raises:
        BudgetError: some are too small; says what the first lacks and would need, and names the others.
    """
    faults: dict[str, BudgetError] = {}
    for variant in {run.arm: run.variant for run in runs}.values():
        try:
            variant.parts(universe)
        except BudgetError as error:
            faults[variant.name] = error
    if faults:
        first, *others = faults
        rounded = f"whole optimiser steps of {config.training.tokens_per_step:,} tokens"
        more = f"; too small too: {listed(others)} (`dq variants list` says what each lacks)" if others else ""
        raise BudgetError(f"{faults[first]} (the budget is {config.budget_tokens:,}: {rounded}){more}")


def fresh_runs(runs: Sequence[PlannedRun], arms: Sequence[str], *, seeds: int) -> list[PlannedRun]:
    """Runs of some arms with seeds that no study uses to decide."""
    first = {run.arm: run for run in reversed(runs)}
    numbers = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + seeds)
    return [_with_seed(first[arm], number) for number in numbers for arm in arms]


def _with_seed(run: PlannedRun, seed: int) -> PlannedRun:
    spec = run.spec.model_copy(update={"seed": seed, "stream_fingerprint": run.variant.stream_fingerprint(seed)})
    return replace(run, spec=spec, run_id=_name(run.variant, spec))


def _shares(config: StudyConfig, universe: Universe) -> Mapping[str, float]:
    """Shares that sum to 1 exactly, however they were rounded in the file."""
    raw = universe.raw_shares()
    field, named = ("without", config.without) if config.shares is None else ("shares", tuple(config.shares))
    for source in named:
        if source not in raw:
            raise ConfigError(nearest(source, raw, what="source"), field=field)
    if not named:
        return raw
    chosen = config.shares or {source: share for source, share in raw.items() if source not in config.without}
    if not (total := math.fsum(chosen.values())):
        raise ConfigError("no source is left; name fewer", field="without")
    return {source: share / total for source, share in chosen.items()}


def _planned(
    config: StudyConfig, variant: Variant, seed: int, *, sets: tuple[str, ...], measured: Mapping[str, Any]
) -> PlannedRun:
    """One run; ``measured`` are the fields of its specification that all runs of a study have in common."""
    spec = RunSpec(
        size=config.size,
        seed=seed,
        steps=config.steps,
        stream_fingerprint=variant.stream_fingerprint(seed),
        training=config.training.resolved(
            find_size(config.size), vocabulary_size=measured["vocabulary_size"], budget_tokens=config.rule_tokens
        ),
        **measured,
    )
    return PlannedRun(variant, spec, _name(variant, spec), sets)


def _name(variant: Variant, spec: RunSpec) -> str:
    """Such as ``repeated-epochs4-0.3M-seed0-1f0c2a9b7e``; settings that are no plain values are in the fingerprint."""
    settings = variant.spec.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    plain = (f"{name}{value}" for name, value in settings.items() if isinstance(value, int | float | str))
    how = ["annealed"] if variant.trunk else []
    label = re.sub(r"[^A-Za-z0-9._-]", "_", "-".join([variant.spec.kind, *plain, *how]))[:MAX_LABEL]
    again = "-again" if variant.name == REPEAT else ""
    return f"{label}-{spec.size}-seed{spec.seed}-{fingerprint(spec)[:10]}{again}"
