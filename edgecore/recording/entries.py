"""What one line of a recording says: a frame between cloud and edge, a message of the bus, a commit, and so on.

Which key a line has says what it is (``docs/reference/recording-format.md``). Version 1 knows frames, HTTP heads,
connection events and notes; version 2 begins with a line that says so, and knows the rest.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

VERSION = 2
"""Of the sessions that are written. A file without ``SessionHead`` is of version 1."""

Link = int | str
"""Which connection: a number for a websocket (a new one after each reconnect), a word for anything else."""


class Direction(StrEnum):
    """Which way the bytes of the link to the cloud went."""

    TO_EDGE = "cloud->edge"
    TO_CLOUD = "edge->cloud"


class MqttDirection(StrEnum):
    """Which way a message of MQTT went."""

    IN = "broker->node"
    OUT = "node->broker"


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What every entry may have in version 2."""

    n: int = 0
    """The number of the entry in its session, from 1; it stays when entries are cut out. 0 in version 1."""
    causes: tuple[int, ...] = ()
    """The numbers of the entries that this one follows from."""


class SessionHead(_Placed, frozen=True):
    """The first line: which version, who recorded, and what."""

    line: int
    t_ns: int
    version: int
    program: str = ""
    """Whose edge it is, such as ``edgecore 0.9.0``; empty where nobody knows, as in the recordings of Go programs."""
    node: str = ""
    kinds: tuple[str, ...] = ()
    """The keys that lines of this session may have (``KEYS``)."""
    redacted: bool = False
    """Whether secrets were replaced."""


class CloudFrame(_Placed, frozen=True):
    """One websocket message, its fragments joined; ``text`` is exact, the newline at its end included."""

    line: int
    """The number of the line in the file, counted from 1."""
    t_ns: int
    """Unix time in nanoseconds at which the recorder saw it."""
    direction: Direction
    link: Link
    text: str


class Http(_Placed, frozen=True):
    """The head of an HTTP request or answer, and its body."""

    line: int
    t_ns: int
    direction: Direction
    link: Link
    head: str
    body: bytes


class ConnectionEvent(_Placed, frozen=True):
    """A connection was opened, ended, or failed; ``direction`` names the side that did it."""

    line: int
    t_ns: int
    direction: Direction
    link: Link
    event: Literal["open", "eof", "error"]
    tls: str
    """The protocol version that was agreed on; empty without TLS and for other events than ``open``."""
    detail: str = ""
    """Why it ended or failed, in words."""


class Note(_Placed, frozen=True):
    """What was done to the cluster at that moment, or what a client beside the connection sent or saw."""

    line: int
    t_ns: int
    text: str
    topic: str
    payload: str
    out: str


class BusMessage(_Placed, frozen=True):
    """One message on its way from one module to another."""

    line: int
    t_ns: int
    sender: str
    receiver: str
    text: str
    """The message as its wire JSON, without a newline."""
    injected: bool = False
    """Whether it came in by ``edgecore/<node>/inject`` or by a hand that held and changed it."""


class MqttMessage(_Placed, frozen=True):
    """One message between the node and a broker."""

    line: int
    t_ns: int
    direction: MqttDirection
    broker: str
    topic: str
    payload: bytes
    message_id: str = ""
    """Of the message of the bus that it became, or that it was."""


class Write(msgspec.Struct, frozen=True, array_like=True):
    """One statement of a commit."""

    sql: str
    params: tuple[Any, ...] = ()


class Commit(_Placed, frozen=True):
    """What one transaction of the node's file wrote."""

    line: int
    t_ns: int
    writes: tuple[Write, ...]


class DnsExchange(_Placed, frozen=True):
    """One question for a name, and what was answered."""

    line: int
    t_ns: int
    client: str
    """Address and port."""
    transport: Literal["udp", "tcp"]
    query: bytes
    answer: bytes
    """Empty where none was given."""
    took_us: int = 0


class ProxiedRequest(_Placed, frozen=True):
    """One request, connection or flow that the proxy served or refused."""

    line: int
    t_ns: int
    client: str
    service: str
    """``namespace/name:port``; empty where nobody could say."""
    handling: str
    """``http``, ``tcp``, ``udp`` …"""
    head: str = ""
    """The head of an HTTP request."""
    backend: str = ""
    """Pod and address; empty where it went nowhere."""
    status: int = 0
    reason: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    took_us: int = 0
    retries: int = 0


class Fault(_Placed, frozen=True):
    """A fault that somebody injected, or that ended."""

    line: int
    t_ns: int
    fault: str
    """Its specification, as ``cloudhub-stub fault`` takes it."""
    detail: str = ""


class Snapshot(_Placed, frozen=True):
    """What the node knew at that moment, as JSON by part: ``rows``, ``services``, ``dns``, ``devices`` …"""

    line: int
    t_ns: int
    state: dict[str, Any]


class Loss(_Placed, frozen=True):
    """So many entries were not recorded here, because the disk was too slow or refused."""

    line: int
    t_ns: int
    lost: int
    reason: str = ""


Entry = (
    SessionHead
    | CloudFrame
    | Http
    | ConnectionEvent
    | Note
    | BusMessage
    | MqttMessage
    | Commit
    | DnsExchange
    | ProxiedRequest
    | Fault
    | Snapshot
    | Loss
)

KEYS = {
    "session": SessionHead,
    "text": CloudFrame,
    "http": Http,
    "event": ConnectionEvent,
    "note": Note,
    "bus": BusMessage,
    "mqtt": MqttMessage,
    "commit": Commit,
    "dns": DnsExchange,
    "request": ProxiedRequest,
    "fault": Fault,
    "state": Snapshot,
    "lost": Loss,
}
"""The key that says what a line is, and the entry that it becomes."""
