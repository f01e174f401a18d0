"""A cluster, and what its changes make to be sent."""

import pytest

from cluster.fed import FedCluster
from edgecore.clock import VirtualClock
from edgecore.ids import NewId


@pytest.fixture
def cluster(vclock: VirtualClock, ids: NewId) -> FedCluster:
    return FedCluster(vclock, ids)
