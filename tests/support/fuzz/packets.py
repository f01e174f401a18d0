"""DNS packets, changed in every way that a wrong client, server or line might change them; and what a reply must be.

A changed query follows from a seed and a number alone, so that each can be made once more. The seed is that of the
test run (``--randomly-seed``), or ``EDGECORE_FUZZ_SEED``; ``EDGECORE_FUZZ_FRAMES=120:170`` makes those numbers only.
"""

import json
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dnslib import DNSError, DNSRecord

from fuzz.mutation import DATA

HEADER_BYTES = 12
TYPES = (1, 1, 1, 28, 28, 33, 12, 5, 6, 2, 16, 15, 255, 64, 65, 251, 252, 0, 41, 46, 250, 65535)
CLASSES = (1, 1, 1, 1, 1, 3, 4, 254, 255, 0, 65535)
PARSED = frozenset((1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 41))
"""Types whose data every reply must have right; the others are passed on as they are."""
OPCODES = (0, 0, 0, 1, 2, 4, 5, 6, 15)
NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xC00C, 0xFFFF)
OPTIONS = (
    b"\0\x0a\0\x08\x01\x23\x45\x67\x89\xab\xcd\xef",  # a cookie
    b"\0\x0b\0\0",  # TCP keepalive
    b"\0\x03\0\0",  # NSID
    b"\0\x08\0\x07\0\1\x18\0\xc0\0\2",  # client subnet
    b"\0\x0c\0\x80" + bytes(128),  # padding
    b"\0\x0f\0\2\0\x12",  # extended error
    b"\xff\xff\0\1\0",
    b"\0\x0a\0\xff",  # longer than it is
    b"\0",
)
_QUESTION_END = struct.Struct("!HH")


class Packet(NamedTuple):
    """One changed packet."""

    number: int
    how: str
    payload: bytes

    @property
    def has_reply(self) -> bool:
        """Whether the sender is to get a reply: it has a header, and is no reply itself."""
        return len(self.payload) >= HEADER_BYTES and not self.payload[2] & 0x80


def wire(name: str) -> bytes:
    """Return a name of plain labels as it stands in a packet."""
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label) + b"\0"


def opt(payload: int = 1232, version: int = 0, flags: int = 0, data: bytes = b"") -> bytes:
    """Return an OPT record."""
    return b"\0\0\x29" + struct.pack("!HBBHH", payload, 0, version, flags, len(data)) + data


def query(name: bytes, qtype: int = 1, qclass: int = 1, edns: bytes = b"", flags: int = 0x0100) -> bytes:
    """Return a query with id 0."""
    head = struct.pack("!HHHHHH", 0, flags, 1, 0, 0, 1 if edns else 0)
    return head + name + _QUESTION_END.pack(qtype, qclass) + edns


def recorded_queries() -> list[bytes]:
    """Return the queries that the Go node was sent."""
    return [bytes.fromhex(json.loads(line)["query"]) for line in (DATA / "dns.jsonl").read_text().splitlines()]


