"""Whose an IP address is: a service's or a pod's fake IP, the plain listener's, a pod's own, or nobody's (pure)."""

import ipaddress
from collections.abc import Iterator

from edgecore.addresses import join_address
from edgecore.kube import Pod
from edgecore.modules.edgemesh.explain.asked import Asked, host_header
from edgecore.modules.edgemesh.explain.explanation import Step, Verdict
from edgecore.modules.edgemesh.explain.naming import Found
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.modules.edgemesh.explain.sources import of_pods
from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.services import ServiceEntry

_DNS_PORT = 53


def by_address(asked: Asked, host: str, sight: Sight, node: Node) -> Found:
    """Return what an address leads to; ``host``: what requests there name (the Host header), if that is given."""
    entry = sight.table.at_address(asked.host)
    if entry is not None:
        return Found((), entry)
    where = join_address(asked.host, asked.port) if asked.port is not None else asked.host
    if sight.plain and where == sight.plain:
        return _plain(host, sight, node)
    if where in node.dns:
        step = Step(step="address", fact=f"{where} is where this node's DNS listens")
        return Found((step,), verdict=Verdict("dns", "is answered by this node's DNS", works=True))
    if asked.host in sight.name_servers and asked.port == _DNS_PORT:
        fact = f"{asked.host} is a name server of this host: questions to it are led to this node's DNS"
        verdict = Verdict("dns", "is answered by this node's DNS", works=True)
        return Found((Step(step="address", fact=fact),), verdict=verdict)
    if sight.pool and _is_within(asked.host, sight.pool):
        return _nobody(asked, sight)
    return next(_pods(asked, where, sight, node), None) or _stranger(asked, sight)


def _plain(host: str, sight: Sight, node: Node) -> Found:
    listener = Step(
        step="address",
        fact=f"{sight.plain} is the plain listener, where each request says which service it means (its Host header)",
        values={"plain": sight.plain},
    )
    if not host:
        verdict = Verdict("by_host", "would go where its Host header says: --host NAME explains one", works=True)
        return Found((listener,), verdict=verdict)
    found = node.directory.service_named(*host_header(host))
    if isinstance(found, Refusal):
        step = Step(step="service", state="broken", fact=f"Host {host}: {found.text}")
        verdict = Verdict(found.reason, f"would be answered with {found.status} {found.reason}", works=False)
        return Found((listener, step), verdict=verdict)
    return Found((listener,), sight.table.get(found))


def _nobody(asked: Asked, sight: Sight) -> Found:
    if not sight.table.complete:
        fact = "not all services are known yet: the node has just started"
        verdict = Verdict("not_recovered", "would be refused for now: ask again in a moment", works=False)
        return Found((Step(step="address", state="broken", fact=fact),), verdict=verdict)
    fact = f"{asked.host} is of the pool {sight.pool}, and no service has it"
    why = ("a service that had it may have gone; ask for it by name",)
    return Found(
        (Step(step="address", state="broken", fact=fact, why=why),),
        verdict=Verdict(
            "no_such_service", "would be refused (connection refused): no service has this address", works=False
        ),
    )


def _pods(asked: Asked, where: str, sight: Sight, node: Node) -> Iterator[Found]:
    """Yield what there is to be said if it is the address of a pod, or of one of its ports at its host."""
    for entry in sight.table:
        backend = next((it for route in entry.routes for it in route.backends if str(it.endpoint) == where), None)
        pod = next((pod for pod in entry.pods or () if _is_at(pod, asked)), None)
        if backend is None and pod is None:
            continue
        name = pod.metadata.name if pod is not None else backend.pod if backend is not None else ""
        yield _past(name, where, entry, node, runs=backend is not None or (pod is not None and pod.running))


def _is_at(pod: Pod, asked: Asked) -> bool:
    if asked.host == pod.status.pod_ip and not pod.spec.host_network:
        return True
    return asked.host == pod.status.host_ip and any(
        port.host_port == asked.port for port in pod.container_ports if port.host_port
    )


def _past(name: str, where: str, entry: ServiceEntry, node: Node, *, runs: bool) -> Found:
    step = Step(
        step="address",
        state="ok" if runs else "broken",
        fact=f"{where} is pod {name}'s own, behind service {entry.key}",
        why=("a connection there goes past the mesh: no balancing, no retries, no health checks",),
        sources=of_pods(node, entry.key),
    )
    if not runs:
        return Found(
            (step,), verdict=Verdict("pod_not_running", f"would go to pod {name}, which does not run", works=False)
        )
    text = f"would go past the mesh, to pod {name}; whether the network leads there is not looked at"
    return Found((step,), verdict=Verdict("past_the_mesh", text, works=True))


def _stranger(asked: Asked, sight: Sight) -> Found:
    pool = f": it is not of the pool {sight.pool}, and no pod's" if sight.pool else ""
    step = Step(step="address", state="broken", fact=f"{asked.host} is none of ours{pool}")
    return Found(
        (step,),
        verdict=Verdict("not_ours", "would not come to the mesh: no service and no pod has this address", works=False),
    )


def _is_within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)
