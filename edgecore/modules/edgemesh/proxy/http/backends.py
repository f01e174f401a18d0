"""All connections to backends: dialling, keeping idle ones for the next request, closing."""

import asyncio
import os
from collections.abc import Callable

from edgecore.clock import Clock, Timer, before
from edgecore.modules.edgemesh.discovery.pods import is_address
from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.deadline import Deadline
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection
from edgecore.modules.edgemesh.proxy.http.pool import IdlePool
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.lookups import Lookups

_EXPIRY_STEP_S = 0.5


class Backends:
    """All connections of one proxy to backends. ``gone`` is called whenever one is closed."""

    def __init__(self, clock: Clock, limits: ProxyLimits, lookups: Lookups, gone: Callable[[], object]) -> None:
        self.max_buffer_bytes = limits.max_buffer_bytes
        self._limits = limits
        self._clock = clock
        self._lookups = lookups
        self._gone = gone
        self._open: set[BackendConnection] = set()
        self._finishing: dict[BackendConnection, Timer] = {}
        self._idle = IdlePool[BackendConnection](
            limits.max_idle_per_backend, limits.max_idle_backends, limits.backend_idle_timeout_s
        )
        self._expiry = Deadline(clock, self._expire)
        self.take = self._idle.take
        """Returns an idle connection to a host, or ``None``; the caller becomes its owner."""

    @property
    def idle(self) -> int:
        """How many connections are kept for reuse."""
        return self._idle.total

    @property
    def number(self) -> int:
        """How many connections there are, idle ones included."""
        return len(self._open)

    async def open(self, connection: BackendConnection, timeout_s: float) -> Refusal | None:
        """Open a fresh connection; return why that failed, if it did, as 502 or 504.

        The owner of the connection may hear of it before this returns.
        """
        host = connection.host
        endpoint = host.endpoint
        deadline = self._clock.monotonic() + timeout_s
        loop = asyncio.get_running_loop()
        try:
            if not is_address(endpoint.host):
                endpoint = await before(self._clock, deadline, self._lookups.find(endpoint))
            await before(self._clock, deadline, loop.create_connection(lambda: connection, *endpoint))
        except TimeoutError:
            connection.drop()
            return Refusal(504, "connect_timeout", f"the backend {host.endpoint} does not accept a connection")
        except (OSError, ValueError, OverflowError) as error:
            connection.drop()
            return bad_answer("connect_failed", f"cannot connect to the backend {host.endpoint}: {_why(error)}")
        except asyncio.CancelledError:
            connection.drop()
            raise
        if not connection.closed:
            self._open.add(connection)  # not sooner: uvloop says nothing of the end of one whose dialling was cancelled
            host.users.add(connection)
            host.connections += 1
        return None

    def give_back(self, connection: BackendConnection, now: float) -> None:
        """Keep ``connection`` for another request, or close it when it cannot be used or there are enough."""
        connection.owner = None
        if not connection.reading:
            connection.set_reading(True)
        if connection.transport.is_closing() or not self._idle.put(connection, now):
            connection.drop()
        elif self._idle.total == 1:
            self._expiry.move(now + self._limits.backend_idle_timeout_s)

    def abort_later(self, connection: BackendConnection) -> None:
        """Close ``connection`` at once if it has not managed to send its last bytes within the idle timeout."""
        due = self._clock.monotonic() + self._limits.idle_timeout_s
        self._finishing[connection] = self._clock.call_at(due, connection.drop)

    def lost(self, connection: BackendConnection) -> None:
        """Take note that ``connection`` is gone."""
        if connection in self._open:
            self._open.remove(connection)
            connection.host.users.discard(connection)
            connection.host.connections -= 1
        if connection in self._finishing:
            self._finishing.pop(connection).cancel()
        self._gone()
        self._idle.remove(connection)

    def close(self) -> None:
        """Close all connections at once."""
        self._expiry.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.drop()

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for connection in self._idle.expire(now):
            connection.drop()
        due = self._idle.next_expiry()
        if due is not None:
            self._expiry.move(max(due, now + _EXPIRY_STEP_S))


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)
