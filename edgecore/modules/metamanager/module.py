"""MetaManager on the bus: takes messages in order, has their rows committed in groups, then does the rest in order.

::

    mailbox ──▶ plan ──▶ rows on their way ──▶ commit (shared by all that wait) ──▶ forward, answer, acknowledge

Up to ``IN_FLIGHT`` messages lie between plan and commit; queries are answered at once and see those rows.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

import structlog

from edgecore.beehive.message import (
    Message,
    content_json,
    error_to,
    response_to,
    with_id,
    with_sender,
    with_sync,
)
from edgecore.beehive.port import Port
from edgecore.beehive.resource import (
    EDGED,
    EDGEHUB,
    GROUP_META,
    METAMANAGER,
    OK,
    RESPONSE,
)
from edgecore.errors import BusClosed, BusError, ContentError, StoreError
from edgecore.modules.metamanager import plan as planning
from edgecore.modules.metamanager.plan import Plan, Put, Step, plan
from edgecore.modules.metamanager.tables import MetaTable
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Store

log = structlog.get_logger("metamanager")

IN_FLIGHT = 1024
"""Messages whose rows may wait for their commit."""
REMOTE_QUERIES = 64
"""Questions that may wait for the cloud's answer at one time (bug M7: Go sets no bound)."""
REMOTE_TIMEOUT_S = 30.0
"""How long the cloud may take. Who asks waits 60 s, so that the row we have instead still finds them waiting (bug M7);
a cloudcore gives an answer up 25 s after it was first sent.
"""


class _Accepted(NamedTuple):
    message: Message
    steps: tuple[Step, ...]
    written: asyncio.Future[None] | None


