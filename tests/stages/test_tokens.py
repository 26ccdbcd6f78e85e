"""The tokenizer and the token pool, on small corpora read from real files."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.errors import InputError
from dq.stages.read import ingest
from dq.stages.tokenizer import BOS_ID, TokenizerConfig, load_tokenizer, train_tokenizer
from dq.stages.tokens import TokenPool, tokenize_corpus
from dq.store import read_record
from tests.processes import finish, python, until

WORDS = ["the", "river", "over", "under", "market", "signal", "quiet", "garden", "seven", "window", "paper", "stone"]
CONFIG = TokenizerConfig(vocab_size=350)


def prose(seed: int, words: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def corpus_of(folder: Path, rows: list[dict[str, Any]], *, shard_rows: int = 20) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ingest(folder / "corpus", [InputSpec(path=str(folder / "in.jsonl"))], ReadConfig(shard_rows=shard_rows))


def rows_of(sources: dict[str, int], *, words: int = 60) -> list[dict[str, Any]]:
    return [
        {"id": f"{source}-{n}", "source": source, "text": f"{source} {n} {prose(n, words)}"}
        for source, count in sources.items()
        for n in range(count)
    ]


def train(folder: Path, corpus: Corpus, training: Any = None, config: TokenizerConfig = CONFIG) -> Path:
    marks = np.ones(len(corpus.documents), bool) if training is None else training
    return train_tokenizer(folder, corpus, marks, config=config, inputs={"corpus": corpus.record.fingerprint})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    odd = ["", "<|bos|>", "a <|bos|> b <|bos|>", "nul \x00 é 😀 \u2028", "  spaces \n\n\t lines \r\n", "\ufffd"]
    rows = rows_of({"a": 50, "b": 30}) + [{"id": f"odd-{n}", "source": "a", "text": t} for n, t in enumerate(odd)]
    return corpus_of(tmp_path_factory.mktemp("tokens"), rows)


@pytest.fixture(scope="module")
def tokenizer(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("tokenizer") / "tokenizer", corpus)


@pytest.fixture(scope="module")
def pool(corpus: Corpus, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenPool:
    return tokenize_corpus(tmp_path_factory.mktemp("pool") / "v0", corpus, tokenizer, workers=1, inputs={})


def merges(path: Path) -> list[str]:
    return ["".join(pair) for pair in json.loads(path.read_text())["model"]["merges"]]


def test_training_is_deterministic_and_blind_to_order_and_shards(
    tmp_path: Path, corpus: Corpus, tokenizer: Path
) -> None:
    assert train(tmp_path / "again", corpus).read_bytes() == tokenizer.read_bytes()
    rows = rows_of({"a": 40, "b": 25})
    config = TokenizerConfig(vocab_size=400, bytes_per_source=10_000)  # a draw of about half of each source
    forth = train(tmp_path / "forth", corpus_of(tmp_path / "1", rows), config=config)
    back = train(tmp_path / "back", corpus_of(tmp_path / "2", rows[::-1], shard_rows=7), config=config)
    assert forth.read_bytes() == back.read_bytes()
    assert read_record(tmp_path / "forth").summary["bytes"]["a"] < 12_000


def test_training_is_the_same_in_another_process_with_threads(tmp_path: Path, corpus: Corpus, tokenizer: Path) -> None:
    code = (
        "import sys\nimport numpy as np\nfrom pathlib import Path\n"
        "from dq.corpus import Corpus\nfrom dq.stages.tokenizer import TokenizerConfig, train_tokenizer\n"
        "corpus = Corpus(Path(sys.argv[1]))\n"
        "train_tokenizer(Path(sys.argv[2]), corpus, np.ones(len(corpus.documents), bool),\n"
        "                config=TokenizerConfig(vocab_size=350), inputs={})\n"
    )
    done = finish(code, corpus.folder, tmp_path / "other", PYTHONHASHSEED="3", TOKENIZERS_PARALLELISM="true")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other" / "tokenizer.json").read_bytes() == tokenizer.read_bytes()


def test_a_finished_tokenizer_is_not_trained_again_and_a_changed_size_is(tmp_path: Path, corpus: Corpus) -> None:
    path = train(tmp_path / "t", corpus)
    before = path.stat().st_mtime_ns
    assert train(tmp_path / "t", corpus).stat().st_mtime_ns == before
    train(tmp_path / "t", corpus, config=TokenizerConfig(vocab_size=300))
    assert read_record(tmp_path / "t").summary["vocab_size"] == 300


def test_the_vocabulary_has_bos_all_bytes_and_the_size_asked_for(tokenizer: Path) -> None:
    loaded = load_tokenizer(tokenizer)
    assert loaded.get_vocab_size() == 350
    assert loaded.token_to_id("<|bos|>") == BOS_ID
    assert len(set(loaded.encode("".join(map(chr, range(256)))).ids)) >= 190


def test_bos_written_in_a_document_is_text(tokenizer: Path, corpus: Corpus, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    ids = loaded.encode("a <|bos|> b").ids
    assert BOS_ID not in ids
    assert loaded.decode(ids) == "a <|bos|> b"
    for document in range(len(corpus.documents)):
        tokens = pool.tokens(document)
        assert tokens[0] == BOS_ID
        assert BOS_ID not in tokens[1:]


def test_bos_in_every_training_document_makes_no_second_bos(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "<|bos|> <|bos|><|bos|> hello"} for n in range(300)]
    loaded = load_tokenizer(train(tmp_path / "t", corpus_of(tmp_path, rows)))
    for text in ("<|bos|>", "<|bos|><|bos|>", " <|bos|>"):
        ids = loaded.encode(text).ids
        assert BOS_ID not in ids
        assert loaded.decode(ids) == text


def test_every_document_comes_back_from_its_tokens(tokenizer: Path, corpus: Corpus, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    for document in range(len(corpus.documents)):
        assert loaded.decode(pool.tokens(document)[1:].tolist(), skip_special_tokens=False) == corpus.text_of(document)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_comes_back_from_its_tokens(text: str, tokenizer: Path) -> None:
    loaded = load_tokenizer(tokenizer)
    ids = loaded.encode(text).ids
    assert loaded.decode(ids, skip_special_tokens=False) == text
    assert BOS_ID not in ids


def test_held_out_text_never_shapes_the_tokenizer(tmp_path: Path) -> None:
    secret = "zyxqjwvk"
    rows = rows_of({"a": 40, "b": 40})
    held_out = [n for n in range(80) if n % 4 == 0]
    for n in held_out:
        rows[n]["text"] = f"{secret} " * 200
    corpus = corpus_of(tmp_path, rows)
    training = np.ones(80, bool)
    training[held_out] = False
    without = merges(train(tmp_path / "without", corpus, training))
    with_it = merges(train(tmp_path / "with", corpus))
    pieces = {secret[i : i + 3] for i in range(len(secret) - 2)}
    assert any(piece in merge for merge in with_it for piece in pieces)
    assert not any(piece in merge for merge in without for piece in pieces)
    assert sum(read_record(tmp_path / "without").summary["bytes"].values()) <= int(
        corpus.documents["n_bytes"].to_numpy()[training].sum()
    )


def test_every_source_gives_equal_bytes_to_one_document(tmp_path: Path) -> None:
    rows = rows_of({"large": 400, "middle": 60, "small": 20})
    corpus = corpus_of(tmp_path, rows)
    longest = int(corpus.documents["n_bytes"].max())  # type: ignore[arg-type]
    train(tmp_path / "all", corpus)
    given = read_record(tmp_path / "all").summary["bytes"]
    small = sum(len(row["text"].encode()) for row in rows if row["source"] == "small")
    assert given.keys() == {"large", "middle", "small"}
    assert given["small"] == small
    assert all(small <= n_bytes < small + longest for n_bytes in given.values())
    train(tmp_path / "limited", corpus, config=TokenizerConfig(vocab_size=400, bytes_per_source=10_000))
    limited = read_record(tmp_path / "limited").summary["bytes"]
    assert all(min(small, 10_000) <= n_bytes < 10_000 + longest for n_bytes in limited.values())


@pytest.mark.parametrize("left", ["nothing", "empty documents"])
def test_a_source_without_training_text_stops_with_its_name(tmp_path: Path, left: str) -> None:
    rows = rows_of({"a": 5, "b": 5})
    for row in rows[5:]:
        row["text"] = "" if left == "empty documents" else row["text"]
    training = np.arange(10) < (5 if left == "nothing" else 10)
    with pytest.raises(InputError, match=r"^source b: no training text is left after holding out and excluding"):
        train(tmp_path / "t", corpus_of(tmp_path, rows), training)


def test_lengths_and_offsets_say_where_every_document_lies(corpus: Corpus, tokenizer: Path, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    expected = [[BOS_ID, *loaded.encode(corpus.text_of(n)).ids] for n in range(len(corpus.documents))]
    assert pool.lengths.dtype == pool.offsets.dtype == np.int64
    assert pool.lengths.tolist() == [len(ids) for ids in expected]
    assert pool.offsets.tolist() == [0, *np.cumsum(pool.lengths).tolist()]
    assert [pool.tokens(n).tolist() for n in range(len(expected))] == expected
    assert pool.tokens(0).dtype == np.uint16
    assert (pool.folder / "tokens.bin").stat().st_size == 2 * pool.offsets[-1]
    assert pool.record.summary == {"documents": len(expected), "tokens": sum(map(len, expected))}
    assert sorted(path.name for path in pool.folder.iterdir()) == ["lengths.parquet", "stage.json", "tokens.bin"]


def test_a_vocabulary_of_all_65536_ids_fits_the_pool() -> None:
    assert TokenizerConfig(vocab_size=65_536).vocab_size - 1 == np.iinfo(np.uint16).max


def test_one_and_two_workers_write_the_same_bytes(
    tmp_path: Path, corpus: Corpus, tokenizer: Path, pool: TokenPool
) -> None:
    assert len(corpus.shards) > 2
    other = tokenize_corpus(tmp_path / "v0", corpus, tokenizer, workers=2, inputs={})
    for path in pool.folder.iterdir():
        assert (other.folder / path.name).read_bytes() == path.read_bytes()


def test_a_shard_cut_into_parts_has_the_same_pool(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = corpus_of(tmp_path, rows_of({"a": 40}, words=50), shard_rows=30)
    whole = tokenize_corpus(tmp_path / "whole", corpus, tokenizer, workers=1, inputs={})
    monkeypatch.setattr("dq.stages.tokens.PART_BYTES", int(corpus.documents["n_bytes"].sum()) // 10)
    parts = tokenize_corpus(tmp_path / "parts", corpus, tokenizer, workers=2, inputs={})
    assert (parts.folder / "tokens.bin").read_bytes() == (whole.folder / "tokens.bin").read_bytes()
    assert parts.lengths.tolist() == whole.lengths.tolist()


TOKENIZE = """
import sys
from pathlib import Path
from dq.corpus import Corpus
from dq.stages.tokens import tokenize_corpus
if __name__ == "__main__":
    tokenize_corpus(Path(sys.argv[1]), Corpus(Path(sys.argv[2])), Path(sys.argv[3]), workers=1, inputs={})
