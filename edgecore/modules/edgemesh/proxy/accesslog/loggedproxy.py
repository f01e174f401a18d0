"""A proxy and its access log as one: the log is written to its end when the proxy has stopped."""

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import AccessLog
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import Elsewhere
from edgecore.modules.edgemesh.upstream.spec import PortKey, Transport
from edgecore.observe.metrics import Metrics

ListenerT = TypeVar("ListenerT")
ListenerT_co = TypeVar("ListenerT_co", covariant=True)


class Proxy(Protocol[ListenerT_co]):
    """What forwards, and tells the log."""

    async def listen(
        self, address: str, port: int, service: ServiceKey | None, transport: Transport = "tcp"
    ) -> ListenerT_co:
        """Serve ``service`` at this address. Raises ``ListenError``."""

    async def stop(self) -> None:
        """End all connections and listeners."""

    def status(self) -> dict[str, Any]:
        """Return what was served, as a JSON object."""

    def figures(self) -> Mapping[PortKey, PortFigures]:
        """Return what was counted at each port."""

    def add_figures_of(self, elsewhere: Elsewhere) -> None:
        """Add what others have counted wherever figures are told."""


class LoggedProxy(Generic[ListenerT]):
    """To be used as ``proxy`` is, which was given ``log.tell``."""

    def __init__(self, proxy: Proxy[ListenerT], log: AccessLog, metrics: Metrics) -> None:
        self._proxy = proxy
        self._log = log
        self.listen = proxy.listen
        self.add_figures_of = proxy.add_figures_of
        metrics.pull(log.families)

    async def stop(self) -> None:
        """End all connections and listeners; return when all that is told of them is written, or cannot be."""
        try:
            await self._proxy.stop()
        finally:
            await self._log.stop()

    def status(self) -> dict[str, Any]:
        """Return what was served, and how the log is, as a JSON object."""
        return {**self._proxy.status(), "access_log": self._log.status()}

    def figures(self) -> Mapping[PortKey, PortFigures]:
        """Return what was counted at each port."""
        return self._proxy.figures()
