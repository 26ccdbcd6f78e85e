"""The files beside a model's weights with which `AutoTokenizer`, `generate` and lm-evaluation-harness use it. No torch.

Every document of training and evaluation begins with BOS, so the tokenizer puts it there; without it a model is judged
on text that it has never met. BOS is also the end of a document and the padding: there is no other special token.

Text that spells BOS stays text. `transformers` looks special tokens up in a text unless `split_special_tokens` is set,
and `tokenizers` looks up what `added_tokens` lists: BOS is taken from the list where it is an entry of the vocabulary
as well, which no merge of bytes makes and its id alone reaches.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dq.store.files import write_json_atomic

TOKENIZER, TOKENIZER_CONFIG, GENERATION_CONFIG = "tokenizer.json", "tokenizer_config.json", "generation_config.json"


def has_tokenizer(folder: Path) -> bool:
    """Whether `save_tokenizer` has written everything; the configuration is its last file."""
    return (folder / TOKENIZER_CONFIG).exists()


def save_tokenizer(folder: Path, tokenizer: Path, *, bos: str, bos_id: int, context: int) -> None:
    """Write tokenizer.json, generation_config.json and tokenizer_config.json beside a model.

    Args:
        folder: of the model.
        tokenizer: the file that `tokenizers` wrote.
        bos: the token that begins a document.
        bos_id: its number.
        context: tokens the model reads at once.
    """
    encoder = json.loads(tokenizer.read_text("utf-8"))
    in_vocabulary = bos in encoder["model"]["vocab"]
    added = [one for one in encoder["added_tokens"] if not (in_vocabulary and one["content"] == bos)]
    write_json_atomic(folder / TOKENIZER, {**encoder, "added_tokens": added, "post_processor": _first(bos, bos_id)})
    special = {"bos_token_id": bos_id, "eos_token_id": bos_id, "pad_token_id": bos_id}
    write_json_atomic(folder / GENERATION_CONFIG, special)
    write_json_atomic(
        folder / TOKENIZER_CONFIG,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": bos,
            "eos_token": bos,
            "pad_token": bos,
            "padding_side": "left",  # `generate` goes on from the last token
            "split_special_tokens": True,
            "clean_up_tokenization_spaces": False,
            "model_max_length": context,
        },
    )


def _first(bos: str, bos_id: int) -> dict[str, Any]:
    """What puts BOS before the tokens of a text, or of a pair of texts."""
    special = {"SpecialToken": {"id": bos, "type_id": 0}}
    one, other = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [special, one],
        "pair": [special, one, other],
        "special_tokens": {bos: {"id": bos, "ids": [bos_id], "tokens": [bos]}},
    }
