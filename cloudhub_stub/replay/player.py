"""Playing a recording to a connected node: one message after the other, as fast as the acknowledgements come.

The messages go through the node's queue: sent again until they are acknowledged, also over a new connection.

A player yields what happens as JSON values, one event each:

| event | keys beside it |
| --- | --- |
| ``planned`` | ``file``, ``messages``, ``skipped_answers`` |
| ``waiting`` | ``node`` (null for any), ``wait_s``: not connected yet, or not any more |
| ``started`` | ``node`` |
| ``acked``, or ``sent`` where no acknowledgement is due | ``entry``, ``operation``, ``resource``, ``number``, ``ms`` |
| ``left_out``: a faithful stub does not send it | ``entry``, ``operation``, ``resource``, ``reason`` |
| ``finished`` | the summary |
| ``failed`` | the summary, ``text``; ``entry`` and ``resource`` if it was about one |

The summary is ``node``, ``messages``, ``sent``, ``acked``, ``skipped_answers``, ``seconds``. The last event is always
``finished`` or ``failed``.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import structlog

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.fates import Fate, GivenUp, Settled, Written
from cloudhub_stub.errors import NoAck, NodeLost, ReplayError
from cloudhub_stub.hub import Hub
from cloudhub_stub.replay.plan import PlannedFrame, ReplayOptions, Selection, SkippedAnswer, stamped
from edgecore.beehive.message import Message
from edgecore.clock import Timer
from edgecore.errors import EdgecoreError
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED
from edgecore.recording.reader import read_entries

log = structlog.get_logger("replay")

RETURN_TIMEOUT_S = 120.0
"""How long a node may be gone in the middle; a Go edge takes up to 45 s to come back."""

Event = dict[str, Any]


class Player:
    """Plays recordings; at most one to each node at a time."""

    def __init__(self, cloud: Cloud, hub: Hub) -> None:
        self._cloud = cloud
        self._hub = hub
        self._busy: set[str] = set()

    def play(self, options: ReplayOptions) -> AsyncIterator[Event]:
        """Play a recording and yield the events above.

        Raises ``ReplayError`` at once where the options make no sense; everything later is told by ``failed``.
        """
        return _Replay(self._cloud, self._hub, self._busy, options, Selection(options)).run()


class _Replay:
    """One replay."""

    def __init__(self, cloud: Cloud, hub: Hub, busy: set[str], options: ReplayOptions, selection: Selection) -> None:
        self._cloud = cloud
        self._hub = hub
        self._busy = busy
        self._options = options
        self._selection = selection
        self._started_at = cloud.clock.monotonic()
        self._summary: Event = {"node": options.node, "messages": 0, "sent": 0, "acked": 0, "skipped_answers": 0}
        self._current: PlannedFrame | None = None

    async def run(self) -> AsyncGenerator[Event, None]:
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    yield event
        except EdgecoreError as error:
            yield self._failed(error)
        else:
            yield {"event": "finished", **self._figures()}
            log.info("replay_finished", **self._figures())

    async def _events(self) -> AsyncGenerator[Event, None]:
        # Planned twice: once to find what is wrong, and how much there is, before anything is sent; then to send it
        # message by message, so that the recording never lies in memory as a whole.
        messages, skipped = await asyncio.to_thread(_count, self._plan())
        self._summary |= {"messages": messages, "skipped_answers": skipped}
        yield {"event": "planned", "file": self._options.file, "messages": messages, "skipped_answers": skipped}
        if not messages:
            raise ReplayError(f"no message to an edge is selected in {self._options.file}")
        if self._hub.find(self._options.node) is None:
            yield {"event": "waiting", "node": self._options.node, "wait_s": self._options.wait_s}
        link = await self._hub.wait_for(self._options.node, self._options.wait_s)
        name = self._summary["node"] = link.node.name
        if name in self._busy:
            raise ReplayError(f"another recording is being played to {name}")
        self._busy.add(name)
        try:
            yield {"event": "started", "node": name}
            self._started_at = self._cloud.clock.monotonic()
            log.info("replay_started", node=name, file=self._options.file, messages=messages)
            async with aclosing(self._send_all(name)) as events:
                async for event in events:
                    yield event
        finally:
            self._busy.discard(name)

    async def _send_all(self, node: str) -> AsyncGenerator[Event, None]:
        plan = self._plan()
        while (planned := await asyncio.to_thread(next, plan, None)) is not None:
            if isinstance(planned, PlannedFrame):
                self._current = planned
                async with aclosing(self._send(node, planned)) as events:
                    async for event in events:
                        yield event
                self._current = None

    async def _send(self, node: str, planned: PlannedFrame) -> AsyncGenerator[Event, None]:
        clock, route = self._cloud.clock, planned.message.route
        message = planned.message
        if not self._options.keep_ids:
            message = stamped(message, self._cloud.new_id, clock.now_ms())
        shown = {"entry": planned.entry, "operation": route.operation, "resource": route.resource}
        began_at = clock.monotonic()
        async with aclosing(self._fates(node, message)) as fates:
            async for fate in fates:
                if fate is None:
                    yield {"event": "waiting", "node": node, "wait_s": RETURN_TIMEOUT_S}
                    continue
                reason = self._judge(node, fate, due_ack=planned.due_ack)
                if reason is None:
                    continue
                if reason:
                    yield {"event": "left_out", **shown, "reason": reason}
                    return
                break
        self._summary["sent"] += 1
        self._summary["acked"] += planned.due_ack
        yield {
            "event": "acked" if planned.due_ack else "sent",
            **shown,
            "number": self._summary["sent"],
            "ms": round((clock.monotonic() - began_at) * 1000, 3),
        }

    def _judge(self, node: str, fate: Fate, *, due_ack: bool) -> str | None:
        """Return why a message is not sent, the empty text where it is through, ``None`` where it is neither yet.

        Raises ``NoAck``.
        """
        match fate:
            case Written():
                return None if due_ack else ""
            case GivenUp() | Settled(outcome="delivered") if due_ack:
                patience_s = self._cloud.delivery.rules.timing.give_up_after_s
                raise NoAck(f"no acknowledgement from {node} in {patience_s:g} s: is the edge running?")
            case Settled(_, outcome, reason):
                return "" if outcome in {ACKNOWLEDGED, DELIVERED} else reason
        return None

    async def _fates(self, node: str, message: Message) -> AsyncGenerator[Fate | None, None]:
        """Queue ``message`` and yield what becomes of it, and ``None`` when the node is gone.

        Raises ``NodeLost`` when it stays away. A message that is not through when the caller goes is taken back,
        unless it was given up, or was there before under that id: somebody was told that it would not be lost.
        """
        delivery, message_id = self._cloud.delivery, message.header.id
        happened: asyncio.Queue[Fate | bool | NodeLost] = asyncio.Queue()
        observer = happened.put_nowait
        timer: Timer | None = None
        last: Fate | None = None
        with self._hub.watch(node, happened.put_nowait):
            is_ours = not delivery.holds(node, message_id)
            # Not on disk: a replay does not outlive the stub, and says so to whoever waits for it.
            await delivery.accept(node, [message], durable=False, observer=observer)
            try:
                if self._hub.find(node) is None:
                    happened.put_nowait(False)
                while True:
                    event = await happened.get()
                    if isinstance(event, NodeLost):
                        raise event
                    if isinstance(event, bool):
                        if timer is not None:
                            timer.cancel()
                            timer = None
                        if not event:
                            timer = self._too_late(node, happened)
                            yield None
                        continue
                    last = event
                    yield event
            finally:
                if timer is not None:
                    timer.cancel()
                delivery.forget_observer(node, message_id, observer)
                if is_ours and not isinstance(last, GivenUp):
                    delivery.withdraw(node, message_id)

    def _too_late(self, node: str, happened: "asyncio.Queue[Fate | bool | NodeLost]") -> Timer:
        clock = self._cloud.clock
        lost = NodeLost(f"{node} is gone, and was not back within {RETURN_TIMEOUT_S:g} s")
        return clock.call_at(clock.monotonic() + RETURN_TIMEOUT_S, lambda: happened.put_nowait(lost))

    def _plan(self) -> Iterator[PlannedFrame | SkippedAnswer]:
        return self._selection.plan(read_entries(Path(self._options.file)))

    def _figures(self) -> Event:
        return {**self._summary, "seconds": round(self._cloud.clock.monotonic() - self._started_at, 3)}

    def _failed(self, error: EdgecoreError) -> Event:
        text = str(error)
        text = text if text.startswith("cannot ") else f"cannot replay: {text}"
        event = {"event": "failed", **self._figures(), "text": text}
        if self._current is not None:
            route = self._current.message.route
            event |= {"entry": self._current.entry, "resource": route.resource}
            what = f"entry {self._current.entry} ({route.operation} {route.resource})"
            event["text"] = f"cannot replay {what}: {error}"
        log.warning("replay_failed", **{name: value for name, value in event.items() if name != "event"})
        return event


def _count(plan: Iterator[PlannedFrame | SkippedAnswer]) -> tuple[int, int]:
    """Return how many messages and how many skipped answers are planned."""
    counts = {PlannedFrame: 0, SkippedAnswer: 0}
    for planned in plan:
        counts[type(planned)] += 1
    return counts[PlannedFrame], counts[SkippedAnswer]
