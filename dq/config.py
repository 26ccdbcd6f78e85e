"""YAML 1.2 into strict, frozen models; fingerprints of configurations.

YAML is read as data only: no tags, no anchors (an alias bomb cannot grow), bounded in size and depth. Scalars follow
the core schema of YAML 1.2 (`no` is a word, `017` is seventeen), and integers may be grouped as in `300_000`. Every
fault is one line that names the file, the line, the field and, for an unknown key, the nearest valid one.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from dq.errors import ConfigError, nearest

MAX_CONFIG_BYTES = 200_000  # the parser takes some 5 s for so much; a study of a thousand variants is half of it
MAX_DEPTH = 32
MAX_SHOWN = 80  # characters of a wrong value or key that a message repeats

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of every configuration: frozen, unknown keys are errors, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def own_modules(self) -> tuple[str, ...]:
        """Optional modules that what this one configures needs, its parts aside."""
        return ()

    def modules(self) -> set[str]:
        """Optional modules that what it configures needs, for `require_all` before the work begins."""
        return set(self.own_modules).union(*(_modules(value) for _, value in self))


def _modules(value: Any) -> set[str]:
    if isinstance(value, StrictModel):
        return value.modules()
    if isinstance(value, (tuple, list, dict)):
        return set[str]().union(*map(_modules, value.values() if isinstance(value, dict) else value))
    return set()


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no white space, models as plain objects."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain, allow_nan=False)


def fingerprint(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a value: equal exactly where the values are equal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


class FieldFault(ValueError):  # noqa: N818
    """What is wrong between the fields of a model, and which of them a user would change: its line is named.

    Args:
        message: what is wrong, without the field's name.
        keys: the field, seen from the model whose validator raises this.
    """

    def __init__(self, message: str, *keys: str | int) -> None:
        super().__init__(message)
        self.keys = keys


def load_yaml(path: str | Path, model: type[Model], *, check: Callable[[Model], None] | None = None) -> Model:
    """Read a YAML file into a model.

    Args:
        path: the file.
        model: what it becomes.
        check: raises a FieldFault where the model is wrong in a way that its type does not know of.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit the model; one line that names file, line,
            field and remedy.
    """
    path = Path(path)
    text = _read(path)
    try:
        root = _parse(text)
        # JSON semantics let strict models accept what YAML can write: lists for tuples, strings for enums.
        made = model.model_validate_json(json.dumps(_plain_data(root)))
        if check is not None:
            check(made)
    except _FaultError as fault:
        raise ConfigError(f"{path}:{fault.line}: {_one_line(str(fault))}") from None
    except FieldFault as fault:
        place = f"{path}:{_line_of(root, fault.keys)}"
        raise ConfigError(f"{place}: {_one_line(f'`{_shown(_dotted(fault.keys))}`: {fault}')}") from None
    except pydantic.ValidationError as error:
        line, message = _explain(root, model, error)
        raise ConfigError(f"{path}:{line}: {_one_line(message)}") from None
    return made


def checked(model: type[Model], values: Mapping[str, Any], *, names: Mapping[str, str] = {}) -> Model:
    """A model of values that came as arguments, checked like a file.

    Args:
        model: what they become.
        values: by the model's fields.
        names: the argument behind a field, where it is called otherwise.

    Raises:
        ConfigError: a value does not fit; its ``field`` is the argument.
    """
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        message = fault["msg"].removeprefix("Value error, ")
        keys = (*fault["loc"], *_fault_keys(fault))
        if not fault["loc"]:  # the values do not go together
            raise ConfigError(message, field=names.get(str(keys[0]), str(keys[0])) if keys else None) from None
        field = str(keys[0])
        shown = _shown(repr(fault["input"]))
        raise ConfigError(f"{message} (got {shown})", field=names.get(field, field)) from None


def place_of(model: type[BaseModel], field: str) -> str | None:
    """Where a field of that name stands in a file that is read into ``model``: ``read.max_bad_fraction``.

    Of several, the one that is nested least; None if there is none.
    """
    level: list[tuple[str, type[BaseModel]]] = [("", model)]
    while level:
        for prefix, inner in level:
            if field in inner.model_fields:
                return prefix + field
        level = [
            (f"{prefix}{name}.", member)
            for prefix, inner in level
            for name, info in inner.model_fields.items()
            for member in _models_in(_item_of(info.annotation))
        ]
    return None


def _item_of(annotation: Any) -> Any:
    """The type of the items of a list or tuple; any other type itself."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) in (list, tuple) else annotation


