"""What stands around text on web pages: navigation, notices, appeals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from dq.arrays import I64, offsets_of
from dq.text import Cleaned, Cleaner, TextBatch, Texts, draws, edited, of_pieces
from dq.variants.noise.base import TextRewriting

LINES = (
    "Home | About | Contact | Privacy Policy | Terms of Use",
    "We use cookies to improve your experience. By continuing to browse you accept our use of cookies.",
    "Share this: Facebook Twitter LinkedIn Email Print",
    "Subscribe to our newsletter and never miss an update.",
    "All rights reserved. No part of this site may be reproduced without permission.",
    "You must be logged in to post a comment.",
    "Read more",
    "Skip to main content",
    "Related articles",
    "Click here to download the full version.",
    "Powered by WordPress",
    "Sign in or create an account to continue reading.",
)
WHERE, WHICH = 0x62777265, 0x6277686368  # names of the draws


@final
class Boilerplate(TextRewriting):
    """Documents with lines of boilerplate between their lines."""

    kind: Literal["boilerplate"] = "boilerplate"
    lines: tuple[Annotated[str, Field(min_length=1, max_length=10_000)], ...] | None = Field(default=None, min_length=1)
    """The lines. Default: twelve of the usual. The dose is the bytes that are inserted for each byte of the document,
    to half a line."""

    @property
    def cleaner(self) -> Cleaner:
        """Whole lines, behind others."""
        return _Inserted(self.lines or LINES, self.dose, self.seed)

    @property
    def unit(self) -> str:
        """Bytes of the document."""
        return "bytes"


@dataclass(frozen=True)
class _Inserted:
    lines: tuple[str, ...]
    dose: float
    seed: int
    name: ClassVar[str] = "boilerplate"
    version: ClassVar[int] = 1

    def config(self) -> Mapping[str, Any]:
        """All that decides the result."""
        return {"lines": list(self.lines), "dose": self.dose, "seed": self.seed}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch."""
        return edited(texts, self._edit)

    def _edit(self, batch: TextBatch) -> tuple[TextBatch, int, int]:
        inserted = [b"\n" + line.encode() for line in self.lines]
        sizes = np.array([len(line) for line in inserted], np.int64)
        n_bytes, data = np.diff(batch.offsets), batch.data
        wanted = np.rint(self.dose * n_bytes).astype(np.int64)
        # Candidates enough for the shortest lines; of each text, the first ones that come to the dose.
        candidates = -(-wanted // sizes.min()) + (wanted > 0)
        owners = np.repeat(np.arange(len(batch)), candidates)
        numbers = np.arange(len(owners)) - np.repeat(offsets_of(candidates)[:-1], candidates)
        which = (draws(batch, owners, numbers, seed=self.seed, use=WHICH) * len(sizes)).astype(np.int64)
        ends = np.cumsum(sizes[which])
        before_text = np.append(0, ends)[offsets_of(candidates)[:-1]]
        chosen = ends - before_text[owners] - sizes[which] / 2 <= wanted[owners]
        owners, numbers, which = owners[chosen], numbers[chosen], which[chosen]
        # Each goes behind a line: before one of the text's line ends, or at its end.
        newlines = np.flatnonzero(data == 10)
        firsts = np.searchsorted(newlines, batch.offsets)
        n_places = np.diff(firsts) + 1
        place = (draws(batch, owners, numbers, seed=self.seed, use=WHERE) * n_places[owners]).astype(np.int64)
        last = place == n_places[owners] - 1
        at = np.minimum(firsts[owners] + place, max(0, len(newlines) - 1))
        positions = np.where(last, batch.offsets[owners + 1], newlines[at] if len(newlines) else 0)
        order = np.lexsort((numbers, positions, owners))
        return _with_lines(batch, positions[order], owners[order], which=which[order], inserted=inserted)


def _with_lines(
    batch: TextBatch, positions: I64, owners: I64, *, which: I64, inserted: list[bytes]
) -> tuple[TextBatch, int, int]:
    """The texts cut at all positions, a line in each cut."""
    sizes, lines = np.array([len(line) for line in inserted], np.int64), b"".join(inserted)
    n, ends = len(batch), batch.offsets[1:]
    # Pieces of text end at each position and at each text's end; a line follows each position.
    cut_at = np.concatenate([positions, ends])
    of = np.concatenate([owners, np.arange(n)])
    order = np.lexsort((np.concatenate([np.arange(len(positions)), np.full(n, len(positions))]), cut_at, of))
    cut_at, of, is_line = cut_at[order], of[order], (order < len(positions))
    begins = np.append(0, cut_at[:-1]) if len(cut_at) else cut_at
    line = np.where(is_line, np.append(which, 0)[np.minimum(order, len(which))], 0)
    line_begins = len(batch.data) + (np.cumsum(sizes) - sizes)[line]
    both_begins = np.stack([begins, line_begins], axis=1).ravel()
    both_lengths = np.stack([cut_at - begins, np.where(is_line, sizes[line], 0)], axis=1).ravel()
    data = np.concatenate([batch.data, np.frombuffer(lines, np.uint8)])
    done = of_pieces(n, np.repeat(of, 2), (data, both_begins, both_lengths))
    return done, int(sizes[which].sum()), int(batch.offsets[-1])
