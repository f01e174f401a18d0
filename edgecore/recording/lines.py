"""Entries to and from the lines of a recording (pure); what a key means: ``docs/reference/recording-format.md``."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from edgecore.errors import ContentError
from edgecore.recording.entries import (
    KEYS,
    VERSION,
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Direction,
    DnsExchange,
    Entry,
    Fault,
    Http,
    Link,
    Loss,
    MqttDirection,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
    Write,
)


class _Line(msgspec.Struct, omit_defaults=True):
    """All keys of the format; unknown ones are passed over, so that a later minor addition stays readable."""

    t_ns: int
    n: int = 0
    causes: tuple[int, ...] = ()
    session: int | None = None
    program: str = ""
    node: str = ""
    kinds: tuple[str, ...] = ()
    redacted: bool = False
    link: Link | None = None
    dir: str | None = None
    text: str | None = None
    http: str | None = None
    body_hex: str = ""
    event: Literal["open", "eof", "error"] | None = None
    tls: str = ""
    detail: str = ""
    note: str | None = None
    topic: str = ""
    payload: str = ""
    out: str = ""
    bus: str | None = None
    sender: str = msgspec.field(default="", name="from")
    receiver: str = msgspec.field(default="", name="to")
    injected: bool = False
    mqtt: str | None = None
    broker: str = ""
    payload_hex: str = ""
    id: str = ""
    commit: tuple[Write, ...] | None = None
    dns: str | None = None
    answer: str = ""
    client: str = ""
    transport: Literal["udp", "tcp"] = "udp"
    us: int = 0
    request: str | None = None
    service: str = ""
    handling: str = ""
    backend: str = ""
    status: int = 0
    reason: str = ""
    bytes_in: int = msgspec.field(default=0, name="in")
    bytes_out: int = 0
    retries: int = 0
    fault: str | None = None
    state: dict[str, Any] | None = None
    lost: int | None = None


T = TypeVar("T")
_WAYS = {way.value: way for way in Direction}
_MQTT_WAYS = {way.value: way for way in MqttDirection}
_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def parse_entry(data: bytes, line: int) -> Entry:
    """Return the entry in ``data``, line number ``line`` of a recording.

    Raises ``ContentError`` whose text says what is wrong, without the place: the reader knows the file.
    """
    try:
        fields = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentError(f"not an entry: {error}") from error
    kinds = [kind for kind in KEYS if getattr(fields, kind) is not None]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise ContentError(f"not an entry: expected one of the keys {', '.join(KEYS)}, found {found}")
    entry = _ENTRIES[kinds[0]](fields, line)
    return msgspec.structs.replace(entry, n=fields.n, causes=fields.causes) if fields.n or fields.causes else entry


def line_of(entry: Entry) -> bytes:
    """Return the line of ``entry``, its newline included."""
    fields = _LINES[type(entry)](entry)
    fields.n, fields.causes = entry.n, entry.causes
    return _encode(fields) + b"\n"


# From lines.


def _linked(fields: _Line, kind: str) -> tuple[Direction, Link]:
    if fields.dir is None or fields.link is None:
        raise ContentError(f"not an entry: {kind} needs the keys dir and link")
    return _direction(fields, kind, _WAYS), fields.link


def _direction(fields: _Line, kind: str, ways: Mapping[str, T]) -> T:
    direction = ways.get(fields.dir or "")
    if direction is None:
        raise ContentError(f"not an entry: {kind} has dir {fields.dir!r}; expected one of {', '.join(ways)}")
    return direction


def _session(fields: _Line, line: int) -> SessionHead:
    version = fields.session or 0
    if not 1 <= version <= VERSION:
        raise ContentError(f"not an entry: session version {version}; this program reads up to {VERSION}")
    return SessionHead(line, fields.t_ns, version, fields.program, fields.node, fields.kinds, fields.redacted)


def _frame(fields: _Line, line: int) -> CloudFrame:
    return CloudFrame(line, fields.t_ns, *_linked(fields, "text"), fields.text or "")


def _http(fields: _Line, line: int) -> Http:
    return Http(line, fields.t_ns, *_linked(fields, "http"), fields.http or "", _bytes(fields.body_hex, "body_hex"))


def _event(fields: _Line, line: int) -> ConnectionEvent:
    direction, link = _linked(fields, "event")
    return ConnectionEvent(line, fields.t_ns, direction, link, fields.event or "error", fields.tls, fields.detail)


def _note(fields: _Line, line: int) -> Note:
    return Note(line, fields.t_ns, fields.note or "", fields.topic, fields.payload, fields.out)


def _bus(fields: _Line, line: int) -> BusMessage:
    return BusMessage(line, fields.t_ns, fields.sender, fields.receiver, fields.bus or "", fields.injected)


def _mqtt(fields: _Line, line: int) -> MqttMessage:
    direction = _direction(fields, "mqtt", _MQTT_WAYS)
    payload = _bytes(fields.payload_hex, "payload_hex") if fields.payload_hex else fields.payload.encode()
    return MqttMessage(line, fields.t_ns, direction, fields.broker, fields.mqtt or "", payload, fields.id)


def _commit(fields: _Line, line: int) -> Commit:
    return Commit(line, fields.t_ns, fields.commit or ())


def _dns(fields: _Line, line: int) -> DnsExchange:
    query, answer = _bytes(fields.dns or "", "dns"), _bytes(fields.answer, "answer")
    return DnsExchange(line, fields.t_ns, fields.client, fields.transport, query, answer, fields.us)


def _request(fields: _Line, line: int) -> ProxiedRequest:
    return ProxiedRequest(
        line,
        fields.t_ns,
        fields.client,
        fields.service,
        fields.handling,
        fields.request or "",
        fields.backend,
        fields.status,
        fields.reason,
        fields.bytes_in,
        fields.bytes_out,
        fields.us,
        fields.retries,
    )


def _fault(fields: _Line, line: int) -> Fault:
    return Fault(line, fields.t_ns, fields.fault or "", fields.detail)


def _state(fields: _Line, line: int) -> Snapshot:
    return Snapshot(line, fields.t_ns, fields.state or {})


def _loss(fields: _Line, line: int) -> Loss:
    return Loss(line, fields.t_ns, fields.lost or 0, fields.reason)


_ENTRIES: dict[str, Callable[[_Line, int], Entry]] = {
    "session": _session,
    "text": _frame,
    "http": _http,
    "event": _event,
    "note": _note,
    "bus": _bus,
    "mqtt": _mqtt,
    "commit": _commit,
    "dns": _dns,
    "request": _request,
    "fault": _fault,
    "state": _state,
    "lost": _loss,
}


def _bytes(digits: str, key: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ContentError(f"not an entry: {key}: {error}") from error


# To lines.


def _line_of_mqtt(one: MqttMessage) -> _Line:
    line = _Line(one.t_ns, mqtt=one.topic, dir=one.direction, broker=one.broker, id=one.message_id)
    try:
        line.payload = one.payload.decode()
    except UnicodeDecodeError:
        line.payload_hex = one.payload.hex()
    return line


def _line_of_request(one: ProxiedRequest) -> _Line:
    return _Line(
        one.t_ns,
        request=one.head,
        client=one.client,
        service=one.service,
        handling=one.handling,
        backend=one.backend,
        status=one.status,
        reason=one.reason,
        bytes_in=one.bytes_in,
        bytes_out=one.bytes_out,
        us=one.took_us,
        retries=one.retries,
    )


_LINES: dict[type, Any] = {
    SessionHead: lambda one: _Line(
        one.t_ns, session=one.version, program=one.program, node=one.node, kinds=one.kinds, redacted=one.redacted
    ),
    CloudFrame: lambda one: _Line(one.t_ns, link=one.link, dir=one.direction, text=one.text),
    Http: lambda one: _Line(one.t_ns, link=one.link, dir=one.direction, http=one.head, body_hex=one.body.hex()),
    ConnectionEvent: lambda one: _Line(
        one.t_ns, link=one.link, dir=one.direction, event=one.event, tls=one.tls, detail=one.detail
    ),
    Note: lambda one: _Line(one.t_ns, note=one.text, topic=one.topic, payload=one.payload, out=one.out),
    BusMessage: lambda one: _Line(
        one.t_ns, bus=one.text, sender=one.sender, receiver=one.receiver, injected=one.injected
    ),
    MqttMessage: _line_of_mqtt,
    Commit: lambda one: _Line(one.t_ns, commit=one.writes),
    DnsExchange: lambda one: _Line(
        one.t_ns,
        dns=one.query.hex(),
        answer=one.answer.hex(),
        client=one.client,
        transport=one.transport,
        us=one.took_us,
    ),
    ProxiedRequest: _line_of_request,
    Fault: lambda one: _Line(one.t_ns, fault=one.fault, detail=one.detail),
    Snapshot: lambda one: _Line(one.t_ns, state=one.state),
    Loss: lambda one: _Line(one.t_ns, lost=one.lost, reason=one.reason),
}
