"""Reads the records of an upstream server's reply, checking every offset, and writes the query that is sent to one.

A name may end in a pointer to an earlier one (RFC 1035 section 4.1.4). A pointer leads to before the place where the
name, or the part of it that was pointed to, begins; so no name has a loop.
"""

import struct

from msgspec import Struct

from edgecore.modules.edgemesh.dns.packets.labels import NAME_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES

_POINTER = 0xC0
_LABEL = 0x3F
_JUMP_LIMIT = 127
"""No more pointers in a name than it can have labels."""

_COUNTS = struct.Struct("!HHHH")
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_TYPE_SOA, _TYPE_TXT, _TYPE_OPT = 6, 16, 41
_CLASS_IN = 1
_SIZES = {1: 4, 28: 16}  # A, AAAA: length of the data
_NAME_AT = {2: 0, 5: 0, 12: 0, 15: 2, 18: 2, 33: 6, 36: 2, 39: 0}  # NS, CNAME, PTR, MX, AFSDB, SRV, KX, DNAME


class UnreadableError(Exception):
    """The packet cannot be read: it ends too early, or a name in it is none."""


class Question(Struct, frozen=True, gc=False):
    """What an upstream server is asked. Two that are equal have the same answer."""

    name: bytes
    """In wire form and lower case."""
    tail: bytes
    """Type and class: four bytes."""
    recursion_desired: bool = True
    checking_disabled: bool = False
    dnssec_ok: bool = False

    @property
    def wire(self) -> bytes:
        """The question as it stands in a packet."""
        return self.name + self.tail

    @property
    def qtype(self) -> int:
        """The type that is asked for."""
        return int.from_bytes(self.tail[:2], "big")

    @property
    def key(self) -> bytes:
        """The question and its three flags as bytes."""
        return self.wire + key_flags(self.recursion_desired, self.checking_disabled, self.dnssec_ok)

    @staticmethod
    def of_key(key: bytes) -> "Question":
        """Return the question whose ``key`` this is."""
        flags = key[-1]
        return Question(key[:-5], key[-5:-1], bool(flags & 4), bool(flags & 2), bool(flags & 1))


class Record(Struct, frozen=True, gc=False):
    """One record; offsets count from the packet's start."""

    at: int
    owner: bytes
    """In wire form, without pointers, in lower case."""
    rtype: int
    rclass: int
    ttl: int
    """As it stands there: 32 bits, unsigned."""
    data_at: int
    end: int

    @property
    def ttl_at(self) -> int:
        """Where its TTL stands."""
        return self.data_at - 6


class Message(Struct, frozen=True):
    """The records of a reply, an OPT record apart."""

    answers: tuple[Record, ...]
    authority: tuple[Record, ...]
    extended_rcode: int
    """The upper eight bits of the response code (RFC 6891 section 6.1.3); 0 without an OPT record."""


def key_flags(recursion_desired: bool, checking_disabled: bool, dnssec_ok: bool) -> bytes:
    """Return the byte that tells apart two questions of the same words."""
    return bytes((recursion_desired << 2 | checking_disabled << 1 | dnssec_ok,))


def query_packet(query_id: bytes, question: Question, *, edns: bool) -> bytes:
    """Return the query for ``question``. AD asks to be told whether the answer is authentic (RFC 6840 section 5.7)."""
    flags = bytes((question.recursion_desired, 0x20 | question.checking_disabled << 4))
    if not edns:
        return b"".join((query_id, flags, b"\0\1\0\0\0\0\0\0", question.wire))
    opt = b"\0\0\x29" + PAYLOAD_BYTES.to_bytes(2, "big") + bytes((0, 0, question.dnssec_ok << 7, 0, 0, 0))
    return b"".join((query_id, flags, b"\0\1\0\0\0\0\0\1", question.wire, opt))


