"""Playing a recording to a connected node: one message after the other, as fast as the acknowledgements come.

A player yields what happens as JSON values, one event each:

| event | keys beside it |
| --- | --- |
| ``planned`` | ``file``, ``messages``, ``skipped_answers`` |
| ``waiting`` | ``node`` (null for any), ``wait_s``: not connected yet |
| ``started`` | ``node`` |
| ``acked``, or ``sent`` where no acknowledgement is due | ``entry``, ``operation``, ``resource``, ``number``, ``ms`` |
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
from cloudhub_stub.errors import ReplayError
from cloudhub_stub.hub import Hub
from cloudhub_stub.link import Link
from cloudhub_stub.replay import PlannedFrame, ReplayOptions, Selection, SkippedAnswer, stamped
from edgecore.errors import EdgecoreError
from edgecore.recording.reader import read_entries

log = structlog.get_logger("replay")

ACK_TIMEOUT_S = 25.0
"""How long a message may go unacknowledged; CloudHub too gives up after that time."""

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
            async with aclosing(self._send_all(link)) as events:
                async for event in events:
                    yield event
        finally:
            self._busy.discard(name)

    async def _send_all(self, link: Link) -> AsyncGenerator[Event, None]:
        plan = self._plan()
        while (planned := await asyncio.to_thread(next, plan, None)) is not None:
            if isinstance(planned, PlannedFrame):
                self._current = planned
                yield await self._send(link, planned)
                self._current = None

    async def _send(self, link: Link, planned: PlannedFrame) -> Event:
        clock = self._cloud.clock
        message = planned.message
        if not self._options.keep_ids:
            message = stamped(message, self._cloud.new_id, clock.now_ms())
        began_at = clock.monotonic()
        if planned.due_ack:
            await link.deliver(message, ACK_TIMEOUT_S)
        else:
            await link.send(message)
        self._summary["sent"] += 1
        self._summary["acked"] += planned.due_ack
        return {
            "event": "acked" if planned.due_ack else "sent",
            "entry": planned.entry,
            "operation": message.route.operation,
            "resource": message.route.resource,
            "number": self._summary["sent"],
            "ms": round((clock.monotonic() - began_at) * 1000, 3),
        }

    def _plan(self) -> Iterator[PlannedFrame | SkippedAnswer]:
        return self._selection.plan(read_entries(Path(self._options.file)))

    def _figures(self) -> Event:
        return {**self._summary, "seconds": round(self._cloud.clock.monotonic() - self._started_at, 3)}

    def _failed(self, error: EdgecoreError) -> Event:
        event = {"event": "failed", **self._figures(), "text": f"cannot replay: {error}"}
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
