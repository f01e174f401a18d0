"""Names and addresses of a recording that are others in its replay (pure)."""

import json
import re
from collections.abc import Mapping as AnyMapping
from typing import Any

import msgspec

from edgecore.beehive.resource import LISTENER
from edgecore.errors import ContentError
from edgecore.modules.edged.nodestatus import NodeIdentity
from edgecore.recording.entries import CloudFrame, Entry, Http, MqttMessage, Note, SessionHead, Snapshot

_OF_THE_NODE = ("node", "nodestatus")


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes what; empty means that it stays."""

    node: str = ""
    """The new name of the recorded node."""
    namespaces: tuple[tuple[str, str], ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.node or self.namespaces or self.addresses)


def parse_mapping(texts: tuple[str, ...]) -> Mapping:
    """Return the mapping that ``node=NAME``, ``namespace=OLD:NEW`` and ``ADDRESS=ADDRESS`` mean.

    ``namespace=NEW`` stands for ``namespace=default:NEW``. Raises ``ContentError``.
    """
    node, namespaces, addresses = "", [], []
    for text in (part for one in texts for part in one.split(",")):
        old, is_there, new = text.partition("=")
        if not is_there or not old or not new:
            raise ContentError(f"cannot map {text!r}: expected node=NAME, namespace=OLD:NEW or ADDRESS=ADDRESS")
        match old:
            case "node":
                node = new
            case "namespace":
                before, has_both, after = new.partition(":")
                namespaces.append((before, after) if has_both else ("default", before))
            case _ if re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", old):
                addresses.append((old, new))
            case _:
                raise ContentError(f"cannot map {old!r}: expected node, namespace or an address before the =")
    return Mapping(node=node, namespaces=tuple(namespaces), addresses=tuple(addresses))


class Mapper:
    """Changes entries as a mapping says."""

    def __init__(self, mapping: Mapping, node: str) -> None:
        """``node`` is the name of the recorded node."""
        self._namespaces: AnyMapping[str, str] = dict(mapping.namespaces)
        words = dict(mapping.addresses)
        if mapping.node:
            words[node] = mapping.node
            words[_uid(node)] = _uid(mapping.node)
        self._words = words
        either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w.-])(?:{either})(?![\w-]|\.\d)") if words else None

    def entry(self, entry: Entry) -> Entry:
        """Return ``entry`` with other names. Frames that are no JSON stay as they are."""
        match entry:
            case CloudFrame():
                return msgspec.structs.replace(entry, text=self._frame(entry.text))
            case MqttMessage():
                payload = self._text(entry.payload.decode(errors="surrogateescape")).encode(errors="surrogateescape")
                return msgspec.structs.replace(entry, topic=self._text(entry.topic), payload=payload)
            case Note():
                text, topic = self._text(entry.text), self._text(entry.topic)
                return msgspec.structs.replace(entry, text=text, topic=topic, payload=self._text(entry.payload))
            case Http():
                return msgspec.structs.replace(entry, head=self._text(entry.head))
            case SessionHead():
                return msgspec.structs.replace(entry, node=self._words.get(entry.node, entry.node))
            case Snapshot():
                return msgspec.structs.replace(entry, state=self._state(entry.state))
            case _:
                return entry

    def _state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return what a node knows, under other names."""
        mapped = {part: self._value(value, "") for part, value in state.items()}
        mapped["rows"] = [self._row(row) for row in state.get("rows") or ()]
        mapped["dns"] = {
            self._question(question): self._answer(answer) for question, answer in (state.get("dns") or {}).items()
        }
        return mapped

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        if row.get("type") in _OF_THE_NODE:
            return {**row, "key": self._text(str(row.get("key"))), "value": self._texts(row.get("value"))}
        namespace, *others = self._text(str(row.get("key"))).split("/")
        if row.get("type") == LISTENER and others:  # its own namespace is always the same
            owner, dot, name = others[-1].partition(".")
            others[-1] = f"{self._namespaces.get(owner, owner)}{dot}{name}"
        else:
            namespace = self._namespaces.get(namespace, namespace)
        key = "/".join((namespace, *others))
        return {**row, "key": key, "value": self._value(row.get("value"), "")}

    def _question(self, question: str) -> str:
        name, *others = self._text(question).split(".")
        return ".".join((name, *(self._namespaces.get(label, label) for label in others)))

    def _answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        records = (str(record).partition(" ") for record in answer.get("answer") or ())
        told = sorted(f"{self._question(name)}{space}{self._text(rest)}" for name, space, rest in records)
        return {**answer, "answer": told} if "answer" in answer else answer

    def _texts(self, value: Any) -> Any:
        return json.loads(self._text(json.dumps(value)))

    def _frame(self, text: str) -> str:
        try:
            document = json.loads(text)
            if _is_of_the_node(document):
                return self._text(text)
            mapped = json.dumps(self._value(document, ""), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return text
        return f"{mapped}\n" if text.endswith("\n") else mapped

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {self._text(name): self._value(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self._value(one, key) for one in value]
        if not isinstance(value, str):
            return value
        if key == "namespace":
            return self._namespaces.get(value, value)
        if key in ("resource", "selfLink"):
            parts = self._text(value).split("/")
            place = parts.index("namespaces") + 1 if key == "selfLink" and "namespaces" in parts else 0
            if place < len(parts):
                parts[place] = self._namespaces.get(parts[place], parts[place])
            return "/".join(parts)
        return self._text(value)

    def _text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._words[found[0]], text)


def _is_of_the_node(document: Any) -> bool:
    """Whether a message is about the node itself: that has no namespace, whatever its resource says."""
    route = document.get("route") if isinstance(document, dict) else None
    resource = route.get("resource") if isinstance(route, dict) else None
    return isinstance(resource, str) and "".join(resource.split("/")[1:2]) in _OF_THE_NODE


def _uid(node: str) -> str:
    """Return the uid that a node of that name says of itself, if it is one of ours."""
    return NodeIdentity(node, "default", "", "").uid
