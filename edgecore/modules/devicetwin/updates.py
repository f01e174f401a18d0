"""What devices and the cloud tell of one device: twins, state, attributes (pure; spec 7.5 and 7.6).

``kubeedge edge/pkg/devicetwin/dtmanager/{twin,device}.go@v1.3.1``. The order of what is published is that of Go:
result, document, delta; the cloud last.
"""

from collections.abc import Iterator, Mapping

from edgecore.errors import ContentError
from edgecore.modules.devicetwin import topics
from edgecore.modules.devicetwin.attributes import deal_attributes
from edgecore.modules.devicetwin.decision import (
    Decision,
    DropAttribute,
    Fault,
    Moment,
    Publish,
    PutAttribute,
    PutDevice,
    PutTwin,
    Report,
    Row,
    Unheeded,
    Word,
)
from edgecore.modules.devicetwin.devices import Device
from edgecore.modules.devicetwin.payloads import (
    Attributes,
    AttributeUpdate,
    Base,
    DeviceState,
    ErrorResult,
    StateResult,
    StateUpdate,
    TwinDelta,
    TwinDocument,
    Twins,
    TwinUpdate,
)
from edgecore.modules.devicetwin.reading import checked, read
from edgecore.modules.devicetwin.twins import Deal, Dealt, Refused, deal, shown
from edgecore.modules.devicetwin.values import BAD_BODY

BAD_REQUEST = 400
NOT_FOUND = 404
STORE_FAILED = 500
NO_DEVICE = "Update rejected due to the device is not existed"
NOT_STORED = "Update twin failed: the node's database refused it"
STATES = ("online", "offline", "unknown")
_SHOWN = 500

Devices = Mapping[str, Device]


def update_twins(devices: Devices, device_id: str, payload: bytes, at: Moment) -> Decision:
    """Do what a program on MQTT wants of the twins of a device, or say why not."""
    try:
        update = read(TwinUpdate, payload)
    except ContentError:
        return _refused("", "", BAD_REQUEST, BAD_BODY, at)
    device = devices.get(device_id)
    try:
        twins = checked(update)
        if device is None:
            return _refused(device_id, update.event_id, NOT_FOUND, NO_DEVICE, at)
        dealt = deal(device, twins, Deal.LOCAL, at.now_ms)
    except Refused as refusal:
        return _refused(device_id, update.event_id, refusal.code, refusal.reason, at)
    result = Publish(topics.twin_result(device_id), TwinUpdate(update.event_id, at.now_ms, dealt.result))
    failed = _error(device_id, update.event_id, STORE_FAILED, NOT_STORED, at)
    return _dealt(dealt, update.event_id, (result,), at)._replace(otherwise=failed)


def sync_twins_of(devices: Devices, device_id: str, payload: bytes, at: Moment) -> Decision:
    """Do what the cloud wants of the twins of a device."""
    try:
        update = read(TwinUpdate, payload)
        twins = checked(update)
    except ContentError as error:  # or refused
        return Decision(faults=(Fault("malformed_twins", str(error)),))
    device = devices.get(device_id)
    if device is None:
        return Decision(faults=(Fault("unknown_device", device_id),))
    return sync_twins(device, twins, update.event_id, at)


def sync_twins(device: Device, twins: Twins, event_id: str, at: Moment) -> Decision:
    """Bring the twins of ``device`` to what the cloud tells of them."""
    dealt = deal(device, twins, Deal.CLOUD, at.now_ms)
    unheeded = tuple(Unheeded(device.id, name, device.twins[name].is_set_here) for name in dealt.sync)
    return _dealt(dealt, event_id, (), at)._replace(unheeded=unheeded)


def show_twins(devices: Devices, device_id: str, payload: bytes, at: Moment) -> Decision:
    """Answer with the twins of a device."""
    topic = topics.twin_got(device_id)
    try:
        asked = read(Base, payload)
    except ContentError as error:
        text = payload[:_SHOWN].decode(errors="replace")
        reason = f"Unmarshal twin info {text} failed , err: {error}"
        return Decision(words=(Publish(topic, ErrorResult("", at.now_ms, BAD_REQUEST, reason)),))
    device = devices.get(device_id)
    if device is None:
        reason = f"Device {device_id} not found while getting twin"
        return Decision(words=(Publish(topic, ErrorResult(asked.event_id, at.now_ms, NOT_FOUND, reason)),))
    twins = shown(device.twins, versions=False)
    return Decision(words=(Publish(topic, TwinUpdate(asked.event_id, at.now_ms, twins)),))


