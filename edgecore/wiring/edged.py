"""Makes Edged and what runs its pods."""

from functools import partial

from edgecore import __version__
from edgecore.beehive import resource as r
from edgecore.beehive.port import Port
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import NodeIdentity
from edgecore.wiring.parts import Parts
from edgecore.wiring.podruntime import make_pod_runtime


def make_edged(parts: Parts, port: Port) -> Edged:
    """Return the module ``edged``."""
    edged = parts.config.modules.edged
    return Edged(
        port,
        MetaClient(port, r.EDGED),
        NodeIdentity(
            parts.config.node_name,
            edged.register_node_namespace,
            edged.node_ip,
            f"edgecore-{__version__}",
            edged.max_pods,
        ),
        partial(parts.outside.host_facts, parts.config.database.path.parent),
        runtime=make_pod_runtime(parts),
        metrics=parts.metrics,
        status_every_s=edged.node_status_update_frequency,
        register=edged.register_node,
    )
