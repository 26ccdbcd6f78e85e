"""A tokenizer of the user's: a ``tokenizer.json`` as Hugging Face's library writes it, used as it is.

Bits per byte are those of the text only where tokens hold all of it: a tokenizer that meets unknown characters is
refused, and how many sampled texts come back otherwise (lower case, another normal form) is counted. Its long runs are
not cut: what its library takes for a document of megabytes without a space is its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dq.errors import ConfigError, InputError, nearest, require

MAX_BYTES = 256_000_000  # the largest vocabularies in use (256k entries) take 40 MB
USUAL_BOS = (
    "<|bos|>",
    "<bos>",
    "<s>",
    "<|begin_of_text|>",
    "<|startoftext|>",
    "<|endoftext|>",
    "[CLS]",
    "</s>",
    "<|end_of_text|>",
)
"""Names for what begins a document, then for what ends one: it stands between two either way."""


def read_tokenizer_file(path: str) -> str:
    """The content of a tokenizer's file.

    Raises:
        InputError: there is no such file, or it is none of a tokenizer.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError(f"{path}: no such file; name a tokenizer.json", field="tokenizer.file")
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: over {MAX_BYTES:,} bytes; a tokenizer.json is smaller", field="tokenizer.file")
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error.strerror})"
        raise InputError(f"{path}: {reason}; name a tokenizer.json", field="tokenizer.file") from None


def take_own(path: str, *, bos: str | None, texts: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """The content of the file, and what its record says: entries, BOS, and how many texts came back otherwise.

    Args:
        path: of the file.
        bos: the token that begins a document; None: the first of the usual names that it has.
        texts: a sample of what it is for.

    Raises:
        ConfigError: BOS is not in it.
        InputError: it is no tokenizer, or has no token for some text.
    """
    content = read_tokenizer_file(path)
    try:
        tokenizer = require("tokenizers").Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: no tokenizer.json ({reason})", field="tokenizer.file") from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    token = _bos(tokenizer, bos, path=path)
    unknown, inexact, of = unknown_id(content, tokenizer), 0, 0
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if unknown is not None and unknown in ids:
            raise InputError(
                f"{path}: has no token for something in the corpus ({tokenizer.id_to_token(unknown)!r} stands for it); "
                "bits per byte would leave that out: take a byte-level tokenizer",
                field="tokenizer.file",
            )
        inexact, of = inexact + (tokenizer.decode(ids, skip_special_tokens=False) != text), of + 1
    entries = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
    return content, {
        "vocab_size": entries,
        "bos": token,
        "bos_id": tokenizer.token_to_id(token),
        "inexact": [inexact, of],
    }


def _bos(tokenizer: Any, stated: str | None, *, path: str) -> str:
    special = sorted(str(one.content) for one in tokenizer.get_added_tokens_decoder().values() if one.special)
    if stated is not None:
        if tokenizer.token_to_id(stated) is None:
            raise ConfigError(f"{path}: {nearest(stated, special, what='special token')}", field="tokenizer.bos")
        return stated
    found = next((name for name in USUAL_BOS if tokenizer.token_to_id(name) is not None), None)
    if found is None:
        named = ", ".join(special[:10]) or "none"
        raise ConfigError(
            f"{path}: which token begins a document? name one under `tokenizer.bos` (special tokens: {named})",
            field="tokenizer.bos",
        )
    return found


def unknown_id(content: str, tokenizer: Any) -> int | None:
    """The number of the token for what has none, if there is one."""
    model = json.loads(content)["model"]
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    token = model.get("unk_token")
    return None if token is None else tokenizer.token_to_id(token)
