"""Zero-copy access to Arrow string buffers.

A kernel sees a batch of texts as two arrays: ``data`` (uint8, the UTF-8 bytes of all texts one after another) and
``offsets`` (int64, n + 1 values): text i is ``data[offsets[i]:offsets[i + 1]]``. Foreign Arrow buffers promise no
padding behind the last byte, so a kernel must never read past ``offsets[n]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arguments import kind_of
from dq.arrays import I64, U8
from dq.errors import InputError

Texts: TypeAlias = "Sequence[str] | pl.Series | pa.Array | pa.ChunkedArray | TextBatch"
"""What every public function takes: a list of str, a polars Series, or an Arrow string array."""


FEW_TEXTS = 16
MAX_COLUMNS = 24  # that a message lists
STRINGS = ("string", "large_string")  # types of features of `datasets`


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
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
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
    _refuse_what_holds_no_texts(texts)
    if isinstance(texts, (pa.Array, pa.ChunkedArray)):
        return texts
    if hasattr(texts, "to_arrow"):
        return texts.to_arrow()
    try:
        return string_array(texts) if isinstance(texts, (list, tuple)) else pa.array(texts, type=pa.large_string())
    except UnicodeEncodeError:
        return _as_arrow([_without_surrogates(text) for text in texts])
    except (pa.ArrowException, pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"texts must be a list of strings: {_first_fault(texts, error)}") from None


def _refuse_what_holds_no_texts(texts: Any) -> None:
    """One text, a table and a mapping are what people pass in place of a list of texts."""
    if isinstance(texts, (str, bytes, bytearray)):
        raise InputError(f"texts must be a list of strings, not {kind_of(texts)}; wrap it in a list: [text]")
    if not isinstance(texts, (pa.Array, pa.ChunkedArray, pl.Series)) and (columns := _text_columns(texts)) is not None:
        there = f"its columns of text are {', '.join(columns)}" if columns else "it has no column of text"
        select = f"select one, as in table[{columns[0]!r}]" if columns else "select one that has"
        raise InputError(f"texts must be one column, not {kind_of(texts)}; {there}: {select}")
    if isinstance(texts, (Mapping, Set)) or not isinstance(texts, Iterable):
        raise InputError(f"texts must be a list of strings, not {kind_of(texts)}")


def _text_columns(table: Any) -> list[str] | None:
    """The columns of text of a table of whatever library, at most a few dozen; None of anything else.

    Known by what they answer to, so that no library is imported for it.
    """
    if isinstance(table, (pl.DataFrame, pl.LazyFrame)):
        return [name for name, kind in table.collect_schema().items() if kind == pl.String][:MAX_COLUMNS]
    if isinstance(table, (pa.Table, pa.RecordBatch)):
        return [field.name for field in table.schema if "string" in str(field.type)][:MAX_COLUMNS]
    if hasattr(table, "columns") and hasattr(table, "iloc"):  # pandas
        kinds = zip(table.columns, table.dtypes, strict=True)
        return [str(name) for name, kind in kinds if str(kind) in ("object", "str", "string")][:MAX_COLUMNS]
    if hasattr(table, "features") and hasattr(table, "column_names"):  # datasets
        features = table.features or {}
        return [name for name, kind in features.items() if getattr(kind, "dtype", "") in STRINGS][:MAX_COLUMNS]
    return None


def _first_fault(texts: Any, error: Exception) -> str:
    """Which text is none, where that can be told; else what the library said."""
    if isinstance(texts, (list, tuple)):
        for at, text in enumerate(texts):
            if not (text is None or isinstance(text, str)):
                return f"number {at} (from 0) is {kind_of(text)}"
    return str(error).partition("\n")[0]


def arrow_array(batch: TextBatch) -> pa.LargeStringArray:
    """A batch as an Arrow array, without a copy."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(batch.offsets)), pa.py_buffer(batch.data)]
    return pa.LargeStringArray.from_buffers(len(batch), buffers[1], buffers[2])


def string_array(texts: Iterable[str | None]) -> pa.LargeStringArray:
    """Texts as an Arrow array; ``pa.array`` would import pandas, where installed: 0.3 s of a first call.

    A few are put together here: a column of polars costs as much as 20 of them, and small files make many columns.
    """
    texts = list(texts)
    if len(texts) > FEW_TEXTS or any(text is None for text in texts):
        return pl.Series(texts, dtype=pl.String).to_arrow()
    parts = [str.encode(text) for text in texts if text is not None]
    ends = np.array([0, *accumulate(map(len, parts))], np.int64)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(parts)))


def _without_surrogates(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
