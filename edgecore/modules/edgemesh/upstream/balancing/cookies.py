"""Session stickiness by a cookie: the client itself says which host it had.

The value follows from the host's endpoint alone. So nothing is remembered, every process reads it alike, and it holds
after a restart. It names a host, and proves nothing: whoever sends another's value gets another's host, as with every
load balancer that does so.
"""

from collections.abc import Sequence

from edgecore.modules.edgemesh.upstream.balancing.keys import COOKIE, digest_of
from edgecore.modules.edgemesh.upstream.balancing.roundrobin import RoundRobin
from edgecore.modules.edgemesh.upstream.balancing.stickiness import Stickiness
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking
from edgecore.modules.edgemesh.upstream.host import Host


class CookieStickiness:
    """See the module. New sessions take turns; what is no HTTP has no cookies and goes by ``otherwise``."""

    __slots__ = ("_by_value", "_hosts", "_name", "_otherwise", "_turns", "_values")

    def __init__(self, name: str, otherwise: Stickiness) -> None:
        self._name = (name or COOKIE).encode()
        self._otherwise = otherwise
        self._turns = RoundRobin()
        self._hosts: tuple[Host, ...] = ()
        self._by_value: dict[bytes, Host] = {}
        self._values: dict[Host, bytes] = {}

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``."""
        self._turns.replace(hosts)
        self._otherwise.replace(hosts)
        if hosts != self._hosts:
            self._hosts = hosts
            self._by_value, self._values = {}, {}  # made when they are first asked for

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``."""
        value = asking.cookie(self._name)
        if value:
            if not self._by_value:
                self._by_value = {cookie_value(host): host for host in self._hosts}
            host = self._by_value.get(value)
            if host is not None and host not in tried:
                return host
        elif not asking.header(b"host"):  # nobody speaks HTTP/1.1 without one
            return self._otherwise.choose(asking, tried)
        return self._turns.choose(asking, tried)

    def set_cookie(self, asking: Asking, host: Host) -> bytes:
        """See ``Strategy``. Nothing for a host that is not here any more: the next request begins anew."""
        value = self._values.get(host)
        if value is None:
            if host not in self._hosts:
                return b""
            value = self._values[host] = cookie_value(host)
        if asking.cookie(self._name) == value:
            return b""
        return b"Set-Cookie: %b=%b; Path=/; HttpOnly" % (self._name, value)


def cookie_value(host: Host) -> bytes:
    """Return what a cookie says of ``host``."""
    return digest_of(str(host.endpoint).encode()).hex().encode()
