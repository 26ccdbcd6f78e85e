"""Repeated passages against a plain version that looks at every window, and what is left of texts."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import Passages, RepeatedPassages, Resources, find_passages
from dq.dedup.kernels.passages import Sampling
from dq.dedup.passages import find, search, unproven_pieces
from dq.dedup.policy import Policy
from tests.processes import python

PASSAGE = "All rights reserved; no part of this page may be copied, kept or read aloud without our leave."  # 94 bytes
PARTS = st.sampled_from([PASSAGE[:17], PASSAGE[:33], PASSAGE[20:52], "é" * 9, "a" * 20, "abab" * 9, "\n", "x", "世界"])
TEXTS = st.lists(st.lists(PARTS, max_size=5).map("".join), max_size=7)
FIRST = Policy.parse("earliest:order")


Windows = dict[tuple[int, int], int]


def repeated(texts: Sequence[str], window: int) -> tuple[list[bytes], Windows]:
    """A 1 for each byte in a window that stands earlier, and where each of these does; texts as they rank."""
    first: dict[bytes, tuple[int, int]] = {}
    found, windows = [], {}
    for number, text in enumerate(map(str.encode, texts)):
        marks = bytearray(len(text))
        for at in range(len(text) - window + 1):
            place = first.setdefault(text[at : at + window], (number, at))
            if place[0] != number or place[1] + window <= at:
                marks[at : at + window] = b"\1" * window
                windows[number, at] = place[0]
        found.append(bytes(marks))
    return found, windows


def marks(passages: Passages) -> list[bytes]:
    found = [bytearray(int(size)) for size in passages.n_bytes]
    for document, begin, end, *_ in passages.pieces.iter_rows():
        found[document][begin:end] = b"\1" * (end - begin)
    return list(map(bytes, found))


def without(text: str, marked: bytes) -> str:
    """A text without its marked stretches, of whole characters."""
    data, left, at = text.encode(), b"", 0
    for run in re.finditer(b"\1+", marked):
        begin, end = run.span()
        while begin < end and data[begin] & 0xC0 == 0x80:
            begin += 1
        while end > begin and end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        left, at = left + data[at:begin], end
    return (left + data[at:]).decode()


def in_order(texts: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"order": range(len(texts))}, schema={"order": pl.Int64})


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(16, 40), st.randoms(use_true_random=False))
def test_every_window_that_stands_earlier_is_in_a_piece_and_no_other_byte_is(
    texts: list[str], window: int, draw: random.Random
) -> None:
    options = RepeatedPassages(min_bytes=window, keep=FIRST, min_rest_bytes=0)
    order = draw.sample(range(len(texts)), len(texts))
    passages = find_passages([texts], options, documents=pl.DataFrame({"order": order}, schema={"order": pl.Int64}))
    ranked = [text for _, text in sorted(zip(order, texts, strict=True))]
    wanted, windows = repeated(ranked, window)
    assert marks(passages) == [wanted[place] for place in order]
    assert len(unproven_pieces(passages, [texts])) == 0
    for piece in passages.pieces.iter_rows(named=True):
        place, kept = order[piece["document"]], order[piece["kept_document"]]
        for at in range(piece["begin"], piece["end"] - window + 1):
            assert windows.pop((place, at)) == kept  # each in one piece, of the document that it stands in first
    assert not windows
    rest = passages.rest(texts).to_pylist()
    assert [len(text.encode()) for text in rest] == passages.rest_bytes.tolist()
    assert rest == [without(text, marked) for text, marked in zip(texts, marks(passages), strict=True)]


@pytest.mark.parametrize("window", [93, 94, 95])
def test_a_passage_of_just_so_many_bytes_is_found_and_a_shorter_one_is_not(window: int) -> None:
    texts = [f"One:{PASSAGE}1", f"Two;{PASSAGE}2"]
    pieces = find_passages([texts], RepeatedPassages(min_bytes=window, keep=FIRST), documents=in_order(texts)).pieces
    assert pieces.rows() == ([(1, 4, 98, 0, 4, 4, 98)] if window <= 94 else [])


def test_what_repeats_within_a_document_stays_once() -> None:
    texts = [f"{PASSAGE} and {PASSAGE}; or:{PASSAGE}", "-" * 1000]
    passages = find_passages([texts], RepeatedPassages(min_bytes=50, min_rest_bytes=0))
    assert passages.rest(texts).to_pylist() == [f"{PASSAGE} and ; or:", "-" * 50]


@pytest.mark.parametrize(
    ("boundaries", "left"),
    [
        ("characters", "Another onions.\n"),
        ("words", "Another one tenions.\n"),
        ("lines", "Another one two\n  eight nine tenions.\n"),
    ],
)
def test_texts_are_cut_at_boundaries(boundaries: Literal["characters", "words", "lines"], left: str) -> None:
    middle = "e two\nthree four five six\n  eight nine ten"
    texts = [f"Th{middle}.", f"Another on{middle}ions.\n"]
    options = RepeatedPassages(min_bytes=16, keep=FIRST, min_rest_bytes=0, boundaries=boundaries)
    passages = find_passages([texts], options, documents=in_order(texts))
    assert passages.rest(texts).to_pylist() == [texts[0], left]


def test_no_character_is_cut_in_two() -> None:
    middle = "".join(map(chr, range(0x4E00, 0x4E20)))
    texts = ["".join([first, middle, last]) for first, last in ("ビナ", "𓃓ニ")]
    assert ("ナ".encode()[:2], "ビ".encode()[1:]) == ("ニ".encode()[:2], "𓃓".encode()[2:])
    options = RepeatedPassages(min_bytes=16, keep=FIRST, min_rest_bytes=0)
    passages = find_passages([texts], options, documents=in_order(texts))
    assert passages.pieces.rows() == [(1, 2, 102, 0, 1, 4, 100)]
    assert passages.rest(texts).to_pylist() == [texts[0], "𓃓ニ"]


def test_hashes_that_agree_by_chance_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{number} {PASSAGE[number:]}{PASSAGE[:-number]}" for number in range(1, 20)]
    options = RepeatedPassages(min_bytes=30)
    wanted = find_passages([texts], options)
    seeds: list[int] = []

    def weak(options: RepeatedPassages, seed: int) -> Sampling:
        seeds.append(seed)
        return Sampling(options.min_bytes, 15, seed, np.uint64(3 if seed == 0 else 2**64 - 1))

    monkeypatch.setattr(find, "_sampling", weak)
    assert find_passages([texts], options).pieces.equals(wanted.pieces)
    assert seeds == [0, 1]


def test_shards_threads_memory_and_order_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    texts = [PASSAGE[: draw.randrange(94)] + str(number) + PASSAGE[draw.randrange(94) :] * 3 for number in range(90)]
    documents = pl.DataFrame({"id": [str(number) for number in range(90)], "source": ["s"] * 90})
    options = RepeatedPassages(min_bytes=25)
    wanted = find_passages([texts], options, documents=documents)
    monkeypatch.setattr(search, "PART_BYTES", 700)
    tight = Resources(threads=2).model_copy(update={"memory_bytes": 120_000})
    cut = find_passages([texts[:7], [], texts[7:]], options, documents=documents, resources=tight)
    assert cut.pieces.equals(wanted.pieces)
    order = draw.sample(range(90), 90)
    moved = find_passages([[texts[row] for row in order]], options, documents=documents[order])
    back = pl.Series(order)
    named = [pl.col(name).map_elements(lambda row: back[row], pl.Int64) for name in ("document", "kept_document")]
    assert moved.pieces.with_columns(named).sort("document", "begin").equals(wanted.pieces)


@pytest.mark.parametrize(("extra", "left"), [(49, 0), (50, 50)])
def test_a_short_rest_goes_too(extra: int, left: int) -> None:
    texts = [PASSAGE, PASSAGE + "#" * extra]
    options = RepeatedPassages(min_bytes=60, keep=FIRST, min_rest_bytes=50)
    passages = find_passages([texts], options, documents=in_order(texts))
    assert passages.rest_bytes.tolist() == [94, left]
    assert passages.emptied.tolist() == [False, left == 0]


def test_documents_are_dropped_for_what_stays_alone() -> None:
    own = ["".join(random.Random(number).choices("abcdefgh ", k=300)) for number in range(3)]
    texts = [own[0], own[0] + own[1][:100], own[1][:100] + own[2][:30], "nothing of these"]
    options = RepeatedPassages(min_bytes=60, keep=FIRST, drop_above=0.7)
    passages = find_passages([texts], options, documents=in_order(texts))
    assert passages.cut_bytes.tolist() == [0, 300, 100, 0]
    assert passages.dropped.tolist() == [False, True, False, False]  # the third's passage would be gone with the second
    assert passages.rest(texts).to_pylist() == [texts[0], "", texts[2], texts[3]]


def test_a_changed_ledger_is_not_proven() -> None:
    texts = [f"One {PASSAGE}", f"Two {PASSAGE}"]
    passages = find_passages([texts], RepeatedPassages(min_bytes=30))
    assert len(passages.pieces) == 1 and len(unproven_pieces(passages, [texts])) == 0
    for name, step in (("begin", -1), ("end", 1), ("kept_begin", 1), ("cut_end", 9)):
        wrong = passages.pieces.with_columns(pl.col(name) + step)
        assert len(unproven_pieces(Passages(passages.options, passages.n_bytes, wrong), [texts])) == 1, name


MEASURE = """
import random
from pathlib import Path
from dq.dedup import RepeatedPassages, Resources, find_passages

def shard(number, documents=100):
    draw = random.Random(number)
    part = draw.randbytes(500).hex()
    return [draw.randbytes(4000).hex() + part for _ in range(documents)]

def peak():
    return next(1024 * int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))

def search(shards, memory):
    texts = [lambda number=number: shard(number) for number in range(shards)]
    found = find_passages(texts, RepeatedPassages(min_bytes=100), resources=Resources(memory_bytes=memory))
    assert len(found.pieces) >= 99 * shards
    print(peak())

search(2, 16_000_000)
search(40, 16_000_000)
search(40, 1_000_000_000)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what memory was at its most")
def test_a_search_keeps_near_the_memory_that_it_is_given() -> None:
    """36 MB of text in 16 MB: shards at work and what the allocator keeps come on top, the text does not."""
    with python(MEASURE) as process:
        out, faults = process.communicate(timeout=250)
    assert process.returncode == 0, faults
    small, bounded, free = map(int, out.split())
    assert bounded - small < 60_000_000
    assert free - small > 80_000_000
