"""What an upstream reply says to a question: the part of it that every asker gets, and for how long it holds (pure).

==================================================  ===================================================================
the reply                                           it holds for
==================================================  ===================================================================
records that answer the question                    the smallest TTL in it
NXDOMAIN, or no such records (NODATA), with an SOA  the smallest TTL, that of the SOA being at most its last field
of the name or of one above it                      (RFC 2308 section 5)
the same without such an SOA                        now: not to be kept
records that the question does not lead to, beside  now
records that answer it
nothing but records that it does not lead to        nothing: ``lame``
NS records instead of an answer, where recursion    nothing: ``lame``
was asked for
what cannot be read                                 nothing: ``unreadable``
==================================================  ===================================================================

A question leads to its own name, and from a name to where its CNAME record points. The additional records are left
out: nobody has asked for them, and a server that lies about other names would do it there (RFC 5452 section 6). So are
the authority records of a positive answer, unless the asker wants DNSSEC: they may prove it then.
"""

from collections.abc import Iterable, Sequence
from struct import pack_into

from msgspec import Struct
from msgspec.structs import replace

from edgecore.modules.edgemesh.dns.packets.messages import (
    Message,
    Question,
    Record,
    UnreadableError,
    name_in,
    negative_ttl,
    read_message,
)
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES
from edgecore.modules.edgemesh.dns.packets.records import NOERROR, NXDOMAIN, SERVFAIL, TYPE_ANY, TYPE_SOA

_TYPE_NS, _TYPE_CNAME, _TYPE_DNAME, _TYPE_RRSIG = 2, 5, 39, 46
_YXDOMAIN = 6
_CHAIN_LIMIT = 32
ANSWERING = frozenset((NOERROR, NXDOMAIN, _YXDOMAIN))
"""Response codes that say something of the name; the others say something of the server."""


