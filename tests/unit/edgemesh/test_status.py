from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from edgecore import kube
from edgecore.clock import VirtualClock, settle
from edgecore.modules.edgemesh.intercept.rootless import RootlessListeners
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.status import metric_families, not_bound_status, services_status
from tests.support.upstreams import fresh_table

WEB = ServiceKey("default", "web")
ADDRESS = "127.251.0.1"


@pytest.fixture
def table(make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod]) -> ServiceTable:
    table = fresh_table()
    table.put(WEB, make_service(WEB, ("http", 80, "web"), ("http-1", 8080, 80), ("tcp", 0, 80)))
    table.set_address(WEB, ADDRESS)
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "", (80, 8000))))
    return table


@pytest.fixture
async def listeners(listen: Any) -> AsyncIterator[RootlessListeners]:
    listen.refuse(ADDRESS, 80, "no_permission")
    listeners = RootlessListeners(listen, VirtualClock(start_ms=9_000), 5.0)
    listeners.set(WEB, ADDRESS, ((80, "tcp"), (8080, "tcp")))
    await settle()
    yield listeners
    await listeners.stop()


async def test_each_port_says_whether_it_is_listened_at_or_why_not(
    table: ServiceTable, listeners: RootlessListeners
) -> None:
    (service,) = services_status(table, listeners)

    assert (service["namespace"], service["name"], service["fake_ip"]) == ("default", "web", ADDRESS)
    assert service["ports"] == [
        {
            "name": "http",
            "port": 80,
            "protocol": "TCP",
            "target": "web",
            "state": "not_bound",
            "reason": "no_permission",
            "plane": "proxy",
            "plane_reason": "rootless",
        },
        {
            "name": "http-1",
            "port": 8080,
            "protocol": "TCP",
            "target": 80,
            "state": "listening",
            "reason": "",
            "plane": "proxy",
            "plane_reason": "rootless",
        },
        {
            "name": "tcp",
            "port": 0,
            "protocol": "TCP",
            "target": 80,
            "state": "not_served",
            "reason": "no_port_number",
            "plane": None,
            "plane_reason": None,
        },
    ]


async def test_each_backend_says_whether_it_is_in_or_why_not(table: ServiceTable, listeners: RootlessListeners) -> None:
    (service,) = services_status(table, listeners)

    assert service["backends"][2:] == [
        {"port": 8080, "pod": "a", "endpoint": "10.0.0.1:8000", "state": "in", "reason": ""},
        {"port": 8080, "pod": "b", "endpoint": None, "state": "out", "reason": "no_host_ip"},
    ]


async def test_a_service_without_an_address_is_listed(table: ServiceTable, listeners: RootlessListeners) -> None:
    table.put(ServiceKey("default", "late"), kube.Service())

    assert list(services_status(table, listeners))[1]["fake_ip"] is None


async def test_ready_endpoints_are_counted_once_they_are_known(
    table: ServiceTable, listeners: RootlessListeners
) -> None:
    assert next(services_status(table, listeners))["ready_endpoints"] is None

    table.set_endpoints(WEB, kube.Endpoints(subsets=(kube.EndpointSubset((kube.EndpointAddress("10.0.0.1"),)),)))

    assert next(services_status(table, listeners))["ready_endpoints"] == 1


async def test_a_port_that_could_not_be_bound_is_listed(listeners: RootlessListeners) -> None:
    (failure,) = not_bound_status(listeners.not_bound)

    assert failure["service"] == "default/web"
    assert (failure["address"], failure["port"], failure["reason"]) == (ADDRESS, 80, "no_permission")
    assert failure["since_ms"] == 9_000
    assert failure["text"].startswith("cannot listen on 127.251.0.1:80")


def test_prometheus_gets_the_figures(table: ServiceTable) -> None:
    families = metric_families(table, addresses=7, not_bound=2, dropped=5)

    assert {family.name: family.samples[0].value for family in families} == {
        "edgecore_edgemesh_services": 1,
        "edgecore_edgemesh_addresses": 7,
        "edgecore_edgemesh_ports_not_bound": 2,
        "edgecore_edgemesh_backlog_dropped": 5,
    }


async def test_what_kind_a_service_is_and_whether_it_is_ready_is_said(
    table: ServiceTable, listeners: RootlessListeners, make_external: Callable[..., kube.Service]
) -> None:
    table.put(ServiceKey("default", "out"), make_external(ServiceKey("default", "out"), "example.com"))
    headless = kube.Service(kube.ServiceMetadata("db", "default"), kube.ServiceSpec(cluster_ip="None"))
    table.put(ServiceKey("default", "db"), headless)

    said = [
        [one[key] for key in ("type", "headless", "external_name", "ready", "fake_ip")]
        for one in services_status(table, listeners)
    ]

    assert said == [
        ["ClusterIP", False, None, True, ADDRESS],
        ["ExternalName", False, "example.com", True, None],
        ["ClusterIP", True, None, False, None],
    ]


async def test_pods_with_names_are_listed_with_their_addresses_ports_and_backends(
    table: ServiceTable, listeners: RootlessListeners, make_named_pod: Callable[..., kube.Pod]
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"b": (make_named_pod("b", "web"),), "a": (make_named_pod("a", "web"),)})
    table.set_address(WEB.pod("b"), "127.251.0.9")

    (service,) = services_status(table, listeners)

    assert [(pod["hostname"], pod["fake_ip"], pod["pods"], pod["ready"]) for pod in service["named_pods"]] == [
        ("a", None, ["a"], True),
        ("b", "127.251.0.9", ["b"], True),
    ]
    assert [port["state"] for port in service["named_pods"][1]["ports"]] == ["not_bound", "not_bound", "not_served"]
    assert service["named_pods"][1]["backends"][1]["endpoint"] == "10.0.0.1:8000"
