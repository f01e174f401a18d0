"""EdgeHub on the bus: one connection after another with the cloud.

Nothing of one connection is known to the next but the outbox, and, where the cloud must be left alone for a while after
a session, when that session was.
"""

import asyncio
import random
import ssl
from typing import Any, Protocol

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.port import Port
from edgecore.clock import apart, before, looked_at
from edgecore.errors import BusClosed, LinkError, StoreError
from edgecore.modules.edgehub import tables
from edgecore.modules.edgehub.backoff import Backoff
from edgecore.modules.edgehub.cloud import is_from_1_4
from edgecore.modules.edgehub.conversation import Conversation
from edgecore.modules.edgehub.incoming import Incoming
from edgecore.modules.edgehub.news import ConnectionNews
from edgecore.modules.edgehub.outbox import CAPACITY, Outbox
from edgecore.modules.edgehub.outgoing import Outgoing
from edgecore.modules.edgehub.transport import CLOUD_CLOSED, WE_CLOSED, CloudAddress, Dial, Session, dial
from edgecore.observe.ledger import COALESCED, DROPPED, SUPERSEDED, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import Direction
from edgecore.recording.watch import Watch
from edgecore.store.store import Store

log = structlog.get_logger("edgehub")

STOP_PROOF_S = 1.0
"""How long a stop waits for the cloud to say that it read the last messages."""


class Credentials(Protocol):
    """What TLS needs of the node (``credentials.py``)."""

    async def ready(self) -> ssl.SSLContext:
        """Return what to dial with. Raises ``LinkError``."""

    def learned(self, server: str) -> None:
        """Take note of what the cloud calls itself."""

    async def renewed(self) -> None:
        """Return once another certificate is to be shown."""

    def status(self) -> dict[str, Any]:
        """Return until when the certificate is good."""


