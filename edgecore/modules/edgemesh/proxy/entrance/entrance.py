"""Who has come in is given to what serves it: HTTP, bytes, or first a look at what it speaks.

How a port is handled is asked for each connection, for it may change while its listeners stay. A door that is opened
while its port is HTTP accepts on the event loop's own way, the quickest for that (``http``), and all other doors by an
``Acceptor``. Where the port has changed since, a connection is taken over from one way to the other.
"""

import asyncio
import os
import socket
from functools import partial
from typing import cast

from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.bytes.connection import BytesConnection, close
from edgecore.modules.edgemesh.proxy.bytes.lane import Lane
from edgecore.modules.edgemesh.proxy.bytes.pipes import Pipes
from edgecore.modules.edgemesh.proxy.bytes.sniff import Verdict
from edgecore.modules.edgemesh.proxy.bytes.sniffing import Sniffing
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.client import ClientConnection
from edgecore.modules.edgemesh.proxy.http.refusals import TOO_MANY
from edgecore.modules.edgemesh.upstream.upstream import Upstream

_NOWHERE = Refusal(503, "unknown_destination", "cannot serve the connection: no service is where it was to go")


class Entrance:
    """See the module. Made once for each proxy."""

    def __init__(self, gateway: Gateway, pipes: Pipes | None = None) -> None:
        self._gateway = gateway
        self._pipes = pipes or Pipes()
        self._lane = Lane(self._pipes, gateway.limits.max_buffer_bytes)
        self._taken_over: set[asyncio.Task[None]] = set()

    def is_http(self, door: Door) -> bool:
        """Say whether who comes in by ``door`` speaks HTTP, for all that is known now."""
        found = self._upstream(door)
        return not isinstance(found, Upstream) or found.spec.handling == "http"

    def http(self, door: Door) -> asyncio.BaseProtocol:
        """Return the protocol of a connection that the event loop has accepted."""
        return ClientConnection(self._gateway, door) if self.is_http(door) else _TakenOver(self, door)

    def admit(self, client: socket.socket, peer: Endpoint, door: Door) -> None:
        """Take a connection that we have accepted; its socket, which does not block, is ours from now on."""
        gateway = self._gateway
        gateway.client_came()
        if door.closed:
            close(client, reset=True)
            gateway.client_gone()
        elif not gateway.admits_one():
            self._refuse(client, peer, door, TOO_MANY)
        else:
            found = self._upstream(door)
            if found is None:
                self._to_http(client, door)
            elif isinstance(found, Refusal) or found.spec.handling == "sniff":
                sniffing = Sniffing(client, door, partial(self._found, client, peer, door), gateway.client_gone)
                sniffing.start(gateway.clock, gateway.limits.sniff_timeout_s)
            elif found.spec.handling == "http":
                self._to_http(client, door)
            else:
                self._to_bytes(client, peer, door, found)

    def lost(self, client: socket.socket, peer: Endpoint, door: Door) -> None:
        """Refuse a connection that means no service."""
        self._gateway.client_came()
        self._refuse(client, peer, door, _NOWHERE)

    async def stop(self) -> None:
        """Return when nobody is on the way from here to HTTP; the doors are closed."""
        await asyncio.gather(*self._taken_over)
        self._pipes.close()

    def _upstream(self, door: Door) -> Upstream | Refusal | None:
        """Return what forwards for a door; ``None`` where each request says what it means."""
        if door.service is None:
            return None
        return self._gateway.directory.upstream(door.service, door.address.port)

    def _found(self, client: socket.socket, peer: Endpoint, door: Door, verdict: Verdict) -> None:
        if verdict == "http":
            self._to_http(client, door)
        else:
            self._to_bytes(client, peer, door, self._upstream(door))

    def _to_bytes(self, client: socket.socket, peer: Endpoint, door: Door, found: Upstream | Refusal | None) -> None:
        if isinstance(found, Upstream):
            BytesConnection(self._gateway, self._lane, door, found, client=client, peer=peer).start()
        else:
            self._refuse(client, peer, door, found or _NOWHERE)

    def _to_http(self, client: socket.socket, door: Door) -> None:
        task = asyncio.get_running_loop().create_task(self._take_over(client, door))
        self._taken_over.add(task)
        task.add_done_callback(self._taken_over.discard)

    async def _take_over(self, client: socket.socket, door: Door) -> None:
        """Have the event loop take a connection; from then on it is counted where it is served."""
        self._gateway.client_passed_on()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: ClientConnection(self._gateway, door), client
            )
        except OSError:  # it has left
            client.close()

    def _refuse(self, client: socket.socket, peer: Endpoint, door: Door, refusal: Refusal) -> None:
        close(client, reset=True)
        gateway = self._gateway
        gateway.failed(refusal, str(peer))
        if gateway.access is not None:
            gateway.access(
                Served(
                    client=str(peer),
                    service=door.service,
                    port=door.address.port,
                    handling="bytes",
                    reason=refusal.reason,
                )
            )
        gateway.client_gone()


class _TakenOver(asyncio.BaseProtocol):
    """Takes a connection from the event loop, before anything is read of it."""

    def __init__(self, entrance: Entrance, door: Door) -> None:
        self._entrance = entrance
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        made = cast("asyncio.Transport", transport)
        peer = made.get_extra_info("peername") or ("", 0)
        try:
            client = socket.socket(fileno=os.dup(made.get_extra_info("socket").fileno()))
        except OSError:  # no file descriptor is left, or the client has left
            made.abort()
            return
        made.abort()
        client.setblocking(False)
        self._entrance.admit(client, Endpoint(*peer[:2]), self._door)
