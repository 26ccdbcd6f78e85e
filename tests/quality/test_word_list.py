"""Lists of words and phrases: every occurrence is counted, as whole words, in any case."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from dq.errors import InputError
from dq.quality import WordList, score
from dq.text import split_words
from tests.command import run_dq

README = (Path(__file__).parents[2] / "README.md").read_text()
TEXTS = [
    "Damn you, DAMN it! A damned thing.",
    "a pair of brown shoes of the pair of",
    "",
    "straße Straße",
    *README.split("\n\n"),
]


def test_every_occurrence_of_words_and_phrases_is_counted(tmp_path: Path) -> None:
    listed = ["damn", "Pair of", "of", "", "STRASSE", "straße", "signals", "the text", "pair of"]
    (tmp_path / "list.txt").write_text("\n".join(listed), "utf-8")
    found = score(TEXTS, [], scorers=[WordList(tmp_path / "list.txt", name="n")])["n"].to_list()
    assert found[:4] == [2, 5, 0, 2]
    words = {one.lower() for one in listed if one}
    for split, count in zip(split_words(TEXTS), found, strict=True):
        runs = [" ".join(pair).lower() for pair in (*zip(split), *itertools.pairwise(split))]
        assert count == sum(one in words for one in runs)
    assert sum(found[4:]) > 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n\n", "holds no words"),
        (b"a\n" + b"b " * 17, ":2: a phrase of 17 words"),
        (b"\xff\xfe", "not a list of words"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        WordList(tmp_path / "list.txt")
    with pytest.raises(InputError, match="no such file"):
        WordList(tmp_path / "absent.txt")


def test_documents_with_listed_words_are_dropped_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS[:3]))
    (tmp_path / "list.txt").write_text("damn\n")
    (tmp_path / "rules.yaml").write_text("name: mine\nrules:\n  - {signal: rude, maximum: 1, reason: rude}\n")
    options = ("--rules", "rules.yaml", "--model", "rude=list.txt", "--workers", "1")
    done = run_dq("filter", "docs.jsonl", *options, "-o", "kept.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = [json.loads(line)["text"] for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert kept == TEXTS[1:3]
