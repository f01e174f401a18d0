"""What lets EventBus of an edge publish something on its MQTT broker (pure)."""

from typing import Any

from edgecore.beehive.resource import GROUP_USER, PUBLISH

ROUTER_EVENTBUS = "router_eventbus"
"""The source of such messages in clouds that have a router."""
_LONGEST_TOPIC_BYTES = 65535
_NOT_IN_A_TOPIC = frozenset("+#\x00")


def is_topic(text: str) -> bool:
    """Whether something can be published on it: it has a name, and no wildcard (MQTT 3.1.1, 4.7)."""
    size = len(text.encode("utf-8", "replace"))
    return 0 < size <= _LONGEST_TOPIC_BYTES and not _NOT_IN_A_TOPIC & set(text)


def publication(topic: str, payload: str) -> dict[str, Any]:
    """Return the message that lets EventBus publish ``payload``, as it is on the wire."""
    route = {"source": ROUTER_EVENTBUS, "group": GROUP_USER, "operation": PUBLISH, "resource": topic}
    return {"route": route, "content": payload}
