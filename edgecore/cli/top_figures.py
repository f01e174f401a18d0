"""What ``edgecore top`` shows, out of two statuses of a node, one after the other (pure)."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Json = Mapping[str, Any]

TROUBLES_KEPT = 100


class ModuleFigures(NamedTuple):
    """One module."""

    name: str
    state: str
    depth: int
    capacity: int
    sent_s: float
    """Messages a second."""
    received_s: float
    waited_ms: float
    """How long a message has lain in the mailbox, on average of those that were received in between."""
    restarts: int
    dropped: int
    """Since the start, for whatever reason."""
    error: str


class ServiceFigures(NamedTuple):
    """One service."""

    name: str
    fake_ip: str
    ports: str
    backends_in: int
    backends: int
    requests_s: float
    requests: int
    errors_s: float
    is_well: bool
    """Whether its ports listen, and there is a backend where there are any pods."""


class Figures(NamedTuple):
    """All of one screen."""

    node: str
    version: str
    uptime_s: float
    state: str
    reasons: tuple[str, ...]
    link: Json
    link_sent_s: float
    link_received_s: float
    modules: tuple[ModuleFigures, ...]
    services: tuple[ServiceFigures, ...]
    """Those that are not well first, then the busiest."""
    queries: Mapping[str, float]
    """DNS questions a second, by what they got."""
    queries_all: int
    requests_s: float
    requests_all: int
    connections: int
    errors_all: int
    commits_s: float
    store_waiting: int
    under_way: int
    unexplained: int
    held: int
    """Messages that somebody holds."""


def figures(now: Json, before: Json | None) -> Figures:
    """Return what there is to show.

    Without an earlier status, or after a restart, all rates are 0, and averages are those since the start.
    """
    if before is not None and now["uptime_s"] <= before["uptime_s"]:
        before = None
    earlier: Json = before or {}
    rate = _Rate(now["uptime_s"] - earlier["uptime_s"] if before else 0.0)
    link, link_before = now.get("link") or {}, earlier.get("link") or {}
    mesh, mesh_before = now.get("mesh") or {}, earlier.get("mesh") or {}
    places, places_before = _requests(mesh), _requests(mesh_before)
    queries, queries_before = _queries(mesh), _queries(mesh_before)
    failures, failures_before = _failures(mesh), _failures(mesh_before)
    store, store_before = now.get("store") or {}, earlier.get("store") or {}
    services = (
        _service(service, places, places_before, (failures, failures_before), rate)
        for service in mesh.get("services") or ()
    )
    return Figures(
        node=now["node"],
        version=now.get("version", "?"),
        uptime_s=now["uptime_s"],
        state=now["state"],
        reasons=tuple(now.get("reasons") or ()),
        link=link,
        link_sent_s=rate.of(link, link_before, "sent"),
        link_received_s=rate.of(link, link_before, "received"),
        modules=tuple(_modules(now, earlier, rate)),
        services=tuple(sorted(services, key=lambda one: (one.is_well, -one.requests_s, -one.requests, one.name))),
        queries={name: rate.of(queries, queries_before, name) for name in queries},
        queries_all=sum(queries.values()),
        requests_s=rate.between(sum(places.values()), sum(places_before.values())),
        requests_all=sum(places.values()),
        connections=(mesh.get("proxy") or {}).get("connections", 0),
        errors_all=sum(failures.values()),
        commits_s=rate.of(store, store_before, "commits"),
        store_waiting=store.get("waiting", 0),
        under_way=(now.get("ledger") or {}).get("under_way", 0),
        unexplained=(now.get("ledger") or {}).get("unexplained", 0),
        held=len(now.get("held") or ()),
    )


class _Rate:
    """How much a second, over so many seconds. A counter that went back began anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def between(self, now: float, before: float) -> float:
        if not self._seconds:
            return 0.0
        return (now - before if now >= before else now) / self._seconds

    def of(self, now: Json, before: Json, key: str) -> float:
        return self.between(now.get(key, 0), before.get(key, 0))


def _modules(now: Json, before: Json, rate: _Rate) -> Iterator[ModuleFigures]:
    known = {one["name"]: one.get("mailbox") or {} for one in before.get("modules") or ()}
    for module in now.get("modules") or ():
        box, earlier = module.get("mailbox") or {}, known.get(module["name"], {})
        received = box.get("received", 0) - earlier.get("received", 0)
        waited_s = box.get("waited_s", 0.0) - earlier.get("waited_s", 0.0)
        yield ModuleFigures(
            name=module["name"],
            state=module.get("state", "?"),
            depth=box.get("depth", 0),
            capacity=box.get("capacity", 0),
            sent_s=rate.of(box, earlier, "sent"),
            received_s=rate.of(box, earlier, "received"),
            waited_ms=max(0.0, waited_s) / received * 1000 if received > 0 else 0.0,
            restarts=module.get("restarts", 0),
            dropped=sum((box.get("dropped") or {}).values()),
            error=module.get("error", ""),
        )


