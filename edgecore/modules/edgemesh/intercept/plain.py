"""The plain listener: one address for all services, where each request says which it means; also a forward proxy."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.intercept.rootless import Listener
from edgecore.modules.edgemesh.names import Endpoint

log = structlog.get_logger("edgemesh")

FURTHER_PORTS = 100
"""So many ports behind the configured one are tried."""

_LAST_PORT = 65_535


class BoundListener(Listener, Protocol):
    """A listener that says where it listens."""

    @property
    def address(self) -> Endpoint:
        """Address and port, the one that the system chose if 0 was asked for."""


class PlainListener:
    """Listens at ``port`` of ``address``, or, where that is taken, at the first free port behind it."""

    def __init__(self, listen: Callable[[str, int, None], Awaitable[BoundListener]], address: str, port: int) -> None:
        self._listen = listen
        self._address = address
        self._port = port
        self._listener: Listener | None = None
        self.in_use = ""
        """Address and port that are listened at; empty if none are."""

    async def start(self) -> None:
        """Listen. Raises the ``ListenError`` of the last port tried; only a port that is taken has others tried."""
        last = min(self._port + FURTHER_PORTS, _LAST_PORT)
        for port in range(self._port, last + 1):
            try:
                self._listener = await self._listen(self._address, port, None)
            except ListenError as error:
                if error.reason != "in_use" or port == last:
                    raise
            else:
                self.in_use = str(self._listener.address)
                log.info("plain_listener", address=self.in_use, configured_port=self._port)
                return

    def close(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        self.in_use = ""
        if listener is not None:
            listener.close()