class PacketMutator:
    """Changes the recorded queries, and queries for ``names``."""

    def __init__(self, names: Sequence[str], seed: int, numbers: range) -> None:
        self.seed = seed
        self.numbers = numbers
        self._names = [wire(name) for name in names]
        self._seeds = [*recorded_queries(), *(query(name) for name in self._names)]

    def query(self, number: int) -> Packet:
        """Return the changed query of that number."""
        rng = random.Random(f"{self.seed}/{number}")
        if rng.random() < 0.05:
            return Packet(number, "arbitrary", _arbitrary(rng))
        packet = rng.choice(self._seeds) if rng.random() < 0.4 else self._valid(rng)
        done = []
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
            change = rng.choice(_CHANGES)
            done.append(change.__name__.strip("_"))
            packet = change(packet, rng, self._seeds)
        return Packet(number, "+".join(done) or "unchanged", packet[:65507])

    def lies(self, number: int, asked: bytes) -> list[bytes]:
        """Return what a lying upstream server sends for a query: one or two packets, or none."""
        rng = random.Random(f"{self.seed}/lie/{number}")
        if rng.random() < 0.02:
            return []
        replies = []
        for _ in range(rng.choice((1, 1, 1, 2))):
            reply = upstream_reply(asked, rng)
            for _ in range(rng.choice((0, 1, 1, 2))):
                change = rng.choice(_REPLY_CHANGES)
                reply = change(reply, rng, self._seeds)
            replies.append(reply[:65507])
        return replies

    def batches(self, size: int) -> Iterator[list[Packet]]:
        """Yield all packets in order, so many at a time."""
        for first in range(self.numbers.start, self.numbers.stop, size):
            yield [self.query(number) for number in range(first, min(first + size, self.numbers.stop))]

    def repeat_with(self, batch: list[Packet], what: object) -> str:
        """Return the text that lets people make these packets once more."""
        lines = [
            f"{what}",
            f"again: EDGECORE_FUZZ_SEED={self.seed} EDGECORE_FUZZ_FRAMES={batch[0].number}:{batch[-1].number + 1}",
            *(f"  {packet.number} ({packet.how}): {packet.payload[:600].hex()}" for packet in batch),
        ]
        return "\n".join(lines)

    def _valid(self, rng: random.Random) -> bytes:
        name = rng.choice(self._names)
        if rng.random() < 0.2:
            name = bytes(rng.choice(_letter_cases(byte)) for byte in name)
        edns = b""
        if rng.random() < 0.6:
            data = b"".join(rng.sample(OPTIONS[:7], rng.choice((0, 0, 1, 1, 3))))
            payload = rng.choice((0, 100, 511, 512, 513, 600, 1232, 1452, 4096, 65535))
            edns = opt(payload, rng.choice((0,) * 9 + (1, 255)), rng.choice((0, 0, 0x8000, 0x4000, 0xFFFF)), data)
        flags = rng.choice((0x0100, 0x0100, 0, 0x0120, 0x0110, 0x0130))
        return query(name, rng.choice(TYPES), rng.choice(CLASSES), edns, flags)


# What a reply must be.


def fault(asked: bytes, reply: bytes, *, is_tcp: bool = False) -> str:
    """Return what is wrong with the reply to a packet; empty: nothing."""
    if len(reply) < HEADER_BYTES or reply[:2] != asked[:2]:
        return "not the id of the query"
    if not reply[2] & 0x80 or (reply[2] ^ asked[2]) & 0x79:
        return "QR is not set, or opcode and RD are not those of the query"
    if reply[3] & 0x40:
        return "Z is set"
    try:
        end, types, classes = _walk(reply)
        DNSRecord.parse(reply)
    except (ValueError, IndexError, struct.error) as error:
        return f"cannot be read: {error}"
    except DNSError as error:
        # dnslib takes labels of UTF-8 only, and records of any class for those of IN.
        if "Invalid label" not in str(error) and classes <= {1} and PARSED.issuperset(types):
            return f"cannot be parsed: {error}"
    if end != len(reply):
        return f"{len(reply) - end} bytes behind the last record"
    rcode = reply[3] & 15
    if reply[4:6] == b"\0\1":
        question_end = _skip_name(reply, HEADER_BYTES) + 4
        if reply[HEADER_BYTES:question_end] != asked[HEADER_BYTES:question_end]:
            return "not the question of the query"
    elif reply[4:6] != b"\0\0" or rcode not in (1, 4):
        return "no question, but neither FORMERR nor NOTIMP"
    elif len(reply) > HEADER_BYTES:
        return "no question, but records"
    if types.count(41) > 1:
        return "two OPT records"
    if is_tcp:
        return ""
    allowed = _allowed(asked) if 41 in types else 512
    return "" if len(reply) <= allowed else f"{len(reply)} bytes, and {allowed} are allowed"


