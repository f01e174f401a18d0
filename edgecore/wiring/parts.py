"""What every module of a node is made from."""

from typing import NamedTuple

from edgecore.clock import Clock
from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.recording.watch import Watch
from edgecore.store.store import Store
from edgecore.wiring.outside import Outside

CLUSTER_DOMAIN = "cluster.local"


class Parts(NamedTuple):
    """The parts that modules share; made by ``app.py``, each once."""

    loaded: LoadedConfig
    clock: Clock
    metrics: Metrics
    ledger: Ledger
    store: Store
    watch: Watch
    outside: Outside

    @property
    def config(self) -> EdgeCoreConfig:
        """The configuration, loaded and checked."""
        return self.loaded.config

    @property
    def cluster_domain(self) -> str:
        """The last part of the names of services."""
        return cluster_domain(self.config)


def cluster_domain(config: EdgeCoreConfig) -> str:
    """Return the last part of the names of services, as a node with this configuration has them."""
    return config.modules.edged.cluster_domain or CLUSTER_DOMAIN
