"""What the access log is told of HTTP requests."""

from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import MAX_PATH
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.upstream.spec import PortSpec


def told(client: str, spec: PortSpec, request: RequestHead, status: int, duration_s: float) -> Served:
    """Return the line of a request. Of its target only the path is told: the query may hold what is secret."""
    method, target = request.told or _asked(request)
    return Served(
        client=client,
        service=spec.service,
        port=spec.port,
        handling="http",
        method=method,
        target=target,
        status=status,
        duration_s=duration_s,
    )


def told_refusal(
    client: str, service: ServiceKey | None, port: int, request: RequestHead | None, refusal: Refusal
) -> Served:
    """Return the line of what was refused before it was known where it was to go."""
    method, target = _asked(request) if request is not None else ("", "")
    return Served(
        client=client,
        service=service,
        port=port,
        handling="http",
        method=method,
        target=target,
        status=refusal.status,
        reason=refusal.reason,
    )


def _asked(request: RequestHead) -> tuple[str, str]:
    path = request.path.partition(b"?")[0][:MAX_PATH]
    request.told = (request.method.decode("latin-1"), path.decode("latin-1"))
    return request.told
