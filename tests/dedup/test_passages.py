"""Repeated lines and paragraphs against a plain Python version."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dq.config import fingerprint
from dq.dedup import RepeatedUnits, Resources
from tests.quality.oracle import INVISIBLE, tidy

NOTICE = "Cookie notice: accept all"
LINES = st.sampled_from(
    [NOTICE, "menu", "", "  ", "A unique thought", "é" * 5, "e\u0301" * 5, f" {NOTICE} \r", "\u200b"]
)
SHOW_NOTHING = "".join(sorted(INVISIBLE))
ENDS = ["\n", "\r\n", "\r", "\x85", "\u2028", " \n", "\u00a0\r\n", "\u200b\n"]
TEXTS = st.lists(st.tuples(LINES, st.sampled_from(ENDS)), max_size=6).map(lambda rows: "".join(map("".join, rows)))


def lines_of(text: str) -> list[str]:
    """Lines with their ends; what shows nothing does not part a return from its newline."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if lines and lines[-1].rstrip(SHOW_NOTHING).endswith("\r") and line.strip(SHOW_NOTHING) == "\n":
            lines[-1] += line
        else:
            lines.append(line)
    return lines


def plain(texts: list[str], config: RepeatedUnits) -> tuple[list[str], list[int], dict[str, int]]:
    """Texts without repeated lines, removed units a document, and documents a repeated line is in."""
    pieces = [lines_of(text) for text in texts]
    found: Counter[str] = Counter()
    for units in pieces:
        found.update({tidy(unit) for unit in units if len(tidy(unit).encode()) >= config.min_bytes})
    repeated = {unit: count for unit, count in found.items() if count > config.max_documents}
    kept = ["".join(unit for unit in units if tidy(unit) not in repeated) for units in pieces]
    return kept, [sum(tidy(unit) in repeated for unit in units) for units in pieces], repeated


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.integers(1, 3), st.integers(1, 12))
def test_repeated_lines_are_cut_from_every_document_and_nothing_else_is(
    texts: list[str], max_documents: int, min_bytes: int
) -> None:
    config = RepeatedUnits(max_documents=max_documents, min_bytes=min_bytes)
    boilerplate = config.survey([texts[:3], texts[3:]])
    cut = boilerplate.cut(texts)
    kept, removed, repeated = plain(texts, config)
    assert cut.texts.to_pylist() == kept
    assert cut.removed_units.tolist() == removed
    assert cut.removed_bytes.tolist() == [len(a.encode()) - len(b.encode()) for a, b in zip(texts, kept, strict=True)]
    assert dict(cut.ledger.select("example", "documents").iter_rows()) == repeated
    assert cut.ledger["times"].sum() == sum(removed)
    cleaned = boilerplate.clean(texts)
    assert cleaned.texts.equals(cut.texts)
    assert cleaned.changed == sum(before != after for before, after in zip(texts, kept, strict=True))
    assert cleaned.counts == {"removed_units": sum(removed), "removed_bytes": cut.removed_bytes.sum()}
    assert pickle.loads(pickle.dumps(boilerplate)).clean(texts).texts.equals(cut.texts)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("a\r\u200b\nb\n\u00ad\nc")
def test_all_paragraphs_of_a_text_that_stands_four_times_are_cut(text: str) -> None:
    cut = RepeatedUnits(unit="paragraph", max_documents=3, min_bytes=1).survey([[text] * 4]).cut([text])
    assert tidy(str(cut.texts[0])) == ""
    paragraphs = re.split("\n[ \n]*\n", tidy(text)) if tidy(text) else []
    assert cut.removed_units.tolist() == [len(paragraphs)]


def test_paragraphs_are_cut_with_the_blank_lines_behind_them() -> None:
    notice = "All rights reserved.\nNo part may be copied."
    texts = [f"Story {i} begins.\n\n{notice}\n \n\nIt ends here, {i}." for i in range(3)]
    config = RepeatedUnits(unit="paragraph", max_documents=2, min_bytes=5)
    cut = config.survey([texts]).cut(pa.array(texts))
    assert cut.texts.to_pylist() == [f"Story {i} begins.\n\nIt ends here, {i}." for i in range(3)]
    assert cut.removed_units.tolist() == [1, 1, 1]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_how_lines_end_changes_no_cut_and_what_stays_is_as_it_was_written(end: str, unit: Literal["line"]) -> None:
    notice = "All rights\u00a0reserved."
    texts = [f"{end}{end}Story\t{i} begins.{end}{end}{notice}{end}{end}{end}It ends here, {i}.{end}" for i in range(3)]
    texts += [f"{notice.replace(chr(0xA0), ' ')}\n\nAnother page."]
    config = RepeatedUnits(unit=unit, max_documents=3, min_bytes=5)
    cut = config.survey([texts]).cut(texts)
    rest = end * 3 if unit == "line" else ""
    wanted = [f"{end}{end}Story\t{i} begins.{end}{end}{rest[len(end) :]}It ends here, {i}.{end}" for i in range(3)]
    assert cut.removed_units.tolist() == [1, 1, 1, 1]
    assert cut.texts.to_pylist() == [*wanted, "\nAnother page." if unit == "line" else "Another page."]
    assert cut.ledger["example"].to_list() == ["All rights reserved."]


@pytest.mark.parametrize(("documents", "cut"), [(2, False), (3, True)])
def test_a_line_is_cut_beyond_the_bound_and_kept_at_it(documents: int, cut: bool) -> None:
    texts = ["The same long line everywhere.\n" * 4 + str(i) for i in range(documents)]
    boilerplate = RepeatedUnits(max_documents=2, min_bytes=5).survey([texts])
    assert boilerplate.clean(texts).texts.to_pylist() == ([str(i) for i in range(documents)] if cut else texts)


def test_shards_workers_and_memory_change_nothing() -> None:
    texts = [f"header number {i % 7}\nbody {i}\n\nfooter of the site" for i in range(200)]
    config = RepeatedUnits(max_documents=5, min_bytes=3)
    tight = Resources(threads=2).model_copy(update={"memory_bytes": 600})
    one = config.survey([texts])
    many = config.survey([texts[i : i + 30] for i in range(0, 200, 30)], resources=tight)
    assert one.hashes.tolist() == many.hashes.tolist()
    assert one.documents.tolist() == many.documents.tolist()
    assert len(one) == 8


def test_nothing_to_cut_and_no_texts() -> None:
    assert RepeatedUnits().survey([]).clean(["a line"]).texts.to_pylist() == ["a line"]
    assert RepeatedUnits().survey([["a", "b"]]).clean([]).texts.to_pylist() == []


def test_the_fingerprint_of_a_text_version_tells_corpora_apart() -> None:
    lines = RepeatedUnits(max_documents=1, min_bytes=1)
    one, same, other = (lines.survey([texts]) for texts in (["a\nb", "a"], ["c", "a", "a\nd"], ["b", "b"]))
    assert fingerprint(one.config()) == fingerprint(same.config()) != fingerprint(other.config())
