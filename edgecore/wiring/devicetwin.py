"""Makes DeviceTwin."""

from edgecore.beehive.port import Port
from edgecore.modules.devicetwin.module import DeviceTwin
from edgecore.modules.edgehub.cloud import is_from_1_4
from edgecore.wiring.parts import Parts


def make_devicetwin(parts: Parts, port: Port) -> DeviceTwin:
    """Return the module ``twin``."""
    hub = parts.config.modules.edge_hub
    return DeviceTwin(
        port,
        parts.store,
        parts.metrics,
        node=parts.config.node_name,
        resends=parts.config.modules.device_twin.resends,
        has_cloud=hub.enable and hub.websocket.enable,
        cloud_confirms=is_from_1_4(hub.cloud_version),
        zone=parts.outside.zone,
    )
