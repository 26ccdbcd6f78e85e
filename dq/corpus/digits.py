"""JSON whose numbers keep every digit: what no 64-bit number holds is carried as it was written.

orjson makes a float of an integer past 64 bits and of a decimal of more than 17 digits. Few rows have such: those that
may are read again by the standard library, which hands over the digits.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

# 18 digits from the first that counts, or an exponent past the floats': what an exact float never needs.
_LONG = re.compile(rb"[1-9](?:\.?[0-9]){17}|[0-9.][eE][-+]?[0-9]{3}")
_MAY_HOLD = frozenset((float, dict, list))
_SHORT = 18  # digits of an integer that 64 bits hold, whatever they are
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


class Digits(str):
    """A number as it was written, which no number of the machine holds."""

    __slots__ = ()


def exact(fields: Any, line: bytes) -> Any:
    """What orjson read of a line, with the digits of its numbers where it has lost some."""
    if type(fields) is not dict or _MAY_HOLD.isdisjoint(map(type, fields.values())) or not _LONG.search(line):
        return fields
    return loads(line)


def loads(line: bytes) -> Any:
    """The value of a line by the standard library, NaN and Infinity included: ``json.dumps`` writes them.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    text = line.decode("utf-8")
    return json.loads(text, strict=False, parse_int=_integer, parse_float=_decimal, parse_constant=float)


def _integer(written: str) -> int | Digits:
    if len(written) <= _SHORT:
        return int(written)
    if len(written) <= _SHORT + 3 and -(2**63) <= (value := int(written)) < 2**64:
        return value
    return Digits(written)


def _decimal(written: str) -> float | Digits:
    value = float(written)
    return value if math.isfinite(value) and Decimal(written) == Decimal(repr(value)) else Digits(written)


def dumps(fields: Any) -> str | None:
    """A value as JSON text, every digit kept and NaN null; None where it is nested too deep to be written.

    By orjson, else (nesting over 254 levels, integers over 64 bits) by the standard library.
    """
    try:
        return orjson.dumps(fields, default=_plain, option=_OPTIONS).decode()
    except TypeError:
        pass
    try:
        return json.dumps(fields, default=str, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    if type(value) is Digits:
        return orjson.Fragment(value.encode())
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f")) if value.is_finite() else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
