"""What a worker knows of services: the ports it was told of.

Names are the node's, which has the plain listener.
"""

from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec, Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams


class ToldDirectory:
    """A ``Directory`` over ``upstreams``, and the fake IPs that it was told of."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._ports: dict[ServiceKey, set[PortKey]] = {}
        self._addresses: dict[str, ServiceKey] = {}
        upstreams.follow(self._told)

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """See ``Directory``. Nobody comes in here without a service."""
        return Refusal(503, "unknown_service", f"cannot reach {host}:{port}: no service is called that here")

    def service_at(self, address: str) -> ServiceKey | None:
        """See ``Directory``."""
        return self._addresses.get(address)

    def own(self, address: str, service: ServiceKey | None) -> None:
        """Take note whose fake IP ``address`` is; ``None``: nobody's."""
        if service is None:
            self._addresses.pop(address, None)
        else:
            self._addresses[address] = service

    def upstream(self, service: ServiceKey, port: int, transport: Transport = "tcp") -> Upstream | Refusal:
        """See ``Directory``."""
        found = self._upstreams.get((service, port, transport))
        if found is not None:
            return found
        kind = "pod" if service.is_pod else "service"
        if service in self._ports:
            reason, text = "port_not_in_service", "the service has no such port"
        else:
            reason, text = "unknown_service", "there is no such service"
        return Refusal(503, reason, f"cannot reach {kind} {service} port {port}: {text}")

    def _told(self, key: PortKey, spec: PortSpec | None) -> None:
        """See ``Follower``."""
        service = key[0]
        if spec is not None:
            self._ports.setdefault(service, set()).add(key)
            return
        ports = self._ports.get(service, set())
        ports.discard(key)
        if not ports:
            self._ports.pop(service, None)
