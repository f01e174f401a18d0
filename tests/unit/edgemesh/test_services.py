from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh import services
from edgecore.modules.edgemesh.names import Endpoint, PodKey, ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend
from tests.support.upstreams import fresh_table, fresh_upstreams, turn

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
ADDRESS = "127.251.0.1"


@pytest.fixture
def table() -> ServiceTable:
    return fresh_table()


def endpoints_of(table: ServiceTable, key: ServiceKey, port: int) -> list[Endpoint]:
    return [backend.endpoint for backend in backends_of(table, key, port) if backend.endpoint is not None]


def backends_of(table: ServiceTable, key: ServiceKey, port: int) -> tuple[Backend, ...]:
    entry = table.get(key)
    assert entry is not None
    return entry.by_port[port, "tcp"].backends


# X1: the Go code looks for the port as a piece of the text "http,12345,80|default.web".


@pytest.mark.parametrize("port", [80, 1234, 2345, 2, 0])
def test_a_port_that_is_part_of_another_number_or_a_target_port_is_not_found(
    table: ServiceTable, make_service: MakeService, port: int
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-0", 12345, 80)))

    assert (port, "tcp") not in entry.by_port


def test_a_port_of_a_service_is_found_by_its_number(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-0", 12345, 80), ("http-1", 12346, 81)))

    assert entry.by_port[12346, "tcp"].port.name == "http-1"


def test_a_service_is_found_at_the_address_that_it_has(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    assert table.at_address(ADDRESS) is None

    table.set_address(WEB, ADDRESS)

    assert table.at_address(ADDRESS) is entry


def test_a_port_that_is_not_served_is_kept_with_its_reason(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("", 0, 80), ("http", 80, 80)))

    assert [(route.port.port, route.not_served) for route in entry.routes] == [(0, "no_port_number"), (80, "")]
    assert entry.served_ports == ((80, "tcp"),)


def test_a_service_without_ports_is_known_and_serves_nothing(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB))
    table.set_address(WEB, ADDRESS)

    assert entry.served_ports == ()
    assert table.at_address(ADDRESS) is entry


def test_of_two_ports_with_one_number_the_served_one_is_found(table: ServiceTable) -> None:
    ports = (kube.ServicePort("http-s", "SCTP", 80), kube.ServicePort("http-t", "TCP", 80))
    entry = table.put(WEB, kube.Service(spec=kube.ServiceSpec(ports)))

    assert entry.by_port[80, "tcp"].port.name == "http-t"
    assert entry.served_ports == ((80, "tcp"),)


def test_tcp_and_udp_of_one_number_are_two_ports(table: ServiceTable) -> None:
    ports = (kube.ServicePort("dns", "UDP", 53), kube.ServicePort("dns-tcp", "TCP", 53))
    entry = table.put(WEB, kube.Service(spec=kube.ServiceSpec(ports)))

    assert entry.served_ports == ((53, "udp"), (53, "tcp"))
    assert [route.plan.handling for route in entry.routes] == ["datagrams", "sniff"]


def test_of_two_served_ports_with_one_number_the_first_is_found(table: ServiceTable, make_service: MakeService) -> None:
    entry = table.put(WEB, make_service(WEB, ("http-a", 80, 1), ("http-b", 80, 2)))

    assert entry.by_port[80, "tcp"].port.name == "http-a"
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

    assert entry.served_ports == ((90, "tcp"),)
    assert endpoints_of(table, WEB, 90) == [("10.0.0.1", 8001)]


def test_a_port_that_stays_keeps_its_turn_when_the_service_changes(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 8000))))
    turn(entry, 80)

    table.put(WEB, make_service(WEB, ("http", 80, 80), ("http-1", 90, 80)))

    assert turn(entry, 80) == ("10.0.0.2", 8000)


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


# This node's newer word of a pod.


def as_of(pod: kube.Pod, version: int, phase: str = "Running") -> kube.Pod:
    metadata = msgspec.structs.replace(pod.metadata, resource_version=str(version), uid="u")
    return msgspec.structs.replace(pod, metadata=metadata, status=msgspec.structs.replace(pod.status, phase=phase))


