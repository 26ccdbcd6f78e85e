"""`dq variants`: what is in a study's streams, whether that is true, and the streams as files for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dq.cli import show
from dq.cli.options import AsJson, BudgetTokens, Limit, Overwrite, WorkspaceFolder, about_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dq.store import Workspace
    from dq.study import ListedVariant, ShownVariant, StudyConfig
    from dq.variants import Manifest

STUDY = "A study such as ablations/quickstart.yaml; or a workspace, for raw, curated, repeated and noisy text of it."
EXCERPT_CHARS = 400
Study = Annotated[Path, typer.Argument(metavar="STUDY", help=STUDY)]
Variant = Annotated[str, typer.Argument(metavar="VARIANT", help="A name of `dq variants list`.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Whose stream: documents and order change with the seed.")]


def list_variants(
    recipe: Study, workspace: WorkspaceFolder = None, budget_tokens: BudgetTokens = None, as_json: AsJson = False
) -> None:
    """List the variants of a study: tokens, unique tokens, epochs and documents by source. Trains nothing.

    Example: dq variants list ablations/quickstart.yaml
    """
    from dq.study import list_variants

    config, place = _opened(recipe, workspace, budget_tokens)
    with about_yaml(type(config)):
        found = list_variants(config, place)
    if as_json:
        show.json({"variants": found})
        return
    rows = [row for one in found if one.fault is None for row in _rows(one)]
    head = ("variant, source", "share", "tokens", "unique", "epochs", "documents")
    show.table(head, rows, title="streams of the first seed, by source")
    show.warnings(list(_warned(found)))


def _rows(one: ListedVariant) -> Iterator[tuple[str, ...]]:
    for source in one.sources:
        yield (
            f"  {source.source}" if source.source else one.variant,
            f"{source.tokens / one.budget_tokens:.1%}" if source.source else "",
            f"{source.tokens:,}",
            f"{source.unique_tokens:,}",
            f"{source.epochs:.2f}",
            f"{source.documents:,}",
        )


def _warned(found: Sequence[ListedVariant]) -> Iterator[str]:
    """What manifests warn of, and what there is no stream of: at which budget, where there are several."""
    several = len({one.budget_tokens for one in found}) > 1
    for one in found:
        name = f"{one.variant} at {one.budget_tokens:,} tokens" if several else one.variant
        yield from (f"{name}: {warning}" for warning in one.warnings)
        if one.fault is not None:
            yield f"{name}: {one.fault.removeprefix(f'variant {one.variant}: ')}"


def show_variant(
    recipe: Study,
    name: Variant,
    workspace: WorkspaceFolder = None,
    budget_tokens: BudgetTokens = None,
    seed: Seed = 0,
    limit: Limit = 3,
    as_json: AsJson = False,
) -> None:
    """Show one variant: what it is made of, by source and part, its doses, and passages that a model would read.

    Example: dq variants show ablations/quickstart.yaml curated
    """
    from dq.study import show_variant

    config, place = _opened(recipe, workspace, budget_tokens)
    with about_yaml(type(config)):
        found = show_variant(config, place, name, seed=seed, limit=limit)
    if as_json:
        show.json(found)
        return
    _show(found)


def _show(found: ShownVariant) -> None:
    manifest = found.manifest
    show.line((f"{manifest.name}: ", "bold"), _recipe(manifest.spec), wrap=True)
    rows = [
        (
            source.source or "all",
            f"{source.tokens / manifest.budget_tokens:.1%}",
            f"{source.tokens:,}",
            f"{source.unique_tokens:,}",
            f"{source.epochs:.2f}",
            f"{source.documents:,}",
        )
        for source in found.sources
    ]
    show.table(("source", "share", "tokens", "unique", "epochs", "documents"), rows, more="sources")
    _show_parts(manifest)
    for noise in manifest.noise:
        show.line(f"{noise.kind}: dose {noise.dose:g} asked, {noise.measured:.4f} of {noise.unit} measured")
    show.line(f"digest: {manifest.digests[0]}")
    show.warnings(manifest.warnings)
    for one in found.passages:
        again = f", copy {one.copy + 1}" if one.copy else ""
        show.line((f"{one.id} ({one.part}, from token {one.begin:,}{again}, {one.tokens:,} tokens)", "bold"))
        show.block(one.text[:EXCERPT_CHARS], prefix="  | ")
        if len(one.text) > EXCERPT_CHARS:
            show.line(f"  … and {len(one.text) - EXCERPT_CHARS:,} characters")


def _recipe(spec: Mapping[str, Any]) -> str:
    """Kind and settings, then what it is made from: ``token_noise (dose 0.2) of curated``."""
    inner = {name: value for name, value in spec.items() if name not in ("kind", "base", "when_short")}
    settings = ", ".join(f"{name} {value}" for name, value in inner.items())
    made = f"{spec['kind']} ({settings})" if settings else str(spec["kind"])
    return f"{made} of {_recipe(spec['base'])}" if spec.get("base") else made


def _show_parts(manifest: Manifest) -> None:
    rows = [
        (one.part, f"{one.tokens:,}", f"{one.unique_tokens:,}", f"{one.epochs:.2f}", f"{one.pool_tokens:,}")
        for one in manifest.parts
    ]
    show.table(("part", "tokens", "unique", "epochs", "of a pool of"), rows, more="parts")


def verify_variants(
    recipe: Study,
    name: Annotated[str | None, typer.Argument(metavar="[VARIANT]", help="One of them. Default: all.")] = None,
    workspace: WorkspaceFolder = None,
    budget_tokens: BudgetTokens = None,
    as_json: AsJson = False,
) -> None:
    """Prove the manifests of a study that has been run: everything is made again of the documents and compared.

    Example: dq variants verify ablations/quickstart.yaml
    """
    from dq.study import verify_variants

    config, place = _opened(recipe, workspace, budget_tokens)
    with about_yaml(type(config)), show.progress() as progress:
        found = verify_variants(config, place, name, progress=progress)
    if as_json:
        show.json({"verified": found})
        return
    rows = [
        (one.variant, f"{one.budget_tokens:,}", str(len(one.seeds)), f"{one.documents:,}", one.digests[0][:12])
        for one in found
    ]
    head = ("variant", "tokens", "seeds", "documents", "digest of the first")
    show.table(head, rows, align="lrrrr", title="verified: text, tokens, shares, doses, digests, distance to held-out")


def export_variant(
    recipe: Study,
    name: Variant,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")],
    format: Annotated[  # noqa: A002
        Literal["jsonl", "parquet", "ds", "megatron", "nanochat"],
        typer.Option("--format", help="Text (jsonl, parquet, nanochat) or tokens (ds of datatrove, megatron)."),
    ],
    workspace: WorkspaceFolder = None,
    budget_tokens: BudgetTokens = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a variant's stream for another trainer, with its tokenizer and a manifest of where it came from.

    Example: dq variants export ablations/quickstart.yaml curated -o curated --format megatron
    """
    from dq.study import export

    config, place = _opened(recipe, workspace, budget_tokens)
    with about_yaml(type(config)), show.progress() as progress:
        found = export(
            config, place, name, output=output, format=format, seed=seed, overwrite=overwrite, progress=progress
        )
    if as_json:
        show.json(found)
        return
    show.line(
        f"{found.variant}, seed {found.seed}: {found.tokens:,} tokens in {found.pieces:,} pieces as {found.format}"
    )
    show.line(f"in {found.folder}: {', '.join(found.files)}")
    show.warnings(found.warnings)


def _opened(study: Path, workspace: Path | None, budget_tokens: int | None) -> tuple[StudyConfig, Workspace]:
    """The study and its workspace; of a workspace alone the usual kinds."""
    from dq.config import checked, load_yaml
    from dq.store import Workspace
    from dq.study import StudyConfig, usual_study

    if study.is_dir():
        if workspace is not None:
            raise typer.BadParameter(f"{study} is a workspace itself", param_hint="--workspace")
        if budget_tokens is None:
            raise typer.BadParameter(f"{study} is a workspace; say how many tokens", param_hint="--budget-tokens")
        place = Workspace(study).existing()
        return usual_study(place, budget_tokens=budget_tokens), place
    config = load_yaml(study, StudyConfig)
    if budget_tokens is not None:
        changes = {"budget_tokens": budget_tokens, "budgets_tokens": None}
        config = checked(StudyConfig, {**config.model_dump(), **changes})
    return config, Workspace(workspace or config.workspace)