def _service(
    service: Json,
    places: Mapping[str, int],
    before: Mapping[str, int],
    failures: tuple[Mapping[str, int], Mapping[str, int]],
    rate: _Rate,
) -> ServiceFigures:
    name = f"{service.get('namespace', '?')}/{service.get('name', '?')}"
    ports: Sequence[Json] = service.get("ports") or ()
    backends: Sequence[Json] = service.get("backends") or ()
    backends_in = sum(backend.get("state") == "in" for backend in backends)
    mine = [f"{name}:{port['port']}" for port in ports if "port" in port]
    listens = all(port.get("state") != "not_bound" for port in ports)
    return ServiceFigures(
        name=name,
        fake_ip=service.get("fake_ip") or service.get("external_name") or "",
        ports=" ".join(_port_text(port) for port in ports),
        backends_in=backends_in,
        backends=len(backends),
        requests_s=rate.between(_sum(places, mine), _sum(before, mine)),
        requests=_sum(places, mine),
        errors_s=rate.between(_sum(failures[0], mine), _sum(failures[1], mine)),
        is_well=listens and (backends_in > 0 or not backends),
    )


def _port_text(port: Json) -> str:
    protocol = port.get("protocol") or "TCP"
    return f"{port.get('port', '?')}{'' if protocol == 'TCP' else f'/{protocol}'}"


def _sum(counts: Mapping[str, int], places: Sequence[str]) -> int:
    return sum(counts.get(place, 0) for place in places)


def _requests(mesh: Json) -> dict[str, int]:
    """Return how many requests each port of a service got, by ``namespace/name:port``."""
    told: Json = (mesh.get("proxy") or {}).get("requests") or {}
    return {
        place: sum((one.get("codes") or {}).values()) or sum((one.get("endpoints") or {}).values())
        for place, one in told.items()
    }


def _failures(mesh: Json) -> dict[str, int]:
    """Return how many requests failed for reasons of the proxy or with a status of 500 and above."""
    told: Json = (mesh.get("proxy") or {}).get("requests") or {}
    return {
        place: sum(count for code, count in (one.get("codes") or {}).items() if str(code).startswith("5"))
        for place, one in told.items()
    }


def _queries(mesh: Json) -> dict[str, int]:
    told: Json = (mesh.get("dns") or {}).get("queries") or {}
    return {name: count for name, count in told.items() if isinstance(count, int)}


class Trouble(NamedTuple):
    """One thing that went wrong."""

    at_ms: int
    text: str
    is_error: bool = False


class Troubles:
    """What went wrong lately: what is new since somebody looks, and what the log of the node had to say before too."""

    def __init__(self) -> None:
        self._known: dict[str, str] | None = None
        self._counts: dict[str, int] | None = None
        self._uptime_s = 0.0
        self._log: list[Trouble] = []
        self.latest: deque[Trouble] = deque(maxlen=TROUBLES_KEPT)
        """Reasons, failed modules, bad input, losses, since somebody looks."""

    def lately(self) -> list[Trouble]:
        """Return all of it, the latest last."""
        return sorted((*self.latest, *self._log), key=lambda trouble: trouble.at_ms)

    def look(self, status: Json, at_ms: int) -> None:
        """Note what is new in ``status``. Reasons that were there at first stand on the screen anyway."""
        if status["uptime_s"] < self._uptime_s:  # the node was started again, and counts from 0
            self._counts = {}
        self._uptime_s = status["uptime_s"]
        self._log = [_remark(remark) for remark in status.get("log") or ()]
        told = {reason: reason for reason in status.get("reasons") or ()}
        for module in status.get("modules") or ():
            if error := module.get("error"):
                told[f"{module['name']} {error}"] = f"module {module['name']}: {error}"
        reasons = set(status.get("reasons") or ()) if self._known is None else set()
        for key, text in told.items():
            if key not in (self._known or {}) and key not in reasons:
                self.latest.append(Trouble(at_ms, text))
        self._known = told
        counts = dict(_trouble_counts(status))
        for what, count in counts.items():
            more = count - (self._counts or {}).get(what, 0)
            if more > 0:
                when = "" if self._counts is not None else " before"
                self.latest.append(Trouble(at_ms, f"{what}: {more}{when}"))
        self._counts = counts


def _remark(remark: Json) -> Trouble:
    """Return one event of the log."""
    try:
        at_ms = round(datetime.fromisoformat(remark["at"]).timestamp() * 1000)
    except ValueError:
        at_ms = 0
    times = f" ({remark['count']} times)" if remark["count"] > 1 else ""
    text = f"{remark['logger']} {remark['event']}{times} {remark['text']}"
    return Trouble(at_ms, text.rstrip(), remark["level"] != "warning")


def _trouble_counts(status: Json) -> Iterator[tuple[str, int]]:
    for what, count in (status.get("bad_input") or {}).items():
        yield f"bad input {what}", count
    for module in status.get("modules") or ():
        for reason, count in ((module.get("mailbox") or {}).get("dropped") or {}).items():
            yield f"messages of {module['name']} dropped, {reason}", count
    for what, count in ((status.get("mesh") or {}).get("proxy") or {}).get("errors", {}).items():
        if isinstance(count, int):
            yield f"requests refused, {what}", count
    for what, count in ((status.get("store") or {}).get("troubles") or {}).items():
        yield f"database {what}", count
