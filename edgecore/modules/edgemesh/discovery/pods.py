"""Which pods of a service can be reached at one of its ports, where, and why the others cannot (pure).

Each pod is looked at for itself; Go takes the host port of the first pod for all of them and fails on an empty list
(kubeedge edgemesh/pkg/plugin/registry/registry.go:60-102@v1.3.1, bugs X8 to X10).

* A pod on the host's network is reached at hostIP:targetPort; any other at hostIP:hostPort, where hostPort belongs to
  the container port of the same transport that targetPort means by its number or its name. Where the user says that
  pods are reached at their own addresses, it is podIP:targetPort, which no NAT stands before; hostPort is what is left
  for a pod without an address.
* A targetPort of 0, or none, means the port of the service.
* A pod that is told to go, does not run, is not ready, or says no address is out.
"""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from edgecore.kube import ContainerPort, Pod, ServicePort
from edgecore.modules.edgemesh.discovery.probing import container_of, probe_of
from edgecore.modules.edgemesh.discovery.standing import NOBODY, NotReady
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.protocols import is_of, transport_of
from edgecore.modules.edgemesh.upstream.spec import Backend, Transport


class Terms(NamedTuple):
    """What holds for all pods of a service."""

    not_ready: NotReady = NOBODY
    """By its Endpoints."""
    readiness_counts: bool = True
    """False with ``publishNotReadyAddresses``: whether a pod is ready is not asked."""
    pod_addresses: bool = False
    """Pods are reached at their own addresses."""


def discover(port: ServicePort, pods: Iterable[Pod], terms: Terms = Terms()) -> tuple[Backend, ...]:  # noqa: B008 - a value
    """Return what each pod is to ``port``, in the order of the pods.

    The reasons: ``terminating``, ``no_status``, ``not_running``, ``not_ready``, ``not_ready_endpoint``,
    ``no_host_ip``, ``bad_host_ip``, ``no_container_port``, ``no_host_port``, ``same_endpoint`` (as a pod before it).
    """
    target = port.target_port or port.port
    transport = transport_of(port)
    return without_doubles(_backend(pod, target, transport, terms) for pod in pods)


def without_doubles(backends: Iterable[Backend]) -> tuple[Backend, ...]:
    """Return ``backends``; of those with one endpoint the first alone is in."""
    seen: dict[Endpoint | None, None] = {}
    found = []
    for backend in backends:
        if backend.endpoint is not None and backend.endpoint in seen:
            found.append(Backend(backend.pod, None, "same_endpoint"))
            continue
        seen[backend.endpoint] = None
        found.append(backend)
    return tuple(found)


def why_out(pod: Pod, terms: Terms = Terms()) -> str:  # noqa: B008 - a value
    """Return why a pod is out at every port, one of the first seven reasons of ``discover``; empty if it is not."""
    return _why_unwell(pod, terms) or _why_nowhere(pod, terms)


def _why_unwell(pod: Pod, terms: Terms) -> str:
    if pod.terminating:
        return "terminating"
    if not pod.running:
        return "not_running" if pod.status.phase else "no_status"
    if not terms.readiness_counts:
        return ""
    if pod.ready == "False":
        return "not_ready"
    return "not_ready_endpoint" if terms.not_ready.has(pod) else ""


def _why_nowhere(pod: Pod, terms: Terms) -> str:
    host_ip = pod.status.host_ip
    if _has_own_address(pod, terms) or is_address(host_ip):
        return ""
    return "bad_host_ip" if host_ip else "no_host_ip"


def _has_own_address(pod: Pod, terms: Terms) -> bool:
    return terms.pod_addresses and not pod.spec.host_network and is_address(pod.status.pod_ip)


def _backend(pod: Pod, target: int | str, transport: Transport, terms: Terms) -> Backend:
    name = pod.metadata.name
    reason = why_out(pod, terms)
    if reason:
        return Backend(name, None, reason)
    number, matching = _container_ports(pod, target, transport)
    if not number:
        return Backend(name, None, "no_container_port")
    at_pod = _has_own_address(pod, terms)
    endpoint = _endpoint(pod, number, matching, at_pod=at_pod)
    if endpoint is None:
        return Backend(name, None, "no_host_port" if matching else "no_container_port")
    found = Backend(name, endpoint, "", pod.life)
    container = container_of(pod, number)
    if container is None or container.readiness_probe is None:
        return found

    def way(asked: int) -> Endpoint | None:
        return _endpoint(pod, *_container_ports(pod, asked, "tcp"), at_pod=at_pod)

    return msgspec.structs.replace(found, probe=probe_of(container, endpoint.host, way))


def container_port(pod: Pod, port: ServicePort) -> int:
    """Return the number in ``pod`` that the targetPort of ``port`` means; 0 if it has no port of that name."""
    return _container_ports(pod, port.target_port or port.port, transport_of(port))[0]


def _container_ports(pod: Pod, target: int | str, transport: Transport) -> tuple[int, list[ContainerPort]]:
    """Return the number in the pod that ``target`` means, 0 if none, and where the pod declares it."""
    matching = [
        port
        for port in pod.container_ports
        if is_of(transport, port.protocol) and target == (port.name if isinstance(target, str) else port.container_port)
    ]
    if isinstance(target, int):
        return target, matching  # the container need not declare it
    return matching[0].container_port if matching else 0, matching


def _endpoint(pod: Pod, number: int, matching: list[ContainerPort], *, at_pod: bool) -> Endpoint | None:
    """Return where the port ``number`` of the pod is reached."""
    if at_pod:
        return Endpoint(pod.status.pod_ip, number)
    if pod.spec.host_network:
        return Endpoint(pod.status.host_ip, number)
    host_port = next((port.host_port for port in matching if port.host_port), 0)
    return Endpoint(pod.status.host_ip, host_port) if host_port else None


def is_address(text: str) -> bool:
    """Say whether ``text`` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
