"""A tokenizer of the user's: files as Hugging Face's library writes them, of several makers' kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dq.errors import ConfigError, DqError, InputError
from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.read import Documents
from dq.stages.tokenizer import TokenizerConfig, make_tokenizer
from dq.training import save_tokenizer
from tests.stages.test_tokens import prose, rows_of, tokenized, view_of

tokenizers = pytest.importorskip("tokenizers")
Change = Callable[[Any], None]


def save(path: Path, *, special: list[str], change: Change = lambda _: None) -> str:
    """Byte-level BPE of 300 entries and some special tokens behind them."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([prose(1, 500)], trainer)
    made.add_special_tokens(special)
    change(made)
    made.save(str(path))
    return str(path)


@pytest.fixture
def view(tmp_path: Path) -> View:
    return view_of(tmp_path / "workspace", [*rows_of({"a": 12}), {"source": "a", "text": "A <|endoftext|> É 日"}])


def test_documents_are_bos_and_the_tokens_of_the_file(view: View, tmp_path: Path) -> None:
    path = save(tmp_path / "own.json", special=["<pad>", "<|endoftext|>"])
    made = make_tokenizer(view, TokenizerConfig(file=path))
    assert (made.bos.token, made.bos.id, made.vocabulary_size) == ("<|endoftext|>", 301, 302)
    assert made.inexact == (0, 13)
    pool, reader = tokenized(view), load_tokenizer(Path(path))
    assert pool.bos_id == 301
    documents = view.open(Documents)
    for number in range(len(pool.lengths)):
        ids = pool.tokens(number).tolist()
        assert ids == [301, *reader.encode(documents.text_of(number), add_special_tokens=False).ids]
        assert ids.count(301) == 1  # what a document spells is text


def test_vocabularies_beyond_uint16_are_held_in_uint32(view: View, tmp_path: Path) -> None:
    special = [f"<x{number}>" for number in range(65_300)]
    made = make_tokenizer(view, TokenizerConfig(file=save(tmp_path / "own.json", special=[*special, "<s>"])))
    assert made.bos.id == 65_600
    pool = tokenized(view)
    assert pool.tokens(0)[0] == 65_600
    assert pool.at(np.array([0])).dtype == np.uint32


def test_another_content_under_the_same_name_makes_all_anew(view: View, tmp_path: Path) -> None:
    config = TokenizerConfig(file=save(tmp_path / "own.json", special=["<s>"]))
    first = make_tokenizer(view, config)
    tokenized(view)
    stamp = first.file.stat().st_mtime_ns
    assert make_tokenizer(view, config).file.stat().st_mtime_ns == stamp
    save(tmp_path / "own.json", special=["<pad>", "<s>"])
    assert make_tokenizer(view, config).bos.id == 301
    assert tokenized(view).bos_id == 301


def test_a_text_that_does_not_come_back_is_counted(view: View, tmp_path: Path) -> None:
    def lower(made: Any) -> None:
        made.normalizer = tokenizers.normalizers.Lowercase()

    path = save(tmp_path / "own.json", special=["<s>"], change=lower)
    assert make_tokenizer(view, TokenizerConfig(file=path)).inexact == (1, 13)


def test_transformers_reads_the_files_beside_a_model_as_dq_does(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    path = save(tmp_path / "own.json", special=["<pad>", "<s>"], change=lambda made: made.add_tokens(["    "]))
    save_tokenizer(tmp_path, Path(path), bos="<s>", bos_id=301, context=64)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(Path(path))
    for text in ("a <s> b", "four    blanks", "<pad>"):
        assert theirs(text).input_ids == [301, *ours.encode(text, add_special_tokens=False).ids]
    assert 302 in theirs("four    blanks").input_ids  # an added token that is not special is one of text


def test_bos_is_asked_for_where_it_has_no_usual_name(view: View, tmp_path: Path) -> None:
    path = save(tmp_path / "own.json", special=["<begin>", "<pad>"])
    with pytest.raises(ConfigError, match=r"name one under `tokenizer\.bos` \(special tokens: <begin>, <pad>\)"):
        make_tokenizer(view, TokenizerConfig(file=path))
    with pytest.raises(ConfigError, match="<begin>"):
        make_tokenizer(view, TokenizerConfig(file=path, bos="<begim>"))
    assert make_tokenizer(view, TokenizerConfig(file=path, bos="<begin>")).bos.id == 300


def test_unknown_characters_are_refused(view: View, tmp_path: Path) -> None:
    words = {"<s>": 0, "[UNK]": 1, "the": 2}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "own.json"))
    with pytest.raises(InputError, match=r"has no token for something in the corpus \('\[UNK\]'"):
        make_tokenizer(view, TokenizerConfig(file=str(tmp_path / "own.json")))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"model": 3}'])
def test_what_is_no_tokenizer_is_one_line(view: View, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.json").write_bytes(content)
    with pytest.raises(InputError, match=r"own\.json: not? "):
        make_tokenizer(view, TokenizerConfig(file=str(tmp_path / "own.json")))


def test_a_missing_file_and_settings_of_the_other_kind_are_named(view: View, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        make_tokenizer(view, TokenizerConfig(file=str(tmp_path / "none.json")))
    with pytest.raises(DqError, match="leave it out beside `file`"):
        TokenizerConfig(file="own.json", vocab_size=300)
    with pytest.raises(DqError, match="there is none"):
        TokenizerConfig(bos="<s>")
