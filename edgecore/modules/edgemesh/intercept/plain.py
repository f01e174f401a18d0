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
        listener = await listen_near(lambda address, port: self._listen(address, port, None), self._address, self._port)
        self._listener, self.in_use = listener, str(listener.address)
        log.info("plain_listener", address=self.in_use, configured_port=self._port)

    def close(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        self.in_use = ""
        if listener is not None:
            listener.close()


async def listen_near(listen: Callable[[str, int], Awaitable[BoundListener]], address: str, port: int) -> BoundListener:
    """Listen at ``port``, or, where that is taken, at the first free port behind it.

    Raises the ``ListenError`` of the last port tried; only a port that is taken has others tried.
    """
    for each in range(port, min(port + FURTHER_PORTS, _LAST_PORT)):
        try:
            return await listen(address, each)
        except ListenError as error:
            if error.reason != "in_use":
                raise
    return await listen(address, min(port + FURTHER_PORTS, _LAST_PORT))
