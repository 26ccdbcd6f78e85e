"""Proof of a manifest: everything that it states is made again of the documents, and must be the same.

What each seed's stream holds, source by source, is measured anew and compared field by field, the digest of what stands
where among them. Every document of which a stream has a piece is looked at: its text has the key that it was read with,
its tokens are that text's by the tokenizer of the workspace, text that noise rewrote is what the noise makes of it, and
none of it is held out or near to what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import I64, Bools
from dq.errors import WorkspaceError
from dq.executors import QUIET, Step
from dq.results import Result
from dq.stages.base import View
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout
from dq.variants.documents import Universe
from dq.variants.ingredient import Layer
from dq.variants.manifest import read_manifest
from dq.variants.texts_checked import CheckedTexts
from dq.variants.variant import Variant

AGAIN = "it, the study or what it was made from has changed; `dq ablate` writes it anew"


@dataclass(frozen=True)
class Verified(Result):
    """A variant whose manifest holds.

    Attributes:
        budget_tokens: of each stream.
        seeds: whose streams were made again.
        documents: that a stream of these has a piece of.
        digests: of each seed's stream.
    """

    variant: str
    budget_tokens: int
    seeds: tuple[int, ...]
    documents: int
    digests: tuple[str, ...]


class Verifier:
    """Verifies variants of one workspace; a document that several have is looked at once."""

    def __init__(self, view: View, universe: Universe) -> None:
        """Check that what became of the documents is what the stages say.

        Raises:
            WorkspaceError: it is not.
        """
        self._universe, self._heldout = universe, view.open(Heldout)
        self._texts = CheckedTexts(view, universe)
        withheld, fates = self._heldout.withheld, view.open(Fates)
        if (fates.having("held_out", "excluded") != withheld).any():
            raise WorkspaceError(
                f"{fates.folder}: says of other documents than {self._heldout.folder} that they are withheld; delete "
                "both and run the job again"
            )

    def verify(self, variant: Variant, folder: Path, *, step: Step = QUIET) -> Verified:
        """Verify a variant against its folder of a study. The step counts documents.

        Raises:
            WorkspaceError: what differs first.
        """
        stated, seeds = read_manifest(folder / "manifest.json")
        made = variant.manifest(self._universe, seeds)
        if difference := first_difference(stated, made.to_dict()):
            place, there, now = difference
            raise WorkspaceError(
                f"{folder / 'manifest.json'}: `{place}` is {_short(there)} there, and {_short(now)} by the documents; "
                f"{AGAIN}"
            )
        self._check_members(variant)
        drawn = np.zeros(len(self._universe.lengths), np.bool_)
        for texts, documents in self._drawn(variant, seeds):
            self._texts.check(documents, texts, step=step)
            drawn |= documents
        return Verified(variant.name, variant.budget_tokens, seeds, int(drawn.sum()), made.digests)

    def _check_members(self, variant: Variant) -> None:
        """No part may draw from what is withheld."""
        for part in variant.parts(self._universe):
            if self._heldout.withheld[part.documents].any():
                raise WorkspaceError(f"{self._heldout.folder}: withholds documents of {part.name}; run the job again")

    def _drawn(self, variant: Variant, seeds: Sequence[int]) -> list[tuple[tuple[Layer, ...], Bools]]:
        """By the layers that rewrite text: the documents of which a stream has a piece."""
        parts = variant.parts(self._universe)
        found: dict[tuple[int, ...], tuple[tuple[Layer, ...], Bools]] = {}
        for seed in seeds:
            order = variant.order(self._universe, seed)
            for number, part in enumerate(parts):
                nothing = part.texts, np.zeros(len(self._universe.lengths), np.bool_)
                marks = found.setdefault(tuple(map(id, part.texts)), nothing)[1]
                documents: I64 = order.documents[order.parts == number]
                marks[documents] = True
        return list(found.values())


def first_difference(stated: Any, made: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """Where two values of JSON differ first, and what stands there in each; None where they are the same."""
    if isinstance(stated, dict) and isinstance(made, dict):
        for name in (*made, *(name for name in stated if name not in made)):
            inner = f"{place}.{name}" if place else name
            if found := first_difference(stated.get(name), made.get(name), inner):
                return found
        return None
    if isinstance(stated, list) and isinstance(made, list) and len(stated) == len(made):
        each = (first_difference(*both, f"{place}[{at}]") for at, both in enumerate(zip(stated, made, strict=True)))
        return next(filter(None, each), None)
    return None if stated == made else (place, stated, made)


def _short(value: Any) -> str:
    text = "nothing" if value is None else f"{value:,}" if isinstance(value, int) else repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
