# mypy: allow-untyped-calls
# (dnslib carries no annotations, and this is the one file that calls it)
"""Makes replies with dnslib: the header, the question as it came, records, and the OPT record if the asker sent one."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from dnslib import EDNS0, QTYPE, RR, SOA, A, DNSHeader, DNSQuestion, DNSRecord
from dnslib.label import DNSLabel

from edgecore.modules.edgemesh.dns.packet import Query

TYPE_A, TYPE_SOA, TYPE_AAAA, TYPE_ANY = 1, 6, 28, 255
CLASS_IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

PAYLOAD_BYTES = 1232
"""The largest packet that we say we take: it crosses an IPv6 link of the least MTU in one piece (DNS flag day 2020)."""

_SERIAL, _REFRESH_S, _RETRY_S, _EXPIRE_S = 1, 7200, 1800, 86400  # for secondary servers, which this zone has none of


def address_record(owner: Sequence[bytes], address: IPv4Address, ttl_s: int) -> RR:
    """Return the A record of ``owner``."""
    return RR(DNSLabel(list(owner)), QTYPE.A, CLASS_IN, ttl_s, A(tuple(address.packed)))


def soa_record(zone: Sequence[bytes], negative_ttl_s: int) -> RR:
    """Return the SOA of ``zone``.

    A negative answer is kept for the smaller of the record's TTL and its last field (RFC 2308 section 5): both are
    ``negative_ttl_s``.
    """
    times = (_SERIAL, _REFRESH_S, _RETRY_S, _EXPIRE_S, negative_ttl_s)
    data = SOA(DNSLabel([b"ns", b"dns", *zone]), DNSLabel([b"hostmaster", *zone]), times)
    return RR(DNSLabel(list(zone)), QTYPE.SOA, CLASS_IN, negative_ttl_s, data)


def compose(
    packet: bytes,
    query: Query | None,
    rcode: int,
    *,
    authoritative: bool = False,
    answers: Sequence[RR] = (),
    authority: Sequence[RR] = (),
) -> bytes:
    """Return the reply to ``packet``, of which at least the header is there; without ``query`` it is a bare header.

    The id, opcode, RD, CD (RFC 4035 section 3.2.2) and DO (RFC 3225 section 3) come from the query. RA is set: other
    names are forwarded. AD is never set: nothing was validated.
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
    record = DNSRecord(header, rr=list(answers), auth=list(authority))
    if query is not None:
        record.add_question(DNSQuestion(DNSLabel(list(query.labels)), query.qtype, query.qclass))
        if query.edns_version is not None:
            flags = "do" if query.dnssec_ok else ""
            record.add_ar(EDNS0(flags=flags, udp_len=PAYLOAD_BYTES, ext_rcode=rcode >> 4))
    return bytes(record.pack())
