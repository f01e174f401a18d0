"""The schemas of Device and DeviceModel: ``kubeedge build/crds/devices/devices_v1alpha1_*.yaml@v1.3.1``."""

from typing import Any

from cloudhub_stub.cluster.schemas.metadata import top
from cloudhub_stub.cluster.schemas.selection import DEVICE_NODE_SELECTOR
from cloudhub_stub.cluster.schemas.shapes import Check, ListOf, MapOf, Struct, Text, below, mapping, shown, text
from cloudhub_stub.errors import Invalid

_VALUE = Struct({"value": text, "metadata": MapOf(text)})
_TWIN = Struct({"propertyName": Text(), "desired": _VALUE, "reported": _VALUE}, required=("propertyName",))
_VISITOR = Struct(
    {"propertyName": Text(), "bluetooth": mapping, "modbus": mapping, "opcua": mapping, "customizedProtocol": mapping},
    required=("propertyName",),
    also="collectCycle customizedValues reportCycle",
)
_VISITORS = ListOf(_VISITOR, "propertyName")


def _accessible(property_type: Any, path: str) -> None:
    for name in _TYPES:
        where = below(path, name)
        mode = (property_type.get(name) or {}).get("accessMode")
        if mode not in (None, "", "ReadWrite", "ReadOnly"):
            raise Invalid(below(where, "accessMode"), f"it is {shown(mode)}; it can be ReadWrite, ReadOnly")


_TYPES = ("int", "string", "double", "float", "boolean", "bytes")
_PROPERTY = Struct(
    {
        "name": Text(),
        "description": text,
        "type": Struct(dict.fromkeys(_TYPES, mapping), rules=(_accessible,)),
    },
    required=("name",),
)

DEVICE: Check = top(
    {
        "spec": Struct(
            {
                "deviceModelRef": Struct({"name": Text()}, required=("name",)),
                "nodeSelector": DEVICE_NODE_SELECTOR,
                "protocol": mapping,
                "propertyVisitors": _VISITORS,
            },
            required=("deviceModelRef", "nodeSelector"),
            also="data",
        ),
        "status": Struct({"twins": ListOf(_TWIN, "propertyName")}, also="state lastOnlineTime"),
    },
    required=("spec",),
)
DEVICE_MODEL: Check = top(
    {"spec": Struct({"properties": ListOf(_PROPERTY, "name"), "propertyVisitors": _VISITORS})}, required=("spec",)
)