def update_state(devices: Devices, device_id: str, payload: bytes, at: Moment) -> Decision:
    """Note the state that a device reports of itself."""
    try:
        update = read(StateUpdate, payload)
    except ContentError as error:
        return Decision(faults=(Fault("malformed_state", str(error)),))
    device = devices.get(device_id)
    if device is None:
        return Decision(faults=(Fault("unknown_device", device_id),))
    if update.state not in STATES:
        return Decision(faults=(Fault("unknown_state", f"{device_id}: {update.state!r}"),))
    device = device._replace(state=update.state, last_online=at.local_time(at.now_ms))
    base = at.base()
    state = DeviceState(device.name, device.state, device.last_online)
    result = StateResult(base.event_id, base.timestamp, device=state)
    report = Report(f"device/{device_id}/state", result, frozenset(("state",)), as_text=True)
    return Decision(
        {device_id: device}, (PutDevice(device),), (Publish(topics.state_result(device_id), result), report)
    )


def update_attributes(devices: Devices, device_id: str, payload: bytes, at: Moment, *, local: bool) -> Decision:
    """Do what somebody wants of the attributes of a device."""
    try:
        update = read(AttributeUpdate, payload)
    except ContentError as error:
        return Decision(faults=(Fault("malformed_attributes", str(error)),))
    device = devices.get(device_id)
    if device is None:
        return Decision(faults=(Fault("unknown_device", device_id),))
    return change_attributes(device, update.attributes, at, local=local)


def change_attributes(device: Device, wanted: Attributes | None, at: Moment, *, local: bool) -> Decision:
    """Bring the attributes of ``device`` to what is told of them."""
    dealt = deal_attributes(device, wanted, Deal.LOCAL if local else Deal.CLOUD, at.now_ms)
    faults = tuple(Fault("bad_attribute", f"{device.id}/{name}: {why}") for name, why in dealt.faults)
    if not dealt.result and not dealt.changed and not dealt.gone:
        return Decision(faults=faults)
    attributes = dealt.device.attributes
    rows: tuple[Row, ...] = (
        *(PutAttribute(device.id, name, attributes[name]) for name in dealt.changed),
        *(DropAttribute(device.id, name) for name in dealt.gone),
    )
    base = at.base()
    told = Publish(topics.attributes_updated(device.id), AttributeUpdate(base.event_id, base.timestamp, dealt.result))
    return Decision({device.id: dealt.device}, rows, (told,) if dealt.result else (), None, faults)


def _dealt(dealt: Dealt, event_id: str, first: tuple[Word, ...], at: Moment) -> Decision:
    device = dealt.device
    rows = tuple(PutTwin(device.id, name, device.twins[name]) for name in dealt.changed)
    faults = tuple(Fault("bad_twin", f"{device.id}/{name}: {why}") for name, why in dealt.faults)
    words = (*first, *_words(dealt, event_id, at))
    return Decision({device.id: device} if rows else {}, rows, words, None, faults)


def _words(dealt: Dealt, event_id: str, at: Moment) -> Iterator[Word]:
    device_id = dealt.device.id
    if dealt.documents:
        yield Publish(topics.twin_document(device_id), TwinDocument(event_id, at.now_ms, twin=dealt.documents))
    if dealt.delta is not None:
        twins, delta = dealt.delta
        base = at.base()
        yield Publish(topics.twin_delta(device_id), TwinDelta(base.event_id, base.timestamp, twin=twins, delta=delta))
    if dealt.sync:
        base = at.base()
        content = TwinUpdate(base.event_id, base.timestamp, dealt.sync)
        yield Report(f"device/{device_id}/twin/edge_updated", content, frozenset(_said(dealt.sync)))


def _said(sync: Twins) -> Iterator[str]:
    """Yield what a report of twins says: which sides of which."""
    for name, twin in sync.items():
        if twin is not None:
            if twin.expected is not None or twin.expected_version is not None:
                yield f"{name} expected"
            if twin.actual is not None or twin.actual_version is not None:
                yield f"{name} actual"


def _refused(device_id: str, event_id: str, code: int, reason: str, at: Moment) -> Decision:
    return Decision(words=(_error(device_id, event_id, code, reason, at),))


def _error(device_id: str, event_id: str, code: int, reason: str, at: Moment) -> Publish:
    return Publish(topics.twin_result(device_id), ErrorResult(event_id, at.now_ms, code, reason))
