"""What all connections of one proxy share: whom to ask, what to count, where to complain."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable

import structlog

from edgecore.clock import Clock
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Tell
from edgecore.modules.edgemesh.proxy.datagrams.datagrams import Datagrams
from edgecore.modules.edgemesh.proxy.deadlines import Deadlines
from edgecore.modules.edgemesh.proxy.directory import Directory
from edgecore.modules.edgemesh.proxy.doors.crowd import Crowd
from edgecore.modules.edgemesh.proxy.figures.counters import Counters
from edgecore.modules.edgemesh.proxy.http.backends import Backends
from edgecore.modules.edgemesh.proxy.http.heads import Heads
from edgecore.modules.edgemesh.proxy.http.refusals import bad_request
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, read_request
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, read_response
from edgecore.modules.edgemesh.proxy.http.target import host_port
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.lookups import Lookups
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.observe.metrics import Metrics
from edgecore.observe.throttle import Throttle

MODULE = "edgemesh.proxy"

log = structlog.get_logger(MODULE)

_CROWDED_OUT = Refusal(503, "crowded_out", "cannot keep the connection: it asks nothing, and too many others come")


class Gateway:
    """Made once for each proxy; ``close`` ends what it runs."""

    def __init__(
        self,
        directory: Directory,
        upstreams: Iterable[Upstream],
        clock: Clock,
        metrics: Metrics,
        limits: ProxyLimits,
        *,
        options: ProxyOptions | None = None,
        access: Tell | None = None,
    ) -> None:
        self.access = access
        """Takes a line for all that was served or refused; ``None``: nobody wants one."""
        self.tells_heads = False
        """Whether it is to have the heads of requests too."""
        self.directory = directory
        self.clock = clock
        self.limits = limits
        self.options = options or ProxyOptions()
        self.requests = Heads[RequestHead](read_request)
        self.answers = Heads[ResponseHead](read_response)
        self.counters = Counters(upstreams)
        self.deadlines = Deadlines(clock)
        """Of clients."""
        self.crowd = Crowd(limits.max_connections, clock, self.deadlines.everything, self._crowded_out)
        self.lookups = Lookups(clock)
        """Of hosts that have a name."""
        self.backends = Backends(clock, limits, self.lookups, self._look_whether_empty)
        self.datagrams = Datagrams(limits)
        self._metrics = metrics
        self._bad_clients = Throttle(clock, self._report_bad_client)
        self._failures = Throttle(clock, _log_failure)
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()

    @property
    def errors(self) -> dict[str, int]:
        """What went wrong, by reason: bad bytes of clients, refusals, failures of backends."""
        return dict(Counter(self._bad_clients.counts) + Counter(self._failures.counts))

    def destination(self, service: ServiceKey | None, port: int, authority: bytes) -> Upstream | Refusal:
        """Return what forwards for a client that came in at ``port`` of ``service``.

        Where that is ``None``, at the plain listener, it goes by ``authority``.
        """
        if service is None:
            named = host_port(authority)
            if named is None or not named[0]:
                return bad_request("no_host", "it names no host")
            port = named[1]
            found = self.directory.service_named(*named)
            if isinstance(found, Refusal):
                return found
            service = found
        return self.directory.upstream(service, port)

    def bad_client(self, refusal: Refusal, peer: str, service: ServiceKey | None, port: int) -> None:
        """Count bytes of a client that cannot be forwarded; log them at most once a second for each reason.

        ``service`` is the one that it came for, ``None`` at the plain listener.
        """
        where = f" (at service {service} port {port})" if service is not None else ""
        self._bad_clients.complain(refusal.reason, peer, refusal.text + where)

    def failed(self, refusal: Refusal, peer: str) -> None:
        """Count a request that could not be served; log it at most once a second for each reason."""
        self._failures.complain(refusal.reason, peer, refusal.text)

    def client_came(self) -> None:
        """Count a client's connection."""
        self.counters.connections += 1
        self.counters.accepted += 1

    def client_passed_on(self) -> None:
        """Forget a client that is counted anew by who serves it now."""
        self.counters.connections -= 1
        self.counters.accepted -= 1

    def client_gone(self) -> None:
        """Take note that a client's connection is gone."""
        self.counters.connections -= 1
        self.crowd.one_left()
        if not self.counters.connections:
            self._look_whether_empty()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run ``work`` until it ends or the gateway is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Close the connections to backends, cancel what was spawned, report what was held back.

        Returns when all connections are gone, so those of clients must have been told to close.
        """
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.backends.close()
        self._empty.clear()
        self._look_whether_empty()
        await self._empty.wait()
        self.deadlines.close()
        self._bad_clients.close()
        self._failures.close()

    def admits_one(self) -> bool:
        """Say whether there is room for the client that was counted last; others may have had to leave for it."""
        return self.crowd.admits(self.counters.connections)

    def _crowded_out(self) -> None:
        self.failed(_CROWDED_OUT, "")

    def _look_whether_empty(self) -> None:
        if not self.counters.connections and not self.backends.number:
            self._empty.set()

    def _report_bad_client(self, reason: str, peer: str, left_out: int, details: str) -> None:
        self._metrics.bad_input(MODULE, reason, peer, details=details, left_out=left_out)


def _log_failure(reason: str, peer: str, left_out: int, details: str) -> None:
    log.warning("request_failed", reason=reason, peer=peer, details=details, left_out=left_out)
