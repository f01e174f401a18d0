"""Apply as ``kubectl`` does it: what was applied last, what is there, and what is applied now become one object (pure).

A field that is applied has its value from now on. One that was applied last and is not any more goes. All others stay:
they belong to whoever wrote them. Lists are single values, but for those that Kubernetes merges item by item, each
found by its merge key; the tables below say which. Source: the ``patchStrategy`` and ``patchMergeKey`` tags of
``k8s.io/api`` 1.17, and ``apimachinery/pkg/util/strategicpatch``. Two ports may have one number here if their protocols
differ; ``kubectl`` makes one of them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.metadata import of_users
from cloudhub_stub.errors import Invalid

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation that holds what was applied last: compact JSON and a line feed."""
ANNOTATIONS_LIMIT = 262_144
"""The most bytes that the annotations of an object may have, as in Kubernetes."""

_DEFAULTS = {"protocol": "TCP"}
"""Parts of merge keys that can be left out."""


class _Shape(NamedTuple):
    """How a value is merged: an object by ``fields``, a list (with ``key``) item by item, an item by ``fields``."""

    fields: Mapping[str, "_Shape"]
    key: tuple[str, ...] = ()
    is_union: bool = False
    """One of several forms (a volume, a strategy): of the fields there, only those that are applied too are kept."""


_PLAIN = _Shape({})
_METADATA = _Shape({"ownerReferences": _Shape({}, ("uid",))})
_CONTAINERS = _Shape(
    {
        "ports": _Shape({}, ("containerPort", "protocol")),
        "env": _Shape({}, ("name",)),
        "volumeMounts": _Shape({}, ("mountPath",)),
        "volumeDevices": _Shape({}, ("devicePath",)),
    },
    ("name",),
)
_POD_SPEC = _Shape(
    {
        "containers": _CONTAINERS,
        "initContainers": _CONTAINERS,
        "ephemeralContainers": _CONTAINERS,
        "volumes": _Shape({}, ("name",), is_union=True),
        "imagePullSecrets": _Shape({}, ("name",)),
        "hostAliases": _Shape({}, ("ip",)),
        "topologySpreadConstraints": _Shape({}, ("topologyKey",)),
    }
)
_TEMPLATE = _Shape({"metadata": _METADATA, "spec": _POD_SPEC})
_SPECS = {
    "Pod": _POD_SPEC,
    "Deployment": _Shape({"template": _TEMPLATE, "strategy": _Shape({}, is_union=True)}),
    "Service": _Shape({"ports": _Shape({}, ("port", "protocol"))}),
}
_CUSTOM = ("Device", "DeviceModel")
"""Kinds without such tags: their lists are single values throughout."""


def with_last_applied(obj: Object) -> Object:
    """Return ``obj``, a manifest, with the annotation that says what it is. Raises ``Invalid`` if it gets too big."""
    metadata = obj["metadata"]
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != LAST_APPLIED}
    text = _encoded({**obj, "metadata": {**metadata, "annotations": annotations}})
    size = len(text.encode()) + sum(len(name) + len(value or "") for name, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        reason = f"Too long: must have at most {ANNOTATIONS_LIMIT} bytes, and what is applied is noted there: {size}"
        raise Invalid("metadata.annotations", reason)
    return {**obj, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: text}}}


def last_applied(obj: Object) -> Object:
    """Return what was applied last, as far as users decide on it; empty where nothing was, or it cannot be read."""
    text = (obj["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if not isinstance(text, str):
        return {}
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    metadata = found.get("metadata")
    return {**found, "metadata": of_users(metadata) if isinstance(metadata, dict) else {}}


def merged(last: Object, applied: Object, current: Object) -> Object:
    """Return ``current`` with what ``applied`` wants and without what only ``last`` wanted; none of them is changed.

    In ``applied``, ``null`` is a wish that the field be gone, whoever wrote it.
    """
    kind = applied["kind"]
    shape = _PLAIN if kind in _CUSTOM else _Shape({"metadata": _METADATA, "spec": _SPECS.get(kind, _PLAIN)})
    found = _merged(last, applied, current, shape)
    assert isinstance(found, dict)  # noqa: S101 - an object merged into an object is one
    return found


def _merged(last: Any, applied: Any, current: Any, shape: _Shape) -> Any:
    if isinstance(applied, dict):
        return _merged_object(_if_object(last), applied, _if_object(current), shape)
    if isinstance(applied, list) and shape.key:
        return _merged_list(last, applied, current, shape)
    return applied


def _merged_object(last: Object, applied: Object, current: Object, shape: _Shape) -> Object:
    if shape.is_union:
        found = {name: value for name, value in current.items() if name in applied}
    else:
        found = {name: value for name, value in current.items() if name in applied or name not in last}
    for name, value in applied.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(last.get(name), value, current.get(name), shape.fields.get(name, _PLAIN))
    return found


def _merged_list(last: Any, applied: list[Any], current: Any, shape: _Shape) -> list[Any]:
    """Return the items applied, in that order, with the others' items where they were among them."""
    lasts, wanted, there = (_by_key(items, shape.key) for items in (last or [], applied, current or []))
    if wanted is None or there is None:
        return applied
    lasts = lasts or {}
    places = {key: place for place, key in enumerate(there)}
    others = [key for key in there if key not in wanted and key not in lasts]
    item = shape._replace(key=())
    found: list[Any] = []
    for key, value in wanted.items():
        while others and key in places and places[others[0]] < places[key]:
            found.append(there[others.pop(0)])
        found.append(_merged(lasts.get(key), value, there.get(key), item))
    return found + [there[key] for key in others]


def _by_key(items: Any, names: tuple[str, ...]) -> dict[tuple[Any, ...], Object] | None:
    """Return the items by their merge key; ``None`` if they cannot be told apart by it."""
    if not isinstance(items, list):
        return None
    found: dict[tuple[Any, ...], Object] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        key = tuple(item.get(name) or _DEFAULTS.get(name) for name in names)
        if None in key or any(isinstance(part, dict | list) for part in key) or key in found:
            return None
        found[key] = item
    return found


def _if_object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _encoded(obj: Object) -> str:
    """Return JSON as ``kubectl`` writes it: names sorted, compact, escaped as Go's encoder does, a line feed."""
    try:
        text = msgspec.json.encode(obj, order="sorted").decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid("", f"is no JSON value: {error}") from error
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"
