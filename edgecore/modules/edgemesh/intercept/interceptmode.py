"""Mode intercept as a whole: the rules, the listeners that they lead to, and what the kernel balances by itself."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import Metric

from edgecore.modules.edgemesh.intercept.interceptor import Interceptor
from edgecore.modules.edgemesh.intercept.kernel.kernel import Kernel
from edgecore.modules.edgemesh.intercept.ledplaces import LedPlaces


class InterceptMode:
    """See the module."""

    def __init__(self, interceptor: Interceptor, places: LedPlaces, kernel: Kernel) -> None:
        self.interceptor = interceptor
        self.places = places
        self._kernel = kernel

    async def start(self) -> None:
        """Make the rules. Raises ``InterceptError`` or ``ListenError`` with all undone."""
        try:
            await self.interceptor.start(self.places.start)
        except BaseException:
            await self.places.stop()
            raise
        self._kernel.start()

    async def stop(self) -> None:
        """Take the rules away; the listeners are still there. May be called again."""
        await self._kernel.stop()
        await self.interceptor.stop()

    def status(self) -> dict[str, Any]:
        """Return how it is, as a JSON object."""
        listener, kernel = self.places.listener, self._kernel.status()
        where = str(listener) if listener is not None else None
        return {**self.interceptor.status(), "listener": where, "kernel": kernel}

    def families(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        yield from self.interceptor.families()
        yield from self._kernel.families()
