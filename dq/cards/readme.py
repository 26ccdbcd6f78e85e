"""The dataset card, ``README.md``: front matter in YAML as the Hugging Face hub and `datasets` read it, then text.

Every value of the front matter is written as JSON, which is YAML of any version: no name becomes a key, a number or a
truth value. The keys are those of https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from dq import __version__
from dq.cards.config import UNKNOWN
from dq.cards.facts import Cell, Facts, Split
from dq.cards.licences import hub_licence, licence_id
from dq.cards.markdown import named, printable, table

README = "README.md"
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


def size_category(rows: int) -> str:
    """Such as ``1K<n<10K``."""
    at = next((at for at in range(len(SIZES)) if rows < 10 ** (3 + at)), len(SIZES))
    return f"n<{SIZES[0]}" if at == 0 else f"n>{SIZES[-1]}" if at == len(SIZES) else f"{SIZES[at - 1]}<n<{SIZES[at]}"


def readme(facts: Facts, *, contents: str) -> str:
    """The card.

    Args:
        facts: what it says.
        contents: a digest of all files. `datasets` knows what it has in its cache by the folder's name and the front
            matter alone: without this it would take other files of the same names for the same.
    """
    front = "\n".join(["---", *_front_matter(facts, contents), "---"])
    return "\n\n".join([front, *_text(facts)]) + "\n"


def _front_matter(facts: Facts, contents: str) -> Iterator[str]:
    yield f"pretty_name: {_json(facts.title)}"
    yield from _list("license", [*dict.fromkeys(map(hub_licence, facts.licences or [UNKNOWN]))])
    if others := [name for name in facts.licences if hub_licence(name) == "other"]:
        yield f"license_name: {_json('-and-'.join(map(licence_id, others)))}"
    if facts.config.languages:
        yield from _list("language", facts.config.languages)
    yield from _list("size_categories", [size_category(facts.rows)])
    yield from _list("task_categories", ["text-generation"])
    if facts.loader is None:
        yield "viewer: false"
        return
    yield "configs:"
    yield '- config_name: "default"'
    yield f"  description: {_json(f'SHA-256 of the list of files: {contents}')}"
    yield "  data_files:"
    for split in facts.splits:
        yield f"  - split: {_json(split.name)}"
        yield f"    path: {_paths(split)}"


def _paths(split: Split) -> str:
    return _json(split.pattern) if split.pattern else "[" + ", ".join(map(_json, split.files)) + "]"


def _list(key: str, values: Sequence[str]) -> Iterator[str]:
    yield f"{key}:"
    yield from (f"- {_json(value)}" for value in values)


def _json(value: Any) -> str:
    return json.dumps(printable(value), ensure_ascii=False)


def _text(facts: Facts) -> Iterator[str]:
    """Blocks, between which an empty line belongs."""
    yield f"# {named(facts.title)}"
    yield facts.summary
    if facts.loader is not None:
        yield '`datasets.load_dataset("FOLDER")` reads it.'
    yield "## Sources"
    counted = [*facts.sources[0].counts] if facts.sources else []
    rows: list[tuple[Cell, ...]] = [
        (one.name, *one.counts.values(), facts.config.licence(one.name)) for one in facts.sources
    ]
    yield table(("source", *counted, "licence"), rows)
    if UNKNOWN in facts.licences:
        yield "An unknown licence is one that nobody has stated here; find it before you use or pass on such text."
    for section in facts.sections:
        yield f"## {section.title}"
        yield section.text
        if section.head:
            yield table(section.head, section.rows)
    if facts.columns:
        yield "## Columns"
        yield "\n".join(f"- `{column.name}`: {column.what}" for column in facts.columns)
    yield "## Made by"
    yield f"dq {__version__}. SHA-256 of every file: `croissant.json`. Fingerprints of what it was made from:"
    yield "\n".join(f"- {named(what)}: {named(one)}" for what, one in facts.fingerprints.items())
