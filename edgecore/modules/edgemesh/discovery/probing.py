"""How a pod is asked whether it is well, as its readinessProbe says, from outside of it (pure)."""

from collections.abc import Callable

from edgecore.kube import Container, HTTPGetAction, Pod, ReadinessProbe, TCPSocketAction
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.protocols import is_of
from edgecore.modules.edgemesh.upstream.spec import Probe

Way = Callable[[int], Endpoint | None]
"""From the number of a TCP port in the pod to where it is reached; ``None`` if it is not."""


def probe_of(container: Container, host: str, way: Way) -> Probe | None:
    """Return the probe of ``container``, whose pod is reached at the address ``host``.

    ``None``: it has none, or one that cannot be asked from here: a command, another host, a port that no port of the
    host leads to.
    """
    declared = container.readiness_probe
    if declared is None:
        return None
    action = declared.http_get or declared.tcp_socket
    if action is None or action.host not in ("", host):
        return None
    number = _number(action.port, container)
    asked = way(number) if number else None
    if asked is None or asked.host != host:
        return None
    return _probe(declared, action, asked.port)


def container_of(pod: Pod, number: int) -> Container | None:
    """Return the container of ``pod`` that has the port ``number``; of a pod of one container, that."""
    for container in pod.spec.containers:
        if any(port.container_port == number for port in container.ports):
            return container
    return pod.spec.containers[0] if len(pod.spec.containers) == 1 else None


def _number(port: int | str, container: Container) -> int:
    if isinstance(port, int):
        return port
    found = (one.container_port for one in container.ports if one.name == port and is_of("tcp", one.protocol))
    return next(found, 0)


def _probe(declared: ReadinessProbe, action: HTTPGetAction | TCPSocketAction, port: int) -> Probe:
    times = Probe(
        port=port,
        period_s=float(declared.period_seconds if declared.period_seconds > 0 else Probe().period_s),
        timeout_s=float(declared.timeout_seconds if declared.timeout_seconds > 0 else Probe().timeout_s),
        rise=declared.success_threshold if declared.success_threshold > 0 else Probe().rise,
        fall=declared.failure_threshold if declared.failure_threshold > 0 else Probe().fall,
    )
    if isinstance(action, TCPSocketAction):
        return times
    return Probe(
        kind="http",
        port=port,
        path=action.path if action.path.startswith("/") else f"/{action.path}",
        host=next((header.value for header in action.http_headers if header.name.lower() == "host"), ""),
        headers=tuple((header.name, header.value) for header in action.http_headers if header.name.lower() != "host"),
        tls=action.scheme.upper() == "HTTPS",
        period_s=times.period_s,
        timeout_s=times.timeout_s,
        rise=times.rise,
        fall=times.fall,
    )
