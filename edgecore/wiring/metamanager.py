"""Makes MetaManager."""

from edgecore.beehive.port import Port
from edgecore.modules.metamanager.module import MetaManager
from edgecore.wiring.parts import Parts


def make_metamanager(parts: Parts, port: Port) -> MetaManager:
    """Return the module ``metaManager``."""
    meta = parts.config.modules.meta_manager
    return MetaManager(
        port,
        parts.store,
        parts.metrics,
        ledger=parts.ledger,
        hub=meta.context_send_module,
        hub_group=meta.context_send_group,
        pod_status_sync_s=meta.pod_status_sync_interval,
    )
