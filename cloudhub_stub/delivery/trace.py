"""What was sent to each node and what became of it, for people who watch: the last messages, without their contents.

An entry begins when its message is written for the first time, or when it ends unwritten. Its ``state``:

| state | meaning |
| --- | --- |
| ``sent`` | written, once or more, and nothing heard of it |
| ``given_up`` | not acknowledged in time; it may be sent again |
| an outcome of the ledger | it is over: ``acknowledged``, ``delivered``, ``superseded``, ``coalesced`` or ``dropped`` |

Each change of an entry is told to those who watch its node, through a bounded queue for each of them: one that reads
too slowly loses the oldest, and is told how many.
"""

import asyncio
from collections import deque
from typing import Any
from weakref import WeakSet

from cloudhub_stub.delivery.fates import Fate, GivenUp, Settled, Written
from cloudhub_stub.delivery.parcel import Parcel
from cloudhub_stub.nodes import MAX_NODES
from edgecore.clock import Clock

SENT = "sent"
GIVEN_UP = "given_up"
CAPACITY = 1000
"""How many messages that are over are kept for a node."""
CAPACITY_OF_ALL = 100_000
"""How many are kept for all nodes together: where there are many, each keeps its share."""
MAX_OPEN = 16_384
"""How many that are not over: more than a queue takes, so that none of them is forgotten."""
WATCH_CAPACITY = 1000
"""How many changes wait for one who watches."""


class _Entry:
    """One message. Only its head is kept: the parcel has the content too."""

    __slots__ = ("at_ms", "began_at", "head", "number", "reason", "sends", "state", "took_ms")

    def __init__(self, number: int, parcel: Parcel, clock: Clock) -> None:
        self.number = number
        self.head = (
            parcel.id,
            parcel.operation,
            parcel.resource,
            parcel.version,
            len(parcel.data),
            parcel.lane.value,
        )
        self.at_ms = clock.now_ms()
        self.began_at = clock.monotonic()
        self.sends = 0
        self.state = SENT
        self.took_ms: int | None = None
        self.reason = ""

    def view(self) -> dict[str, Any]:
        """Return it as JSON."""
        message_id, operation, resource, version, size, lane = self.head
        return {
            "id": message_id,
            "at_ms": self.at_ms,
            "operation": operation,
            "resource": resource,
            "resource_version": version,
            "bytes": size,
            "lane": lane,
            "state": self.state,
            "sends": self.sends,
            "took_ms": self.took_ms,
            "reason": self.reason,
        }


class _NodeTrace:
    """The entries of one node."""

    def __init__(self) -> None:
        self.open: dict[str, _Entry] = {}
        self.over: deque[_Entry] = deque()


class Watch:
    """The changes of one node's entries from now on: an asynchronous iterator, which ``close`` ends.

    Where changes were lost, an item ``{"missed": count}`` stands in their place.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[dict[str, Any]] = deque()
        self._missed = 0
        self._closed = False
        self._changed = asyncio.Event()

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._waiting and not self._missed and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        if self._closed:
            raise StopAsyncIteration
        if self._missed:
            missed, self._missed = self._missed, 0
            return {"missed": missed}
        return self._waiting.popleft()

    def close(self) -> None:
        """Watch no longer; whoever waits for the next change gets the end."""
        self._closed = True
        self._waiting.clear()
        self._changed.set()

    def put(self, item: dict[str, Any]) -> None:
        """Tell a change."""
        if self._closed:
            return
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(item)
        self._changed.set()


class Trace:
    """The record of all nodes. Used from one event loop."""

    def __init__(
        self, clock: Clock, capacity_per_node: int = CAPACITY, *, capacity_of_all: int = CAPACITY_OF_ALL
    ) -> None:
        self._clock = clock
        self._capacity = capacity_per_node
        self._capacity_of_all = capacity_of_all
        self._nodes: dict[str, _NodeTrace] = {}
        self._watches: dict[str, WeakSet[Watch]] = {}
        self._count = 0

    def note(self, node: str, fate: Fate) -> None:
        """Note what became of a message to ``node``; to be called for every fate, in order."""
        trace = self._trace(node)
        entry = trace.open.get(fate.parcel.id)
        if entry is None:
            entry = self._begin(trace, fate.parcel)
        match fate:
            case Written():
                entry.sends += 1
                entry.state = SENT
            case GivenUp():
                entry.state = GIVEN_UP
            case Settled(_, outcome, reason):
                entry.state, entry.reason = outcome, reason
                entry.took_ms = round((self._clock.monotonic() - entry.began_at) * 1000)
                self._end(trace, entry)
        for watch in list(self._watches.get(node, ())):
            watch.put(entry.view())

    def entries(self, node: str) -> list[dict[str, Any]]:
        """Return the messages to ``node``, in the order in which they were first written: all that are not over, and
        the last that are."""
        trace = self._nodes.get(node)
        if trace is None:
            return []
        return [entry.view() for entry in sorted((*trace.over, *trace.open.values()), key=lambda entry: entry.number)]

    def watch(self, node: str, *, capacity: int = WATCH_CAPACITY) -> Watch:
        """Return the changes from now on: together with ``entries``, asked for at the same moment, nothing is missing.

        To be closed when it is of no use any more; one that nobody holds ends by itself.
        """
        watch = Watch(capacity)
        watches = self._watches.setdefault(node, WeakSet())
        watches.add(watch)
        self._watches = {name: held for name, held in self._watches.items() if held}
        return watch

    def _trace(self, node: str) -> _NodeTrace:
        trace = self._nodes.pop(node, None)
        if trace is None:
            trace = _NodeTrace()
            if len(self._nodes) >= MAX_NODES:
                del self._nodes[next(iter(self._nodes))]
        self._nodes[node] = trace  # the one that was silent for longest stands first
        return trace

    def _begin(self, trace: _NodeTrace, parcel: Parcel) -> _Entry:
        self._count += 1
        if len(trace.open) >= MAX_OPEN:
            del trace.open[next(iter(trace.open))]
        entry = trace.open[parcel.id] = _Entry(self._count, parcel, self._clock)
        return entry

    def _end(self, trace: _NodeTrace, entry: _Entry) -> None:
        del trace.open[entry.head[0]]
        trace.over.append(entry)
        share = max(1, min(self._capacity, self._capacity_of_all // len(self._nodes)))
        while len(trace.over) > share:
            trace.over.popleft()