class Finding(Struct, frozen=True, gc=False):
    """A reply without what differs from asker to asker: id, flags, the question's spelling, OPT."""

    rcode: int
    counts: bytes = b"\0\0\0\0"
    """ANCOUNT and NSCOUNT."""
    tail: bytes = b""
    """What follows the question. Its pointers count from the packet's start, so they hold for any spelling."""
    ttls: tuple[tuple[int, int], ...] = ()
    """Offset in ``tail`` and TTL of each record."""
    keep_s: int = 0
    """For how long it holds."""
    is_authentic: bool = False
    """The AD bit: the server has validated it."""
    is_truncated: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether it says nothing of the name."""
        return self.rcode not in ANSWERING

    def aged(self, seconds: int) -> bytes:
        """Return ``tail`` with its TTLs counted down."""
        body = bytearray(self.tail)
        for at, ttl in self.ttls:
            pack_into("!I", body, at, ttl - seconds if ttl > seconds else 0)
        return bytes(body)

    def stale(self, ttl_s: int) -> bytes:
        """Return ``tail`` with TTLs of at most ``ttl_s`` (RFC 8767 section 4)."""
        body = bytearray(self.tail)
        for at, ttl in self.ttls:
            pack_into("!I", body, at, min(ttl, ttl_s))
        return bytes(body)


NOTHING_FOUND = Finding(SERVFAIL)


def read_finding(question: Question, reply: bytes, max_ttl_s: int) -> Finding | str:
    """Return what ``reply``, known to repeat ``question``, says; or why it says nothing: a fixed snake_case word.

    No TTL is above ``max_ttl_s``; one with its highest bit set is a large one (RFC 8767 section 4).
    """
    rcode = reply[3] & 0x0F
    end = HEADER_BYTES + len(question.wire)
    is_truncated = bool(reply[2] & 2)
    try:
        message = read_message(reply, end)
        if message.extended_rcode:
            return "extended_rcode"
        if rcode not in ANSWERING:
            return Finding(rcode)
        return _read(question, reply, message, end, max_ttl_s)
    except UnreadableError:
        if is_truncated and rcode in ANSWERING:  # cut off in the middle of a record
            return Finding(rcode, is_truncated=True)
        return "unreadable"


def _read(question: Question, reply: bytes, message: Message, end: int, max_ttl_s: int) -> Finding | str:
    names = _names_led_to(question, reply, message.answers)
    related = [record for record in message.answers if _is_related(question, names, record)]
    rcode = reply[3] & 0x0F
    is_truncated = bool(reply[2] & 2)
    has_answer = any(question.qtype in (record.rtype, TYPE_ANY) for record in related)
    if message.answers and not related:
        return "lame"
    if is_truncated:
        return replace(_finding(reply, message.answers, end, max_ttl_s, {}), keep_s=0)
    soa = next((record for record in message.authority if record.rtype == TYPE_SOA), None)
    if rcode == NOERROR and has_answer:
        authority = message.authority if question.dnssec_ok else ()
        finding = _finding(reply, message.answers, end, max_ttl_s, {}, authority)
        is_kept = len(related) == len(message.answers)
    else:
        if rcode == NOERROR and not related and soa is None and _is_referral(question, reply, message):
            return "lame"
        capped = {} if soa is None else {soa.at: negative_ttl(reply, soa)}
        finding = _finding(reply, message.answers, end, max_ttl_s, capped, message.authority)
        is_kept = soa is not None and _is_above(soa.owner, names[-1]) and len(related) == len(message.answers)
    return finding if is_kept else replace(finding, keep_s=0)


def _finding(  # noqa: PLR0917 - what was read, all in one place
    reply: bytes,
    answers: Sequence[Record],
    end: int,
    max_ttl_s: int,
    capped: dict[int, int],
    authority: Sequence[Record] = (),
) -> Finding:
    """Return the finding of these records; ``capped``: offset of a record to the TTL that it has at most."""
    records = [*answers, *authority]
    ttls = tuple(
        (record.ttl_at - end, min(record.ttl, capped.get(record.at, record.ttl), max_ttl_s)) for record in records
    )
    return Finding(
        reply[3] & 0x0F,
        len(answers).to_bytes(2, "big") + len(authority).to_bytes(2, "big"),
        reply[end : records[-1].end] if records else b"",
        ttls,
        min((ttl for _, ttl in ttls), default=0),
        bool(reply[3] & 0x20),
        bool(reply[2] & 2),
    )


def _names_led_to(question: Question, reply: bytes, answers: Iterable[Record]) -> list[bytes]:
    """Return the name of the question and those that its CNAME records lead to, in turn; a circle ends where it closes.

    They may stand in any order.
    """
    targets = {
        record.owner: name_in(reply, record)
        for record in answers
        if record.rtype == _TYPE_CNAME and record.rclass == int.from_bytes(question.tail[2:], "big")
    }
    names = [question.name]
    while (target := targets.get(names[-1])) is not None and target not in names and len(names) < _CHAIN_LIMIT:
        names.append(target)
    return names


def _is_related(question: Question, names: Sequence[bytes], record: Record) -> bool:
    if record.rclass != int.from_bytes(question.tail[2:], "big"):
        return False
    if record.rtype == _TYPE_DNAME or (record.rtype == _TYPE_RRSIG and record.owner not in names):
        return any(_is_above(record.owner, name) for name in names)
    wanted = (question.qtype, _TYPE_CNAME, _TYPE_RRSIG)
    return record.owner in names and (record.rtype in wanted or question.qtype == TYPE_ANY)


def _is_referral(question: Question, reply: bytes, message: Message) -> bool:
    """Say whether the server sends us on to others, which is their work and not ours."""
    is_authoritative = bool(reply[2] & 4)
    has_servers = any(record.rtype == _TYPE_NS for record in message.authority)
    return question.recursion_desired and has_servers and not is_authoritative


def _is_above(zone: bytes, name: bytes) -> bool:
    """Say whether ``name`` is in ``zone``: both in wire form and lower case."""
    if not name.endswith(zone):
        return False
    at, start = 0, len(name) - len(zone)
    while at < start:
        at += 1 + name[at]
    return at == start
