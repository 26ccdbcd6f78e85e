"""Tokens back to text: whatever the place of a cut, each character stands in one piece."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from dq.stages.encoder import load_tokenizer
from dq.variants.texts import Decoder

TEXT = "Zür\u00e9: 日本語, \U0001f389\U0001f469\u200d\U0001f680 e\u0301\n\x00<|bos|> naïve — ok \ufffd end"


def byte_level(folder: Path) -> Path:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=["<|bos|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["日本語 the thé naïve"] * 20, trainer)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_pieces_of_any_size_join_to_the_text(tmp_path: Path, size: int) -> None:
    path = byte_level(tmp_path)
    ids = np.array(load_tokenizer(path).encode(TEXT, add_special_tokens=False).ids)
    decoder = Decoder(path)
    pieces = [decoder.text(ids[at : at + size], ids[at + size : at + size + 4]) for at in range(0, len(ids), size)]
    assert "".join(pieces) == TEXT


def test_bytes_that_are_no_character_are_marked_as_such(tmp_path: Path) -> None:
    path = byte_level(tmp_path)
    ids = np.array(load_tokenizer(path).encode("x\U0001f389y", add_special_tokens=False).ids)
    assert len(ids) == 6  # four bytes between two letters
    assert Decoder(path).text(np.delete(ids, 2), ids[:0]) == "x" + "\ufffd" * 3 + "y"
    assert Decoder(path).text(ids[:2], ids[4:]) == "x" + "\ufffd" * 2  # noise has put other text behind


def test_a_special_token_is_its_own_text_and_other_tokenizers_decode_by_the_library(tmp_path: Path) -> None:
    path = byte_level(tmp_path)
    assert Decoder(path).text(np.array([0]), np.array([], int)) == "<|bos|>"
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "one": 1, "two": 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    other = tmp_path / "words.json"
    other.write_text(json.dumps(json.loads(words.to_str())))
    assert Decoder(other).text(np.array([1, 2, 1]), np.array([], int)) == "one two one"
