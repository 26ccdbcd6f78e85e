"""Tokens back to text, for people and for trainers that have a tokenizer of their own.

A byte-level tokenizer's tokens are bytes, and a piece may end within a character: it belongs to the piece in which it
begins, so that the pieces of a document are its text, each character once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dq.arrays import Array
from dq.stages.encoder import load_tokenizer

MOST_BYTES = 4  # of a character


class Decoder:
    """Text of tokens, by a ``tokenizer.json``."""

    def __init__(self, file: Path) -> None:
        self._tokenizer = load_tokenizer(file)
        about = json.loads(file.read_text("utf-8"))
        self._bytes = _table(self._tokenizer, about) if _is_byte_level(about.get("decoder")) else None

    def text(self, tokens: Array, following: Array) -> str:
        """The text of a piece.

        Args:
            tokens: of the piece, without BOS.
            following: the next few of its document, in which a character that begins in the piece may end.
        """
        if self._bytes is None:
            return str(self._tokenizer.decode(tokens.tolist(), skip_special_tokens=False))
        own = self._joined(tokens.tolist())
        begin, missing = _continued(own), _missing(own)
        if missing:
            behind = self._joined(following.tolist())[:missing]
            own += behind[: _continued(behind)]
        return own[begin:].decode(errors="replace")

    def _joined(self, ids: Sequence[int]) -> bytes:
        assert self._bytes is not None, "a byte-level tokenizer"
        return b"".join(map(self._bytes.__getitem__, ids))


def _continued(text: bytes) -> int:
    """Bytes at the beginning that belong to a character before it."""
    return next((at for at, byte in enumerate(text[:MOST_BYTES]) if byte & 0xC0 != 0x80), len(text[:MOST_BYTES]))


def _missing(text: bytes) -> int:
    """Bytes that the last character still needs."""
    for at in range(1, min(len(text), MOST_BYTES) + 1):
        byte = text[-at]
        if byte & 0xC0 != 0x80:
            size = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return max(0, size - at)
    return 0


def _is_byte_level(decoder: Any) -> bool:
    """Whether tokens stand for bytes and nothing is done to them afterwards."""
    if not isinstance(decoder, dict):
        return False
    inner = decoder.get("decoders", [])
    return decoder.get("type") == "ByteLevel" or (len(inner) == 1 and _is_byte_level(inner[0]))


def _table(tokenizer: Any, about: dict[str, Any]) -> list[bytes]:
    """The bytes of every token; those that were added to the vocabulary stand for their own text."""
    alphabet, added = _alphabet(), {one["id"] for one in about.get("added_tokens", ())}
    found = []
    for number in range(max(tokenizer.get_vocab().values()) + 1):
        token = tokenizer.id_to_token(number) or ""  # numbers may have gaps
        plain = number in added or any(letter not in alphabet for letter in token)
        found.append(token.encode() if plain else bytes(map(alphabet.__getitem__, token)))
    return found


@cache
def _alphabet() -> dict[str, int]:
    """GPT-2's letters for the 256 bytes: itself where a byte is a visible character, else one from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + at): byte for at, byte in enumerate(others)}
