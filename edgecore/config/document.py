"""YAML text to a small tree that keeps lines and spelling, within limits that no file can exceed.

Values stay text, because what ``on`` or ``010`` means depends on the setting (``decode`` knows). Aliases and merge keys
(``<<``) work as in Go; a thousand aliases of an alias share one node here, so they cost nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import yaml

from edgecore.config.problem import shown

MAX_DEPTH = 32
MAX_ENTRIES = 20_000
_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD_TAG = "tag:yaml.org,2002:"


class ScalarNode(NamedTuple):
    """One value as it is spelled. Only a ``plain`` one (no quotes) can be a number, a boolean or null."""

    text: str
    plain: bool
    line: int


class SequenceNode(NamedTuple):
    """A list."""

    items: tuple["Node", ...]
    line: int


class Entry(NamedTuple):
    """One key of a mapping with its value; ``line`` is the key's."""

    name: str
    value: "Node"
    line: int


class MappingNode(NamedTuple):
    """A mapping: names are unique in ``entries``; ``repeated`` holds what a later entry of the same name replaced."""

    entries: tuple[Entry, ...]
    repeated: tuple[Entry, ...]
    line: int


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


class Document(NamedTuple):
    """The first document of a text; ``root`` is None if the text has none."""

    root: Node | None
    second_at: int | None
    """The line where another document begins, which is not read."""


class DocumentError(Exception):
    """The text is not YAML, or is more than a configuration can be; says where and why."""


def read_document(text: str, loader: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = _LOADER) -> Document:
    """Read YAML. Raises ``DocumentError``, and nothing else, whatever ``text`` is."""
    events = iter(yaml.parse(text, Loader=loader))
    try:
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    return Document(root, _line(event))
                root = _Builder(events).node(next(events))
        return Document(root, None)
    except yaml.MarkedYAMLError as error:
        raise DocumentError(f"line {_error_line(error)}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise DocumentError(str(error).splitlines()[0]) from None


def _error_line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark is not None else 1


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


class _Builder:
    """Builds the nodes of one document from the parser's events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._entries = 0

    def node(self, event: yaml.Event, depth: int = 0) -> Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise DocumentError(f"line {_line(event)}: alias *{event.anchor} has no finished anchor before it")
            return self._anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise DocumentError(f"line {_line(event)}: nested deeper than {MAX_DEPTH} levels")
        node: Node
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = _scalar(event)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _sequence(self, start: yaml.Event, depth: int) -> SequenceNode:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._count(1, event)
            items.append(self.node(event, depth + 1))
        return SequenceNode(tuple(items), _line(start))

    def _mapping(self, start: yaml.Event, depth: int) -> MappingNode:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        repeated: list[Entry] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self._events), depth + 1)
            if not isinstance(key, ScalarNode):
                raise DocumentError(f"line {_line(event)}: a key is a list or a mapping; keys are text")
            self._count(1, event)
            if key.plain and key.text == "<<":
                self._merge(value, merged, event)
                continue
            if key.text in own:
                repeated.append(own.pop(key.text))
            own[key.text] = Entry(key.text, value, key.line)
        return MappingNode(tuple((merged | own).values()), tuple(repeated), _line(start))

    def _merge(self, source: Node, into: dict[str, Entry], event: yaml.Event) -> None:
        for mapping in source.items if isinstance(source, SequenceNode) else (source,):
            if not isinstance(mapping, MappingNode):
                raise DocumentError(f"line {_line(event)}: << takes a mapping, or a list of mappings")
            self._count(len(mapping.entries) + 1, event)
            for entry in mapping.entries:
                into.setdefault(entry.name, entry)

    def _count(self, entries: int, event: yaml.Event) -> None:
        self._entries += entries
        if self._entries > MAX_ENTRIES:
            raise DocumentError(f"line {_line(event)}: more than {MAX_ENTRIES} entries, which no configuration has")


def _scalar(event: yaml.Event) -> ScalarNode:
    if not isinstance(event, yaml.ScalarEvent):
        raise DocumentError(f"line {_line(event)}: a value is missing")
    tag = event.tag or ""
    if tag.startswith(_STANDARD_TAG):
        kind = tag.removeprefix(_STANDARD_TAG)
        if kind in ("str", "int", "float", "bool", "null"):
            return ScalarNode(event.value, kind != "str", _line(event))
    if tag not in ("", "!"):
        raise DocumentError(f"line {_line(event)}: the tag {shown(tag)} has no meaning here")
    return ScalarNode(event.value, bool(event.implicit[0]) and tag == "", _line(event))
