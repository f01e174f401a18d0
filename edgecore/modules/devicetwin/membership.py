"""Devices that come to the node and leave it, and who asks for them (pure; spec 7.4).

``kubeedge edge/pkg/devicetwin/dtmanager/membership.go@v1.3.1``.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from edgecore.errors import ContentError
from edgecore.modules.devicetwin import topics
from edgecore.modules.devicetwin.attributes import shown_attributes
from edgecore.modules.devicetwin.decision import (
    Decision,
    DropDevice,
    Fault,
    Moment,
    Publish,
    PutDevice,
    Row,
    Unheeded,
    Word,
)
from edgecore.modules.devicetwin.devices import DELETED, Device
from edgecore.modules.devicetwin.payloads import (
    Base,
    ErrorResult,
    MembershipDetail,
    MembershipUpdate,
    MsgAttr,
    MsgDevice,
    Twins,
)
from edgecore.modules.devicetwin.reading import read
from edgecore.modules.devicetwin.updates import BAD_REQUEST, change_attributes, sync_twins

MAX_DEVICES = 10_000
"""Devices that the node keeps."""
MAX_ID = 253
_NOT_IN_TOPICS = frozenset("/+#\0")
_SHOWN = 500
"""So much of a payload stands in the text that says why it was refused."""

Devices = Mapping[str, Device]


def update_membership(devices: Devices, payload: bytes, at: Moment) -> Decision:
    """Let devices come and go."""
    try:
        update = read(MembershipUpdate, payload)
    except ContentError as error:
        return Decision(faults=(Fault("malformed_membership", str(error)),))
    changes = _Changes(devices, at)
    for device in update.added_devices or ():
        changes.add(device)
    for device in update.removed_devices or ():
        changes.remove(device)
    return changes.decision()


def replace_membership(devices: Devices, payload: bytes, at: Moment) -> Decision:
    """Let exactly the listed devices be there."""
    try:
        detail = read(MembershipDetail, payload)
    except ContentError as error:
        return Decision(faults=(Fault("malformed_membership", str(error)),))
    if detail.devices is None:  # it does not say which: all would go
        return Decision(faults=(Fault("malformed_membership", "cannot replace devices: it has no list of them"),))
    leaving = devices.keys() - {device.id for device in detail.devices}
    changes = _Changes(devices, at, leaving=len(leaving))
    for device in detail.devices:
        changes.add(device)
    for device_id in sorted(leaving):
        changes.remove(_message(devices[device_id]))
    return changes.decision()


def show_membership(devices: Devices, payload: bytes, at: Moment) -> Decision:
    """Answer with the devices, without their twins."""
    topic = topics.membership_got(at.node)
    try:
        asked = read(Base, payload)
    except ContentError as error:
        shown = payload[:_SHOWN].decode(errors="replace")
        reason = f"Unmarshal get membership info {shown} failed , err: {error}"
        return Decision(words=(Publish(topic, ErrorResult("", at.now_ms, BAD_REQUEST, reason)),))
    listed = [_message(device) for _, device in sorted(devices.items())]
    return Decision(words=(Publish(topic, MembershipDetail(asked.event_id, at.now_ms, listed)),))


class _Changes:
    """What comes together while the devices of one message are gone through."""

    def __init__(self, devices: Devices, at: Moment, leaving: int = 0) -> None:
        """``leaving``: so many will be removed, after the others were added."""
        self._known = devices
        self._number = len(devices) - leaving
        self._at = at
        self._changed: dict[str, Device | None] = {}
        self._rows: list[Row] = []
        self._words: list[Word] = []
        self._faults: list[Fault] = []
        self._unheeded: list[Unheeded] = []

    def decision(self) -> Decision:
        faults, unheeded = tuple(self._faults), tuple(self._unheeded)
        return Decision(self._changed, tuple(self._rows), tuple(self._words), None, faults, unheeded)

    def add(self, told: MsgDevice) -> None:
        """Take ``told`` in; one that is there already is brought to what is told of it."""
        device = self._now(told.id)
        if device is not None:
            self._take(change_attributes(device, told.attributes, self._at, local=False))
            if told.twin is not None:
                self._take(sync_twins(self._now(told.id) or device, told.twin, "", self._at))
            return
        if not _is_id(told.id):
            self._faults.append(Fault("bad_device_id", repr(told.id)))
            return
        if self._number >= MAX_DEVICES:
            self._faults.append(Fault("too_many_devices", f"{told.id}: the node has {self._number}"))
            return
        self._number += 1
        device = Device(told.id, told.name, told.description, told.state, told.last_online)
        self._take(Decision({device.id: device}, (PutDevice(device),)))
        if told.twin is not None:
            self._take(sync_twins(device, told.twin, "", self._at))
        self._take(change_attributes(self._now(told.id) or device, told.attributes, self._at, local=False))
        self._tell([told], None)

    def remove(self, told: MsgDevice) -> None:
        """Let ``told`` go, if it is there."""
        if self._now(told.id) is None:
            return
        self._number -= 1
        self._take(Decision({told.id: None}, (DropDevice(told.id),)))
        self._tell(None, [told])

    def _now(self, device_id: str) -> Device | None:
        return self._changed[device_id] if device_id in self._changed else self._known.get(device_id)

    def _take(self, part: Decision) -> None:
        self._changed.update(part.devices)
        self._rows += part.rows
        self._words += part.words
        self._faults += part.faults
        self._unheeded += part.unheeded

    def _tell(self, added: Iterable[MsgDevice] | None, removed: Iterable[MsgDevice] | None) -> None:
        base = self._at.base()
        payload = MembershipUpdate(base.event_id, base.timestamp, _told(added), _told(removed))
        self._words.append(Publish(topics.membership_updated(self._at.node), payload))


def _told(devices: Iterable[MsgDevice] | None) -> list[MsgDevice] | None:
    """Return devices as they are told on: without the versions of their twins, deleted twins as ``null``."""
    if devices is None:
        return None
    return [replace(one, twin=_bare(one.twin), attributes=_sorted(one.attributes)) for one in devices]


def _bare(twins: Twins | None) -> Twins | None:
    if twins is None:
        return None
    return {
        name: None
        if twin is None or (twin.metadata is not None and twin.metadata.type == DELETED)
        else replace(twin, expected_version=None, actual_version=None)
        for name, twin in sorted(twins.items())
    }


def _sorted(attributes: dict[str, MsgAttr | None] | None) -> dict[str, MsgAttr | None] | None:
    return None if attributes is None else dict(sorted(attributes.items()))


def _message(device: Device) -> MsgDevice:
    """Return a device without its twins."""
    attributes = shown_attributes(device.attributes) or None
    return MsgDevice(device.id, device.name, device.description, device.state, device.last_online, attributes, None)


def _is_id(text: str) -> bool:
    """Whether a device can be called so: its topics have to be topics."""
    return 0 < len(text) <= MAX_ID and _NOT_IN_TOPICS.isdisjoint(text) and text.isprintable()
