"""What a node reports of its devices, taken into their objects (pure).

| it says | resource | content | taken in by |
| --- | --- | --- | --- |
| actual values of a twin | ``device/<name>/twin/edge_updated`` | an object | ``reported`` |
| whether the device is online | ``device/<name>/state`` | a text with JSON inside | ``state_reported`` |

Actual values go to ``status.twins[].reported``, as in Go (``kubeedge
cloud/pkg/devicecontroller/controller/upstream.go@v1.3.1``). Go passes over the state; here it is kept in
``status.state`` and ``status.lastOnlineTime``, where later releases of KubeEdge keep it.

No report changes a desired value. Where a node says one that is not the cluster's, it has refused ours or a program on
it has set its own: ``disagreements`` says so.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.devices import desired_of, twins_of
from edgecore.errors import ContentError

TWIN_REPORT = "twin/edge_updated"
STATE_REPORT = "state"

STATES = frozenset({"online", "offline", "unknown"})
"""What a device can be (``kubeedge edge/pkg/devicetwin/dtmanager/device.go:66@v1.3.1``)."""

MAX_TEXT = 4096
"""How long a value may be; edges of KubeEdge 1.3 let 512 characters pass."""
_LARGEST = 2**63
_LONGEST_SHOWN = 128
"""How much of a path is repeated in an error: names of properties are the node's."""


class Report(NamedTuple):
    """What a message of a node is about: ``kind`` is ``TWIN_REPORT`` or ``STATE_REPORT``."""

    device: str
    kind: str


class Disagreement(NamedTuple):
    """A desired value that the node holds and the cluster does not.

    The versions are those that the node holds. It takes a value from the cloud whose version is not lower than
    ``cloud_version``, and none at all once ``edge_version`` is not 0 (``kubeedge
    edge/pkg/devicetwin/dtmanager/twin.go:350@v1.3.1``).
    """

    property: str
    value: str
    cloud_version: int
    edge_version: int


def report_of(resource: str) -> Report | None:
    """Return which report a message with that resource is, if it is one."""
    match resource.split("/"):
        case ["device", name, "twin", "edge_updated"] if name:
            return Report(name, TWIN_REPORT)
        case ["device", name, "state"] if name:
            return Report(name, STATE_REPORT)
    return None


def reported(device: Object, content: Any, now_ms: int) -> Object | None:
    """Return ``device`` with the actual values that its node reports; ``None`` if that changes nothing.

    Each has the time when it was measured (Unix ms, as text) and its type, where the node says them; where it does not
    say the time, that of the report. Properties that the device does not have are passed over. Raises ``ContentError``.
    """
    name = device["metadata"]["name"]
    document = _document(content, name)
    sent_ms = _number(document, "timestamp", "", name) or now_ms
    values = {}
    for key, twin in _reported_twins(document, name):
        path = f"twin.{key}."
        actual = _object(twin, "actual", path, name)
        value = _text(actual, "value", f"{path}actual.", name)
        metadata = _object(actual, "metadata", f"{path}actual.", name)
        measured_ms = _number(metadata, "timestamp", f"{path}actual.metadata.", name)
        value_type = _text(_object(twin, "metadata", path, name), "type", f"{path}metadata.", name)
        if value is not None:
            shown = {"timestamp": str(measured_ms or sent_ms)}
            values[key] = {"value": value, "metadata": shown | ({"type": value_type} if value_type else {})}
    held = twins_of(device)
    twins = [
        {**twin, "reported": values[twin["propertyName"]]} if twin["propertyName"] in values else twin for twin in held
    ]
    return _with_status(device, {"twins": twins}) if twins != held else None


def disagreements(device: Object, content: Any) -> list[Disagreement]:
    """Return the desired values in a twin report that are not those of ``device``. Raises ``ContentError``."""
    name = device["metadata"]["name"]
    desired = desired_of(device)
    found = []
    for key, twin in _reported_twins(_document(content, name), name):
        path = f"twin.{key}."
        value = _text(_object(twin, "expected", path, name), "value", f"{path}expected.", name)
        version = _object(twin, "expected_version", path, name)
        cloud, edge = (_number(version, side, f"{path}expected_version.", name) for side in ("cloud", "edge"))
        if value is not None and key in desired and value != desired[key]["value"]:
            found.append(Disagreement(key, value, cloud, edge))
    return found


def state_reported(device: Object, content: Any) -> Object | None:
    """Return ``device`` with the state that its node reports; ``None`` if that changes nothing.

    The time is in the node's own words, as it names no zone. Raises ``ContentError``.
    """
    name = device["metadata"]["name"]
    sent = _object(_document(content, name), "device", "", name)
    state = _text(sent, "state", "device.", name)
    if state not in STATES:
        raise _refused(name, "device.state", f"expected one of {', '.join(sorted(STATES))}")
    online = _text(sent, "last_online", "device.", name)
    told = {"state": state} | ({"lastOnlineTime": online} if online else {})
    status = device.get("status") or {}
    return _with_status(device, told) if any(status.get(field) != value for field, value in told.items()) else None


def _with_status(device: Object, fields: dict[str, Any]) -> Object:
    return {**device, "status": {**(device.get("status") or {}), **fields}}


def _reported_twins(document: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each property and what is said of it; ``null`` says nothing."""
    twins = _object(document, "twin", "", name)
    for key in twins:
        yield key, _object(twins, key, "twin.", name)


def _document(content: Any, name: str) -> dict[str, Any]:
    """Return the content of a report: an object, or a text with JSON inside."""
    if isinstance(content, str):
        try:
            content = msgspec.json.decode(content)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise ContentError(f"cannot take report of device {name}: not JSON") from None
    if not isinstance(content, dict):
        raise ContentError(f"cannot take report of device {name}: expected an object, found {_kind(content)}")
    return content


def _object(parent: dict[str, Any], field: str, path: str, name: str) -> dict[str, Any]:
    """Return an object in ``parent``, which lies at ``path``; absent and ``null`` are the empty one."""
    value = parent.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refused(name, path + field, f"expected an object, found {_kind(value)}")
    return value


def _text(parent: dict[str, Any], field: str, path: str, name: str) -> str | None:
    value = parent.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refused(name, path + field, f"expected a text, found {_kind(value)}")
    if len(value) > MAX_TEXT:
        raise _refused(name, path + field, f"longer than {MAX_TEXT} characters")
    return value


def _number(parent: dict[str, Any], field: str, path: str, name: str) -> int:
    """Return a whole number, 0 where it is absent."""
    value = parent.get(field)
    if value is None:
        return 0
    if type(value) is not int or not -_LARGEST <= value < _LARGEST:
        raise _refused(name, path + field, "expected a whole number of 64 bits")
    return value


def _refused(name: str, path: str, reason: str) -> ContentError:
    shown = path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}..."
    return ContentError(f"cannot take report of device {name}: {shown}: {reason}")


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
