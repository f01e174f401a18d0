"""The topics below ``edgecore/<node>`` (pure): of messages, of states, of what is injected.

====================================================================  =============================================
``edgecore/<node>/bus/<to>/<from>/<operation>/<resource path>``       a message between modules
``edgecore/<node>/state/online``, ``link``                            retained
``edgecore/<node>/state/services/<ns>/<name>``, ``pods/<ns>/<name>``  retained
``edgecore/<node>/state/fakeips/<address>``                           retained: whose it is
``edgecore/<node>/mirror/missed``                                     how much was left out
``edgecore/<node>/inject/<to>``                                       the way in
====================================================================  =============================================

A level is its text, with ``%XX`` for each byte that a level cannot have or that would mean something else; ``-`` stands
for no text.
"""

import re
from urllib.parse import unquote_to_bytes

ROOT = "edgecore"
BUS = "bus"
STATE = "state"
MIRROR = "mirror"
INJECT = "inject"
OF_NODE = (BUS, STATE, MIRROR, INJECT)
NOTHING = "-"

_LAST_OF_PLANES = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_UNFIT = re.compile(f"[%+#/\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_LAST_OF_PLANES}]")
"""Wildcards, the separator, the sign of escapes; and what brokers refuse: MQTT 3.1.1 section 1.5.3."""


def level(text: str) -> str:
    """Return ``text`` as one level of a topic; different texts are different levels."""
    if not text:
        return NOTHING
    if text == NOTHING:
        return "%2D"
    return _UNFIT.sub(_escaped, text)


def plain(of_level: str) -> str:
    """Return the text that ``level`` made ``of_level`` of."""
    if of_level == NOTHING:
        return ""
    if "%" not in of_level:
        return of_level
    raw = unquote_to_bytes(of_level)
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # nothing that we wrote
        return raw.decode("utf-8", "replace")


def path(resource: str) -> str:
    """Return a resource as levels, one for each of its parts; an empty part stays empty."""
    if not resource or resource == NOTHING:
        return level(resource)
    if not _UNFIT.search(resource):  # most have separators alone, which is one of those
        return resource
    return "/".join(_UNFIT.sub(_escaped, part) for part in resource.split("/"))


def of_node(node: str, *levels: str) -> str:
    """Return the topic of a node with these levels, which are escaped."""
    return "/".join((ROOT, level(node), *map(level, levels)))


def of_message(node: str, to: str, sender: str, operation: str, resource: str) -> str:
    """Return where a message is mirrored."""
    return f"{of_node(node, BUS, to, sender, operation)}/{path(resource)}"


def is_of_mirror(topic: str) -> bool:
    """Whether a topic is of the mirror of some node: never taken in from a broker as a message of devices.

    Else a subscription of ``#`` would bring each message back as a new one, which is mirrored again.
    """
    if not topic.startswith("edgecore/"):
        return False
    levels = topic.split("/", 3)
    return len(levels) == 4 and levels[2] in OF_NODE


def receiver(topic: str, node: str) -> str | None:
    """Return the module that a message published on ``topic`` is for, ``None`` where it is no topic of ``inject``."""
    begin = f"{of_node(node, INJECT)}/"
    rest = topic[len(begin) :] if topic.startswith(begin) else ""
    return plain(rest) if rest and "/" not in rest else None


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))
