"""The status of a node as text for people: a summary, and tables of modules, services, backends, requests, trouble."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgecore.control.columns import one_line
from edgecore.timespans import duration

Json = Mapping[str, Any]


def report(status: Json) -> str:
    """Return the text. Parts that a node does not have are left out."""
    mesh: Json = status.get("mesh") or {}
    services: Sequence[Json] = [*_with_named_pods(mesh.get("services") or ())]
    parts = [
        _summary(status, mesh),
        _table("modules", _MODULE_COLUMNS, map(_module_row, status.get("modules") or ())),
        _table("services", _PORT_COLUMNS, (row for service in services for row in _port_rows(service))),
        _table("backends", _BACKEND_COLUMNS, (row for service in services for row in _backend_rows(service))),
        _table("requests", _REQUEST_COLUMNS, _request_rows(mesh)),
        _table("name servers", _SERVER_COLUMNS, map(_server_row, (mesh.get("dns") or {}).get("upstreams") or ())),
        _table("ports not bound", _UNBOUND_COLUMNS, _unbound_rows(mesh)),
    ]
    return "\n\n".join(part for part in parts if part)


def _broker(broker: Json) -> str:
    up = all((broker.get("connected") or {"": False}).values())
    if not up and not broker.get("expected", True):
        return f"{broker.get('url', '?')}: no broker there, and no setting asks for one (start mosquitto)"
    words = [f"{broker.get('url', '?')} {'connected' if up else 'not connected'}"]
    words += [f"{broker.get('received', 0)} in", f"{broker.get('published', 0)} out"]
    if waiting := broker.get("queued", 0) + broker.get("in_flight", 0):
        words.append(f"{waiting} waiting")
    if dropped := sum((broker.get("dropped") or {}).values()):
        words.append(f"{dropped} dropped")
    return ", ".join(words)


def _summary(status: Json, mesh: Json) -> str:
    name, version, up = status.get("node", "?"), status.get("version", "?"), duration(status.get("uptime_s") or 0)
    lines = [f"node {name}: {status.get('state', '?')} (edgecore {version}, up {up})"]
    lines += [f"  because {reason}" for reason in status.get("reasons") or ()]
    lines += [_held(held) for held in status.get("held") or ()]
    if link := status.get("link"):
        lines.append(f"link: {_link(link)}")
    if mesh:
        lines.append(f"mesh: {mesh.get('mode', '?')}, addresses from {mesh.get('pool', '?')}{_draining(mesh)}")
        if why := mesh.get("why_rootless"):
            lines.append(f"  not intercepting, because {why}")
    if told := mesh.get("intercept"):
        lines.append(f"interception: {_interception(told)}")
    pods: Json = ((status.get("parts") or {}).get("edged") or {}).get("pods") or {}
    if phases := pods.get("phases"):
        lines.append(f"pods: {', '.join(f'{number} {phase}' for phase, number in phases.items())}")
    if twin := (status.get("parts") or {}).get("twin"):
        lines.append(f"devices: {_devices(twin)}")
    brokers: Json = ((status.get("parts") or {}).get("eventbus") or {}).get("brokers") or {}
    lines += [f"mqtt: {name} {_broker(broker)}" for name, broker in brokers.items()]
    if calls := (status.get("parts") or {}).get("servicebus"):
        lines.append(f"calls: {_calls(calls)}")
    if path := (status.get("store") or {}).get("path"):
        lines.append(f"database: {path}")
    if (recording := status.get("recording") or {}).get("recording"):
        lines.append(f"recording: {recording.get('path')}, {recording.get('entries')} entries, {_lost(recording)}")
    listening = [f"{what} {where}" for what, where in (status.get("listening") or {}).items() if where]
    if listening:
        lines.append(f"listening: {', '.join(listening)}")
    if led := (mesh.get("dns") or {}).get("led"):
        lines.append(f"names: {led_text(led)}")
    return "\n".join(map(one_line, lines))


def _lost(recording: Json) -> str:
    lost = recording.get("lost") or 0
    return f"{lost} lost" if lost else "none lost"


def _held(held: Json) -> str:
    what = f"{held.get('operation', '?')} {held.get('resource', '?')}"
    since = duration(held.get("since_s") or 0)
    return f"held before {held.get('to', '?')} by hand, for {since}: {what} (edgecore tap --break)"


def _calls(told: Json) -> str:
    """Return what became of the HTTP calls of the cloud."""
    outcomes: Json = told.get("outcomes") or {}
    words = [f"{number} {outcome.replace('_', ' ')}" for outcome, number in outcomes.items()] or ["none yet"]
    if under_way := told.get("under_way"):
        words.append(f"{under_way} under way, {told.get('waiting', 0)} waiting")
    return ", ".join(words)


def _devices(twin: Json) -> str:
    states = ", ".join(f"{number} {state}" for state, number in (twin.get("states") or {}).items())
    text = f"{twin.get('devices', 0)}{f' ({states})' if states else ''}, {twin.get('twins', 0)} twins"
    if differ := twin.get("twins_differ"):
        text += f", {differ} not as the cloud wants"
    if set_here := twin.get("twins_set_here"):
        text += f", {set_here} set on MQTT and not by the cloud any more (edgecore devices ID)"
    return text


def _interception(told: Json) -> str:
    if not told.get("tool"):  # there are no rules
        return f"{told.get('state')}"
    ports = f"{told.get('led')} ports led to the node, {told.get('balanced')} of them balanced by the kernel"
    return f"{told.get('state')}, {told.get('tool')} on {told.get('interface')}; {ports}"


def led_text(led: Json) -> str:
    """Return which of the host's name servers have their questions led to the node."""
    if not led.get("servers"):
        return f"no questions are led here: {led.get('text') or led.get('reason') or '?'}"
    text = f"questions to {', '.join(led['servers'])} are led to {led.get('listener', '?')}"
    return f"{text}; {led['text']}" if led.get("text") else text


