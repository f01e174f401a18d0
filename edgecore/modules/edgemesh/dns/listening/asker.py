"""What listeners and those who answer know of each other."""

from collections.abc import Callable
from typing import Protocol

from edgecore.modules.edgemesh.dns.packets.packet import PAYLOAD_BYTES, TCP_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.tally import Tally
from edgecore.recording.watch import ShowDns


class Asker(Protocol):
    """Sends the answer to one query: one of its methods is called, once."""

    is_tcp: bool

    @property
    def host(self) -> str:
        """Its IP address."""

    @property
    def text(self) -> str:
        """Its address for logs."""

    def send(self, reply: bytes) -> None:
        """Send ``reply``, or count it as unsent."""

    def drop(self) -> None:
        """Send nothing."""


def limit_bytes(asker: Asker) -> int:
    """Return what the asker's transport takes (``packet.room``)."""
    return TCP_LIMIT_BYTES if asker.is_tcp else PAYLOAD_BYTES


class Answers(Protocol):
    """What listeners need of those who answer."""

    tally: Tally
    ready: Callable[[bytes], bytes | None]
    """Returns the reply to most queries for names of ours at once; it has at most 512 bytes."""
    show: ShowDns | None
    """Is shown what ``ready`` and ``cached`` say, by the listeners, and all else; ``None``: nobody looks."""

    def cached(self, packet: bytes, *, is_tcp: bool = False) -> bytes | None:
        """Return the reply to a query for another name at once, if it is known."""

    def receive(self, packet: bytes, asker: Asker) -> None:
        """Answer any other packet, now or later."""

    def fitted(self, query: bytes, reply: bytes, host: str) -> bytes:
        """Return what of a reply may go out to ``host`` on UDP, where nobody knows whether it was that who asked."""

    def surplus(self, client: str, queries: int) -> None:
        """Note that so many queries of ``client`` were left, for it asks more than its share."""

    def no_query(self, reason: str, peer: str, packet: bytes) -> None:
        """Note bytes that are no query."""
