"""Session stickiness by what a client is (its address, a header): it stays with its host while it keeps coming.

A new client goes where a ring says, so that several processes agree without talking; from then on the process
remembers it. A host that comes takes no client away from another; a client whose host goes, or fails, moves and stays
where it is then. Also ``sessionAffinity: ClientIP`` of a service.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.balancing.keys import KeyOf, digest_of
from edgecore.modules.edgemesh.upstream.balancing.ring import Ring, place_of
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Cookieless
from edgecore.modules.edgemesh.upstream.host import Host

MAX_CLIENTS = 16_384
"""So many clients of one port are remembered; the one that was away longest makes room (it has the ring still)."""
_LONGEST_KEY = 48
"""In bytes; of a longer one a digest is kept."""


class _Client:
    __slots__ = ("endpoint", "seen_at")

    def __init__(self, endpoint: Endpoint, seen_at: float) -> None:
        self.endpoint = endpoint
        self.seen_at = seen_at


class Stickiness(Cookieless):
    """See the module. ``timeout_s`` without a request, and a client is a new one."""

    __slots__ = ("__weakref__", "_clients", "_hosts", "_key_of", "_monotonic", "_ring", "_room", "_timeout_s", "_where")

    def __init__(self, key_of: KeyOf, timeout_s: float, monotonic: Callable[[], float], room: Room) -> None:
        self._key_of = key_of
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._hosts: tuple[Host, ...] = ()
        self._where: dict[Endpoint, Host] = {}
        self._ring: Ring | None = None
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        """Those that came last are the last."""
        self._room = room
        room.has(self)

    def __len__(self) -> int:
        """Return how many clients are remembered."""
        return len(self._clients)

    def forget(self, number: int) -> None:
        """See ``Remembering``. They have the ring still."""
        for _ in range(min(number, len(self._clients))):
            self._clients.popitem(last=False)

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``. Clients of a host that is not here are still its own, should it come back first."""
        if hosts != self._hosts:
            self._hosts = hosts
            self._where = {host.endpoint: host for host in hosts}
            self._ring = None

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``. Who is sent to another host than the ones tried stays there."""
        if not self._hosts:
            return None
        key = self._key_of(asking)
        if len(key) > _LONGEST_KEY:
            key = digest_of(key)
        now = self._monotonic()
        client = self._clients.get(key)
        if client is not None:
            self._clients.move_to_end(key)
            if now - client.seen_at <= self._timeout_s:
                client.seen_at = now
                host = self._where.get(client.endpoint)
                if host is not None and host not in tried:
                    return host
        if self._ring is None:
            self._ring = Ring(self._hosts)
        place = place_of(key)
        host = self._ring.first_else(place, tried) if tried else self._ring.first(place)
        if client is not None:
            client.endpoint, client.seen_at = host.endpoint, now
        else:
            self._remember(key, _Client(host.endpoint, now))
        return host

    def _remember(self, key: bytes, client: _Client) -> None:
        """Enter a client; two that have been away too long are forgotten for it, if there are any."""
        clients = self._clients
        before = len(clients)
        clients[key] = client
        oldest_first = iter(clients.items())
        away = client.seen_at - self._timeout_s
        old = [other for (other, known), _ in zip(oldest_first, range(2), strict=False) if known.seen_at < away]
        for other in old:
            del clients[other]
        if len(clients) > MAX_CLIENTS:
            clients.popitem(last=False)
        self._room.take(len(clients) - before)
