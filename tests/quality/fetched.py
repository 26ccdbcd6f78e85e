"""What tests use of models that are fetched, where they are there or can be fetched."""

from __future__ import annotations

import functools

from dq.errors import InputError
from dq.quality import RuleSet, presets
from dq.quality.scorers.fasttext import LID_176
from dq.store import path_of


@functools.cache
def usable_presets() -> dict[str, RuleSet]:
    """All presets by name; without those that read the language where its model cannot be fetched."""
    known = presets.presets()
    try:
        path_of(LID_176)
    except InputError:
        return {name: rules for name, rules in known.items() if "language" not in rules.labels}
    return known
