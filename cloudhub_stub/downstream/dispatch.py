"""Sends nodes what they are to have: gathers it by changes, lets it go once it is on disk, and notes what arrived.

    change --take--> gathered --batch (with the rows, in one commit)--> send --> queue of the node --> settled

Only nodes that are connected are sent anything; the others are compared with the cluster when they connect
(``wanted.py``), and so is one whose queue was full. Used from one event loop.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from cloudhub_stub.cluster.kinds import NODE_KIND, SERVICE_KIND, Object, ObjectKey
from cloudhub_stub.cluster.registry import Change, Registry
from cloudhub_stub.delivery.fates import Fate, Settled
from cloudhub_stub.delivery.parcel import Parcel
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.downstream.feed import Feed
from cloudhub_stub.downstream.items import DEVICE, Item, synced_key, unknown_pod_item
from cloudhub_stub.downstream.synced import LISTS, REMOVED, Synced
from cloudhub_stub.downstream.wanted import KIND_OF, Wanted, is_edge_node
from cloudhub_stub.store.cluster import SyncedKey
from edgecore.beehive.resource import CONFIGMAP, POD, PODLIST, RESPONSE, SECRET, SERVICE, parse_edge
from edgecore.clock import Clock, Timer
from edgecore.ids import NewId
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, SUPERSEDED

log = structlog.get_logger("cloudhub")

SYNC_EVERY_S = 5.0
"""How long a node may have an object in an older state, where only its status changed (10.3)."""

SYNCED_A_ROUND = 100
"""How many of those are looked at in one round: the rest waits for the next, so that nodes are answered in between."""

_ASKED_ANEW = frozenset({POD, CONFIGMAP, SECRET, DEVICE})
"""What a node that starts anew is sent once more; services and endpoints come with the lists."""

_ARRIVED = frozenset({ACKNOWLEDGED, DELIVERED})
"""How a message ends that the node has."""

Gathered = dict[str, list[Item]]


class _Sent(NamedTuple):
    """What a message on its way carries."""

    item: Item
    id: str
    """Empty as long as it is not in the queue."""


class Dispatch:
    """The sender of all nodes."""

    def __init__(
        self,
        registry: Registry,
        synced: Synced,
        wanted: Wanted,
        feed: Feed,
        delivery: Delivery,
        *,
        clock: Clock,
        new_id: NewId,
        is_connected: Callable[[str], bool],
        on_gathered: Callable[[], None],
    ) -> None:
        """``on_gathered`` is called when there is something to be sent that no change made."""
        self._registry = registry
        self._synced = synced
        self._wanted = wanted
        self._feed = feed
        self._delivery = delivery
        self._clock = clock
        self._new_id = new_id
        self._is_connected = is_connected
        self._on_gathered = on_gathered
        self._gathered: Gathered = {}
        self._under_way: dict[str, dict[SyncedKey, dict[str, _Sent]]] = defaultdict(dict)
        """Of each thing what is in the queue of its node, by id, and the newest that is about to be."""
        self._sent_to: dict[str, dict[str, _Sent]] = defaultdict(dict)
        """What is in the queue of each node, by message id."""
        self._removals: dict[str, Counter[SyncedKey]] = defaultdict(Counter)
        """How many messages that remove a thing are under way, or about to be."""
        self._starts: Counter[str] = Counter()
        self._behind: set[str] = set()
        """Nodes whose queue was full."""
        self._heard: dict[str, None] = {}
        """Nodes that have posted their status in this round."""
        self._timer: Timer | None = None
        self._to_sync: deque[tuple[str, SyncedKey]] = deque()
        """What has been stale for long enough."""
        delivery.watchers.append(self._on_fate)

    # What comes from the cluster.

    def take(self, change: Change) -> None:
        """Gather what a change makes to be sent."""
        if change.key.kind == NODE_KIND.name and _is_new_edge(change) and self._is_connected(change.key.name):
            self._catch_up(change.key.name)
        for nodes, item in self._feed.take(change):
            self._gather_for(nodes, item)

    def end_round(self) -> None:
        """Gather what several changes together make to be sent."""
        for nodes, item in self._feed.podlists():
            self._gather_for(nodes, item)
        heard, self._heard = self._heard, {}
        for node in heard:
            for item in self._wanted.due_lists(node):
                self._gather_for((node,), item)
        self._sync_some()
        if self._feed.stale and self._timer is None:
            self._timer = self._clock.call_at(self._clock.monotonic() + SYNC_EVERY_S, self._sync_stale)

    def batch(self) -> Gathered:
        """Return what was gathered since the last time: to be sent once what was noted of it is on disk."""
        gathered, self._gathered = self._gathered, {}
        return gathered

    def send(self, batch: Gathered) -> None:
        """Queue a batch."""
        for node, items in batch.items():
            now_ms = self._clock.now_ms()
            sending = []
            for item in items:
                sent = _Sent(item, self._new_id())
                if item.key.type == DEVICE and item.starts != self._starts[node]:
                    self._leave(node, sent)  # of no use to a node that may not have the device any more
                    continue
                sending.append(sent)
                self._sent_to[node][sent.id] = sent
                under_way = self._under_way[node].setdefault(sent.item.key, {})
                if "" in under_way and under_way[""].item is sent.item:
                    del under_way[""]
                under_way[sent.id] = sent
            fitting = self._delivery.put(node, [sent.item.message(sent.id, now_ms) for sent in sending])
            if fitting < len(sending):
                self._refuse(node, sending[fitting:])

    # What comes from nodes.

    def connected(self, node: str) -> None:
        """A node has connected: it gets what it is owed.

        What is left of its last session is taken back: it may be out of date, and what of it was read nobody knows.
        """
        self._take_back(node, list(self._sent_to[node].values()))
        self._catch_up(node)

    def started_anew(self, node: str) -> None:
        """A node has started, maybe with an empty store: it gets everything once more, the lists when it is ready."""
        self._synced.forget_lists(node)
        for key in list(self._synced.of(node)):
            if key.type == PODLIST:
                self._synced.forget(node, key)  # they come with the lists
            elif key.type in _ASKED_ANEW:
                self._synced.doubt(node, key)
        self._starts[node] += 1  # what was gathered of devices before that is made anew
        self._take_back(node, [sent for sent in self._sent_to[node].values() if sent.item.key.type == DEVICE])
        for key in [key for key in self._under_way[node] if key.type == DEVICE]:
            del self._under_way[node][key]
        self._catch_up(node)

    def asked(self, node: str, obj: Object) -> None:
        """A node is answered with an object: from now on it may have it, whatever becomes of the answer."""
        metadata = obj["metadata"]
        self._synced.sent(node, synced_key(obj), metadata["uid"], metadata["resourceVersion"])

    def heard_of(self, node: str) -> None:
        """A node has posted its status; one that is due the lists gets them, if it is ready."""
        self._heard[node] = None

    def unknown_pod(self, node: str, namespace: str, name: str) -> None:
        """A node reports a pod that the cluster does not know: it is told to remove it, once at a time."""
        item = unknown_pod_item(namespace, name)
        is_full = node in self._behind or len(self._gathered.get(node, ())) >= self._delivery.rules.max_messages
        if item.key not in self._under_way[node] and not is_full:
            self._gather(node, item)
            self._on_gathered()

    def behind(self, node: str) -> int:
        """Return how many things of a node are not known to be there in their newest state."""
        return len(self._wanted.owed(node))

    def stop(self) -> None:
        """Set no timer any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _take_back(self, node: str, left: list[_Sent]) -> None:
        for sent in left:
            self._leave(node, sent)
            self._note_lost(node, sent.item)
        self._delivery.take_back(node, {sent.id for sent in left}, "made_anew")

    def _catch_up(self, node: str) -> None:
        self._behind.discard(node)
        for item in sorted(self._wanted.owed(node), key=lambda item: item.state != REMOVED):
            self._gather_once(node, item)
        self._on_gathered()

    def _sync_stale(self) -> None:
        self._timer = None
        stale, self._feed.stale = self._feed.stale, set()
        self._to_sync.extend(sorted(stale))
        self._on_gathered()

    def _sync_some(self) -> None:
        for _ in range(min(SYNCED_A_ROUND, len(self._to_sync))):
            node, key = self._to_sync.popleft()
            if self._is_connected(node):
                self.sync(node, key)
        if self._to_sync:
            self._on_gathered()

    def sync(self, node: str, key: SyncedKey) -> None:
        """Gather what a node is owed of one thing."""
        for item in self._wanted.owed_of(node, key):
            self._gather_once(node, item)

    def _gather_for(self, nodes: Iterable[str], item: Item) -> None:
        for node in list(nodes):
            # What is told of a device are changes: none may come behind one that found no room.
            is_missing_some = node in self._behind and item.key.type == DEVICE
            if self._is_connected(node) and not is_missing_some:
                self._gather_once(node, item)

    def _gather_once(self, node: str, item: Item) -> None:
        """Gather an item, unless the newest that is under way says the same."""
        under_way = self._under_way[node].get(item.key, {})
        newest = under_way.get("") or next(reversed(under_way.values()), None)
        if newest is None or newest.item.state != item.state:
            self._gather(node, item)

    def _gather(self, node: str, item: Item) -> None:
        """Gather an item. Lists do not wait for removals and may overtake them, so what they bring of things whose
        removal is under way does not count, and a list of pods, which goes with its service, waits."""
        removals = self._removals[node]
        if removals:
            if item.key.type == PODLIST and item.key._replace(type=SERVICE) in removals:
                return
            item = item._replace(covers=tuple(each for each in item.covers if each[0] not in removals))
        if item.key.type == DEVICE:
            item = item._replace(starts=self._starts[node])
        if item.state == REMOVED:
            removals[item.key] += 1
        self._gathered.setdefault(node, []).append(item)
        self._under_way[node].setdefault(item.key, {})[""] = _Sent(item, "")
        self._synced.sent(node, item.key, item.uid, item.state)
        for key, uid, state in item.covers:
            self._synced.sent(node, key, uid, state)

    def _refuse(self, node: str, refused: list[_Sent]) -> None:
        for sent in refused:
            self._leave(node, sent)
            self._note_lost(node, sent.item)
        if node not in self._behind:
            log.warning("node_behind", node=node, messages=len(refused), limit=self._delivery.rules.max_messages)
        self._behind.add(node)

    # What becomes of messages.

    def _on_fate(self, node: str, fate: Fate) -> None:
        if not isinstance(fate, Settled):
            return
        has_arrived = fate.outcome in _ARRIVED
        sent = self._sent_to[node].get(fate.parcel.id)
        if sent is not None:
            self._note_end(node, sent, fate.outcome)
        elif fate.parcel.operation == RESPONSE:
            self._note_answer(node, fate.parcel, has_arrived=has_arrived)
        has_room = self._delivery.depth(node) * 2 < self._delivery.rules.max_messages
        if node in self._behind and has_room and self._is_connected(node):
            self._catch_up(node)

    def _note_end(self, node: str, sent: _Sent, outcome: str) -> None:
        self._leave(node, sent)
        if outcome in _ARRIVED:
            self._note_arrived(node, sent.item)
            for key, _, state in sent.item.covers:
                self._note_covered(node, key, state)
            if sent.item.key.type == SERVICE and sent.item.state == REMOVED:
                self._note_dropped_list(node, sent.item.key._replace(type=PODLIST))
        elif outcome == SUPERSEDED and sent.item.key.type != LISTS.type:
            self._feed.stale.add((node, sent.item.key))
        else:
            self._note_lost(node, sent.item)
        if sent.item.state == REMOVED:
            self._look_again(node, sent.item.key)
        self._on_gathered()

    def _note_arrived(self, node: str, item: Item) -> None:
        """A node has got an item; the lists, which wait for nobody, may have brought something newer before it."""
        if item.state != REMOVED or item.key not in self._under_way[node]:  # or it is not the last word
            self._synced.reached(node, item.key, item.state)
        row = self._synced.get(node, item.key)
        if row is None and item.key.type == PODLIST:  # it was forgotten meanwhile, with a start or a service
            if self._registry.get(ObjectKey(SERVICE_KIND.name, item.key.namespace, item.key.name)) is not None:
                self._synced.has(node, item.key, item.uid, item.state)
        elif row is not None and row.sent != item.state and item.key not in self._under_way[node]:
            if item.key.type in KIND_OF:
                self._synced.doubt(node, item.key)
            self._feed.stale.add((node, item.key))

    def _note_dropped_list(self, node: str, key: SyncedKey) -> None:
        """With a service an edge drops the list of its pods."""
        self._synced.forget(node, key)

    def _note_lost(self, node: str, item: Item) -> None:
        """An item will not arrive: a list comes once more with the next status of a node that is ready."""
        if item.key.type == LISTS.type and item.key not in self._under_way[node]:
            self._synced.forget(node, item.key)

    def _look_again(self, node: str, key: SyncedKey) -> None:
        """A removal of a thing is not under way any more: gather what waited for that, or did not count before."""
        if key not in self._removals[node] and self._is_connected(node):
            self.sync(node, key)
            if key.type == SERVICE:
                self.sync(node, key._replace(type=PODLIST))

    def _note_covered(self, node: str, key: SyncedKey, state: str) -> None:
        row = self._synced.get(node, key)
        if row is not None and row.sent == state:
            self._synced.reached(node, key, state)

    def _note_answer(self, node: str, parcel: Parcel, *, has_arrived: bool) -> None:
        """A node has an object that it asked for, or may have it."""
        resource = parse_edge(parcel.resource)
        kind = None if resource is None else KIND_OF.get(resource.type)
        if resource is None or kind is None or not parcel.version:
            return
        obj = self._registry.get(ObjectKey(kind.name, resource.namespace, resource.name))
        key = SyncedKey(resource.type, resource.namespace, resource.name)
        if not has_arrived:
            self._feed.stale.add((node, key))
        elif obj is not None:
            self._synced.has(node, key, obj["metadata"]["uid"], parcel.version)
            self.sync(node, key)
        self._on_gathered()

    def _leave(self, node: str, sent: _Sent) -> None:
        self._sent_to[node].pop(sent.id, None)
        if sent.item.state == REMOVED:
            self._removals[node][sent.item.key] -= 1
            if not self._removals[node][sent.item.key]:
                del self._removals[node][sent.item.key]
        under_way = self._under_way[node].get(sent.item.key, {})
        under_way.pop(sent.id, None)
        if not under_way:
            self._under_way[node].pop(sent.item.key, None)


def _is_new_edge(change: Change) -> bool:
    """Whether a node belongs to the edge from now on: until then it was sent nothing, connected or not."""
    was = change.old is not None and is_edge_node(change.old)
    return not was and change.new is not None and is_edge_node(change.new)
