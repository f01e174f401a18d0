from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.externals import MAX_PORTS
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable
from tests.support.upstreams import chosen, fresh_table

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")


@pytest.fixture
def table(make_service: MakeService, make_pod: MakePod) -> ServiceTable:
    table = fresh_table()
    table.put(WEB, make_service(WEB, ("http", 80, 80)))
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

    refusal = chosen(directory, ServiceKey("default", "late"), 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, "not_recovered")


def test_while_the_table_is_incomplete_what_is_in_it_is_served(
    table: ServiceTable, directory: ServiceDirectory
) -> None:
    table.complete = False

    assert directory.service_named("web", 80) == WEB
    assert chosen(directory, WEB, 80) == ("10.0.0.1", 8000)


def test_pods_are_chosen_in_turn(directory: ServiceDirectory) -> None:
    turns = [chosen(directory, WEB, 80) for _ in range(3)]

    assert turns == [("10.0.0.1", 8000), ("10.0.0.2", 8000), ("10.0.0.1", 8000)]


@pytest.mark.parametrize(
    ("key", "port", "reason"),
    [
        (ServiceKey("default", "gone"), 80, "unknown_service"),
        (WEB, 8080, "port_not_in_service"),
        (WEB, 8, "port_not_in_service"),  # part of another number (bug X1)
        (WEB, 8000, "port_not_in_service"),  # the port of a pod
        (WEB, 0, "port_not_in_service"),
        (API, 80, "no_pods"),
    ],
)
def test_a_refusal_names_service_and_reason(
    directory: ServiceDirectory, key: ServiceKey, port: int, reason: str
) -> None:
    refusal = chosen(directory, key, port)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, reason)
    assert f"service {key} port {port}: " in refusal.text


def test_a_port_that_is_not_served_is_refused_with_the_reason(
    table: ServiceTable, directory: ServiceDirectory, make_service: MakeService
) -> None:
    service = make_service(API)
    spec = msgspec.structs.replace(service.spec, ports=(kube.ServicePort("http", "SCTP", 80),))
    table.put(API, msgspec.structs.replace(service, spec=spec))

    refusal = chosen(directory, API, 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.reason, "not_tcp_or_udp" in refusal.text) == ("port_not_served", True)


def test_a_service_whose_pod_list_is_empty_has_no_pods(table: ServiceTable, directory: ServiceDirectory) -> None:
    table.set_pods(WEB, ())

    refusal = chosen(directory, WEB, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_pods"


def test_pods_that_do_not_run_are_counted_in_the_refusal(
    table: ServiceTable, directory: ServiceDirectory, make_pod: MakePod
) -> None:
    pod = msgspec.structs.replace(make_pod("a", "10.0.0.1", (80, 8000)), status=kube.PodStatus("Pending"))
    table.set_pods(WEB, (pod, pod))

    refusal = chosen(directory, WEB, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_running_pods"
    assert "2 not_running" in refusal.text


def test_running_pods_that_cannot_be_reached_are_counted_in_the_refusal(
    table: ServiceTable, directory: ServiceDirectory, make_pod: MakePod
) -> None:
    table.set_pods(WEB, (make_pod("a", "10.0.0.1", (80, 0)), make_pod("b", "")))

    refusal = chosen(directory, WEB, 80)

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
    assert {str(chosen(directory, pod, 80)) for _ in range(3)} == {"10.0.0.7:8000"}
    refusal = chosen(directory, pod, 81)
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


def test_the_service_at_an_address_is_the_one_that_has_it(directory: ServiceDirectory) -> None:
    assert directory.service_at("127.251.0.2") == API
    assert directory.service_at("127.251.0.9") is None


# ExternalName.


EXT = ServiceKey("default", "ext")


def test_an_external_name_is_forwarded_to_that_name_at_the_port_that_is_asked_for(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "example.com."))

    assert [chosen(directory, EXT, port) for port in (80, 8080, 80)] == [
        ("example.com", 80),
        ("example.com", 8080),
        ("example.com", 80),
    ]
    assert directory.upstream(EXT, 80) is directory.upstream(EXT, 80)


def test_a_port_that_an_external_name_declares_is_treated_as_its_name_says(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    service = make_external(EXT, "example.com")
    spec = msgspec.structs.replace(service.spec, ports=(kube.ServicePort("https", "TCP", 443),))
    table.put(EXT, msgspec.structs.replace(service, spec=spec))

    found = [directory.upstream(EXT, port) for port in (443, 80)]

    assert [upstream.spec.handling for upstream in found if not isinstance(upstream, Refusal)] == ["bytes", "http"]


def test_an_external_name_that_changes_leads_where_it_then_says(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService, make_service: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "example.com"))
    before = directory.upstream(EXT, 80)
    assert not isinstance(before, Refusal)

    table.put(EXT, make_external(EXT, "example.org"))
    assert before.gone
    assert chosen(directory, EXT, 80) == ("example.org", 80)

    table.put(EXT, make_service(EXT, ("http", 80, 80)))
    refusal = chosen(directory, EXT, 80)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no_pods"
    assert len(table.externals) == 0


def test_a_removed_external_name_is_forwarded_for_no_more(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "example.com"))
    directory.upstream(EXT, 80)
    table.remove(EXT)

    refusal = directory.upstream(EXT, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "unknown_service"
    assert len(table.externals) == 0


def test_ports_of_external_names_are_bounded_and_the_oldest_goes(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "example.com"))
    first = directory.upstream(EXT, 1)
    assert not isinstance(first, Refusal)

    for port in range(2, 2 + MAX_PORTS):
        directory.upstream(EXT, port)

    assert first.gone
    assert len(table.externals) == MAX_PORTS
    assert chosen(directory, EXT, 1) == ("example.com", 1)


