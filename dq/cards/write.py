"""Both files of a card, into a folder whose other files are whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dq.cards.croissant import CROISSANT, croissant
from dq.cards.facts import Facts
from dq.cards.readme import README, readme
from dq.config import fingerprint
from dq.store import write_bytes_atomic, write_json_atomic


def write_cards(folder: Path, facts: Facts, *, metadata: Mapping[str, Any] | None = None) -> None:
    """Write ``README.md`` and ``croissant.json``; the same facts and files give the same bytes.

    Args:
        folder: of the files.
        facts: what is told of them.
        metadata: what `croissant` makes of both, where that is known.
    """
    metadata = metadata or croissant(facts, folder)
    files = [(one["name"], one["sha256"]) for one in metadata["distribution"] if "sha256" in one]
    write_bytes_atomic(folder / README, readme(facts, contents=fingerprint(files)).encode())
    write_json_atomic(folder / CROISSANT, metadata)
