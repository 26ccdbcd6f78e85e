"""The variants of a study, or the usual ones of a workspace, as `dq variants` looks at them: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.errors import ConfigError, DqError, WorkspaceError, nearest
from dq.executors import QUIET, Progress
from dq.results import Result
from dq.stages.base import View
from dq.store import Workspace
from dq.study.cells import cells_of
from dq.study.config import StudyConfig
from dq.study.grid import REPEAT, plan_grid
from dq.variants import (
    Curated,
    Export,
    Manifest,
    Noisy,
    Raw,
    Repeated,
    Variant,
    Verified,
    Verifier,
    export_variant,
    open_universe,
    rewrite_texts,
)
from dq.variants.composition import SourceMeasure, compose
from dq.variants.derived import is_rewritten
from dq.variants.sampled import Passage, passages

USUAL = {"raw": Raw(), "curated": Curated(), "repeated": Repeated(epochs=4), "noisy": Noisy(dose=0.1)}
"""What is shown of a workspace without a study."""


@dataclass(frozen=True)
class ListedVariant(Result):
    """A variant at a budget, as its first seed has it.

    Attributes:
        sources: the whole stream, then each source.
        warnings: of its manifest.
        fault: why there is no such stream; nothing is measured then.
    """

    variant: str
    kind: str
    budget_tokens: int
    sources: tuple[SourceMeasure, ...]
    warnings: tuple[str, ...]
    fault: str | None = None


@dataclass(frozen=True)
class ShownVariant(Result):
    """All that a manifest says of one seed, the sources, and some passages."""

    manifest: Manifest
    sources: tuple[SourceMeasure, ...]
    passages: tuple[Passage, ...]


def usual_study(workspace: Workspace, *, budget_tokens: int) -> StudyConfig:
    """A study of the usual kinds, for a workspace that has none."""
    return StudyConfig(
        workspace=str(workspace.root),
        budget_tokens=budget_tokens,
        variants=USUAL,
        margin_bits_per_byte=0.01,
        controls=None,
    )


def list_variants(config: StudyConfig, workspace: Workspace) -> tuple[ListedVariant, ...]:
    """Every variant at every budget of a study, controls too; one that its pool cannot fill says so.

    Raises:
        WorkspaceError: the workspace is not finished.
    """
    world = _World(workspace)
    return tuple(_listed(world, one) for cell in _budgets(config) for one in world.planned(cell).values())


def show_variant(
    config: StudyConfig, workspace: Workspace, name: str, *, seed: int = 0, limit: int = 3
) -> ShownVariant:
    """One variant of a study at its (first) budget, for one seed, with ``limit`` passages from its beginning.

    Raises:
        BudgetError: its pool is too small.
        ConfigError: the study has no such variant.
        WorkspaceError: the workspace is not finished.
    """
    world = _World(workspace)
    variant = world.variant(config, name)
    order = variant.order(world.universe, seed)
    return ShownVariant(
        manifest=variant.manifest(world.universe, [seed]),
        sources=compose(world.universe, order, budget_tokens=variant.budget_tokens),
        passages=passages(world.view, world.universe, variant, seed=seed, limit=limit),
    )


def verify_variants(
    config: StudyConfig, workspace: Workspace, name: str | None = None, *, progress: Progress = QUIET
) -> tuple[Verified, ...]:
    """Prove the manifests of a study, of all its variants and cells or of one variant.

    Raises:
        ConfigError: the study has no such variant.
        WorkspaceError: what differs first; or there is no manifest.
    """
    world, found = _World(workspace), []
    verifier = Verifier(world.view, world.universe)
    for cell in cells_of(config):
        variants, folder = world.planned(cell.config), cell.folder(workspace) / "variants"
        if not folder.exists():
            raise WorkspaceError(f"{folder}: no manifests of this study yet; `dq ablate` writes them")
        for one in variants.values() if name is None else [_named(variants, name)]:
            with progress.step(f"verify: {one.name}", unit="documents") as step:
                found.append(verifier.verify(one, folder / one.name, step=step))
    return tuple(found)


def export(
    config: StudyConfig,
    workspace: Workspace,
    name: str,
    *,
    output: Path,
    format: str,  # noqa: A002  what it is called everywhere
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = QUIET,
) -> Export:
    """Write one seed's stream of a variant at the (first) budget of a study into a folder.

    Text that noise is to rewrite is rewritten in the workspace first. Errors as of `dq.variants.export_variant`.
    """
    kinds = [config.variants[name]] if name in config.variants else []
    with workspace.existing().lock():
        rewrite_texts(View.of(workspace), kinds, progress=progress)
    world = _World(workspace)
    variant = world.variant(config, name)
    return export_variant(
        world.view,
        variant,
        output,
        universe=world.universe,
        format=format,
        seed=seed,
        overwrite=overwrite,
        progress=progress,
    )


class _World:
    """A workspace, opened once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace.existing()
        self.view, self.universe = View.of(workspace), open_universe(workspace)

    def planned(self, config: StudyConfig) -> dict[str, Variant]:
        """The variants of a cell by name, controls too."""
        one_seed = config.model_copy(update={"seeds": 1, "looks": None})
        runs = plan_grid(one_seed, self.workspace, self.universe)
        return {run.arm: run.variant for run in runs if run.arm != REPEAT}

    def variant(self, config: StudyConfig, name: str) -> Variant:
        """A variant by its name, once its text is there."""
        found = _named(self.planned(_budgets(config)[0]), name)
        self.require_texts(found)
        return found

    def require_texts(self, variant: Variant) -> None:
        """Raises WorkspaceError where text that noise is to rewrite has not been."""
        for one in variant.spec.composition():
            if one.texts and not is_rewritten(self.view, one.texts):
                raise WorkspaceError(
                    f"variant {variant.name}: its text has not been made yet; `dq variants export` or `dq ablate` does"
                )


def _budgets(config: StudyConfig) -> list[StudyConfig]:
    """A cell of each budget: streams know no size, rate or decay."""
    cells = {cell.config.budget_tokens: cell.config for cell in reversed(cells_of(config))}
    return [cells[tokens] for tokens in config.budgets_tokens or (config.budget_tokens,)]


def _named(variants: dict[str, Variant], name: str) -> Variant:
    if name not in variants:
        raise ConfigError(nearest(name, variants, what="variant"))
    return variants[name]


def _listed(world: _World, variant: Variant) -> ListedVariant:
    about: dict[str, Any] = {
        "variant": variant.name,
        "kind": variant.spec.kind,
        "budget_tokens": variant.budget_tokens,
    }
    try:
        world.require_texts(variant)
        manifest = variant.manifest(world.universe, [0])
        order = variant.order(world.universe, 0)
    except DqError as error:
        return ListedVariant(**about, sources=(), warnings=(), fault=str(error))
    sources = compose(world.universe, order, budget_tokens=variant.budget_tokens)
    return ListedVariant(**about, sources=sources, warnings=manifest.warnings)
