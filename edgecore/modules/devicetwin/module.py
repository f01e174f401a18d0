"""DeviceTwin on the bus: decides on messages in order, has their rows committed in groups, then speaks in order.

::

    mailbox ──▶ request ──▶ decision ──▶ rows on their way ──▶ commit (shared by all that wait) ──▶ MQTT, cloud

Up to ``IN_FLIGHT`` messages lie between decision and commit; each is decided on what those before it decided. A report
to the cloud is committed with the rows that it tells of. Where the file refuses rows, their devices are read from it
again before anything else is decided.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, NamedTuple

import structlog
from prometheus_client.core import Metric

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message
from edgecore.beehive.port import Port
from edgecore.clock import looked_at
from edgecore.errors import BusClosed, EdgecoreError, StoreError
from edgecore.modules.devicetwin import views
from edgecore.modules.devicetwin.again import Again
from edgecore.modules.devicetwin.choice import decide
from edgecore.modules.devicetwin.decision import Decision, Fault, Moment
from edgecore.modules.devicetwin.devices import Device
from edgecore.modules.devicetwin.figures import families
from edgecore.modules.devicetwin.outgoing import Outgoing, Said
from edgecore.modules.devicetwin.requests import Confirmation, Connection, Request, Unfit, read_request
from edgecore.modules.devicetwin.tables import DeviceTables
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Store

log = structlog.get_logger("devicetwin")

IN_FLIGHT = 1024
"""Messages whose rows may wait for their commit."""


class _Taken(NamedTuple):
    request: Request
    message: Message
    decision: Decision
    said: tuple[Said, ...]
    written: asyncio.Future[None] | None
    stored: asyncio.Future[bool] | None
    """Of a change that is tried again: who tries it waits for this."""


class DeviceTwin:
    """The module ``twin``."""

    name = r.TWIN
    group = r.GROUP_TWIN

    def __init__(
        self,
        port: Port,
        store: Store,
        metrics: Metrics,
        *,
        node: str,
        resends: int,
        has_cloud: bool = True,
        cloud_confirms: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        """``zone`` is that of the local times which are told; the machine's, without."""
        self._port = port
        self._zone = zone
        self._metrics = metrics
        self._node = node
        self._tables = DeviceTables(store)
        self._devices: dict[str, Device] = {}
        self._stale: set[str] = set()
        """Devices whose rows were refused: what is known of them is not what is on disk."""
        self._outgoing = Outgoing(port, node, resends, has_cloud=has_cloud, cloud_confirms=cloud_confirms)
        self._requests: Counter[str] = Counter()
        self._unheeded = 0
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._taken: asyncio.Queue[_Taken] = asyncio.Queue()
        self._settling: _Taken | None = None
        self._settler: asyncio.Task[None] | None = None
        self._again = Again(port.clock, self._try_again)
        metrics.pull(self.families)

    async def start(self) -> None:
        """Read what is known of devices. Raises ``StoreError``."""
        self._devices = self._tables.load()

    async def run(self) -> None:
        """Take messages until the bus is closed. What was taken before a mistake is settled by the next run."""
        async with asyncio.TaskGroup() as tasks:
            self._settler = tasks.create_task(self._settle_in_order(), name="devicetwin settle")
            resending = tasks.create_task(self._resend(), name="devicetwin resend")
            again = tasks.create_task(self._again.run(), name="devicetwin try again")
            async for message in self._port:
                await self._take(message)
            self._settler.cancel()
            resending.cancel()
            again.cancel()

    async def stop(self) -> None:
        """Wait until what was taken is committed and said."""
        if self._settler is not None and not self._settler.done():
            await self._taken.join()
            self._settler.cancel()
        if self._again:
            log.error("changes_not_stored", changes=len(self._again), hint="the node stopped before they could be")

    def status(self) -> dict[str, Any]:
        """Return how many devices there are, what was asked, and what went out."""
        return {
            "connected": self._outgoing.connected,
            **views.counts(self._devices.values()),
            "requests": dict(self._requests),
            "in_flight": self._taken.qsize(),
            "to_be_tried_again": len(self._again),
            "wishes_unheeded": self._unheeded,
            **self._outgoing.status(),
        }

    def families(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        return families(self.status())

    def devices(self) -> list[dict[str, Any]]:
        """Return every device in short, by id."""
        return [views.in_short(device) for _, device in sorted(self._devices.items())]

    def device(self, device_id: str) -> dict[str, Any] | None:
        """Return everything of one device; ``None``: there is none."""
        device = self._devices.get(device_id)
        return None if device is None else views.whole(device)

    # Taking.

    async def _take(self, message: Message) -> None:
        if message.header.parent_id:
            self._outgoing.confirmed(message.header.parent_id)
        match read_request(message):
            case Request(local=False) as request if self._again:
                self._again.put(request, message)
            case Request() as request:
                try:
                    await self._decide(request, message)
                except StoreError as error:
                    log.error("message_not_decided", id=message.header.id, error=str(error))
                    if not request.local:
                        self._again.put(request, message)
            case Connection(connected):
                with contextlib.suppress(BusClosed):
                    await self._outgoing.linked(connected)
            case Confirmation():
                pass
            case Unfit(reason, detail):
                self._count(message, Fault(reason, detail))

    async def _decide(self, request: Request, message: Message, stored: asyncio.Future[bool] | None = None) -> None:
        """Decide, and send the rows on their way. From the decision to the queue nobody else gets a turn.

        Raises ``StoreError`` where devices cannot be read again.
        """
        await self._room.acquire()
        try:
            while self._stale:
                await self._taken.join()
                self._read_again()
            taken = self._decided(request, message, stored)
        except BaseException:
            self._room.release()
            raise
        self._taken.put_nowait(taken)

    def _decided(self, request: Request, message: Message, stored: asyncio.Future[bool] | None) -> _Taken:
        self._requests[request.action.name.lower()] += 1
        at = Moment(self._node, self._port.clock.now_ms(), self._port.new_id, partial(local_time, zone=self._zone))
        decision = decide(self._devices, request, at)
        try:
            said = self._outgoing.ready(decision.words)
            also = tuple(self._outgoing.rows(said))
        except (TypeError, ValueError, OverflowError, RecursionError, EdgecoreError) as error:
            decision, said, also = Decision(faults=(Fault("not_sayable", str(error)),)), (), ()
        self._count(message, *decision.faults)
        self._unheeded += len(decision.unheeded)
        for one in decision.unheeded:
            log.warning(
                "wish_unheeded", **one._asdict(), hint="it came with an older version; see docs/how-to/devices.md"
            )
        for device_id, device in decision.devices.items():
            if device is None:
                self._devices.pop(device_id, None)
            else:
                self._devices[device_id] = device
        written = self._tables.write(decision.rows, also) if decision.rows or also else None
        if written is not None:
            written.add_done_callback(looked_at)
        return _Taken(request, message, decision, said, written, stored)

    def _read_again(self) -> None:
        for device_id in sorted(self._stale):
            device = self._tables.load_one(device_id)
            if device is None:
                self._devices.pop(device_id, None)
            else:
                self._devices[device_id] = device
            self._stale.discard(device_id)

    def _count(self, message: Message, *faults: Fault) -> None:
        """Count what is wrong with a message, with a line of the log for each reason."""
        peer, found = message.route.source or "unknown", Counter(fault.reason for fault in faults)
        for reason, number in found.items():
            detail = next(fault.detail for fault in faults if fault.reason == reason)
            left_out = number - 1 or None
            self._metrics.bad_input(r.TWIN, reason, peer, id=message.header.id, detail=detail, left_out=left_out)

    # Settling.

    async def _settle_in_order(self) -> None:
        while True:
            if self._settling is None:  # else the module ended while it was being settled: that is done anew
                self._settling = await self._taken.get()
            try:
                await self._settle(self._settling)
            except asyncio.CancelledError:
                raise
            except BusClosed:
                pass  # the reports are on disk; nobody hears the rest any more
            except BaseException:
                self._settled()
                raise
            self._settled()

    def _settled(self) -> None:
        self._settling = None
        self._room.release()
        self._taken.task_done()

    async def _settle(self, taken: _Taken) -> None:
        stored = await self._say_if_stored(taken)
        if taken.stored is not None and not taken.stored.done():
            taken.stored.set_result(stored)

    async def _say_if_stored(self, taken: _Taken) -> bool:
        decision = taken.decision
        if taken.written is not None:
            try:
                await asyncio.shield(taken.written)
            except StoreError as error:
                await self._refused(taken, error)
                return False
        for device_id, device in decision.devices.items():
            if device is None:
                self._outgoing.gone(device_id)
        await self._outgoing.say(taken.said)
        return True

    async def _refused(self, taken: _Taken, error: StoreError) -> None:
        """The rows are not on disk, so nothing of it was: a device is told so, a change of the cloud tried again."""
        self._stale.update(taken.decision.devices)
        if taken.decision.otherwise is not None:
            await self._outgoing.say(self._outgoing.ready((taken.decision.otherwise,)))
        log.error("devices_not_stored", devices=sorted(taken.decision.devices)[:10], error=str(error))
        if taken.stored is None and not taken.request.local:
            self._again.put(taken.request, taken.message)

    async def _try_again(self, request: Request, message: Message) -> bool:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            await self._decide(request, message, stored)
        except StoreError as error:
            log.error("message_not_decided", id=message.header.id, error=str(error))
            return False
        return await stored

    async def _resend(self) -> None:
        with contextlib.suppress(BusClosed):
            await self._outgoing.resend_forever()


def local_time(now_ms: int, zone: tzinfo | None = None) -> str:
    """Return an instant as ``last_online`` has it: local time, ``2006-01-02 15:04:05``."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
