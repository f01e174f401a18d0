"""Decides how one question is put to the upstream servers: whom to ask next, until when, and which reply to believe.

The servers are asked in their order, each for ``ATTEMPT_S``, and once more round, as datagrams get lost. A server that
refused, or that the system cannot reach, is not asked again. All ends after ``TOTAL_S``: stub resolvers wait 5 s
(``options timeout`` in resolv.conf(5)) and should get the SERVFAIL before they ask again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from edgecore.modules.edgemesh.dns.packet import HEADER_BYTES

ATTEMPT_S = 1.5
TOTAL_S = 4.5
_ROUNDS = 2

_FORMERR, _SERVFAIL, _NOTIMP, _REFUSED = 1, 2, 4, 5
_TRY_ANOTHER = frozenset((_SERVFAIL, _NOTIMP, _REFUSED))

Server = tuple[str, int]
"""A literal IP address and a port."""


class Attempt(NamedTuple):
    """Ask ``server`` and wait until ``deadline``."""

    server: Server
    deadline: float


class Verdict(Enum):
    """What to do with a datagram that came on the socket of an attempt."""

    ACCEPT = "accept"
    REFUSED = "refused"
    """The server answers that it cannot or will not: ask the next one, and pass this on if none does better."""
    IGNORE = "ignore"
    """Not the reply to our query."""


class Exchange:
    """One question's way round the servers. Times are those of ``Clock.monotonic``."""

    def __init__(self, question: bytes, servers: Sequence[Server], now: float) -> None:
        self._question = question
        self._deadline = now + TOTAL_S
        self._waiting = deque([*servers] * _ROUNDS)
        self._given_up: set[Server] = set()
        self.refusal: bytes | None = None
        """The latest reply of a server that refused."""

    def next(self, now: float) -> Attempt | None:
        """Return whom to ask now; ``None``: nobody is left, or no time."""
        while self._waiting and now < self._deadline:
            server = self._waiting.popleft()
            if server not in self._given_up:
                return Attempt(server, min(now + ATTEMPT_S, self._deadline))
        return None

    def give_up(self, server: Server) -> None:
        """Do not ask ``server`` again: it cannot be reached, or it is ourselves."""
        self._given_up.add(server)

    def judge(self, server: Server, query: bytes, reply: bytes) -> Verdict:
        """Judge a datagram from ``server``, to which ``query`` was sent, and note it if it is a refusal."""
        verdict = judge(self._question, query, reply)
        if verdict is Verdict.REFUSED:
            self.refusal = reply
            self.give_up(server)
        return verdict


def judge(question: bytes, query: bytes, reply: bytes) -> Verdict:
    """Say whether ``reply`` answers ``query``: same id, opcode and question, letter case apart (RFC 5452 section 3).

    Servers that cannot read a query, such as old ones met with EDNS, send an error without a question; it carries no
    data, so it is a refusal and not a lie.
    """
    if len(reply) < HEADER_BYTES or reply[:2] != query[:2] or (reply[2] ^ query[2]) & 0xF8 != 0x80:
        return Verdict.IGNORE
    rcode = reply[3] & 0x0F
    if reply[4:10] == bytes(6):
        return Verdict.REFUSED if rcode in _TRY_ANOTHER or rcode == _FORMERR else Verdict.IGNORE
    repeated = reply[HEADER_BYTES : HEADER_BYTES + len(question)]
    is_same = repeated[:-4].lower() == question[:-4].lower() and repeated[-4:] == question[-4:]
    if reply[4:6] != b"\0\1" or not is_same:
        return Verdict.IGNORE
    return Verdict.REFUSED if rcode in _TRY_ANOTHER else Verdict.ACCEPT


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
