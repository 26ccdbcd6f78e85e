"""Visible characters counted once: what the policy `longest` goes by."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.arrays import offsets_of, read_only
from dq.dedup import deduplicate, plain
from dq.dedup.kernels.visible import RUN, count_visible
from dq.dedup.normalization import canonical_tables
from dq.text import character_classes, text_batch
from dq.text.kernels.flags import SPACE

PAGE = "A page about the river: its bridges, its mills and the ferry that crossed it until the war. "


def visible(texts: list[str]) -> list[int]:
    batch, counts = text_batch(texts), np.zeros(len(texts), np.int64)
    chosen = read_only(np.arange(len(texts)))
    tables = (canonical_tables(), character_classes())
    count_visible(read_only(batch.data), read_only(batch.offsets), chosen, *tables, counts)
    assert len(offsets_of(counts)) == len(texts) + 1
    return [int(count) for count in counts]


def plainly(text: str) -> int:
    classes = character_classes()
    seen = [char for char in plain.canonical(text) if classes[ord(char)] and not classes[ord(char)] & SPACE]
    met: set[str] = set()
    repeated: set[int] = set()
    for at in range(len(seen) - RUN + 1):
        run = "".join(seen[at : at + RUN])
        if run in met:
            repeated.update(range(at, at + RUN))
        met.add(run)
    return len(seen) - len(repeated)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("abc \n\u200bé中."), max_size=60), st.integers(1, 8), st.text(max_size=20))
def test_it_is_what_plain_python_counts(text: str, times: int, tail: str) -> None:
    whole = text * times + tail
    assert visible([whole]) == [plainly(whole)]


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=60), st.integers(2, 50))
def test_a_page_repeated_has_no_more_than_the_page(text: str, times: int) -> None:
    page = PAGE + text
    once, often, apart = visible([page, page * times, "\n\n".join([page] * times)])
    assert often <= once
    assert apart <= once


def test_repeats_padding_and_zero_width_marks_do_not_beat_the_clean_page() -> None:
    page = PAGE * 2 + "And then the railway came, and nobody wanted to wait for the ferryman any more, said the miller."
    worse = [
        page * 50,
        "\n".join([page] * 50),
        page.replace(" ", "  "),
        page + " " * 500,
        page.replace("e", "e\u200b"),
        page + "\x00" * 100,
    ]
    for other in worse:
        for texts in ([other, page], [page, other]):
            kept = deduplicate(texts)["kept_index"].to_list()
            assert [texts[row] for row in kept] == [page, page], ascii(other[:200])
    longer = page + " He left for the city."
    assert deduplicate([page, longer], threshold=0.7)["kept_index"].to_list() == [1, 1]
