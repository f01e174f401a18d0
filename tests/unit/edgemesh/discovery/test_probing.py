from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.discovery.pods import Terms, discover
from edgecore.modules.edgemesh.upstream.spec import Probe

MakePod = Callable[..., kube.Pod]

PORTS = (
    kube.ContainerPort("web", "TCP", 80, 8000),
    kube.ContainerPort("health", "TCP", 81, 8001),
    kube.ContainerPort("inner", "TCP", 82, 0),
)


def probed(
    make_pod: MakePod, probe: kube.ReadinessProbe | None, terms: Terms | None = None, **spec: Any
) -> Probe | None:
    """Return the probe of the backend that a pod with such a probe is to a service."""
    pod = make_pod("a", "10.0.0.1")
    container = kube.Container("main", PORTS, readiness_probe=probe)
    pod = msgspec.structs.replace(
        pod,
        spec=msgspec.structs.replace(pod.spec, containers=(kube.Container("side"), container), **spec),
        status=msgspec.structs.replace(pod.status, pod_ip="172.17.0.2"),
    )
    (backend,) = discover(kube.ServicePort("http", "TCP", 80), [pod], terms or Terms())
    assert backend.endpoint is not None
    return backend.probe


def test_a_pod_without_a_probe_has_none(make_pod: MakePod) -> None:
    assert probed(make_pod, None) is None


def test_a_tcp_probe_asks_the_host_port_with_the_defaults_of_kubernetes(make_pod: MakePod) -> None:
    probe = kube.ReadinessProbe(tcp_socket=kube.TCPSocketAction(80))

    assert probed(make_pod, probe) == Probe("tcp", 8000, period_s=10.0, timeout_s=1.0, rise=1, fall=3)


def test_an_http_probe_is_taken_with_all_that_it_says(make_pod: MakePod) -> None:
    headers = (kube.HTTPHeader("Host", "shop"), kube.HTTPHeader("X-Probe", "1"))
    action = kube.HTTPGetAction("healthz", "health", "", "HTTPS", headers)
    probe = kube.ReadinessProbe(action, None, 5, 2, 3, 4)

    assert probed(make_pod, probe) == Probe(
        "http", 8001, "/healthz", "shop", (("X-Probe", "1"),), tls=True, period_s=5.0, timeout_s=2.0, rise=3, fall=4
    )


@pytest.mark.parametrize("port", [0, "nothing", 9, 82, "inner"])
def test_a_probe_of_a_port_that_no_host_port_leads_to_cannot_be_asked(make_pod: MakePod, port: int | str) -> None:
    assert probed(make_pod, kube.ReadinessProbe(tcp_socket=kube.TCPSocketAction(port))) is None


@pytest.mark.parametrize(
    ("terms", "spec"), [(Terms(pod_addresses=True), {}), (Terms(), {"host_network": True})], ids=["pod", "host"]
)
@pytest.mark.parametrize(("port", "asked"), [("inner", 82), (9, 9)])
def test_where_no_host_port_is_needed_every_port_can_be_asked(
    make_pod: MakePod, terms: Terms, spec: dict[str, Any], port: int | str, asked: int
) -> None:
    probe = probed(make_pod, kube.ReadinessProbe(tcp_socket=kube.TCPSocketAction(port)), terms, **spec)

    assert probe is not None
    assert probe.port == asked


def test_a_command_or_another_host_cannot_be_asked(make_pod: MakePod) -> None:
    assert probed(make_pod, kube.ReadinessProbe()) is None
    assert probed(make_pod, kube.ReadinessProbe(kube.HTTPGetAction("/", 80, "127.0.0.1"))) is None
    assert probed(make_pod, kube.ReadinessProbe(tcp_socket=kube.TCPSocketAction(80, "10.0.0.1"))) is not None
