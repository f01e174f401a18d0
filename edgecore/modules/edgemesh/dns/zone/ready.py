"""Answers that are bytes before they are asked for: A and AAAA of names with one address, and every negative answer.

A reply is the asker's id, a head, the asker's question, a tail and an OPT record. The head is one of a few. The tail's
pointers count from the packet's start, so it holds for any spelling, and is the same for all names of a service; that
of a negative answer depends only on where in the packet the name's zone begins, so services share it.

A name is in the table once, as a question for A; the entry has the tail of AAAA beside that of A.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES, Query, are_options
from edgecore.modules.edgemesh.dns.packets.records import CLASS_IN, SOA_TIMES, TYPE_A, TYPE_AAAA, TYPE_SOA

_A_IN = bytes((0, TYPE_A, 0, CLASS_IN))
_AAAA_IN = bytes((0, TYPE_AAAA, 0, CLASS_IN))
_TO_QUESTION = b"\xc0\x0c"
_ANSWERED, _NEGATIVE = (1, 0), (0, 1)  # so many answers, so many authority records
_COMMON_PAYLOADS = (
    512,
    1200,
    1220,
    1232,
    1280,
    1400,
    1410,
    1432,
    1440,
    1452,
    1472,
    1500,
    2048,
    4000,
    4096,
    8192,
    65535,
)


def _opt(payload: int, *, dnssec_ok: bool) -> bytes:
    """Return an OPT record of version 0 without options: root, type, payload, rcode and version, flags, length."""
    return b"\0\0\x29" + payload.to_bytes(2, "big") + b"\0\0" + (b"\x80\0" if dnssec_ok else b"\0\0") + b"\0\0"


_OPT_REPLIES = (_opt(PAYLOAD_BYTES, dnssec_ok=False), _opt(PAYLOAD_BYTES, dnssec_ok=True))
_KNOWN_OPTS: Mapping[bytes, bytes] = {b"": b""} | {
    _opt(payload, dnssec_ok=do): _OPT_REPLIES[do] for payload in _COMMON_PAYLOADS for do in (False, True)
}
"""What follows the question in most packets, and what follows the tail then."""


def _heads(answers: int, authority: int) -> dict[bytes, bytes]:
    """Return bytes 2 to 11 of the reply for those of each plain query: flags RD, AD and CD at most."""
    heads = {}
    for recursion in (0x00, 0x01):
        for checking in (0x00, 0x10, 0x20, 0x30):  # CD, which is repeated, and AD, which is not
            flags = bytes((0x84 | recursion, 0x80 | checking & 0x10))  # QR, AA; RA
            for additional in (b"\0\0", b"\0\1"):
                asked = bytes((recursion, checking)) + b"\0\1\0\0\0\0" + additional
                heads[asked] = flags + bytes((0, 1, 0, answers, 0, authority)) + additional
    return heads


_ANSWERED_HEADS: Mapping[bytes, bytes] = _heads(*_ANSWERED)
_NEGATIVE_HEADS: Mapping[bytes, bytes] = _heads(*_NEGATIVE)


Ready = tuple[bytes, bytes]
"""The tails for A and for AAAA: a bare tuple, as the garbage collector leaves those of bytes alone."""

PACK_FIRST = 1000
"""The table is packed when it has so many names, and then whenever it has grown by a quarter (40,000: some 20 ms)."""


class ReadyAnswers:
    """The table, by the bytes of the question in small letters. ``has_ipv6``: an address comes with an IPv6 one."""

    def __init__(self, ttl_s: int, negative_ttl_s: int, *, has_ipv6: bool = False) -> None:
        self._ttl = ttl_s.to_bytes(4, "big")
        self._negative_ttl_s = negative_ttl_s
        self._table: dict[bytes, Ready] = {}
        self._pack_at = PACK_FIRST
        self._heads_v6 = _ANSWERED_HEADS if has_ipv6 else _NEGATIVE_HEADS
        self._negative_tails: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._table)

    def set(self, name: bytes, ready: Ready) -> None:
        """Answer ``ready`` for ``name``, which is as on the wire and in small letters."""
        self._table[name + _A_IN] = ready
        if len(self._table) >= self._pack_at:
            self._pack()

    def remove(self, name: bytes) -> None:
        """Answer for ``name`` no more; does nothing if it is not in the table."""
        self._table.pop(name + _A_IN, None)

    def of(self, address: IPv4Address, address_v6: IPv6Address | None, zone_at: int) -> Ready:
        """Return what names get that have this address, and whose zone begins at ``zone_at`` in the packet."""
        return (
            self._address_tail(TYPE_A, address.packed),
            self._negative_tail(zone_at) if address_v6 is None else self._address_tail(TYPE_AAAA, address_v6.packed),
        )

    def reply(self, packet: bytes) -> bytes | None:
        """Return the reply to a plain question for a name of the table; ``None``: it takes a closer look.

        Plain: no flags but RD, AD and CD; nothing behind the question, or one OPT record of version 0. The first zero
        byte ends the name: labels with zero bytes in them are in no table.
        """
        end = packet.find(0, HEADER_BYTES) + 5
        question = packet[HEADER_BYTES:end]
        # Lengths are below "A" and pass through lower() unchanged, and no type but 1 and 28 becomes 1 or 28.
        key = question.lower()
        found = self._table.get(key)
        if found is not None:
            tail = found[0]
            head = _ANSWERED_HEADS.get(packet[2:HEADER_BYTES])
        else:
            if key[-4:] != _AAAA_IN:
                return None
            found = self._table.get(key[:-4] + _A_IN)
            if found is None:
                return None
            tail = found[1]
            head = self._heads_v6.get(packet[2:HEADER_BYTES])
        if head is None:
            return None
        rest = packet[end:]
        opt = _KNOWN_OPTS.get(rest)
        if opt is None:
            opt = _opt_reply(rest)
            if opt is None:
                return None
        if (not opt) == head[-1]:  # an OPT record is announced and missing, or there and not announced
            return None
        return b"".join((packet[:2], head, question, tail, opt))

    def negative(self, packet: bytes, query: Query, rcode: int, zone_at: int) -> bytes:
        """Return the reply that a name, or a type of it, does not exist, with the SOA of the zone at ``zone_at``.

        It needs 336 bytes at most: every asker takes it.
        """
        opt = b"" if query.edns_version is None else _OPT_REPLIES[query.dnssec_ok]
        return b"".join(
            (
                packet[:2],
                bytes((0x84 | packet[2] & 1, 0x80 | packet[3] & 0x10 | rcode, 0, 1, 0, 0, 0, 1, 0, 1 if opt else 0)),
                packet[HEADER_BYTES : query.end],
                self._negative_tail(zone_at),
                opt,
            )
        )

    def _pack(self) -> None:
        """Lay the table out anew in memory, all of it close together, the longest names, which are asked most, first.

        Where the objects of a whole node lie between those of the table, finding 10,000 names takes a third longer.
        """
        copies: dict[int, bytes] = {}
        packed: dict[bytes, Ready] = {}
        for name, (tail, tail_v6) in sorted(self._table.items(), key=_longest_first):
            key = bytes(memoryview(name))
            packed[key] = (copies.setdefault(id(tail), bytes(memoryview(tail))), tail_v6)
        self._table = packed
        self._pack_at = len(packed) + max(PACK_FIRST, len(packed) // 4)

    def _address_tail(self, rtype: int, address: bytes) -> bytes:
        return b"".join((_TO_QUESTION, bytes((0, rtype, 0, CLASS_IN)), self._ttl, bytes((0, len(address))), address))

    def _negative_tail(self, zone_at: int) -> bytes:
        tail = self._negative_tails.get(zone_at)
        if tail is None:
            tail = self._negative_tails[zone_at] = _negative_tail(zone_at, self._negative_ttl_s)
        return tail


def _longest_first(entry: tuple[bytes, Ready]) -> int:
    return -len(entry[0])


def _negative_tail(zone_at: int, negative_ttl_s: int) -> bytes:
    """Return what follows the question: the SOA record of the zone that begins at ``zone_at`` (``soa_record``)."""
    zone = (0xC000 | zone_at).to_bytes(2, "big")
    times = b"".join(seconds.to_bytes(4, "big") for seconds in (*SOA_TIMES, negative_ttl_s))
    data = b"\x02ns\x03dns" + zone + b"\x0ahostmaster" + zone + times
    head = bytes((0, TYPE_SOA, 0, CLASS_IN)) + negative_ttl_s.to_bytes(4, "big") + len(data).to_bytes(2, "big")
    return zone + head + data


def _opt_reply(rest: bytes) -> bytes | None:
    """Return what an OPT record of version 0 with any options and nothing behind it is answered with."""
    if rest[:3] != b"\0\0\x29" or rest[6:7] != b"\0" or int.from_bytes(rest[9:11], "big") != len(rest) - 11:
        return None
    is_one = len(rest) >= 15 and int.from_bytes(rest[13:15], "big") == len(rest) - 15  # a cookie, mostly
    return _OPT_REPLIES[rest[7] >> 7] if is_one or are_options(rest[11:]) else None