"""

KILL_AT_REMOVAL = """
import os, signal, sys
left = 2
def die_at_the_last(event, arguments):
    global left
    if event == "os.remove" and str(arguments[0]).endswith((".part", ".lengths")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die_at_the_last)
"""


def test_a_pool_killed_while_its_parts_are_cleared_is_completed(
    tmp_path: Path, corpus: Corpus, tokenizer: Path, pool: TokenPool
) -> None:
    with python(KILL_AT_REMOVAL + TOKENIZE, tmp_path / "v0", corpus.folder, tokenizer) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert (tmp_path / "v0" / "tokens.bin").exists()
    again = tokenize_corpus(tmp_path / "v0", corpus, tokenizer, workers=1, inputs={})
    for path in pool.folder.iterdir():
        assert (again.folder / path.name).read_bytes() == path.read_bytes()


def test_a_pool_killed_between_shards_keeps_the_finished_ones(tmp_path: Path, tokenizer: Path) -> None:
    corpus = corpus_of(tmp_path, rows_of({"a": 200}, words=300), shard_rows=5)
    with python(TOKENIZE, tmp_path / "killed", corpus.folder, tokenizer) as process:
        until((tmp_path / "killed" / "00001.lengths").exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    first = tmp_path / "killed" / "00000.part"
    assert first.exists()
    assert not (tmp_path / "killed" / "stage.json").exists()
    for name in ("killed", "whole"):
        tokenize_corpus(tmp_path / name, corpus, tokenizer, workers=1, inputs={})
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / path.name).read_bytes() == path.read_bytes()
