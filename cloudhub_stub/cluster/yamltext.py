"""YAML text to JSON values, one for each document, within limits that no file can exceed.

Scalars mean what ``scalars.py`` says; keys are always text, as they are spelled. An alias shares what its anchor
holds, and counts as much as if it were written out.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from cloudhub_stub.cluster.plain import MAX_DEPTH
from cloudhub_stub.cluster.scalars import shown, value_of_word

MAX_VALUES = 1_000_000
_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", "str", "timestamp"})
_VALUE_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


class Document(NamedTuple):
    """One document: its value, and the line where that begins."""

    value: Any
    line: int


class DocumentError(Exception):
    """The text is neither YAML nor JSON, or more than a manifest can be; says where and why."""


class _Node(NamedTuple):
    """A value with what an alias of it costs."""

    value: Any
    values: int
    height: int


def yaml_documents(text: str, loader: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = _LOADER) -> list[Document]:
    """Return the documents of ``text``, empty ones as null. Raises ``DocumentError`` and nothing else."""
    try:
        return list(_Builder(iter(yaml.parse(text, Loader=loader))).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise DocumentError(f"{where}{error.problem or error.context or 'no YAML'}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise DocumentError(str(error).splitlines()[0]) from None


class _Builder:
    """Builds values from the parser's events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str | None, _Node] = {}
        self._values = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                first = next(self._events)
                yield Document(self._node(first, 0).value, _line(first))

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        before = self._values
        self._count(1, event)
        if depth > MAX_DEPTH:
            raise _at(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            value, height = _scalar(event), 0
        elif isinstance(event, yaml.MappingStartEvent):
            value, height = self._mapping(depth)
        else:
            value, height = self._sequence(depth)
        node = _Node(value, self._values - before, height)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, depth: int) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _at(event, f"the alias *{event.anchor} has no finished anchor before it")
        self._count(node.values, event)
        if depth + node.height > MAX_DEPTH:
            raise _at(event, f"nested deeper than {MAX_DEPTH} levels")
        return node

    def _sequence(self, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        height = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            node = self._node(event, depth + 1)
            items.append(node.value)
            height = max(height, node.height + 1)
        return items, height

    def _mapping(self, depth: int) -> tuple[dict[str, Any], int]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        height = 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name, is_merge = self._key(event)
            node = self._node(next(self._events), depth + 1)
            height = max(height, node.height + 1)
            if is_merge:
                self._merge(node.value, merged, event)
            elif name in own:
                raise _at(event, f"the key {shown(name)} stands there twice")
            else:
                own[name] = node.value
        return (merged | own if merged else own), height

    def _key(self, event: yaml.Event) -> tuple[str, bool]:
        if not isinstance(event, yaml.ScalarEvent):
            raise _at(event, "a key is a list, a mapping or an alias; keys are text")
        if event.anchor is not None:
            self._anchors[event.anchor] = _Node(event.value, 1, 0)
        return event.value, event.value == "<<" and bool(event.implicit[0])

    def _merge(self, source: Any, into: dict[str, Any], event: yaml.Event) -> None:
        for mapping in source if isinstance(source, list) else [source]:
            if not isinstance(mapping, dict):
                raise _at(event, "<< takes a mapping, or a list of mappings")
            self._count(len(mapping), event)
            for name, value in mapping.items():
                into.setdefault(name, value)

    def _count(self, values: int, event: yaml.Event) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise _at(event, f"more than {MAX_VALUES} values, where an alias counts as what it stands for")


def _scalar(event: yaml.ScalarEvent) -> Any:
    tag = (event.tag or "").removeprefix(_TAG)
    if tag in _TEXT_TAGS or not (tag or event.implicit[0]):
        return event.value
    if tag and tag not in _VALUE_TAGS:
        raise _at(event, f"the tag {shown(tag)} has no meaning here")
    try:
        value = value_of_word(event.value)
    except ValueError as error:
        raise _at(event, str(error)) from None
    if tag and type(value) not in _VALUE_TAGS[tag]:
        raise _at(event, f"{shown(event.value)} is not what its tag !!{tag} says")
    return value


def _at(event: yaml.Event, reason: str) -> DocumentError:
    return DocumentError(f"line {_line(event)}: {reason}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1