def test_who_asks_for_many_ports_of_a_name_takes_none_that_is_used_from_another(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    other = ServiceKey("default", "other")
    table.put(EXT, make_external(EXT, "example.com"))
    table.put(other, make_external(other, "example.org"))
    used = directory.upstream(other, 80)
    assert not isinstance(used, Refusal)
    next(iter(used.hosts.values())).active = 1

    for port in range(1, 2 * MAX_PORTS):
        upstream = directory.upstream(EXT, port)
        assert not isinstance(upstream, Refusal)
        next(iter(upstream.hosts.values())).active = 1

    assert not used.gone
    assert len(table.externals) == MAX_PORTS


@pytest.mark.parametrize(
    ("name", "chosen_first"),
    [
        ("web.default.svc.cluster.local", ("10.0.0.1", 8000)),
        ("WEB.default.svc.cluster.local.", ("10.0.0.1", 8000)),
        ("web-0.web.default.svc.cluster.local", ("10.0.0.7", 8000)),
        ("web.default.svc", ("web.default.svc", 80)),  # DNS says who that is
    ],
)
def test_an_external_name_of_the_cluster_domain_is_that_service(
    table: ServiceTable,
    directory: ServiceDirectory,
    make_external: MakeService,
    make_named_pod: MakePod,
    name: str,
    chosen_first: tuple[str, int],
) -> None:
    entry = table.get(WEB)
    assert entry is not None
    table.name_pods(entry, {"web-0": (make_named_pod("web-0", "web", "10.0.0.7"),)})
    table.put(EXT, make_external(EXT, name))

    assert chosen(directory, EXT, 80) == chosen_first


def test_external_names_may_lead_one_to_the_next(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "b.default.svc.cluster.local"))
    table.put(ServiceKey("default", "b"), make_external(ServiceKey("default", "b"), "example.com"))

    assert chosen(directory, EXT, 80) == ("example.com", 80)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ext.default.svc.cluster.local", "external_name_loop"),
        ("gone.default.svc.cluster.local", "unknown_service"),
        ("localhost", "external_name_loop"),
        ("node.LocalHost", "external_name_loop"),
        ("127.0.0.1", "external_name_loop"),
        ("0.0.0.0", "external_name_loop"),
        ("127.251.0.1", "external_name_loop"),
        ("::ffff:127.0.0.1", "external_name_loop"),
        ("169.254.169.254", "external_name_unusable"),
        ("::ffff:169.254.169.254", "external_name_unusable"),
        ("no name", "external_name_unusable"),
        ("", "external_name_unusable"),
    ],
)
def test_an_external_name_that_leads_nowhere_or_back_to_us_is_refused(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService, name: str, reason: str
) -> None:
    table.put(EXT, make_external(EXT, name))

    refusal = chosen(directory, EXT, 80)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (503, reason)
    assert refusal.text.startswith("cannot reach service default/ext port 80: it stands for ")
    assert len(table.externals) == 0


def test_two_external_names_that_stand_for_each_other_are_refused(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    other = ServiceKey("default", "other")
    table.put(EXT, make_external(EXT, "other.default.svc.cluster.local"))
    table.put(other, make_external(other, "ext.default.svc.cluster.local"))

    refusal = chosen(directory, EXT, 80)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "external_name_loop"


def test_a_port_that_the_service_behind_an_external_name_has_not_is_refused(
    table: ServiceTable, directory: ServiceDirectory, make_external: MakeService
) -> None:
    table.put(EXT, make_external(EXT, "web.default.svc.cluster.local"))

    refusal = chosen(directory, EXT, 9)

    assert isinstance(refusal, Refusal)
    assert (refusal.reason, "default/web" in refusal.text) == ("port_not_in_service", True)
