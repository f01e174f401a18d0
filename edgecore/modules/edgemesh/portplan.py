"""What is to be done for each port of a service, whatever is behind it (pure)."""

from typing import NamedTuple

from edgecore.kube import Service, ServicePort
from edgecore.modules.edgemesh.protocols import handling_of, transport_of, why_not_served
from edgecore.modules.edgemesh.upstream.policies import policy_of
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Handling, Transport


class PlannedPort(NamedTuple):
    """One port of a service."""

    port: ServicePort
    transport: Transport
    handling: Handling
    not_served: str
    """Why nothing listens there, in a fixed snake_case word: ``external_name``, ``duplicate_port``, or a word of
    ``why_not_served``; empty if it is served."""
    policy: Policy
    problems: tuple[str, ...]
    """What is wrong with the annotations, for people."""


def plan_ports(service: Service, defaults: Policy) -> tuple[PlannedPort, ...]:
    """Return the ports of ``service`` in their order. Of several with number and transport in common one is served."""
    served: dict[tuple[int, Transport], None] = {}
    planned = []
    for port in service.spec.ports:
        transport = transport_of(port)
        not_served = "external_name" if service.is_external else why_not_served(port)
        if not not_served:
            if (port.port, transport) in served:
                not_served = "duplicate_port"
            served[port.port, transport] = None
        policy, problems = policy_of(defaults, service, port)
        planned.append(PlannedPort(port, transport, handling_of(port), not_served, policy, problems))
    return tuple(planned)