class MetaManager:
    """The module ``metaManager``."""

    name = METAMANAGER
    group = GROUP_META

    def __init__(
        self, port: Port, store: Store, metrics: Metrics, *, hub: str = EDGEHUB, hub_group: str = "hub"
    ) -> None:
        self._port = port
        self._metrics = metrics
        self._table = MetaTable(store)
        self._hub = hub
        self._hub_group = hub_group
        self._connected = False
        self._accepted: asyncio.Queue[_Accepted] = asyncio.Queue(IN_FLIGHT)
        self._asking: set[asyncio.Task[None]] = set()
        self._settler: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Nothing to bind."""

    async def run(self) -> None:
        """Take messages until the bus is closed."""
        async with asyncio.TaskGroup() as tasks:
            self._settler = tasks.create_task(self._settle_in_order(), name="metamanager settle")
            async for message in self._port:
                await self._take(message)
            self._settler.cancel()

    async def stop(self) -> None:
        """Wait until what was taken is committed and acknowledged; give up questions to the cloud."""
        if self._settler is not None and not self._settler.done():
            await self._accepted.join()
            self._settler.cancel()
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def status(self) -> dict[str, Any]:
        """Return the number of rows by type, and whether the cloud is there."""
        return {
            "connected": self._connected,
            "rows": self._rows(),
            "in_flight": self._accepted.qsize(),
            "asking_cloud": len(self._asking),
        }

    def _rows(self) -> dict[str, int] | None:
        try:
            return self._table.counts()
        except StoreError as error:  # a status is wanted most when something is wrong
            log.warning("rows_not_counted", error=str(error))
            return None

    async def _take(self, message: Message) -> None:
        try:
            decided = plan(message, self._table.value, connected=self._connected)
        except StoreError as error:
            decided = Plan(steps=(_failed(message, "Error to query meta in DB", error),))
        if decided.changes:
            await self._accepted.put(_Accepted(message, decided.steps, self._table.write(decided.changes)))
        elif any(isinstance(step, planning.Forward | planning.ToCloud) for step in decided.steps):
            await self._accepted.put(_Accepted(message, decided.steps, None))
        else:
            await self._carry_through(message, self._do(message, decided.steps))

    async def _settle_in_order(self) -> None:
        while True:
            accepted = await self._accepted.get()
            try:
                steps = await self._committed(accepted)
                await self._carry_through(accepted.message, self._do(accepted.message, steps))
            finally:
                self._accepted.task_done()

    async def _committed(self, accepted: _Accepted) -> tuple[Step, ...]:
        """Return what is to be done, once the rows are stored or refused."""
        try:
            if accepted.written is not None:
                await accepted.written
        except StoreError as error:
            return (_failed(accepted.message, "Error to save meta to DB", error),)
        return accepted.steps

    async def _carry_through(self, message: Message, work: Coroutine[Any, Any, None]) -> None:
        """Await ``work``. A neighbour that takes nothing costs this message, not the module: it is not acknowledged."""
        try:
            await work
        except BusClosed:
            return
        except BusError as error:
            log.error(
                "message_not_settled",
                id=message.header.id,
                resource=message.route.resource,
                error=str(error),
            )

    async def _do(self, message: Message, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case planning.Forward(module):
                    await self._port.send(module, message)
                case planning.Acknowledge():
                    await self._to_cloud(response_to(message, OK, self._port.new_id, self._port.clock))
                case planning.ToCloud():
                    await self._to_cloud(message)
                case planning.Reply(content):
                    await self._reply(message, response_to(message, content, self._port.new_id, self._port.clock))
                case planning.AnswerLocally(key, row_type, namespace):
                    await self._answer(message, key, row_type, namespace)
                case planning.AskCloud():
                    self._ask_cloud(message)
                case planning.Connection(connected):
                    self._connected = connected
                case planning.Report(text):
                    await self._report(message, text)
                case planning.Fault(reason, detail):
                    self._metrics.bad_input(
                        METAMANAGER,
                        reason,
                        peer=message.route.source or "unknown",
                        id=message.header.id,
                        operation=message.route.operation,
                        resource=message.route.resource,
                        detail=detail,
                    )

    async def _to_cloud(self, message: Message) -> None:
        await self._port.send_to_group(self._hub_group, with_sync(message, False))

    async def _reply(self, request: Message, reply: Message) -> None:
        """Answer ``request``: in its reply slot if its sender waits, else in the mailbox of the module concerned."""
        if request.header.sync:
            self._port.respond(reply)
            return
        await self._port.send(planning.receiver_of_answer(request.route), reply)

    async def _answer(self, request: Message, key: str, row_type: str, namespace: str) -> None:
        try:
            if key:
                value = self._table.value(key)
                values = None if value is None else [value]
            else:
                values = self._table.values(row_type, namespace) or None
        except StoreError as error:
            await self._report(request, _failed(request, "Error to query meta in DB", error).text)
            return
        reply = response_to(request, values, self._port.new_id, self._port.clock)
        await self._reply(request, with_sender(reply, METAMANAGER, reply.route.group))

    def _ask_cloud(self, request: Message) -> None:
        if len(self._asking) < REMOTE_QUERIES:
            work = self._answer_from_cloud(request)
        else:
            log.warning("remote_query_refused", resource=request.route.resource, limit=REMOTE_QUERIES)
            work = self._answer_from_rows(request)
        task = asyncio.create_task(self._carry_through(request, work), name=f"ask cloud {request.route.resource}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer_from_rows(self, request: Message) -> None:
        await self._answer(request, request.route.resource, "", "")

    async def _answer_from_cloud(self, request: Message) -> None:
        """Ask the cloud under an id of our own; store what it says, hand it on, acknowledge it.

        If it says nothing, or nothing that can be kept, the row we have is better than no answer.
        """
        resource = request.route.resource
        question = with_sync(with_id(request, self._port.new_id()), False)
        try:
            answer = await self._port.send_sync(self._hub, question, REMOTE_TIMEOUT_S)
            value = content_json(answer).decode()
            kept = answer.route.operation == RESPONSE and planning.is_kept(value)
            if kept:
                await self._table.write((Put(resource, resource.split("/")[1], value),))
        except BusClosed:
            raise
        except (BusError, ContentError, StoreError) as error:
            log.warning("remote_query_failed", resource=resource, error=str(error))
            await self._answer_from_rows(request)
            return
        if kept:
            own = response_to(request, answer.content, self._port.new_id, self._port.clock)
            await self._reply(request, with_sender(own, answer.route.source, answer.route.group))
        else:
            self._metrics.bad_input(METAMANAGER, "wrong_answer", peer="cloud", id=answer.header.id, resource=resource)
            await self._answer_from_rows(request)
        await self._to_cloud(response_to(answer, OK, self._port.new_id, self._port.clock))

    async def _report(self, request: Message, text: str) -> None:
        """Tell who asked that it failed (``feedbackError``)."""
        error = error_to(request, text, self._port.new_id, self._port.clock)
        error = with_sender(error, METAMANAGER, request.route.group)
        if request.header.sync:
            self._port.respond(error)
        elif request.route.source == EDGED:
            await self._port.send(EDGED, error)
        else:
            await self._to_cloud(error)


def _failed(request: Message, what: str, error: StoreError) -> planning.Report:
    """Log what the file refused, and return what who asked is told."""
    log.error("request_failed", id=request.header.id, resource=request.route.resource, error=str(error))
    return planning.Report(f"{what}: {error}")