def test_a_newer_word_of_a_pod_of_this_node_counts_in_every_service_that_lists_it(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    other = ServiceKey("default", "other")
    pod = make_pod("a", "10.0.0.1", (80, 8000))
    for key in (WEB, other, API):
        table.put(key, make_service(key, ("http", 80, 80)))
        table.set_pods(key, (as_of(pod, 99), as_of(make_pod("b", "10.0.0.2", (80, 8000)), 99)))

    table.set_node_pod(PodKey("default", "a"), as_of(pod, 100, "Failed"))

    assert [len(endpoints_of(table, key, 80)) for key in (WEB, other, API)] == [1, 1, 2]
    assert table.listing(PodKey("default", "a")) == (other, WEB)


def test_an_older_word_of_a_pod_counts_no_more_when_a_newer_list_comes(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    pod = make_pod("a", "10.0.0.1", (80, 8000))
    table.set_node_pod(PodKey("default", "a"), as_of(pod, 10, "Pending"))
    table.put(WEB, make_service(WEB, ("http", 80, 80)))

    seen = []
    for version in (9, 10, 11):
        table.set_pods(WEB, (as_of(pod, version),))
        seen.append(len(endpoints_of(table, WEB, 80)))

    assert seen == [0, 1, 1]


def test_a_deleted_pod_is_out_before_a_list_says_so(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (as_of(make_pod("a", "10.0.0.1", (80, 8000)), 9),))

    table.remove_node_pod(PodKey("default", "a"), "u", -1)

    assert [backend.reason for backend in backends_of(table, WEB, 80)] == ["terminating"]


def test_a_pod_of_this_node_that_no_list_has_is_no_backend(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, ())

    table.set_node_pod(PodKey("default", "a"), make_pod("a", "10.0.0.1", (80, 8000)))

    assert backends_of(table, WEB, 80) == ()


def test_what_lists_pods_is_forgotten_with_the_lists(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_WAITING", 1)
    pods = (make_pod("a", "10.0.0.1"), make_pod("b", "10.0.0.1"))
    table.put(WEB, make_service(WEB))
    for key in (WEB, API, ServiceKey("prod", "late")):
        table.set_pods(key, pods)
    table.set_pods(WEB, pods[1:])
    assert sorted(table._listing) == [("default", "b"), ("prod", "a"), ("prod", "b")]

    table.remove(WEB)
    table.set_pods(ServiceKey("prod", "late"), None)

    assert table._listing == {}


# Endpoints.


def written(*ready: str, waiting: tuple[str, ...] = (), pods: bool = False) -> kube.Endpoints:
    def addresses(names: tuple[str, ...]) -> tuple[kube.EndpointAddress, ...]:
        if pods:
            return tuple(kube.EndpointAddress("", "", kube.TargetReference("Pod", name)) for name in names)
        return tuple(map(kube.EndpointAddress, names))

    ports = (kube.EndpointPort("http", "TCP", 9000),)
    return kube.Endpoints(subsets=(kube.EndpointSubset(addresses(ready), addresses(waiting), ports),))


def test_a_pod_that_the_endpoints_say_is_not_ready_is_out_until_they_say_else(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))

    assert table.set_endpoints(WEB, written(waiting=("a",), pods=True))
    assert [backend.reason for backend in backends_of(table, WEB, 80)] == ["not_ready_endpoint"]
    assert not table.set_endpoints(WEB, written(waiting=("a",), pods=True))
    assert table.set_endpoints(WEB, written("a", pods=True))
    assert endpoints_of(table, WEB, 80) == [("10.0.0.1", 8000)]
    assert not table.set_endpoints(WEB, None)


def test_a_service_that_publishes_pods_that_are_not_ready_has_them_as_backends(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    service = make_service(WEB, ("http", 80, 80))
    spec = msgspec.structs.replace(service.spec, publish_not_ready_addresses=True)
    table.set_endpoints(WEB, written(waiting=("a",), pods=True))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))
    table.put(WEB, service)
    assert endpoints_of(table, WEB, 80) == []

    table.put(WEB, msgspec.structs.replace(service, spec=spec))

    assert endpoints_of(table, WEB, 80) == [("10.0.0.1", 8000)]


@pytest.mark.parametrize("cluster_ip", ["10.96.0.9", "None"])
def test_a_service_without_a_selector_leads_to_the_addresses_of_its_endpoints_and_to_no_pod(
    table: ServiceTable, make_pod: MakePod, cluster_ip: str
) -> None:
    spec = kube.ServiceSpec((kube.ServicePort("http", "TCP", 80),), cluster_ip=cluster_ip)
    table.put(WEB, kube.Service(kube.ServiceMetadata("web", "default"), spec))
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),))
    assert backends_of(table, WEB, 80) == ()

    assert table.set_endpoints(WEB, written("10.1.0.1", waiting=("10.1.0.2",)))

    assert endpoints_of(table, WEB, 80) == [("10.1.0.1", 9000)]
    assert table.set_endpoints(WEB, None)
    upstream = table.upstreams.get((WEB, 80, "tcp"))
    assert upstream is not None
    assert upstream.refusal().reason == "no_endpoints"


