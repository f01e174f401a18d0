"""Rootless listeners: the proxy listens on the fake IP itself, which needs no privilege on a loopback address.

``plan`` decides what is to be opened and closed. ``RootlessListeners`` does it, one address after the other. An address
that cannot be bound (a privileged port; a port that something listens to on 0.0.0.0) is kept with the reason and tried
again every ``rebind_interval_s``; the log gets one line when it begins to fail and one when it listens after all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple, Protocol

import structlog

from edgecore.clock import Clock, Timer
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport

log = structlog.get_logger("edgemesh")

AT_ONCE = 64
"""After so many places others have their turn."""
FILES_SHARE = 0.75
"""So much of the files that the process may open is for listeners at most: the rest is for clients, pods and itself."""


class Place(NamedTuple):
    """Where one port of one service is listened for."""

    service: ServiceKey
    address: str
    port: int
    transport: Transport = "tcp"


class NotBound(NamedTuple):
    """A place that cannot be listened at: the word of ``ListenError``, a text, and since when (Unix milliseconds)."""

    place: Place
    reason: str
    text: str
    since_ms: int


class Listener(Protocol):
    """What ``Listen`` returns."""

    def close(self) -> object:
        """Listen no more, at once."""


Listen = Callable[[str, int, ServiceKey, Transport], Awaitable[Listener]]
"""Listens at an address and port for a service. Raises ``ListenError``."""


def plan(desired: Iterable[Place], had: Iterable[Place]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Return the places to open and those to close, each in the order given, so that ``had`` becomes ``desired``."""
    wanted = dict.fromkeys(desired)
    present = dict.fromkeys(had)
    to_open = tuple(place for place in wanted if place not in present)
    to_close = tuple(place for place in present if place not in wanted)
    return to_open, to_close


def most_listeners(files: int) -> int:
    """Return how many listeners there may be in a process that may open so many files: each of them is one."""
    return max(1, int(files * FILES_SHARE))


class RootlessListeners:
    """The listeners of all services, ``most`` of them at a time: who comes on top waits until another one is closed."""

    def __init__(self, listen: Listen, clock: Clock, rebind_interval_s: float, most: int | None = None) -> None:
        self._most = most
        self._listen = listen
        self._clock = clock
        self._rebind_interval_s = rebind_interval_s
        self._wanted: dict[ServiceKey, tuple[Place, ...]] = {}
        self._open: dict[Place, Listener] = {}
        self._failed: dict[Place, NotBound] = {}
        self._due: OrderedDict[Place, None] = OrderedDict()  # to be tried, in this order
        self._opener: asyncio.Task[None] | None = None
        self._retry: Timer | None = None
        self._stopped = False

    def set(self, service: ServiceKey, address: str, ports: Iterable[tuple[int, Transport]]) -> None:
        """Listen for ``service`` at exactly these ports. What is not wanted any more is closed when this returns."""
        if self._stopped:
            return
        wanted = tuple(dict.fromkeys(Place(service, address, port, transport) for port, transport in ports))
        to_open, to_close = plan(wanted, self._wanted.pop(service, ()))
        if wanted:
            self._wanted[service] = wanted
        for place in to_close:
            self._close(place)
        self._due.update(dict.fromkeys(to_open))
        self._start_opening()

    def remove(self, service: ServiceKey) -> None:
        """Listen for ``service`` no more."""
        for place in self._wanted.pop(service, ()):
            self._close(place)

    def problem(self, place: Place) -> str | None:
        """Return why ``place`` is not listened at, as a fixed word; ``None`` if it is. ``pending``: not tried yet."""
        if place in self._open:
            return None
        failure = self._failed.get(place)
        return failure.reason if failure is not None else "pending"

    def plane(self, place: Place) -> Literal["proxy"]:
        """Say who moves the bytes of ``place``."""
        return "proxy"

    def why_proxy(self, place: Place) -> str:
        """See ``Places``."""
        return "rootless"

    @property
    def not_bound(self) -> tuple[NotBound, ...]:
        """The places that could not be bound, those that have failed the longest first."""
        return tuple(self._failed.values())

    async def stop(self) -> None:
        """Close everything."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
        for service in list(self._wanted):
            self.remove(service)
        if self._opener is not None:
            self._opener.cancel()
            await asyncio.gather(self._opener, return_exceptions=True)

    def _close(self, place: Place) -> None:
        self._due.pop(place, None)
        self._failed.pop(place, None)
        listener = self._open.pop(place, None)
        if listener is not None:
            listener.close()

    def _start_opening(self) -> None:
        if self._due and (self._opener is None or self._opener.done()):
            self._opener = asyncio.create_task(self._open_due(), name="edgemesh listeners")

    async def _open_due(self) -> None:
        tried = 0
        while self._due:
            place, _ = self._due.popitem(last=False)
            tried += 1
            if not tried % AT_ONCE:  # listening itself never waits
                await asyncio.sleep(0)
            if self._most is not None and len(self._open) >= self._most:
                self._note_failure(place, "too_many", _too_many(place, self._most))
                continue
            try:
                listener = await self._listen(place.address, place.port, place.service, place.transport)
            except ListenError as error:
                self._note_failure(place, error.reason, str(error))
            except Exception as error:
                log.exception("listener_failed", service=str(place.service), address=place.address, port=place.port)
                self._note_failure(place, "failed", str(error))
            else:
                self._note_success(place, listener)

    def _is_wanted(self, place: Place) -> bool:
        return place in self._wanted.get(place.service, ())

    def _note_success(self, place: Place, listener: Listener) -> None:
        if not self._is_wanted(place):  # it was given up while it was being opened
            listener.close()
            return
        self._due.pop(place, None)  # it was given up and wanted again while it was being opened
        self._open[place] = listener
        if self._failed.pop(place, None) is not None:
            log.info("port_bound", service=str(place.service), address=place.address, port=place.port)

    def _note_failure(self, place: Place, reason: str, text: str) -> None:
        if not self._is_wanted(place):
            return
        known = self._failed.get(place)
        if known is None:
            where = {"service": str(place.service), "address": place.address, "port": place.port}
            log.warning("port_not_bound", **where, reason=reason, error=text, again_every_s=self._rebind_interval_s)
        since_ms = known.since_ms if known is not None else self._clock.now_ms()
        self._failed[place] = NotBound(place, reason, text, since_ms)
        if self._retry is None:
            self._retry = self._clock.call_at(self._clock.monotonic() + self._rebind_interval_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._due.update(dict.fromkeys(self._failed))
        self._start_opening()


def _too_many(place: Place, most: int) -> str:
    where = f"cannot listen on {place.address}:{place.port}"
    return (
        f"{where}: there are {most} listeners, as many as the limit of open files leaves room for; raise it (ulimit -n)"
    )
