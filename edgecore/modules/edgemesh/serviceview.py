"""What ``edgecore services`` is told: each service in short, and one service with all that is known of its traffic."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.intercept.kernel.planes import explain
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.protocols import handling_and_source
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures, quantile_s
from edgecore.modules.edgemesh.published import is_ready
from edgecore.modules.edgemesh.servicenames import meant, no_service
from edgecore.modules.edgemesh.services import Route, ServiceEntry, ServiceTable
from edgecore.modules.edgemesh.status import kind_status, port_status, services_status
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortKey
from edgecore.modules.edgemesh.upstream.upstream import Upstream

Json = dict[str, Any]

_BUILT_IN = Policy()


class ServiceView:
    """Looks at the services of ``table``; ``figures`` are those of all processes, by port; ``now`` is of the
    monotonic clock.

    ``places`` of ``None``: the mesh has not started, and there is nothing to be seen.
    """

    def __init__(
        self,
        table: ServiceTable,
        figures: Mapping[PortKey, PortFigures],
        places: Places | None,
        now: float,
    ) -> None:
        self._table = table
        self._figures = figures
        self._now = now
        self._places = places
        self._upstreams: dict[ServiceKey, list[Upstream]] = {}
        for upstream in table.upstreams:
            self._upstreams.setdefault(upstream.spec.service, []).append(upstream)

    def every(self, namespace: str = "") -> Iterator[Json]:
        """Yield the services of a namespace, or all of them, in short, as JSON values."""
        if self._places is not None:
            for entry in tuple(self._table):
                if namespace in ("", entry.key.namespace):
                    yield self._short(entry, self._places)

    def states(self) -> Iterator[Json]:
        """Yield each service, its ports and the pods behind them, as ``edgecore status`` has them."""
        if self._places is not None:
            yield from services_status(self._table, self._places)

    def whole(self) -> Iterator[Json]:
        """Yield everything of every service, as JSON values."""
        if self._places is not None:
            for entry in tuple(self._table):
                yield self._whole(entry, self._places)

    def one(self, name: str, namespace: str = "") -> Json:
        """Return everything of one service, as JSON values; ``meant`` says how it may be named.

        Raises ``ContentError``, which names services like it, if there is none.
        """
        found = meant(self._table, name, namespace)
        if self._places is None or not isinstance(found, ServiceEntry):
            raise ContentError(no_service(self._table, name, namespace))
        return self._whole(found, self._places)

    def _short(self, entry: ServiceEntry, places: Places) -> Json:
        """Return a service in short; its backends are counted port by port."""
        ports = self._ports(entry, places)
        backends = [backend for port in ports for backend in port["backends"]]
        every = [*ports, *(port for one in entry.named.values() for port in self._ports(one, places))]
        told = ("name", "port", "transport", "state", "reason", "handling", "strategy", "plane", "plane_reason")
        return {
            **_named(entry),
            "fake_ip": entry.address,
            "ready": is_ready(entry),
            "ports": [{key: port[key] for key in told} for port in ports],
            "backends": {
                "in": sum(backend["state"] == "in" for backend in backends),
                "all": len(backends),
            },
            "named_pods": len(entry.named),
            "requests": sum(port["requests"] for port in every),
            "errors": sum(port["errors"] for port in every),
        }

    def _whole(self, entry: ServiceEntry, places: Places) -> Json:
        """Return everything of a service, its pods with names included."""
        return {
            **_named(entry),
            "problems": list(dict.fromkeys(problem for route in entry.routes for problem in route.plan.problems)),
            "ready_endpoints": entry.endpoints.ready_addresses if entry.endpoints is not None else None,
            **self._reached(entry, places),
            "named_pods": [
                {"hostname": hostname, "pods": [pod.metadata.name for pod in named.pods or ()]}
                | self._reached(named, places)
                for hostname, named in sorted(entry.named.items())
            ],
        }

    def _reached(self, entry: ServiceEntry, places: Places) -> Json:
        return {"fake_ip": entry.address, "ready": is_ready(entry), "ports": self._ports(entry, places)}

    def _ports(self, entry: ServiceEntry, places: Places) -> list[Json]:
        """Return the ports that the service names, then those that were asked for all the same (ExternalName)."""
        return [*(self._port(entry, route, places) for route in entry.routes), *self._asked_for(entry)]

    def _port(self, entry: ServiceEntry, route: Route, places: Places) -> Json:
        status = port_status(entry, route, places)
        said: Json = {"handling": None, "handling_from": None, "strategy": None, "policy": {}, "plane_text": ""}
        if route.upstream is not None:
            said = _treatment(route.upstream)
            said["handling_from"] = handling_and_source(route.port)[1]
            said["plane_text"] = explain(status["plane_reason"] or "", route.upstream.spec.handling)
        key = (entry.key, route.port.port, route.transport)
        told = self._figures.get(key) if route.upstream is not None else None
        return {**status, "transport": route.transport, **said, **_traffic(told, route.backends, self._now)}

    def _asked_for(self, entry: ServiceEntry) -> Iterator[Json]:
        told = {id(route.upstream) for route in entry.routes}
        for upstream in self._upstreams.get(entry.key, ()):
            if id(upstream) in told:
                continue
            spec = upstream.spec
            yield {
                "name": "",
                "port": spec.port,
                "protocol": spec.transport.upper(),
                "target": spec.port,
                "state": "asked_for",
                "reason": "",
                "plane": "proxy",
                "plane_reason": "external",
                "plane_text": explain("external", spec.handling),
                "transport": spec.transport,
                "handling_from": None,
                **_treatment(upstream),
                **_traffic(self._figures.get(spec.key), spec.backends, self._now),
            }


def _named(entry: ServiceEntry) -> Json:
    return {"namespace": entry.key.namespace, "name": entry.key.name, **kind_status(entry.service)}


def _treatment(upstream: Upstream) -> Json:
    """Return how a port is forwarded for: of its policy what is not as built in."""
    spec = upstream.spec
    values = {name: getattr(spec.policy, name) for name in spec.policy.__struct_fields__}
    return {
        "handling": spec.handling,
        "strategy": spec.policy.strategy,
        "policy": {
            name: value for name, value in values.items() if name != "strategy" and value != getattr(_BUILT_IN, name)
        },
    }


def _traffic(told: PortFigures | None, backends: tuple[Backend, ...], now: float) -> Json:
    """Return what became of the requests, and each backend; without figures all of it is nothing."""
    hosts = told.hosts if told is not None else {}
    every = told.every_host if told is not None else HostFigures()
    refused = dict(told.refused) if told is not None else {}
    codes = told.codes if told is not None else {}
    past = told.past if told is not None else HostFigures()
    return {
        "panicking": told is not None and told.panicking > 0,
        "requests": sum(codes.values()),
        "codes": {str(code): number for code, number in sorted(codes.items())},
        "refused": refused,
        "retries": told.retries if told is not None else 0,
        "errors": sum(refused.values()) + sum(every.errors.values()),
        **_times(every),
        "backends": [_backend(backend, hosts.get(str(backend.endpoint)), now) for backend in backends],
        "gone": {"requests": past.requests, "errors": dict(past.errors)},
    }


def _backend(backend: Backend, told: HostFigures | None, now: float) -> Json:
    """Return a backend: out if the cloud's word is against it, or every process leaves it out."""
    host = told or HostFigures()
    if backend.endpoint is None:
        state, reason = "out", backend.reason
    else:
        state, reason = "out" if host.out >= max(1, host.judges) else "in", host.ill
    return {
        "pod": backend.pod,
        "endpoint": str(backend.endpoint) if backend.endpoint is not None else None,
        "state": state,
        "reason": reason,
        "for_s": round(max(0.0, host.ill_until - now), 1) or None,
        "check_error": host.check_error or None,
        "last_error": host.last_error or None,
        "last_error_ago_s": round(max(0.0, now - host.last_error_at), 1) if host.last_error else None,
        "left_out_by": host.out,
        "processes": host.judges,
        "requests": host.requests,
        "errors": dict(host.errors),
        **_times(host),
        "active": host.active,
        "connections": host.connections,
        "ejections": host.ejections,
    }


def _times(host: HostFigures) -> Json:
    """Return until when half of the answers, and 99 % of them, had begun."""
    shares = {"p50_ms": 0.5, "p99_ms": 0.99}
    found = {name: quantile_s(host.latency, share) for name, share in shares.items()}
    return {name: None if seconds is None else round(1000 * seconds, 2) for name, seconds in found.items()}
