"""What EdgeMesh asks of whoever leads connections for fake IPs to the proxy, by listeners or by rules of the kernel."""

from collections.abc import Iterable
from typing import Literal, Protocol

from edgecore.modules.edgemesh.intercept.rootless import NotBound, Place
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport

Plane = Literal["proxy", "kernel"]
"""Who moves the bytes: the proxy, or the kernel by itself."""


class Places(Protocol):
    """The places, each a port of a fake IP, that are served."""

    def set(self, service: ServiceKey, address: str, ports: Iterable[tuple[int, Transport]]) -> None:
        """Serve ``service`` at exactly these ports. What is not wanted any more ends when this returns, or soon."""

    def remove(self, service: ServiceKey) -> None:
        """Serve ``service`` no more."""

    def problem(self, place: Place) -> str | None:
        """Return why ``place`` is not served, as a fixed word; ``None`` if it is. ``pending``: not tried yet."""

    def plane(self, place: Place) -> Plane:
        """Say who moves the bytes of ``place``."""

    def why_proxy(self, place: Place) -> str:
        """Return why it is the proxy who moves the bytes of ``place``, a word of ``WHY_PROXY``; empty if it is not."""

    @property
    def not_bound(self) -> tuple[NotBound, ...]:
        """The places that could not be bound, those that have failed the longest first."""

    async def stop(self) -> None:
        """End everything."""