def _draining(mesh: Json) -> str:
    number = mesh.get("draining_backends")
    return f"; backends that are gone and still serve somebody: {number}" if number else ""


def _link(link: Json) -> str:
    since = link.get("since_s")
    text = f"{link.get('state', '?')}, {link.get('url', '?')}"
    if since is not None:
        text += f", for {duration(since)}"
    return f"{text}; {link.get('sent', 0)} sent, {link.get('received', 0)} received"


_MODULE_COLUMNS = (
    "name",
    "group",
    "state",
    "restarts",
    "waiting",
    "most",
    "of",
    "sent",
    "received",
    "dropped",
    "waited",
    "again in",
    "last error",
)


def _module_row(module: Json) -> tuple[object, ...]:
    box: Json = module.get("mailbox") or {}
    dropped = " ".join(f"{reason}={number}" for reason, number in (box.get("dropped") or {}).items() if number)
    waited = f"{box.get('waited_s') or 0:.3f} s"
    figures = (box.get(key) for key in ("depth", "high_water", "capacity", "sent", "received"))
    return (
        module.get("name"),
        module.get("group"),
        module.get("state"),
        module.get("restarts"),
        *figures,
        dropped,
        waited,
        None if module.get("again_in_s") is None else f"{module['again_in_s']:.1f} s",
        module.get("error"),
    )


_PORT_COLUMNS = ("service", "fake IP", "port", "name", "to", "state", "reason")


def _with_named_pods(services: Iterable[Json]) -> Iterable[Json]:
    """Yield each service, and behind it its pods that have names as if they were services too."""
    for service in services:
        yield service
        for pod in service.get("named_pods") or ():
            name = f"{pod.get('hostname', '?')}.{service.get('name', '?')}"
            yield {**pod, "namespace": service.get("namespace"), "name": name, "backends": ()}


def _port_rows(service: Json) -> Iterable[tuple[object, ...]]:
    """One row a port; a service without ports still has its address shown, or the name outside that it stands for."""
    ports: Sequence[Json] = service.get("ports") or ({},)
    outside = service.get("external_name")
    for port in ports:
        number = f"{port['port']}/{port.get('protocol') or 'TCP'}" if "port" in port else None
        values = (number, port.get("name"), outside or port.get("target"), port.get("state"), port.get("reason"))
        yield (_service_name(service), service.get("fake_ip"), *values)


_BACKEND_COLUMNS = ("service", "port", "pod", "endpoint", "state", "reason")


def _backend_rows(service: Json) -> Iterable[tuple[object, ...]]:
    for backend in service.get("backends") or ():
        yield (_service_name(service), *(backend.get(key) for key in _BACKEND_COLUMNS[1:]))


_REQUEST_COLUMNS = ("service", "port", "endpoint", "count")


def _request_rows(mesh: Json) -> Iterable[tuple[object, ...]]:
    """One row for each endpoint that requests were sent to; services that are gone are left out."""
    known = {_service_name(service) for service in _with_named_pods(mesh.get("services") or ())}
    for place, counts in ((mesh.get("proxy") or {}).get("requests") or {}).items():
        service, _, port = place.rpartition(":")
        if service not in known:
            continue
        for endpoint, count in (counts.get("endpoints") or {}).items():
            yield service, port, endpoint, count


_SERVER_COLUMNS = ("server", "zone", "state", "round trip", "queries", "failures")


def _server_row(server: Json) -> tuple[object, ...]:
    rtt = server.get("rtt_ms")
    figures = (server.get(key) for key in ("queries", "failures"))
    return (server.get("address"), server.get("zone"), server.get("state"), rtt and f"{rtt} ms", *figures)


_UNBOUND_COLUMNS = ("service", "address", "reason", "in other words")


def _unbound_rows(mesh: Json) -> Iterable[tuple[object, ...]]:
    for unbound in (mesh.get("dns") or {}).get("not_listening") or ():
        yield "(DNS)", unbound.get("address"), unbound.get("reason"), unbound.get("text")
    for unbound in mesh.get("ports_not_bound") or ():
        address = f"{unbound.get('address', '?')}:{unbound.get('port', '?')}"
        yield unbound.get("service"), address, unbound.get("reason"), unbound.get("text")


def _service_name(service: Json) -> str:
    return f"{service.get('namespace', '?')}/{service.get('name', '?')}"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a title and aligned columns, without those that are empty everywhere; nothing without rows."""
    cells = [["" if value is None else one_line(str(value)) for value in row] for row in rows]
    if not cells:
        return ""
    kept = [column for column in range(len(columns)) if any(row[column] for row in cells)]
    lines = [[columns[column].upper() for column in kept], *([row[column] for column in kept] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join([title, *(f"  {line}" for line in aligned)])
