"""From what was asked to the explanation (pure): who is meant, then port by port the way to a backend."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgecore.addresses import join_address
from edgecore.beehive.resource import LISTENER
from edgecore.modules.edgemesh.explain import ports, verdicts
from edgecore.modules.edgemesh.explain.addresses import by_address
from edgecore.modules.edgemesh.explain.asked import Asked, host_header
from edgecore.modules.edgemesh.explain.backends import backend_steps, figures_step, next_step
from edgecore.modules.edgemesh.explain.explanation import Explanation, Step, Verdict
from edgecore.modules.edgemesh.explain.naming import by_name
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.modules.edgemesh.explain.sources import cloud_step, of_rows, of_service
from edgecore.modules.edgemesh.intercept.rootless import Place
from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.services import Route, ServiceEntry

_HTTP_PORT = 80


def explain(asked: Asked, told: Mapping[str, Any] | None, sight: Sight, node: Node, *, host: str = "") -> Explanation:
    """Return the explanation.

    ``told`` is what DNS answers to a name (``HandQuery.ask``). ``host`` is what a request at the plain listener names.
    Raises ``ContentError`` where ``host`` is no Host header.
    """
    at_plain = bool(host) and asked.is_address and f"{asked.host}:{asked.port}" == sight.plain
    found = by_address(asked, host, sight, node) if told is None else by_name(asked, told, sight, node)
    steps = [asked_step(asked, host), cloud_step(node.cloud), *found.steps]
    if at_plain:
        asked = _by_host(asked, host)
    if found.entry is None:
        verdict = found.verdict or Verdict("unknown", "cannot be explained", works=False)
        return Explanation(asked.text, tuple(steps), (verdict,))
    entry = found.entry
    steps.append(service_step(entry, node))
    if entry.is_external:
        step, outcome = _external(entry, asked, sight, node)
        steps.append(step)
        if isinstance(outcome, Verdict):
            return Explanation(asked.text, tuple(steps), (outcome,))
        entry = outcome
        steps.append(service_step(entry, node))
    steps.append(address_step(entry, sight, node))
    more, conclusions = _every_port(entry, asked, sight, node, at_plain=at_plain)
    return Explanation(asked.text, (*steps, *more), tuple(conclusions))


def asked_step(asked: Asked, host: str = "") -> Step:
    """Return how what was asked is understood."""
    kind = "address" if asked.is_address else "name"
    port = (
        "every port" if asked.port is None else f"port {asked.port}{f'/{asked.transport}' if asked.transport else ''}"
    )
    by = f", by {asked.scheme}" if asked.scheme else ""
    values = {**asked._asdict(), "host_header": host or None}
    return Step(step="asked", fact=f"{kind} {asked.host}, {port}{by}{f', Host {host}' if host else ''}", values=values)


def service_step(entry: ServiceEntry, node: Node) -> Step:
    """Return which service, or pod of it, is meant."""
    key, service = entry.key, entry.service
    kind = "" if service is None else service.spec.type or "ClusterIP"
    if service is not None and service.spec.cluster_ip == "None":
        kind = "headless"
    if key.is_pod:
        fact = f"pod {key.name.partition('.')[0]} of service {key.service}, which has a name of its own"
    else:
        fact = f"service {key}: {kind}{_behind(entry)}"
    values = {"namespace": key.namespace, "name": key.name, "type": kind}
    return Step(step="service", fact=fact, sources=of_service(node, key), values=values)


def _behind(entry: ServiceEntry) -> str:
    service = entry.service
    if service is None or service.is_external:
        return ""
    if not service.selects_pods:
        return ", without a selector: its Endpoints say what is behind it"
    return f", selector {','.join(f'{key}={value}' for key, value in sorted(service.spec.selector.items()))}"


def address_step(entry: ServiceEntry, sight: Sight, node: Node) -> Step:
    """Return the fake IP."""
    key, lease = entry.key, entry.lease
    values = {"address": entry.address, "pool": sight.pool, "stored": lease is not None and lease.is_stored}
    if lease is None:
        why = (f"the pool {sight.pool} has no address left for it",)
        return Step(step="address", state="broken", fact="no fake IP", why=why, values=values)
    stored = "stored: a restart keeps it" if lease.is_stored else "not stored yet, so DNS does not tell it yet"
    sources = of_rows(node, f"default/{LISTENER}/{key.namespace}.{key.name}") if not key.is_pod else ()
    state = "ok" if lease.is_stored else "warning"
    return Step(
        step="address",
        state="ok" if state == "ok" else "warning",
        fact=f"fake IP {lease.address}, of the pool {sight.pool}; {stored}",
        sources=sources,
        values=values,
    )


def _by_host(asked: Asked, host: str) -> Asked:
    """Return what a request at the plain listener asks for: the port is that of its Host header."""
    port = host_header(host)[1]
    return asked._replace(port=port, transport="tcp", scheme=asked.scheme or "http")


def _external(entry: ServiceEntry, asked: Asked, sight: Sight, node: Node) -> tuple[Step, Verdict | ServiceEntry]:
    """Return what it stands for; the service, where that is one of ours."""
    port = asked.port or _HTTP_PORT
    found = node.directory.stands_for(entry.key, port)
    if isinstance(found, Refusal):
        step = Step(step="address", state="broken", fact=found.text, sources=of_service(node, entry.key))
        return step, Verdict(found.reason, f"would be answered with {found.status} {found.reason}", works=False)
    last, name = found
    to = join_address(name, port) if name else f"service {last}"
    step = Step(step="address", fact=f"it stands for {to}", sources=of_service(node, last))
    ours = sight.table.get(last) if not name else None
    if ours is not None:
        return step, ours
    text = f"would be forwarded to {to}; whether that answers is not looked at"
    return step, Verdict("forwarded_outside", text, works=True)


def _every_port(
    entry: ServiceEntry, asked: Asked, sight: Sight, node: Node, *, at_plain: bool
) -> tuple[list[Step], list[Verdict]]:
    steps: list[Step] = []
    found: list[Verdict] = []
    routes = [*_meant(entry, asked)]
    if not routes:
        step = ports.no_such_port(entry, asked, node) if asked.port is not None else _no_ports(entry, node)
        word = "port_not_in_service"
        return [step], [verdicts.not_there(word, step.port, step.fact, at_plain=at_plain)]
    for route in routes:
        of_one, verdict = _port(entry, route, asked, sight, node, at_plain=at_plain)
        steps += of_one
        found.append(verdict)
    return steps, found


def _meant(entry: ServiceEntry, asked: Asked) -> Iterator[Route]:
    """Yield the routes that are asked for; of several with number and protocol in common the one that is served."""
    for route in entry.routes:
        if asked.port is not None and route.port.port != asked.port:
            continue
        if asked.transport is not None and route.transport != asked.transport:
            continue
        if asked.port is not None and entry.by_port[route.port.port, route.transport] is not route:
            continue
        yield route


def _no_ports(entry: ServiceEntry, node: Node) -> Step:
    fact = "the service names no ports"
    return Step(step="port", state="broken", fact=fact, sources=of_service(node, entry.key))


def _port(
    entry: ServiceEntry, route: Route, asked: Asked, sight: Sight, node: Node, *, at_plain: bool
) -> tuple[list[Step], Verdict]:
    steps = [ports.port_step(entry, route, node)]
    upstream = route.upstream
    if route.not_served or upstream is None:
        why = ", ".join(steps[0].why)
        return steps, verdicts.not_there("port_not_served", ports.label(route), why, at_plain=at_plain)
    problem, plane = None, "proxy"
    if not at_plain:
        interception = ports.interception_step(entry, route, sight, node)
        place = Place(entry.key, entry.address or "", route.port.port, route.transport)
        problem = interception.values["problem"]
        steps.append(interception)
        if sight.places is not None:
            plane = sight.places.plane(place)
            steps.append(ports.plane_step(route, place, sight.places))
    protocol = ports.protocol_step(route, asked, plane)
    steps += [protocol, ports.policy_step(entry, route, node), *backend_steps(entry, route, sight, node)]
    upcoming = next_step(route, upstream, node, plane)
    figures = figures_step(entry, route, sight)
    steps += [step for step in (upcoming, figures) if step is not None]
    if problem is not None:
        return steps, verdicts.not_bound(problem, route)
    return steps, verdicts.of_port(asked, route, upstream, protocol, upcoming, at_plain=at_plain)
