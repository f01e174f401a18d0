# mypy: allow-untyped-calls, allow-subclassing-any
# (dnslib carries no annotations, and this is the one file that calls it)
"""Makes replies with dnslib: the header, the question as it came, records, and the OPT record if the asker sent one."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from dnslib import AAAA, CNAME, EDNS0, NS, PTR, RD, RR, SOA, SRV, TXT, A, DNSHeader, DNSQuestion, DNSRecord
from dnslib.label import DNSBuffer, DNSLabel

from edgecore.modules.edgemesh.dns.packets.packet import PAYLOAD_BYTES, Query, room

TYPE_A, TYPE_NS, TYPE_CNAME, TYPE_SOA, TYPE_PTR, TYPE_HINFO, TYPE_TXT, TYPE_AAAA, TYPE_SRV = (
    1,
    2,
    5,
    6,
    12,
    13,
    16,
    28,
    33,
)
TYPE_IXFR, TYPE_AXFR, TYPE_ANY = 251, 252, 255
CLASS_IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

NAME_SERVER = (b"ns", b"dns")
"""What stands before the domain in the name of its server."""
SOA_TIMES = (1, 7200, 1800, 86400)
"""Serial, refresh, retry, expire: for secondary servers, of which these zones have none."""

_SRV_PRIORITY, _SRV_WEIGHT = 0, 100
_NO_ANY = b"\x07RFC8482\x00"  # CPU and OS of a HINFO record (RFC 8482 section 4.2)
_POINTER_LIMIT = 0x3FFF
_OPT_BYTES = 11  # without options
_READ_LIMIT_BYTES = 4096  # each of its records may have a name as long as the packet, as pointers go


class Answered(NamedTuple):
    """What an upstream server's reply says."""

    rcode: int
    is_truncated: bool
    answers: tuple[RR, ...]
    authority: tuple[RR, ...]


class _Buffer(DNSBuffer):
    """dnslib's buffer points at any name before; a pointer has 14 bits (RFC 1035 section 4.1.4)."""

    def encode_name(self, name: Any) -> None:
        if self.offset + 255 > _POINTER_LIMIT and DNSLabel(name).label not in self.names:
            self.encode_name_nocompress(name)
        else:
            super().encode_name(name)


def address_record(owner: Sequence[bytes], address: IPv4Address | IPv6Address, ttl_s: int) -> RR:
    """Return the A or AAAA record of ``owner``."""
    data = A(tuple(address.packed)) if address.version == 4 else AAAA(tuple(address.packed))
    return _record(owner, TYPE_A if address.version == 4 else TYPE_AAAA, ttl_s, data)


def alias_record(owner: Sequence[bytes], target: Sequence[bytes], ttl_s: int) -> RR:
    """Return the CNAME record of ``owner``."""
    return _record(owner, TYPE_CNAME, ttl_s, CNAME(DNSLabel(list(target))))


def pointer_record(owner: Sequence[bytes], target: Sequence[bytes], ttl_s: int) -> RR:
    """Return the PTR record of ``owner``."""
    return _record(owner, TYPE_PTR, ttl_s, PTR(DNSLabel(list(target))))


def server_record(zone: Sequence[bytes], server: Sequence[bytes], ttl_s: int) -> RR:
    """Return the NS record of ``zone``."""
    return _record(zone, TYPE_NS, ttl_s, NS(DNSLabel(list(server))))


def port_record(owner: Sequence[bytes], target: Sequence[bytes], port: int, ttl_s: int) -> RR:
    """Return the SRV record of ``owner`` (RFC 2782); all of one owner are as good as each other."""
    return _record(owner, TYPE_SRV, ttl_s, SRV(_SRV_PRIORITY, _SRV_WEIGHT, port, DNSLabel(list(target))))


def text_record(owner: Sequence[bytes], text: bytes, ttl_s: int) -> RR:
    """Return the TXT record of ``owner``."""
    return _record(owner, TYPE_TXT, ttl_s, TXT(text))


def no_any_record(owner: Sequence[bytes], ttl_s: int) -> RR:
    """Return what stands for all records of ``owner`` (RFC 8482 section 4.2)."""
    return _record(owner, TYPE_HINFO, ttl_s, RD(_NO_ANY))


