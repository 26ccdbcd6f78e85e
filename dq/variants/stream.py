"""The windows of a variant for one seed, as the trainer reads them.

In the row, a piece lies across two neighbouring windows, and one step would have all of it; so the windows of each
block of 64 are seen in the order of mix64(seed, block, place in the block), the same for every variant and any number
of epochs. What holds of the row, that one is a prefix of another, then holds through whole blocks. Blocks are small for
its sake, and so that any window is reached by sorting its own block alone.

Where documents are drawn whole they are to be seen in a row, and windows are not mixed.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I32, I64
from dq.text import mix64
from dq.variants.order import StreamOrder
from dq.variants.row import Row

BLOCK_WINDOWS = 64
BLOCKS_AT_ONCE = 8  # are gathered together, so that what a call of numpy costs is paid seldom
MIX = 0x6D6978  # names this use of the seed


class Stream:
    """The tokens of a variant for one seed. Any window is reached in O(log n).

    Attributes:
        row: of its pieces, before windows are mixed.
        n_tokens: the budget T; positions 0..T of the row (T is the last target).
        context: tokens a window predicts.
    """

    def __init__(self, row: Row, *, budget_tokens: int, context: int, mix_seed: int | None) -> None:
        """``mix_seed`` decides how windows are mixed; None leaves them in their row."""
        self.row, self.n_tokens, self.context = row, budget_tokens, context
        self._mix_seed = mix_seed
        self._kept: tuple[int, I32] | None = None  # the first block of those that were read last, and their windows

    @property
    def order(self) -> StreamOrder:
        """Which piece stands where in the row."""
        return self.row.order

    def windows(self, first: int, count: int) -> I32:
        """Windows ``first`` to ``first + count`` as they are seen: int32 (count, context + 1).

        The last token of a window is the target of the one before it, and stands first in its neighbour in the row.
        """
        rows = []
        at_once = BLOCKS_AT_ONCE * BLOCK_WINDOWS
        while count > 0:
            begin = first - first % at_once
            rows.append(self._windows_from(begin // BLOCK_WINDOWS)[first - begin :][:count])
            first, count = begin + at_once, count - (begin + at_once - first)
        return np.concatenate(rows)

    def places(self, block: int, *, blocks: int = 1) -> I64:
        """The windows of blocks by their places in the row, in the order they are seen in: int64, up to 64 a block."""
        first = block * BLOCK_WINDOWS
        windows = np.arange(first, min(first + blocks * BLOCK_WINDOWS, self.n_tokens // self.context))
        if self._mix_seed is None:
            return windows
        block_of, place = np.divmod(windows, BLOCK_WINDOWS)
        return first + np.lexsort((mix64(self._mix_seed, block_of, place, MIX), block_of))

    def unique_tokens(self, tokens_seen: int) -> int:
        """Tokens seen for the first time among the first ``tokens_seen``."""
        block, seen_of_block = divmod(tokens_seen, BLOCK_WINDOWS * self.context)
        begin, places = tokens_seen - seen_of_block, self.places(block)
        end = begin + len(places) * self.context
        if self._mix_seed is None or seen_of_block == 0 or tokens_seen >= end:
            return self.order.unique_tokens(tokens_seen)
        # A later copy may be seen before the first, if both are in the block.
        positions = (places[:, None] * self.context + np.arange(self.context)).ravel()[:seen_of_block]
        seen = self.row.places(begin, end)[positions - begin]
        new = np.isin(self.row.unique_places(begin, end), seen)
        return self.order.unique_tokens(begin) + int(new.sum())

    def epoch(self, tokens_seen: int) -> float:
        """Tokens seen over unique tokens seen: 1 until something repeats."""
        return tokens_seen / max(1, self.unique_tokens(tokens_seen))

    def _windows_from(self, block: int) -> I32:
        """The windows of a block and those read with it, as they are seen: int32 (windows, context + 1)."""
        if self._kept is None or self._kept[0] != block:
            places = self.places(block, blocks=BLOCKS_AT_ONCE)
            begin = block * BLOCK_WINDOWS * self.context
            flat = self.row.tokens(begin, begin + len(places) * self.context + 1)
            windows = np.lib.stride_tricks.sliding_window_view(flat, self.context + 1)[:: self.context]
            self._kept = block, windows[places - block * BLOCK_WINDOWS]
        return self._kept[1]
