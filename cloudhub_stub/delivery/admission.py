"""What CloudHub of 1.3.1 lets into a node's queue, its mistakes included (pure; for ``--faithful``).

By default the stub queues what it is told to send: ``ack_lane.py`` compares versions as numbers, and only with what is
still on its way. Here are the rules of the original
(``kubeedge cloud/pkg/cloudhub/channelq/channelq.go:91-145@v1.3.1``):

| message | |
| --- | --- |
| of the list class | let in |
| without resource version, and no delete | dropped (bug H9) |
| of another group than ``resource``, or without type, namespace and name | dropped |
| a delete, or an object with a deletion timestamp | let in |
| of an object whose version, as text, is not above that of the last one let in (H11), given up or not (H5) | dropped |
| of an object whose last message was a delete that is not acknowledged yet | dropped |
"""

from cloudhub_stub.delivery.parcel import Lane, Parcel
from edgecore.beehive.resource import DELETE, GROUP_RESOURCE, parse_edge

MAX_OBJECTS = 100_000
"""How many objects of a node are remembered; beyond that the oldest is forgotten (Go forgets none)."""


class FaithfulAdmission:
    """The rules for one node, and what they go by: the last message let in of each object, acknowledged or not."""

    def __init__(self) -> None:
        self._stored: dict[str, Parcel] = {}

    def refusal(self, parcel: Parcel) -> str:
        """Let ``parcel`` in, or return why not: a fixed snake_case word."""
        if parcel.lane is Lane.LIST:
            return ""
        if not parcel.version and not parcel.is_ending:
            return "no_version"
        resource = parse_edge(parcel.resource)
        if parcel.group != GROUP_RESOURCE or resource is None or not resource.name:
            return "no_message_key"
        stored = self._stored.get(parcel.resource)
        if stored is not None and not parcel.is_ending and (stored.is_ending or parcel.version <= stored.version):
            return "stale_version"
        self._remember(parcel)
        return ""

    def acknowledged(self, parcel: Parcel) -> None:
        """A delete that was acknowledged is forgotten; an object that was acknowledged is not."""
        stored = self._stored.get(parcel.resource)
        if parcel.operation == DELETE and stored is not None and stored.id == parcel.id:
            del self._stored[parcel.resource]

    def _remember(self, parcel: Parcel) -> None:
        self._stored.pop(parcel.resource, None)
        while len(self._stored) >= MAX_OBJECTS:
            del self._stored[next(iter(self._stored))]
        self._stored[parcel.resource] = parcel._replace(data=b"")
