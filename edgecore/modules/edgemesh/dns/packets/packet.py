"""Reads a query's header, question and OPT record, checking every offset against the end of the packet.

::

     0          2        4        6        8        10       12
     ┌──────────┬────────┬────────┬────────┬────────┬────────┬───────────────────────┬─────────┐
     │ id       │ flags  │ QDCOUNT│ ANCOUNT│ NSCOUNT│ ARCOUNT│ QNAME QTYPE QCLASS    │ records │
     └──────────┴────────┴────────┴────────┴────────┴────────┴───────────────────────┴─────────┘
    flags: QR 0x8000, opcode 0x7800, AA 0x0400, TC 0x0200, RD 0x0100, RA 0x0080, AD 0x0020, CD 0x0010, rcode 0x000f

RFC 1035 section 4.1; OPT: RFC 6891 section 6.1. Nothing here follows a compression pointer, so nothing can loop.
"""

from struct import Struct as Layout

from msgspec import Struct

from edgecore.modules.edgemesh.dns.packets.labels import LABEL_LIMIT_BYTES, NAME_LIMIT_BYTES, Labels

HEADER_BYTES = 12
QUERY_LIMIT_BYTES = 4096
"""Queries of stub resolvers are below 600 bytes; the limit bounds the work that one packet can cause."""

PAYLOAD_BYTES = 1232
"""The largest UDP packet that we take and send: it crosses an IPv6 link of the least MTU whole (DNS flag day 2020)."""
PLAIN_LIMIT_BYTES = 512
"""What every asker takes on UDP (RFC 1035 section 4.2.1)."""
TCP_LIMIT_BYTES = 65535

_POINTER = 0xC0
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_OPT = 41
_DO = 0x8000

_COUNTS = Layout("!HHHH")  # of questions, answers, authority records, additional records
_QUESTION_END = Layout("!HH")  # type, class
_RECORD = Layout("!HHIH")  # type, class, TTL, length of the data


class Query(Struct, frozen=True, gc=False):
    """A readable query of one question."""

    labels: Labels
    """The name's labels as they came: case kept, any bytes possible; the root is ``()``."""
    qtype: int
    qclass: int
    end: int
    """Offset of the first byte behind the question, which begins at 12."""
    edns_version: int | None = None
    """``None``: the query has no OPT record."""
    dnssec_ok: bool = False
    """The DO bit of the OPT record (RFC 3225 section 3)."""
    payload_bytes: int = PLAIN_LIMIT_BYTES
    """The largest reply that the asker takes on UDP, as the OPT record says (RFC 6891 section 6.2.3)."""


class Malformed(Struct, frozen=True, gc=False):
    """Why a packet is not a query of one question: a fixed snake_case word."""

    reason: str


class _UnreadableError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_query(packet: bytes) -> Query | Malformed:
    """Return what ``packet``, of at least 12 bytes, asks. Bytes behind the last announced record are left alone."""
    if len(packet) > QUERY_LIMIT_BYTES:
        return Malformed("too_long")
    try:
        questions, *records = _COUNTS.unpack_from(packet, 4)
        if questions != 1:
            return Malformed("question_count")
        labels, end = _read_name(packet, HEADER_BYTES)
        if end + 4 > len(packet):
            return Malformed("truncated_question")
        qtype, qclass = _QUESTION_END.unpack_from(packet, end)
        opt = _read_opt(packet, end + 4, records)
    except _UnreadableError as error:
        return Malformed(error.reason)
    if opt is None:
        return Query(labels, qtype, qclass, end + 4)
    payload, ttl = opt
    return Query(labels, qtype, qclass, end + 4, ttl >> 16 & 0xFF, bool(ttl & _DO), max(payload, PLAIN_LIMIT_BYTES))


def room(query: Query | None, limit_bytes: int) -> int:
    """Return how long a reply may be.

    ``limit_bytes`` is what the transport takes: ``PAYLOAD_BYTES`` on UDP, where an asker may take less (512 if it does
    not say), ``TCP_LIMIT_BYTES`` on TCP, where that does not count (RFC 6891 section 6.2.3 is about UDP).
    """
    if limit_bytes >= TCP_LIMIT_BYTES:
        return limit_bytes
    return max(PLAIN_LIMIT_BYTES, min(limit_bytes, PLAIN_LIMIT_BYTES if query is None else query.payload_bytes))


def name_text(question: bytes) -> str:
    """Return the name in a readable question as people write it, odd bytes as ``\\DDD`` (RFC 1035 section 5.1)."""
    labels, _ = _read_name(question, 0)
    return ".".join("".join(chr(c) if c in _PLAIN else f"\\{c:03}" for c in label) for label in labels) + "."


def _read_name(packet: bytes, start: int) -> tuple[Labels, int]:
    """Return the labels and the offset behind the name, which must be written out (RFC 1035 section 3.1)."""
    labels = []
    at = start
    while length := _byte(packet, at):
        if length > LABEL_LIMIT_BYTES:
            raise _UnreadableError("compressed_name" if length >= _POINTER else "bad_label")
        labels.append(packet[at + 1 : at + 1 + length])
        at += 1 + length
        if at + 1 - start > NAME_LIMIT_BYTES:
            raise _UnreadableError("long_name")
    return tuple(labels), at + 1


def _read_opt(packet: bytes, at: int, counts: list[int]) -> tuple[int, int] | None:
    """Return class and TTL of the one OPT record, which may stand anywhere among the additional records."""
    opt = None
    additional = counts[0] + counts[1]
    for index in range(sum(counts)):
        is_root = _byte(packet, at) == 0
        at = _skip_name(packet, at)
        if at + _RECORD.size > len(packet):
            raise _UnreadableError("truncated_record")
        rtype, rclass, ttl, length = _RECORD.unpack_from(packet, at)
        data_at, at = at + _RECORD.size, at + _RECORD.size + length
        if at > len(packet):
            raise _UnreadableError("truncated_record")
        if rtype == _OPT:
            if opt is not None or not is_root or index < additional or not are_options(packet[data_at:at]):
                raise _UnreadableError("bad_edns")
            opt = rclass, ttl
    return opt


def _skip_name(packet: bytes, at: int) -> int:
    """Return the offset behind a record's name; a pointer ends it and is not followed."""
    while length := _byte(packet, at):
        if length >= _POINTER:
            return at + 2
        if length > LABEL_LIMIT_BYTES:
            raise _UnreadableError("bad_label")
        at += 1 + length
    return at + 1


def are_options(data: bytes) -> bool:
    """Say whether ``data`` is a whole number of EDNS options: code, length, that many bytes."""
    at = 0
    while at + 4 <= len(data):
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at == len(data)


def _byte(packet: bytes, at: int) -> int:
    if at >= len(packet):
        raise _UnreadableError("truncated_name")
    return packet[at]
