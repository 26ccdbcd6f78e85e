"""The faster library's ids are those of `tokenizers`: on real text, on hostile text, and with files of many makers."""

from __future__ import annotations

import io
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dq.stages import encoder as encoder_module
from dq.stages.encoder import MAX_RUN_CHARS, Encoded, Encoder, load_tokenizer
from dq.stages.tokenizer import TokenizerConfig, make_tokenizer
from dq.text import rows_with_long_runs, text_batch
from tests.stages.test_tokens import prose, rows_of, view_of

tokenizers = pytest.importorskip("tokenizers")
Change = Callable[[Any], None]

ODD = "abXYZ019 .,'\"-_()\n\t\r  \u00a0\u3000é漢字あ😀👍🏽\u0301\u200d\u180e\u0085\x1c\x1f\x00्क١²ⅷ’ſKsÅ"
LONG = [
    "a" * 501,
    " " * 501 + "x",
    "1" * 1000 + "a",
    "." * 999 + "a",
    "漢" * 700,
    "a\u0301" * 800,
    "\x1c" * 800 + "a",
    "x" * 499 + "\u0370" + "y" * 499,
    ("é" * 499 + " ") * 3,
    "word and " * 900 + "a" * 700 + " more words" * 500 + " " * 600 + "x",
    "<|bos|>" + "=" * 600 + "<|bos|>",
]
LLAMA = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def hostile(seed: int, texts: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice(ODD) for _ in range(draw.randrange(40))) for _ in range(texts)]


