"""What all connections of the stub share."""

from dataclasses import dataclass, field

from cloudhub_stub.answers import LIKE_1_3, Manners
from cloudhub_stub.calls import Calls
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from edgecore.beehive.message import Message
from edgecore.clock import Clock
from edgecore.ids import NewId
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics


@dataclass(frozen=True)
class Cloud:
    """The cloud side of one process; made in ``app.py``."""

    clock: Clock
    new_id: NewId
    metrics: Metrics
    ledger: Ledger
    """Of both directions; the peer of a message is its node."""
    nodes: Nodes
    objects: Objects
    delivery: Delivery
    journal: Journal
    plane: ControlPlane
    faithful: bool = False
    """Whether the bugs of CloudHub 1.3.1 that a peer can see are there too."""
    answer_delay_s: float = 0.0
    """How long an answer to a Go edge is held back: it sends a question and only then waits for the answer (E1)."""
    manners: Manners = LIKE_1_3
    calls: Calls = field(default_factory=Calls)

    def __post_init__(self) -> None:
        self.delivery.on_accepted = self._note_by_hand

    def _note_by_hand(self, message: Message) -> None:
        self.objects.note_sent(message)
        self.plane.registry.note_version(message.header.resource_version)
