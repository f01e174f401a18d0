"""What comes while EdgeMesh still finds out what there was: the newest change of each thing, to be applied later.

The mailbox is emptied into it all the time, so it has to be bounded by itself. What is dropped is not lost: MetaManager
stores a change before it hands it on, so that who asks MetaManager after the drop learns of it.
"""

from typing import NamedTuple

from edgecore.beehive.resource import ENDPOINTS, POD, PODLIST, SERVICE
from edgecore.modules.edgemesh.msgprocess import (
    EndpointsChanged,
    EndpointsDeleted,
    Keyed,
    PodChanged,
    PodDeleted,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey


class Waiting(NamedTuple):
    """A change, and the resource of the message that brought it."""

    change: Keyed
    resource: str


class Backlog:
    """Changes in the order of their last arrival, at most ``limit``.

    A thing is a service, its pods, its endpoints, or a pod of this node. A deletion replaces what came before it, and
    the other way round.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[tuple[str, ServiceKey | PodKey], Waiting] = {}
        self.overflowed = False
        """Set when changes were dropped; cleared by who will ask MetaManager for everything."""
        self.dropped = 0
        """How many changes were dropped since the start."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, change: Keyed, resource: str) -> int:
        """Keep a change instead of an earlier one of the same thing.

        Where there would be more than ``limit``, all are dropped; return how many that were, or 0.
        """
        thing = (_KINDS[type(change)], change.key)
        self._waiting.pop(thing, None)
        self._waiting[thing] = Waiting(change, resource)
        if len(self._waiting) <= self._limit:
            return 0
        dropped = len(self._waiting)
        self._waiting.clear()
        self.overflowed = True
        self.dropped += dropped
        return dropped

    def take(self) -> tuple[Waiting, ...]:
        """Return what waits, and keep it no longer."""
        waiting = tuple(self._waiting.values())
        self._waiting.clear()
        return waiting


_KINDS: dict[type[Keyed], str] = {
    ServiceChanged: SERVICE,
    ServiceDeleted: SERVICE,
    PodsChanged: PODLIST,
    PodsDeleted: PODLIST,
    EndpointsChanged: ENDPOINTS,
    EndpointsDeleted: ENDPOINTS,
    PodChanged: POD,
    PodDeleted: POD,
}