def _allowed(asked: bytes) -> int:
    """Return what an asker with an OPT record takes, as dnslib reads it."""
    try:
        (one,) = [record for record in DNSRecord.parse(asked).ar if record.rtype == 41]
    except Exception:  # dnslib is stricter than it need be, with odd data in other records
        return 1232
    return max(512, min(1232, one.edns_len))


def _walk(packet: bytes) -> tuple[int, list[int], set[int]]:
    """Return the offset behind the last record, the types of all, and the classes of those that have one.

    Raises ``ValueError``, ``IndexError`` or ``struct.error`` where there is less than is said.
    """
    questions, *records = struct.unpack_from("!HHHH", packet, 4)
    at = HEADER_BYTES
    types, classes = [], set()
    for _ in range(questions):
        at = _skip_name(packet, at) + 4
    for _ in range(sum(records)):
        at = _skip_name(packet, at)
        rtype, rclass, _, length = struct.unpack_from("!HHIH", packet, at)
        types.append(rtype)
        if rtype != 41:
            classes.add(rclass)
        at += 10 + length
    if at > len(packet):
        raise ValueError("a record runs past the end")
    return at, types, classes


def _skip_name(packet: bytes, at: int) -> int:
    while length := packet[at]:
        if length >= 0xC0:
            if ((length & 0x3F) << 8 | packet[at + 1]) >= at:
                raise ValueError("a pointer forwards")
            return at + 2
        if length > 63:
            raise ValueError("a bad label")
        at += 1 + length
    return at + 1


# What an honest upstream server says.


def upstream_reply(asked: bytes, rng: random.Random) -> bytes:
    """Return one of the replies that upstream servers give to a query of one question, which is written out."""
    end = _skip_name(asked, HEADER_BYTES) + 4
    question = asked[HEADER_BYTES:end]
    share = rng.random()
    answers, authority, rcode, flags = b"", b"", 0, 0x8180
    counts = [1, 0, 0, 0]
    ttl = rng.choice((0, 1, 5, 300, 86400, 0x7FFFFFFF, 0xFFFFFFFF))
    if share < 0.15:
        rcode, authority = rng.choice((0, 3)), _record(b"\0", 6, wire("a.root") + wire("b.root") + bytes(20), ttl)
        counts[2] = 1
    elif share < 0.2:
        rcode = rng.choice((2, 4, 5, 9))
    elif share < 0.25:
        flags |= 0x0200
    elif share < 0.4:
        counts[1] = rng.choice((3, 30, 200, 1000))
        answers = b"".join(_record(b"\xc0\x0c", *_DATA[16](n), ttl) for n in range(counts[1]))
    elif share < 0.55:
        names = [wire(f"c{n}.example") for n in range(rng.choice((1, 2, 8, 30)))]
        owners = [b"\xc0\x0c", *names]
        answers = b"".join(_record(a, 5, b, ttl) for a, b in zip(owners, names, strict=False))
        answers += _record(names[-1], 1, b"\xc0\0\2\1", ttl)
        counts[1] = len(names) + 1
    else:
        data = _DATA.get(int.from_bytes(question[-4:-2], "big"))
        counts[1] = rng.choice((1, 1, 2, 5, 40, 120)) if data else 0
        answers = b"".join(_record(b"\xc0\x0c", *data(n), ttl) for n in range(counts[1])) if data else b""
    edns = opt() if asked[10:12] != b"\0\0" and rng.random() < 0.8 else b""
    counts[3] = 1 if edns else 0
    head = asked[:2] + struct.pack("!HHHHH", flags | rcode | (asked[2] & 1) << 8, *counts)
    return head + question + answers + authority + edns


