"""Makes EdgeHub."""

from pathlib import Path

from edgecore.beehive.port import Port
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.credentials import Credentials
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.module import EdgeHub
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.wiring.parts import Parts


def make_edgehub(parts: Parts, port: Port) -> EdgeHub:
    """Return the module ``websocket``."""
    hub = parts.config.modules.edge_hub
    server = hub.websocket.address
    jitter = parts.outside.new_random()  # spreads reconnects and renewals
    files = KeyFiles(Path(hub.tls_ca_file), Path(hub.tls_cert_file), Path(hub.tls_private_key_file))
    credentials = Credentials(
        files,
        Authority(hub.http_server),
        hub.token,
        clock=parts.clock,
        jitter=jitter,
        cloud_version=hub.cloud_version,
        node=parts.config.node_name,
    )
    return EdgeHub(
        port,
        parts.metrics,
        parts.ledger,
        parts.store,
        CloudAddress(server.scheme, server.host, server.port, hub.project_id, parts.config.node_name),
        heartbeat_s=hub.heartbeat,
        handshake_timeout_s=hub.websocket.handshake_timeout,
        max_message_bytes=hub.max_message_bytes,
        jitter=jitter,
        outbox_size=hub.outbox_size,
        ping=hub.websocket.ping,
        cloud_version=hub.cloud_version,
        credentials=credentials if server.scheme == "wss" else None,
        dial_cloud=parts.outside.dial,
        watch=parts.watch,
    )
