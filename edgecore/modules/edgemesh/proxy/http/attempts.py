"""Which hosts one request is sent to, one after the other until one answers, and what is said of each (pure).

A request is sent to another host while the policy and the budget for that allow it, and

* nothing of it was sent to a backend, or its method is idempotent (RFC 9110 section 9.2.2);
* nothing of an answer was passed on, and what was sent of the body can be sent again (the caller sees to that).
"""

from typing import Protocol

from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.upstream.balancing.latency import observe
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.upstream import Upstream

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

GATEWAY_ERRORS = {502: "gateway_502", 503: "gateway_503", 504: "gateway_504"}
"""Statuses of a backend's answer that speak against it, with the reason that is counted."""


class Request(Asking, Protocol):
    """What is asked for, by whom, and of what."""

    @property
    def upstream(self) -> Upstream:
        """What forwards for it."""

    @property
    def request(self) -> RequestHead:
        """What it is."""

    def head(self) -> bytes:
        """Return the head that the backend gets."""


class Attempts:
    """See the module. The first host is chosen already, by whoever makes this.

    ``began`` and ``now`` are moments of the monotonic clock.
    """

    __slots__ = (
        "_answered",
        "_asking",
        "_tried",
        "_under_way",
        "began",
        "head",
        "host",
        "idempotent",
        "request",
        "retries",
        "upstream",
    )

    def __init__(self, asking: Request, host: Host, began: float) -> None:
        self.upstream = asking.upstream
        self.request = asking.request
        self.idempotent = self.request.method in _IDEMPOTENT
        self.head = asking.head()
        """What a host gets to see of it, without its body."""
        self.host = host
        """Where it was sent last."""
        self.began = began
        """When it was sent there."""
        self.retries = 0
        """How often it was sent to another host."""
        self._asking = asking
        self._answered = False
        self._tried: list[Host] = []
        self._under_way = True

    def again(self, now: float, *, sent: bool) -> bool:
        """Choose another host after ``failed``; return whether there is one to try. ``sent``: see the module."""
        upstream = self.upstream
        if (sent and not self.idempotent) or self.retries >= upstream.spec.policy.retries:
            return False
        host = upstream.choose(self._asking, self._tried)
        if host is None or host in self._tried or not upstream.may_retry():
            return False
        self.retries += 1
        self._go(host, now)
        return True

    def elsewhere(self, now: float) -> bool:
        """Choose another host because this one is slow to accept a connection; return whether there is one to try.

        Being slow counts against it. That needs no budget: nothing is sent twice.
        """
        if self.retries >= self.upstream.spec.policy.retries:
            return False
        tried = [*self._tried, self.host]
        host = self.upstream.choose(self._asking, tried)
        if host is None or host in tried:
            return False
        self.failed("connect_slow")
        self.retries += 1
        self._go(host, now)
        return True

    def failed(self, reason: str) -> None:
        """Take note that the host is to blame for what went wrong."""
        if self._under_way:
            self.given_up()
            self._tried.append(self.host)
            self.upstream.failed(self.host, reason, self.began)

    def answers(self, now: float) -> None:
        """Take note of the first byte of an answer."""
        if not self._answered:
            self._answered = True
            took(self.host, now - self.began)

    def ended(self, status: int) -> None:
        """Take note that the host has given a whole answer."""
        reason = GATEWAY_ERRORS.get(status)
        if reason is not None:
            self.failed(reason)
        elif self._under_way:
            self.given_up()
            if self.host.failures:
                self.upstream.succeeded(self.host)

    def given_up(self) -> None:
        """Take note that it is over, and the host is not to blame."""
        if self._under_way:
            self._under_way = False
            self.host.active -= 1

    def _go(self, host: Host, now: float) -> None:
        self.host = host
        self.began = now
        self._under_way = True
        self._answered = False
        start(host)

    def set_cookie(self) -> bytes:
        """Return the header line for the answer by which the client will come back; empty if none is needed."""
        return self.upstream.set_cookie(self._asking, self.host)


def start(host: Host) -> None:
    """Take note that a request goes to ``host``."""
    host.requests += 1
    host.active += 1


def took(host: Host, seconds: float) -> None:
    """Enter how long an answer of ``host`` took to begin."""
    host.took(seconds)
    observe(host, seconds)