def test_a_removed_service_takes_its_endpoints_with_it(table: ServiceTable) -> None:
    service = kube.Service(spec=kube.ServiceSpec((kube.ServicePort("http", "TCP", 80),)))
    table.put(WEB, service)
    table.set_endpoints(WEB, written("10.1.0.1"))
    table.remove(WEB)

    table.put(WEB, service)

    assert backends_of(table, WEB, 80) == ()


# What forwarding is told.


def test_a_port_is_forwarded_for_as_its_name_and_the_annotations_say(make_service: MakeService) -> None:
    table = ServiceTable(fresh_upstreams(), Policy(retries=7))
    service = make_service(WEB, ("grpc", 80, 80), ("http", 81, 80))
    annotations = {"edgemesh.kubeedge.io/retries.http": "1", "edgemesh.kubeedge.io/nonsense": "1"}
    metadata = msgspec.structs.replace(service.metadata, annotations=annotations)

    entry = table.put(WEB, msgspec.structs.replace(service, metadata=metadata))

    specs = [route.upstream.spec for route in entry.routes if route.upstream is not None]
    assert [(spec.handling, spec.policy.retries) for spec in specs] == [("bytes", 7), ("http", 1)]
    assert len(entry.routes[0].plan.problems) == 1


def test_pods_are_reached_at_their_own_addresses_where_the_table_is_told_so(
    make_service: MakeService, make_pod: MakePod
) -> None:
    table = ServiceTable(fresh_upstreams(), pod_addresses=True)
    pod = make_pod("a", "10.0.0.1")
    table.put(WEB, make_service(WEB, ("http", 80, 8080)))

    table.set_pods(
        WEB, (msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, pod_ip="172.17.0.2")),)
    )

    assert endpoints_of(table, WEB, 80) == [("172.17.0.2", 8080)]


def test_a_thousand_pod_lists_leave_the_ports_that_say_nothing_new_alone(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    told: list[object] = []
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
    pods = (make_pod("a", "10.0.0.1", (80, 8000)),)
    table.set_pods(WEB, pods)
    table.upstreams.follow(lambda key, spec: told.append(key))
    told.clear()

    for _ in range(1000):
        table.set_pods(WEB, pods)

    assert told == []


def test_another_default_policy_holds_for_each_port_of_which_nobody_says_anything_else(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = table.put(WEB, make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, (make_pod("web-1", "127.0.0.2", (80, 8080)),))
    before = entry.by_port[80, "tcp"].upstream

    table.go_by(Policy(strategy="LeastRequest"))

    after = entry.by_port[80, "tcp"].upstream
    assert after is before
    assert after is not None
    assert after.spec.policy.strategy == "LeastRequest"
    assert table.put(API, make_service(API, ("http", 81, 81))).by_port[81, "tcp"].plan.policy.strategy == "LeastRequest"
