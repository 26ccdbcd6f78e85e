"""Zero-copy access to Arrow string buffers.

A kernel sees a batch of texts as two arrays: ``data`` (uint8, the UTF-8 bytes of all texts one after another) and
``offsets`` (int64, n + 1 values): text i is ``data[offsets[i]:offsets[i + 1]]``. Foreign Arrow buffers promise no
padding behind the last byte, so a kernel must never read past ``offsets[n]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arrays import I64, U8
from dq.errors import InputError

Texts: TypeAlias = "Sequence[str] | pl.Series | pa.Array | pa.ChunkedArray | TextBatch"
"""What every public function takes: a list of str, a polars Series, or an Arrow string array."""


@dataclass(frozen=True)
class TextBatch:
    """UTF-8 bytes (uint8) and offsets (int64, n + 1) of n texts; nulls are empty texts."""

    data: U8
    offsets: I64

    def __len__(self) -> int:
        return len(self.offsets) - 1


def text_batch(texts: Texts) -> TextBatch:
    """View texts as bytes and offsets, copying only what is not already one Arrow buffer.

    Lone surrogates in Python strings become U+FFFD, as everywhere in dq.

    Raises:
        InputError: the array is not of strings.
    """
    if isinstance(texts, TextBatch):
        return texts
    array = _as_arrow(texts)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if pa.types.is_null(array.type):
        array = array.cast(pa.large_string())
    if not (pa.types.is_large_string(array.type) or pa.types.is_string(array.type)):
        if not pa.types.is_string_view(array.type):
            raise InputError(f"texts must be strings, not {array.type}; select the text column first")
        array = array.cast(pa.large_string())
    if array.null_count:
        array = array.fill_null("")
    wide = pa.types.is_large_string(array.type)
    _, offset_buffer, data_buffer = array.buffers()
    dtype = np.int64 if wide else np.int32
    if offset_buffer is None or len(array) == 0:
        return TextBatch(np.zeros(0, np.uint8), np.zeros(len(array) + 1, np.int64))
    offsets = np.frombuffer(offset_buffer, dtype=dtype)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return TextBatch(data, offsets.astype(np.int64, copy=False))


def _as_arrow(texts: Any) -> Any:
    if isinstance(texts, (pa.Array, pa.ChunkedArray)):
        return texts
    if hasattr(texts, "to_arrow"):
        return texts.to_arrow()
    if isinstance(texts, str):
        raise InputError("texts must be a list of strings, not one string; wrap it in a list")
    try:
        return string_array(texts) if isinstance(texts, (list, tuple)) else pa.array(texts, type=pa.large_string())
    except UnicodeEncodeError:
        return _as_arrow([_without_surrogates(text) for text in texts])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        raise InputError(f"texts must be a list of strings: {str(error).splitlines()[0]}") from None


def arrow_array(batch: TextBatch) -> pa.LargeStringArray:
    """A batch as an Arrow array, without a copy."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(batch.offsets)), pa.py_buffer(batch.data)]
    return pa.LargeStringArray.from_buffers(len(batch), buffers[1], buffers[2])


def string_array(texts: Iterable[str | None]) -> pa.LargeStringArray:
    """Texts as an Arrow array; ``pa.array`` would import pandas, where installed: 0.3 s of a first call."""
    return pl.Series(list(texts), dtype=pl.String).to_arrow()


def _without_surrogates(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
