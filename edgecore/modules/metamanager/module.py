"""MetaManager on the bus: takes messages in order, has their rows committed in groups, then does the rest in order.

::

    mailbox ──▶ plan ──▶ rows on their way ──▶ commit (shared by all that wait) ──▶ forward, answer, acknowledge

Up to ``IN_FLIGHT`` messages lie between plan and commit; queries are answered at once and see those rows. A message of
the cloud that was applied before is acknowledged at its place, and nothing else. Each message is closed in the ledger.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from edgecore.beehive.message import Message, with_sync
from edgecore.beehive.port import Port
from edgecore.beehive.resource import EDGEHUB, EDGEMESH, GROUP_MESH, GROUP_META, METAMANAGER
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import BusClosed, BusError, ContentError, MailboxFull, StoreError
from edgecore.modules.metamanager import endings
from edgecore.modules.metamanager.answers import Answers
from edgecore.modules.metamanager.applied import KEPT, AppliedIds, Progress, State
from edgecore.modules.metamanager.endings import Ending, ending_of
from edgecore.modules.metamanager.plan import plan, wrong_content
from edgecore.modules.metamanager.podreports import PodReports
from edgecore.modules.metamanager.questions import Questions
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    AskCloud,
    AskEdged,
    Connection,
    Fault,
    Forward,
    Plan,
    Reply,
    Report,
    ReportPods,
    Show,
    Step,
    ToCloud,
)
from edgecore.modules.metamanager.tables import MetaTable, Origin, Watcher, newest_applied, origin_of
from edgecore.modules.metamanager.underway import Work
from edgecore.modules.metamanager.volumes import Volumes
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Statement, Store

log = structlog.get_logger("metamanager")

IN_FLIGHT = 1024
"""Messages whose rows may wait for their commit."""
POD_STATUS_SYNC_S = 60.0


class _Accepted(NamedTuple):
    message: Message
    steps: tuple[Step, ...]
    written: asyncio.Future[None] | None = None
    progress: Progress | None = None
    """Of a message of the cloud that is acknowledged when it is done."""
    again: bool = False
    """``progress`` is that of the same message, which came before."""


class MetaManager:
    """The module ``metaManager``."""

    name = METAMANAGER
    group = GROUP_META

    def __init__(
        self,
        port: Port,
        store: Store,
        metrics: Metrics,
        *,
        ledger: Ledger,
        hub: str = EDGEHUB,
        hub_group: str = "hub",
        pod_status_sync_s: float = POD_STATUS_SYNC_S,
    ) -> None:
        self._port = port
        self._store = store
        self._metrics = metrics
        self._ledger = ledger
        self._table = MetaTable(store)
        self._applied = AppliedIds()
        self._answers = Answers(port, self._table, hub_group)
        self._questions = Questions(
            port,
            self._table,
            self._applied,
            self._answers,
            metrics=metrics,
            hub=hub,
            carry_through=self._carry_through,
        )
        self._volumes = Volumes(port, self._answers, self._carry_through)
        self._connected = self._halted = False
        self._unchanged = 0
        self._pod_reports = PodReports(
            port,
            self._table,
            self._answers,
            metrics,
            every_s=pod_status_sync_s,
            connected=lambda: self._connected,
        )
        self._accepted: asyncio.Queue[_Accepted] = asyncio.Queue(IN_FLIGHT)
        self._in_hand: set[str] = set()
        self._settler: asyncio.Task[None] | None = None
        ledger.hold(DOWN, lambda _, message_id: message_id in self._in_hand or port.holds(message_id))

    async def start(self) -> None:
        """Remember what was applied before the node was started again."""
        try:
            self._applied.load(newest_applied(self._store, KEPT))
        except StoreError as error:  # what the cloud sends again is applied again: no reason not to run
            log.error("applied_messages_not_remembered", error=str(error))

    async def run(self) -> None:
        """Take messages until the bus is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._settler = tasks.create_task(self._settle_in_order(), name="metamanager settle")
                syncing = tasks.create_task(self._pod_reports.run(), name="metamanager podstatus")
                async for message in self._port:
                    if self._halted:  # it is not acknowledged, so the cloud sends it again
                        await self._accepted.join()
                        break
                    await self._take(message)
                self._settler.cancel()
                syncing.cancel()
        except asyncio.CancelledError:
            self._give_up()
            raise
        self._give_up()

    async def reload(self, config: EdgeCoreConfig) -> None:
        """Go by ``podStatusSyncInterval`` as it is now."""
        self._pod_reports.every(config.modules.meta_manager.pod_status_sync_interval)

    async def stop(self) -> None:
        """Wait until what was taken is committed and acknowledged; give up questions to the cloud and to edged."""
        self._halted = True
        if self._settler is not None and not self._settler.done():
            await self._accepted.join()
            self._settler.cancel()
        await self._questions.stop()
        await self._volumes.stop()

    def status(self) -> dict[str, Any]:
        """Return the number of rows by type, how many were not written again, and whether the cloud is there."""
        return {
            "connected": self._connected,
            "rows": self._rows(),
            "rows_unchanged": self._unchanged + self._store.statistics().unchanged,
            "in_flight": self._accepted.qsize(),
            "asking_cloud": len(self._questions),
            "volume_operations": len(self._volumes),
            "applied_remembered": len(self._applied),
        }

    def watch(self, see: Watcher) -> Callable[[], None]:
        """Have ``see`` called with each change of a row once it is on disk; return what ends that."""
        self._table.watchers.append(see)
        return lambda: self._table.watchers.remove(see)

    def _rows(self) -> dict[str, int] | None:
        try:
            return self._table.counts()
        except StoreError as error:  # a status is wanted most when something is wrong
            log.warning("rows_not_counted", error=str(error))
            return None

    # Taking.

    async def _take(self, message: Message) -> None:
        self._in_hand.add(message.header.id)
        accepted: _Accepted | None = None
        try:
            accepted = self._accept(message)
            if accepted.progress is not None or accepted.written is not None or _keeps_its_place(accepted.steps):
                await self._accepted.put(accepted)
                return
        except BaseException:
            if accepted is not None:
                self._lose(accepted)
            self._close(message, endings.INTERRUPTED)
            raise
        await self._carry_through(message, self._finish(message, accepted.steps))

    def _accept(self, message: Message) -> _Accepted:
        """Decide what is to be done with ``message``, and send its rows on their way."""
        message_id = message.header.id
        known = self._applied.find(message_id)
        if known is not None:
            known.behind += 1
            steps = () if known.state is State.DONE else self._plan(message).steps
            return _Accepted(message, steps, None, known, again=True)
        decided = self._plan(message)
        if _is_acknowledged(decided.steps):
            committed = self._table.write(decided.changes, self._origin(message), self._applied.statements(message_id))
            return _Accepted(message, decided.steps, committed, self._applied.take(message_id))
        also: tuple[Statement, ...] = ()
        if any(isinstance(step, ToCloud) and step.durable for step in decided.steps):
            try:
                also = (outbox.keep(with_sync(message, False)),)
            except ContentError as error:
                decided = wrong_content(error)
        written = None
        if decided.changes or also:
            written = self._table.write(decided.changes, self._origin(message), also)
        self._unchanged += decided.unchanged
        return _Accepted(message, decided.steps, written)

    def _origin(self, message: Message) -> Origin:
        return origin_of(message, self._port.clock.now_ms())

    def _plan(self, message: Message) -> Plan:
        try:
            return plan(message, self._table.value, connected=self._connected)
        except StoreError as error:
            return Plan(steps=(Report(self._answers.refusal(message, error, what="query")),))

    # Settling.

    async def _settle_in_order(self) -> None:
        while True:
            accepted = await self._accepted.get()
            progress = accepted.progress
            if progress is None:
                work = self._settle(accepted)
            elif accepted.again:
                work = self._settle_again(accepted, progress)
            else:
                work = self._apply(accepted, progress)
            try:
                await self._carry_through(accepted.message, work)
            finally:
                self._accepted.task_done()

    async def _settle(self, accepted: _Accepted) -> Ending | None:
        if accepted.written is not None:
            await accepted.written
        return await self._finish(accepted.message, accepted.steps)

    async def _finish(self, message: Message, steps: tuple[Step, ...]) -> Ending | None:
        await self._do(message, steps)
        return ending_of(message.route.operation, steps)

    async def _apply(self, accepted: _Accepted, progress: Progress) -> Ending:
        """Do a message of the cloud, and acknowledge it. From then on it is done, even if the ack cannot leave."""
        message, steps, written = accepted.message, accepted.steps, accepted.written
        done = False
        try:
            if written is not None:
                await written
                progress.state = State.STORED
            await self._do(message, steps)
            done = True
        finally:
            self._applied.settle(message.header.id, progress, done=done)
        await self._answers.acknowledge(message)
        return endings.WAS_ACKNOWLEDGED

    async def _settle_again(self, accepted: _Accepted, progress: Progress) -> Ending | None:
        """Do what is left to do of a message that came before."""
        progress.behind -= 1
        match progress.state:
            case State.DONE:
                await self._answers.acknowledge(accepted.message)
                return endings.SEEN_BEFORE
            case State.UNDONE if _is_acknowledged(accepted.steps):
                return await self._apply(accepted, progress)
            case State.UNDONE | State.LOST:
                return endings.FIRST_NOT_SETTLED
            case _:  # an answer to a question of ours, which does not pass through here
                return endings.UNDER_WAY

    async def _do(self, message: Message, steps: tuple[Step, ...]) -> None:
        """Do ``steps``, but for the acknowledgement, which is for when all else is done.

        Raises ``StoreError``, ``BusError``.
        """
        for step in steps:
            match step:
                case Forward(module):
                    await self._port.send(module, message)
                case Show():
                    await self._show(message)
                case Acknowledge():
                    pass
                case ToCloud(durable):
                    await self._answers.to_cloud(message, durable=durable)
                case Reply(content):
                    await self._answers.reply(message, content)
                case AnswerLocally(key, row_type, namespace):
                    await self._answers.reply_with_rows(message, key, row_type, namespace)
                case AskCloud():
                    self._questions.ask(message)
                case AskEdged():
                    self._volumes.ask(message)
                case ReportPods():
                    self._pod_reports.now()
                case Connection(connected):
                    self._connected = connected
                case Report(text):
                    await self._answers.report(message, text)
                case Fault(reason, detail):
                    self._count(message, reason, detail)

    async def _show(self, message: Message) -> None:
        """Send EdgeMesh what is not for it. That it has no room for it costs nobody else anything."""
        if self._port.has_group(GROUP_MESH):
            with contextlib.suppress(MailboxFull):  # counted and logged by the bus
                await self._port.send(EDGEMESH, with_sync(message, False))

    def _count(self, message: Message, reason: str, detail: str) -> None:
        self._metrics.bad_input(
            METAMANAGER,
            reason,
            peer=message.route.source or "unknown",
            id=message.header.id,
            operation=message.route.operation,
            resource=message.route.resource,
            detail=detail,
        )

    # Ending.

    async def _carry_through(self, message: Message, work: Work) -> None:
        """Await ``work`` on ``message``, and close the book on it.

        Where the file refuses, who asked is told. A neighbour that takes nothing costs this message, not the module: it
        is not acknowledged.
        """
        ending: Ending | None = endings.INTERRUPTED
        try:
            try:
                ending = await work
            except StoreError as error:
                await self._answers.report(message, self._answers.refusal(message, error))
                ending = endings.STORE_REFUSED
        except BusClosed:
            ending = endings.STOPPING
        except BusError as error:
            ending = endings.MAILBOX_FULL if isinstance(error, MailboxFull) else endings.BUS_REFUSED
            log.error(
                "message_not_settled",
                id=message.header.id,
                resource=message.route.resource,
                error=str(error),
            )
        finally:
            if ending is not None:
                self._close(message, ending)

    def _close(self, message: Message, ending: Ending) -> None:
        self._in_hand.discard(message.header.id)
        self._ledger.close(DOWN, message.header.id, ending.outcome, ending.reason)

    def _give_up(self) -> None:
        """The node stops: nothing that waits here will be settled, nor acknowledged."""
        while not self._accepted.empty():
            accepted = self._accepted.get_nowait()
            self._accepted.task_done()
            self._lose(accepted)
            self._close(accepted.message, endings.STOPPING)

    def _lose(self, accepted: _Accepted) -> None:
        if accepted.progress is None:
            return
        if accepted.again:
            accepted.progress.behind -= 1
        else:
            self._applied.settle(accepted.message.header.id, accepted.progress, done=False)


def _is_acknowledged(steps: tuple[Step, ...]) -> bool:
    """Whether a message of these steps is one of the cloud; the acknowledgement is the last of them."""
    return bool(steps) and isinstance(steps[-1], Acknowledge)


def _keeps_its_place(steps: tuple[Step, ...]) -> bool:
    """Whether a message without rows must not overtake those that wait for theirs."""
    return any(isinstance(step, Forward | ToCloud | AskEdged) for step in steps)
