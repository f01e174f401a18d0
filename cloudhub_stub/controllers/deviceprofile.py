"""The device profiles: for each node a ConfigMap by which the mappers on it learn of their devices (pure).

A pod mounts ``device-profile-config-<node>`` and reads ``deviceProfile.json`` (``kubeedge
cloud/pkg/devicecontroller/types/deviceprofile.go@v1.3.1``)::

    {"deviceInstances":  [{"id", "name", "protocol", "model"}],
     "deviceModels":     [{"name", "properties": [{"name", "dataType", "description", "accessMode", "defaultValue",
                                                   "minimum", "maximum", "unit"}]}],
     "protocols":        [{"name", "protocol", "protocol_config"}],
     "propertyVisitors": [{"name", "propertyName", "modelName", "protocol", "visitorConfig"}]}

What is empty is left out, but for ``protocol_config``: a device without a protocol has an entry with ``null``. Devices
have their protocols under ``<protocol>-<device>``. A model stands there once, with its visitors, as soon as it exists;
Go leaves it out for good where the device came first, and does not follow changes of models.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import CONFIGMAP_KIND, Object, key_of
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers.devices import node_of

DEVICE_PROFILE = "deviceProfile.json"
"""The key of a profile in its ConfigMap."""

_PROTOCOLS = (("opcua",), ("modbus", "rtu"), ("modbus", "tcp"), ("bluetooth",))
"""Where the settings of a protocol are in a device; the first that is there counts."""
_VISITORS = ("modbus", "opcua", "bluetooth")
"""The protocols of visitors; the first that is there counts."""
_NO_DEFAULT = {"int": 0, "string": ""}
"""The default values that Go writes where a model has none."""


class _Protocol(NamedTuple):
    name: str
    config: Any


def profile_name(node: str) -> str:
    """Return the name of the ConfigMap for ``node``."""
    return f"device-profile-config-{node}"


def plan(
    node: str, namespace: str, devices: Sequence[Object], models: Sequence[Object], existing: Object | None
) -> list[Write]:
    """Return what is to be written so that ``existing``, the ConfigMap of that name and namespace, is the profile.

    ``devices`` and ``models`` are those of ``namespace``; devices of other nodes are passed over. Without devices the
    ConfigMap goes; one that holds other data besides, or never held a profile, keeps that.
    """
    own = [device for device in devices if node_of(device) == node]
    held: dict[str, str] = (existing or {}).get("data") or {}
    if not own:
        if existing is None or DEVICE_PROFILE not in held:
            return []
        others = {name: text for name, text in held.items() if name != DEVICE_PROFILE}
        if others or existing.get("binaryData"):
            return [Replace({**existing, "data": others})]
        return [Delete(key_of(existing), existing["metadata"].get("uid", ""))]
    text = json.dumps(profile(own, models), ensure_ascii=False, separators=(",", ":"))
    if existing is None:
        metadata = {"name": profile_name(node), "namespace": namespace}
        kind = CONFIGMAP_KIND
        new = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata, "data": {DEVICE_PROFILE: text}}
        return [Create(new)]
    if held.get(DEVICE_PROFILE) == text:
        return []
    return [Replace({**existing, "data": {**held, DEVICE_PROFILE: text}})]


def profile(devices: Sequence[Object], models: Sequence[Object]) -> dict[str, Any]:
    """Return the profile of ``devices``, by name, with those of ``models`` that they have."""
    devices = sorted(devices, key=_name)
    used = {_model_of(device) for device in devices}
    known = sorted((model for model in models if _name(model) in used), key=_name)
    return _filled(
        {
            "deviceInstances": [_instance(device) for device in devices],
            "deviceModels": [_model(model) for model in known],
            "protocols": [_protocol_entry(device) for device in devices],
            "propertyVisitors": [
                _visitor(model, visitor) for model in known for visitor in _list(model, "propertyVisitors")
            ],
        }
    )


def _instance(device: Object) -> dict[str, Any]:
    name, protocol = _name(device), _protocol_of(device)
    link = f"{protocol.name}-{name}" if protocol else ""
    return _filled({"id": name, "name": name, "protocol": link, "model": _model_of(device)})


def _protocol_entry(device: Object) -> dict[str, Any]:
    protocol = _protocol_of(device)
    if protocol is None:
        return {"protocol_config": None}
    link = f"{protocol.name}-{_name(device)}"
    return {"name": link, "protocol": protocol.name, "protocol_config": protocol.config}


def _protocol_of(device: Object) -> _Protocol | None:
    for path in _PROTOCOLS:
        config = device["spec"].get("protocol")
        for step in path:
            config = config.get(step) if isinstance(config, dict) else None
        if config is not None:
            return _Protocol("-".join(path), config)
    return None


def _model(model: Object) -> dict[str, Any]:
    return _filled({"name": _name(model), "properties": [_property(each) for each in _list(model, "properties")]})


def _property(found: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, Any] = found.get("type") or {}
    data_type = next((name for name in ("int", "string", *types) if types.get(name) is not None), "")
    details: dict[str, Any] = types.get(data_type) or {}
    default = details.get("defaultValue")
    shown = _filled(
        {
            "name": found.get("name"),
            "dataType": data_type,
            "description": found.get("description"),
            "accessMode": details.get("accessMode"),
        }
    )
    if default is not None or data_type in _NO_DEFAULT:
        shown["defaultValue"] = _NO_DEFAULT[data_type] if default is None else default
    return shown | _filled({name: details.get(name) for name in ("minimum", "maximum", "unit")})


def _visitor(model: Object, visitor: dict[str, Any]) -> dict[str, Any]:
    name = visitor.get("propertyName")
    protocol = next((each for each in _VISITORS if visitor.get(each) is not None), "")
    shown = _filled({"name": name, "propertyName": name, "modelName": _name(model), "protocol": protocol})
    return shown | ({"visitorConfig": visitor[protocol]} if protocol else {})


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _model_of(device: Object) -> str:
    return str((device["spec"].get("deviceModelRef") or {}).get("name", ""))


def _list(model: Object, field: str) -> list[dict[str, Any]]:
    spec = model.get("spec") or {}
    return spec.get(field) or []


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, as Go does."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0, [])}
