"""The last states that brokers keep (pure): what is to be there, what is there, and what has to be published."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from edgecore.modules.eventbus.mirror import topics

Json = Mapping[str, Any]

_json = msgspec.json.Encoder(order="sorted").encode

LINK_SHOWN = ("state", "url", "error", "sessions")
PORT_SHOWN = ("name", "port", "transport", "state", "reason", "handling", "strategy", "plane")
POD_SHOWN = ("phase", "status", "ready", "containers_wanted", "restarts", "pod_ip", "host_ip", "terminating")
SERVICE_LEFT_OUT = ("requests", "errors", "ports")
"""Figures change with each request: they are no state."""


def of_link(node: str, status: Json) -> tuple[str, bytes]:
    """Return topic and payload for the link to the cloud."""
    return topics.of_node(node, topics.STATE, "link"), _json(_chosen(status, LINK_SHOWN))


def of_service(node: str, shown: Json) -> Iterator[tuple[str, bytes]]:
    """Yield topic and payload for a service, and for its fake IP; ``shown`` is of ``ServiceView.every``."""
    namespace, name = shown["namespace"], shown["name"]
    state = {key: value for key, value in shown.items() if key not in SERVICE_LEFT_OUT}
    state["ports"] = [_chosen(port, PORT_SHOWN) for port in shown.get("ports", ())]
    yield topics.of_node(node, topics.STATE, "services", namespace, name), _json(state)
    if address := shown.get("fake_ip"):
        whose = {"namespace": namespace, "name": name}
        yield topics.of_node(node, topics.STATE, "fakeips", str(address)), _json(whose)


def of_pod(node: str, row: Json) -> tuple[str, bytes]:
    """Return topic and payload for a pod; ``row`` is of ``pod_rows``."""
    topic = topics.of_node(node, topics.STATE, "pods", row["namespace"], row["name"])
    return topic, _json(_chosen(row, ("namespace", "name", *POD_SHOWN)))


def changes(
    published: Mapping[str, bytes], wanted: Mapping[str, bytes], found: Collection[str] = ()
) -> Iterable[tuple[str, bytes]]:
    """Yield what has to be published so that ``wanted`` is there: an empty payload takes a topic away.

    ``found`` are topics that a broker has kept from an earlier life of the node.
    """
    for topic in (*published, *found):
        if topic not in wanted:
            yield topic, b""
    for topic, payload in wanted.items():
        if published.get(topic) != payload:
            yield topic, payload


def _chosen(value: Json, keys: Iterable[str]) -> dict[str, Any]:
    return {key: value[key] for key in keys if key in value}