def check(encoder: Encoder, path: Path, texts: Sequence[str]) -> None:
    """Equal ids, text by text."""
    library = load_tokenizer(path)
    encoded = encoder.encode(list(texts))
    rows = encoded.rows()
    assert len(rows) == len(texts)
    expected = library.encode_batch_fast(list(texts), add_special_tokens=False)
    for text, theirs, ours in zip(texts, expected, rows, strict=True):
        assert ours.tolist() == theirs.ids, text[:200]
    assert encoded.offsets.tolist() == [0, *np.cumsum([len(one.ids) for one in expected]).tolist()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    rows = [*rows_of({"a": 40}), *({"source": "a", "text": text} for text in hostile(1, 300))]
    return make_tokenizer(view_of(folder, rows), TokenizerConfig(vocab_size=600)).file


def own(path: Path, change: Change) -> Path:
    """A file of somebody else's: byte-level BPE with a change."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([prose(1, 500), *hostile(2, 100)], trainer)
    made.add_special_tokens(["<s>"])
    change(made)
    made.save(str(path))
    return path


def pieces(pattern: str) -> Change:
    def change(made: Any) -> None:
        pre = tokenizers.pre_tokenizers
        split = pre.Split(tokenizers.Regex(pattern), behavior="isolated")
        made.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(add_prefix_space=False, use_regex=False)])

    return change


def digits(made: Any) -> None:
    pre = tokenizers.pre_tokenizers
    made.pre_tokenizer = pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)])


def prefixed(made: Any) -> None:
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)


def normal(made: Any) -> None:
    made.normalizer = tokenizers.normalizers.NFC()


def lower(made: Any) -> None:
    made.normalizer = tokenizers.normalizers.Lowercase()


def added(made: Any) -> None:
    made.add_tokens(["    ", "the river", tokenizers.AddedToken("over", lstrip=True, single_word=True)])


def truncated(made: Any) -> None:
    made.enable_truncation(5)
    made.enable_padding(pad_id=0)


def test_a_trained_tokenizer_is_read_by_the_faster_library_with_equal_ids(trained: Path) -> None:
    encoder = Encoder(trained)
    assert encoder.is_fast
    check(encoder, trained, [*hostile(3, 1500), *LONG, "", "<|bos|>", "x<|bos|>y", prose(4, 300)])


def test_every_character_is_encoded_as_the_library_does(trained: Path) -> None:
    characters = (chr(code) for code in range(0x110000) if code < 0x600 or code % 97 == 0)
    check(Encoder(trained), trained, [f"a{c}b {c}1{c}{c}" for c in characters if not "\ud800" <= c < "\ue000"])


@pytest.mark.parametrize("change", [pieces(LLAMA), digits, prefixed, normal, lower, added, truncated])
def test_files_of_many_makers_give_the_ids_of_their_library(change: Change, tmp_path: Path) -> None:
    path = own(tmp_path / "own.json", change)
    check(Encoder(path), path, [*hostile(5, 300), *LONG, "<s> a <s>", "the river    over Over clover", prose(6, 50)])


def test_words_that_are_no_bytes_are_left_to_the_library(tmp_path: Path) -> None:
    made = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0)], unk_id=0))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.save(str(tmp_path / "own.json"))
    check(Encoder(tmp_path / "own.json"), tmp_path / "own.json", ["a b ab", "", "b" * 600, "zzz"])


def test_without_the_faster_library_ids_are_the_same(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*hostile(7, 50), *LONG]
    fast = Encoder(trained).encode(texts)
    monkeypatch.setitem(sys.modules, "fastokens", None)
    slow = Encoder(trained)
    assert not slow.is_fast
    assert slow.encode(texts).ids.tolist() == fast.ids.tolist()


def test_a_file_that_the_faster_library_reads_otherwise_is_left_to_tokenizers(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fastokens = pytest.importorskip("fastokens")
    read = fastokens.Tokenizer.from_json_str

    class Wrong:
        @staticmethod
        def from_json_str(content: str) -> Any:
            return read(content.replace('"add_prefix_space": false', '"add_prefix_space": true'))

    monkeypatch.setattr(fastokens, "Tokenizer", Wrong)
    assert not Encoder(trained).is_fast


def test_where_the_first_real_texts_differ_tokenizers_does_the_work(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(trained)
    assert encoder.is_fast
    right = Encoder(trained).encode(["zebra crossing", "other"]).ids.tolist()
    made = encoder_module._by_fast

    def wrong(tokenizer: Any, texts: list[str]) -> Encoded:
        return made(tokenizer, [text.replace("zebra", "horse") for text in texts])

    monkeypatch.setattr(encoder_module, "_by_fast", wrong)
    assert encoder.encode(["zebra crossing", "other"]).ids.tolist() == right
    assert not encoder.is_fast


@pytest.mark.parametrize("kind", ["a", "7", " ", ".", "é", "漢", "\u0301", "\t "])
def test_long_runs_are_found_to_the_character(kind: str) -> None:
    run = (kind * MAX_RUN_CHARS)[:MAX_RUN_CHARS]
    other = "." if kind in "a7é漢 \t " else "a"
    texts = [
        "",
        run,
        run[1:],
        other + run[1:] + other,
        "word, 12 " * 100 + other + run + other,
        run[1:] + other + run[1:],
    ]
    assert rows_with_long_runs(text_batch(texts), MAX_RUN_CHARS).tolist() == [1, 4]


def batches_of(file: Path) -> Iterator[list[str]]:
    """The texts of a shared file, some hundreds at a time."""
    with pa.input_stream(str(file), compression="zstd") as stream:
        lines = io.BufferedReader(stream)
        while lot := list(itertools.islice(lines, 512)):
            yield [str(json.loads(line)["text"]) for line in lot]


@pytest.mark.needs_shared
def test_a_sample_of_real_text_has_equal_ids(trained: Path, shared: Path) -> None:
    encoder = Encoder(trained)
    for texts in batches_of(shared / "data" / "mixed_small.jsonl.zst"):
        check(encoder, trained, [text[:2000] for text in texts[::32]])


@pytest.mark.slow
@pytest.mark.needs_shared
@pytest.mark.timeout(7200)
def test_all_of_the_real_text_has_equal_ids(trained: Path, shared: Path) -> None:
    encoder = Encoder(trained)
    for texts in batches_of(shared / "data" / "mixed.jsonl.zst"):
        check(encoder, trained, texts)
