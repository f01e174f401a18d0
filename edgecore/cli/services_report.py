"""Services and their traffic as text for people: a table of all, and one service with its ports and backends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edgecore.control.columns import Columns, one_line
from edgecore.timespans import duration

Json = Mapping[str, Any]

_COLUMNS = ("NAMESPACE", "NAME", "FAKE-IP", "PORTS", "PLANE", "STRATEGY", "BACKENDS", "REQUESTS", "ERRORS")
_BACKEND_COLUMNS = (
    *("POD", "BACKEND", "STATE", "REASON", "REQUESTS", "ERRORS", "P50", "P99"),
    *("ACTIVE", "CONNECTIONS", "EJECTIONS", "LAST-ERROR"),
)
_POD_COLUMNS = ("HOSTNAME", "FAKE-IP", "PODS", "BACKENDS", "REQUESTS", "ERRORS")
_SPOKEN = {"http": "HTTP", "bytes": "bytes", "sniff": "HTTP or bytes", "datagrams": "datagrams"}
_BECAUSE = {
    "name": "as its name says",
    "appProtocol": "as appProtocol says",
    "first_bytes": "as the first bytes show",
    "protocol": "as its protocol says",
}
_NONE = "-"
_PLANE = _COLUMNS.index("PLANE")


def services_table(services: Sequence[Json], *, headers: bool = True) -> str:
    """Return a line for each service, by namespace and name."""
    if not services:
        return "the node has no services\n" if headers else ""
    ordered = sorted(services, key=lambda one: (str(one.get("namespace")), str(one.get("name"))))
    rows = ([_COLUMNS] if headers else []) + [_row(one) for one in ordered]
    if not any(_planes(one) for one in ordered):
        rows = [row[:_PLANE] + row[_PLANE + 1 :] for row in rows]
    return _lines(rows)


def service_text(service: Json) -> str:
    """Return everything of one service."""
    parts = ["\n".join(map(one_line, _head(service))) + "\n"]
    parts += [_port(port) for port in service.get("ports") or ()]
    pods = service.get("named_pods") or ()
    if pods:
        parts.append("pods with names of their own\n" + _indented(_lines([_POD_COLUMNS, *map(_pod_row, pods)])))
    return "\n".join(parts)


def _row(service: Json) -> tuple[str, ...]:
    backends: Json = service.get("backends") or {}
    ports: Sequence[Json] = service.get("ports") or ()
    strategies = dict.fromkeys(str(port["strategy"]) for port in ports if port.get("strategy"))
    return (
        str(service.get("namespace", "?")),
        str(service.get("name", "?")),
        _address(service),
        ",".join(map(_short_port, ports)) or _NONE,
        ",".join(_planes(service)) or _NONE,
        ",".join(strategies) or _NONE,
        f"{backends.get('in', 0)}/{backends.get('all', 0)}",
        str(service.get("requests", 0)),
        str(service.get("errors", 0)),
    )


def _planes(one: Json) -> dict[str, None]:
    """Return who moves the bytes at the ports; nothing where there is no choice."""
    ports: Sequence[Json] = one.get("ports") or ()
    return dict.fromkeys(str(port["plane"]) for port in ports if _has_choice(port))


def _has_choice(port: Json) -> bool:
    return bool(port.get("plane")) and port.get("plane_reason") != "rootless"


def _address(one: Json) -> str:
    return str(one.get("fake_ip") or one.get("external_name") or _NONE)


def _short_port(port: Json) -> str:
    """Return ``80/http``; behind it the reason, where it is not listened at."""
    number = port.get("port", "?")
    spoken = (
        "udp"
        if port.get("transport") == "udp"
        else {"http": "http", "sniff": "any"}.get(str(port.get("handling")), "tcp")
    )
    trouble = f"({port.get('reason')})" if port.get("reason") else ""
    return f"{number}/{spoken}{trouble}"


def _head(service: Json) -> Iterator[str]:
    kind = "headless" if service.get("headless") else service.get("type") or "?"
    ready = "ready" if service.get("ready") else "not ready"
    yield f"service {service.get('namespace', '?')}/{service.get('name', '?')}: {kind}, {ready}"
    if service.get("external_name"):
        yield f"  stands for {service['external_name']}"
    if service.get("fake_ip"):
        yield f"  at {service['fake_ip']} on this node"
    if not service.get("ports"):
        yield "  without ports"
    for problem in service.get("problems") or ():
        yield f"  ignored: {problem}"


def _port(port: Json) -> str:
    backends: Sequence[Json] = port.get("backends") or ()
    table = _lines([_BACKEND_COLUMNS, *map(_backend_row, backends)], drop_empty=True) if backends else ""
    return "\n".join(map(one_line, _port_lines(port))) + "\n" + _indented(table)


def _port_lines(port: Json) -> Iterator[str]:
    name = f" {port['name']}" if port.get("name") else ""
    reason = f" ({port['reason']})" if port.get("reason") else ""
    state = str(port.get("state", "?")).replace("_", " ")
    yield f"port {port.get('port', '?')}/{port.get('protocol') or 'TCP'}{name}: {state}{reason}"
    if port.get("handling") is None:
        return
    because = _BECAUSE.get(str(port.get("handling_from")))
    yield f"  speaks    {_SPOKEN.get(port['handling'], port['handling'])}{f', {because}' if because else ''}"
    policy = ", ".join(f"{key} {value}" for key, value in (port.get("policy") or {}).items())
    yield f"  strategy  {port.get('strategy', '?')}{f'; {policy}' if policy else ''}"
    if _has_choice(port):
        text = str(port.get("plane_text") or "")
        yield f"  plane     {port['plane']}{f': {text}' if text else ''}"
    yield f"  requests  {_requests(port)}"
    if port.get("p50_ms") is not None:
        yield f"  answers   begin within {_ms(port['p50_ms'])} (p50), {_ms(port.get('p99_ms'))} (p99)"
    if port.get("panicking"):
        yield "  panic     so few backends are well that all are used"
    gone: Json = port.get("gone") or {}
    if gone.get("requests"):
        failed = _in_brackets(gone.get("errors"))
        yield f"  gone      {gone['requests']} requests went to backends that are gone{failed}"
    if not port.get("backends"):
        yield "  backends  none"


def _requests(port: Json) -> str:
    text = f"{port.get('requests', 0)}{_in_brackets(port.get('codes'))}"
    under_way = sum(backend.get("active") or 0 for backend in port.get("backends") or ())
    if under_way:
        text += f", {under_way} under way"
    if port.get("retries"):
        text += f", {port['retries']} retries"
    if port.get("refused"):
        text += f"; refused{_in_brackets(port['refused'])}"
    return text


def _in_brackets(counts: Json | None) -> str:
    """Return `` (200: 5, 503: 1)``; nothing without counts. The code 0 is that of what is no HTTP."""
    told = ", ".join(f"{'no HTTP' if key == '0' else key}: {number}" for key, number in (counts or {}).items())
    return f" ({told})" if told else ""


def _backend_row(backend: Json) -> tuple[str, ...]:
    errors: Json = backend.get("errors") or {}
    return (
        str(backend.get("pod") or _NONE),
        str(backend.get("endpoint") or _NONE),
        str(backend.get("state", "?")),
        _why(backend),
        str(backend.get("requests", 0)),
        f"{sum(errors.values())}{_in_brackets(errors)}",
        _ms(backend.get("p50_ms")),
        _ms(backend.get("p99_ms")),
        str(backend.get("active", 0)),
        str(backend.get("connections", 0)),
        str(backend.get("ejections", 0)),
        _last_error(backend),
    )


def _last_error(backend: Json) -> str:
    if not backend.get("last_error"):
        return ""
    return f"{backend['last_error']} {duration(backend.get('last_error_ago_s') or 0)} ago"


def _why(backend: Json) -> str:
    """Return the reason; how much longer; by how many processes, if not by all."""
    reason = str(backend.get("reason") or "")
    if backend.get("check_error"):
        reason += f" ({backend['check_error']})"
    if reason and backend.get("for_s"):
        reason += f" for {duration(backend['for_s'])}"
    out, judges = backend.get("left_out_by") or 0, backend.get("processes") or 1
    if 0 < out < judges:
        reason += f" by {out} of {judges} processes"
    elif reason and reason != "trial" and backend.get("state") == "in":
        reason += ", used all the same"
    return reason


def _pod_row(pod: Json) -> tuple[str, ...]:
    ports: Sequence[Json] = pod.get("ports") or ()
    backends = [backend for port in ports for backend in port.get("backends") or ()]
    return (
        str(pod.get("hostname", "?")),
        _address(pod),
        ",".join(map(str, pod.get("pods") or ())) or _NONE,
        f"{sum(backend.get('state') == 'in' for backend in backends)}/{len(backends)}",
        str(sum(port.get("requests", 0) for port in ports)),
        str(sum(port.get("errors", 0) for port in ports)),
    )


def _ms(value: float | None) -> str:
    return _NONE if value is None else f"{value:g} ms"


def _lines(rows: Iterable[Sequence[str]], *, drop_empty: bool = False) -> str:
    """Return a table; with ``drop_empty`` without the columns that are empty below their heads."""
    cells = list(rows)
    if drop_empty:
        kept = [n for n in range(len(cells[0])) if any(row[n] for row in cells[1:])]
        cells = [[row[n] for n in kept] for row in cells]
    return "".join(f"{line}\n" for line in Columns().lines(cells))


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
