"""Keeps us from being used to flood others: replies that are much longer than their queries, to one network (pure).

Whoever forges the address of another has us send it our replies. What is gained by that is bounded: a reply more than
``FACTOR`` times as long as its query counts against the sender's network (an IPv4 /24, an IPv6 /56), and when that has
had its fill the asker is told to come by TCP, where an address cannot be forged. Nobody real goes without an answer.
This machine cannot be reached with a forged address of its own, so loopback is not counted.
"""

from collections import OrderedDict
from ipaddress import ip_address, ip_network

from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES

FACTOR = 4
RATE_BYTES_PER_S = 128 * 1024
BURST_BYTES = 512 * 1024
NETWORKS_LIMIT = 4096
"""So many networks are remembered; beyond, the one that was heard of the longest ago is forgotten."""

_TC = 0x02
_OPT = b"\0\0\x29" + PAYLOAD_BYTES.to_bytes(2, "big") + bytes(6)


class Allowance:
    """How many bytes of long replies each network may still have. Times are those of ``Clock.monotonic``."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, tuple[float, float]] = OrderedDict()  # bytes left, and when that was so

    def __len__(self) -> int:
        return len(self._networks)

    def allows(self, host: str, reply_bytes: int, now: float) -> bool:
        """Say whether a long reply may go to ``host``, and count it if so."""
        network = network_of(host)
        if not network:
            return True
        left, since = self._networks.pop(network, (float(BURST_BYTES), now))
        left = min(BURST_BYTES, left + (now - since) * RATE_BYTES_PER_S)
        allowed = left >= reply_bytes
        self._networks[network] = (left - reply_bytes if allowed else left, now)
        if len(self._networks) > NETWORKS_LIMIT:
            self._networks.popitem(last=False)
        return allowed


def is_long(query_bytes: int, reply_bytes: int) -> bool:
    """Say whether a reply counts."""
    return reply_bytes > FACTOR * query_bytes


def network_of(host: str) -> str:
    """Return the network that an address is counted with; empty for loopback."""
    address = ip_address(host.partition("%")[0])
    if address.is_loopback:
        return ""
    return str(ip_network((address, 24 if address.version == 4 else 56), strict=False))


def come_by_tcp(query: bytes, reply: bytes) -> bytes:
    """Return ``reply`` without its records and with TC set: as long as a plain query."""
    end = HEADER_BYTES
    if reply[4:6] == b"\0\1":
        while reply[end]:
            end += 1 + reply[end]
        end += 5
    has_opt = query[10:12] != b"\0\0"
    counts = reply[4:6] + bytes(5) + (b"\1" if has_opt else b"\0")
    head = reply[:2] + bytes((reply[2] | _TC, reply[3])) + counts
    return head + reply[HEADER_BYTES:end] + (_OPT if has_opt else b"")
