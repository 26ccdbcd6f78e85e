"""Personal data and secrets: numbers of the standards' own examples, both sides of each check, parity on real text."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import dq
from dq.quality import Rule, RuleSet
from dq.quality.cleaners import MASKS, MaskPii
from dq.quality.scorers.personal import KINDS, is_account, is_card

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
FOUND = {
    "email_count": ["write to jane.doe@example.com now", "a@b.co, c@d.org"],
    "public_ip_count": ["host 8.8.8.8:53"],
    "phone_count": ["call +44 20 7946 0958", "(202) 555-0143", "202-555-0143", "+49 (0)30 901820"],
    "card_count": ["4111 1111 1111 1111", "4111111111111111", "3782-822463-10005", "30569309025904"],
    "account_number_count": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"],
    "secret_count": [KEY, "AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + "a1" * 18, "xoxb-" + "1234567890-abc"],
}
NOT_FOUND = {
    "email_count": ["a @ b.com", "@handle", "a@b"],
    "public_ip_count": ["10.0.0.1", "192.168.1.1", "127.0.0.1", "1.2.3", "08.8.8.8"],
    "phone_count": ["2025550143", "12-34-5678", "+1 23", "1,202,555,0143"],
    "card_count": ["4111 1111 1111 1112", "41111111 11111111", "9111111111111111", "0000 0000 0000 0000"],
    "account_number_count": ["GB82 WEST 1234 5698 7654 33", "DE8937040044053201300", "XX89370400440532013000"],
    "secret_count": ["AKIA" + "IOSFODNN7EXAMPL", "ghp_" + "a" * 35, "BEGIN PRIVATE KEY", "xoxb-short"],
}
HARD = ("1" * 1_000_000, "1-" * 500_000, "a." * 500_000 + "@", "+1" * 500_000, "GB82 " * 200_000)


@pytest.mark.parametrize("name", list(KINDS))
def test_each_kind_is_counted_on_both_sides_of_its_check(name: str) -> None:
    texts = FOUND[name]
    expected = [2 if text.count("@") == 2 else 1 for text in texts]
    assert dq.score(texts, [name])[name].to_list() == expected
    assert dq.score(NOT_FOUND[name], [name])[name].to_list() == [0] * len(NOT_FOUND[name])
    together = dq.score(["; ".join(texts), "", "nothing"], [name])[name]
    assert together.to_list() == [sum(expected), 0, 0]
    assert together.dtype == pl.Int64


def test_one_wrong_digit_is_no_card_and_no_account() -> None:
    card, account = "4111111111111111", "DE89370400440532013000"
    assert is_card(card) and is_account(account)
    for place in range(1, 16):
        assert not is_card(card[:place] + str((int(card[place]) + 1) % 10) + card[place + 1 :])
    for place in range(2, 22):
        assert not is_account(account[:place] + str((int(account[place]) + 1) % 10) + account[place + 1 :])


def test_counts_are_rules_like_others() -> None:
    rule = Rule(signal="secret_count", maximum=0, reason="holds_secrets")
    judged = RuleSet(name="safe", rules=(rule,)).judge(dq.score(["fine", KEY], ["secret_count"]))
    assert judged["reasons"].to_list() == [[], ["holds_secrets"]]


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    dq.score([text], list(KINDS))
    assert time.process_time() - begun < 10


ALL = MaskPii(**dict.fromkeys(MASKS, True))
OF = {option: next(name for name in KINDS if KINDS[name] is mask.kind) for option, mask in MASKS.items()}


@pytest.mark.parametrize(("option", "name"), OF.items())
def test_what_is_counted_is_masked_and_nothing_else(option: str, name: str) -> None:
    cleaner = MaskPii(**{other: other == option for other in MASKS})
    masked = cleaner.clean([*FOUND[name], *NOT_FOUND[name]])
    assert masked.counts == {f"masked_{option}": dq.score(FOUND[name], [name])[name].sum()}
    assert masked.changed == len(FOUND[name])
    assert masked.texts.to_pylist()[len(FOUND[name]) :] == NOT_FOUND[name]


def test_a_private_key_is_masked_with_its_lines_and_text_about_one_stays() -> None:
    lines = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,1F", "", "MIIEpAIBAAKCAQEA" * 4, "abcd" * 16, "Zg=="]
    for key in ("\n".join([KEY, *lines, KEY.replace("BEGIN", "END")]), "\r\n".join([KEY, *lines[3:]])):
        assert ALL.clean([f"before\n{key}\nafter it"]).texts.to_pylist() == ["before\n<secret>\nafter it"]
    about = f"A file that begins with {KEY} and goes on\nin lines of base64"
    assert ALL.clean([about]).texts.to_pylist() == [about.replace(KEY, "<secret>")]
    assert ALL.clean(["call +44 20 7946 0958"]).texts.to_pylist() == ["call <phone>"]


@pytest.mark.parametrize("text", [*HARD, KEY * 40_000, f"{KEY}\n{'A' * 99}" * 9_000], ids=range(len(HARD) + 2))
def test_masking_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    ALL.clean([text])
    assert time.process_time() - begun < 10


@pytest.mark.needs_shared
def test_on_real_text_what_is_counted_is_masked(shared: Path) -> None:
    file = pa.input_stream(str(shared / "data/mixed_small.jsonl.zst"), compression="zstd")
    texts = pl.read_ndjson(file.read())["text"]
    scores = dq.score(texts, list(OF.values())).sum().row(0, named=True)
    assert min(scores[name] for name in ("email_count", "public_ip_count", "phone_count")) > 100
    for option, name in OF.items():
        alone = MaskPii(**{other: other == option for other in MASKS}).clean(texts.to_arrow())
        assert alone.counts[f"masked_{option}"] == scores[name]
    assert not any(dq.score(ALL.clean(texts.to_arrow()).texts, ["secret_count", "card_count"]).sum().row(0))
