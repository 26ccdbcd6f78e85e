"""Texts as the ids of a tokenizer: those of Hugging Face's `tokenizers`, by a library that finds them sooner.

`fastokens` reads the same ``tokenizer.json`` and remembers what pieces of text become: ten times the speed and more.
It is asked where it is installed, can read the file, and gives the ids of `tokenizers` for texts that are hard to get
right (`PROBES`) and for the first texts that it meets; else `tokenizers` is. It always is for pieces with long runs,
for which our own tokenizer has a rule that `fastokens` cannot compile.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import I64, U32
from dq.errors import MissingExtraError, require
from dq.text import Texts, arrow_array, rows_with_long_runs, text_batch

MAX_RUN_CHARS = 500  # the longest words have 190 letters
LONG_RUNS = "|".join(f"{kind}{{{MAX_RUN_CHARS}}}" for kind in (r"\p{L}", r"\p{N}", r"\s", r"[^\s\p{L}\p{N}]"))
"""What our own tokenizer cuts out of a text before anything else."""
BETWEEN_WORDS = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")  # where GPT-2's rule cuts, whatever else is there
PIECE_CHARS = 4000
MAX_ADDED = 300  # tokens of a file that are probed
TRIED_CHARS = 200_000  # of the first texts, which both libraries encode: a tenth of a second of the slower one
PROBED = ("a", "Z", "é", "漢", "\u0301", "9", "١", "²", ".", "'s", "'LL", "’", "_", "😀", " ", "\u00a0", "\u3000", "\n")
MORE_PROBED = ("\t", "\r\n", "\x00", "\x1c", "\x85", "\u200d", "\ufb01", "ſ", "A\u030a", "\u212b", "가", "ក", "İ")
PROBES = tuple("".join(three) for three in product((*PROBED, *MORE_PROBED), PROBED, ("", "x", " ", " 1", "\n\n.")))
"""Every transition between kinds of characters, contractions and normal forms."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """The ids of texts, one text after another.

    Attributes:
        ids: uint32 (tokens,).
        offsets: int64 (texts + 1,), where each text begins among them.
    """

    ids: U32
    offsets: I64

    def rows(self) -> list[U32]:
        """The ids of each text: uint32."""
        return np.split(self.ids, self.offsets[1:-1]) if len(self.offsets) > 1 else []


class Encoder:
    """Encodes texts by a ``tokenizer.json``. Special tokens are never added, and written in a text they are text."""

    def __init__(self, path: Path) -> None:
        content = path.read_text("utf-8")
        self._library, self._fast, self._tried = load_tokenizer(path), None, False
        shortened, self._max_run = _without_long_runs(content)
        fast = _fast_tokenizer(shortened)
        if fast is not None and self._agree(fast, content):
            self._fast = fast

    @property
    def is_fast(self) -> bool:
        """Whether the faster library is used."""
        return self._fast is not None

    def encode(self, texts: Texts) -> Encoded:
        """The ids of every text."""
        batch = text_batch(texts)
        rows = arrow_array(batch).to_pylist()
        if not self._tried and rows:
            self._try(rows)
        if self._fast is None:
            return _joined(self._by_library(rows))
        long = rows_with_long_runs(batch, self._max_run).tolist() if self._max_run else []
        found = {row: self._in_pieces(rows[row]) for row in long}
        encoded = _by_fast(self._fast, ["" if row in found else text for row, text in enumerate(rows)])
        return _joined([found.get(row, ids) for row, ids in enumerate(encoded.rows())]) if found else encoded

    def _try(self, rows: Sequence[str]) -> None:
        """Compare the libraries on real texts, where probes were not enough."""
        first = [text[: MAX_RUN_CHARS - 1] for text in rows[: TRIED_CHARS // MAX_RUN_CHARS]]  # too short for long runs
        self._tried = True
        if self._fast is not None and not _equal(_by_fast(self._fast, first), _joined(self._by_library(first))):
            self._fast = None

    def _in_pieces(self, text: str) -> U32:
        """The ids of a text with long runs somewhere."""
        pieces = _cut(text)
        long = rows_with_long_runs(text_batch(pieces), self._max_run).tolist()
        found = dict(zip(long, self._by_library([pieces[at] for at in long]), strict=True))
        encoded = _by_fast(self._fast, ["" if at in found else piece for at, piece in enumerate(pieces)])
        return np.concatenate([found.get(at, ids) for at, ids in enumerate(encoded.rows())])

    def _by_library(self, texts: Sequence[str]) -> list[U32]:
        encodings = self._library.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, np.uint32) for encoding in encodings]

    def _agree(self, fast: Any, content: str) -> bool:
        """Whether the libraries give equal ids for what is hard to get right, and for the file's own added tokens."""
        added = [str(token["content"]) for token in json.loads(content).get("added_tokens") or ()]
        probes = [*PROBES, *(f"a{token}b {token} c\n{token}{token}" for token in added[:MAX_ADDED])]
        try:
            theirs = _by_fast(fast, probes)
        except Exception:  # the library raises nothing narrower
            return False
        return _equal(theirs, _joined(self._by_library(probes)))


def load_tokenizer(path: Path) -> Any:
    """A tokenizer that reads text as text: ``<|bos|>`` written in a document is nine characters, not BOS.

    All of a text: the lengths that a file asks for are those of somebody's batches.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # workers are processes
    tokenizer = require("tokenizers").Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _fast_tokenizer(content: str) -> Any:
    """The faster library's tokenizer, or None where it is not installed or does not read the file."""
    os.environ.setdefault("FASTOKENS_BPE_THREADS", "1")
    try:
        tokenizer = require("fastokens").Tokenizer.from_json_str(content)
        tokenizer.no_truncation()
        tokenizer.no_padding()
    except MissingExtraError:
        return None
    except Exception:  # the library raises nothing narrower
        return None
    return tokenizer


def _by_fast(tokenizer: Any, texts: list[str]) -> Encoded:
    ids, offsets = tokenizer.encode_batch_flat(texts, split_special_tokens=True)
    return Encoded(np.frombuffer(ids, "<u4"), np.frombuffer(offsets, "<u8").astype(np.int64))


def _equal(one: Encoded, other: Encoded) -> bool:
    return np.array_equal(one.offsets, other.offsets) and np.array_equal(one.ids, other.ids)


def _joined(rows: Sequence[U32]) -> Encoded:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Encoded(np.concatenate([np.zeros(0, np.uint32), *rows]), offsets)


def _cut(text: str) -> list[str]:
    """A text in pieces whose ids are those of the text."""
    places = [0]
    for match in BETWEEN_WORDS.finditer(text):
        if match.start() >= places[-1] + PIECE_CHARS:
            places.append(match.start())
    return [text[start:end] for start, end in pairwise([*places, len(text)])]


def _without_long_runs(content: str) -> tuple[str, int]:
    """A tokenizer's file without the rule for long runs, and of how many characters they are; 0 where it has none."""
    tokenizer = json.loads(content)
    pieces: list[dict[str, Any]] = (tokenizer.get("pre_tokenizer") or {}).get("pretokenizers") or []
    if len(pieces) != 2 or (pieces[0].get("pattern") or {}).get("Regex") != LONG_RUNS:
        return content, 0
    tokenizer["pre_tokenizer"] = pieces[1]  # alone: a list of one takes the library ten times as long
    return json.dumps(tokenizer), MAX_RUN_CHARS
