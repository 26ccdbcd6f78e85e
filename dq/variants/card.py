"""What the card of an export says: what the stream has, and what became of the corpus that it was drawn from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from dq.cards import (
    Column,
    Facts,
    Section,
    Source,
    Split,
    deduplication_section,
    named,
    read_card_config,
    rules_section,
)
from dq.dedup import DedupConfig
from dq.quality.urls import RULES as URL_REASONS
from dq.stages.base import ORIGINAL, View
from dq.stages.contamination import Contamination
from dq.stages.duplicates import FoundDuplicates
from dq.stages.fates import FATES, count_fates
from dq.stages.heldout import BENCHMARKS, Heldout, HeldoutConfig
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.verdicts import Verdicts
from dq.variants.composition import compose
from dq.variants.exported import Exported
from dq.variants.variant import Variant

LOADERS = {"jsonl": "json", "parquet": "parquet", "nanochat": "parquet"}
"""What `datasets` reads a format of text with."""
COLUMNS = (
    Column("id", "sc:Text", "of the document that the piece is of"),
    Column("source", "sc:Text", "of the document"),
    Column("part", "sc:Text", "of the variant: the source, which of its documents, and what is done to them"),
    Column("copy", "sc:Integer", "0 where the piece is there for the first time"),
    Column("begin", "sc:Integer", "the first token of the piece in its document"),
    Column("tokens", "sc:Integer", "of the piece, with the one that begins each document"),
    Column("text", "sc:Text", "of the piece"),
)
TEXT_ALONE = (COLUMNS[-1],)
MEMBERS = {
    "all": "all documents that are neither held out nor excluded, whatever rules and deduplication said of them",
    "kept": "documents that the rules and deduplication kept",
    "dropped": "documents that a rule dropped",
}


def export_facts(
    view: View,
    variant: Variant,
    exported: Exported,
    *,
    format: str,  # noqa: A002  what it is called everywhere
    seed: int,
    files: Sequence[str],
) -> Facts:
    """All that is told of the files of an export."""
    composed = compose(exported.universe, exported.row.order, budget_tokens=variant.budget_tokens)[1:]
    sets = exported.validation_sets if format == "nanochat" else []
    return Facts(
        title=variant.name,
        summary=_summary(format, variant),
        rows=len(exported) + sum(len(exported.heldout.documents(one)) for one in sets),
        loader=LOADERS.get(format),  # type: ignore[arg-type]
        splits=_splits(format, files),
        columns=() if format not in LOADERS else TEXT_ALONE if format == "nanochat" else COLUMNS,
        files=files,
        sources=[
            Source(one.source, {"documents": one.documents, "tokens": one.tokens, "unique tokens": one.unique_tokens})
            for one in composed
        ],
        others=sets,
        sections=[*_sections(view, variant, exported, seed=seed), *_validation(exported.heldout, sets, view)],
        fingerprints={"stream": variant.stream_fingerprint(seed), **variant.inputs},
        config=read_card_config(view.workspace),
    )


def _summary(format: str, variant: Variant) -> str:  # noqa: A002
    unit = "whole documents" if variant.piece_tokens is None else f"pieces of at most {variant.piece_tokens:,} tokens"
    what = "Text" if format in LOADERS else "Tokens, one behind another, for a trainer that reads them from files,"
    return (
        f"{what} to train a language model on: {variant.budget_tokens:,} tokens in {unit}, in the order in which they "
        "are to be read, with the tokenizer that counted them."
    )


def _splits(format: str, files: Sequence[str]) -> list[Split]:  # noqa: A002
    if format not in LOADERS:
        return []
    ending = ".jsonl" if format == "jsonl" else ".parquet"
    data = [name for name in files if name.endswith(ending)]
    if format != "nanochat":
        return [Split("train", data, f"*{ending}")]
    return [Split("train", data[:-1]), Split("validation", data[-1:])]


def _sections(view: View, variant: Variant, exported: Exported, *, seed: int) -> Iterator[Section]:
    spec = json.dumps(variant.spec.model_dump(mode="json"), ensure_ascii=False)
    drawn = dict.fromkeys(one.of for one in variant.spec.composition())
    yield Section(
        "What the stream is",
        f"The variant {named(variant.name)} by seed {seed}, made of {'; and of '.join(MEMBERS[one] for one in drawn)}. "
        f"Its recipe: {named(spec)}. `manifest.json` has the same for programs.",
        ("part", "share of the stream", "tokens of its pool"),
        [(part.name, round(part.share, 4), part.unique_available) for part in exported.parts],
    )
    fates = count_fates(view)
    wide = fates.pivot(on="fate", index="source", values="documents").fill_null(0)
    yield Section(
        "What became of the corpus",
        "Documents: held out for evaluation, excluded as near to a held-out one, dropped by a rule, removed as a "
        "duplicate of a kept one, or kept.",
        ("source", *(one.replace("_", " ") for one in FATES)),
        [(row["source"], *(row.get(one, 0) for one in FATES)) for row in wide.sort("source").to_dicts()],
    )
    yield _rules(view)
    yield _deduplication(view)
    yield _held_out(view)
    if cleaned := [*_cleaned(view)]:
        roles = ", ".join(f"{role}: {named(version)}" for role, version in view.texts.model_dump().items())
        rows = [(version, cleaner, of, options) for version, cleaner, of, options in cleaned]
        yield Section("Text versions", f"{roles}.", ("version", "cleaner", "of", "options"), rows)


def _rules(view: View) -> Section:
    verdicts = view.open(Verdicts)
    dropped = dict(verdicts.table(["reasons"])["reasons"].explode().drop_nulls().value_counts().iter_rows())
    rules = verdicts.rules
    rows: list[tuple[Any, ...]] = [
        (
            rule.reason,
            rule.signal,
            getattr(rule, "minimum", None),
            getattr(rule, "maximum", None),
            getattr(rule, "keep_fraction", None),
            dropped.get(rule.reason, 0),
        )
        for rule in rules.rules
    ]
    if rules.urls is not None:
        rows += [(reason, rules.urls.field, None, None, None, dropped.get(reason, 0)) for reason in URL_REASONS]
    return rules_section(rules.name, rows)


def _deduplication(view: View) -> Section:
    found, selected = view.record(FoundDuplicates), view.record(Selected)
    near = f"texts of a verified Jaccard {DedupConfig.model_validate(found.config).near}"
    return deduplication_section(near, str(selected.config["keep"]))


def _held_out(view: View) -> Section:
    record = view.record(Heldout)
    config = HeldoutConfig.model_validate(record.config, strict=False)
    names = ", ".join(named(one.name) for one in config.neutral)
    elsewhere = f", and the sets {names} from elsewhere" if names else ""
    text = (
        f"{config.fraction:.2%} of each source, at most {config.max_documents:,} documents{elsewhere}. Excluded is "
        f"what has a word 5-gram similarity of {config.min_jaccard:g} or more to a held-out document, or "
        f"{config.min_containment:g} or more of its 13-grams."
    )
    if BENCHMARKS not in record.inputs:
        return Section("Held out", text)
    found = view.open(Contamination)
    ngram = int(found.record.config["ngram"])
    return Section(
        "Held out",
        f"{text} So is what holds an item of these benchmarks, by word {ngram}-grams.",
        ("benchmark", "items", "documents with one"),
        found.by_benchmark.select("benchmark", "items", "documents").rows(),
    )


def _cleaned(view: View) -> Iterator[tuple[str, str, str, str]]:
    """Every text version that is used, and those that it was made of."""
    wanted, seen = list(view.texts.model_dump().values()), {ORIGINAL}
    while wanted:
        if (version := wanted.pop(0)) in seen:
            continue
        seen.add(version)
        about = view.record(Documents, version).config
        wanted.append(about["of"])
        yield version, about["cleaner"], about["of"], json.dumps(about["options"], ensure_ascii=False)


def _validation(heldout: Heldout, sets: Sequence[str], view: View) -> Iterator[Section]:
    if sets:
        licence = read_card_config(view.workspace).licence
        rows = [(one, len(heldout.documents(one)), licence(one)) for one in sets]
        text = "Held-out text, which no part of the train split is near to."
        yield Section("The validation split", text, ("set", "documents", "licence"), rows)
