"""What was served, as it is shown to who looks: what the access log is told, and the head of the request (pure)."""

from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import PROTOCOLS
from edgecore.recording.entries import ProxiedRequest

MAX_HEAD_BYTES = 16_384
"""What a head has beyond that is left out."""


def shown_request(served: Served, t_ns: int) -> ProxiedRequest:
    """Return the entry of what was over at ``t_ns``, without a place in a session."""
    service, host = served.service, served.host
    return ProxiedRequest(
        line=0,
        t_ns=t_ns,
        client=served.client,
        service=f"{service.namespace}/{service.name}:{served.port}" if service is not None else "",
        handling=PROTOCOLS[served.handling],
        head=served.head[:MAX_HEAD_BYTES].decode("utf-8", "replace"),
        backend=f"{host.backend.pod} {host.endpoint}" if host is not None else "",
        status=served.status,
        reason=served.reason,
        bytes_in=served.bytes_in,
        bytes_out=served.bytes_out,
        took_us=round(served.duration_s * 1e6),
        retries=served.retries,
    )
