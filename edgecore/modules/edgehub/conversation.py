"""One connection with the cloud, from its beginning to its end: five tasks that live and end together.

=============  =========================================================================================
task           what it does
=============  =========================================================================================
read           brings every frame where it belongs
write          writes what waits in the outbox
keep alive     sends a keepalive at once and at every heartbeat (spec 4.2)
ping           asks by a websocket ping, at every heartbeat, whether anybody is there: a half-open link
               is found within two heartbeats
prove          asks, where something was written and nothing has come since, whether it was read
=============  =========================================================================================

Nothing of a connection outlives it: what it leaves is in the outbox.
"""

import asyncio

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.frame import encode_frame
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import before
from edgecore.errors import LinkError
from edgecore.modules.edgehub.incoming import Incoming
from edgecore.modules.edgehub.outgoing import Outgoing
from edgecore.modules.edgehub.transport import Session
from edgecore.observe.ledger import DELIVERED, UP, Ledger
from edgecore.recording.entries import Direction
from edgecore.recording.watch import Watch

log = structlog.get_logger("edgehub")

KEEPALIVE_ROUTE = Route(r.EDGEHUB, r.GROUP_RESOURCE, r.KEEPALIVE, r.NODE)
PROOF_ROUTE = Route(r.EDGEHUB, r.GROUP_RESOURCE, r.PING, r.NODE)
"""Of a message of the transport, whose answer says that everything before it was read."""

PROOF_AFTER_S = 2.0
"""How long a written message may be in doubt before the cloud is asked; the answer to a status mostly comes first."""
PROOF_EVERY = 32
"""How many messages may be in doubt before the cloud is asked: a link that always breaks soon gets on all the same."""


class Conversation:
    """A connection in use. ``run`` ends with ``LinkError`` (in a group) when the connection does."""

    def __init__(
        self,
        connection: Session,
        port: Port,
        incoming: Incoming,
        outgoing: Outgoing,
        ledger: Ledger,
        *,
        heartbeat_s: float,
        ping: bool,
        watch: Watch,
        link: int,
    ) -> None:
        """``watch`` is shown each frame, as one of connection ``link``."""
        self._connection = connection
        self._port = port
        self._clock = port.clock
        self._incoming = incoming
        self._outgoing = outgoing
        self._ledger = ledger
        self._heartbeat_s = heartbeat_s
        self._ping = ping
        self._watch = watch
        self._link = link
        self._busy = False
        self.ended = asyncio.Event()
        self._asked_at = 0.0
        self.sent = 0

    async def run(self) -> None:
        """Hold the conversation until the connection ends."""
        self._outgoing.forget_unawaited()  # before they are written: an answer would reach nobody
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_alive(), name="edgehub keepalive")
                tasks.create_task(self._write(), name="edgehub write")
                tasks.create_task(self._read(), name="edgehub read")
                tasks.create_task(self._prove(), name="edgehub prove")
                if self._ping:
                    tasks.create_task(self._ping_at_heartbeats(), name="edgehub ping")
        finally:
            self.ended.set()
            self._outgoing.connection_ended()

    async def _read(self) -> None:
        try:
            async for payload in self._connection.frames():
                self._busy = True
                if self._watch.frame is not None:
                    self._watch.frame(Direction.TO_EDGE, self._link, payload)
                answer = await self._incoming.take(payload)
                if answer is not None:
                    await self._send(encode_frame(answer))
                self._busy = False
        except LinkError as error:
            if self._connection.violation:
                self._incoming.refuse(self._connection.violation, str(error))
            raise

    async def _write(self) -> None:
        while True:
            entry = self._outgoing.take(self._clock.monotonic())
            if entry is None:
                await self._outgoing.filled.wait()
                continue
            await self._send(entry.payload)
            if self._outgoing.in_doubt >= PROOF_EVERY and not self._outgoing.awaits_proof():
                await self.ask_for_proof()

    async def _keep_alive(self) -> None:
        while True:
            message = self._port.build(KEEPALIVE_ROUTE, r.PING)
            await self._send(encode_frame(message))
            self._ledger.record(UP, message, DELIVERED, "keepalive")
            await self._clock.sleep(self._heartbeat_s)

    async def _ping_at_heartbeats(self) -> None:
        while True:
            await self._clock.sleep(self._heartbeat_s)
            received = self._incoming.received
            try:
                await before(self._clock, self._clock.monotonic() + self._heartbeat_s, self._connection.ping())
            except TimeoutError as error:
                # While a module has no room nothing is read, a pong neither; what has come since says that it lives.
                if not self._busy and received == self._incoming.received:
                    raise LinkError(
                        f"lost the cloud: no answer to a ping in {self._heartbeat_s:g} s, the link is half-open"
                    ) from error

    async def _prove(self) -> None:
        while True:
            await self._clock.sleep(PROOF_AFTER_S / 2)
            self._outgoing.forget_unawaited()
            since, now = self._outgoing.doubted_since(), self._clock.monotonic()
            if since is None or now - since < PROOF_AFTER_S:
                continue
            if not self._outgoing.awaits_proof() or now - self._asked_at >= self._heartbeat_s:
                await self.ask_for_proof()

    async def ask_for_proof(self) -> None:
        """Have the cloud say that it read what was written so far: both peers of 1.3.1 answer an operation ``ping`` at
        once, and in order (kubeedge VD/conn/ws.go:69-94@v1.3.1).

        Raises ``LinkError``.
        """
        self._asked_at = self._clock.monotonic()
        message = self._port.build(PROOF_ROUTE, r.PING)
        self._outgoing.ask_for_proof(message.header.id)
        await self._send(encode_frame(message))

    async def _send(self, payload: bytes) -> None:
        await self._connection.write(payload)
        self.sent += 1
        if self._watch.frame is not None:
            self._watch.frame(Direction.TO_CLOUD, self._link, payload)
