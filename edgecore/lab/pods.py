"""What containers the lab is to run for the pods of its nodes: objects of the cloud in, containers out; pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

LIMIT = 64
"""So many pods of a lab get a container; each takes a process or two."""


class Container(NamedTuple):
    """A web server to be run for a pod."""

    node: str
    pod: str
    address: str
    ports: tuple[int, ...]
    """Where it listens, at the pod's address."""
    published: tuple[tuple[int, int], ...]
    """Pairs of a port of the node and the container's port behind it."""
    on_host: bool
    """Whether it has the node's own network."""


def wanted(pods: Iterable[Mapping[str, Any]], nodes: Collection[str]) -> frozenset[Container]:
    """Return a container for each pod that a node of the lab has reported as running.

    What is no such pod, or has no address yet, is passed over.
    """
    found = (_container(pod, nodes) for pod in pods)
    return frozenset(sorted(each for each in found if each is not None)[:LIMIT])


def _container(pod: Mapping[str, Any], nodes: Collection[str]) -> Container | None:
    metadata, spec, status = (_mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    node, name, address = str(spec.get("nodeName", "")), str(metadata.get("name", "")), str(status.get("podIP", ""))
    if node not in nodes or not name or not address or status.get("phase") != "Running":
        return None
    if metadata.get("deletionTimestamp"):
        return None
    ports = [
        port
        for container in spec.get("containers") or ()
        for port in _mapping(container).get("ports") or ()
        if _mapping(port).get("protocol", "TCP") == "TCP" and isinstance(port.get("containerPort"), int)
    ]
    on_host = bool(spec.get("hostNetwork"))
    published = () if on_host else tuple((p["hostPort"], p["containerPort"]) for p in ports if p.get("hostPort"))
    return Container(node, name, address, tuple(p["containerPort"] for p in ports), published, on_host)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
