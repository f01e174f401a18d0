"""What is done for one port of a service or pod: whether it is served, where, by whom, and how (pure)."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import msgspec

from edgecore.kube import ServicePort
from edgecore.modules.edgemesh.discovery.pods import container_port
from edgecore.modules.edgemesh.explain.asked import Asked
from edgecore.modules.edgemesh.explain.explanation import Source, State, Step
from edgecore.modules.edgemesh.explain.sight import Node, Sight
from edgecore.modules.edgemesh.explain.sources import of_service, of_setting
from edgecore.modules.edgemesh.intercept.kernel.planes import explain as why_plane
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.intercept.rootless import NotBound, Place
from edgecore.modules.edgemesh.protocols import handling_and_source
from edgecore.modules.edgemesh.services import Route, ServiceEntry
from edgecore.modules.edgemesh.upstream.annotations import PREFIX
from edgecore.modules.edgemesh.upstream.policies import sources_of
from edgecore.modules.edgemesh.upstream.policy import Policy

CUT = "cut"
"""The problem of a place that is served, but connections do not come to it: rules or routes are missing."""

_BUILT_IN = Policy()
_TRAFFIC = "modules.edgeMesh.traffic."
_LIMITS = "modules.edgeMesh.limits."
SETTINGS = {
    "strategy": "modules.edgeMesh.lbStrategy",
    "hash_by": f"{_TRAFFIC}hashKey",
    "hash_name": f"{_TRAFFIC}hashKey",
    "affinity_timeout_s": f"{_TRAFFIC}affinityTimeout",
    "connect_timeout_s": f"{_LIMITS}connectTimeout",
    "request_timeout_s": f"{_LIMITS}requestTimeout",
    "idle_timeout_s": f"{_TRAFFIC}tcpIdleTimeout",
    "udp_idle_timeout_s": f"{_TRAFFIC}udpIdleTimeout",
    "retries": f"{_TRAFFIC}retries",
    "retry_budget": f"{_TRAFFIC}retryBudget",
    "retry_budget_min": f"{_TRAFFIC}retryBudgetMin",
    "eject_after": f"{_TRAFFIC}ejectAfter",
    "eject_base_s": f"{_TRAFFIC}ejectBase",
    "eject_max_s": f"{_TRAFFIC}ejectMax",
    "eject_max_share": f"{_TRAFFIC}ejectMaxShare",
    "panic_share": f"{_TRAFFIC}panicShare",
    "checks": f"{_TRAFFIC}checks",
    "drain_s": f"{_TRAFFIC}drainTimeout",
}
"""Which setting is the default of a field of ``Policy``."""

_NOT_SERVED = {
    "duplicate_port": "another port of the service has the same number and protocol, and is served",
    "not_tcp_or_udp": "the mesh serves TCP and UDP alone",
    "no_port_number": "the service gives it no number",
    "external_name": "the service is an ExternalName: it has no address to be asked at",
}
_NOT_BOUND = {
    "pending": "it is about to be tried; ask again in a moment",
    "in_use": "another program has that port, on 0.0.0.0 maybe: that program is what answers",
    "no_permission": "an ordinary user cannot listen there; give the node CAP_NET_BIND_SERVICE, or run it as root",
    "no_rule": "the kernel has no such rule: `edgecore intercept status` says why",
    "no_such_address": "this machine does not have that address",
}
_SPOKEN = {"http": "HTTP/1.x", "bytes": "bytes", "sniff": "HTTP/1.x if the first bytes are, else bytes"}
_SAID = {
    "appProtocol": "its appProtocol says so",
    "name": "its name says so",
    "first_bytes": "neither appProtocol nor its name says: the first bytes of each connection do",
    "protocol": "its protocol is UDP",
}
_TO_TLS = "a port of HTTP/1.x reads TLS as a malformed request; name the port https, or ask by http"


def label(route: Route) -> str:
    """Return what a port is called: ``80/tcp``; one that is neither TCP nor UDP by its own word."""
    protocol = route.port.protocol if route.not_served == "not_tcp_or_udp" else route.transport
    return f"{route.port.port}/{protocol.lower()}"


def port_step(entry: ServiceEntry, route: Route, node: Node) -> Step:
    """Return the port, and what its targetPort means in the pods."""
    port = route.port
    named = f" {port.name}" if port.name else ""
    target = port.target_port or port.port
    values = {"name": port.name, "port": port.port, "protocol": port.protocol, "target": port.target_port}
    fact = f"{label(route)}{named}, targetPort {target}"
    if not port.target_port:
        fact += " (none is given: the same)"
    if route.not_served:
        return Step(
            step="port",
            state="broken",
            fact=f"{fact}: not served",
            why=(_NOT_SERVED.get(route.not_served, route.not_served),),
            port=label(route),
            sources=of_service(node, entry.key),
            values=values | {"reason": route.not_served},
        )
    resolved = _resolved(entry, port)
    return Step(
        step="port", fact=fact, why=resolved, port=label(route), sources=of_service(node, entry.key), values=values
    )


def _resolved(entry: ServiceEntry, port: ServicePort) -> tuple[str, ...]:
    """Return what a targetPort that is a name means in the pods."""
    if not isinstance(port.target_port, str) or not port.target_port:
        return ()
    numbers: dict[int, list[str]] = {}
    for pod in entry.selected_pods:
        numbers.setdefault(container_port(pod, port), []).append(pod.metadata.name)
    missing = numbers.pop(0, [])
    found = [f"the name {port.target_port} is {number} in {_several(pods)}" for number, pods in numbers.items()]
    return (*found, *([f"{_several(missing)} has no port of that name and protocol"] if missing else []))


def _several(names: list[str]) -> str:
    return f"pod {names[0]}" if len(names) == 1 else f"{len(names)} pods"


def no_such_port(entry: ServiceEntry, asked: Asked, node: Node) -> Step:
    """Return that the service lacks the port that is asked for."""
    has = ", ".join(f"{label(route)}{f' ({route.port.name})' if route.port.name else ''}" for route in entry.routes)
    number = f"{asked.port}/{asked.transport}" if asked.transport else str(asked.port)
    kind = "pod" if entry.key.is_pod else "service"
    return Step(
        step="port",
        state="broken",
        fact=f"{kind} {entry.key} has no port {number}",
        why=(f"it has {has}" if has else "it has none",),
        port=number,
        sources=of_service(node, entry.key),
        values={"ports": [label(route) for route in entry.routes]},
    )


def interception_step(entry: ServiceEntry, route: Route, sight: Sight, node: Node) -> Step:
    """Return how connections come to the mesh, or why they do not."""
    place = Place(entry.key, entry.address or "", route.port.port, route.transport)
    where = f"{place.address}:{place.port}"
    problem = sight.places.problem(place) if sight.places is not None else "pending"
    if problem is None and _is_cut(place, sight):
        problem = CUT
    values = {"mode": sight.mode, "problem": problem, "findings": list(sight.findings)}
    source = (of_setting(node, "modules.edgeMesh.mode"),)
    step = Step(step="interception", fact="", port=label(route), sources=source, values=values)
    led = f"rules of the kernel catch {where}" if sight.mode == "intercept" else f"the proxy listens at {where}"
    if problem is None and not sight.findings:
        wanted = (f"mode intercept was asked for: {sight.why_rootless}",) if sight.why_rootless else ()
        return _with(step, "ok", f"mode {sight.mode}: {led}", wanted)
    if problem is None:
        return _with(step, "warning", f"mode {sight.mode}: {led}, but not all is as it should be", sight.findings)
    if problem == CUT:
        fact = f"mode intercept: connections to {where} do not come to the mesh"
        return _with(step, "broken", fact, (*sight.findings, *_otherwise(entry, route, sight)))
    text = next((it.text for it in _failed(sight) if it.place == place), "")
    why = (_NOT_BOUND.get(problem, text or problem), *_otherwise(entry, route, sight))
    verb = (
        f"no rule of the kernel catches {where}" if sight.mode == "intercept" else f"nothing of ours listens at {where}"
    )
    return _with(step, "broken", f"mode {sight.mode}: {verb} ({problem})", (*why, *sight.findings))


def _is_cut(place: Place, sight: Sight) -> bool:
    return bool(place.address) and any(ip_address(place.address) in ip_network(network) for network in sight.cut)


def _failed(sight: Sight) -> tuple[NotBound, ...]:
    return sight.places.not_bound if sight.places is not None else ()


def _with(step: Step, state: State, fact: str, why: tuple[str, ...]) -> Step:
    return msgspec.structs.replace(step, state=state, fact=fact, why=why)


def _otherwise(entry: ServiceEntry, route: Route, sight: Sight) -> Iterator[str]:
    """Yield how it can be reached all the same: HTTP by the plain listener."""
    if sight.plain and route.transport == "tcp":
        name = f"{entry.key.name}.{entry.key.namespace}"
        way = f"curl -x {sight.plain} http://{name}:{route.port.port}/ (or `edgecore env`)"
        yield f"HTTP gets there by the plain listener: {way}"


def plane_step(route: Route, place: Place, places: Places) -> Step:
    """Return who moves the bytes, and why."""
    plane, reason = places.plane(place), places.why_proxy(place)
    fact = "the kernel, by itself" if plane == "kernel" else "the proxy"
    text = why_plane(reason, route.plan.handling)
    values = {"plane": plane, "reason": reason}
    return Step(step="plane", fact=fact, why=(text,) if text else (), port=label(route), values=values)


def protocol_step(route: Route, asked: Asked, plane: str = "proxy") -> Step:
    """Return how connections are treated, and what says so."""
    handling, said = handling_and_source(route.port)
    spoken = _SPOKEN.get(handling, handling)
    field = Source(kind="field", name=f"spec.ports.{said}", value=_field(route.port, said))
    sources = () if said == "first_bytes" else (field,)
    values = {"handling": handling, "handling_from": said}
    wrong = asked.scheme in ("https", "wss") and handling == "http" and plane == "proxy"
    why = (_SAID[said], *([_TO_TLS] if wrong else []))
    state: State = "broken" if wrong else "ok"
    return Step(
        step="protocol",
        state=state,
        fact=f"treated as {spoken}",
        why=why,
        port=label(route),
        sources=sources,
        values=values,
    )


def _field(port: ServicePort, said: str) -> str:
    return {"appProtocol": port.app_protocol, "name": port.name, "protocol": port.protocol}.get(said, "")


def policy_step(entry: ServiceEntry, route: Route, node: Node) -> Step:
    """Return the strategy, and what else is not as built in; each with who says so."""
    policy = route.plan.policy
    names = [
        name
        for name in policy.__struct_fields__
        if name == "strategy" or getattr(policy, name) != getattr(_BUILT_IN, name)
    ]
    said = sources_of(entry.service, route.port) if entry.service is not None else {}
    sources = []
    for name in names:
        if name in said:
            is_annotation = said[name].startswith(PREFIX)
            value = _shown(getattr(policy, name))
            sources.append(Source(kind="annotation" if is_annotation else "field", name=said[name], value=value))
        elif name in SETTINGS:
            sources.append(of_setting(node, SETTINGS[name]))
    others = ", ".join(f"{name} {_shown(getattr(policy, name))}" for name in names if name != "strategy")
    fact = f"{policy.strategy}{f'; {others}' if others else ''}"
    problems = route.plan.problems
    values = {name: getattr(policy, name) for name in names}
    return Step(
        step="policy",
        state="warning" if problems else "ok",
        fact=fact,
        why=problems,
        port=label(route),
        sources=tuple(dict.fromkeys(sources)),
        values=values,
    )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