def read_message(packet: bytes, question_end: int) -> Message:
    """Return the records of ``packet``, whose one question ends at ``question_end``.

    Bytes behind the last announced record are left alone. The additional ones are not looked into: nobody gets them.
    Raises ``UnreadableError``, also for data that a stub could not read.
    """
    try:
        _, answers, authority, additional = _COUNTS.unpack_from(packet, 4)
        at = question_end
        sections: list[tuple[Record, ...]] = []
        for count in (answers, authority, additional):
            records = []
            for _ in range(count):
                record = _read_record(packet, at)
                at = record.end
                records.append(record)
            sections.append(tuple(records))
        for record in (*sections[0], *sections[1]):
            _check_data(packet, record)
    except (IndexError, struct.error):
        raise UnreadableError from None
    opts = [record for record in sections[2] if record.rtype == _TYPE_OPT]
    return Message(sections[0], sections[1], opts[0].ttl >> 24 if opts else 0)


def name_in(packet: bytes, record: Record) -> bytes:
    """Return the name that the data of ``record`` is, in lower case. Raises ``UnreadableError``."""
    try:
        name, end = read_name(packet, record.data_at)
    except IndexError:
        raise UnreadableError from None
    if end != record.end:
        raise UnreadableError
    return name.lower()


def negative_ttl(packet: bytes, soa: Record) -> int:
    """Return the last field of an SOA record, in seconds (RFC 2308 section 4). Raises ``UnreadableError``."""
    try:
        _, at = read_name(packet, soa.data_at)
        _, at = read_name(packet, at)
    except IndexError:
        raise UnreadableError from None
    if at + 20 != soa.end:
        raise UnreadableError
    return int.from_bytes(packet[at + 16 : at + 20], "big")


def whole_records(body: bytes, count: int, most: int) -> tuple[int, int]:
    """Return how many of the first ``count`` records in ``body``, which can be read, end within ``most``; and where."""
    at = 0
    for index in range(count):
        end = at
        while 0 < body[end] < _POINTER:
            end += 1 + body[end]
        end += 2 if body[end] else 1
        end += _RECORD.size + int.from_bytes(body[end + 8 : end + 10], "big")
        if end > most:
            return index, at
        at = end
    return count, at


def read_name(packet: bytes, start: int) -> tuple[bytes, int]:
    """Return the name at ``start``, in wire form and without pointers, and the offset behind it.

    Raises ``UnreadableError``, or ``IndexError`` if the packet ends within the name.
    """
    pieces = []
    size, jumps, at, part, end = 1, 0, start, start, 0
    while length := packet[at]:
        if length >= _POINTER:
            target = (length & _LABEL) << 8 | packet[at + 1]
            end = end or at + 2
            jumps += 1
            if target >= part or target < HEADER_BYTES or jumps > _JUMP_LIMIT:
                raise UnreadableError
            at = part = target
            continue
        size += 1 + length
        if length > _LABEL or size > NAME_LIMIT_BYTES:
            raise UnreadableError
        pieces.append(packet[at : at + 1 + length])
        at += 1 + length
    pieces.append(b"\0")
    return b"".join(pieces), end or at + 1


def _read_record(packet: bytes, at: int) -> Record:
    owner, fixed = read_name(packet, at)
    rtype, rclass, ttl, length = _RECORD.unpack_from(packet, fixed)
    data_at = fixed + _RECORD.size
    end = data_at + length
    if end > len(packet):
        raise UnreadableError
    return Record(at, owner.lower(), rtype, rclass, ttl, data_at, end)


def _check_data(packet: bytes, record: Record) -> None:
    """Raise ``UnreadableError`` if the data of a common type is not what it must be, or ``IndexError``.

    An OPT record is no answer (RFC 6891 section 6.1.1).
    """
    if record.rtype == _TYPE_OPT:
        raise UnreadableError
    if record.rclass != _CLASS_IN:
        return
    size, name_at = _SIZES.get(record.rtype), _NAME_AT.get(record.rtype)
    end = record.end
    if size is not None:
        end = record.data_at + size
    elif name_at is not None:
        end = read_name(packet, record.data_at + name_at)[1]
    elif record.rtype == _TYPE_SOA:
        negative_ttl(packet, record)
    elif record.rtype == _TYPE_TXT:
        end = record.data_at
        while end < record.end:
            end += 1 + packet[end]
    if end != record.end:
        raise UnreadableError
