"""One connection that is forwarded as bytes: from a client to the host that was chosen for it, and back.

::

    dialling   the client is not read; another host may be tried
    relaying   two directions, each of which ends on its own
    over       both have ended; or one socket broke, and the other is reset; or it was told to end, and both are reset

Where a connection ends in the middle it ends with a reset: an orderly end would say that this was all.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from math import inf

from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.bytes.asking import AskingAddress
from edgecore.modules.edgemesh.proxy.bytes.dialling import Dialling
from edgecore.modules.edgemesh.proxy.bytes.direction import Direction
from edgecore.modules.edgemesh.proxy.bytes.lane import Lane
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.upstream.balancing.latency import observe
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.upstream import Upstream

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST
_LOOKS = 4


class BytesConnection:
    """See the module. Made for a client that is accepted and counted; ``start`` is to be called once."""

    __slots__ = (
        "_asked_at",
        "_backend",
        "_begun_at",
        "_client",
        "_connected_at",
        "_dialling",
        "_door",
        "_down",
        "_first_byte_at",
        "_gateway",
        "_host",
        "_is_over",
        "_lane",
        "_moved",
        "_peer",
        "_quiet",
        "_retries",
        "_up",
        "_upstream",
        "due",
        "slot_at",
    )

    def __init__(
        self, gateway: Gateway, lane: Lane, door: Door, upstream: Upstream, *, client: socket.socket, peer: Endpoint
    ) -> None:
        self._gateway = gateway
        self._lane = lane
        self._door = door
        self._upstream = upstream
        self._client = client
        self._peer = peer
        self._backend: socket.socket | None = None
        self._host: Host | None = None
        self._dialling: Dialling | None = None
        self._up: Direction | None = None
        self._down: Direction | None = None
        self.due = self.slot_at = inf
        self._moved = 0
        self._quiet = 0
        self._retries = 0
        self._begun_at = gateway.clock.monotonic()
        self._connected_at = 0.0
        self._asked_at = 0.0
        self._first_byte_at = 0.0
        self._is_over = False

    def start(self) -> None:
        """Connect to a host and relay."""
        self._door.clients.add(self)
        dialling = self._dialling = Dialling(self._gateway, self._upstream, AskingAddress(self._peer.host), self)
        dialling.start()

    def leave(self) -> None:
        """See ``Entered``: what has begun goes on; its host's end, or its own, is its end."""
        if self._backend is None:
            self._end("listener_closed")

    @property
    def is_idle(self) -> bool:
        """See ``Timed``: a silent connection may be what its two ends want."""
        return False

    def drain(self) -> None:
        """See ``Draining``: what has begun goes on until ``abort``."""

    def abort(self) -> None:
        """See ``Entered`` and ``Draining``: end at once."""
        self._end("drained" if self._host is not None and self._host.gone else "listener_closed")

    def connected(self, host: Host, sock: socket.socket) -> None:
        """See ``DiallingOwner``."""
        self._take_dialling()
        self._host, self._backend = host, sock
        self._upstream.answered(0)
        self._connected_at = self._gateway.clock.monotonic()
        loop = asyncio.get_running_loop()
        self._up = Direction(loop, self._lane, self, self._client, sock)
        self._down = Direction(loop, self._lane, self, sock, self._client)
        self._down.start()
        self._up.start()
        self._look_later()

    def not_connected(self, refusal: Refusal) -> None:
        """See ``DiallingOwner``."""
        self._take_dialling()
        self._upstream.answered(0)
        self._upstream.refused[refusal.reason] = self._upstream.refused.get(refusal.reason, 0) + 1
        self._gateway.failed(refusal, str(self._peer))
        self._end(refusal.reason)

    def began(self, direction: Direction) -> None:
        """See ``DirectionOwner``."""
        now = self._gateway.clock.monotonic()
        host = self._host
        if direction is self._up:
            self._asked_at = self._asked_at or now
        elif host is not None and not self._first_byte_at:
            self._first_byte_at = now
            seconds = now - (self._asked_at or self._connected_at)
            host.took(seconds)
            observe(host, seconds)
            self._succeeded(host)

    def ended(self, direction: Direction) -> None:
        """See ``DirectionOwner``. Closing says the same as passing the second end on would."""
        other = self._down if direction is self._up else self._up
        if other is not None and not other.has_ended:
            direction.pass_end()
            return
        if self._host is not None:
            self._succeeded(self._host)
        self._end("", reset=False)

    def broken(self, direction: Direction, error: OSError, *, at_source: bool) -> None:
        """See ``DirectionOwner``."""
        if at_source is (direction is self._up):
            self._end("client_reset")
            return
        if self._host is not None and not self._first_byte_at:
            # Counted, and nothing more: so a server of TLS ends what is no TLS, and anybody may send it that.
            self._host.failed("backend_closed", self._gateway.clock.monotonic())
        self._end("backend_reset")

    def _succeeded(self, host: Host) -> None:
        if host.failures:
            self._upstream.succeeded(host)

    def _look_later(self) -> None:
        idle_s = self._upstream.spec.policy.idle_timeout_s
        if idle_s:
            gateway = self._gateway
            gateway.deadlines.move(self, gateway.clock.monotonic() + idle_s / _LOOKS)

    def expire(self) -> None:
        """See ``Timed``, and whether anything has moved; this way nothing is to be done for each piece that does."""
        moved = self._bytes(self._up) + self._bytes(self._down)
        self._quiet = self._quiet + 1 if moved == self._moved else 0
        self._moved = moved
        if self._quiet >= _LOOKS:
            self._end("idle_timeout")
        else:
            self._look_later()

    def _take_dialling(self) -> None:
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            self._retries = dialling.retries

    def _end(self, reason: str, *, reset: bool = True) -> None:
        """Be over. Both sockets are reset, but for one that broke already, where it does nothing."""
        if self._is_over:
            return
        self._is_over = True
        if self._dialling is not None:
            self._dialling.cancel()
            self._take_dialling()
        self._gateway.deadlines.forget(self)
        for direction in (self._up, self._down):
            if direction is not None:
                direction.close()
        close(self._client, reset=reset)
        if self._backend is not None:
            close(self._backend, reset=reset)
        host = self._host
        if host is not None:
            host.active -= 1
            host.connections -= 1
            host.users.discard(self)
        self._door.clients.discard(self)
        if self._gateway.access is not None:
            self._gateway.access(self._served(reason))
        self._gateway.client_gone()
        self._up = self._down = None

    def _served(self, reason: str) -> Served:
        now, begun_at = self._gateway.clock.monotonic(), self._begun_at
        spec = self._upstream.spec
        return Served(
            client=str(self._peer),
            service=spec.service,
            port=spec.port,
            handling="bytes",
            host=self._host,
            reason=reason,
            bytes_in=self._bytes(self._up),
            bytes_out=self._bytes(self._down),
            duration_s=now - begun_at,
            first_byte_s=self._first_byte_at - begun_at if self._first_byte_at else 0.0,
            connect_s=self._connected_at - begun_at if self._connected_at else 0.0,
            retries=self._retries,
        )

    @staticmethod
    def _bytes(direction: Direction | None) -> int:
        return direction.moved if direction is not None else 0


def close(sock: socket.socket, *, reset: bool) -> None:
    """Close a socket: with RST, or else in order."""
    if reset:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
