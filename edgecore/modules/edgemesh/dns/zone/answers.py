"""Decides what a DNS packet gets: an answer of ours, the way to the upstream servers, or nothing.

===================================================  =========================================================
the packet                                           what it gets
===================================================  =========================================================
shorter than a header, or itself a reply             dropped
opcode other than QUERY                              NOTIMP
not readable, or not of exactly one question         FORMERR, a bare header
EDNS version other than 0 (RFC 6891 section 6.1.3)   BADVERS
class other than IN; a transfer of a zone            REFUSED
a name that has records of the type                  these (``rrsets``)
an alias                                             CNAME, and what it leads to: ours, or the upstream servers'
a name that has none, or names below it (RFC 8020)   NODATA, with the SOA of its zone
any other name of our zones                          NXDOMAIN with the SOA, never forwarded
the same, if the first one of a pod's search list    CNAME to the name that the search would end with, if that exists
a name of our zones that has nothing, while the      SERVFAIL: services are still to come
table is incomplete
everything else                                      forwarded as it is
===================================================  =========================================================

No reply is longer than the asker takes (``packet.room``).
"""

from msgspec import Struct

from edgecore.modules.edgemesh.dns.packets.labels import Labels
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES, Malformed, Query, read_query
from edgecore.modules.edgemesh.dns.packets.records import (
    BADVERS,
    CLASS_IN,
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPE_ANY,
    TYPE_AXFR,
    TYPE_CNAME,
    TYPE_IXFR,
    compose,
)
from edgecore.modules.edgemesh.dns.zone.aliases import Alias, Chase
from edgecore.modules.edgemesh.dns.zone.nametable import Found, NameTable, Standing
from edgecore.modules.edgemesh.dns.zone.rrsets import Records, records, soa
from edgecore.modules.edgemesh.dns.zone.search import searched_name

ALIASES_LIMIT = 8
"""So many names lead to each other before it is taken for a circle."""

_NOTHING = (Standing.MISSING, Standing.EMPTY)


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


Decision = Reply | Forward | Chase | Drop


def ready_outcome(reply: bytes) -> str:
    """Return the outcome of a ready reply: it has one answer or none."""
    return "answered" if reply[7] else "nodata"


def decide(packet: bytes, names: NameTable, limit_bytes: int = PAYLOAD_BYTES) -> Decision:
    """Return what ``packet`` gets, without a look at the ready answers (``NameTable.ready``).

    Any bytes will do; nothing is raised. ``limit_bytes`` is what the transport takes: see ``packet.room``.
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
    if query.qclass != CLASS_IN or query.qtype in (TYPE_AXFR, TYPE_IXFR):
        return Reply(compose(packet, query, REFUSED), "refused")
    return _Question(packet, query, names, limit_bytes).decide()


class _Question:
    """One question of class IN, and the aliases that it has led through."""

    def __init__(self, packet: bytes, query: Query, names: NameTable, limit_bytes: int) -> None:
        self.packet = packet
        self.query = query
        self.names = names
        self.limit_bytes = limit_bytes
        self.aliases: list[Alias] = []

    def decide(self) -> Decision:
        labels = self.query.labels
        found = self.names.find(labels)
        if found.standing is Standing.OUTSIDE:
            return Forward(self.packet, self.packet[HEADER_BYTES : self.query.end])
        if found.standing is Standing.MISSING and self.names.complete and self.names.search is not None:
            searched = self._end_of_search(labels, found)
            if isinstance(searched, Chase):
                return searched
            if searched is not None:
                labels, found = searched
        return self._follow(labels, found)

    def _follow(self, labels: Labels, found: Found) -> Decision:
        """Follow the aliases to the end."""
        names, query = self.names, self.query
        while found.standing is Standing.ALIAS and query.qtype not in (TYPE_CNAME, TYPE_ANY):
            if len(self.aliases) >= ALIASES_LIMIT:
                return self._reply(SERVFAIL, "failed")
            self.aliases.append(Alias(labels, found.target, names.ttl_s))
            labels = found.target
            found = names.find(labels)
            if found.standing is Standing.OUTSIDE:
                return Chase(self.packet, query, tuple(self.aliases), (labels,), self.limit_bytes)
        if not names.complete and found.standing in _NOTHING:
            return self._reply(SERVFAIL, "failed")
        known = records(labels, found, query.qtype, names)
        if known.answers:
            return self._reply(NOERROR, "answered", known)
        if found.standing is Standing.MISSING:
            return self._negative(NXDOMAIN, "nxdomain", found)
        return self._negative(NOERROR, "nodata", found)

    def _end_of_search(self, labels: Labels, found: Found) -> Chase | tuple[Labels, Found] | None:
        """Return what a pod's search that begins with ``labels`` ends with; ``None``: it does not begin so."""
        names, search = self.names, self.names.search
        if search is None or self.query.qtype == TYPE_ANY or not names.first_of_search(labels, found.zone):
            return None
        searched = searched_name(labels, found.zone)
        standing = Standing.MISSING
        for candidate in (*search.in_cluster(labels, found.zone), searched):
            there = names.find(candidate)
            standing = there.standing
            if standing not in (*_NOTHING, Standing.OUTSIDE):
                self.aliases.append(Alias(labels, candidate, names.negative_ttl_s))
                return candidate, there
        if standing is not Standing.OUTSIDE:  # a name of our zones is nobody else's business
            return None
        return Chase(
            self.packet,
            self.query,
            (),
            search.outside(searched),
            self.limit_bytes,
            search=(labels, names.negative_ttl_s),
            missing=self._negative(NXDOMAIN, "nxdomain", found).packet,
        )

    def _negative(self, rcode: int, outcome: str, found: Found) -> Reply:
        if self.aliases or found.is_reverse:
            return self._reply(rcode, outcome, authority=found)
        return Reply(self.names.negative(self.packet, self.query, rcode, found.zone), outcome)

    def _reply(
        self, rcode: int, outcome: str, known: Records | None = None, *, authority: Found | None = None
    ) -> Reply:
        is_failure = rcode == SERVFAIL
        packet = compose(
            self.packet,
            self.query,
            rcode,
            authoritative=not is_failure,
            answers=[]
            if is_failure
            else [*(alias.record for alias in self.aliases), *(known.answers if known else ())],
            authority=[soa(authority, self.names)] if authority is not None else [],
            additional=known.additional if known else (),
            limit_bytes=self.limit_bytes,
        )
        return Reply(packet, outcome)
