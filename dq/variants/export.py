"""A variant's stream as files for others: its text, or its tokens as another trainer reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dq.cards import CROISSANT, README, read_card_config, write_cards
from dq.errors import ConfigError, nearest
from dq.executors import QUIET, Progress, Step
from dq.results import Result
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.tokenizer import FILE, Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Stage, read_json, write_json_atomic
from dq.store.claimed import claimed
from dq.store.contents import RECORD, STARTED
from dq.variants.card import export_facts
from dq.variants.digest import order_digest
from dq.variants.documents import Universe
from dq.variants.exported import Exported
from dq.variants.formats.datatrove import write_ds
from dq.variants.formats.jsonl import write_jsonl
from dq.variants.formats.megatron import write_megatron
from dq.variants.formats.nanochat import write_nanochat
from dq.variants.formats.parquet import write_parquet
from dq.variants.variant import Variant

VERSION = 2
MANIFEST = "manifest.json"
Format: TypeAlias = Callable[[Exported, Path, Step], None]
FORMATS: Mapping[str, Format] = {
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "ds": write_ds,
    "megatron": write_megatron,
    "nanochat": write_nanochat,
}
OTHERS = (RECORD, STARTED, MANIFEST, README, CROISSANT)
TEXTS = ("jsonl", "parquet", "nanochat")


@dataclass(frozen=True)
class Export(Result):
    """What an export holds, and where it came from.

    Attributes:
        folder: where it is.
        tokens: exactly the budget; formats of text have the last piece whole.
        pieces: in the order of the stream.
        digest: of what stands where, as in the manifest of the study.
        stream: the fingerprint of the recipe and all that it was made from.
        inputs: the fingerprints of what it was made from.
        files: their names.
    """

    folder: Path
    format: str
    variant: str
    spec: dict[str, Any]
    seed: int
    tokens: int
    pieces: int
    digest: str
    stream: str
    inputs: dict[str, str]
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def export_variant(
    view: View,
    variant: Variant,
    output: Path,
    *,
    universe: Universe,
    format: str,  # noqa: A002  what it is called everywhere
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = QUIET,
) -> Export:
    """Write one seed's stream into a folder, or find that it has been written; an interrupted one goes on.

    Beside the files stand the tokenizer, ``manifest.json``, and the dataset's card, ``README.md`` and
    ``croissant.json``.

    Args:
        format: a name among `FORMATS`.
        overwrite: replace another export.

    Raises:
        BudgetError: a pool is too small.
        ConfigError: there is no such format, or the variant is a cooldown alone.
        WorkspaceError: the folder holds something else.
    """
    if format not in FORMATS:
        raise ConfigError(nearest(format, FORMATS, what="format"), field="format")
    if variant.trunk is not None:
        raise ConfigError(
            f"variant {variant.name}: a cooldown, which follows another stream; export variants of a study without "
            "`annealing`"
        )
    records = {"tokenizer": view.record(Tokenizer).fingerprint, "heldout": view.record(Heldout).fingerprint}
    inputs = {"stream": variant.stream_fingerprint(seed), **records}
    config = {"format": format, "variant": variant.name, "card": read_card_config(view.workspace)}
    stage = Stage("export", VERSION, output, config=config, inputs=inputs)
    with claimed([stage], overwrite=overwrite):
        if stage.done() is None:
            exported = open_exported(view, universe, variant, seed=seed)
            with progress.step(f"export: {variant.name}", unit="tokens", total=variant.budget_tokens) as step:
                FORMATS[format](exported, output, step)
            shutil.copyfile(exported.tokenizer.file, output / FILE)
            about = _about(exported, variant, output, format=format, seed=seed)
            write_json_atomic(output / MANIFEST, about.to_dict())
            files = [*about.files, MANIFEST]
            write_cards(output, export_facts(view, variant, exported, format=format, seed=seed, files=files))
            stage.commit()
    found = read_json(output / MANIFEST)
    lists = {"files": tuple(found["files"]), "warnings": tuple(found["warnings"])}
    return Export(**{**found, **lists, "folder": output})


def open_exported(view: View, universe: Universe, variant: Variant, *, seed: int) -> Exported:
    """One seed's stream, ready to be written."""
    tokenizer = view.open(Tokenizer)
    vocabulary_size = tokenizer.vocabulary_size
    stream = variant.stream(universe, view.open(TokenPool), seed=seed, vocabulary_size=vocabulary_size)
    return Exported(
        universe=universe,
        row=stream.row,
        parts=variant.parts(universe),
        budget_tokens=variant.budget_tokens,
        ids=view.open(Documents, "trained").documents["id"],
        tokenizer=tokenizer,
        heldout=view.open(Heldout),
    )


def _about(exported: Exported, variant: Variant, output: Path, *, format: str, seed: int) -> Export:  # noqa: A002
    order, (inexact, of) = exported.row.order, exported.tokenizer.inexact
    names = sorted(path.name for path in output.iterdir() if path.name not in OTHERS)
    warned = inexact and format in TEXTS
    said = (
        f"the tokenizer does not return text as it was: {inexact:,} of {of:,} sampled texts differ from their tokens'"
    )
    return Export(
        folder=Path(),
        format=format,
        variant=variant.name,
        spec=variant.spec.model_dump(mode="json"),
        seed=seed,
        tokens=variant.budget_tokens,
        pieces=len(exported),
        digest=order_digest(exported.universe, order, budget_tokens=variant.budget_tokens),
        stream=variant.stream_fingerprint(seed),
        inputs=dict(variant.inputs),
        files=tuple(name for name in names if not name.startswith(".")),
        warnings=(said,) if warned else (),
    )
