"""Colours by name: a variant has the same in every study, whatever stands beside it.

Okabe and Ito's palette, told apart with every kind of colour vision, the pale ones darkened for a white page. The
baseline is drawn in ink.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

INK = "currentColor"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07D00", "#3E9BD1", "#7A4FB5", "#A03050")
KNOWN = {"curated": 0, "noisy": 1, "repeated": 2, "mixed": 3, "raw": 4}
FATES = {"kept": "#009E73", "dropped": "#D55E00", "removed": "#E69F00", "excluded": "#CC79A7", "held_out": "#999999"}


def colors_of(variants: Sequence[str], *, baseline: str) -> dict[str, str]:
    """A colour a variant, from its name alone unless two names of a study fall on one colour."""
    found, taken = {baseline: INK}, set[int]()
    for name in sorted(set(variants) - {baseline}, key=lambda one: (one not in KNOWN, one)):
        place = KNOWN.get(name, zlib.crc32(name.encode()) % len(PALETTE))
        if len(taken) < len(PALETTE):
            while place in taken:
                place = (place + 1) % len(PALETTE)
        taken.add(place)
        found[name] = PALETTE[place]
    return found
