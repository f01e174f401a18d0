"""One process of the stub without sockets: everything that ``cloudhub_stub/app.py`` joins but servers and commands."""

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.hub import Hub
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from edgecore.clock import Clock
from edgecore.ids import NewId
from edgecore.observe.ledger import UP, Ledger
from edgecore.observe.metrics import Metrics
from world.disk import StubDisk, StubRows


class StubProcess:
    """Started by being made, from what is on ``disk``."""

    def __init__(self, disk: StubDisk, clock: Clock, new_id: NewId, rules: QueueRules) -> None:
        self.rows = StubRows(disk)
        self.metrics = Metrics()
        self.nodes = Nodes(clock, keepalive_timeout_s=30.0)
        self.ledger = Ledger(clock.monotonic)
        journal = Journal(self.rows)
        self.ledger.hold(UP, journal.is_pending)
        self.delivery = Delivery(rules, self.rows, self.ledger, self.metrics)
        self.plane = ControlPlane(
            self.rows, self.delivery, self.metrics, clock=clock, new_id=new_id, is_connected=self.nodes.is_connected
        )
        self.cloud = Cloud(
            clock, new_id, self.metrics, self.ledger, self.nodes, Objects(), self.delivery, journal, self.plane
        )
        self.hub = Hub(self.cloud)
        self.plane.load()
        self.delivery.load()

    def crash(self) -> None:
        """Be gone at once; what was not committed is lost."""
        self.rows.disk.crash()
        self.plane.stop()
        self.hub.end_all("crashed")
