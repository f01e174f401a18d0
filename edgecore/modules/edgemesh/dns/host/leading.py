"""Which of the host's name servers have questions for them led to our DNS, and why others do not (pure)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from edgecore.modules.edgemesh.dns.resolver.exchange import Server, is_ourselves
from edgecore.modules.edgemesh.dns.resolver.resolvconf import DNS_PORT
from edgecore.modules.edgemesh.intercept.rules.interception import NameHijack
from edgecore.modules.edgemesh.names import Endpoint

SERVERS_LIMIT = 16
"""So many are led. Programs ask three at most (resolv.conf(5))."""


class Left(NamedTuple):
    """A name server that is left alone, and a fixed word why: ``ipv6``, ``ourselves`` (our address) or ``too_many``."""

    server: str
    reason: str


class Leading(NamedTuple):
    """What is led, and what is not."""

    hijack: NameHijack | None
    left: tuple[Left, ...] = ()
    reason: str = ""
    """Why nothing is led, or not all that programs ask first, as a fixed word; empty: it is as it should be."""
    text: str = ""
    """The same in words."""


def lead_names(servers: Sequence[str], listening: Sequence[Server], address: str) -> Leading:
    """Return what becomes of questions to ``servers``, the addresses in a resolv.conf, in their order.

    ``listening``: where our DNS listens; ``address``: that of the interface, where containers can reach it too.
    """
    led, left = _sorted(servers, listening, address)
    if not led:
        return Leading(None, left, *_why_nothing(servers, left))
    listener = _listener(listening, address)
    if listener is None:
        text = f"cannot lead questions to {', '.join(led)} here: DNS does not listen at {address}"
        return Leading(
            None, left, "not_listening", f"{text}; set modules.edgeMesh.dns.listen to auto, or add {address}:53"
        )
    hijack = NameHijack(tuple(led), listener)
    if left and left[0] == Left(servers[0], "ipv6"):
        text = f"programs ask {servers[0]} first, which is IPv6 and not led here; {led[0]}, which is, if that is silent"
        return Leading(hijack, left, "ipv6_first", text)
    return Leading(hijack, left)


def _sorted(servers: Sequence[str], listening: Sequence[Server], address: str) -> tuple[list[str], tuple[Left, ...]]:
    """Return the servers to lead, each once, and the others."""
    led: dict[str, None] = {}
    left: list[Left] = []
    for server in servers:
        ip = ip_address(server)
        if not isinstance(ip, IPv4Address):
            left.append(Left(server, "ipv6"))
        elif server == address or is_ourselves((server, DNS_PORT), listening, source=address):
            left.append(Left(server, "ourselves"))
        elif len(led) >= SERVERS_LIMIT:
            left.append(Left(server, "too_many"))
        else:
            led["127.0.0.1" if ip.is_unspecified else str(ip)] = None  # who sends to 0.0.0.0 sends to this host
    return list(led), tuple(left)


def _why_nothing(servers: Sequence[str], left: Sequence[Left]) -> tuple[str, str]:
    if not servers:
        return "no_server", "there is no name server to lead questions from"
    if any(one.reason == "ourselves" for one in left):
        return "ourselves", "programs ask the node already, without rules"
    return "ipv6_only", f"programs ask {', '.join(servers)}, which are IPv6 and not led here"


def _listener(listening: Sequence[Server], address: str) -> Endpoint | None:
    """Return where questions are led to: at the address itself before a wildcard, port 53 before others."""
    at = [Endpoint(address, port) for host, port in listening if host == address]
    at += [Endpoint(address, port) for host, port in listening if host == "0.0.0.0"]
    return min(at, key=lambda endpoint: endpoint.port != DNS_PORT, default=None)
