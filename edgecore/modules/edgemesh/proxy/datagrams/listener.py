"""Where datagrams come in: each goes the way of its sender's flow, and a sender without one gets a host chosen.

The socket is read straight from the event loop, so many datagrams a wake-up and no more: other doors, and the replies,
get their turn in between. What waits meanwhile is in the socket's buffer; what does not fit in there, the system drops.
"""

import asyncio
import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from edgecore.addresses import join_address
from edgecore.clock import Timer
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.bytes.asking import AskingAddress
from edgecore.modules.edgemesh.proxy.datagrams.flow import Flow, connected
from edgecore.modules.edgemesh.proxy.datagrams.table import LOOK_S, Client, FlowTable
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.receivebuffer import widen
from edgecore.modules.edgemesh.upstream.host import Host

BATCH = 64
"""So many datagrams of clients are passed on at one wake-up."""


def open_datagrams(gateway: Gateway, door: Door, sock: socket.socket, port: int) -> "DatagramListener":
    """Forward what comes to ``sock``, which is bound and non-blocking, and is the listener's from now on.

    ``port`` is the one of the service that is meant: the door's own, unless datagrams were led here from elsewhere.
    Raises ``ValueError`` for a door that is of no service: datagrams do not say which they mean.
    """
    if door.service is None:
        raise ValueError(f"cannot forward datagrams of {door.address}: it is of no service")
    widen(sock)
    return DatagramListener(gateway, door, door.service, sock, port)


class DatagramListener:
    """One address and port that datagrams come in by. Made by ``open_datagrams``."""

    def __init__(self, gateway: Gateway, door: Door, service: ServiceKey, sock: socket.socket, port: int) -> None:
        self.address: Endpoint = door.address
        """What is listened on."""
        self.service: ServiceKey = service
        """Whose datagrams come in here."""
        self._port = port
        self._gateway = gateway
        self._door = door
        self._socket = sock
        self._tally = gateway.datagrams.tally
        self._table: FlowTable[Flow] = gateway.datagrams.tables.open()
        self._timer: Timer | None = None
        asyncio.get_running_loop().add_reader(sock, self._drain)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._door.closed

    @property
    def over(self) -> bool:
        """Whether it is closed; no client is left then."""
        return self._door.closed

    @property
    def flows(self) -> int:
        """How many clients have a host now."""
        return len(self._table)

    def close(self) -> None:
        """Forget all clients and close the socket; may be called again."""
        if self._door.closed:
            return
        self._door.closed = True
        asyncio.get_running_loop().remove_reader(self._socket)
        for flow in self._table:
            flow.end()
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()

    def abort(self) -> None:
        """Do as ``close`` does: nothing is left of a flow that could be waited for."""
        self.close()

    def _drain(self) -> None:
        receive, room, find = self._socket.recvfrom_into, self._gateway.datagrams.room, self._table.find
        now = self._gateway.clock.monotonic()
        try:
            for _ in range(BATCH):
                size, client = receive(room)
                flow = find(client)
                if flow is None or flow.is_stale(now) or not flow.forward(room[:size], now):
                    self._begin(client, room[:size], flow, now)
        except BlockingIOError:
            pass
        except OSError as error:  # the system is out of memory, or the network is down
            text = f"cannot read datagrams at {join_address(*self.address)}: {error.strerror}"
            self._gateway.failed(Refusal(503, "datagrams_unreadable", text), "")

    def _begin(self, client: Client, data: memoryview, before: Flow | None, now: float) -> None:
        """Send ``data`` by a new flow; ``before`` is the one that its client had until now."""
        tried: tuple[Host, ...] = ()
        if before is not None:
            tried = (before.host,) if before.over else ()
            before.end("backend_gone")
        flow = self._opened(client, tried, now)
        if flow is not None and not flow.forward(data, now):
            self._tally.drop("unreachable")

    def _opened(self, client: Client, tried: Sequence[Host], now: float) -> Flow | None:
        """Return a new flow of ``client``, or ``None`` if its datagram is dropped, which is counted."""
        if not self._table.make_room(now):
            self._tally.drop("too_many_flows")
            return None
        upstream = self._gateway.directory.upstream(self.service, self._port, "udp")
        if isinstance(upstream, Refusal):
            self._refused(client, upstream)
            return None
        asking = AskingAddress(client[0])
        tries = upstream.spec.policy.retries + 1
        while True:
            host = upstream.pick(asking, tried)
            if isinstance(host, Refusal):
                upstream.answered(0)
                upstream.refused[host.reason] = upstream.refused.get(host.reason, 0) + 1
                self._refused(client, host)
                return None
            try:
                sock = connected(host.endpoint) if _is_address(host.endpoint.host) else None
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._tally.drop("no_descriptor")
                    return None
                upstream.failed(host, "unreachable")
                tried = (*tried, host)
                tries -= 1
                if not tries or not upstream.may_retry():
                    self._tally.drop("unreachable")
                    return None
                continue
            flow = Flow(self._gateway, client, upstream, host)
            flow.begin(self._table, sock, self._send_back)
            self._look_later(min(now + flow.silence_s, now + LOOK_S))
            return flow

    def _refused(self, client: Client, refusal: Refusal) -> None:
        self._tally.drop(refusal.reason)
        peer = join_address(*client[:2])
        self._gateway.failed(refusal, peer)
        if self._gateway.access is not None:
            served = Served(
                client=peer,
                service=self.service,
                port=self._port,
                handling="datagrams",
                reason=refusal.reason,
            )
            self._gateway.access(served)

    def _send_back(self, data: memoryview, client: Client) -> bool:
        """See ``SendBack``."""
        try:
            self._socket.sendto(data, client)
        except BlockingIOError:
            self._tally.drop("client_full")
        except OSError:  # for instance a forged client with port 0
            self._tally.drop("client_unreachable")
        else:
            return True
        return False

    def _look_later(self, when: float) -> None:
        if self._timer is None:
            self._timer = self._gateway.clock.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        again = self._table.expire(self._gateway.clock.monotonic())
        if again is not None:
            self._look_later(again)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
