"""Decides what a DNS packet gets: an answer of ours, the way to the upstream servers, or nothing.

===================================================  =========================================================
the packet                                           what it gets
===================================================  =========================================================
shorter than a header, or itself a reply             dropped
opcode other than QUERY                              NOTIMP
not readable, or not of exactly one question         FORMERR, a bare header
EDNS version other than 0 (RFC 6891 section 6.1.3)   BADVERS
class other than IN                                  REFUSED
A of a service, by its full name or a short one      its fake IP
ANY of a service                                     the same (RFC 8482 section 4.1)
another type of a service                            NODATA
the domain, ``svc`` in it, a namespace in use        NODATA, as names are below them (RFC 8020); SOA of the domain
any other name of the domain                         NXDOMAIN, never forwarded
a name below the domain that is no service's, while  SERVFAIL: services are still to come
the table is incomplete
everything else                                      forwarded as it is
===================================================  =========================================================

Replies never exceed the 512 bytes that every asker takes (RFC 1035 section 4.2.1).
"""

from msgspec import Struct

from edgecore.modules.edgemesh.dns.nametable import NameTable, Standing
from edgecore.modules.edgemesh.dns.packet import HEADER_BYTES, Malformed, Query, read_query
from edgecore.modules.edgemesh.dns.records import (
    BADVERS,
    CLASS_IN,
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPE_A,
    TYPE_ANY,
    TYPE_SOA,
    address_record,
    compose,
)


class Reply(Struct, frozen=True, gc=False):
    """Send ``packet`` to the asker."""

    packet: bytes
    outcome: str
    """``answered``, ``nodata``, ``nxdomain``, ``failed``, ``notimp``, ``formerr``, ``badvers`` or ``refused``."""
    reason: str = ""
    """What was wrong with the query, if it is ``formerr``: a fixed snake_case word."""


class Forward(Struct, frozen=True, gc=False):
    """Ask the upstream servers; ``question`` is the part of ``packet`` that their reply must repeat."""

    packet: bytes
    question: bytes


class Drop(Struct, frozen=True, gc=False):
    """Answer nothing, for ``reason``: a fixed snake_case word."""

    reason: str


Decision = Reply | Forward | Drop


def ready_outcome(reply: bytes) -> str:
    """Return the outcome of a ready reply: it has one answer or none."""
    return "answered" if reply[7] else "nodata"


def decide(packet: bytes, names: NameTable) -> Decision:
    """Return what ``packet`` gets, without a look at the ready answers (``NameTable.ready``).

    Any bytes will do; nothing is raised.
    """
    if len(packet) < HEADER_BYTES:
        return Drop("short")
    if packet[2] & 0x80:
        return Drop("not_a_query")
    query = read_query(packet)
    if packet[2] & 0x78:
        # What another opcode's sections mean is not known here, so they are not judged.
        return Reply(compose(packet, None if isinstance(query, Malformed) else query, NOTIMP), "notimp")
    if isinstance(query, Malformed):
        return Reply(compose(packet, None, FORMERR), "formerr", query.reason)
    if query.edns_version:
        return Reply(compose(packet, query, BADVERS), "badvers")
    if query.qclass != CLASS_IN:
        return Reply(compose(packet, query, REFUSED), "refused")
    return _decide_by_name(packet, query, names)


def servfail(packet: bytes) -> bytes:
    """Return the reply to a packet that was to be forwarded and could not be."""
    query = read_query(packet)
    return compose(packet, query if isinstance(query, Query) else None, SERVFAIL)


def _decide_by_name(packet: bytes, query: Query, names: NameTable) -> Decision:
    standing, address = names.find(query.labels)
    if standing is Standing.OUTSIDE:
        return Forward(packet, packet[HEADER_BYTES : query.end])
    if not names.complete and standing in (Standing.MISSING, Standing.EMPTY):
        return Reply(compose(packet, query, SERVFAIL), "failed")
    if address is not None and query.qtype in (TYPE_A, TYPE_ANY):
        answers = [address_record(query.labels, address, names.ttl_s)]
        return Reply(compose(packet, query, NOERROR, authoritative=True, answers=answers), "answered")
    soa = [names.soa(query.labels)]
    if standing is Standing.APEX and query.qtype in (TYPE_SOA, TYPE_ANY):
        return Reply(compose(packet, query, NOERROR, authoritative=True, answers=soa), "answered")
    if standing is Standing.MISSING:
        return Reply(compose(packet, query, NXDOMAIN, authoritative=True, authority=soa), "nxdomain")
    return Reply(compose(packet, query, NOERROR, authoritative=True, authority=soa), "nodata")
