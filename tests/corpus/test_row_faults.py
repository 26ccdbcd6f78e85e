"""Row faults: quarantined with file, line, reason and first bytes, counted, and the job goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq.corpus import ReadConfig
from dq.errors import InputError
from tests.corpus.files import documents, jsonl, quarantined, read, write

GOOD = b'{"id": "good", "text": "fine"}\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "a"', "broken_json"),
        (b"{'text': 'a'}", "broken_json"),
        (b'{"text": "a"} {"text": "b"}', "broken_json"),
        (b'{"text": "a\\x"}', "broken_json"),
        (b'{"text": "a", "deep": ' + b"[" * 2000 + b"]" * 2000 + b"}", "broken_json"),
        (b'{"text": "\\ud800", "deep": ' + b"[" * 600 + b"]" * 600 + b"}", "broken_json"),
        (b"\x00\x00\x00", "broken_json"),
        (b"plain text", "broken_json"),
        (b'{"text": "caf\xe9"}', "invalid_utf8"),
        (b'{"text": "\xed\xa0\x80"}', "invalid_utf8"),
        (b"\xff\xfe{\x00}\x00", "invalid_utf8"),
        (b'["text", "a"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"42", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"\\ud800"', "not_an_object"),
        (b'{"id": "x", "body": "a"}', "text_missing"),
        (b'{"text": null}', "text_missing"),
        (b"{}", "text_missing"),
        (b'{"text": 42}', "text_not_a_string"),
        (b'{"text": ["a"]}', "text_not_a_string"),
        (b'{"text": {"en": "a"}}', "text_not_a_string"),
        (b'{"text": false}', "text_not_a_string"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_others_are_read(tmp_path: Path, line: bytes, reason: str) -> None:
    path = write(tmp_path / "in.jsonl", GOOD + b"\n" + line + b"\n" + GOOD + line)
    corpus = read(path, tmp_path / "out")
    found = quarantined(tmp_path / "out")
    assert [(bad["file"], bad["line"], bad["reason"]) for bad in found] == [(str(path), n, reason) for n in (3, 5)]
    for bad in found:
        if reason.startswith("text"):  # the row was parsed: its fields are shown
            assert json.loads(bad["first_bytes"]) == json.loads(line)
        else:
            assert bad["first_bytes"] == line[:64].decode("utf-8", "replace")
    assert corpus.record.summary["quarantined"] == {reason: 2}
    assert corpus.record.summary["rows"] == 4
    assert [row["text"] for row in documents(corpus)] == ["fine", "fine"]


def test_both_sides_of_the_largest_document(tmp_path: Path) -> None:
    texts = ["é" * 50, "é" * 50 + "x"]  # 100 and 101 bytes
    path = write(tmp_path / "in.jsonl", jsonl([{"text": text} for text in texts]))
    corpus = read(path, tmp_path / "out", config=ReadConfig(max_document_bytes=100, max_bad_fraction=1))
    assert [row["text"] for row in documents(corpus)] == texts[:1]
    (bad,) = quarantined(tmp_path / "out")
    assert (bad["line"], bad["reason"], bad["first_bytes"]) == (2, "text_too_large", "é" * 32)


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.jsonl.zst"])
def test_both_sides_of_the_longest_line_wherever_it_lies_in_the_file(tmp_path: Path, name: str) -> None:
    config = ReadConfig(max_document_bytes=100_000, max_bad_fraction=1)
    frame = len(b'{"text": "a", "more": ""}')
    rows = []
    for more in [700_000 - frame, 700_001 - frame] * 16:  # 22 MB: the reader's chunks end anywhere in these lines
        rows.append(b'{"text": "a", "more": "' + b"m" * more + b'"}')
    corpus = read(write(tmp_path / name, b"\n".join(rows)), tmp_path / "out", config=config)
    assert [bad["line"] for bad in quarantined(tmp_path / "out")] == list(range(2, 33, 2))
    assert {bad["reason"] for bad in quarantined(tmp_path / "out")} == {"line_too_long"}
    assert {bad["first_bytes"] for bad in quarantined(tmp_path / "out")} == {rows[0][:64].decode()}
    assert corpus.record.summary["documents"] == 16


def test_a_line_of_many_chunks_without_an_end_does_not_stop_the_job(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl.gz", GOOD + b"x" * 30_000_000 + b"\n" + GOOD + b"y" * 9_000_000)
    corpus = read(path, tmp_path / "out", config=ReadConfig(max_document_bytes=1000, max_bad_fraction=1))
    found = [(bad["line"], bad["reason"], bad["first_bytes"]) for bad in quarantined(tmp_path / "out")]
    assert found == [(2, "line_too_long", "x" * 64), (4, "line_too_long", "y" * 64)]
    assert corpus.record.summary["documents"] == 2


def test_a_document_longer_than_the_readers_chunk_is_whole(tmp_path: Path) -> None:
    texts = ["ab é" * 2_500_000, "short", "x" * ((4 << 20) - 14), "y" * (4 << 20)]
    corpus = read(write(tmp_path / "in.jsonl", jsonl([{"text": text} for text in texts])), tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == texts


def test_past_the_bad_fraction_the_job_stops_on_one_line_and_up_to_it_goes_on(tmp_path: Path) -> None:
    config = ReadConfig(max_bad_fraction=0.1)
    path = write(tmp_path / "in.jsonl", GOOD * 18 + b"{\n" + b'{"text": 1}\n')
    assert read(path, tmp_path / "at", config=config).record.summary["quarantined"] == {
        "broken_json": 1,
        "text_not_a_string": 1,
    }
    path = write(tmp_path / "in.jsonl", GOOD * 17 + b"{\n{\n" + b'{"text": 1}\n' + b"\n" * 100)
    with pytest.raises(InputError) as caught:
        read(path, tmp_path / "past", config=config)
    message = str(caught.value)
    assert message.startswith(
        "3 of 20 rows are unreadable (broken_json 2, text_not_a_string 1), more than 0.1 of them; "
    )
    assert str(tmp_path / "past" / "quarantined.jsonl") in message
    assert "\n" not in message
    assert len(quarantined(tmp_path / "past")) == 3
    assert not (tmp_path / "past" / "stage.json").exists()


def test_a_limit_of_zero_stops_at_the_first_bad_row(tmp_path: Path) -> None:
    config = ReadConfig(max_bad_fraction=0)
    with pytest.raises(InputError, match=r"^1 of 1,001 rows"):
        read(write(tmp_path / "in.jsonl", GOOD * 1000 + b"{"), tmp_path / "bad", config=config)
    assert read(write(tmp_path / "in.jsonl", GOOD * 1000), tmp_path / "good", config=config)


def test_nothing_but_bad_rows_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no documents in the input"):
        read(write(tmp_path / "in.jsonl", b"{]\n"), tmp_path / "out")


@pytest.mark.parametrize(
    "text",
    [
        "nul \x00 inside",
        "\x00",
        "".join(map(chr, range(32))),
        "\x7f\x85\u2028\u2029\ufeff\ufffe\uffff",
        "",
        " \n\t ",
        "\U0001f600 \U0010ffff",
        "line\r\nline\rline",
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_unusual_text_is_valid_and_kept_to_the_byte(tmp_path: Path, text: str, escaped: bool) -> None:
    raw = json.dumps({"text": text}, ensure_ascii=escaped).encode()
    if not escaped:  # raw control characters, which JSON forbids and files hold nevertheless
        for code in [*range(10), 11, 12, *range(14, 32)]:
            raw = raw.replace(json.dumps(chr(code))[1:-1].encode(), bytes([code]))
    corpus = read(write(tmp_path / "in.jsonl", raw + b"\n"), tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == [text]
    assert corpus.record.summary["replaced_surrogates"] == 0


def test_lone_surrogates_become_the_replacement_character_and_their_rows_are_counted(tmp_path: Path) -> None:
    lines = [
        rb'{"text": "a\ud800b"}',
        rb'{"text": "\udc00\udc00"}',
        rb'{"text": "pair \ud83d\ude00"}',
        rb'{"text": "both \ud83d\ude00\ud83d"}',
        rb'{"text": "fine", "k\ud800": ["\udfff", {"a": "\ud800"}]}',
        b'{"text": "raw tab\t"}',
    ]
    corpus = read(write(tmp_path / "in.jsonl", b"\n".join(lines)), tmp_path / "out")
    rows = documents(corpus)
    assert [row["text"] for row in rows] == [
        "a\ufffdb",
        "\ufffd\ufffd",
        "pair 😀",
        "both 😀\ufffd",
        "fine",
        "raw tab\t",
    ]
    assert rows[4]["meta"] == {"k\ufffd": ["\ufffd", {"a": "\ufffd"}]}
    assert corpus.record.summary["replaced_surrogates"] == 4
    assert corpus.record.summary["quarantined"] == {}


def test_the_quarantine_holds_only_json_lines_whatever_the_bytes_were(tmp_path: Path) -> None:
    hostile = [b"\xff" * 100, b"\x1b[31m{", b"\x00" * 70, "é".encode() * 40, b'{"text": "\xe2\x80\xa8']
    read(write(tmp_path / "in.jsonl", GOOD + b"\n".join(hostile)), tmp_path / "out")
    assert [bad["line"] for bad in quarantined(tmp_path / "out")] == [2, 3, 4, 5, 6]
    assert all(len(bad["first_bytes"]) <= 64 for bad in quarantined(tmp_path / "out"))
