"""Connecting to a host of a port; to another one if the first does not accept, for nothing was sent to it.

All of that together takes the connect timeout at most.
"""

import asyncio
import errno
import os
import socket
from typing import Protocol

from edgecore.clock import Timer, before
from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.patience import patience_s
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking
from edgecore.modules.edgemesh.upstream.host import Draining, Host
from edgecore.modules.edgemesh.upstream.upstream import Upstream

_OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL))
"""No host is to blame for these: the node has no file descriptors, memory or ports left."""

_KEEP_ALIVE = (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class DiallingOwner(Draining, Protocol):
    """The connection that a host is wanted for. While it is dialled, it is among the host's users."""

    def connected(self, host: Host, sock: socket.socket) -> None:
        """Take a connection. It is counted as a request of ``host`` that is under way, and as an open connection."""

    def not_connected(self, refusal: Refusal) -> None:
        """Take note that there is none, and why."""


class Dialling:
    """Calls its owner once, perhaps before ``start`` returns; never after ``cancel``."""

    def __init__(self, gateway: Gateway, upstream: Upstream, asking: Asking, owner: DiallingOwner) -> None:
        self.retries = 0
        self._gateway = gateway
        self._upstream = upstream
        self._asking = asking
        self._owner = owner
        self._tried: list[Host] = []
        self._host: Host | None = None
        self._began_at = 0.0
        self._deadline = 0.0
        self._sock: socket.socket | None = None
        self._timer: Timer | None = None
        self._resolving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Choose a host and connect to it."""
        self._deadline = self._gateway.clock.monotonic() + self._upstream.spec.policy.connect_timeout_s
        host = self._upstream.pick(self._asking)
        if isinstance(host, Refusal):
            self._owner.not_connected(host)
        else:
            self._try(host)

    def cancel(self) -> None:
        """Give up."""
        host = self._give_up()
        if host is not None:
            host.users.discard(self._owner)
            host.active -= 1

    def _try(self, host: Host) -> None:
        self._host = host
        self._tried.append(host)
        host.requests += 1
        host.active += 1
        host.users.add(self._owner)
        self._began_at = self._gateway.clock.monotonic()
        family = _family(host.endpoint.host)
        if family is None:
            self._resolving = self._gateway.spawn(self._resolve(host.endpoint))
            return
        self._connect(family, host.endpoint)

    async def _resolve(self, endpoint: Endpoint) -> None:
        failure = ("", "")
        try:
            found = await before(self._gateway.clock, self._deadline, self._gateway.lookups.find(endpoint))
        except TimeoutError:
            failure = ("connect_timeout", "its name is not resolved in time")
        except OSError as error:
            failure = ("connect_failed", f"its name cannot be resolved: {error}")
        self._resolving = None
        if failure[0]:
            self._failed(*failure)
        else:
            self._connect(_family(found.host) or socket.AF_INET, found)

    def _connect(self, family: socket.AddressFamily, endpoint: Endpoint) -> None:
        try:
            sock = self._sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            keep_alive(sock)
            # Asked twice: on the way to this machine itself the answer is there at once.
            failure = sock.connect_ex(endpoint) and sock.connect_ex(endpoint)
        except OSError as error:
            self._broken(error.errno or 0)
        except OverflowError:
            self._failed("connect_failed", "it has no port")
        else:
            if failure in (errno.EINPROGRESS, errno.EALREADY, errno.EINTR):
                asyncio.get_running_loop().add_writer(sock.fileno(), self._writable)
                due = min(self._deadline, self._began_at + patience_s(self._upstream.spec.policy))
                self._timer = self._gateway.clock.call_at(due, self._expire)
            else:
                self._connected(sock, failure)

    def _writable(self) -> None:
        sock = self._sock
        if sock is not None:
            asyncio.get_running_loop().remove_writer(sock.fileno())
            self._connected(sock, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _connected(self, sock: socket.socket, failure: int) -> None:
        if failure and failure != errno.EISCONN:
            self._broken(failure)
            return
        self._sock = None
        host = self._give_up()
        if host is not None:
            host.connections += 1
            self._owner.connected(host, sock)

    def _expire(self) -> None:
        """Leave the host for another one, if there is one; else wait for it as long as there is time."""
        self._timer = None
        if self._gateway.clock.monotonic() >= self._deadline:
            self._failed("connect_timeout", "it does not accept a connection")
            return
        host, other = self._host, self._other()
        if host is None or other is None:
            self._timer = self._gateway.clock.call_at(self._deadline, self._expire)
            return
        self.cancel()
        self._upstream.failed(host, "connect_slow", self._began_at)
        self._go_on(other)

    def _broken(self, number: int) -> None:
        text = os.strerror(number)
        if number in _OURS:
            self.cancel()
            self._owner.not_connected(self._refusal("no_resources", f"the node cannot open a connection: {text}"))
        else:
            self._failed("connect_failed", text)

    def _failed(self, reason: str, text: str) -> None:
        """Try another host, if there is one and that is allowed."""
        host = self._host
        self.cancel()
        if host is None:
            return
        upstream = self._upstream
        upstream.failed(host, reason, self._began_at)
        if self._gateway.clock.monotonic() < self._deadline:
            other = self._other()
            if other is not None and upstream.may_retry():
                self._go_on(other)
                return
        self._owner.not_connected(self._refusal(reason, f"cannot connect to the backend {host.endpoint}: {text}"))

    def _other(self) -> Host | None:
        """Return a host that was not tried yet, if one more may be."""
        if self.retries >= self._upstream.spec.policy.retries:
            return None
        other = self._upstream.choose(self._asking, self._tried)
        return other if other not in self._tried else None

    def _go_on(self, other: Host) -> None:
        self.retries += 1
        self._try(other)

    def _refusal(self, reason: str, text: str) -> Refusal:
        spec = self._upstream.spec
        status = 504 if reason == "connect_timeout" else 502
        return Refusal(status, reason, f"cannot reach {spec.service} port {spec.port}: {text}")

    def _give_up(self) -> Host | None:
        """Have nothing under way; return the host that was dialled."""
        host, self._host = self._host, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._resolving is not None:
            self._resolving.cancel()
            self._resolving = None
        sock, self._sock = self._sock, None
        if sock is not None:
            asyncio.get_running_loop().remove_writer(sock.fileno())
            sock.close()
        return host


def keep_alive(sock: socket.socket) -> None:
    """Have the system send small pieces at once, and find out within minutes that the other side is gone.

    Connections that a listening socket accepts are as that is.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _family(host: str) -> socket.AddressFamily | None:
    """Return the family of an address; ``None`` if ``host`` is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family
    return None
