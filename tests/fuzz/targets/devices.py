"""MQTT: topics and payloads of devices, what is injected, what the broker says; and calls of services by the cloud."""

from base64 import b64encode

from edgecore.beehive.frame import decode_frame
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.topics import topic_of, topic_resource
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock
from edgecore.errors import ContentError, FrameError
from edgecore.ids import seeded_ids
from edgecore.modules.devicetwin import membership, rows, updates
from edgecore.modules.devicetwin.decision import Decision, Moment, Publish
from edgecore.modules.devicetwin.devices import Attribute, Device, Side, Twin, Version
from edgecore.modules.devicetwin.requests import Request, Unfit, read_request
from edgecore.modules.eventbus import publishing
from edgecore.modules.eventbus import topics as filters
from edgecore.modules.eventbus.broker.news import heard
from edgecore.modules.eventbus.mirror import topics as mirror
from edgecore.modules.eventbus.mirror.injection import Refused, injected
from edgecore.modules.servicebus.answers import Answer, Refusal, answer_of
from edgecore.modules.servicebus.answers import Refused as NotCalled
from edgecore.modules.servicebus.calls import Call, read_call
from edgecore.modules.servicebus.places import Places
from tests.fuzz.recorded import contents, texts, to_cloud, to_edge, values
from tests.fuzz.target import target

_TOPICS = (
    "$hw/events/device/d/state/update",
    "$hw/events/device/d/twin/update",
    "$hw/events/device/d/twin/get",
    "$hw/events/node/n/membership/get",
    "SYS/dis/upload_records",
    "x/user/y",
    "edgecore/n/inject/edged",
)
_PAYLOADS = (
    b'{"event_id":"1","timestamp":1,"state":"online"}',
    b'{"event_id":"1","twin":{"t":{"expected":{"value":"2","metadata":{"timestamp":1}},"actual":{"value":"1"}},"u":null}}',
    b'{"added_devices":[{"id":"e","name":"e","twin":{"t":{"actual":null}},"attributes":{"a":{"value":"1"}}}]}',
    b'{"devices":[{"id":"d"}]}',
    b'{"attributes":{"a":{"value":"1","optional":true,"metadata":{"type":"int"}}}}',
)


def _device() -> Device:
    side = Side("1", 1, Version(1, 1))
    twins = {"t": Twin(side, side, optional=True, type="int"), "u": Twin(None, side)}
    return Device("d", "d", "", "online", "", attributes={"a": Attribute("1")}, twins=twins)


def _moment() -> Moment:
    return Moment("n", 1_795_169_594_000, seeded_ids(1), str)


@target(
    "edgecore.beehive.topics",
    "edgecore.modules.devicetwin.requests",
    "edgecore.modules.devicetwin.topics",
    "edgecore.modules.eventbus.topics",
    "edgecore.modules.eventbus.mirror.topics",
    faces="devices by MQTT: a line with the topic, then the payload",
    seeds=lambda: [topic.encode() + b"\n" + payload for topic in _TOPICS for payload in _PAYLOADS[:2]],
)
def mqtt_message(data: bytes) -> None:
    """A topic survives the way over the bus, and each message of devices has one meaning."""
    first, _, payload = data.partition(b"\n")
    topic = first.decode(errors="replace")
    assert topic_of(topic_resource(topic)) == topic
    for form in ("1.3", "1.6"):
        filters.taken_in(topic, form)
    assert not filters.fault_of_topic(topic) or not topic or {"+", "#", "\0"} & set(topic) or len(first) > 65_535
    if not filters.fault_of_filter(topic) and not {"+", "#"} & set(topic):
        assert filters.matches(topic, topic)
    filters.as_text(payload).encode()
    assert mirror.plain(mirror.level(topic)) == topic
    mirror.path(topic)
    mirror.is_of_mirror(topic)
    mirror.receiver(topic, "n")
    asked = read_request(Message(Header("1"), Route("bus", "twin", "response", topic_resource(topic)), payload))
    if isinstance(asked, Request):
        _decide(asked.payload)


@target(
    "edgecore.modules.devicetwin.reading",
    "edgecore.modules.devicetwin.twins",
    "edgecore.modules.devicetwin.membership",
    faces="devices and programs by MQTT, and the cloud",
    seeds=lambda: [*_PAYLOADS, *contents("membership", "twin")()],
)
def twin_payload(data: bytes) -> None:
    """Every payload is decided about, by whoever it is sent; what is to be kept is read back as it was."""
    _decide(data)


