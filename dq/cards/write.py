"""Both files of a card, into a folder whose other files are whole."""

from __future__ import annotations

from pathlib import Path

from dq.cards.croissant import CROISSANT, croissant
from dq.cards.facts import Facts
from dq.cards.readme import README, readme
from dq.config import fingerprint
from dq.store import write_bytes_atomic, write_json_atomic


def write_cards(folder: Path, facts: Facts) -> None:
    """Write ``croissant.json`` and ``README.md``; the same facts and files give the same bytes."""
    metadata = croissant(facts, folder)
    files = [(one["name"], one["sha256"]) for one in metadata["distribution"] if "sha256" in one]
    write_json_atomic(folder / CROISSANT, metadata)
    write_bytes_atomic(folder / README, readme(facts, contents=fingerprint(files)).encode())
