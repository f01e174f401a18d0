"""Which clients have a flow at which door, those that have been silent the longest first (pure).

Flows are limited in all, and at one door, so that one service leaves room for the others. Where there is no room, the
flow that has been silent the longest makes some, one that nobody ever answered before any other: a flood of forged
senders ends its own flows first. A flow that was used a moment ago is spared; then the new one is refused.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Any, Generic, Protocol, TypeVar

Client = tuple[Any, ...]
"""A socket address."""

SPARED_S = 1.0
"""A flow that is silent for less than this does not make room for another."""
LOOK_S = 5.0
"""Flows are looked at so often at least: how long they may be silent changes with the policy."""


class Kept(Hashable, Protocol):
    """A flow, as the table sees it."""

    client: Client
    used_at: float
    """When the last datagram went either way. The table sets it."""
    answered: bool
    """Whether the host has ever answered. The table sets it."""

    @property
    def silence_s(self) -> float:
        """How long it may be silent."""

    def expire(self) -> None:
        """End because it was silent for too long; ``FlowTable.remove`` follows from it."""

    def evict(self) -> None:
        """End because another one needs the room; ``FlowTable.remove`` follows from it."""


F = TypeVar("F", bound=Kept)


class Order(Generic[F]):
    """Flows, those that have been silent the longest first; those that were never answered apart from the others."""

    def __init__(self) -> None:
        self.unanswered: OrderedDict[F, None] = OrderedDict()
        self.answered: OrderedDict[F, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.unanswered) + len(self.answered)

    def add(self, flow: F) -> None:
        """Take in a flow that is not answered yet."""
        self.unanswered[flow] = None

    def remove(self, flow: F) -> None:
        """Forget a flow."""
        del (self.answered if flow.answered else self.unanswered)[flow]

    def used(self, flow: F) -> None:
        """Take note that a datagram went either way."""
        (self.answered if flow.answered else self.unanswered).move_to_end(flow)

    def first_reply(self, flow: F) -> None:
        """Take note that a flow counts as answered from now on."""
        del self.unanswered[flow]
        self.answered[flow] = None

    def end_one(self, now: float) -> bool:
        """End the flow that can be missed most. False: all were used a moment ago."""
        for flows in (self.unanswered, self.answered):
            oldest = next(iter(flows), None)
            if oldest is not None and now - oldest.used_at >= SPARED_S:
                oldest.evict()
                return True
        return False


class FlowTables(Generic[F]):
    """What the tables of all doors have in common: the limits, and the order of all flows."""

    def __init__(self, max_flows: int, max_door_share: float) -> None:
        self.max_flows = max_flows
        self.max_flows_per_door = max(1, int(max_flows * max_door_share))
        self.order = Order[F]()

    @property
    def flows(self) -> int:
        """How many there are in all."""
        return len(self.order)

    def open(self) -> "FlowTable[F]":
        """Return the table of one more door."""
        return FlowTable(self)


class FlowTable(Generic[F]):
    """The flows of one door. Made by ``FlowTables.open``."""

    def __init__(self, tables: FlowTables[F]) -> None:
        self._tables = tables
        self._flows: dict[Client, F] = {}
        self._order = Order[F]()
        self._all = tables.order
        self.find = self._flows.get
        """Returns the flow of a client, or ``None``."""

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[F]:
        return iter(tuple(self._flows.values()))

    def make_room(self, now: float) -> bool:
        """See that one more flow fits, ending another if need be. False: it does not, and none can be ended."""
        if len(self) >= self._tables.max_flows_per_door:
            return self._order.end_one(now)
        return self._tables.flows < self._tables.max_flows or self._all.end_one(now)

    def add(self, flow: F, now: float) -> None:
        """Take in a flow of a client that has none."""
        flow.used_at = now
        flow.answered = False
        self._flows[flow.client] = flow
        self._order.add(flow)
        self._all.add(flow)

    def remove(self, flow: F) -> None:
        """Forget a flow."""
        if self._flows.get(flow.client) is flow:
            del self._flows[flow.client]
            self._order.remove(flow)
            self._all.remove(flow)

    def used(self, flow: F, now: float) -> None:
        """Take note that a datagram of its client went through."""
        flow.used_at = now
        self._order.used(flow)
        self._all.used(flow)

    def replied(self, flow: F, now: float) -> bool:
        """Take note that its host answered; say whether that was the first time."""
        if flow.answered:
            self.used(flow, now)
            return False
        flow.used_at = now
        flow.answered = True
        self._order.first_reply(flow)
        self._all.first_reply(flow)
        return True

    def expire(self, now: float) -> float | None:
        """End the flows that were silent for too long. Return when to look again; ``None``: there are no others."""
        again = None
        for flows in (self._order.unanswered, self._order.answered):
            while flows:
                flow = next(iter(flows))
                due = flow.used_at + flow.silence_s
                if due > now:
                    again = due if again is None else min(again, due)
                    break
                flow.expire()
        return again if again is None else min(again, now + LOOK_S)
