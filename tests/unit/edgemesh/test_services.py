from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh import services
from edgecore.modules.edgemesh.discovery import Backend
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable, why_not_served

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
ADDRESS = "127.251.0.1"


@pytest.fixture
def table() -> ServiceTable:
    return ServiceTable()


def endpoints_of(table: ServiceTable, key: ServiceKey, port: int) -> list[Endpoint]:
    return [backend.endpoint for backend in backends_of(table, key, port) if backend.endpoint is not None]


def backends_of(table: ServiceTable, key: ServiceKey, port: int) -> tuple[Backend, ...]:
    entry = table.get(key)
    assert entry is not None
    return entry.by_port[port].backends


# X1: the Go code looks for the port as a piece of the text "http,12345,80|default.web".


@pytest.mark.parametrize("port", [80, 1234, 2345, 2, 0])
def test_a_port_that_is_part_of_another_number_or_a_target_port_is_not_found(
    table: ServiceTable, make_service: MakeService, port: int
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-0", 12345, 80)))

    assert port not in entry.by_port


def test_a_port_of_a_service_is_found_by_its_number(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-0", 12345, 80), ("http-1", 12346, 81)))

    assert entry.by_port[12346].port.name == "http-1"


def test_a_service_is_found_at_the_address_that_it_has(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    assert table.at_address(ADDRESS) is None

    table.set_address(WEB, ADDRESS)

    assert table.at_address(ADDRESS) is entry


# X2: the Go code keeps ports as one text, cut at "-", "," and "|".


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("http", ""),
        ("http-0", ""),
        ("http-a,b|c-d", ""),
        ("", "no_name"),
        ("tcp-0", "not_http"),
        ("https", "not_http"),
        ("httpx-0", "not_http"),
        ("HTTP-0", "not_http"),
        ("-http", "not_http"),
    ],
)
def test_the_name_of_a_port_says_whether_it_is_served(name: str, reason: str) -> None:
    assert why_not_served(kube.ServicePort(name, "TCP", 80)) == reason


@pytest.mark.parametrize(
    ("protocol", "number", "reason"), [("UDP", 80, "not_tcp"), ("SCTP", 80, "not_tcp"), ("TCP", 0, "no_port_number")]
)
def test_a_port_that_is_no_tcp_port_is_not_served(protocol: str, number: int, reason: str) -> None:
    assert why_not_served(kube.ServicePort("http", protocol, number)) == reason


def test_a_port_that_is_not_served_is_kept_with_its_reason(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("", 9000, 80), ("http", 80, 80)))

    assert [(route.port.port, route.not_served) for route in entry.routes] == [(9000, "no_name"), (80, "")]
    assert entry.served_ports == (80,)


def test_a_service_without_ports_is_known_and_serves_nothing(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB))
    table.set_address(WEB, ADDRESS)

    assert entry.served_ports == ()
    assert table.at_address(ADDRESS) is entry


def test_of_two_ports_with_one_number_the_served_one_is_found(table: ServiceTable) -> None:
    ports = (kube.ServicePort("http-u", "UDP", 80), kube.ServicePort("http-t", "TCP", 80))
    entry = table.put(WEB, kube.Service(spec=kube.ServiceSpec(ports)))

    assert entry.by_port[80].port.name == "http-t"
    assert entry.served_ports == (80,)


def test_of_two_served_ports_with_one_number_the_first_is_found(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-a", 80, 1), ("http-b", 80, 2)))

    assert entry.by_port[80].port.name == "http-a"
    assert [route.not_served for route in entry.routes] == ["", "duplicate_port"]


# X4: the Go code keeps the last twenty services and pod lists together.


def test_a_thousand_services_and_their_pods_are_all_known(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    keys = [ServiceKey("bulk", f"app-{number}") for number in range(1000)]
    for number, key in enumerate(keys):
        table.put(key, make_service(key, ("http", 80, 80)))
        table.set_address(key, f"127.251.{number >> 8}.{number & 255}")
        table.set_pods(key, (make_pod("pod", "10.0.0.1", (80, 10_000 + number)),))

    assert [endpoints_of(table, key, 80) for key in keys] == [[("10.0.0.1", 10_000 + n)] for n in range(1000)]
    assert len(table) == 1000


def test_backends_say_of_each_pod_whether_it_is_in_or_why_not(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 0))))

    assert [(backend.pod, backend.reason) for backend in backends_of(table, WEB, 80)] == [
        ("a", ""),
        ("b", "no_host_port"),
    ]


