"""YAML 1.2 into strict, frozen models; fingerprints of configurations.

What is read of YAML says `dq.yaml`. Every fault is one line that names the file, the line, the field and, for an
unknown key, the nearest valid one; of values given in Python, the model and the field.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from dq.errors import ConfigError, nearest
from dq.yaml import Node, YamlFaultError, line_of, parse_yaml, plain_data, shown

MAX_CONFIG_BYTES = 200_000  # the parser takes some 5 s for so much; a study of a thousand variants is half of it

if typing.TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:  # that module is pydantic's own
    ModelMetaclass = type(BaseModel)

Model = TypeVar("Model", bound=BaseModel)


class _OfOneLine(ModelMetaclass):
    """Answers wrong values given in Python as those of a file are: a ConfigError of one line.

    Only calls come here. Models within others are made without one, and a YAML file or an outer model needs all of
    pydantic's own error.
    """

    if not typing.TYPE_CHECKING:  # or a call would be of unknown type

        def __call__(cls, *arguments: Any, **values: Any) -> Any:  # noqa: N805 - of a metaclass
            try:
                return super().__call__(*arguments, **values)
            except pydantic.ValidationError as error:
                raise _refused(cls, error) from None


class StrictModel(BaseModel, metaclass=_OfOneLine):
    """Base of every configuration: frozen, unknown keys are errors, no silent conversion of types.

    Raises:
        ConfigError: a value does not fit; one line that names the field and what it takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Keys of files that are taken for one of these, and what such a file is."""

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


class SparseModel(StrictModel):
    """A model whose records leave out what is not set: what was made before a setting was there stays what it is."""

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


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
        root = parse_yaml(text)
        # JSON semantics let strict models accept what YAML can write: lists for tuples, strings for enums.
        made = model.model_validate_json(json.dumps(plain_data(root)))
        if check is not None:
            check(made)
    except YamlFaultError as fault:
        raise ConfigError(f"{path}:{fault.line}: {_one_line(str(fault))}") from None
    except FieldFault as fault:
        place = f"{path}:{line_of(root, fault.keys)}"
        raise ConfigError(f"{place}: {_one_line(f'`{shown(_dotted(fault.keys))}`: {fault}')}") from None
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
        given = shown(repr(fault["input"]))
        raise ConfigError(f"{message} (got {given})", field=names.get(field, field)) from None


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


def _one_line(message: str) -> str:
    """What a file holds must not break the line or drive the terminal."""
    return "".join(char if char.isprintable() else " " for char in message)


def _refused(model: type[BaseModel], error: pydantic.ValidationError) -> ConfigError:
    """The error for values that were given in Python."""
    keys, message = _message(model, _first(error))
    return ConfigError(_one_line(f"{model.__name__}: {message}"), field=str(keys[0]) if keys else None)


def _explain(root: Node, model: type[BaseModel], error: pydantic.ValidationError) -> tuple[int, str]:
    """Line and message of the first fault of a validation; before all, whether the file is another kind's."""
    unknown = {fault["loc"] for fault in error.errors() if fault["type"] == "extra_forbidden"}
    for key, what in model.elsewhere.items() if issubclass(model, StrictModel) else ():
        if (key,) in unknown:
            return line_of(root, [key]), f"`{key}`: {what}"
    keys, message = _message(model, _first(error))
    return line_of(root, keys), message


def _first(error: pydantic.ValidationError) -> Any:
    """The first fault, the unknown keys before everything they cause.

    Where several models were tried for one value, that with the fewest faults was meant: with none in its fields, where
    its own check says what is wrong.
    """
    faults = error.errors()
    tried = Counter(fault["loc"][:-1] for fault in faults)
    fewest: dict[tuple[str | int, ...], int] = {}
    for place, count in tried.items():
        fewest[place[:-1]] = min(count, fewest.get(place[:-1], count))
    meant = [fault for fault in faults if tried[place := fault["loc"][:-1]] == fewest[place[:-1]] or not place]
    return min(meant, key=lambda fault: (fault["type"] != "value_error", fault["type"] != "extra_forbidden"))


def _message(model: type[BaseModel], fault: Any) -> tuple[list[str | int], str]:
    """The keys that lead to a fault of a validation, and what is wrong there."""
    unknown = fault["type"] == "extra_forbidden"
    keys, annotation = _keys_of(model, fault["loc"][:-1] if unknown else fault["loc"])
    keys += _fault_keys(fault)
    if unknown:
        valid = sorted({name for member in _models_in(annotation) for name in member.model_fields})
        key = str(fault["loc"][-1])
        return [*keys, key], nearest(key, valid, what="key", shown=_dotted([*keys, key]))
    field = f"`{shown(_dotted(keys))}`"
    if fault["type"] == "missing":
        return keys, f"{field} is missing"
    if fault["type"].startswith("union_tag_"):  # of several models for one value, told apart by one key
        return _tag_fault(keys, fault["ctx"])
    if fault["type"] in ("tuple_type", "list_type") and isinstance(fault["input"], str):
        return keys, f"{field}: not a list; write [{shown(fault['input'])}]"
    message = fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], (dict, list)) else f" (got {shown(repr(fault['input']))})"
    return keys, f"{field + ': ' if keys else ''}{message}{given}"


def _tag_fault(keys: list[str | int], about: Mapping[str, str]) -> tuple[list[str | int], str]:
    """An unknown value of the key that tells models apart, or none at all."""
    key = about["discriminator"].strip("'")
    field = f"`{shown(_dotted([*keys, key]))}`"
    if "tag" not in about:
        return keys, f"{field} is missing"
    known = [name.strip("'") for name in about["expected_tags"].split(", ")]
    return [*keys, key], f"{field}: {nearest(about['tag'], known, what=key)}"


def _fault_keys(fault: Any) -> Sequence[str | int]:
    """The keys that a FieldFault of a validator names."""
    error = fault.get("ctx", {}).get("error")
    return error.keys if isinstance(error, FieldFault) else ()


def _dotted(keys: Sequence[str | int]) -> str:
    return ".".join(str(key) for key in keys)


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
