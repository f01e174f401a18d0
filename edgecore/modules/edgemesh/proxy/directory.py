"""What the proxy needs to know of services, as a seam: the proxy decides nothing about them."""

from typing import Protocol

from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream


class Directory(Protocol):
    """Which service is meant, and what forwards for it. Both answer at once and never raise."""

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """Return the service that ``host`` means, as written in a Host header or request target, without a port."""

    def service_at(self, address: str) -> ServiceKey | None:
        """Return the service whose fake IP is ``address``."""

    def upstream(self, service: ServiceKey, port: int, transport: Transport = "tcp") -> Upstream | Refusal:
        """Return what forwards for a port of a service; asked when a client of
        the port comes, and again when what was returned is ``gone``."""