_DATA: dict[int, Callable[[int], tuple[int, bytes]]] = {
    1: lambda n: (1, b"\xc0\0\2" + bytes((n,))),
    2: lambda n: (2, wire(f"ns{n}.example")),
    12: lambda n: (12, wire(f"host{n}.example")),
    15: lambda n: (15, b"\0\x0a" + wire(f"mx{n}.example")),
    16: lambda n: (16, b"\x28" + b"%040d" % n),
    28: lambda n: (28, bytes(15) + bytes((n,))),
    33: lambda n: (33, b"\0\0\0\0\0\x50" + wire(f"s{n}.example")),
    255: lambda n: (1, b"\xc0\0\2" + bytes((n,))),
    65535: lambda n: (65535, b"anything at all"),
}


def _record(owner: bytes, rtype: int, data: bytes, ttl: int) -> bytes:
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(data)) + data


# Changes of any packet.

Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def _arbitrary(rng: random.Random) -> bytes:
    size = rng.choice((0, 1, 2, 11, 12, 13, 17, 30, 60, 100, 512, 600, 4096, 4097))
    if rng.random() < 0.02:
        size = rng.choice((9000, 40_000, 65_507))
    share = rng.random()
    if share < 0.1:
        return rng.choice((b"\0", b"\xff", b"\xc0", b"\x3f")) * size
    packet = rng.randbytes(size)
    if share < 0.6 and size > HEADER_BYTES:  # far enough to be read
        packet = packet[:2] + b"\1\0\0\1\0\0\0\0\0" + bytes((rng.choice((0, 1)),)) + packet[HEADER_BYTES:]
    return packet


def _flip(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(packet)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(packet))
    return packet[:at] + rng.randbytes(rng.choice((1, 2, 10, 300))) + packet[at:]


