"""What is behind one port: each pod or address, in or out, and why; which is next; what became of requests (pure)."""

from collections.abc import Iterator

import msgspec

from edgecore.kube import EndpointAddress, Pod
from edgecore.modules.edgemesh.discovery.pods import container_port
from edgecore.modules.edgemesh.explain.explanation import Source, State, Step
from edgecore.modules.edgemesh.explain.ports import label
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.modules.edgemesh.explain.sources import of_endpoints, of_node_pod, of_pods, of_setting
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures, quantile_s
from edgecore.modules.edgemesh.services import Route, ServiceEntry
from edgecore.modules.edgemesh.upstream.spec import Backend
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.timespans import duration

_REASONS = {
    "terminating": "it was told to go",
    "no_status": "nobody has said yet that it runs: it has no status",
    "not_ready": "its condition Ready is False",
    "not_ready_endpoint": "the Endpoints have it under notReadyAddresses",
    "no_host_ip": "it says no hostIP, so nobody knows where it is",
    "bad_host_ip": "its hostIP is no IP address",
    "same_endpoint": "one before it is at the same address and port",
    "bad_address": "such an address leads back to this host, or nowhere: loopback, link-local, multicast",
}
_POD_ADDRESSES = "modules.edgeMesh.traffic.podAddresses"


def backend_steps(entry: ServiceEntry, route: Route, sight: Sight, node: Node) -> Iterator[Step]:
    """Yield a step for each backend; one that says that there is none, if there is none.

    One that is out is a warning as long as there are others.
    """
    if not route.backends:
        yield _none(entry, route, node)
        return
    told = _figures(entry, route, sight)
    pods = {pod.metadata.name: pod for pod in entry.selected_pods}
    service = sight.table.get(entry.key.service)
    listed = {pod.metadata.name: pod for pod in (service.listed if service is not None else None) or ()}
    for backend in route.backends:
        host = told.hosts.get(str(backend.endpoint), HostFigures()) if backend.endpoint is not None else HostFigures()
        pod = pods.get(backend.pod)
        is_newer = pod is not None and listed.get(backend.pod) is not pod
        step = _backend(route, backend, pod or _address(entry, backend), host, sight.now)
        is_spared = step.state == "broken" and route.upstream is not None and bool(route.upstream.available)
        state: State = "warning" if is_spared else step.state
        yield msgspec.structs.replace(step, state=state, sources=_said(entry, backend, node, pod, is_newer=is_newer))


def _none(entry: ServiceEntry, route: Route, node: Node) -> Step:
    selects = entry.service is not None and entry.service.selects_pods
    if not selects:
        fact, why = "no backend", "the service has no selector, and no Endpoints say where this port is"
        sources = of_endpoints(node, entry.key)
    else:
        fact, sources = "no pods", of_pods(node, entry.key)
        why = "the cloud has said that it has none" if entry.pods is not None else "nobody has said which pods it has"
    return Step(step="backend", state="broken", fact=fact, why=(why,), port=label(route), sources=sources)


def _backend(
    route: Route, backend: Backend, behind: Pod | EndpointAddress | None, host: HostFigures, now: float
) -> Step:
    pod = behind if isinstance(behind, Pod) else None
    state, standing, why = _standing(host, now)
    if backend.endpoint is None:
        state, standing, why = "broken", "out", (_reason(backend, pod, route),)
    on = pod.spec.node_name if pod is not None else behind.node_name if isinstance(behind, EndpointAddress) else ""
    kind = "pod" if pod is not None or (isinstance(behind, EndpointAddress) and behind.pod) else "address"
    where = f" at {backend.endpoint}" if backend.endpoint is not None and str(backend.endpoint) != backend.pod else ""
    reason = backend.reason or host.ill
    values = {
        "pod": backend.pod,
        "node": on,
        "endpoint": str(backend.endpoint) if backend.endpoint is not None else None,
        "state": "out" if standing == "out" else "in",
        "reason": reason,
        "last_error": host.last_error or None,
        "check_error": host.check_error or None,
        "requests": host.requests,
    }
    return Step(
        step="backend",
        state=state,
        fact=f"{kind} {backend.pod}{f' on {on}' if on else ''}{where}: {standing}{f' ({reason})' if reason else ''}",
        why=why,
        port=label(route),
        values=values,
    )


def _standing(host: HostFigures, now: float) -> tuple[State, str, tuple[str, ...]]:
    """Return how a backend that the cloud lets in does."""
    why = [*_ill(host, now)]
    if host.last_error:
        ago = duration(max(0.0, now - host.last_error_at))
        why.append(f"its last error: {host.last_error}, {ago} ago")
    if host.out >= max(1, host.judges):
        return "broken", "out", tuple(why)
    if host.out > 0:
        why.append(f"{host.out} of {host.judges} processes leave it out")
    elif host.ill and host.ill != "trial":
        why.append("it is used all the same: too few are well (panic-share)")
    return "warning" if host.ill else "ok", "in", tuple(why)


