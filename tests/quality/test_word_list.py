"""Lists of words and phrases: every occurrence is counted, as whole words, in any case."""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

import pytest
from backports import zstd

from dq.errors import InputError, MissingExtraError
from dq.quality import WordList, score
from dq.quality.scorers.word_list import published_list
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


@pytest.mark.needs_shared
def test_the_published_list_finds_what_its_own_package_finds(shared: Path) -> None:
    """On words of ASCII letters, which both cut alike: the package takes any mark, and é, for a word's end."""
    glin = pytest.importorskip("glin_profanity")
    path = published_list("glin_profanity:english")
    assert path is not None
    with zstd.open(shared / "data/mixed_small.jsonl.zst", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, 0, None, 3)]
    texts = [text for text in texts if 500 < len(text) < 3000]
    plain = [" ".join(word for word in words if word.isascii() and word.isalnum()) for words in split_words(texts)]
    found = WordList(path, name="rude").scores(plain)["rude"] > 0
    rude, clean = (list(itertools.compress(plain, chosen))[:40] for chosen in (found, ~found))
    theirs = glin.Filter({"obfuscation": "off", "normalize_unicode": False})
    assert len(rude) == len(clean) == 40
    assert [theirs.is_profane(one) for one in (*rude, *clean)] == [True] * 40 + [False] * 40


def test_entries_in_scripts_without_spaces_count_wherever_they_stand() -> None:
    pytest.importorskip("glin_profanity")
    for language in ("chinese", "japanese", "thai"):
        path = published_list(f"glin_profanity:{language}")
        assert path is not None
        entries = [one for one in json.loads(path.read_text("utf-8"))["words"] if not one.isascii()]
        spaceless = {one for one in entries if re.search("[\u0e00-\u0e7f\u3040-\u9fff]", one)}
        texts = ["".join(entries[at : at + 3]) for at in range(0, len(entries), 3)]
        found = WordList(path).scores([*texts, "a b", ""])["listed_words"].tolist()
        assert found == [sum(len(re.findall(f"(?={re.escape(one)})", text)) for one in spaceless) for text in texts] + [
            0,
            0,
        ]


def test_lists_of_a_package_work_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("glin_profanity")
    texts = ["What the bastard said.", "Der Arsch!", "他妈的", "A pleasant day."]
    (tmp_path / "docs.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    models = [
        one
        for language in ("english", "german", "chinese")
        for one in ("--model", f"{language}=glin_profanity:{language}")
    ]
    options = ("--signals", "english,german,chinese", *models, "--workers", "1")
    done = run_dq("score", "docs.jsonl", *options, "-o", "scores.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [[row[name] > 0 for name in ("english", "german", "chinese")] for row in rows] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
        [False, False, False],
    ]
    wrong = run_dq(
        "score",
        "docs.jsonl",
        "--model",
        "rude=glin_profanity:english",
        "--model",
        "x=glin_profanity:englsh",
        "-o",
        "x.jsonl",
        cwd=tmp_path,
    )
    assert wrong.returncode == 1
    assert wrong.stderr.strip().endswith(
        "unknown language `englsh`; did you mean `english`?; write glin_profanity:LANGUAGE"
    )
    for name in ("glin_profanity", *(one for one in sys.modules if one.startswith("glin_profanity."))):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="install glin_profanity"):
        published_list("glin_profanity:english")
