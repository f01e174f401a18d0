"""The nodes that the stub knows: who is connected, in which session, and what each has told about itself."""

from collections import deque
from typing import NamedTuple

from cloudhub_stub.errors import NoSuchNode
from cloudhub_stub.session import Session
from cloudhub_stub.upgrade import Upgrade
from cloudhub_stub.uploads import Upload
from edgecore.beehive.resource import EdgeResource
from edgecore.clock import Clock

MAX_NODES = 1000
"""How many nodes are known at a time, connected or not."""

MAX_UPLOADS = 100
"""How many uploads are kept of one node; beyond that the oldest is dropped."""

MAX_PODS = 10_000
"""How many pod statuses are kept of one node; beyond that the oldest is dropped."""


class PodNote(NamedTuple):
    """What a node said last about one of its pods."""

    uid: str
    phase: str


class Counters:
    """What went to and came from one node, over all its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.received = 0
        self.sent = 0
        self.acknowledged = 0
        self.uploads = 0
        self.keepalives = 0
        self.malformed = 0
        self.outcomes: dict[str, int] = {}
        """Requests by what became of them, and ignored messages by reason."""

    def count(self, outcome: str) -> None:
        """Count one outcome, a fixed snake_case word."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


class Node:
    """One node, across its connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.project = ""
        self.session: Session | None = None
        """The session that counts; ``None`` while the node is not connected."""
        self.status_at_ms: int | None = None
        self.counters = Counters()
        self._pods: dict[EdgeResource, PodNote] = {}
        self.uploads: deque[Upload] = deque(maxlen=MAX_UPLOADS)
        """The newest."""

    @property
    def pods(self) -> dict[EdgeResource, PodNote]:
        """What the node said last about its pods."""
        return self._pods

    def note_pod(self, pod: EdgeResource, note: PodNote) -> None:
        """Keep what the node says about ``pod``."""
        self._pods.pop(pod, None)
        while len(self._pods) >= MAX_PODS:
            del self._pods[next(iter(self._pods))]
        self._pods[pod] = note

    def forget_pod(self, pod: EdgeResource) -> None:
        """The node says that ``pod`` is gone."""
        self._pods.pop(pod, None)


class Nodes:
    """All nodes, by name. Nothing is forgotten while there is room."""

    def __init__(
        self,
        clock: Clock,
        *,
        keepalive_timeout_s: float,
        max_nodes: int = MAX_NODES,
        faithful: bool = False,
        write_timeout_s: float | None = None,
    ) -> None:
        """``max_nodes`` may be connected; a faithful hub lets more come, and then takes nothing of any (bug H1)."""
        self._clock = clock
        self._keepalive_timeout_s = keepalive_timeout_s
        self._write_timeout_s = write_timeout_s if faithful else None
        self._max_connected = max_nodes
        self._max_known = max(MAX_NODES, max_nodes) if faithful else max_nodes
        self._faithful = faithful
        self._nodes: dict[str, Node] = {}
        self._connected = 0
        self._epoch = 0

    def connect(self, upgrade: Upgrade) -> tuple[Node, Session]:
        """Begin a session; it is the node's current one from now on, whatever was before.

        Raises ``NoSuchNode`` when the node is new and there is no room: as many are connected as may be.
        """
        node = self._nodes.get(upgrade.node)
        if not self._faithful and self._connected >= self._max_connected and (node is None or node.session is None):
            raise NoSuchNode(
                f"cannot connect {upgrade.node}: {self._connected} nodes are connected, which is the limit"
            )
        if node is None:
            self._make_room(upgrade.node)
            node = Node(upgrade.node)
            self._nodes[upgrade.node] = node
        self._epoch += 1
        node.project = upgrade.project
        node.counters.connections += 1
        self._connected += node.session is None
        node.session = Session(
            upgrade.node,
            self._epoch,
            self._clock.monotonic(),
            self._keepalive_timeout_s,
            agent=upgrade.agent,
            write_timeout_s=self._write_timeout_s,
        )
        return node, node.session

    def disconnect(self, session: Session) -> bool:
        """The connection of ``session`` is gone; false when the node has a later session, which stays untouched."""
        node = self._nodes.get(session.node)
        if node is None or node.session is not session:
            return False
        node.session = None
        self._connected -= 1
        return True

    @property
    def ignores_all(self) -> bool:
        """Whether messages of all nodes are ignored: a faithful hub with as many nodes as it may have (bug H1)."""
        return self._faithful and self._connected >= self._max_connected

    def get(self, name: str) -> Node | None:
        """Return the node of that name, connected or not."""
        return self._nodes.get(name)

    def is_connected(self, name: str) -> bool:
        """Whether the node of that name is connected."""
        node = self._nodes.get(name)
        return node is not None and node.session is not None

    def known(self) -> list[Node]:
        """Return all nodes by name."""
        return sorted(self._nodes.values(), key=lambda node: node.name)

    def connected(self) -> list[Node]:
        """Return the connected nodes by name."""
        return [node for node in self.known() if node.session is not None]

    def _make_room(self, name: str) -> None:
        if len(self._nodes) < self._max_known:
            return
        for other in self._nodes.values():
            if other.session is None:
                del self._nodes[other.name]
                return
        raise NoSuchNode(f"cannot connect {name}: {self._max_known} nodes are connected, which is the limit")
