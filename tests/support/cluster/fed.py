"""A cluster, and what its changes make to be sent, for tests."""

from collections.abc import Iterable

from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.downstream.devices import DeviceItems
from cloudhub_stub.downstream.feed import Feed
from cloudhub_stub.downstream.items import Item
from cloudhub_stub.downstream.synced import Synced
from cloudhub_stub.downstream.wanted import Wanted
from edgecore.clock import VirtualClock
from edgecore.ids import NewId


class FedCluster:
    """A registry whose changes go through the feed; ``lines`` says what that sends, in words."""

    def __init__(self, clock: VirtualClock, new_id: NewId) -> None:
        self.registry = Registry()
        self.synced = Synced()
        devices = DeviceItems(self.registry, self.synced, clock, new_id)
        self.wanted = Wanted(self.registry, self.synced, devices)
        self.feed = Feed(self.registry, self.synced, self.wanted, devices)

    def fed(self) -> list[tuple[list[str], Item]]:
        """Feed what has changed, and return what is to be sent."""
        found = []
        while self.registry.changes:
            found += [(sorted(nodes), item) for nodes, item in self.feed.take(self.registry.changes.popleft())]
        return found + [(sorted(nodes), item) for nodes, item in self.feed.podlists()]

    def lines(self) -> list[str]:
        """The same as text: nodes, operation, resource."""
        return [f"{','.join(nodes)}: {line(item)}" for nodes, item in self.fed()]

    def arrived(self, node: str, items: Iterable[Item]) -> None:
        """A node has got items."""
        for item in items:
            self.synced.sent(node, item.key, item.uid, item.state)
            for key, uid, state in item.covers:
                self.synced.has(node, key, uid, state)
            self.synced.reached(node, item.key, item.state)

    def owed(self, node: str) -> list[str]:
        """What is owed to a node, as text."""
        return [line(item) for item in self.wanted.owed(node)]


def line(item: Item) -> str:
    return f"{item.route.operation} {item.route.resource}"
