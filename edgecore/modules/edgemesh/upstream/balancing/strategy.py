"""What a strategy is, and what it may ask of the one who asks it."""

from collections.abc import Sequence
from typing import Protocol

from edgecore.modules.edgemesh.upstream.host import Host


class Asking(Protocol):
    """A client with a request, a connection or a datagram. Asked only by strategies that go by it."""

    @property
    def ip(self) -> str:
        """The address of the client, without the port."""

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header (its name in lower case); empty if there is none, or no HTTP."""

    def cookie(self, name: bytes) -> bytes:
        """Return the value of a cookie; empty if there is none."""


class Strategy(Protocol):
    """Chooses among the hosts that it was given last. Nothing else changes it but ``choose``."""

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """Choose from ``hosts`` from now on. What was chosen before goes on as far as the hosts allow."""

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """Return the host for the next request; one of ``tried`` only if there is no other, ``None`` if none at all."""

    def set_cookie(self, asking: Asking, host: Host) -> bytes:
        """Return the header line (without its end) by which the client will come back; empty if none is needed."""


class Cookieless:
    """A strategy that leaves nothing with the client."""

    __slots__ = ()

    def set_cookie(self, asking: Asking, host: Host) -> bytes:
        """See ``Strategy``."""
        return b""