def test_pods_that_come_before_their_service_wait_for_it(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))
    assert table.get(WEB) is None

    table.put(WEB, make_service(WEB, ("http", 80, 80)))

    assert endpoints_of(table, WEB, 80) == [("10.0.0.1", 8000)]


def test_only_the_newest_of_those_without_service_wait(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_WAITING", 2)
    keys = [ServiceKey("default", name) for name in ("a", "b", "c")]
    for key in keys:
        table.set_pods(key, (make_pod("p", "10.0.0.1", (80, 8000)),))
    for key in keys:
        table.put(key, make_service(key, ("http", 80, 80)))

    assert [len(backends_of(table, key, 80)) for key in keys] == [0, 1, 1]


def test_pods_and_endpoints_deleted_before_the_service_came_leave_nothing_behind(
    table: ServiceTable, make_pod: MakePod
) -> None:
    table.set_pods(WEB, (make_pod("a", "10.0.0.1"),))
    table.set_endpoints(WEB, kube.Endpoints())
    table.set_pods(WEB, None)
    table.set_endpoints(WEB, None)

    assert not table._waiting


def test_a_new_pod_list_replaces_the_old_one(table: ServiceTable, make_service: MakeService, make_pod: MakePod) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 8000))))

    table.set_pods(WEB, (make_pod("b", "10.0.0.2", (80, 8000)),))

    assert endpoints_of(table, WEB, 80) == [("10.0.0.2", 8000)]


def test_a_removed_service_is_forgotten_with_its_pods_and_its_address(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_address(WEB, ADDRESS)
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))

    assert table.remove(WEB) is entry
    assert table.get(WEB) is None
    assert table.at_address(ADDRESS) is None
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    assert backends_of(table, WEB, 80) == ()


def test_removing_a_service_that_only_its_pods_are_known_of_forgets_them(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))

    assert table.remove(WEB) is None
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    assert backends_of(table, WEB, 80) == ()


def test_other_ports_of_a_service_replace_its_ports(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000), (81, 8001)),))

    entry = table.put(WEB, make_service(WEB, ("http", 90, 81)))

    assert entry.served_ports == (90,)
    assert endpoints_of(table, WEB, 90) == [("10.0.0.1", 8001)]


def test_a_port_that_stays_keeps_its_turn_when_the_service_changes(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 8000))))
    entry.by_port[80].balancer.choose()

    table.put(WEB, make_service(WEB, ("http", 80, 80), ("http-1", 90, 80)))

    assert entry.by_port[80].balancer.choose() == ("10.0.0.2", 8000)


def test_a_service_sent_once_more_changes_nothing(table: ServiceTable, make_service: MakeService) -> None:
    routes = table.put(WEB, make_service(WEB, ("http", 80, 80))).routes

    assert table.put(WEB, make_service(WEB, ("http", 80, 80))).routes is routes


def test_endpoints_are_kept_until_deleted(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB))
    endpoints = kube.Endpoints(subsets=(kube.EndpointSubset((kube.EndpointAddress("10.0.0.1"),)),))

    table.set_endpoints(WEB, endpoints)
    assert entry.endpoints == endpoints
    table.set_endpoints(WEB, None)
    assert entry.endpoints is None


def test_services_come_in_the_order_in_which_they_were_entered(table: ServiceTable, make_service: MakeService) -> None:
    for key in (WEB, API):
        table.put(key, make_service(key))
    table.put(WEB, msgspec.structs.replace(make_service(WEB), spec=kube.ServiceSpec(type="ExternalName")))

    assert [entry.key for entry in table] == [WEB, API]
