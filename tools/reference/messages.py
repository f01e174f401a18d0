"""The page of the messages that travel: between modules, and on the link to the cloud.

Who says what to whom is what a whole node does when recorded sessions are replayed to it; the words and the contents
are those of the code.
"""

import ast
import asyncio
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, get_type_hints
from unittest.mock import patch

import msgspec

from edgecore.app import Node
from edgecore.beehive import resource as words
from edgecore.beehive.message import Message, content_value
from edgecore.beehive.switchboard import Passage
from edgecore.modules.devicetwin import payloads
from edgecore.modules.servicebus.answers import Answer
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.replay import run as replays
from edgecore.replay import stage
from edgecore.replay.options import ReplayOptions
from tools.reference.sources import ROOT, Sources, Unknown, assignments

SESSIONS = ("ours_demo.jsonl.zst", "c_configmap_secret_pod.jsonl", "d_devices_twins.jsonl", "b2_deletes.jsonl")
"""Of tests/data: services, pods, devices, configuration, and their ends."""

_HEAD = """\
# Messages

A message has a header (`msg_id`, `parent_msg_id` of the message that it answers, `timestamp` in milliseconds,
`resourceversion`, `sync`), a route (`source`, `group`, `operation`, `resource`) and a `content`. On the link to
the cloud it is one text frame of a websocket: that JSON and a newline. Between modules it goes over the bus: to a
module by its name, or to a group. (Written by `make reference`.)

`edgecore tap` shows them as they go; [watch](../how-to/watch.md) says how MQTT does. What they are for: the
READMEs of [the modules](../../ARCHITECTURE.md).
"""
_SEEN = """\
What a whole node does when it is given recorded sessions: services, pods, configuration, devices, and their ends;
calls of services are not among them. Names stand as `<name>`; of an object as content the keys are named.
"""
_PLAIN = re.compile(r"[a-z0-9_-]+")
_FIXED = frozenset({words.OK, words.PING, words.CLOUD_CONNECTED, words.CLOUD_DISCONNECTED})
_MOST_KEYS = 8
_TYPES = {
    r" \| None": " or null",
    r"\bint\b": "integer",
    r"\bstr\b": "string",
    r"\bbool\b": "true or false",
    r"\bbytes\b": "string (base64)",
    r"\bdict\[string, (.*)\]": r"object of \1",
    r"\blist\[(.*?)\]": r"list of \1",
}


class Seen(NamedTuple):
    """One kind of message that was seen."""

    sender: str
    receiver: str
    source: str
    group: str
    operation: str
    resource: str


def messages_page(sources: Sources) -> str:
    """Return the page. A node is run for it, in memory and in virtual time."""
    on_bus, on_link = asyncio.run(_watched())
    lines = [_HEAD, "## Modules", "", "| module | name on the bus | group |", "| --- | --- | --- |"]
    lines += [f"| {title} | `{name}` | `{group}` |" for title, name, group in sorted(_modules(sources))]
    for title, seen in (("Between modules", on_bus), ("On the link to the cloud", on_link)):
        lines += ["", f"## {title}", "", _SEEN]
        lines += ["| from | to | source | group | operation | resource | content |", "| --- " * 7 + "|"]
        lines += [_row(one, forms) for one, forms in sorted(seen.items())]
    lines += ["", "## Words", "", "Operations:", "", *_listed(_constants(sources, "# Operations")), ""]
    lines += [
        "Types of resources (`<namespace>/<type>/<name>`):",
        "",
        *_listed(_constants(sources, "# Resource types")),
    ]
    lines += ["", "## Contents of devices and calls", "", "On MQTT and on the link; what is empty is left out.", ""]
    lines += [line for struct in _structs() for line in _fields(struct)]
    return "\n".join(lines).rstrip() + "\n"


async def _watched() -> tuple[dict[Seen, set[str]], dict[Seen, set[str]]]:
    on_bus: dict[Seen, set[str]] = {}
    on_link: dict[Seen, set[str]] = {}

    def see(passage: Passage) -> None:
        _note(on_bus, passage.sender, passage.receiver, passage.message)

    class Watched(Node):
        async def start(self) -> None:
            self.bus.add_tap(see)
            await super().start()

    with patch.object(stage, "Node", Watched):
        for name in SESSIONS:
            for replayed in await replays.replay(ReplayOptions(files=(ROOT / "tests/data" / name,))):
                for entry in replayed.session.entries:
                    if isinstance(entry, CloudFrame):
                        ends = ("edge", "cloud") if entry.direction is Direction.TO_CLOUD else ("cloud", "edge")
                        _note(on_link, *ends, msgspec.json.decode(entry.text, type=Message))
    return on_bus, on_link


