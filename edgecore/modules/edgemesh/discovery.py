"""Which pods of a service can be reached at one of its ports, where, and why the others cannot.

Each pod is looked at for itself; Go takes the host port of the first pod for all of them and fails on an empty list
(kubeedge edgemesh/pkg/plugin/registry/registry.go:60-102@v1.3.1, bugs X8 to X10).

* A pod on the host's network is reached at hostIP:targetPort; any other at hostIP:hostPort, where hostPort belongs to
  the TCP container port that targetPort means by its number or its name.
* A targetPort of 0, or none, means the port of the service.
* A pod that is told to go, does not run, or says no address is out. The condition ``Ready`` is not asked.
"""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from edgecore.kube import Pod, ServicePort
from edgecore.modules.edgemesh.names import Endpoint


class Backend(NamedTuple):
    """One pod, seen from one port of a service."""

    pod: str
    endpoint: Endpoint | None
    """Where it is reached; ``None`` if it is out."""
    reason: str = ""
    """Why it is out: ``terminating``, ``no_status``, ``not_running``, ``no_host_ip``, ``bad_host_ip``,
    ``no_container_port``, ``no_host_port``; empty if it is in."""


def discover(port: ServicePort, pods: Iterable[Pod]) -> tuple[Backend, ...]:
    """Return what each pod is to ``port``, in the order of the pods."""
    target = port.target_port or port.port
    return tuple(_backend(pod, target) for pod in pods)


def why_out(pod: Pod) -> str:
    """Return why a pod is out at every port, one of the first five reasons of ``Backend``; empty if it is not."""
    if pod.terminating:
        return "terminating"
    if not pod.running:
        return "not_running" if pod.status.phase else "no_status"
    host_ip = pod.status.host_ip
    if not host_ip:
        return "no_host_ip"
    return "" if _is_address(host_ip) else "bad_host_ip"


def _backend(pod: Pod, target: int | str) -> Backend:
    name = pod.metadata.name
    reason = why_out(pod)
    if reason:
        return Backend(name, None, reason)
    port, reason = _host_port(pod, target)
    return Backend(name, Endpoint(pod.status.host_ip, port) if port else None, reason)


def _host_port(pod: Pod, target: int | str) -> tuple[int, str]:
    """Return the port of the host that leads to ``target`` in the pod; 0 and the reason if there is none."""
    if pod.spec.host_network and isinstance(target, int):
        return target, ""  # the container need not declare it
    matching = [
        port
        for port in pod.container_ports
        if port.protocol in ("TCP", "") and target == (port.name if isinstance(target, str) else port.container_port)
    ]
    if not matching:
        return 0, "no_container_port"
    if pod.spec.host_network:
        return matching[0].container_port, "" if matching[0].container_port else "no_container_port"
    host_port = next((port.host_port for port in matching if port.host_port), 0)
    return host_port, "" if host_port else "no_host_port"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
