"""Connecting to a host for a request that waits for it."""

from typing import Protocol

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection, BackendOwner
from edgecore.modules.edgemesh.upstream.host import Host


class Caller(BackendOwner, Protocol):
    """Who waits for a connection."""

    def connected(self, connection: BackendConnection | Refusal, took_s: float) -> None:
        """Take the connection, or why there is none; ``took_s``: how long it took."""

    def impatient(self) -> None:
        """Take note that it takes long: if there is another host, that should be tried."""


class Dial:
    """See the module. Begins at once; ``caller`` hears of the end unless it has cancelled."""

    __slots__ = ("_began", "_caller", "_connection", "_gateway", "_task", "_timer")

    def __init__(self, gateway: Gateway, caller: Caller, host: Host, timeout_s: float, patience_s: float) -> None:
        self._gateway = gateway
        self._caller: Caller | None = caller
        self._connection = BackendConnection(host, gateway.backends, caller)
        self._began = gateway.clock.monotonic()
        self._timer = gateway.clock.call_at(self._began + patience_s, caller.impatient)
        self._task = gateway.spawn(self._run(timeout_s))

    def cancel(self) -> float:
        """Stop; the caller hears nothing more. Return how many seconds it took so far."""
        self._caller = None
        self._timer.cancel()
        self._task.cancel()
        return self._gateway.clock.monotonic() - self._began

    async def _run(self, timeout_s: float) -> None:
        try:
            refusal = await self._gateway.backends.open(self._connection, timeout_s)
        finally:
            self._timer.cancel()
        if self._caller is not None:
            self._caller.connected(refusal or self._connection, self._gateway.clock.monotonic() - self._began)
        else:  # cancelled just when it was done
            self._connection.drop()