def soa_record(zone: Sequence[bytes], negative_ttl_s: int, domain: Sequence[bytes] | None = None) -> RR:
    """Return the SOA of ``zone``, whose server and people are those of ``domain``, or of ``zone`` itself.

    A negative answer is kept for the smaller of the record's TTL and its last field (RFC 2308 section 5): both are
    ``negative_ttl_s``.
    """
    domain = zone if domain is None else domain
    data = SOA(DNSLabel([*NAME_SERVER, *domain]), DNSLabel([b"hostmaster", *domain]), (*SOA_TIMES, negative_ttl_s))
    return _record(zone, TYPE_SOA, negative_ttl_s, data)


def compose(
    packet: bytes,
    query: Query | None,
    rcode: int,
    *,
    authoritative: bool = False,
    truncated: bool = False,
    answers: Sequence[RR] = (),
    authority: Sequence[RR] = (),
    additional: Sequence[RR] = (),
    limit_bytes: int = PAYLOAD_BYTES,
) -> bytes:
    """Return the reply to ``packet``, of which at least the header is there; without ``query`` it is a bare header.

    The id, opcode, RD, CD (RFC 4035 section 3.2.2) and DO (RFC 3225 section 3) come from the query. RA is set: other
    names are forwarded. AD is never set: nothing was validated.

    What has no room (``room``) is left out: first ``additional``, which nobody was promised; then as many answers as
    must be, and TC is set (RFC 2181 section 9): who cannot come by TCP has those that fit.
    """
    header = DNSHeader(
        id=int.from_bytes(packet[:2], "big"),
        bitmap=0,
        qr=1,
        opcode=packet[2] >> 3 & 0xF,
        aa=int(authoritative),
        rd=packet[2] & 1,
        ra=1,
        cd=packet[3] >> 4 & 1,
        rcode=rcode & 0xF,
    )
    buffer = _Buffer()
    header.pack(buffer)
    opt = None
    if query is not None:
        DNSQuestion(DNSLabel(list(query.labels)), query.qtype, query.qclass).pack(buffer)
        if query.edns_version is not None:
            opt = EDNS0(flags="do" if query.dnssec_ok else "", udp_len=PAYLOAD_BYTES, ext_rcode=rcode >> 4)
    most = room(query, limit_bytes) - (0 if opt is None else _OPT_BYTES)
    counts = [0 if query is None else 1, _fill(buffer, answers, most), 0, 0]
    is_cut = counts[1] < len(answers)
    if not is_cut and authority:
        counts[2] = _fill(buffer, authority, most, all_or_none=True)
        is_cut = not counts[2]
    if not is_cut and additional:
        counts[3] = _fill(buffer, additional, most, all_or_none=True)
    if opt is not None:
        opt.pack(buffer)
        counts[3] += 1
    reply = bytearray(buffer.data)
    reply[2] |= (is_cut or truncated) << 1
    reply[4:12] = b"".join(count.to_bytes(2, "big") for count in counts)
    return bytes(reply)


def read_reply(reply: bytes) -> Answered | None:
    """Return what an upstream server's ``reply`` says; ``None``: it cannot be read, or is too long to be."""
    if len(reply) > _READ_LIMIT_BYTES:
        return None
    try:
        record = DNSRecord.parse(reply)
        # Names are put together from pointers: one that is too long shows when it is written.
        record.pack()
    except Exception:  # dnslib has several of its own, and lets those of its parsers through
        return None
    header = record.header
    return Answered(header.rcode, bool(header.tc), tuple(record.rr), tuple(record.auth))


def is_soa(record: RR) -> bool:
    """Say whether ``record`` is an SOA."""
    return bool(record.rtype == TYPE_SOA)


def _record(owner: Iterable[bytes], rtype: int, ttl_s: int, data: RD) -> RR:
    return RR(DNSLabel(list(owner)), rtype, CLASS_IN, ttl_s, data)


def _fill(buffer: _Buffer, records: Sequence[RR], most: int, *, all_or_none: bool = False) -> int:
    """Write those of ``records``, from the first on, with which there are at most ``most`` bytes; return how many."""
    start = len(buffer.data)
    for count, record in enumerate(records):
        before = len(buffer.data)
        record.pack(buffer)
        if len(buffer.data) > most:
            # Names in what is taken back are still known to the buffer; nothing with a name follows.
            buffer.offset = start if all_or_none else before
            buffer.data = buffer.data[: buffer.offset]
            return 0 if all_or_none else count
    return len(records)
