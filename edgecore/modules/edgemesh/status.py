"""What people and Prometheus are told of the mesh."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.kube import Service
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.intercept.rootless import NotBound, Place
from edgecore.modules.edgemesh.published import external_name, is_ready
from edgecore.modules.edgemesh.services import Route, ServiceEntry, ServiceTable


def services_status(table: ServiceTable, places: Places) -> Iterator[dict[str, Any]]:
    """Yield each service with its ports and the pods behind them, as JSON values; ``table`` may change meanwhile."""
    for entry in tuple(table):
        yield {
            "namespace": entry.key.namespace,
            "name": entry.key.name,
            **kind_status(entry.service),
            **_reached_status(entry, places),
            "ready_endpoints": entry.endpoints.ready_addresses if entry.endpoints is not None else None,
            "named_pods": [
                {"hostname": hostname, "pods": [pod.metadata.name for pod in named.pods or ()]}
                | _reached_status(named, places)
                for hostname, named in sorted(entry.named.items())
            ],
        }


def not_bound_status(failures: Iterable[NotBound]) -> list[dict[str, Any]]:
    """Return each port that could not be bound, as JSON values; ``since_ms`` is Unix time."""
    return [
        {
            "service": str(failure.place.service),
            "address": failure.place.address,
            "port": failure.place.port,
            "reason": failure.reason,
            "text": failure.text,
            "since_ms": failure.since_ms,
        }
        for failure in failures
    ]


def metric_families(table: ServiceTable, addresses: int, not_bound: int, dropped: int) -> Iterator[Metric]:
    """Yield the mesh's figures for Prometheus."""
    yield GaugeMetricFamily("edgecore_edgemesh_services", "Services of the mesh.", value=len(table))
    yield GaugeMetricFamily("edgecore_edgemesh_addresses", "Fake IPs that services and pods have.", value=addresses)
    yield GaugeMetricFamily("edgecore_edgemesh_ports_not_bound", "Ports that could not be bound.", value=not_bound)
    yield CounterMetricFamily(
        "edgecore_edgemesh_backlog_dropped",
        "Changes dropped during the recovery, which then began anew.",
        value=dropped,
    )


def kind_status(service: Service | None) -> dict[str, Any]:
    """Return what kind of service it is, as JSON values; nothing of one that is not known."""
    if service is None:
        return {}
    return {
        "type": service.spec.type or "ClusterIP",
        "headless": service.spec.cluster_ip == "None",
        "external_name": external_name(service) if service.is_external else None,
    }


def _reached_status(entry: ServiceEntry, places: Places) -> dict[str, Any]:
    """Return where a service or a pod is reached, and what is behind that."""
    return {
        "fake_ip": entry.address,
        "ready": is_ready(entry),
        "ports": [port_status(entry, route, places) for route in entry.routes],
        "backends": [backend for route in entry.routes for backend in _backends_status(route)],
    }


def port_status(entry: ServiceEntry, route: Route, places: Places) -> dict[str, Any]:
    """Return a port and whether it is listened at, as JSON values."""
    state, reason = "not_served", route.not_served
    place = None
    if not reason:
        place = Place(entry.key, entry.address or "", route.port.port, route.transport)
        reason = places.problem(place) or ""
        state = "not_bound" if reason else "listening"
    return {
        "name": route.port.name,
        "port": route.port.port,
        "protocol": route.port.protocol,
        "target": route.port.target_port,
        "state": state,
        "reason": reason,
        **_plane(places, place),
    }


def _plane(places: Places, place: Place | None) -> dict[str, Any]:
    """Return who moves the bytes, and why not the kernel."""
    if place is None:
        return {"plane": None, "plane_reason": None}
    return {"plane": places.plane(place), "plane_reason": places.why_proxy(place) or None}


def _backends_status(route: Route) -> Iterator[dict[str, Any]]:
    for backend in route.backends:
        yield {
            "port": route.port.port,
            "pod": backend.pod,
            "endpoint": str(backend.endpoint) if backend.endpoint is not None else None,
            "state": "in" if backend.endpoint is not None else "out",
            "reason": backend.reason,
        }
