"""Places to which the kernel's rules lead: all connections to one listener of ours, datagrams each to one of their own.

A connection that was led says where it was to go (SO_ORIGINAL_DST); who dials the listener himself means no service and
is refused, so there are no loops. A datagram does not say it, so each of its ports has a listener, on any free port.
"""

from collections.abc import Iterable
from typing import Protocol

from edgecore.clock import Clock
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.intercept.kernel.kernelplane import KernelPlane
from edgecore.modules.edgemesh.intercept.places import Plane
from edgecore.modules.edgemesh.intercept.plain import BoundListener, listen_near
from edgecore.modules.edgemesh.intercept.rootless import Listener, NotBound, Place, RootlessListeners
from edgecore.modules.edgemesh.intercept.rules.interception import Spot, Spots
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport

Ports = tuple[tuple[int, Transport], ...]


class LedProxy(Protocol):
    """What forwards."""

    async def listen(
        self,
        address: str,
        port: int,
        service: ServiceKey | None,
        transport: Transport = "tcp",
        *,
        meant: Endpoint | None = None,
    ) -> BoundListener:
        """Serve ``service`` there, for clients who were led there from ``meant``. Raises ``ListenError``."""

    async def listen_led(self, address: str, port: int) -> BoundListener:
        """Serve connections that were led there, each for the service it was to go to. Raises ``ListenError``."""

    def own(self, address: str, service: ServiceKey | None) -> None:
        """Take note whose fake IP this is; ``None``: nobody's any more."""


class Rules(Protocol):
    """The part of ``Ruleset`` that leads."""

    def lead(self, spot: Spot, endpoint: Endpoint | None) -> None:
        """Lead what is for ``spot`` to ``endpoint``; ``None``: no more."""

    @property
    def applied(self) -> Spots | None:
        """What the kernel has."""

    @property
    def problem(self) -> str:
        """Why the rules cannot be made; empty if they can."""


class LedPlaces:
    """See ``Places``. ``port`` is that of the listener for connections, or one soon behind it.

    ``kernel`` is told which port each spot is, and may have the kernel balance what would be led.
    """

    def __init__(
        self, proxy: LedProxy, rules: Rules, kernel: KernelPlane, clock: Clock, *, port: int, rebind_s: float
    ) -> None:
        self._proxy = proxy
        self._rules = rules
        self._kernel = kernel
        self._port = port
        self._wanted: dict[ServiceKey, tuple[str, Ports]] = {}
        self._owned: dict[ServiceKey, str] = {}
        self._front: BoundListener | None = None
        self._listeners = RootlessListeners(self._lead, clock, rebind_s)

    @property
    def listener(self) -> Endpoint | None:
        """Where connections are led to."""
        return self._front.address if self._front is not None else None

    async def start(self, address: str) -> None:
        """Listen at ``address``; if that was done at another, no more there. Raises ``ListenError``."""
        if self._front is not None and self._front.address.host == address:
            return
        for service in self._wanted:
            self._listeners.remove(service)
        if self._front is not None:
            self._front.close()
            self._front = None
        self._front = await listen_near(self._proxy.listen_led, address, self._port)
        for service, (fake_ip, ports) in self._wanted.items():
            self._listeners.set(service, fake_ip, ports)

    def set(self, service: ServiceKey, address: str, ports: Iterable[tuple[int, Transport]]) -> None:
        """See ``Places``."""
        wanted = tuple(ports)
        if not wanted:
            self.remove(service)
            return
        if self._owned.get(service) != address:
            self._disown(service)
            self._owned[service] = address
            self._proxy.own(address, service)
        self._wanted[service] = (address, wanted)
        self._listeners.set(service, address, wanted)

    def remove(self, service: ServiceKey) -> None:
        """See ``Places``."""
        self._wanted.pop(service, None)
        self._listeners.remove(service)
        self._disown(service)

    def problem(self, place: Place) -> str | None:
        """See ``Places``. ``no_rule``: the kernel does not lead there, which the status of interception explains."""
        problem = self._listeners.problem(place)
        if problem is not None:
            return problem
        applied = self._rules.applied
        if applied is None or _spot(place) not in applied.led:
            return "no_rule" if applied is None or self._rules.problem else "pending"
        return None

    def plane(self, place: Place) -> Plane:
        """See ``Places``."""
        applied = self._rules.applied
        balanced = applied.balanced.get(_spot(place)) if applied is not None else None
        return "kernel" if balanced is not None and balanced.targets else "proxy"

    def why_proxy(self, place: Place) -> str:
        """See ``Places``."""
        if self.plane(place) == "kernel":
            return ""
        return self._kernel.decision(_spot(place)).reason or "pending"

    @property
    def not_bound(self) -> tuple[NotBound, ...]:
        """See ``Places``."""
        return self._listeners.not_bound

    async def stop(self) -> None:
        """See ``Places``."""
        self._wanted.clear()
        await self._listeners.stop()
        if self._front is not None:
            self._front.close()
            self._front = None

    async def _lead(self, address: str, port: int, service: ServiceKey, transport: Transport) -> Listener:
        """Listen, and have the kernel lead there what is for this port of a fake IP. Raises ``ListenError``."""
        if self._front is None:
            raise ListenError(f"{address}:{port}", "failed", "interception has not started")
        spot, front = Spot(address, port, transport), self._front.address
        if transport == "tcp":
            return self._led(spot, service, front)
        listener = await self._proxy.listen(front.host, 0, service, transport, meant=Endpoint(address, port))
        if self._front is None or self._front.address != front:  # everything has moved meanwhile
            listener.close()
            raise ListenError(str(front), "failed", "the listener has moved")
        return self._led(spot, service, listener.address, listener)

    def _led(
        self, spot: Spot, service: ServiceKey, endpoint: Endpoint, listener: BoundListener | None = None
    ) -> "_Led":
        self._kernel.place(spot, (service, spot.port, spot.transport))
        self._rules.lead(spot, endpoint)
        return _Led(self._rules, self._kernel, spot, listener)

    def _disown(self, service: ServiceKey) -> None:
        address = self._owned.pop(service, None)
        if address is not None:
            self._proxy.own(address, None)


class _Led:
    """A spot that is led, and its own listener if it has one."""

    def __init__(self, rules: Rules, kernel: KernelPlane, spot: Spot, listener: BoundListener | None = None) -> None:
        self._rules = rules
        self._kernel = kernel
        self._spot = spot
        self._listener = listener

    def close(self) -> None:
        """Lead there no more."""
        self._kernel.unplace(self._spot)
        self._rules.lead(self._spot, None)
        if self._listener is not None:
            self._listener.close()


def _spot(place: Place) -> Spot:
    return Spot(place.address, place.port, place.transport)
