"""A name of ours that leads outside: what is asked of the upstream servers, and the reply that comes of it (pure).

That is an alias (a service of type ExternalName), or the end of a pod's search list.
"""

from dnslib import RR
from msgspec import Struct

from edgecore.modules.edgemesh.dns.packets.labels import Labels, wire
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES, Query
from edgecore.modules.edgemesh.dns.packets.records import (
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    alias_record,
    compose,
    is_soa,
    read_reply,
)

_OPT = b"\0\0\x29" + PAYLOAD_BYTES.to_bytes(2, "big") + bytes(6)
_OPT_DO = _OPT[:7] + b"\x80" + _OPT[8:]


class Alias(Struct, frozen=True, gc=False):
    """A CNAME record that stands before what is found outside."""

    owner: Labels
    target: Labels
    ttl_s: int

    @property
    def record(self) -> RR:
        """The record."""
        return alias_record(self.owner, self.target, self.ttl_s)


class Chase(Struct, frozen=True):
    """Ask the upstream servers for ``targets`` one after the other: the first that exists is the answer.

    For each: send ``asking(target)``, whose id is 0 and whose question is ``question(target)``; if ``exists(reply)``,
    or after the last one, send ``finished(target, reply)`` to the asker.
    """

    packet: bytes
    query: Query
    aliases: tuple[Alias, ...]
    targets: tuple[Labels, ...]
    limit_bytes: int
    search: tuple[Labels, int] | None = None
    """For the end of a search: what was asked for, which is an alias of what is found; and how long it may be."""
    missing: bytes = b""
    """The reply if none of ``targets`` exists; empty: what the last one gets."""

    def links(self, target: Labels) -> tuple[tuple[bytes, int], ...]:
        """Return the names, in wire form, that the asked one leads through to ``target``, each with its TTL."""
        links = [(wire(alias.target), alias.ttl_s) for alias in self.aliases]
        return (*links, (wire(target), self.search[1])) if self.search is not None else tuple(links)

    def question(self, target: Labels) -> bytes:
        """Return the question for ``target``, of the asker's type, as it stands in a packet."""
        return wire(target) + self.query.qtype.to_bytes(2, "big") + self.query.qclass.to_bytes(2, "big")

    def asking(self, target: Labels) -> bytes:
        """Return the packet that asks for ``target``, with the asker's RD, CD and DO."""
        opt = b"" if self.query.edns_version is None else (_OPT_DO if self.query.dnssec_ok else _OPT)
        flags = bytes((self.packet[2] & 1, self.packet[3] & 0x10))
        return b"\0\0" + flags + b"\0\1\0\0\0\0" + bytes((0, 1 if opt else 0)) + self.question(target) + opt

    def exists(self, reply: bytes | None) -> bool:
        """Say whether a reply ends the search: anything but that there is no such name."""
        return reply is None or len(reply) < HEADER_BYTES or reply[3] & 0x0F != NXDOMAIN

    def finished(self, target: Labels, reply: bytes | None) -> tuple[bytes, bool]:
        """Return what the asker gets, and whether that is no failure.

        ``reply`` is that of the upstream servers for ``target``; ``None``: there is none.
        """
        if self.missing and not self.exists(reply):
            return self.missing, True
        found = None if reply is None else read_reply(reply)
        if found is None or found.rcode not in (NOERROR, NXDOMAIN):
            return compose(self.packet, self.query, SERVFAIL, limit_bytes=self.limit_bytes), False
        aliases = [alias.record for alias in self.aliases]
        if self.search is not None:
            owner, ttl_s = self.search
            aliases.append(alias_record(owner, target, ttl_s))
        packet = compose(
            self.packet,
            self.query,
            found.rcode,
            authoritative=True,  # of the first name in the answer (RFC 1035 section 4.1.1)
            truncated=found.is_truncated,
            answers=[*aliases, *found.answers],
            authority=[record for record in found.authority if is_soa(record)],
            limit_bytes=self.limit_bytes,
        )
        return packet, True
