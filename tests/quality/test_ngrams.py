"""N-gram models against a plain implementation of the same smoothing, and as files that anybody may have written."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.errors import InputError
from dq.executors import LocalExecutor
from dq.files import ngram as ngram_files
from dq.files.ngram import train_ngram_files
from dq.quality import NgramModel, NgramOptions, score, train_ngram
from dq.quality.ngrams import FALLBACK, NgramCounts, discounts
from dq.quality.scorers.files import ModelFile
from dq.quality.scorers.ngram import drawn
from dq.text import TextBatch, text_batch
from tests.command import run_dq

ROOT = Path(__file__).parents[2]
START = 0xFF


class Plain:
    """Interpolated modified Kneser-Ney over bytes with dictionaries, a probability at a time."""

    def __init__(self, texts: list[bytes], order: int, min_count: int) -> None:
        self.order, self.min_count = order, min_count
        longest: Counter[bytes] = Counter()
        for text in texts:
            padded = bytes([START] * (order - 1)) + text
            longest.update(padded[k : k + order] for k in range(len(text)))
        self.seen: dict[int, dict[bytes, int]] = {order: dict(longest)}
        for length in range(order - 1, 0, -1):
            before: dict[bytes, set[int]] = defaultdict(set)
            for ngram in self.seen[length + 1]:
                before[ngram[1:]].add(ngram[0])
            self.seen[length] = {ngram: len(bytes_before) for ngram, bytes_before in before.items()}
        self.after: dict[int, dict[bytes, dict[bytes, int]]] = {}
        self.taken = {}
        for length, seen in self.seen.items():
            self.after[length] = defaultdict(dict)
            for ngram, count in seen.items():
                self.after[length][ngram[:-1]][ngram] = count
            self.taken[length] = self.discounts(list(seen.values()))

    @staticmethod
    def discounts(seen: list[int]) -> tuple[float, float, float]:
        n1, n2, n3, n4 = (seen.count(k) for k in (1, 2, 3, 4))
        if not (n1 and n2 and n3):
            return FALLBACK
        y = n1 / (n1 + 2 * n2)
        found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        return found if all(0 < one <= k for k, one in enumerate(found, start=1)) else FALLBACK

    def probability(self, byte: int, history: bytes, length: int) -> float:
        if length == 0:
            return 1 / 256
        history = history[len(history) - length + 1 :]
        shorter = self.probability(byte, history, length - 1)
        after = self.after[length].get(history)
        if not after:
            return shorter
        total, share, left = sum(after.values()), 0.0, 0.0
        for ngram, count in after.items():
            if length == self.order and count < self.min_count:
                left += count
                continue
            taken = self.taken[length][min(count, 3) - 1]
            left += taken
            if ngram == history + bytes([byte]):
                share = (count - taken) / total
        return share + left / total * shorter

    def bits(self, text: bytes) -> float:
        padded = bytes([START] * (self.order - 1)) + text
        before = self.order - 1
        return -sum(
            float(np.log2(self.probability(text[k], padded[k : k + before], self.order))) for k in range(len(text))
        )


def paragraphs() -> list[str]:
    """Real text, a few kilobytes of prose and marks."""
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text().partition("<!-- file tree")[0]
    return [one for one in text.split("\n\n") if len(one) > 100]


TEXTS = ["the cat sat on the mat", "the cat ate", "a cat and a bat sat", "", "на мате", "the the the cat"]


@pytest.mark.parametrize(("order", "min_count"), [(2, 1), (3, 1), (4, 2), (5, 1), (7, 1), (3, 100)])
def test_bits_are_those_of_a_plain_implementation(order: int, min_count: int) -> None:
    train = [*TEXTS, *paragraphs()[:8]]
    model = train_ngram(train, NgramOptions(order=order, min_count=min_count))
    plain = Plain([text.encode() for text in train], order, min_count)
    unseen = ["the cat sat", "zebra \U0001f993", "x", *(one[:200] for one in paragraphs()[10:12])]
    for text, found in zip(unseen, model.bits(text_batch(unseen)), strict=True):
        assert found == pytest.approx(plain.bits(text.encode()), rel=1e-5)


@pytest.mark.parametrize("history", [b"", b"t", b"the ca", b"\xd0\xbc", b"never seen \x00", b"README"])
@pytest.mark.parametrize("min_count", [1, 3])
def test_the_probabilities_of_all_bytes_sum_to_one(history: bytes, min_count: int) -> None:
    model = train_ngram(paragraphs()[:20], NgramOptions(order=4, min_count=min_count))
    rows = [history, *(history + bytes([byte]) for byte in range(256))]
    data = np.frombuffer(b"".join(rows), np.uint8)
    bits = model.bits(TextBatch(data, np.cumsum([0, *map(len, rows)]).astype(np.int64)))
    assert (2.0 ** -(bits[1:] - bits[0])).sum() == pytest.approx(1, abs=1e-5)


def test_longer_histories_predict_unseen_text_better() -> None:
    texts = paragraphs()
    train, unseen = texts[::2], texts[1::2]
    bits = []
    for order in (2, 3, 5):
        model = train_ngram(train, NgramOptions(order=order))
        bits.append(float(model.bits(text_batch(unseen)).sum()) / len("".join(unseen).encode()))
    counts = np.bincount(np.frombuffer("".join(train).encode(), np.uint8), minlength=256) + 1
    shares = counts / counts.sum()
    unigram = -np.log2(shares[np.frombuffer("".join(unseen).encode(), np.uint8)]).mean()
    assert unigram > bits[0] + 0.5
    assert bits[0] > bits[1] + 0.3 > bits[2] + 0.3
    shuffled = ["".join(random.Random(1).sample(one, len(one))) for one in unseen]
    assert score(unseen, [], scorers=[model])["perplexity"].mean() < 4  # type: ignore[operator]
    assert score(shuffled, [], scorers=[model])["perplexity"].mean() > 5  # type: ignore[operator]


def test_discounts_fall_back_where_counts_of_counts_give_none() -> None:
    assert discounts(np.array([5, 6, 7])) == FALLBACK
    found = discounts(np.repeat([1, 2, 3, 4], [40, 20, 10, 5]))
    assert found == pytest.approx((0.5, 1.25, 2.0))


def test_blank_texts_are_undefined_and_text_is_seen_as_signals_see_it() -> None:
    model = train_ngram(TEXTS, NgramOptions(order=3))
    found = score(["the cat", "", " \n ", "the cat \r\n"], [], scorers=[model])["perplexity"].to_list()
    assert found[1:3] == [None, None]
    assert found[0] == found[3]
    with pytest.raises(InputError, match="no text to train on"):
        train_ngram(["", " "])


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return path


def test_workers_files_and_their_order_change_no_byte_of_the_model(tmp_path: Path) -> None:
    texts, options = paragraphs(), NgramOptions(order=4)
    halves = [write(tmp_path / "b.jsonl", texts[:20]), write(tmp_path / "a.jsonl", texts[20:])]
    whole = write(tmp_path / "whole.jsonl", texts[::-1])
    made = []
    for number, inputs in enumerate(([whole], halves, halves[::-1])):
        output = tmp_path / f"{number}.safetensors"
        done = train_ngram_files(inputs, output, options=options, executor=LocalExecutor(1 + number % 2))
        assert done.model_bytes == output.stat().st_size
        made.append(output.read_bytes())
    memory = tmp_path / "memory.safetensors"
    train_ngram(texts, options).save(memory)
    assert made == [memory.read_bytes()] * 3


def test_too_many_ngrams_are_refused_with_a_share_that_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, options = paragraphs(), NgramOptions(order=3, min_count=1)
    counts = NgramCounts(3)
    counts.add_texts(drawn(pl.Series(texts), 1.0))
    file, output = write(tmp_path / "in.jsonl", texts), tmp_path / "model.safetensors"
    monkeypatch.setattr(ngram_files, "MAX_NGRAMS", len(counts.ngrams) - 1)
    with pytest.raises(InputError, match=r"different n-grams; train on a share of the documents: `share` 0\.5 or less"):
        train_ngram_files([file], output, options=options)
    assert not output.exists()
    train_ngram_files([file], output, options=NgramOptions(order=3, min_count=1, share=0.2))
    monkeypatch.setattr(ngram_files, "MAX_NGRAMS", len(counts.ngrams))
    train_ngram_files([file], tmp_path / "whole.safetensors", options=options)


def test_a_share_is_drawn_by_what_documents_hold(tmp_path: Path) -> None:
    texts = paragraphs()
    some = [
        train_ngram(part, NgramOptions(order=2, min_count=1, share=0.5)).numbers
        for part in (texts, texts[::-1], texts * 2)
    ]
    assert np.array_equal(some[0].keys, some[1].keys)
    assert np.array_equal(some[0].keys, some[2].keys)
    assert len(some[0].keys) < len(train_ngram(texts, NgramOptions(order=2, min_count=1)).numbers.keys)


def test_a_model_is_trained_and_ranks_documents_from_the_command_line(tmp_path: Path) -> None:
    texts = paragraphs()
    write(tmp_path / "good.jsonl", texts[::2])
    noise = ["".join(random.Random(k).sample(one, len(one))) for k, one in enumerate(texts[1::2])]
    write(tmp_path / "web.jsonl", [*texts[1::2], *noise])
    command = ("train-ngram", "good.jsonl", "-o", "good.safetensors", "--workers", "1")
    done = run_dq(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before = (tmp_path / "good.safetensors").stat()
    assert run_dq(*command, cwd=tmp_path).stdout == done.stdout
    assert (tmp_path / "good.safetensors").stat() == before
    other = run_dq(*command, "--order", "3", cwd=tmp_path)
    assert other.returncode == 1
    assert "--overwrite" in other.stderr
    (tmp_path / "head.yaml").write_text(
        "name: head\nrules:\n"
        "  - {signal: perplexity, keep_fraction: 0.5, best: lowest, per: null, reason: middle_and_tail}\n"
    )
    options = ("--rules", "head.yaml", "--model", "perplexity=good.safetensors", "--workers", "1")
    kept = run_dq("filter", "web.jsonl", *options, "-o", "head.jsonl", cwd=tmp_path)
    assert kept.returncode == 0, kept.stderr
    found = [json.loads(line)["text"] for line in (tmp_path / "head.jsonl").read_text().splitlines()]
    assert set(found) <= set(texts)
    assert len(found) in (len(noise), len(noise) + 1)


def test_a_file_that_is_changed_or_cut_off_is_an_error_or_a_model(tmp_path: Path) -> None:
    path, draw, refused = tmp_path / "model.safetensors", random.Random(4), 0
    train_ngram(TEXTS, NgramOptions(order=3)).save(path)
    whole = path.read_bytes()
    assert score(["the cat"], [], scorers=[ModelFile("p", path).load()]).columns == ["p"]
    for number in range(120):
        content = bytearray(whole[: draw.randrange(len(whole))] if number % 2 else whole)
        for _ in range(0 if number % 2 else 3):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        try:
            bits = NgramModel.load(path).scores(["the cat"])["perplexity"][0]
            assert 0 <= bits < 100
        except InputError as error:
            assert str(error).startswith(f"{path}: not an n-gram model of dq: ")
            refused += 1
    assert refused > 60
    with pytest.raises(InputError, match="no such file"):
        NgramModel.load(tmp_path / "absent.safetensors")


def test_scores_of_a_document_do_not_depend_on_what_stands_beside_it() -> None:
    model, texts = train_ngram(TEXTS, NgramOptions(order=5)), paragraphs()[:9]
    alone = [model.scores([text])["perplexity"][0] for text in texts]
    assert model.scores(pl.Series(texts))["perplexity"].tolist() == alone
