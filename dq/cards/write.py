"""Both files of a card, into a folder whose other files are whole."""

from __future__ import annotations

from pathlib import Path

from dq.cards.croissant import CROISSANT, croissant
from dq.cards.facts import Facts
from dq.cards.readme import README, readme
from dq.store import write_bytes_atomic, write_json_atomic


def write_cards(folder: Path, facts: Facts) -> None:
    """Write ``croissant.json`` and ``README.md``; the same facts and files give the same bytes."""
    write_json_atomic(folder / CROISSANT, croissant(facts, folder))
    write_bytes_atomic(folder / README, readme(facts).encode())
