from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.omissions import Omission, Omissions, find
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable
from tests.support.upstreams import fresh_table

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")


@pytest.fixture
def table() -> ServiceTable:
    return fresh_table()


@pytest.fixture
def omissions() -> Omissions:
    return Omissions()


def spec(service: kube.Service, **fields: Any) -> kube.Service:
    return msgspec.structs.replace(service, spec=msgspec.structs.replace(service.spec, **fields))


def status(pod: kube.Pod, **fields: Any) -> kube.Pod:
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, **fields))


def entry_of(table: ServiceTable, service: kube.Service, *pods: kube.Pod) -> ServiceEntry:
    entry = table.put(WEB, service)
    table.set_pods(WEB, pods)
    return entry


def test_a_service_whose_pods_can_be_reached_leaves_nothing_out(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = entry_of(table, make_service(WEB, ("http", 80, 80)), make_pod("a", "10.0.0.1", (80, 8000)))

    assert find(entry) == {}


def test_a_service_without_ports_is_named(table: ServiceTable, make_service: MakeService) -> None:
    assert find(entry_of(table, make_service(WEB))) == {"service_without_ports": ("default/web",)}


@pytest.mark.parametrize("fields", [{"type": "ExternalName", "external_name": "example.com"}, {"cluster_ip": "None"}])
def test_a_service_that_needs_no_ports_leaves_nothing_out(
    table: ServiceTable, make_service: MakeService, fields: dict[str, str]
) -> None:
    assert find(entry_of(table, spec(make_service(WEB), **fields))) == {}


def test_annotations_that_cannot_be_used_are_told_once_for_all_ports(
    table: ServiceTable, make_service: MakeService
) -> None:
    service = make_service(WEB, ("http", 80, 80), ("http-2", 81, 80))
    metadata = msgspec.structs.replace(service.metadata, annotations={"edgemesh.kubeedge.io/retries": "many"})

    found = find(entry_of(table, msgspec.structs.replace(service, metadata=metadata)))

    assert list(found) == ["annotation_unusable"]
    assert len(found["annotation_unusable"]) == 1
    assert "edgemesh.kubeedge.io/retries" in found["annotation_unusable"][0]


def test_each_annotation_that_cannot_be_used_has_a_text_of_its_own(
    table: ServiceTable, make_service: MakeService, omissions: Omissions
) -> None:
    service = make_service(WEB, ("http", 80, 80))
    annotations = {f"edgemesh.kubeedge.io/{name}": "x" for name in ("retries", "lb-strategy", "eject-after", "drain")}
    metadata = msgspec.structs.replace(service.metadata, annotations=annotations)

    told = omissions.look(WEB, entry_of(table, msgspec.structs.replace(service, metadata=metadata)))

    assert [omission.reason for omission in told] == ["annotation_unusable"] * 4
    assert all(
        omission.text.startswith(f"service default/web: cannot use annotation {name}")
        for omission, name in zip(told, annotations, strict=True)
    )


def test_pods_without_host_port_or_host_ip_are_named_once_however_many_ports_lead_to_them(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod
) -> None:
    service = make_service(WEB, ("http", 80, 80), ("http-2", 81, 80))

    entry = entry_of(table, service, make_pod("a", "10.0.0.1", (80, 0)), make_pod("b", "", (80, 8000)))

    assert find(entry) == {"pod_without_host_ip": ("b",), "pod_without_host_port": ("a",)}


def test_a_pod_without_status_is_named(table: ServiceTable, make_service: MakeService, make_pod: MakePod) -> None:
    pod = msgspec.structs.replace(make_pod("a", "", (80, 8000)), status=kube.PodStatus())

    assert find(entry_of(table, make_service(WEB, ("http", 80, 80)), pod)) == {"pod_without_status": ("a",)}


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_needs_no_host_ip_yet(
    table: ServiceTable, make_service: MakeService, make_pod: MakePod, phase: str
) -> None:
    pod = status(make_pod("a", "", (80, 0)), phase=phase)

    assert find(entry_of(table, make_service(WEB, ("http", 80, 80)), pod)) == {}


def test_pods_of_a_service_that_has_not_come_leave_nothing_out() -> None:
    assert find(ServiceEntry(WEB)) == {}


def test_what_was_told_is_not_told_again(
    table: ServiceTable, omissions: Omissions, make_service: MakeService, make_pod: MakePod
) -> None:
    entry = entry_of(table, make_service(WEB, ("http", 80, 80)), make_pod("a", "10.0.0.1", (80, 0)))

    (first,) = omissions.look(WEB, entry)

    assert first.reason == "pod_without_host_port"
    assert first.text == "running pods of service default/web have no hostPort for its ports: a"
    assert omissions.look(WEB, entry) == ()


def test_only_the_pods_that_are_new_are_told_of(
    table: ServiceTable, omissions: Omissions, make_service: MakeService, make_pod: MakePod
) -> None:
    pods = [make_pod(name, "10.0.0.1", (80, 0)) for name in "ab"]
    omissions.look(WEB, entry_of(table, make_service(WEB, ("http", 80, 80)), pods[0]))

    (omission,) = omissions.look(WEB, entry_of(table, make_service(WEB, ("http", 80, 80)), *pods))

    assert omission.text.endswith(": b")


def test_many_places_are_one_text_that_names_some_and_counts_the_rest(
    table: ServiceTable, omissions: Omissions, make_service: MakeService, make_pod: MakePod
) -> None:
    pods = [make_pod(f"p{number}", "10.0.0.1", (80, 0)) for number in range(10)]

    (omission,) = omissions.look(WEB, entry_of(table, make_service(WEB, ("http", 80, 80)), *pods))

    assert omission.text.endswith(": p0, p1, p2 and 7 more")


def test_what_was_mended_is_told_when_it_comes_again(
    table: ServiceTable, omissions: Omissions, make_service: MakeService
) -> None:
    bare, whole = make_service(WEB), make_service(WEB, ("http", 80, 80))
    told = [omissions.look(WEB, table.put(WEB, service)) for service in (bare, whole, bare)]

    text = "service default/web has no ports: it has an address, and nothing listens there"
    assert told == [(Omission("service_without_ports", text),), (), (Omission("service_without_ports", text),)]


def test_a_service_that_is_gone_is_forgotten(
    table: ServiceTable, omissions: Omissions, make_service: MakeService
) -> None:
    omissions.look(WEB, table.put(WEB, make_service(WEB)))

    assert omissions.look(WEB, None) == ()
    assert omissions._told == {}
