"""YAML 1.2 as values that know their lines: data only, without tags and anchors, bounded in depth.

Scalars follow the core schema (`no` is a word, `017` is seventeen), and integers may be grouped as in `300_000`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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

MAX_DEPTH = 32
MAX_SHOWN = 80  # characters of a wrong value or key that a message repeats


def shown(text: str) -> str:
    """As much of a value or key as a message repeats."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


class YamlFaultError(Exception):
    """What is wrong with the YAML, and on which line (from 1)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line it begins on: for a value in a mapping, the line of its key."""

    line: int
    content: str | int | float | bool | dict[str, Node] | list[Node] | None


def parse_yaml(text: str) -> Node:
    """The one document of a YAML text, which must be a mapping.

    Raises:
        YamlFaultError: it is none, or uses what is not read.
    """
    try:
        documents = list(_documents(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlFaultError(line, f"not valid YAML: {error.problem}") from None
    except YAMLError as error:
        # A character that YAML forbids: the error has its position in the text, if anything.
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        raise YamlFaultError(line, f"not valid YAML: {str(error).partition(chr(10))[0]}") from None
    if not documents or not isinstance(documents[0].content, dict):
        raise YamlFaultError(1, "expected `key: value` lines")
    if len(documents) > 1:
        raise YamlFaultError(documents[1].line, "a second document begins; one file is one configuration")
    return documents[0]


def _documents(events: Iterator[Any]) -> Iterator[Node]:
    for event in events:
        if isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 2)):
            raise YamlFaultError(event.start_mark.line + 1, "only YAML 1.2 is read; take the %YAML line out")
        if isinstance(event, NodeEvent):
            yield _node(event, events, line=event.start_mark.line + 1, depth=0)


def _node(event: Any, events: Iterator[Any], *, line: int, depth: int) -> Node:
    """The node that begins with ``event``; takes the events of its children."""
    at = event.start_mark.line + 1
    if event.anchor is not None:
        sign = "*" if isinstance(event, AliasEvent) else "&"
        raise YamlFaultError(at, f"anchors and aliases ({sign}{event.anchor}) are not read; write the value out")
    if event.tag is not None:
        raise YamlFaultError(at, f"tags ({event.tag}) are not read; write a plain value")
    if isinstance(event, ScalarEvent):
        return Node(line, _scalar(event))
    if depth >= MAX_DEPTH:
        raise YamlFaultError(at, f"nested more than {MAX_DEPTH} levels deep; is this a configuration file?")
    if isinstance(event, SequenceStartEvent):
        return Node(line, list(_items(events, depth=depth + 1)))
    assert isinstance(event, MappingStartEvent)
    children: dict[str, Node] = {}
    for key, child in _pairs(events, depth=depth + 1):
        if key in children:
            raise YamlFaultError(child.line, f"key `{key}` is written twice, first on line {children[key].line}")
        children[key] = child
    return Node(line, children)


def _items(events: Iterator[Any], *, depth: int) -> Iterator[Node]:
    while not isinstance(event := next(events), SequenceEndEvent):
        yield _node(event, events, line=event.start_mark.line + 1, depth=depth)


def _pairs(events: Iterator[Any], *, depth: int) -> Iterator[tuple[str, Node]]:
    while not isinstance(event := next(events), MappingEndEvent):
        line = event.start_mark.line + 1
        key = _node(event, events, line=line, depth=depth)
        if isinstance(key.content, (dict, list)):
            raise YamlFaultError(line, "a key must be one word, not a list or a mapping")
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
        raise YamlFaultError(line, "a lone surrogate is not a character; write the character itself")
    if event.style is not None:  # quoted, or a block
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text) and len(text) <= MAX_SHOWN:
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and not math.isfinite(float(text))):
        raise YamlFaultError(line, f"{shown(text)} is not a number that a setting can have")
    return float(text) if _FLOAT.fullmatch(text) else text


def plain_data(node: Node) -> Any:
    """The value without its lines."""
    if isinstance(node.content, dict):
        return {key: plain_data(child) for key, child in node.content.items()}
    if isinstance(node.content, list):
        return [plain_data(child) for child in node.content]
    return node.content


def line_of(root: Node, keys: Sequence[str | int]) -> int:
    """The line of what keys lead to, or of what is there of the way."""
    node = root
    for key in keys:
        if isinstance(node.content, dict) and key in node.content:
            node = node.content[str(key)]
        elif isinstance(node.content, list) and isinstance(key, int) and key < len(node.content):
            node = node.content[key]
    return node.line