def _note(seen: dict[Seen, set[str]], sender: str, receiver: str, message: Message) -> None:
    route = message.route
    key = Seen(sender, receiver, route.source, route.group, route.operation, _pattern(route.resource))
    seen.setdefault(key, set()).add(_form(content_value(message)))


def _pattern(resource: str) -> str:
    """Return a resource with its names left out."""
    parts = resource.split("/")
    if resource == words.NODE_CONNECTION or len(parts) == 1:
        return resource if _PLAIN.fullmatch(resource) else _topic(resource)
    if parts[0] == "device":
        return "/".join(("device", "<device>", *parts[2:]))
    if parts[0] == "$hw":
        return re.sub(r"^(\$hw/events/(?:device|node))/[^/]*", r"\1/<name>", resource)
    if parts[0] in ("membership", "SYS"):
        return resource
    space = parts[0] if parts[0] == words.ALL_NAMESPACES else "<namespace>"
    return "/".join((space, parts[1], *("<name>" for _ in parts[2:])))


def _topic(resource: str) -> str:
    try:
        return f"base64 of {_pattern(b64decode(resource, altchars=b'-_', validate=True).decode())}"
    except ValueError:
        return resource


def _form(content: Any) -> str:
    """Return what a content looks like, without what it says."""
    match content:
        case None | "":
            return ""
        case str() if content in _FIXED:
            return f"`{content}`"
        case str() | bytes():
            return "JSON as text" if content[:1] in ("{", b"{") else "text"
        case dict():
            keys = [f"`{key}`" for key in content if isinstance(key, str)][:_MOST_KEYS]
            return "object: " + ", ".join(keys) + (", …" if len(content) > _MOST_KEYS else "") if keys else "object"
        case list() | tuple():
            return f"list of {_form(content[0]).partition(':')[0]}" if content else "empty list"
        case msgspec.Struct():
            return _form(msgspec.to_builtins(content))
    return type(content).__name__


def _modules(sources: Sources) -> Iterator[tuple[str, str, str]]:
    for file in sources.files:
        if not re.fullmatch(r"edgecore/modules/\w+/module\.py", file.path):
            continue
        for node in file.tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            said = dict(assignments(node.body))
            if {"name", "group"} <= said.keys():
                yield node.name, file.value(said["name"], {}), file.value(said["group"], {})


def _constants(sources: Sources, title: str) -> Iterator[str]:
    """Yield the texts of resource.py below a comment that begins so, up to the next of another kind."""
    (file,) = (file for file in sources.files if file.path == "edgecore/beehive/resource.py")
    under, known = "", iter(sorted(file.constants.items(), key=lambda pair: pair[1].lineno))
    lines = (ROOT / file.path).read_text("utf-8").splitlines()
    for _name, value in known:
        heading = next(line for line in reversed(lines[: value.lineno]) if line.startswith("# "))
        under = heading if heading.startswith(title) else ""
        try:
            text = file.value(value, {})
        except Unknown:
            continue
        if under and isinstance(text, str):
            yield text


def _structs() -> Iterator[type[msgspec.Struct]]:
    for value in vars(payloads).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            yield value
    yield Answer


def _fields(struct: type[msgspec.Struct]) -> Iterator[str]:
    told = " ".join((struct.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    yield from (f"### {struct.__name__}", "", told, "", "| key | type |", "| --- | --- |")
    hints = get_type_hints(struct)
    yield from (f"| `{field.encode_name}` | {_typed(hints[field.name])} |" for field in msgspec.structs.fields(struct))
    yield ""


def _typed(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    text = re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)
    for ours, theirs in _TYPES.items():
        text = re.sub(ours, theirs, text)
    return text


def _listed(texts: Iterable[str]) -> list[str]:
    return [", ".join(f"`{text}`" for text in texts)]


def _row(seen: Seen, forms: set[str]) -> str:
    cells = [f"`{text}`" if text else "" for text in seen]
    content = " or ".join(sorted(filter(None, forms)))
    return "| " + " | ".join([*cells, content.replace("|", "\\|")]) + " |"
