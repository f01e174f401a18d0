"""The datagrams of one client at one door: a socket that is connected to the host that was chosen for them."""

import asyncio
import errno
import socket
from collections.abc import Callable

from edgecore.addresses import join_address
from edgecore.clock import before
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.datagrams.table import Client, FlowTable
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.upstream.balancing.latency import observe
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.upstream import Upstream

BATCH = 32
"""So many replies are passed on at one wake-up; the others wait until other flows had their turn."""
HELD_DATAGRAMS, HELD_BYTES = 16, 65_536
"""Of a client whose host has a name that is still being looked up."""

SendBack = Callable[[memoryview, Client], bool]
"""Sends a reply from the door's own address and port; says whether the system took it. Never raises."""


class Flow:
    """See the module, and ``Kept`` and ``Draining`` for what the table and the host ask of it."""

    __slots__ = (
        "_began",
        "_bytes_in",
        "_bytes_out",
        "_first_byte_s",
        "_gateway",
        "_held",
        "_held_bytes",
        "_naming",
        "_send_back",
        "_socket",
        "_table",
        "_tally",
        "answered",
        "client",
        "host",
        "over",
        "upstream",
        "used_at",
    )

    def __init__(self, gateway: Gateway, client: Client, upstream: Upstream, host: Host) -> None:
        self.client = client
        self.upstream = upstream
        self.host = host
        self.used_at = self._began = gateway.clock.monotonic()
        self.answered = self.over = False
        self._gateway = gateway
        self._tally = gateway.datagrams.tally
        self._bytes_in = self._bytes_out = self._held_bytes = 0
        self._first_byte_s = 0.0
        self._held: list[bytes] = []
        self._naming: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    def begin(self, table: "FlowTable[Flow]", sock: socket.socket | None, send_back: SendBack) -> None:
        """Count as a flow of the host. Without ``sock``, the address of the host is looked up first."""
        self._table = table
        self._send_back = send_back
        table.add(self, self._began)
        self._tally.flows += 1
        self.upstream.answered(0)
        self.host.requests += 1
        self.host.active += 1
        self.host.connections += 1
        self.host.users.add(self)
        if sock is not None:
            self._take(sock)
        else:
            self._naming = self._gateway.spawn(self._find())

    @property
    def silence_s(self) -> float:
        """See ``Kept``."""
        return self.upstream.spec.policy.udp_idle_timeout_s

    def is_stale(self, now: float) -> bool:
        """Say whether the next datagram should go to another host: this one is gone, or left out."""
        host = self.host
        if host.gone:
            return True
        return (host.checked is False or host.ejected_until > now) and host not in self.upstream.available

    def forward(self, data: memoryview, now: float) -> bool:
        """Send ``data`` to the host. False: the host refuses, the flow is over, and ``data`` was not sent."""
        if self._socket is None:
            self._hold(bytes(data))
            return True
        try:
            self._socket.send(data)
        except BlockingIOError:
            self._tally.drop("backend_full")
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                self._fail(error)
                return False
            self._tally.drop("too_large")
        else:
            self._tally.forwarded += 1
            self._bytes_in += len(data)
            self._table.used(self, now)
        return True

    def expire(self) -> None:
        """See ``Kept``."""
        self._tally.expired += 1
        self.end()

    def evict(self) -> None:
        """See ``Kept``."""
        self._tally.evicted += 1
        self.end("evicted")

    def drain(self) -> None:
        """See ``Draining``. Replies still come through; the next datagram of the client goes elsewhere."""

    def abort(self) -> None:
        """See ``Draining``."""
        self.end("backend_gone")

    def end(self, reason: str = "") -> None:
        """Forget the client. ``reason``: a fixed snake_case word, if not all went well."""
        if self.over:
            return
        self.over = True
        if self._naming is not None:
            self._naming.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        if self._held:
            self._tally.drop(reason or "closed", len(self._held))
        self._table.remove(self)
        host = self.host
        host.users.discard(self)
        host.connections -= 1
        host.active -= 1
        if self._gateway.access is not None:
            self._gateway.access(self._served(reason))

    def _take(self, sock: socket.socket) -> None:
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._pass_replies)

    def _pass_replies(self) -> None:
        sock, room, client, send_back = self._socket, self._gateway.datagrams.room, self.client, self._send_back
        assert sock is not None  # noqa: S101 - it is what was found readable
        sent = size = 0
        now = self._gateway.clock.monotonic()
        try:
            for _ in range(BATCH):
                size = sock.recv_into(room)
                if send_back(room[:size], client):
                    sent += 1
                    self._bytes_out += size
                if self._table.replied(self, now):
                    self._first_reply(now)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                self._fail(error)
            else:  # a router says that a datagram was too large for the way; libuv stops polling at an error
                self._tally.drop("too_large")
                asyncio.get_running_loop().remove_reader(sock)
                self._take(sock)
        finally:
            self._tally.replied += sent

    def _first_reply(self, now: float) -> None:
        host = self.host
        self._first_byte_s = seconds = now - self._began
        host.took(seconds)
        observe(host, seconds)
        if host.failures:
            self.upstream.succeeded(host)

    def _fail(self, error: OSError) -> None:
        self._end_failed("connection_refused" if isinstance(error, ConnectionRefusedError) else "unreachable")

    def _end_failed(self, reason: str) -> None:
        """End, the host being to blame."""
        self.end(reason)
        self.upstream.failed(self.host, reason)

    def _hold(self, data: bytes) -> None:
        if len(self._held) == HELD_DATAGRAMS or self._held_bytes + len(data) > HELD_BYTES:
            self._tally.drop("name_pending")
            return
        self._held.append(data)
        self._held_bytes += len(data)

    async def _find(self) -> None:
        """Look the name of the host up, connect to what it stands for, and send what was held."""
        clock = self._gateway.clock
        until = clock.monotonic() + self.upstream.spec.policy.connect_timeout_s
        try:
            sock = connected(await before(clock, until, self._gateway.lookups.find(self.host.endpoint)))
        except TimeoutError:
            self._naming = None
            self._end_failed("connect_timeout")
            return
        except OSError:
            self._naming = None
            self._end_failed("connect_failed")
            return
        self._naming = None
        self._take(sock)
        held, self._held = self._held, []
        for data in held:
            if not self.forward(memoryview(data), clock.monotonic()):
                return

    def _served(self, reason: str) -> Served:
        return Served(
            client=join_address(*self.client[:2]),
            service=self.upstream.spec.service,
            port=self.upstream.spec.port,
            handling="datagrams",
            host=self.host,
            reason=reason,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            duration_s=self.used_at - self._began,
            first_byte_s=self._first_byte_s,
        )


def connected(endpoint: Endpoint) -> socket.socket:
    """Return a non-blocking UDP socket whose other side is ``endpoint``, an IP address. Raises ``OSError``."""
    sock = socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(endpoint)
    except BaseException:
        sock.close()
        raise
    return sock
