"""Devices: which node has which, and what it is told of them (pure); what it reports is in ``devicereports.py``.

A device belongs to the node that its selector names. A node hears of it by three kinds of messages, all of source
``devicecontroller`` and group ``twin``, with operation ``update`` and no resource version; no edge acknowledges them
(``kubeedge cloud/pkg/devicecontroller/controller/downstream.go@v1.3.1``):

| what happened | resource | content |
| --- | --- | --- |
| the device came to the node | ``membership`` | ``added`` |
| it was deleted, or went to another node | ``membership`` | ``removed`` |
| desired values changed | ``device/<name>/twin/cloud_updated`` | ``twin_update``: those that changed, and no others |

A desired value carries the device's resource version as its cloud version, by which the edge tells old from new.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.registry import labels_of
from edgecore.ids import NewId

DEVICECONTROLLER = "devicecontroller"
"""The source of all messages about devices."""
MEMBERSHIP = "membership"
"""The resource of the messages by which devices come and go."""

_DELETED = "deleted"
"""The type of a property that is no more."""


class ToNode(NamedTuple):
    """One message about a device; the rest of its route is the same for all."""

    node: str
    resource: str
    content: dict[str, Any]


# Where a device is.


def node_of(device: Object) -> str:
    """Return the node that a device belongs to; empty where its selector names none.

    That is the first value of the first expression of the first term, whatever its key and operator, as in Go.
    """
    selector = device["spec"].get("nodeSelector") or {}
    for term in (selector.get("nodeSelectorTerms") or ())[:1]:
        for expression in (term.get("matchExpressions") or ())[:1]:
            for value in (expression.get("values") or ())[:1]:
                return str(value)
    return ""


def device_named(devices: Iterable[Object], name: str, node: str) -> Object | None:
    """Return the device of that name that belongs to ``node``: nodes know devices by their names alone, without the
    namespace, so of several the first one is meant."""
    return next((each for each in devices if each["metadata"]["name"] == name and node_of(each) == node), None)


# What nodes are told.


def messages(
    device: Object, told: Mapping[str, Mapping[str, Any]], new_id: NewId, now_ms: int, *, is_gone: bool = False
) -> list[ToNode]:
    """Return what nodes have to hear of ``device``, its last state where it ``is_gone``.

    ``told`` has, for each node that holds the device, its ``desired_of`` when the node heard of it last. A device that
    goes to another node is removed from the old one and added to the new one.
    """
    home = "" if is_gone else node_of(device)
    found = [
        ToNode(node, MEMBERSHIP, removed(device, new_id(), now_ms)) for node in sorted(told) if node and node != home
    ]
    if home and home not in told:
        found.append(ToNode(home, MEMBERSHIP, added(device, new_id(), now_ms)))
    elif home and (update := twin_update(device, told[home], new_id(), now_ms)) is not None:
        found.append(ToNode(home, twin_resource(device), update))
    return found


def twin_resource(device: Object) -> str:
    """Return the resource at which a node is told new desired values."""
    return f"device/{device['metadata']['name']}/twin/cloud_updated"


def desired_of(device: Object) -> dict[str, Any]:
    """Return what a node must have been told: property to ``{"value", "type"}``. A property without a desired value
    has the empty text, as from Go."""
    found = {}
    for twin in twins_of(device):
        desired = twin.get("desired") or {}
        metadata = desired.get("metadata") or {}
        found[twin["propertyName"]] = {"value": desired.get("value") or "", "type": metadata.get("type") or "string"}
    return found


def twins_of(device: Object) -> list[dict[str, Any]]:
    """Return the twins of a device, with desired and reported values."""
    return (device.get("status") or {}).get("twins") or []


def added(device: Object, event_id: str, now_ms: int) -> dict[str, Any]:
    """Return the content by which a node gets a device."""
    return _membership(event_id, now_ms, added_devices=[_described(device, now_ms)])


def removed(device: Object, event_id: str, now_ms: int) -> dict[str, Any]:
    """Return the content by which a node loses a device; ``device`` is its last state."""
    return _membership(event_id, now_ms, removed_devices=[_described(device, now_ms)])


def forgotten(name: str, event_id: str, now_ms: int) -> dict[str, Any]:
    """Return the content by which a node loses a device of which only the name is known any more."""
    return _membership(event_id, now_ms, removed_devices=[{"id": name, "name": name}])


def detail(devices: Iterable[Object], event_id: str, now_ms: int) -> dict[str, Any]:
    """Return the content that answers a node's question ``membership/detail``: all the devices that it shall have.

    Go never answers it, though every edge asks when it connects.
    """
    return {"event_id": event_id, "timestamp": now_ms, "devices": [_described(each, now_ms) for each in devices]}


def twin_update(device: Object, before: Mapping[str, Any], event_id: str, now_ms: int) -> dict[str, Any] | None:
    """Return what a node has to hear that was told ``before``; ``None`` if that is nothing.

    A property that is no more has the type ``deleted``, with its last value.
    """
    desired, version = desired_of(device), _version(device)
    twin = {
        name: _expected(wanted["value"], wanted["type"], version, now_ms)
        for name, wanted in desired.items()
        if before.get(name) != wanted
    }
    for name in before.keys() - desired.keys():
        twin[name] = _expected(before[name]["value"], _DELETED, version, now_ms)
    return {"event_id": event_id, "timestamp": now_ms, "twin": dict(sorted(twin.items()))} if twin else None


def _membership(event_id: str, now_ms: int, **lists: list[dict[str, Any]]) -> dict[str, Any]:
    return {"event_id": event_id, "timestamp": now_ms, "added_devices": None, "removed_devices": None, **lists}


def _described(device: Object, now_ms: int) -> dict[str, Any]:
    name = device["metadata"]["name"]
    described: dict[str, Any] = {"id": name, "name": name}
    if description := labels_of(device).get("description"):
        described["description"] = description
    version = _version(device)
    twin = {name: _expected(each["value"], each["type"], version, now_ms) for name, each in desired_of(device).items()}
    if twin:
        described["twin"] = dict(sorted(twin.items()))
    return described


def _expected(value: str, value_type: str, version: int, now_ms: int) -> dict[str, Any]:
    return {
        "expected": {"value": value, "metadata": {"timestamp": now_ms}},
        "optional": False,
        "metadata": {"type": value_type},
        "expected_version": {"cloud": version, "edge": 0},
    }


def _version(device: Object) -> int:
    text = device["metadata"].get("resourceVersion", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
