"""An upgraded connection: bytes in both directions, each of which ends on its own."""

from collections.abc import Callable
from typing import Protocol

from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection, keep_alive


class TunnelClient(Protocol):
    """What a tunnel needs of the connection of the client."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""

    def write_eof(self) -> None:
        """Send nothing more; go on receiving."""

    def set_reading(self, reading: bool) -> None:
        """Receive, or leave what comes where it is."""

    def close(self) -> None:
        """Close when everything written has been sent."""

    def touch(self, seconds: float) -> None:
        """Take note that something has happened: the connection may be silent for ``seconds``."""


class Tunnel:
    """Joins the two connections until both directions have ended or one connection is lost; then it calls ``over``.

    It may be silent for ``idle_timeout_s`` (0: for ever). TCP keep-alive finds those whose other side is gone.
    """

    def __init__(
        self, client: TunnelClient, backend: BackendConnection, idle_timeout_s: float, over: Callable[[int, int], None]
    ) -> None:
        self._client = client
        self._backend = backend
        self._idle_timeout_s = idle_timeout_s or float("inf")
        self._over: Callable[[int, int], None] | None = over
        self._client_ended = False
        self._backend_ended = False
        self._bytes_in = 0
        self._bytes_out = 0
        backend.owner = self
        keep_alive(backend.transport)
        backend.set_reading(True)
        client.touch(self._idle_timeout_s)

    def client_data(self, data: bytes) -> None:
        """Take what the client sent."""
        self._bytes_in += len(data)
        self._client.touch(self._idle_timeout_s)
        self._backend.write(data)

    def client_eof(self) -> None:
        """Take note that the client will send nothing more."""
        self._client_ended = True
        self._backend.write_eof()
        self._close_if_ended()

    def client_lost(self) -> None:
        """Take note that the connection of the client is gone."""
        self._backend.finish()
        self._end()

    def client_blocked(self, blocked: bool) -> None:
        """Take note that too much is unsent towards the client, or not any more."""
        if not self._backend_ended:
            self._backend.set_reading(not blocked)

    def expire(self) -> None:
        """Take note that nothing has passed for the whole idle timeout."""
        self._client.close()
        self._backend.finish()

    def backend_data(self, data: bytes) -> None:
        """See ``BackendOwner``."""
        self._bytes_out += len(data)
        self._client.touch(self._idle_timeout_s)
        self._client.write(data)

    def backend_eof(self) -> bool:
        """See ``BackendOwner``."""
        self._backend_ended = True
        self._client.write_eof()
        self._close_if_ended()
        return True

    def backend_lost(self) -> None:
        """See ``BackendOwner``."""
        self._client.close()

    def backend_blocked(self, blocked: bool) -> None:
        """See ``BackendOwner``."""
        if not self._client_ended:
            self._client.set_reading(not blocked)

    def _close_if_ended(self) -> None:
        if self._client_ended and self._backend_ended:
            self._backend.finish()
            self._client.close()

    def _end(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(self._bytes_in, self._bytes_out)
