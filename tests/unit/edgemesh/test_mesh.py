from collections.abc import Callable
from ipaddress import IPv4Network

import pytest

from edgecore import kube
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import (
    AddressGiven,
    AddressKept,
    Mesh,
    PoolEmpty,
    PortsChanged,
    ServiceGone,
)
from edgecore.modules.edgemesh.msgprocess import (
    EndpointsChanged,
    EndpointsDeleted,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.services import ServiceTable

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
LATE = ServiceKey("prod", "late")


@pytest.fixture
def mesh() -> Mesh:
    return Mesh(ServiceTable(), FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0))


@pytest.fixture
def full(mesh: Mesh) -> Mesh:
    """A mesh whose pool has one address left."""
    for number in range(65_533):
        mesh.pool.allocate(ServiceKey("bulk", f"s{number}"), 0.0)
    return mesh


def test_a_new_service_is_given_an_address_that_is_to_be_stored(mesh: Mesh, make_service: MakeService) -> None:
    (event,) = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    assert isinstance(event, AddressGiven)
    assert (event.entry.key, event.address, event.entry.address) == (WEB, "127.251.0.1", "127.251.0.1")


def test_addresses_are_given_in_the_order_of_the_services(mesh: Mesh, make_service: MakeService) -> None:
    for key in (WEB, API):
        mesh.apply(ServiceChanged(key, make_service(key, ("http", 80, 80))), 0.0)

    assert [(entry.key, entry.address) for entry in mesh.table] == [(WEB, "127.251.0.1"), (API, "127.251.0.2")]


def test_a_recovered_address_is_kept_and_needs_no_storing(mesh: Mesh, make_service: MakeService) -> None:
    mesh.pool.claim(WEB, "127.251.7.7")
    mesh.recovered([WEB])

    (event,) = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    assert isinstance(event, AddressKept)
    assert event.address == "127.251.7.7"


def test_a_recovered_service_that_is_deleted_and_comes_again_needs_storing(
    mesh: Mesh, make_service: MakeService
) -> None:
    mesh.pool.claim(WEB, "127.251.7.7")
    mesh.recovered([WEB])
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)
    mesh.apply(ServiceDeleted(WEB), 0.0)

    (event,) = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    assert isinstance(event, AddressGiven)
    assert event.address == "127.251.0.1"


def test_other_served_ports_of_a_known_service_are_an_event(mesh: Mesh, make_service: MakeService) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    (event,) = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 81, 80))), 0.0)

    assert isinstance(event, PortsChanged)
    assert event.entry.served_ports == (81,)


def test_a_change_that_leaves_the_served_ports_is_no_event(mesh: Mesh, make_service: MakeService) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    assert mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 8080), ("tcp", 81, 1))), 0.0) == ()


def test_a_deleted_service_is_gone_and_gives_its_address_back(mesh: Mesh, make_service: MakeService) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    (event,) = mesh.apply(ServiceDeleted(WEB), 5.0)

    assert isinstance(event, ServiceGone)
    assert (event.entry.key, event.address) == (WEB, "127.251.0.1")
    assert mesh.pool.owner("127.251.0.1") is None


def test_deleting_an_unknown_service_is_no_event(mesh: Mesh) -> None:
    assert mesh.apply(ServiceDeleted(WEB), 0.0) == ()


def test_pods_and_endpoints_change_the_table_without_an_event(
    mesh: Mesh, make_service: MakeService, make_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    assert mesh.apply(PodsChanged(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),)), 0.0) == ()
    assert mesh.apply(EndpointsChanged(WEB, kube.Endpoints()), 0.0) == ()
    entry = mesh.table.get(WEB)
    assert entry is not None
    assert (len(entry.pods or ()), entry.endpoints) == (1, kube.Endpoints())


def test_deleted_pods_and_endpoints_are_forgotten(mesh: Mesh, make_service: MakeService, make_pod: MakePod) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)
    mesh.apply(PodsChanged(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),)), 0.0)
    mesh.apply(EndpointsChanged(WEB, kube.Endpoints()), 0.0)

    mesh.apply(PodsDeleted(WEB), 0.0)
    mesh.apply(EndpointsDeleted(WEB), 0.0)

    entry = mesh.table.get(WEB)
    assert entry is not None
    assert (entry.pods, entry.endpoints) == (None, None)


def test_a_service_for_which_no_address_is_free_is_known_without_one(full: Mesh, make_service: MakeService) -> None:
    full.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), 0.0)

    (event,) = full.apply(ServiceChanged(API, make_service(API, ("http", 80, 80))), 0.0)

    assert isinstance(event, PoolEmpty)
    assert "all 65534 addresses" in event.text
    entry = full.table.get(API)
    assert entry is not None
    assert entry.address is None


def test_the_first_that_waits_gets_the_address_that_is_given_back(full: Mesh, make_service: MakeService) -> None:
    for key in (WEB, API, LATE):
        full.apply(ServiceChanged(key, make_service(key, ("http", 80, 80))), 0.0)

    gone, given = full.apply(ServiceDeleted(WEB), 0.0)

    assert isinstance(gone, ServiceGone)
    assert isinstance(given, AddressGiven)
    assert (given.entry.key, given.address) == (API, "127.251.255.254")


def test_a_service_that_is_deleted_while_it_waits_is_passed_over(full: Mesh, make_service: MakeService) -> None:
    for key in (WEB, API, LATE):
        full.apply(ServiceChanged(key, make_service(key, ("http", 80, 80))), 0.0)

    (gone,) = full.apply(ServiceDeleted(API), 0.0)
    _, given = full.apply(ServiceDeleted(WEB), 0.0)

    assert isinstance(gone, ServiceGone)
    assert gone.address is None
    assert isinstance(given, AddressGiven)
    assert given.entry.key == LATE