def _ill(host: HostFigures, now: float) -> Iterator[str]:
    left = max(0.0, host.ill_until - now)
    match host.ill:
        case "ejected":
            yield f"requests failed there: it is left out for {duration(left)} more"
        case "check_failed":
            yield f"the health check fails: {host.check_error or 'no reason is known'}"
        case "trial":
            yield "it is back on trial: the next failure leaves it out again"


def _reason(backend: Backend, pod: Pod | None, route: Route) -> str:
    port = route.port
    if backend.reason == "not_running" and pod is not None:
        return f"its phase is {pod.status.phase}, not Running"
    if backend.reason == "no_container_port":
        return (
            f"none of its containers has a {port.protocol or 'TCP'} port {port.target_port or port.port} (targetPort)"
        )
    if backend.reason == "no_host_port" and pod is not None:
        return (
            f"its container port {container_port(pod, port)} has no hostPort, by which other machines could reach it; "
            f"give it one, or set {_POD_ADDRESSES}"
        )
    return _REASONS.get(backend.reason, backend.reason)


def _said(entry: ServiceEntry, backend: Backend, node: Node, pod: Pod | None, *, is_newer: bool) -> tuple[Source, ...]:
    """Return who says what the pod is: a pod list, or this node's own newer word of it."""
    if pod is None:
        return of_endpoints(node, entry.key)
    by_setting = (of_setting(node, _POD_ADDRESSES),) if _POD_ADDRESSES in node.given else ()
    if is_newer:
        return *of_node_pod(node, entry.key.namespace, backend.pod), *by_setting
    sources = of_pods(node, entry.key)
    about_readiness = backend.reason == "not_ready_endpoint"
    return *(one for one in sources if about_readiness or "/endpoints/" not in one.name), *by_setting


def _address(entry: ServiceEntry, backend: Backend) -> EndpointAddress | None:
    subsets = entry.endpoints.subsets if entry.endpoints is not None else ()
    every = (address for subset in subsets for address in (*subset.addresses, *subset.not_ready_addresses))
    return next((address for address in every if backend.pod in (address.pod, address.ip)), None)


def next_step(route: Route, upstream: Upstream, node: Node, plane: str) -> Step | None:
    """Return which backend the next request goes to, as far as that can be said without asking for it."""
    usable = len(upstream.available)
    if not usable:
        return None
    strategy = upstream.spec.policy.strategy
    host = upstream.foretell()
    values = {"strategy": strategy, "usable": usable, "backend": str(host.endpoint) if host is not None else None}
    if usable == 1 and host is not None:
        text = f"{host.backend.pod} at {host.endpoint}, the only one"
    elif plane == "kernel":
        text = f"one of {usable}: the kernel chooses, and does not say whose turn it is"
        values["backend"] = None
    elif host is not None and node.processes == 1:
        text = f"{host.backend.pod} at {host.endpoint}, if nobody asks before"
    elif host is not None:
        text = f"one of {usable}: each of {node.processes} processes has a turn of its own"
        values["backend"] = None
    else:
        text = f"one of {usable}: {_HOW[strategy]}"
    return Step(step="next", fact=text, port=label(route), values=values)


_HOW = {
    "Random": "any, each as likely as the other",
    "LeastRequest": "the one of two, taken at random, that is likely to answer sooner",
    "ConsistentHash": "which one depends on the client (policy hash_by)",
    "SessionStickiness": "the one that the client had before; which one a new client gets depends on the client",
    "RoundRobin": "in turn",
}


def figures_step(entry: ServiceEntry, route: Route, sight: Sight) -> Step | None:
    """Return what became of the requests; nothing if there were none."""
    told = _figures(entry, route, sight)
    if not told.has_traffic:
        return None
    every = told.every_host
    refused, errors = dict(told.refused), dict(every.errors)
    codes = {str(code) if code else "no HTTP": number for code, number in told.codes.items()}
    total = sum(codes.values())
    parts = [f"{total} {'request' if total == 1 else 'requests'}{_counts(codes)}"]
    if errors:
        parts.append(f"errors at backends{_counts(errors)}")
    if refused:
        parts.append(f"refused{_counts(refused)}")
    if told.retries:
        parts.append(f"tried again: {told.retries}")
    half = quantile_s(every.latency, 0.5)
    if half is not None:
        parts.append(f"half of the answers began within {1000 * half:.3g} ms")
    values = {"codes": {str(code): number for code, number in told.codes.items()}, "errors": errors, "refused": refused}
    return Step(step="figures", fact="; ".join(parts), port=label(route), values=values)


def _counts(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{key}: {number}' for key, number in sorted(counts.items()))})" if counts else ""


def _figures(entry: ServiceEntry, route: Route, sight: Sight) -> PortFigures:
    key = (entry.key, route.port.port, route.transport)
    return sight.figures.get(key) or PortFigures(key)
