"""What all connections of the stub share."""

from dataclasses import dataclass

from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from edgecore.clock import Clock
from edgecore.ids import NewId
from edgecore.observe.metrics import Metrics


@dataclass(frozen=True)
class Cloud:
    """The cloud side of one process; made in ``app.py``."""

    clock: Clock
    new_id: NewId
    metrics: Metrics
    nodes: Nodes
    objects: Objects
