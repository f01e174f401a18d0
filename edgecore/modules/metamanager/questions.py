"""Questions that MetaManager asks the cloud for others, each in a task of its own."""

import structlog

from edgecore.beehive.message import Message, content_json, content_value, with_id, with_sync
from edgecore.beehive.port import Port
from edgecore.beehive.resource import ERROR, METAMANAGER, RESPONSE
from edgecore.errors import BusClosed, BusError, ContentError, StoreError
from edgecore.modules.metamanager.answers import Answers
from edgecore.modules.metamanager.applied import AppliedIds, State
from edgecore.modules.metamanager.endings import Ending
from edgecore.modules.metamanager.plan import is_kept
from edgecore.modules.metamanager.steps import Put
from edgecore.modules.metamanager.tables import MetaTable, origin_of
from edgecore.modules.metamanager.underway import CarryThrough, UnderWay
from edgecore.observe.ledger import DELIVERED
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("metamanager")

REMOTE_QUERIES = 64
"""Questions that may wait for the cloud's answer at one time (bug M7: Go sets no bound)."""
REMOTE_TIMEOUT_S = 30.0
"""How long the cloud may take. Who asks waits 60 s, so that the row we have instead still finds them waiting (bug M7);
a cloudcore gives an answer up 25 s after it was first sent.
"""


class Questions:
    """The questions under way."""

    def __init__(
        self,
        port: Port,
        table: MetaTable,
        applied: AppliedIds,
        answers: Answers,
        *,
        metrics: Metrics,
        hub: str,
        carry_through: CarryThrough,
    ) -> None:
        self._port = port
        self._table = table
        self._applied = applied
        self._answers = answers
        self._metrics = metrics
        self._hub = hub
        self._asking = UnderWay(carry_through)

    def __len__(self) -> int:
        return len(self._asking)

    def ask(self, request: Message) -> None:
        """Begin to ask the cloud what ``request`` asks."""
        if len(self._asking) < REMOTE_QUERIES:
            work = self._answer_from_cloud(request)
        else:
            log.warning("remote_query_refused", resource=request.route.resource, limit=REMOTE_QUERIES)
            work = self._answer_from_rows(request)
        self._asking.begin(request, work)

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._asking.stop()

    async def _answer_from_rows(self, request: Message) -> Ending:
        await self._answers.reply_with_rows(request, request.route.resource, "", "")
        return Ending(DELIVERED)

    async def _answer_from_cloud(self, request: Message) -> Ending:
        """Ask the cloud under an id of our own; store what it says, hand it on, acknowledge it.

        If it says nothing, or nothing that can be kept, the row we have is better than no answer.
        """
        question = with_sync(with_id(request, self._port.new_id()), False)
        try:
            answer = await self._port.send_sync(self._hub, question, REMOTE_TIMEOUT_S)
            if answer.route.operation == ERROR:
                return await self._go_without(request, answer)
            changes = _changes(request, answer)
        except BusClosed:
            raise
        except (BusError, ContentError) as error:
            return await self._do_without(request, error)
        return await self._apply(request, answer, changes)

    async def _apply(self, request: Message, answer: Message, changes: tuple[Put, ...]) -> Ending:
        """Store ``answer``, its id with it: the cloud repeats it until it sees the acknowledgement."""
        answer_id = answer.header.id
        progress = self._applied.take(answer_id)
        done = False
        try:
            try:
                origin = origin_of(answer, self._port.clock.now_ms())
                await self._table.write(changes, origin, self._applied.statements(answer_id))
            except StoreError as error:
                return await self._do_without(request, error)
            progress.state = State.STORED
            await self._hand_on(request, answer, kept=bool(changes))
            done = True
        finally:
            self._applied.settle(answer_id, progress, done=done)
        await self._answers.acknowledge(answer)
        return Ending(DELIVERED)

    async def _hand_on(self, request: Message, answer: Message, *, kept: bool) -> None:
        if kept:
            await self._answers.reply(request, answer.content, (answer.route.source, answer.route.group))
            return
        header, resource = answer.header, request.route.resource
        self._metrics.bad_input(METAMANAGER, "wrong_answer", peer="cloud", id=header.id, resource=resource)
        await self._answer_from_rows(request)

    async def _go_without(self, request: Message, answer: Message) -> Ending:
        """The cloud says that there is no such object (no cloudcore does that): nobody need wait, nor acknowledge."""
        log.info("remote_query_denied", resource=request.route.resource, reason=str(content_value(answer))[:200])
        return await self._answer_from_rows(request)

    async def _do_without(self, request: Message, error: Exception) -> Ending:
        log.warning("remote_query_failed", resource=request.route.resource, error=str(error))
        return await self._answer_from_rows(request)


def _changes(request: Message, answer: Message) -> tuple[Put, ...]:
    """Return the row that ``answer`` is worth, if any. Raises ``ContentError``."""
    resource = request.route.resource
    value = content_json(answer).decode()
    if answer.route.operation != RESPONSE or not is_kept(value):
        return ()
    return (Put(resource, resource.split("/")[1], value),)