class _FaultError(Exception):
    """What is wrong with the YAML, and on which line (from 1)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class _Node:
    """A value and the line it begins on: for a value in a mapping, the line of its key."""

    line: int
    content: str | int | float | bool | dict[str, _Node] | list[_Node] | None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes; is this a configuration file?")
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `dq recipes list` shows the recipes that ship with dq") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; name a YAML file") from None


def _parse(text: str) -> _Node:
    """The one document of a YAML text, which must be a mapping."""
    try:
        documents = list(_documents(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _FaultError(line, f"not valid YAML: {error.problem}") from None
    except YAMLError as error:
        # A character that YAML forbids: the error has its position in the text, if anything.
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        raise _FaultError(line, f"not valid YAML: {str(error).partition(chr(10))[0]}") from None
    if not documents or not isinstance(documents[0].content, dict):
        raise _FaultError(1, "expected `key: value` lines")
    if len(documents) > 1:
        raise _FaultError(documents[1].line, "a second document begins; one file is one configuration")
    return documents[0]


def _documents(events: Iterator[Any]) -> Iterator[_Node]:
    for event in events:
        if isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 2)):
            raise _FaultError(event.start_mark.line + 1, "only YAML 1.2 is read; take the %YAML line out")
        if isinstance(event, NodeEvent):
            yield _node(event, events, line=event.start_mark.line + 1, depth=0)


def _node(event: Any, events: Iterator[Any], *, line: int, depth: int) -> _Node:
    """The node that begins with ``event``; takes the events of its children."""
    at = event.start_mark.line + 1
    if event.anchor is not None:
        sign = "*" if isinstance(event, AliasEvent) else "&"
        raise _FaultError(at, f"anchors and aliases ({sign}{event.anchor}) are not read; write the value out")
    if event.tag is not None:
        raise _FaultError(at, f"tags ({event.tag}) are not read; write a plain value")
    if isinstance(event, ScalarEvent):
        return _Node(line, _scalar(event))
    if depth >= MAX_DEPTH:
        raise _FaultError(at, f"nested more than {MAX_DEPTH} levels deep; is this a configuration file?")
    if isinstance(event, SequenceStartEvent):
        return _Node(line, list(_items(events, depth=depth + 1)))
    assert isinstance(event, MappingStartEvent)
    children: dict[str, _Node] = {}
    for key, child in _pairs(events, depth=depth + 1):
        if key in children:
            raise _FaultError(child.line, f"key `{key}` is written twice, first on line {children[key].line}")
        children[key] = child
    return _Node(line, children)


def _items(events: Iterator[Any], *, depth: int) -> Iterator[_Node]:
    while not isinstance(event := next(events), SequenceEndEvent):
        yield _node(event, events, line=event.start_mark.line + 1, depth=depth)


def _pairs(events: Iterator[Any], *, depth: int) -> Iterator[tuple[str, _Node]]:
    while not isinstance(event := next(events), MappingEndEvent):
        line = event.start_mark.line + 1
        key = _node(event, events, line=line, depth=depth)
        if isinstance(key.content, (dict, list)):
            raise _FaultError(line, "a key must be one word, not a list or a mapping")
        yield str(event.value), _node(next(events), events, line=line, depth=depth)


_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def _scalar(event: ScalarEvent) -> str | int | float | bool | None:
    """The value of a scalar by the core schema of YAML 1.2 (chapter 10.3.2), which has five kinds."""
    text, line = str(event.value), event.start_mark.line + 1
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _FaultError(line, "a lone surrogate is not a character; write the character itself")
    if event.style is not None:  # quoted, or a block
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text) and len(text) <= MAX_SHOWN:
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and not math.isfinite(float(text))):
        raise _FaultError(line, f"{_shown(text)} is not a number that a setting can have")
    return float(text) if _FLOAT.fullmatch(text) else text


def _plain_data(node: _Node) -> Any:
    if isinstance(node.content, dict):
        return {key: _plain_data(child) for key, child in node.content.items()}
    if isinstance(node.content, list):
        return [_plain_data(child) for child in node.content]
    return node.content


def _one_line(message: str) -> str:
    """What a file holds must not break the line or drive the terminal."""
    return "".join(char if char.isprintable() else " " for char in message)


def _shown(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _explain(root: _Node, model: type[BaseModel], error: pydantic.ValidationError) -> tuple[int, str]:
    """Line and message of the first fault of a validation, the unknown keys before everything they cause."""
    fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    unknown = fault["type"] == "extra_forbidden"
    location = fault["loc"][:-1] if unknown else fault["loc"]
    keys, annotation = _keys_of(model, location)
    keys += _fault_keys(fault)
    line = _line_of(root, [*keys, fault["loc"][-1]] if unknown else keys)
    if unknown:
        valid = sorted({name for member in _models_in(annotation) for name in member.model_fields})
        key = str(fault["loc"][-1])
        return line, nearest(key, valid, what="key", shown=_dotted([*keys, key]))
    field = f"`{_shown(_dotted(keys))}`"
    if fault["type"] == "missing":
        return line, f"{field} is missing"
    message = fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], (dict, list)) else f" (got {_shown(repr(fault['input']))})"
    return line, f"{field + ': ' if keys else ''}{message}{given}"


def _fault_keys(fault: Any) -> Sequence[str | int]:
    """The keys that a FieldFault of a validator names."""
    error = fault.get("ctx", {}).get("error")
    return error.keys if isinstance(error, FieldFault) else ()


def _dotted(keys: Sequence[str | int]) -> str:
    return ".".join(str(key) for key in keys)


def _line_of(root: _Node, keys: Sequence[str | int]) -> int:
    node = root
    for key in keys:
        if isinstance(node.content, dict) and key in node.content:
            node = node.content[str(key)]
        elif isinstance(node.content, list) and isinstance(key, int) and key < len(node.content):
            node = node.content[key]
    return node.line


def _keys_of(annotation: Any, location: Sequence[str | int]) -> tuple[list[str | int], Any]:
    """The keys of the file that a location of pydantic leads through, and the type of what is there.

    A location names, besides keys, the member of a union that was tried: by its discriminator's value or its name.
    """
    keys: list[str | int] = []
    for part in location:
        members = _members(annotation)
        if len(members) > 1:
            annotation = next((member for member in members if _is_called(member, part)), None)
            continue
        annotation = members[0] if members else None
        keys.append(part)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:  # a list, tuple or dict: its last argument that is a type is that of its items
            arguments = [argument for argument in typing.get_args(annotation) if argument is not Ellipsis]
            annotation = arguments[-1] if arguments else None
    return keys, annotation


def _members(annotation: Any) -> list[Any]:
    """The members of a union without None; of any other type, itself."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        arguments = typing.get_args(annotation)
        return [member for argument in arguments if argument is not type(None) for member in _members(argument)]
    return [] if annotation is None else [annotation]


def _is_called(member: Any, label: str | int) -> bool:
    if not (isinstance(member, type) and issubclass(member, BaseModel)):
        return str(getattr(member, "__name__", member)) == label
    tags = [typing.get_args(field.annotation) for field in member.model_fields.values()]
    # A member with validators of its own is called `function-after[_check(), Member]`.
    return member.__name__ == label or str(label).endswith(f" {member.__name__}]") or (label,) in tags


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    return [member for member in _members(annotation) if isinstance(member, type) and issubclass(member, BaseModel)]
