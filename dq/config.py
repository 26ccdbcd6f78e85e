"""YAML 1.2 into strict, frozen models; fingerprints of configurations; JSON schema.

YAML is read as data only: no tags that build objects, no anchors (an alias bomb cannot grow), a bounded size. Every
fault names the file, the line, the field and, for an unknown key, the nearest valid one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dq.errors import ConfigError

__all__ = ["StrictModel", "canonical_json", "fingerprint", "load_yaml"]

MAX_CONFIG_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of every configuration: frozen, unknown keys are errors, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


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


def load_yaml(path: str | Path, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit the model; one line that names file, line,
            field and remedy.
    """
    path = Path(path)
    root = _compose(path)
    try:
        # JSON semantics let strict models accept what YAML can write: lists for tuples, strings for enums.
        return model.model_validate_json(json.dumps(_construct(root)))
    except pydantic.ValidationError as error:
        raise ConfigError(f"{path}:{_explain(root, model, error)}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _compose(path: Path) -> Node:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes; is this a configuration file?")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `dq recipes list` shows the recipes that ship with dq") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, AliasEvent):
                line = event.start_mark.line + 1
                raise ConfigError(f"{path}:{line}: YAML aliases (*{event.anchor}) are not read; write the value out")
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply to be a configuration") from None
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{path}:1: expected `key: value` lines")
    return root


def _construct(node: Node) -> Any:
    """Plain Python data from a node; duplicate keys are refused, tags other than YAML's own are refused."""
    if isinstance(node, MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                raise ValueError(f"line {key_node.start_mark.line + 1}: key `{key}` is written twice")
            result[key] = _construct(value_node)
        return result
    if isinstance(node, SequenceNode):
        return [_construct(child) for child in node.value]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _scalar(node: ScalarNode) -> Any:
    tag, text = str(node.tag).rpartition(":")[2], node.value
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return int(text.replace("_", ""), 0)
    if tag == "float":
        number = float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(number):
            raise ValueError(f"line {node.start_mark.line + 1}: {text} is not a number a setting can have")
        return number
    if tag in ("str", "timestamp"):
        return text
    raise ValueError(f"line {node.start_mark.line + 1}: the tag {node.tag} is not read; write plain YAML")


def _explain(root: Node, model: type[BaseModel], error: pydantic.ValidationError) -> str:
    """Line and message of the first fault of a validation, the unknown keys before everything they cause."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    location = [part for part in fault["loc"] if not (isinstance(part, str) and _is_union_label(part))]
    line = _line_of(root, location)
    field = ".".join(str(part) for part in location) or "(the whole file)"
    if fault["type"] == "extra_forbidden":
        valid = _fields_at(model, list(fault["loc"][:-1]))
        nearest = difflib.get_close_matches(str(location[-1]), valid, n=1, cutoff=0.0)
        hint = f"; did you mean `{nearest[0]}`?" if nearest else ""
        return f"{line}: unknown key `{field}`{hint}"
    if fault["type"] == "missing":
        return f"{line}: `{field}` is missing"
    message = fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], (dict, list)) else f" (got {fault['input']!r})"
    return f"{line}: `{field}`: {message}{given}"


def _is_union_label(part: str) -> bool:
    """Pydantic puts the name of a union's member into a location; a YAML file has no such key."""
    return part.endswith("]") or (part[:1].isupper() and part.isidentifier())


def _line_of(root: Node, location: list[str | int]) -> int:
    node, line = root, root.start_mark.line + 1
    for part in location:
        if isinstance(node, MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                continue
            line = found[0].start_mark.line + 1
            node = found[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return int(line)


def _fields_at(model: type[BaseModel], location: list[str | int]) -> list[str]:
    """The valid keys of the model that a location leads to: of every member where it is a union."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        annotations = [
            m.model_fields[part].annotation for m in models if isinstance(part, str) and part in m.model_fields
        ]
        if annotations:
            models = [found for annotation in annotations for found in _models_in(annotation)]
        elif isinstance(part, str):
            models = [m for m in models if m.__name__ == part] or models
    return sorted({name for m in models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation) is not None:
        return [found for argument in typing.get_args(annotation) for found in _models_in(argument)]
    return []
