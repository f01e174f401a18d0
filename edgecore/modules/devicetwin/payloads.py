"""The JSON of devices, on MQTT and on the link (spec 7.2; kubeedge edge/pkg/devicetwin/dttype/types.go@v1.3.1).

The order of fields is that of the Go structs, and what Go leaves out where it is empty is left out here
(``omit_defaults``), so that ``gojson.marshal`` writes the same bytes. Go writes maps sorted: so is each dict here.
What is read may have other fields, which are passed over.
"""

from typing import Annotated, Any

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that the Go program can read."""


class ValueMeta(msgspec.Struct, omit_defaults=True):
    """``ValueMetadata``."""

    timestamp: Int64 = 0
    """Unix milliseconds."""


class TwinValue(msgspec.Struct, omit_defaults=True):
    """``TwinValue``: one side of a twin."""

    value: str | None = None
    metadata: ValueMeta | None = None


class TypeMeta(msgspec.Struct, omit_defaults=True):
    """``TypeMetadata``."""

    type: str = ""


class TwinVersion(msgspec.Struct):
    """``TwinVersion``."""

    cloud: Int64 = 0
    edge: Int64 = 0


class MsgTwin(msgspec.Struct, omit_defaults=True):
    """``MsgTwin``: one twin, or the part of it that somebody wants changed."""

    expected: TwinValue | None = None
    actual: TwinValue | None = None
    optional: bool | None = None
    metadata: TypeMeta | None = None
    expected_version: TwinVersion | None = None
    actual_version: TwinVersion | None = None


class MsgAttr(msgspec.Struct, omit_defaults=True):
    """``MsgAttr``."""

    value: str = msgspec.field(default_factory=str)
    """Written even where it is empty, as in Go."""
    optional: bool | None = None
    metadata: TypeMeta | None = None


Twins = dict[str, MsgTwin | None]
"""``null`` deletes a twin."""
Attributes = dict[str, MsgAttr | None]


class MsgDevice(msgspec.Struct, omit_defaults=True):
    """``Device``."""

    id: str = ""
    name: str = ""
    description: str = ""
    state: str = ""
    last_online: str = ""
    attributes: Attributes | None = None
    twin: Twins | None = None


class Base(msgspec.Struct):
    """``BaseMessage``: what every payload begins with."""

    event_id: str = ""
    timestamp: Int64 = 0


class MembershipUpdate(Base):
    """``MembershipUpdate``: devices that come to the node, and that leave it."""

    added_devices: list[MsgDevice] | None = None
    removed_devices: list[MsgDevice] | None = None


class MembershipDetail(Base):
    """``MembershipDetail``: all devices that the node is to have."""

    devices: list[MsgDevice] | None = None


class TwinUpdate(Base):
    """``DeviceTwinUpdate`` and ``DeviceTwinResult``: twins to change, or how they are."""

    twin: Twins | None = None


class TwinDelta(Base, kw_only=True):
    """``DeviceTwinDelta``: the twins, and for each that differs what it should be."""

    twin: Twins
    delta: dict[str, str]


class TwinDoc(msgspec.Struct):
    """``TwinDoc``: how a twin was and is; ``null``: it was not there, or is not any more."""

    last: MsgTwin | None = None
    current: MsgTwin | None = None


class TwinDocument(Base, kw_only=True):
    """``DeviceTwinDocument``."""

    twin: dict[str, TwinDoc]


class StateUpdate(Base):
    """``DeviceStateUpdate``: what a device says of itself."""

    state: str = ""


class DeviceState(msgspec.Struct, omit_defaults=True):
    """The device in a ``DeviceStateUpdateResult``."""

    name: str = ""
    state: str = ""
    last_online: str = ""


class StateResult(Base, kw_only=True):
    """How a device is now; the cloud gets the same JSON, as a text."""

    device: DeviceState


class AttributeUpdate(Base):
    """``DeviceAttrUpdate``."""

    attributes: Attributes | None = None


class ErrorResult(Base, omit_defaults=True):
    """``BaseMessage`` with a ``code`` (400, 404, 409, 500) and a ``reason``: why a request was refused."""

    event_id: str = msgspec.field(default_factory=str)
    timestamp: Int64 = msgspec.field(default_factory=int)
    code: int = 0
    reason: str = ""


Payload = Any
""":class:`Base` or one of those above, to be written by ``gojson.marshal``."""