def _number(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Put another number of two bytes anywhere, counts and lengths among them."""
    at = rng.choice((2, 4, 6, 8, 10, rng.randint(0, len(packet)), max(0, len(packet) - rng.randint(1, 16))))
    return packet[:at] + rng.choice(NUMBERS).to_bytes(2, "big") + packet[at + 2 :]


def _delete(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(packet))
    return packet[:at] + packet[at + rng.choice((1, 1, 2, 20)) :]


def _truncate(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    return packet[: rng.randint(0, len(packet))]


def _splice(packet: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return packet[: rng.randint(0, len(packet))] + other[rng.randint(0, len(other)) :]


def _lengthen(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    return packet + rng.choice((b"\0", b"\xff", rng.randbytes(8))) * rng.choice((1, 10, 100, 600))


def _length(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Let the first label, or one that may be one, be longer, shorter, or a pointer."""
    at = HEADER_BYTES if rng.random() < 0.5 else rng.randint(HEADER_BYTES, HEADER_BYTES + 60)
    return (
        packet[:at]
        + bytes((rng.choice((0, 1, 62, 63, 64, 65, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xFF)),))
        + packet[at + 1 :]
    )


def _pointer(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Put a pointer somewhere: to itself, back, forward, past the end."""
    at = rng.randint(HEADER_BYTES, max(HEADER_BYTES, len(packet)))
    target = rng.choice((at, at - 2, HEADER_BYTES, 0, at + 2, len(packet), 0x3FFF))
    return packet[:at] + (0xC000 | max(0, target) & 0x3FFF).to_bytes(2, "big") + packet[at + rng.choice((0, 2)) :]


def _name(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Ask for a name of odd labels: long ones, many, of any bytes; up to a name that is too long."""
    kinds = (b"\x3f" + b"x" * 63, b"\1a", b"\0", b"\x02\0.", b"\x04\\046", b"\x03*\xc3\xa9", b"\x06_http-", b"\x03svc")
    name = b"".join(rng.choice(kinds) for _ in range(rng.choice((1, 2, 4, 5, 127, 128, 140))))
    rest = rng.choice((b"\0", wire("default.svc.cluster.local"), wire("251.127.in-addr.arpa"), b"\xc0\x0c", b""))
    return packet[:HEADER_BYTES] + name + rest + b"\0\1\0\1"


def _questions(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Ask several questions, or say so."""
    count = rng.choice((0, 2, 3, 40, 65535))
    question = packet[HEADER_BYTES:]
    return packet[:4] + count.to_bytes(2, "big") + packet[6:HEADER_BYTES] + question * min(count, 40)


def _flags(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    if rng.random() < 0.5:
        return packet[:2] + bytes((rng.choice(OPCODES) << 3 | rng.randrange(8), rng.randrange(256))) + packet[4:]
    return packet[:2] + rng.randbytes(2) + packet[4:]


def _edns(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Add an OPT record, whether there is one or not, and say so or not."""
    data = b"".join(rng.choice(OPTIONS) for _ in range(rng.choice((0, 1, 1, 2, 20))))
    record = opt(rng.choice(NUMBERS), rng.choice((0, 0, 0, 1, 255)), rng.choice((0, 0x8000, 0xFFFF)), data)
    if rng.random() < 0.1:
        record = b"\1a\0" + record[1:]  # not of the root
    if rng.random() < 0.1:
        record = record[: rng.randint(0, len(record))]
    count = rng.choice((1, 1, 1, 2, 0))
    return packet[:10] + count.to_bytes(2, "big") + packet[HEADER_BYTES:] + record * rng.choice((1, 1, 1, 2))


def _records(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Add a record to some section: a TSIG, an address, anything."""
    owner = rng.choice((b"\0", b"\xc0\x0c", wire("key.example"), b"\xc0\xff", b"\x3f" + b"y" * 63 + b"\0"))
    data = rng.randbytes(rng.choice((0, 4, 16, 50)))
    record = owner + struct.pack("!HHIH", rng.choice((*TYPES, 250)), rng.choice(CLASSES), 0, len(data)) + data
    at = rng.choice((6, 8, 10, 11))
    return packet[:at] + bytes((0, rng.choice((1, 2)))) + packet[at + 2 :] + record


def _case(packet: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    name = packet[HEADER_BYTES:-4]
    return packet[:HEADER_BYTES] + bytes(rng.choice(_letter_cases(byte)) for byte in name) + packet[-4:]


def _letter_cases(byte: int) -> bytes:
    letter = bytes((byte,))
    return letter.lower() + letter.upper()


_BYTES: tuple[Change, ...] = (_flip, _insert, _number, _delete, _truncate, _splice, _lengthen, _length, _pointer)
_CHANGES: tuple[Change, ...] = (*_BYTES, _name, _questions, _flags, _edns, _records, _case, _edns)


# Changes of replies.


def _wrong_id(reply: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    return rng.randbytes(2) + reply[2:]


def _wrong_question(reply: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    at = rng.randrange(HEADER_BYTES, HEADER_BYTES + 40)
    return reply[:at] + bytes(byte ^ rng.choice((1, 0x20)) for byte in reply[at : at + 1]) + reply[at + 1 :]


def _rcode(reply: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    return reply[:3] + bytes((reply[3] & 0xF0 | rng.randrange(16),)) + reply[4:]


def _loop(reply: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Add an alias that leads to itself, or through names that each point at the one before."""
    if rng.random() < 0.5:
        return reply[:6] + b"\0\1" + reply[8:] + _record(b"\xc0\x0c", 5, b"\xc0\x0c", 60)
    at = len(reply)
    return reply[:6] + b"\0\1" + reply[8:] + _record((0xC000 | at & 0x3FFF).to_bytes(2, "big"), 1, b"\1\2\3\4", 60)


def _other_owner(reply: bytes, rng: random.Random, _seeds: Sequence[bytes]) -> bytes:
    """Add the address of a name that nobody asked for, ours among them."""
    owner = rng.choice(("bank.example", "web.default.svc.cluster.local", "web.default", ""))
    return reply[:6] + b"\0\1" + reply[8:] + _record(wire(owner), 1, b"\6\6\6\6", 86400)


_REPLY_CHANGES: tuple[Change, ...] = (
    *_BYTES,
    _wrong_id,
    _wrong_question,
    _rcode,
    _loop,
    _other_owner,
    _flags,
    _edns,
    _records,
)
