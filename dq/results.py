"""What functions of dq return: records that turn into JSON in one way, for files, machines and the command line."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Result:
    """Base of the records: ``to_dict`` gives what ``--json`` prints."""

    def record(self) -> dict[str, Any]:
        """What belongs into JSON, by name: every field. A subclass may choose, and add what follows from the fields."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values: dicts, lists, strings, numbers, None."""
        return {name: plain(value) for name, value in self.record().items()}


def plain(value: Any) -> Any:
    """A value as JSON has it: tables become rows, paths text, and what is no number (NaN, infinity) null."""
    if isinstance(value, Result):
        value = value.record()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "to_dicts"):  # a polars DataFrame, which this module need not load
        value = value.to_dicts()
    elif hasattr(value, "model_dump"):  # a pydantic model
        value = value.model_dump(mode="json")
    elif isinstance(value, enum.Enum):
        value = value.value
    elif isinstance(value, Path):
        value = str(value)
    elif isinstance(value, float) and not math.isfinite(value):
        value = None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value
