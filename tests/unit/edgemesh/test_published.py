from collections.abc import Callable

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort, external_name, publish
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable
from tests.support.upstreams import fresh_table

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]
WEB = ServiceKey("default", "web")
ADDRESS = "127.251.0.1"


@pytest.fixture
def table() -> ServiceTable:
    return fresh_table()


@pytest.fixture
def enter(table: ServiceTable) -> Callable[..., ServiceEntry]:
    """``enter(service, *pods)``: a service whose address is stored."""

    def enter(service: kube.Service, *pods: kube.Pod) -> ServiceEntry:
        entry = table.put(WEB, service)
        table.set_pods(WEB, pods)
        table.set_address(WEB, ADDRESS).is_stored = True
        return entry

    return enter


Enter = Callable[..., ServiceEntry]


def with_status(pod: kube.Pod, **fields: object) -> kube.Pod:
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, **fields))


def test_ports_of_every_protocol_are_told_if_they_have_name_and_number(enter: Enter) -> None:
    ports = (
        kube.ServicePort("http", "TCP", 80),
        kube.ServicePort("dns", "UDP", 53),
        kube.ServicePort("s", "SCTP", 7),
        kube.ServicePort("default", "", 8),
        kube.ServicePort("", "TCP", 81),
        kube.ServicePort("none", "TCP", 0),
    )

    published = publish(enter(kube.Service(kube.ServiceMetadata("web", "default"), kube.ServiceSpec(ports))))

    assert published is not None
    assert published.ports == (
        PublishedPort("http", "TCP", 80),
        PublishedPort("dns", "UDP", 53),
        PublishedPort("s", "SCTP", 7),
        PublishedPort("default", "TCP", 8),
    )


def test_nothing_is_told_of_a_service_before_its_address_is_stored(
    table: ServiceTable, make_service: MakeService
) -> None:
    entry = table.put(WEB, make_service(WEB))
    assert publish(entry) is None

    lease = table.set_address(WEB, ADDRESS)
    assert publish(entry) is None

    lease.is_stored = True
    assert publish(entry) == Published(WEB, ADDRESS, is_ready=False)


def test_pods_whose_address_is_stored_are_told_in_the_order_of_their_names(
    table: ServiceTable, enter: Enter, make_service: MakeService, make_named_pod: MakePod
) -> None:
    entry = enter(make_service(WEB, ("http", 80, 80)))
    up, down = make_named_pod("b", "web"), with_status(make_named_pod("a", "web"), phase="Pending")
    table.name_pods(entry, {"b": (up,), "a": (down,), "c": (up,)})
    table.set_address(WEB.pod("b"), "127.251.0.2").is_stored = True
    table.set_address(WEB.pod("a"), "127.251.0.3").is_stored = True
    table.set_address(WEB.pod("c"), "127.251.0.4")

    published = publish(entry)

    assert published is not None
    assert published.pods == (PublishedPod("a", "127.251.0.3", is_ready=False), PublishedPod("b", "127.251.0.2"))


# Readiness.


@pytest.mark.parametrize(
    ("status", "host_port", "ready"),
    [
        ({}, 8000, True),
        ({}, 0, False),
        ({"phase": "Pending"}, 8000, False),
        ({"phase": "Succeeded"}, 8000, False),
        ({"host_ip": ""}, 8000, False),
        ({"host_ip": "nowhere"}, 8000, False),
        ({"conditions": (kube.Condition("Ready", "False"),)}, 8000, False),
        ({"conditions": (kube.Condition("Ready", "Unknown"),)}, 8000, True),
    ],
)
def test_a_service_with_served_ports_is_ready_if_a_pod_is_a_backend_of_one(
    enter: Enter, make_service: MakeService, make_pod: MakePod, status: dict[str, object], host_port: int, ready: bool
) -> None:
    pod = with_status(make_pod("a", "10.0.0.1", (80, host_port)), **status)

    published = publish(enter(make_service(WEB, ("http-1", 81, 81), ("http", 80, 80)), pod))

    assert published is not None
    assert published.is_ready is ready


@pytest.mark.parametrize("ports", [(), (("tcp", 0, 5432),)])
@pytest.mark.parametrize(("phase", "ready"), [("Running", True), ("Pending", False)])
def test_a_service_without_served_ports_is_ready_if_a_pod_runs(
    enter: Enter, make_service: MakeService, make_pod: MakePod, ports: tuple[object, ...], phase: str, ready: bool
) -> None:
    published = publish(enter(make_service(WEB, *ports), with_status(make_pod("a", "10.0.0.1"), phase=phase)))

    assert published is not None
    assert published.is_ready is ready


def test_a_service_whose_pods_nobody_has_told_is_not_ready(
    table: ServiceTable, enter: Enter, make_service: MakeService
) -> None:
    entry = enter(make_service(WEB, ("http", 80, 80)))
    table.set_pods(WEB, None)

    published = publish(entry)

    assert published is not None
    assert not published.is_ready


# ExternalName.


def test_an_external_name_is_told_without_address_ports_and_pods(
    table: ServiceTable, make_external: MakeService, make_named_pod: MakePod
) -> None:
    service = make_external(WEB, "example.com.")
    ports = (kube.ServicePort("http", "TCP", 80),)
    entry = table.put(WEB, msgspec.structs.replace(service, spec=msgspec.structs.replace(service.spec, ports=ports)))
    table.set_pods(WEB, (make_named_pod("a", "web"),))

    assert publish(entry) == Published(WEB, None, external_name="example.com")
    assert [route.not_served for route in entry.routes] == ["external_name"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("example.com", "example.com"),
        ("Example.COM.", "Example.COM"),
        ("_srv._tcp.example.com", "_srv._tcp.example.com"),
        ("host", "host"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
        ("", ""),
        (".", ""),
        ("example..com", ""),
        (".example.com", ""),
        ("exa mple.com", ""),
        ("example.com\n", ""),
        ("b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", ""),
        ("a" * 64, ""),
        (".".join(["a" * 63] * 4), ""),
    ],
)
def test_an_external_name_that_dns_could_not_say_is_none(make_external: MakeService, name: str, told: str) -> None:
    assert external_name(make_external(WEB, name)) == told
