from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


@pytest.fixture
def table(make_service: MakeService, make_pod: MakePod) -> ServiceTable:
    table = ServiceTable()
    table.put(WEB, make_service(WEB, ("http", 80, 80), ("tcp", 81, 80)))
    table.set_address(WEB, "127.251.0.1")
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 8000))))
    table.put(API, make_service(API, ("http", 80, 80)))
    table.set_address(API, "127.251.0.2")
    return table


@pytest.fixture
def directory(table: ServiceTable) -> ServiceDirectory:
    return ServiceDirectory(table, "cluster.local")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("web", WEB),
        ("web.default", WEB),
        ("web.default.svc", WEB),
        ("web.default.svc.cluster.local", WEB),
        ("web.default.svc.cluster.local.", WEB),
        ("WEB.Default.SVC.Cluster.LOCAL", WEB),
        ("api.prod", API),
        ("api.prod.svc.cluster.local", API),
        ("127.251.0.2", API),
    ],
)
def test_each_form_of_a_name_is_understood(directory: ServiceDirectory, host: str, key: ServiceKey) -> None:
    assert directory.service_named(host, 80) == key


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "api",
        "web.prod",
        "web.default.pod",
        "web.default.svc.cluster",
        "web.default.svc.other.local",
        "web.default.svc.cluster.local.x",
        "web..svc",
        "127.251.0.9",
        "[::1]",
        "web default",
    ],
)
def test_any_other_host_is_refused_by_name(directory: ServiceDirectory, host: str) -> None:
    refusal = directory.service_named(host, 8080)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "unknown_service")
    assert f"{host}:8080" in refusal.text


def test_a_name_of_any_domain_and_one_label_of_the_namespace_set_are_understood(table: ServiceTable) -> None:
    directory = ServiceDirectory(table, "cluster.local", domains=["example.net."], namespace="prod")

    assert directory.service_named("web.default.svc.Example.net", 80) == WEB
    assert directory.service_named("web.default.svc.cluster.local", 80) == WEB
    assert directory.service_named("api", 80) == API
    assert isinstance(directory.service_named("web", 80), Refusal)


def test_without_a_cluster_domain_the_short_forms_are_understood(table: ServiceTable) -> None:
    directory = ServiceDirectory(table, "")

    assert directory.service_named("web.default.svc", 80) == WEB
    assert isinstance(directory.service_named("web.default.svc.cluster.local", 80), Refusal)


@pytest.mark.parametrize("host", ["late.default", "127.251.0.9"])
def test_while_the_table_is_incomplete_an_unknown_host_is_refused_as_not_recovered(
    table: ServiceTable, directory: ServiceDirectory, host: str
) -> None:
    table.complete = False

    refusal = directory.service_named(host, 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "not_recovered")
    assert f"{host}:80" in refusal.text


def test_while_the_table_is_incomplete_an_unknown_service_is_refused_as_not_recovered(
    table: ServiceTable, directory: ServiceDirectory
) -> None:
    table.complete = False

    refusal = directory.choose(ServiceKey("default", "late"), 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "not_recovered")


def test_while_the_table_is_incomplete_what_is_in_it_is_served(
    table: ServiceTable, directory: ServiceDirectory
) -> None:
    table.complete = False

    assert directory.service_named("web", 80) == WEB
    assert directory.choose(WEB, 80) == ("10.0.0.1", 8000)


def test_pods_are_chosen_in_turn(directory: ServiceDirectory) -> None:
    chosen = [directory.choose(WEB, 80) for _ in range(3)]

    assert chosen == [("10.0.0.1", 8000), ("10.0.0.2", 8000), ("10.0.0.1", 8000)]


@pytest.mark.parametrize(
    ("key", "port", "reason"),
    [
        (ServiceKey("default", "gone"), 80, "unknown_service"),
        (WEB, 8080, "port_not_in_service"),
        (WEB, 8, "port_not_in_service"),  # part of another number (bug X1)
        (WEB, 8000, "port_not_in_service"),  # the port of a pod
        (WEB, 81, "port_not_served"),
        (API, 80, "no_pods"),
    ],
)
def test_a_refusal_names_service_and_reason(
    directory: ServiceDirectory, key: ServiceKey, port: int, reason: str
) -> None:
    refusal = directory.choose(key, port)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, reason)
    assert f"service {key} port {port}: " in refusal.text


def test_a_service_whose_pod_list_is_empty_has_no_pods(table: ServiceTable, directory: ServiceDirectory) -> None:
    table.set_pods(WEB, ())

    refusal = directory.choose(WEB, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_pods"


def test_pods_that_do_not_run_are_counted_in_the_refusal(
    table: ServiceTable, directory: ServiceDirectory, make_pod: MakePod
) -> None:
    pod = msgspec.structs.replace(make_pod("a", "10.0.0.1", (80, 8000)), status=kube.PodStatus("Pending"))
    table.set_pods(WEB, (pod, pod))

    refusal = directory.choose(WEB, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_running_pods"
    assert "2 not_running" in refusal.text


def test_running_pods_that_cannot_be_reached_are_counted_in_the_refusal(
    table: ServiceTable, directory: ServiceDirectory, make_pod: MakePod
) -> None:
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 0)), make_pod("b", "")))

    refusal = directory.choose(WEB, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_reachable_pods"
    assert "1 no_host_port, 1 no_host_ip" in refusal.text


@pytest.mark.parametrize(
    "host", ["web-0.web.default.svc", "web-0.web.default.svc.cluster.local", "WEB-0.web.default.svc.cluster.local."]
)
def test_a_pod_that_has_a_name_is_meant_by_it_and_gets_the_request(
    table: ServiceTable, directory: ServiceDirectory, make_named_pod: MakePod, host: str
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"web-0": (make_named_pod("web-0", "web", "10.0.0.7"),)})

    pod = directory.service_named(host, 80)

    assert pod == WEB.pod("web-0")
    assert {str(directory.choose(pod, 80)) for _ in range(3)} == {"10.0.0.7:8000"}
    refusal = directory.choose(pod, 81)
    assert isinstance(refusal, Refusal)
    assert refusal.text.startswith("cannot reach pod default/web-0.web port 81")


@pytest.mark.parametrize("host", ["web-0.web", "web-0.web.default", "a.web-0.web.default.svc", "web-1.web.default.svc"])
def test_another_name_means_no_pod(
    table: ServiceTable, directory: ServiceDirectory, make_named_pod: MakePod, host: str
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"web-0": (make_named_pod("web-0", "web"),)})

    assert isinstance(directory.service_named(host, 80), Refusal)


def test_the_fake_ip_of_a_pod_means_the_pod(
    table: ServiceTable, directory: ServiceDirectory, make_named_pod: MakePod
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"web-0": (make_named_pod("web-0", "web"),)})
    table.set_address(WEB.pod("web-0"), "127.251.0.9")

    assert directory.service_named("127.251.0.9", 80) == WEB.pod("web-0")
    table.name_pods(entry, {})
    assert isinstance(directory.service_named("127.251.0.9", 80), Refusal)


def test_an_external_name_is_refused_at_every_port_with_the_name_to_ask_instead(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(API, make_external(API, "example.com"))

    refusal = directory.choose(API, 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "external_name")
    assert refusal.text.endswith("it stands for a name outside; ask example.com itself")
