"""Forwarding to what an ExternalName stands for: each port that somebody asks for, made when it is asked for.

Such a service has no address and need name no ports; whoever speaks to the plain listener may ask for any. So the ports
are bounded: where one more is asked for, the oldest goes that nothing is under way at. Where there is none, the oldest
of that service goes, or else the oldest of all, and its connections end as those of a port that is gone: who asks for
many ports of one service takes no other service's away as long as those are used.
"""

from collections import OrderedDict

from edgecore.kube import Service, ServicePort
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.protocols import handling_of, transport_of
from edgecore.modules.edgemesh.upstream.policies import policy_of
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortKey, PortSpec, Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams

MAX_PORTS = 256
"""Of all services together."""


class ExternalPorts:
    """See the module. The ports are in ``upstreams``, beside those of all other services."""

    def __init__(self, upstreams: Upstreams, defaults: Policy, limit: int = MAX_PORTS) -> None:
        self._upstreams = upstreams
        self._defaults = defaults
        self._limit = limit
        self._made: OrderedDict[PortKey, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def go_by(self, defaults: Policy) -> None:
        """Have another policy where nobody says anything else: for ports that are made from now on."""
        self._defaults = defaults

    def make(self, key: ServiceKey, service: Service, name: str, port: int, transport: Transport) -> Upstream:
        """Return what forwards for ``port`` of a service that stands for ``name``, a name of DNS."""
        made = self._upstreams.get((key, port, transport))
        if made is not None:
            return made
        declared = _declared(service, port, transport)
        policy, _ = policy_of(self._defaults, service, declared)
        endpoint = Endpoint(name, port)
        spec = PortSpec(key, port, transport, handling_of(declared), (Backend(name, endpoint),), policy)
        self._made[spec.key] = None
        if len(self._made) > self._limit:
            self._drop_one(spec.key)
        return self._upstreams.put(spec)

    def _drop_one(self, newest: PortKey) -> None:
        """Make room for ``newest``."""
        others = [key for key in self._made if key != newest]
        same = (key for key in others if key[0] == newest[0])
        victim = next((key for key in others if self._is_idle(key)), None) or next(same, others[0])
        del self._made[victim]
        self._upstreams.remove(victim)

    def _is_idle(self, key: PortKey) -> bool:
        upstream = self._upstreams.get(key)
        return upstream is None or not any(host.active for host in upstream.hosts.values())

    def forget(self, key: ServiceKey) -> None:
        """Forward no more for a service."""
        for port in [port for port in self._made if port[0] == key]:
            del self._made[port]
            self._upstreams.remove(port)


def _declared(service: Service, port: int, transport: Transport) -> ServicePort:
    """Return the port as the service names it; one that it does not name speaks HTTP, as whoever asked for it."""
    for declared in service.spec.ports:
        if declared.port == port and transport_of(declared) == transport:
            return declared
    return ServicePort("http" if transport == "tcp" else "", transport.upper(), port)
