"""Sections that cards have in common, whatever made the folder."""

from __future__ import annotations

from collections.abc import Sequence

from dq.cards.facts import Cell, Section
from dq.cards.markdown import named


def rules_section(name: str, rows: Sequence[Sequence[Cell]], *, strict: bool = False) -> Section:
    """What a rule set dropped.

    Args:
        name: of the rule set.
        rows: of each rule its reason, signal, minimum, maximum, share that it keeps, and the documents that fail it.
        strict: whether texts were judged as the rules' sources do, defects included.
    """
    how = " Texts were judged as they are written, with the defects of the rules' sources." if strict else ""
    head = ("reason", "signal", "minimum", "maximum", "share kept", "documents dropped")
    text = f"The rule set {named(name)}. A document that fails several rules is counted at each.{how}"
    return Section("Rules", text, head, rows)


def deduplication_section(
    near: str, policy: str, *, head: Sequence[str] = (), rows: Sequence[Sequence[Cell]] = ()
) -> Section:
    """What was a duplicate, ``near`` an equal text, and which one of several stayed."""
    text = f"Duplicates: equal texts, and {near}. Of each group one stays, by the policy {named(policy)}."
    return Section("Deduplication", text, head, rows)
