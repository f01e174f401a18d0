"""Connections that the kernel translates, as ctnetlink tells of them and is told to forget them (pure).

Messages of netlink(7), subsystem ctnetlink: ``include/uapi/linux/netfilter/nfnetlink_conntrack.h`` of Linux. Numbers of
the headers are in the byte order of the machine, those of attributes in that of the network.
"""

import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from socket import inet_ntoa
from typing import Any, NamedTuple

from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Transport

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port id
_FAMILY = b"\x02\0\0\0"  # struct nfgenmsg: AF_INET, version, resource id
_ATTRIBUTE = struct.Struct("=HH")  # length with these four bytes, type
_ERROR, _DONE = 2, 3
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_REQUEST, _DUMP = 0x1, 0x300
_NESTED, _TYPE_MASK = 0x8000, 0x3FFF

_ORIGINAL, _REPLY, _STATUS, _PROTOCOL_INFO, _ID, _ZONE, _STATUS_MASK = 1, 2, 3, 4, 12, 18, 26
_STATUS_TRANSLATED = 1 << 5  # IPS_DST_NAT
_TCP_ESTABLISHED = 3
_TRANSPORTS: dict[bytes, Transport] = {b"\x06": "tcp", b"\x11": "udp"}


class Flow(NamedTuple):
    """A connection or a flow of datagrams that was sent elsewhere than its client meant."""

    spot: Spot
    """What the client meant."""
    target: Endpoint
    """Where it went."""
    is_open: bool
    """TCP: established, by the kernel's state; datagrams always are."""
    name: bytes
    """What the kernel knows it by: attributes of netlink."""


class Batch(NamedTuple):
    """What one read brought."""

    flows: list[Flow]
    is_last: bool
    errors: list[int]
    """Numbers of errno(3)."""


def ask_for_all(sequence: int) -> bytes:
    """Return the question for the flows whose destination was translated (older kernels: for all flows) of IPv4."""
    wanted = _STATUS_TRANSLATED.to_bytes(4, "big")
    return _message(_GET, _REQUEST | _DUMP, sequence, _attribute(_STATUS, wanted) + _attribute(_STATUS_MASK, wanted))


def forget(flow: Flow, sequence: int) -> bytes:
    """Return what has the kernel forget a flow. It is answered only if it fails."""
    return _message(_DELETE, _REQUEST, sequence, flow.name)


def read(data: bytes) -> Batch:
    """Read what the kernel said. Raises ``ValueError`` if it is no netlink."""
    flows, errors, is_last = [], [], False
    for kind, body in _messages(data):
        if kind == _DONE:
            is_last = True
        elif kind == _ERROR:
            if len(body) < 4:
                raise ValueError("an error of netlink is cut off")
            number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            if number:
                errors.append(number)
        elif kind == _NEW:
            flow = _flow(body[len(_FAMILY) :])
            if flow is not None:
                flows.append(flow)
    return Batch(flows, is_last, errors)


def _message(kind: int, flags: int, sequence: int, attributes: bytes) -> bytes:
    body = _FAMILY + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise ValueError("a message of netlink is cut off")
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            raise ValueError("a message of netlink has a wrong length")
        yield kind, data[at + _HEADER.size : at + length]
        at += length + -length % 4


def _attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes by their types; of several the last. Raises ``ValueError``."""
    found = {}
    at, end = 0, len(data)
    while end - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= end - at:
            raise ValueError("an attribute of netlink has a wrong length")
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
    return found


def _flow(data: bytes) -> Flow | None:
    """Return a flow; ``None`` if it is none of ours to know: neither TCP nor UDP, not IPv4, not translated."""
    told = _attributes(data)
    status = told.get(_STATUS, b"")
    if not int.from_bytes(status, "big") & _STATUS_TRANSLATED or _ORIGINAL not in told:
        return None
    meant = _ends(told[_ORIGINAL])
    answers = _ends(told.get(_REPLY, b""))
    if meant is None or answers is None:
        return None
    _, (address, port), transport = meant
    (host, host_port), _, _ = answers
    name = _attribute(_ORIGINAL | _NESTED, told[_ORIGINAL])
    name += b"".join(_attribute(kind, told[kind]) for kind in (_ID, _ZONE) if kind in told)
    is_open = transport == "udp" or _tcp_state(told.get(_PROTOCOL_INFO, b"")) == _TCP_ESTABLISHED
    return Flow(Spot(address, port, transport), Endpoint(host, host_port), is_open, name)


_Ends = tuple[tuple[str, int], tuple[str, int], Transport]


def _ends(data: bytes) -> _Ends | None:
    """Return source, destination and transport of one direction."""
    if len(data) == _USUAL.size:
        *heads, source, to, number, source_port, port = _in_order(_USUAL.unpack(data))
        transport = _TRANSPORTS.get(number)
        if tuple(heads) == _USUAL_HEADS and transport is not None:
            return (inet_ntoa(source), source_port), (inet_ntoa(to), port), transport
    return _unusual_ends(data)


def _in_order(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the heads of the attributes, then what is in them."""
    ip, of_source, source, of_to, to, ports, of_number, number, of_first, source_port, of_second, port = parts
    return ip, of_source, of_to, ports, of_number, of_first, of_second, source, to, number, source_port, port


_USUAL = struct.Struct(">4s4s4s4s4s4s4s1s3x4sH2x4sH2x")
"""The same as Linux writes it, which is read in one go: of a hundred thousand flows this takes most of the time."""
_USUAL_HEADS = tuple(
    _ATTRIBUTE.pack(length, kind)
    for length, kind in ((20, 1 | _NESTED), (8, 1), (8, 2), (28, 2 | _NESTED), (5, 1), (6, 2), (6, 3))
)


def _unusual_ends(data: bytes) -> _Ends | None:
    """Return the same, from attributes in any order."""
    told = _attributes(data)
    addresses, protocol = _attributes(told.get(1, b"")), _attributes(told.get(2, b""))
    transport = _TRANSPORTS.get(protocol.get(1, b""))
    ends = tuple((addresses.get(kind, b""), protocol.get(kind + 1, b"")) for kind in (1, 2))
    if transport is None or any(len(address) != 4 or len(port) != 2 for address, port in ends):
        return None
    source, destination = ((str(IPv4Address(address)), int.from_bytes(port, "big")) for address, port in ends)
    return source, destination, transport


def _tcp_state(data: bytes) -> int:
    return int.from_bytes(_attributes(_attributes(data).get(1, b"")).get(1, b""), "big")
