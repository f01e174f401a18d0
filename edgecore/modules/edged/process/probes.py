"""Probes of a container: when to ask, and what follows from the answers (pure; kubernetes pkg/kubelet/prober).

A readiness probe has found failure until it first finds success. While a startup probe has not found success nobody
else asks.
"""

from typing import NamedTuple

from edgecore.kube import HTTPHeader
from edgecore.modules.edged.podspec import ContainerToRun, Probe

PERIOD_S, TIMEOUT_S, SUCCESSES, FAILURES = 10, 1, 1, 3
LONGEST_S = 2**31 - 1
"""What a peer may say in seconds; what is beyond that is this."""
LOOPBACK = "127.0.0.1"


class HttpTarget(NamedTuple):
    """A question by HTTP; any answer from 200 to 399 is success."""

    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[HTTPHeader, ...]


class TcpTarget(NamedTuple):
    """A connection, which is success."""

    host: str
    port: int


class ExecTarget(NamedTuple):
    """A command, of which exit code 0 is success."""

    command: tuple[str, ...]


Target = HttpTarget | TcpTarget | ExecTarget


class ProbePlan(NamedTuple):
    """One probe, its defaults filled in. ``target`` of ``None``: it cannot be asked, which is failure."""

    target: Target | None
    delay_s: int
    period_s: int
    timeout_s: int
    successes: int
    failures: int


class Tally(NamedTuple):
    """What a probe has found. ``found`` of ``None``: not decided yet."""

    found: bool | None = None
    latest: bool | None = None
    in_a_row: int = 0

    def after(self, plan: ProbePlan, answer: bool) -> "Tally":
        """Return the tally after one more answer."""
        in_a_row = self.in_a_row + 1 if answer is self.latest else 1
        decided = in_a_row >= (plan.successes if answer else plan.failures)
        return Tally(answer if decided else self.found, answer, in_a_row)


def plan_probe(probe: Probe, container: ContainerToRun, *, at_host_port: bool, address: str = LOOPBACK) -> ProbePlan:
    """Return the probe of a container that listens at ``address``; ``at_host_port``: where the host's port is."""
    return ProbePlan(
        _target(probe, container, at_host_port, address),
        min(max(0, probe.initial_delay_seconds), LONGEST_S),
        _or(probe.period_seconds, PERIOD_S),
        _or(probe.timeout_seconds, TIMEOUT_S),
        _or(probe.success_threshold, SUCCESSES),
        _or(probe.failure_threshold, FAILURES),
    )


def _target(probe: Probe, container: ContainerToRun, at_host_port: bool, address: str) -> Target | None:
    if probe.run is not None:
        return ExecTarget(probe.run.command) if probe.run.command else None
    if probe.http_get is not None:
        http = probe.http_get
        port = _port(http.port, container, at_host_port)
        path = http.path if http.path.startswith("/") else f"/{http.path}"
        scheme = "https" if http.scheme.upper() == "HTTPS" else "http"
        return HttpTarget(scheme, http.host or address, port, path, http.http_headers) if port else None
    if probe.tcp_socket is not None:
        port = _port(probe.tcp_socket.port, container, at_host_port)
        return TcpTarget(probe.tcp_socket.host or address, port) if port else None
    return None


def _port(wanted: int | str, container: ContainerToRun, at_host_port: bool) -> int:
    """Return the port to ask at; 0 if there is none of that name."""
    by_name = next((port for port in container.ports if isinstance(wanted, str) and port.name == wanted), None)
    if by_name is None and isinstance(wanted, str):
        number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 5 else 0
    else:
        number = by_name.container_port if by_name is not None else int(wanted)
    declared = by_name or next((port for port in container.ports if port.container_port == number), None)
    if at_host_port and declared is not None and declared.host_port:
        return declared.host_port
    return number if number <= 65_535 else 0


def _or(value: int, default: int) -> int:
    return min(value, LONGEST_S) if value > 0 else default
