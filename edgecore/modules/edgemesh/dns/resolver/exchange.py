"""Decides how one question is put to the upstream servers: whom to ask when, and which reply to believe (pure).

The first server is asked at once, each further one ``STAGGER_S`` later, or at once when one before it will not answer;
the first good answer wins. Datagrams get lost, so the first servers are asked again while there is time. All ends after
``TOTAL_S``: stub resolvers wait 5 s (``options timeout`` in resolv.conf(5)) and should get the SERVFAIL before that.

==========================================  ==========================================================================
a server                                    then
==========================================  ==========================================================================
answers                                     that is it
answers truncated                           it is asked over TCP, as the others are still asked
answers FORMERR or NOTIMP to EDNS           it is asked without EDNS
answers SERVFAIL, REFUSED or the like       the next; the others have ``REFUSED_S`` from now; if none does better, that
answers what cannot be read, or is lame     the next; likewise; if none does better, SERVFAIL
cannot be reached                           the next
sends what is no reply to our query         ignored, and counted; the next after ``IGNORED_LIMIT`` of them
is silent                                   it may still answer while others are asked
==========================================  ==========================================================================
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES
from edgecore.modules.edgemesh.dns.resolver.findings import NOTHING_FOUND, Finding, read_finding

STAGGER_S = 0.4
TOTAL_S = 4.5
REFUSED_S = 2.0
SERVERS_LIMIT = 6
"""So many servers are asked one question."""
IGNORED_LIMIT = 32
"""So many wrong datagrams on one socket are an attack on it (RFC 5452 section 9.2)."""

_AGAIN_AT_S = (1.2, 2.8)
_ASKED_AGAIN = 3
_FORMERR, _SERVFAIL, _NOTIMP, _REFUSED = 1, 2, 4, 5
_WORDS = {_FORMERR: "formerr", _SERVFAIL: "servfail", _NOTIMP: "notimp", _REFUSED: "refused"}

Server = tuple[str, int]
"""A literal IP address and a port."""


class Verdict(Enum):
    """What to do with a packet that came on the socket of an attempt."""

    ACCEPT = "accept"
    TRUNCATED = "truncated"
    NO_EDNS = "no_edns"
    """Ask again without EDNS."""
    REFUSED = "refused"
    """The server answers that it cannot or will not, or what is of no use."""
    IGNORE = "ignore"
    """Not the reply to our query."""


class Judged(NamedTuple):
    """A verdict, with what was found if anything was, and a fixed snake_case word for it."""

    verdict: Verdict
    word: str
    finding: Finding | None = None


class Tried(NamedTuple):
    """What came of asking one server."""

    server: Server
    word: str
    after_s: float
    """How long after the question came that was known."""


class Exchange:
    """One question's way round the servers. Times are those of ``Clock.monotonic``.

    ``servers``: the best first. ``beside``: one of them that is asked at once, beside the first.
    """

    def __init__(self, servers: Sequence[Server], now: float, beside: Server | None = None) -> None:
        servers = servers[:SERVERS_LIMIT]
        self.started_at = now
        self._deadline = now + TOTAL_S
        self._plan: list[tuple[float, int, Server]] = []  # when, 0 for the first time, whom
        for place, server in enumerate(servers):
            insort(self._plan, (now + (0.0 if server == beside else place * STAGGER_S), place, server))
        for again_at in _AGAIN_AT_S:
            for place, server in enumerate(servers[:_ASKED_AGAIN]):
                insort(self._plan, (now + again_at + place * STAGGER_S, SERVERS_LIMIT + place, server))
        self._waiting: set[Server] = set()
        self._finished: set[Server] = set()
        self.tried: list[Tried] = []
        self.finding: Finding | None = None
        """What was found, once it is."""
        self.server: Server | None = None
        """Who said so."""
        self._second_best: tuple[Finding, Server] | None = None

    def due(self, now: float) -> list[Server]:
        """Return whom to ask now, again or for the first time."""
        servers = []
        while self._plan and self._plan[0][0] <= now:
            _, _, server = self._plan.pop(0)
            if server not in self._finished:
                servers.append(server)
                self._waiting.add(server)
        return servers

    def next_at(self) -> float:
        """Return when to look again, if nothing happens before."""
        return min(self._plan[0][0], self._deadline) if self._plan else self._deadline

    def is_over(self, now: float) -> bool:
        """Say whether an answer is there, or nobody is left, or no time."""
        return self.finding is not None or now >= self._deadline or not (self._waiting or self._plan)

    def answered(self, server: Server, finding: Finding, now: float) -> None:
        """Take a good answer."""
        self._finish(server, "answered", now)
        if self.finding is None:
            self.finding, self.server = finding, server

    def gave_up(self, server: Server, word: str, now: float, finding: Finding | None = None) -> None:
        """Do not ask ``server`` again: it will not give a good answer; ``finding`` is what it gives instead."""
        if server in self._finished:
            return
        self._finish(server, word, now)
        if finding is not None:
            # Part of an answer is better than none, and SERVFAIL has the asker try elsewhere sooner than REFUSED.
            best = self._second_best
            if best is None or finding.is_truncated or (finding.rcode == _SERVFAIL and not best[0].is_truncated):
                self._second_best = finding, server
            self._deadline = min(self._deadline, now + REFUSED_S)
        for at, place, following in self._plan:
            if place < SERVERS_LIMIT and following not in self._finished:
                self._plan.remove((at, place, following))
                insort(self._plan, (now, place, following))
                break

    def outcome(self) -> tuple[Finding | None, Server | None]:
        """Return what the asker gets, and from whom; ``None`` if all were silent."""
        if self.finding is not None:
            return self.finding, self.server
        return (None, None) if self._second_best is None else self._second_best

    def hold(self, server: Server) -> None:
        """Do not send to ``server`` again: it is answering in another way."""
        self._plan = [planned for planned in self._plan if planned[2] != server]

    def silent(self) -> list[Server]:
        """Return those that were asked and have not answered."""
        return [server for server in self._waiting if server not in self._finished]

    def _finish(self, server: Server, word: str, now: float) -> None:
        self._finished.add(server)
        self._waiting.discard(server)
        self._plan = [planned for planned in self._plan if planned[2] != server]
        self.tried.append(Tried(server, word, now - self.started_at))


def judge(question: Question, query: bytes, reply: bytes, max_ttl_s: int) -> Judged:
    """Judge ``reply``: it must have the id, opcode and question of ``query``, letter case apart (RFC 5452 section 3).

    Servers that cannot read a query, such as old ones met with EDNS, send an error without a question; it carries no
    data, so it is a refusal and not a lie.
    """
    if len(reply) < HEADER_BYTES or reply[:2] != query[:2] or (reply[2] ^ query[2]) & 0xF8 != 0x80:
        return Judged(Verdict.IGNORE, "not_our_query")
    rcode = reply[3] & 0x0F
    wire = question.wire
    if reply[4:10] == bytes(6):
        if rcode not in _WORDS:
            return Judged(Verdict.IGNORE, "no_question")
        return _refusal(query, rcode, wire)
    repeated = reply[HEADER_BYTES : HEADER_BYTES + len(wire)]
    if reply[4:6] != b"\0\1" or repeated[:-4].lower() != wire[:-4] or repeated[-4:] != wire[-4:]:
        return Judged(Verdict.IGNORE, "another_question")
    found = read_finding(question, reply, max_ttl_s)
    if isinstance(found, str):
        return Judged(Verdict.REFUSED, found, NOTHING_FOUND)
    if found.is_failure:
        return _refusal(query, rcode, wire)
    return Judged(Verdict.TRUNCATED, "truncated", found) if found.is_truncated else Judged(Verdict.ACCEPT, "", found)


def _refusal(query: bytes, rcode: int, wire: bytes) -> Judged:
    has_edns = len(query) > HEADER_BYTES + len(wire)
    if has_edns and rcode in (_FORMERR, _NOTIMP):
        return Judged(Verdict.NO_EDNS, _WORDS[rcode])
    # The asker's query was read here, so there is nothing wrong with it.
    return Judged(Verdict.REFUSED, _WORDS.get(rcode, "refused"), Finding(_SERVFAIL if rcode == _FORMERR else rcode))


def is_ourselves(server: Server, listening: Iterable[Server], source: str | None = None) -> bool:
    """Say whether a question to ``server`` would come back to us, who listen on ``listening``.

    ``source`` is the address that the system sends from to reach ``server``: the same, if that is of this host. It
    matters when we listen on the wildcard address.
    """
    host = _comparable(server[0])
    if host.is_unspecified:  # the system takes it for this host
        host = ip_address("127.0.0.1" if host.version == 4 else "::1")
    for listening_host, port in listening:
        own = _comparable(listening_host)
        is_local = host.is_loopback or (source is not None and host == _comparable(source))
        if port == server[1] and (own == host or (own.is_unspecified and own.version == host.version and is_local)):
            return True
    return False


def _comparable(host: str) -> IPv4Address | IPv6Address:
    address = ip_address(host)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
