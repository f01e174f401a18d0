"""What the proxy needs to know of services, as a seam: the proxy decides nothing about them."""

from typing import Protocol

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey


class Directory(Protocol):
    """Which service is meant, and where its next request goes. Both answer at once and never raise."""

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """Return the service that ``host`` means, as written in a Host header or request target, without a port."""

    def choose(self, service: ServiceKey, port: int) -> Endpoint | Refusal:
        """Return the endpoint whose turn it is; asked once for each request."""
