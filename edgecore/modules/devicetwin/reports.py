"""Reports that the cloud has not confirmed: which are sent again, and when one is given up (pure; spec 7.3).

A cloud of KubeEdge before 1.4 confirms nothing. Go sends all it ever sent again, every 60 s and without end (bug W4).
Here a report is sent again only so many times, in the order in which the reports were made and under the ids they had;
one that a later report of the same resource makes stale is forgotten, and so are those of a device that is gone.
Nothing is sent while the link is down: EdgeHub holds what was not delivered then.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from edgecore.beehive.message import Message

IDLE_S = 60.0
"""After so long without a report or a confirmation all that are not confirmed are sent again."""
CAPACITY = 1024
"""Reports that are remembered."""
NOT_CONFIRMED = "not_confirmed"
SUPERSEDED = "superseded"
DEVICE_GONE = "device_gone"
TOO_MANY = "too_many"


@dataclass(slots=True)
class _Sent:
    message: Message
    says: frozenset[str]
    resent: int = 0


class Round(NamedTuple):
    """What is to be done after a time of quiet."""

    again: tuple[Message, ...] = ()
    given_up: tuple[Message, ...] = ()


class Reports:
    """What was sent to the cloud and not confirmed, the oldest first."""

    def __init__(self, resends: int, idle_s: float = IDLE_S, capacity: int = CAPACITY) -> None:
        self._resends = resends
        self._idle_s = idle_s
        self._capacity = capacity
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._of: dict[str, dict[str, None]] = {}
        """The ids of each resource, the oldest first."""
        self._quiet_since: float | None = None
        self.confirmed = 0
        self.resent = 0
        self.forgotten = dict.fromkeys((NOT_CONFIRMED, SUPERSEDED, DEVICE_GONE, TOO_MANY), 0)
        """How many were given up, by reason."""

    def __len__(self) -> int:
        return len(self._sent)

    def linked(self, connected: bool, now: float) -> None:
        """The link came up or went down. (``now``, as everywhere here: ``monotonic`` seconds.)"""
        self._quiet_since = now if connected else None

    def sent(self, message: Message, says: frozenset[str], now: float) -> None:
        """Remember ``message``, which is on its way."""
        resource = message.route.resource
        self._forget([one for one in self._of.get(resource, ()) if self._sent[one].says <= says], SUPERSEDED)
        if len(self._sent) >= self._capacity:
            self._forget([next(iter(self._sent))], TOO_MANY)
        self._sent[message.header.id] = _Sent(message, says)
        self._of.setdefault(resource, {})[message.header.id] = None
        self._stirred(now)

    def confirm(self, message_id: str, now: float) -> bool:
        """The cloud answered ``message_id``; return whether that was a report not confirmed yet.

        It has what was told before as well, for all goes in order: what this one made stale must not come after it.
        """
        one = self._sent.get(message_id)
        if one is None:
            return False
        before = takewhile(message_id.__ne__, self._of[one.message.route.resource])
        self._forget([older for older in before if self._sent[older].says & one.says], SUPERSEDED)
        self._take_out(message_id)
        self.confirmed += 1
        self._stirred(now)
        return True

    def device_gone(self, device_id: str) -> None:
        """Forget what was told of a device: the cloud knows it no more."""
        begins = f"device/{device_id}/"
        for resource in [resource for resource in self._of if resource.startswith(begins)]:
            self._forget(list(self._of[resource]), DEVICE_GONE)

    def due_at(self) -> float | None:
        """Return when the next round is due if nothing stirs until then; ``None``: there is nothing to send again."""
        return None if self._quiet_since is None or not self._sent else self._quiet_since + self._idle_s

    def round(self, now: float) -> Round:
        """Return what is to be sent again and what is given up, if a round is due."""
        due = self.due_at()
        if due is None or now < due:
            return Round()
        given_up = [one for one in self._sent.values() if one.resent >= self._resends]
        self._forget([one.message.header.id for one in given_up], NOT_CONFIRMED)
        again = tuple(self._sent.values())
        for one in again:
            one.resent += 1
        self.resent += len(again)
        self._stirred(now)
        return Round(tuple(one.message for one in again), tuple(one.message for one in given_up))

    def _stirred(self, now: float) -> None:
        if self._quiet_since is not None:
            self._quiet_since = now

    def _forget(self, message_ids: list[str], reason: str) -> None:
        for message_id in message_ids:
            self._take_out(message_id)
        self.forgotten[reason] += len(message_ids)

    def _take_out(self, message_id: str) -> None:
        resource = self._sent.pop(message_id).message.route.resource
        del self._of[resource][message_id]
        if not self._of[resource]:
            del self._of[resource]