class EdgeHub:
    """The module ``websocket``."""

    name = r.EDGEHUB
    group = r.GROUP_HUB

    def __init__(
        self,
        port: Port,
        metrics: Metrics,
        ledger: Ledger,
        store: Store,
        address: CloudAddress,
        *,
        heartbeat_s: float,
        handshake_timeout_s: float,
        max_message_bytes: int,
        jitter: random.Random,
        outbox_size: int = CAPACITY,
        ping: bool = True,
        cloud_version: str = "1.3.1",
        credentials: Credentials | None = None,
        dial_cloud: Dial = dial,
        watch: Watch | None = None,
    ) -> None:
        """``watch`` is shown each frame and what becomes of each connection."""
        self._port = port
        self._ledger = ledger
        self._store = store
        self._address = address
        self._heartbeat_s = heartbeat_s
        self._handshake_timeout_s = handshake_timeout_s
        self._max_message_bytes = max_message_bytes
        self._ping = ping
        self._credentials = credentials
        self._dial_cloud = dial_cloud
        self._watch = watch or Watch()
        self._backoff = Backoff(heartbeat_s, jitter, quick=is_from_1_4(cloud_version))
        self._box = Outbox(outbox_size)
        self._outgoing = Outgoing(
            self._box, ledger, store, metrics, awaited=port.awaited, max_message_bytes=max_message_bytes
        )
        self._news = ConnectionNews(port)
        self.welcome = self._news.welcome
        self._incoming = Incoming(port, self._outgoing, ledger, metrics)
        self._conversation: Conversation | None = None
        self._state = "connecting"
        self._since = self._away_since = port.clock.monotonic()
        self._error = ""
        self._sessions = self._sent = 0
        self._over = False

    async def start(self) -> None:
        """Take up what could not be sent before the last stop. Raises ``StoreError``."""
        self._outgoing.restore()

    async def run(self) -> None:
        """Keep a session open until the bus is closed."""
        self._over = False
        async with asyncio.TaskGroup() as tasks:
            filling = tasks.create_task(self._fill_outbox(), name="edgehub fill outbox")
            linking = tasks.create_task(self._link(), name="edgehub link")
            try:
                await asyncio.wait((filling, linking), return_when=asyncio.FIRST_COMPLETED)
                if linking.done() and linking.cancelled():  # not by us, so it is a fault: the group would not tell
                    raise RuntimeError("the link to the cloud ended by itself")
                await filling  # ends when the bus is closed
            finally:
                # Said in two ways: a task group that is ending by itself just then, because the cloud went away when
                # the node stopped, swallows the cancellation; this one's too, which comes with the end of the bus.
                self._over = True
                linking.cancel()

    async def stop(self) -> None:
        """Give the last messages a moment to arrive while the link is up; what is durable stays in its rows."""
        conversation = self._conversation
        if conversation is not None:
            await _either(self._outgoing.written, conversation.ended)
            try:
                await before(
                    self._port.clock, self._port.clock.monotonic() + STOP_PROOF_S, self._all_arrived(conversation)
                )
            except (TimeoutError, LinkError):
                log.warning("last_messages_not_proven", url=self._address.url)
        self._outgoing.close()

    async def _all_arrived(self, conversation: Conversation) -> None:
        if self._outgoing.doubted_since() is not None and not conversation.ended.is_set():
            await conversation.ask_for_proof()
            await _either(self._outgoing.arrived, conversation.ended)

    def status(self) -> dict[str, Any]:
        """Return the state of the link and what went over it."""
        counts = self._outgoing.counts
        return {
            "state": self._state,
            "url": self._address.url,
            "since_s": round(self._port.clock.monotonic() - self._since, 3),
            "away_s": 0.0 if self._state == "connected" else round(self._port.clock.monotonic() - self._away_since, 3),
            "error": self._error,
            "sessions": self._sessions,
            "received": self._incoming.received,
            "sent": self._sent + (self._conversation.sent if self._conversation is not None else 0),
            "refused": self._incoming.refused,
            "outbox": len(self._box),
            "outbox_waiting": self._box.waiting,
            "outbox_bytes": self._box.held_bytes,
            "superseded": counts[SUPERSEDED],
            "coalesced": counts[COALESCED],
            "dropped": counts[DROPPED],
            "certificate": self._credentials.status() if self._credentials is not None else {},
        }

    async def _fill_outbox(self) -> None:
        async for message in self._port:
            self._outgoing.accept(message)

    async def _link(self) -> None:
        try:
            await self._keep_linked()
        except* BusClosed:  # a message waited for room when the node stopped
            pass

    async def _keep_linked(self) -> None:
        self._news.tell(r.CLOUD_DISCONNECTED)  # for those who heard of a session that a fault of ours ended
        await self._leave_alone_after_restart()
        while not self._over:
            try:
                connection = await self._dial()
            except LinkError as error:
                pause_s = self._backoff.after_failed_dial()
                self._become("waiting", str(error))
                self._show(Direction.TO_CLOUD, self._sessions + 1, "error", detail=str(error))
                log.warning("cloud_not_reached", error=str(error), again_in_s=round(pause_s, 2))
            else:
                received = self._incoming.received
                await self._hold(connection)
                pause_s = self._backoff.after_lost_session(
                    connection.server, came_to_something=self._incoming.received > received
                )
                log.warning("cloud_lost", error=self._error, session=self._sessions, again_in_s=round(pause_s, 2))
            if not self._over:
                await self._port.clock.sleep(pause_s)
                self._become("connecting", self._error)

    async def _leave_alone_after_restart(self) -> None:
        """Wait where an earlier process of this node spoke with a cloud that must not see it again so soon."""
        try:
            seen_at_ms = tables.last_seen_ms(self._store, self._address.url)
        except StoreError as error:
            log.warning("last_session_unknown", error=str(error))
            return
        if seen_at_ms is None:
            return
        pause_s = self._backoff.after_restart((self._port.clock.now_ms() - seen_at_ms) / 1000)
        if pause_s:
            why = "a cloudcore before 1.4 must not see a node again within 30 s of its last session"
            self._become("waiting", why)
            log.warning("cloud_left_alone", why=why, again_in_s=round(pause_s, 2), hint="modules.edgeHub.cloudVersion")
            await self._port.clock.sleep(pause_s)
            self._become("connecting", "")

    async def _dial(self) -> Session:
        return await self._dial_cloud(
            self._address,
            timeout_s=self._handshake_timeout_s,
            max_message_bytes=self._max_message_bytes,
            tls=await self._credentials.ready() if self._credentials is not None else None,
        )

    async def _hold(self, connection: Session) -> None:
        """Run one session to its end."""
        self._sessions += 1
        self._become("connected", "")
        self._show(Direction.TO_CLOUD, self._sessions, "open", tls=connection.tls)
        log.info("cloud_connected", url=self._address.url, session=self._sessions, server=connection.server)
        conversation = self._conversation = Conversation(
            connection,
            self._port,
            self._incoming,
            self._outgoing,
            self._ledger,
            heartbeat_s=self._heartbeat_s,
            ping=self._ping,
            watch=self._watch,
            link=self._sessions,
        )
        try:
            async with connection:
                await apart(self._converse(connection, conversation))
        except* LinkError as errors:
            self._become("waiting", str(_first(errors)))
        finally:
            self._sent += conversation.sent
            self._conversation = None
            if self._state == "connected":  # not the link ended it
                self._become("waiting", "the session was ended by the node")
            direction, event = _ending(self._error)
            self._show(direction, self._sessions, event, detail=self._error)
        self._news.tell(r.CLOUD_DISCONNECTED)

    async def _converse(self, connection: Session, conversation: Conversation) -> None:
        """Hold a conversation, and beside it do what its cloud and its certificate ask for."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._note_session(connection.server), name="edgehub note session")]
            if self._credentials is not None:
                self._credentials.learned(connection.server)
                beside.append(tasks.create_task(self._until_renewed(self._credentials), name="edgehub certificate"))
            self._news.tell(r.CLOUD_CONNECTED)
            try:
                await conversation.run()
            finally:
                for task in beside:
                    task.cancel()

    async def _until_renewed(self, credentials: Credentials) -> None:
        await credentials.renewed()
        raise LinkError("the node's certificate was renewed: connecting anew")

    async def _note_session(self, server: str) -> None:
        """Keep on disk when this cloud saw us last, if a restart has to respect that."""
        url = self._address.url
        if not self._backoff.must_wait(server):
            self._store.submit(tables.forgotten(url)).add_done_callback(looked_at)
            return
        while True:
            self._store.submit(tables.seen(url, self._port.clock.now_ms())).add_done_callback(looked_at)
            await self._port.clock.sleep(self._heartbeat_s)

    def _show(self, direction: Direction, link: int, event: str, *, tls: str = "", detail: str = "") -> None:
        if self._watch.connection is not None:
            self._watch.connection(direction, link, event, tls=tls, detail=detail)

    def _become(self, state: str, error: str) -> None:
        if state != self._state:
            now = self._port.clock.monotonic()
            if self._state == "connected":
                self._away_since = now
            self._state, self._since = state, now
        self._error = error


def _ending(error: str) -> tuple[Direction, str]:
    """Return which side ended a session, and whether in good order (``ConnectionEvent``)."""
    if CLOUD_CLOSED in error:
        return Direction.TO_EDGE, "eof"
    by_us = WE_CLOSED in error or "lost the cloud" not in error
    return (Direction.TO_CLOUD, "eof") if by_us else (Direction.TO_EDGE, "error")


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _first(errors: BaseExceptionGroup[LinkError]) -> BaseException:
    """Return the first error of a group of groups: the one that ended the connection."""
    first: BaseException = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
