"""From the name of a host to its address, as the system's resolver knows it, and never to this machine.

Whoever may write a service may have an ExternalName stand for any name, and whoever has a zone in DNS may have it lead
to 127.0.0.1 or 169.254.169.254. It is the node that connects, which reaches there what a pod does not: its own metrics,
the kubelet, the cloud's metadata. (With Kubernetes the name is the client's own to resolve and to reach.)

The resolver may take half a minute over a name whose servers are silent, and cannot be told to stop. So it is asked in
a few threads that do nothing else, and names that it could not find last time get half of them at most.
"""

import asyncio
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from edgecore.clock import Clock
from edgecore.modules.edgemesh.discovery.addresses import is_reachable
from edgecore.modules.edgemesh.names import Endpoint

THREADS = 4
DOUBTFUL_THREADS = 2
KEPT_S = 3.0
"""How long an answer is good for: the system's resolver does not say."""
KEPT_NAMES = 512
WAITING_NAMES = 256
"""So many wait for a thread; what comes beyond that fails."""

Resolve = Callable[[str], list[str]]
"""Returns the addresses of a name, the best one first; raises ``OSError`` or ``ValueError``. Called in a thread."""


def ask_system(name: str) -> list[str]:
    """See ``Resolve``."""
    return [str(address[0]) for *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


class Lookup:
    """One name, being looked up or looked up."""

    __slots__ = ("address", "done", "doubtful", "good_until", "name", "waiters", "why")

    def __init__(self, name: str, done: "asyncio.Future[None]", *, doubtful: bool) -> None:
        self.name = name
        self.done = done
        self.doubtful = doubtful
        """It could not be found last time."""
        self.waiters = 0
        self.good_until = 0.0
        self.address = ""
        """Empty: there is none, and ``why`` says why."""
        self.why = ""


class Lookups:
    """See the module. Who asks for the same name at the same time, or soon after, shares the answer."""

    def __init__(self, clock: Clock, resolve: Resolve = ask_system) -> None:
        self._clock = clock
        self._resolve = resolve
        self._known: OrderedDict[str, Lookup] = OrderedDict()
        self._waiting: dict[str, Lookup] = {}
        self._under_way: dict[str, Lookup] = {}

    async def find(self, endpoint: Endpoint) -> Endpoint:
        """Return the first address of a name that something else can be behind, and the port.

        Raises ``OSError`` if there is none. Who is cancelled meanwhile leaves the answer to the others.
        """
        name = endpoint.host.lower()
        lookup = self._known.get(name)
        if lookup is None or lookup.good_until <= self._clock.monotonic():
            lookup = self._under_way.get(name) or self._waiting.get(name) or self._new(name, lookup)
            lookup.waiters += 1
            try:
                await asyncio.shield(lookup.done)
            finally:
                lookup.waiters -= 1
        if not lookup.address:
            raise OSError(lookup.why)
        return Endpoint(lookup.address, endpoint.port)

    def _new(self, name: str, before: Lookup | None) -> Lookup:
        self._waiting = {name: lookup for name, lookup in self._waiting.items() if lookup.waiters}
        if len(self._waiting) >= WAITING_NAMES:
            raise OSError("too many other names are being looked up")
        done = asyncio.get_running_loop().create_future()
        lookup = self._waiting[name] = Lookup(name, done, doubtful=before is not None and not before.address)
        self._begin()
        return lookup

    def _begin(self) -> None:
        """Look up what waits, as far as there are threads."""
        for lookup in tuple(self._waiting.values()):
            if len(self._under_way) >= THREADS:
                return
            if lookup.doubtful and sum(other.doubtful for other in self._under_way.values()) >= DOUBTFUL_THREADS:
                continue
            del self._waiting[lookup.name]
            self._under_way[lookup.name] = lookup
            # A daemon: the node does not wait for the resolver to end.
            threading.Thread(target=self._run, args=(lookup,), name="name lookup", daemon=True).start()

    def _run(self, lookup: Lookup) -> None:
        """Find the address; runs in a thread."""
        try:
            addresses = self._resolve(lookup.name)
        except (OSError, ValueError) as error:  # ValueError: it cannot be a name
            lookup.why = getattr(error, "strerror", None) or str(error)
        else:
            lookup.address = next(filter(is_reachable, addresses), "")
            lookup.why = f"{lookup.name} stands for this machine, or for a network that is not forwarded to"
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            lookup.done.get_loop().call_soon_threadsafe(self._finish, lookup)

    def _finish(self, lookup: Lookup) -> None:
        del self._under_way[lookup.name]
        lookup.good_until = self._clock.monotonic() + KEPT_S
        self._known[lookup.name] = lookup
        self._known.move_to_end(lookup.name)
        if len(self._known) > KEPT_NAMES:
            self._known.popitem(last=False)
        if not lookup.done.done():
            lookup.done.set_result(None)
        self._waiting = {name: waiting for name, waiting in self._waiting.items() if waiting.waiters}
        self._begin()
