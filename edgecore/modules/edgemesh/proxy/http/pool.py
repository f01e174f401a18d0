"""Which idle connections to backends are kept, for how long, and which is used next."""

from typing import Generic, TypeVar

from edgecore.modules.edgemesh.names import Endpoint

T = TypeVar("T")


class IdlePool(Generic[T]):
    """Idle connections by endpoint; the one used last goes first, so that those not needed grow old.

    ``now`` is in seconds of the monotonic clock and never goes back. What a method returns is out of the pool and is
    the caller's to use or to close.
    """

    def __init__(self, max_per_endpoint: int, max_total: int, idle_timeout_s: float) -> None:
        self._max_per_endpoint = max_per_endpoint
        self._max_total = max_total
        self._idle_timeout_s = idle_timeout_s
        self._idle: dict[Endpoint, list[tuple[float, T]]] = {}
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def put(self, endpoint: Endpoint, connection: T, now: float) -> bool:
        """Keep ``connection``; return False, and do not keep it, when there are enough."""
        idle = self._idle.setdefault(endpoint, [])
        if len(idle) >= self._max_per_endpoint or self._total >= self._max_total:
            if not idle:
                del self._idle[endpoint]
            return False
        idle.append((now, connection))
        self._total += 1
        return True

    def take(self, endpoint: Endpoint) -> T | None:
        """Return the connection to ``endpoint`` that became idle last."""
        idle = self._idle.get(endpoint)
        if not idle:
            return None
        _, connection = idle.pop()
        self._taken(endpoint, idle, 1)
        return connection

    def remove(self, endpoint: Endpoint, connection: T) -> None:
        """Forget ``connection``, if it is here."""
        idle = self._idle.get(endpoint, [])
        for index, (_, kept) in enumerate(idle):
            if kept is connection:
                del idle[index]
                self._taken(endpoint, idle, 1)
                return

    def expire(self, now: float) -> list[T]:
        """Return the connections that have been idle for too long."""
        expired: list[T] = []
        for endpoint, idle in list(self._idle.items()):
            old = sum(since + self._idle_timeout_s <= now for since, _ in idle)  # the oldest come first
            if old:
                expired += [connection for _, connection in idle[:old]]
                del idle[:old]
                self._taken(endpoint, idle, old)
        return expired

    def next_expiry(self) -> float | None:
        """Return when ``expire`` will have something to return; None while the pool is empty."""
        oldest = [idle[0][0] for idle in self._idle.values()]
        return min(oldest) + self._idle_timeout_s if oldest else None

    def clear(self) -> list[T]:
        """Return everything."""
        everything = [connection for idle in self._idle.values() for _, connection in idle]
        self._idle.clear()
        self._total = 0
        return everything

    def _taken(self, endpoint: Endpoint, idle: list[tuple[float, T]], number: int) -> None:
        self._total -= number
        if not idle:
            del self._idle[endpoint]
