"""EdgeHub on the bus: one session after another with the cloud.

A session is three tasks that live and end together: reading frames, writing the outbox, sending keepalives. Nothing of
one session is known to the next but the outbox.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Any

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, response_to
from edgecore.beehive.port import Port
from edgecore.errors import BusClosed, FrameError, LinkError, MailboxFull
from edgecore.modules.edgehub import session
from edgecore.modules.edgehub.backoff import Backoff
from edgecore.modules.edgehub.frame import decode_frame, encode_frame
from edgecore.modules.edgehub.outbox import Outbox
from edgecore.modules.edgehub.transport import CloudAddress, Connection, dial
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("edgehub")

CONNECTION_GROUPS = (r.GROUP_META, r.GROUP_TWIN, r.GROUP_BUS)
"""Who is told that the link came up or went down; each once (Go tells ``meta`` twice)."""


class EdgeHub:
    """The module ``websocket``."""

    name = r.EDGEHUB
    group = r.GROUP_HUB

    def __init__(
        self,
        port: Port,
        metrics: Metrics,
        address: CloudAddress,
        *,
        heartbeat_s: float,
        handshake_timeout_s: float,
        max_message_bytes: int,
        jitter: random.Random,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._port = port
        self._metrics = metrics
        self._address = address
        self._heartbeat_s = heartbeat_s
        self._handshake_timeout_s = handshake_timeout_s
        self._max_message_bytes = max_message_bytes
        self._tls = tls
        self._backoff = Backoff(heartbeat_s, jitter)
        self._outbox = Outbox()
        self._outbox_filled = asyncio.Event()
        self._outbox_empty = asyncio.Event()
        self._outbox_empty.set()
        self._state = "connecting"
        self._since = port.clock.monotonic()
        self._error = ""
        self._sessions = self._received = self._sent = self._refused = self._overflowed = 0

    async def start(self) -> None:
        """Nothing to bind."""

    async def run(self) -> None:
        """Keep a session open until the bus is closed."""
        async with asyncio.TaskGroup() as tasks:
            filling = tasks.create_task(self._fill_outbox(), name="edgehub fill outbox")
            linking = tasks.create_task(self._link(), name="edgehub link")
            await filling  # ends when the bus is closed
            linking.cancel()

    async def stop(self) -> None:
        """Give the last messages a moment to leave while the link is up."""
        if self._state == "connected" and len(self._outbox):
            await self._outbox_empty.wait()

    def status(self) -> dict[str, Any]:
        """Return the state of the link and what went over it."""
        return {
            "state": self._state,
            "url": self._address.url,
            "since_s": round(self._port.clock.monotonic() - self._since, 3),
            "error": self._error,
            "sessions": self._sessions,
            "received": self._received,
            "sent": self._sent,
            "refused": self._refused,
            "outbox": len(self._outbox),
            "superseded": self._outbox.superseded,
            "overflowed": self._overflowed,
        }

    async def _fill_outbox(self) -> None:
        async for message in self._port:
            pushed_out = self._outbox.add(message)
            if pushed_out is not None:
                self._overflowed += 1
                log.error(
                    "outbox_overflow",
                    id=pushed_out.header.id,
                    operation=pushed_out.route.operation,
                    resource=pushed_out.route.resource,
                )
            self._outbox_empty.clear()
            self._outbox_filled.set()

    async def _link(self) -> None:
        try:
            await self._keep_linked()
        except* BusClosed:  # a message waited for room when the node stopped
            pass

    async def _keep_linked(self) -> None:
        while True:
            try:
                connection = await dial(
                    self._address,
                    timeout_s=self._handshake_timeout_s,
                    max_message_bytes=self._max_message_bytes,
                    tls=self._tls() if self._tls is not None else None,
                )
            except LinkError as error:
                pause_s = self._backoff.after_failed_dial()
                self._become("waiting", str(error))
                log.warning("cloud_not_reached", error=str(error), again_in_s=round(pause_s, 2))
            else:
                await self._hold(connection)
                pause_s = self._backoff.after_lost_session(connection.server)
                log.warning("cloud_lost", error=self._error, again_in_s=round(pause_s, 2))
            await self._port.clock.sleep(pause_s)
            self._become("connecting", self._error)

    async def _hold(self, connection: Connection) -> None:
        """Run one session to its end."""
        self._sessions += 1
        self._become("connected", "")
        if len(self._outbox):
            self._outbox_empty.clear()
        log.info("cloud_connected", url=self._address.url, session=self._sessions, server=connection.server)
        try:
            async with connection:
                await self._announce(r.CLOUD_CONNECTED)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._keep_alive(connection), name="edgehub keepalive")
                    tasks.create_task(self._empty_outbox(connection), name="edgehub write")
                    tasks.create_task(self._read(connection), name="edgehub read")
        except* LinkError as errors:
            self._become("waiting", str(errors.exceptions[0]))
        finally:
            self._outbox_empty.set()
        await self._announce(r.CLOUD_DISCONNECTED)

    async def _announce(self, content: str) -> None:
        for group in CONNECTION_GROUPS:
            if not self._port.has_group(group):
                continue
            try:
                await self._port.send_to_group(group, self._port.build(session.connection_route(group), content))
            except MailboxFull as error:
                log.error("news_not_delivered", group=group, news=content, error=str(error))

    async def _keep_alive(self, connection: Connection) -> None:
        while True:
            await self._write(connection, self._port.build(session.KEEPALIVE_ROUTE, r.PING))
            await self._port.clock.sleep(self._heartbeat_s)

    async def _empty_outbox(self, connection: Connection) -> None:
        while True:
            message = self._outbox.first()
            if message is None:
                self._outbox_empty.set()
                self._outbox_filled.clear()
                await self._outbox_filled.wait()
                continue
            await self._write(connection, message)
            self._outbox.remove(message)

    async def _write(self, connection: Connection, message: Message) -> None:
        try:
            payload = encode_frame(message)
        except FrameError as error:
            self._metrics.bad_input(
                r.EDGEHUB,
                error.reason,
                peer=message.route.source,
                resource=message.route.resource,
                detail=error.detail,
            )
            return
        if len(payload) > self._max_message_bytes:
            self._metrics.bad_input(
                r.EDGEHUB,
                "too_large_to_send",
                peer=message.route.source,
                resource=message.route.resource,
                size_bytes=len(payload),
            )
            return
        await connection.write(payload)
        self._sent += 1

    async def _read(self, connection: Connection) -> None:
        try:
            async for payload in connection.frames():
                await self._take(connection, payload)
        except LinkError as error:
            if connection.violation:
                self._refuse(connection.violation, str(error))
            raise

    async def _take(self, connection: Connection, payload: bytes) -> None:
        self._received += 1
        try:
            message = decode_frame(payload)
        except FrameError as error:
            self._refuse(error.reason, error.detail, begins=payload[:80].decode(errors="replace"))
        else:
            await self._deliver(connection, message)

    async def _deliver(self, connection: Connection, message: Message) -> None:
        match session.deliver(message, self._port.awaited):
            case session.AnswerControl():
                await self._write(connection, response_to(message, "ack", self._port.new_id, self._port.clock))
            case session.HandToWaiter():
                self._port.respond(message)
            case session.Dispatch(group) if not self._port.has_group(group):
                self._refuse("module_not_built", group, id=message.header.id, resource=message.route.resource)
            case session.Dispatch(group):
                try:
                    await self._port.send_to_group(group, message)
                except MailboxFull as error:  # not acknowledged: the cloud sends objects again, lists it does not
                    log.error("message_not_delivered", group=group, id=message.header.id, error=str(error))
            case session.Refuse(reason, detail):
                self._refuse(reason, detail, id=message.header.id, resource=message.route.resource)

    def _refuse(self, reason: str, detail: str, **where: Any) -> None:
        self._refused += 1
        self._metrics.bad_input(r.EDGEHUB, reason, peer="cloud", detail=detail, **where)

    def _become(self, state: str, error: str) -> None:
        if state != self._state:
            self._state, self._since = state, self._port.clock.monotonic()
        self._error = error