def _decide(data: bytes) -> None:
    devices, at = {"d": _device()}, _moment()
    decisions = [
        membership.update_membership(devices, data, at),
        membership.replace_membership(devices, data, at),
        membership.show_membership(devices, data, at),
        updates.update_twins(devices, "d", data, at),
        updates.sync_twins_of(devices, "d", data, at),
        updates.show_twins(devices, "d", data, at),
        updates.update_state(devices, "d", data, at),
        updates.update_attributes(devices, "d", data, at, local=True),
    ]
    for decision in decisions:
        _check(decision)


def _check(decision: Decision) -> None:
    for device in decision.devices.values():
        for name, twin in device.twins.items() if device is not None else ():
            row = rows.twin_row(device.id, name, twin)
            assert rows.read_twin(row)[2].type == twin.type
    for word in decision.words:
        encode(Message(content=word.payload if isinstance(word, Publish) else word.content))


@target(
    "edgecore.modules.devicetwin.rows",
    faces="the database file: rows of devices, columns with zero bytes between",
    seeds=texts(b'd\0t\0r\x001\x002\0{"timestamp":1}\0{"timestamp":2}\0{"cloud":1,"edge":0}\0{}\x001\0int\0{}'),
)
def device_rows(data: bytes) -> None:
    """A row is read, or refused as content."""
    for columns in (data.split(b"\0"), data.decode(errors="replace").split("\0")):
        row = (*columns, *[None] * 12)
        for read, width in ((rows.read_device, 5), (rows.read_attribute, 7), (rows.read_twin, 12)):
            try:
                read(row[:width])
            except ContentError:
                continue


@target("edgecore.modules.devicetwin.requests", faces="the cloud: what is for DeviceTwin", seeds=to_edge)
def twin_message(data: bytes) -> None:
    """It has one meaning."""
    try:
        asked = read_request(decode_frame(data))
    except FrameError:
        return
    assert not isinstance(asked, Unfit) or asked.reason


@target(
    "edgecore.modules.eventbus.publishing",
    faces="modules and the cloud: what is to be published",
    seeds=lambda: [
        *to_cloud(),
        *to_edge(),
        *values(
            *(
                {
                    "header": {"msg_id": "1"},
                    "route": {"operation": operation, "resource": "a/b"},
                    "content": {"message": {"topic": "a/b", "c": 1}},
                }
                for operation in ("publish", "message", "subscribe")
            )
        )(),
    ],
)
def published_message(data: bytes) -> None:
    """What is published has a topic that a broker takes."""
    try:
        deed = publishing.deed(decode_frame(data), "n")
    except FrameError:
        return
    if isinstance(deed, publishing.Publish):
        assert not filters.fault_of_topic(deed.topic)
    if isinstance(deed, publishing.Subscribe):
        assert not filters.fault_of_filter(deed.wanted)


@target("edgecore.modules.eventbus.mirror.injection", faces="who publishes to inject", seeds=to_edge)
def injected_message(data: bytes) -> None:
    """What goes to a module has a route, an id and a time, and nobody waits for an answer."""
    try:
        message = injected(data, seeded_ids(1), VirtualClock(), 1 << 20)
    except Refused as refused:
        assert refused.reason.startswith("inject_")
        return
    assert message.header.id
    assert message.header.timestamp_ms
    assert message.route.operation
    assert not message.header.sync
    encode(message)


@target(
    "edgecore.modules.eventbus.broker.news",
    faces="the program of the embedded broker, by lines",
    seeds=values(
        {"event": "listening", "address": "127.0.0.1", "port": 1},
        {"event": "failed", "reason": "x"},
        {"event": "counted", "connections": 1},
    ),
)
def broker_line(data: bytes) -> None:
    """It is news, or none of its lines."""
    heard(data)


@target(
    "edgecore.modules.servicebus.calls",
    "edgecore.modules.servicebus.places",
    "edgecore.modules.servicebus.answers",
    faces="the cloud that calls a service, and the service that answers",
    seeds=values(
        *[
            {
                "header": {"msg_id": "1"},
                "route": {"operation": "POST", "resource": "9000:/a%20b?c"},
                "content": {"header": {"Content-Type": ["x"], "Host": ["y"]}, "body": b64encode(b"hi").decode()},
            }
        ]
    ),
)
def service_call(data: bytes) -> None:
    """Nothing in a call can end a line of its request, and every refusal is an answer."""
    try:
        message = decode_frame(data)
    except FrameError:
        return
    call = read_call(message, Places({9001: ("10.0.0.1", 80)}, only_targets=False))
    if isinstance(call, NotCalled):
        assert isinstance(call.answer, Answer)
        return
    assert isinstance(call, Call)
    lines = (call.method, call.place, call.path, *(text for line in call.header for text in line))
    assert not any(sign in text for text in lines for sign in "\r\n\0")
    assert " " not in call.path
    found = answer_of(200, call.header, call.body)
    assert isinstance(found, Answer) or found.refusal is Refusal.RECEIVE
