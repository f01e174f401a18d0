"""Which idle connections to backends are kept, for how long, and which is used next."""

from typing import Generic, Protocol, TypeVar

from edgecore.modules.edgemesh.upstream.host import Host


class Closable(Protocol):
    """What a connection goes by."""

    def is_closing(self) -> bool:
        """Say whether it is of no use any more."""


class Pooled(Protocol):
    """A connection that can be kept."""

    host: Host
    idle_since: float
    """Of the monotonic clock; the pool's to write."""

    @property
    def transport(self) -> Closable:
        """What it goes by."""


T = TypeVar("T", bound=Pooled)


class IdlePool(Generic[T]):
    """Idle connections by host (``host.idle``); the one used last goes first, so that those not needed grow old.

    ``now`` is in seconds of the monotonic clock and never goes back. What a method returns is out of the pool and is
    the caller's to use or to close.
    """

    __slots__ = ("_hosts", "_idle_timeout_s", "_max_per_host", "_max_total", "total")

    def __init__(self, max_per_host: int, max_total: int, idle_timeout_s: float) -> None:
        self._max_per_host = max_per_host
        self._max_total = max_total
        self._idle_timeout_s = idle_timeout_s
        self._hosts: set[Host] = set()  # at least those that have idle connections
        self.total = 0
        """Connections in the pool."""

    def put(self, connection: T, now: float) -> bool:
        """Keep ``connection``; return False, and do not keep it, when there are enough or its host is gone."""
        host = connection.host
        idle = host.idle
        if len(idle) >= self._max_per_host or self.total >= self._max_total or host.gone:
            return False
        if not idle:
            self._hosts.add(host)
        connection.idle_since = now
        idle.append(connection)
        self.total += 1
        return True

    def take(self, host: Host) -> T | None:
        """Return the connection to ``host`` that became idle last and can be used."""
        idle: list[T] = host.idle
        while idle:
            self.total -= 1
            connection = idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def remove(self, connection: T) -> None:
        """Forget ``connection``, if it is here."""
        if connection in connection.host.idle:
            connection.host.idle.remove(connection)
            self.total -= 1

    def expire(self, now: float) -> list[T]:
        """Return the connections that have been idle for too long."""
        expired: list[T] = []
        for host in list(self._hosts):
            idle = host.idle
            old = sum(
                connection.idle_since + self._idle_timeout_s <= now for connection in idle
            )  # the oldest are first
            expired += idle[:old]
            del idle[:old]
            if not idle:
                self._hosts.discard(host)
        self.total -= len(expired)
        return expired

    def next_expiry(self) -> float | None:
        """Return when ``expire`` will have something to return; None while the pool is empty."""
        oldest = [host.idle[0].idle_since for host in self._hosts if host.idle]
        return min(oldest) + self._idle_timeout_s if oldest else None

    def clear(self) -> list[T]:
        """Return everything."""
        everything: list[T] = []
        for host in self._hosts:
            everything += host.idle
            host.idle.clear()
        self._hosts.clear()
        self.total = 0
        return everything
