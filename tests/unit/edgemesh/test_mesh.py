from collections.abc import Callable
from ipaddress import IPv4Network
from typing import TypeVar

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import (
    AddressGiven,
    AddressReturned,
    Event,
    Mesh,
    NamesChanged,
    PoolEmpty,
    PortsChanged,
)
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    EndpointsChanged,
    EndpointsDeleted,
    PodChanged,
    PodDeleted,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort
from edgecore.modules.edgemesh.services import ServiceEntry
from tests.support.upstreams import fresh_table, turn

MakeService = Callable[..., kube.Service]
MakePod = Callable[..., kube.Pod]
E = TypeVar("E", bound=Event)

WEB = ServiceKey("default", "web")
API = ServiceKey("prod", "api")
LATE = ServiceKey("prod", "late")
HTTP = PublishedPort("http", "TCP", 80)


class Played:
    """A mesh, and the storage that it asks for: done at once, or when ``store`` is called."""

    def __init__(self) -> None:
        self.mesh = Mesh(fresh_table(), FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0))
        self.at_once = True
        self.waiting: list[AddressGiven] = []

    def apply(self, *changes: Change, now: float = 0.0) -> list[Event]:
        events = [event for change in changes for event in self.mesh.apply(change, now)]
        self.waiting += of(AddressGiven, events)
        return events + self.store() if self.at_once else events

    def store(self) -> list[Event]:
        waiting, self.waiting = self.waiting, []
        return [event for given in waiting for event in self.mesh.stored(*given)]

    def entry(self, key: ServiceKey) -> ServiceEntry:
        entry = self.mesh.table.get(key)
        assert entry is not None
        return entry


def of(kind: type[E], events: list[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def told(events: list[Event]) -> list[Published | None]:
    return [event.now for event in of(NamesChanged, events)]


@pytest.fixture
def mesh() -> Played:
    return Played()


@pytest.fixture
def full(mesh: Played) -> Played:
    """A mesh whose pool has one address left."""
    for number in range(65_533):
        mesh.mesh.pool.allocate(ServiceKey("bulk", f"s{number}"), 0.0)
    return mesh


def test_a_new_service_is_told_of_and_listened_for_once_its_address_is_stored(
    mesh: Played, make_service: MakeService
) -> None:
    mesh.at_once = False
    (given,) = of(AddressGiven, events := mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80)))))
    assert events == [given]
    assert (given.entry.key, given.lease.address) == (WEB, "127.251.0.1")

    assert mesh.store() == [
        NamesChanged(WEB, None, Published(WEB, "127.251.0.1", (HTTP,), is_ready=False)),
        PortsChanged(WEB, "127.251.0.1", ((80, "tcp"),)),
    ]


def test_addresses_are_given_in_the_order_of_the_services(mesh: Played, make_service: MakeService) -> None:
    for key in (WEB, API):
        mesh.apply(ServiceChanged(key, make_service(key, ("http", 80, 80))))

    assert [(entry.key, entry.address) for entry in mesh.mesh.table] == [(WEB, "127.251.0.1"), (API, "127.251.0.2")]


def test_a_recovered_address_is_kept_and_needs_no_storing(mesh: Played, make_service: MakeService) -> None:
    mesh.mesh.pool.claim(WEB, "127.251.7.7")
    mesh.mesh.recovered([WEB])

    events = mesh.apply(ServiceChanged(WEB, make_service(WEB)))

    assert events == [NamesChanged(WEB, None, Published(WEB, "127.251.7.7", is_ready=False))]


def test_a_recovered_service_that_is_deleted_and_comes_again_needs_storing(
    mesh: Played, make_service: MakeService
) -> None:
    mesh.mesh.pool.claim(WEB, "127.251.7.7")
    mesh.mesh.recovered([WEB])
    mesh.apply(ServiceChanged(WEB, make_service(WEB)), ServiceDeleted(WEB))

    (given,) = of(AddressGiven, mesh.apply(ServiceChanged(WEB, make_service(WEB))))

    assert given.lease.address == "127.251.0.1"


def test_other_ports_of_a_known_service_are_told_and_listened_at(mesh: Played, make_service: MakeService) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    names, ports = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 81, 80))))

    assert isinstance(names, NamesChanged)
    assert names.now is not None
    assert names.now.ports == (PublishedPort("http", "TCP", 81),)
    assert ports == PortsChanged(WEB, "127.251.0.1", ((81, "tcp"),))


def test_a_change_that_changes_nothing_outside_has_nothing_done(mesh: Played, make_service: MakeService) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    assert mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 8080)))) == []
    assert mesh.apply(PodsChanged(WEB, ()), EndpointsChanged(WEB, kube.Endpoints())) == []


def test_a_deleted_service_is_forgotten_by_dns_before_its_address_is_given_back(
    mesh: Played, make_service: MakeService
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    names, ports, returned = mesh.apply(ServiceDeleted(WEB))

    assert isinstance(names, NamesChanged)
    assert (names.key, names.now) == (WEB, None)
    assert ports == PortsChanged(WEB, "127.251.0.1", ())
    assert returned == AddressReturned(WEB, "127.251.0.1")
    assert mesh.mesh.pool.owner("127.251.0.1") is None


def test_deleting_an_unknown_service_has_nothing_done(mesh: Played) -> None:
    assert mesh.apply(ServiceDeleted(WEB)) == []


def test_a_service_deleted_before_its_address_was_stored_is_never_told_of(
    mesh: Played, make_service: MakeService
) -> None:
    mesh.at_once = False
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    assert mesh.apply(ServiceDeleted(WEB)) == [AddressReturned(WEB, "127.251.0.1")]
    assert mesh.store() == []


def test_dns_is_told_when_the_first_pod_becomes_a_backend_and_when_the_last_ceases(
    mesh: Played, make_service: MakeService, make_pod: MakePod
) -> None:
    a, b = make_pod("a", "10.0.0.1", (80, 8000)), make_pod("b", "10.0.0.2", (80, 8000))
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    seen = [told(mesh.apply(PodsChanged(WEB, pods))) for pods in ((a,), (a, b), (b,), ())]

    assert [[one.is_ready for one in published if one] for published in seen] == [[True], [], [], [False]]


def test_deleted_pods_and_endpoints_are_forgotten(mesh: Played, make_service: MakeService, make_pod: MakePod) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_pod("a", "10.0.0.1", (80, 8000)),)))
    mesh.apply(EndpointsChanged(WEB, kube.Endpoints()))
    assert (len(mesh.entry(WEB).pods or ()), mesh.entry(WEB).endpoints) == (1, kube.Endpoints())

    mesh.apply(PodsDeleted(WEB), EndpointsDeleted(WEB))

    assert (mesh.entry(WEB).pods, mesh.entry(WEB).endpoints) == (None, None)


# The pool is empty.


def test_a_service_for_which_no_address_is_free_is_known_without_one(full: Played, make_service: MakeService) -> None:
    full.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    (event,) = full.apply(ServiceChanged(API, make_service(API, ("http", 80, 80))))

    assert isinstance(event, PoolEmpty)
    assert "all 65534 addresses" in event.text
    assert full.entry(API).address is None


def test_the_first_that_waits_gets_the_address_that_is_given_back(full: Played, make_service: MakeService) -> None:
    full.apply(*(ServiceChanged(key, make_service(key, ("http", 80, 80))) for key in (WEB, API, LATE)))

    (given,) = of(AddressGiven, full.apply(ServiceDeleted(WEB)))

    assert (given.entry.key, given.lease.address) == (API, "127.251.255.254")


def test_a_service_that_is_deleted_while_it_waits_is_passed_over(full: Played, make_service: MakeService) -> None:
    full.apply(*(ServiceChanged(key, make_service(key, ("http", 80, 80))) for key in (WEB, API, LATE)))

    assert full.apply(ServiceDeleted(API)) == []
    (given,) = of(AddressGiven, full.apply(ServiceDeleted(WEB)))

    assert given.entry.key == LATE


def test_a_pod_that_waits_for_an_address_is_told_of_once_it_has_one(
    full: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    full.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    events = full.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))
    assert [event.key for event in of(PoolEmpty, events)] == [WEB.pod("web-0")]
    assert full.apply(PodsChanged(WEB, (make_named_pod("web-0", "web", "10.0.0.2"),))) == []

    full.mesh.pool.release(ServiceKey("bulk", "s7"), 0.0)
    full.apply(ServiceChanged(LATE, make_service(LATE)))  # takes it
    (published,) = [one for one in told(full.apply(ServiceDeleted(LATE))) if one is not None]

    assert published.pods == (PublishedPod("web-0", "127.251.0.8"),)


# Types.


def test_an_external_name_has_no_address_and_is_told_of_at_once(mesh: Played, make_external: MakeService) -> None:
    mesh.at_once = False

    events = mesh.apply(ServiceChanged(WEB, make_external(WEB, "example.com")))

    assert events == [NamesChanged(WEB, None, Published(WEB, None, external_name="example.com"))]
    assert len(mesh.mesh.pool) == 0


def test_a_service_that_becomes_an_external_name_gives_back_its_address_and_those_of_its_pods(
    mesh: Played, make_service: MakeService, make_external: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))

    events = mesh.apply(ServiceChanged(WEB, make_external(WEB, "example.com")))

    pod = WEB.pod("web-0")
    assert told(events) == [Published(WEB, None, external_name="example.com")]
    assert events[1:] == [
        PortsChanged(WEB, "127.251.0.1", ()),
        PortsChanged(pod, "127.251.0.2", ()),
        AddressReturned(pod, "127.251.0.2"),
        AddressReturned(WEB, "127.251.0.1"),
    ]


def test_an_external_name_that_becomes_a_service_is_one_until_its_address_is_stored(
    mesh: Played, make_service: MakeService, make_external: MakeService
) -> None:
    mesh.apply(ServiceChanged(WEB, make_external(WEB, "example.com")))
    mesh.at_once = False

    assert told(mesh.apply(ServiceChanged(WEB, make_service(WEB)))) == []
    assert told(mesh.store()) == [Published(WEB, "127.251.0.1", is_ready=False)]


def test_an_external_name_for_whose_service_no_address_is_free_is_none_any_more(
    full: Played, make_service: MakeService, make_external: MakeService
) -> None:
    full.apply(ServiceChanged(API, make_service(API)), ServiceChanged(WEB, make_external(WEB, "example.com")))

    assert told(full.apply(ServiceChanged(WEB, make_service(WEB)))) == [None]


# Pods with names.


def test_a_pod_with_a_name_has_an_address_listeners_and_a_backend_of_its_own(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    pods = (make_named_pod("web-1", "web", "10.0.0.2"), make_named_pod("web-0", "web"))
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    events = mesh.apply(PodsChanged(WEB, pods))

    first, second = WEB.pod("web-0"), WEB.pod("web-1")
    assert of(PortsChanged, events) == [
        PortsChanged(first, "127.251.0.2", ((80, "tcp"),)),
        PortsChanged(second, "127.251.0.3", ((80, "tcp"),)),
    ]
    last = told(events)[-1]
    assert last is not None
    assert last.pods == (PublishedPod("web-0", "127.251.0.2"), PublishedPod("web-1", "127.251.0.3"))
    assert [str(turn(mesh.entry(key), 80)) for key in (first, second)] == [
        "10.0.0.1:8000",
        "10.0.0.2:8000",
    ]


def test_a_pod_in_the_place_of_another_keeps_the_address_of_their_name(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    old = make_named_pod("web-0", "web", "10.0.0.1")
    going = msgspec.structs.replace(old, metadata=kube.Metadata("web-0", "default", deletion_timestamp="2020-05-09"))
    new = make_named_pod("web-0", "web", "10.0.0.2")
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), PodsChanged(WEB, (old,)))

    for pods in ((going,), (going, new), (new,)):
        assert of(AddressReturned, mesh.apply(PodsChanged(WEB, pods))) == []

    pod = mesh.entry(WEB.pod("web-0"))
    assert (pod.address, str(turn(pod, 80))) == ("127.251.0.2", "10.0.0.2:8000")


def test_a_pod_that_comes_after_the_other_has_gone_takes_the_address_of_their_name(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    pods = (make_named_pod("web-0", "web"),)
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), PodsChanged(WEB, pods))
    assert of(AddressReturned, mesh.apply(PodsChanged(WEB, ()))) == [AddressReturned(WEB.pod("web-0"), "127.251.0.2")]
    mesh.apply(ServiceChanged(API, make_service(API)))

    (given,) = of(AddressGiven, mesh.apply(PodsChanged(WEB, pods)))

    assert given.lease.address == "127.251.0.2"


def test_the_address_of_a_pod_that_is_gone_rests_as_that_of_a_service(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB)), PodsChanged(WEB, (make_named_pod("web-0", "web"),)))
    mesh.apply(PodsChanged(WEB, ()), now=1.0)

    mesh.apply(ServiceChanged(API, make_service(API)), now=128.0)

    assert mesh.entry(API).address == "127.251.0.3"
    for number in range(253):
        mesh.mesh.pool.allocate(ServiceKey("bulk", f"s{number}"), 128.0)
    mesh.apply(ServiceChanged(LATE, make_service(LATE)), now=129.0)
    assert mesh.entry(LATE).address == "127.251.0.2"


def test_pods_take_over_the_ports_of_their_service(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))

    events = mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 81, 80))))

    assert of(PortsChanged, events) == [
        PortsChanged(WEB, "127.251.0.1", ((81, "tcp"),)),
        PortsChanged(WEB.pod("web-0"), "127.251.0.2", ((81, "tcp"),)),
    ]


def test_a_pod_that_is_no_backend_is_told_as_one_that_is_not_ready(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    pod = make_named_pod("web-0", "web")
    waiting = msgspec.structs.replace(pod, status=kube.PodStatus("Pending"))
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))

    first = told(mesh.apply(PodsChanged(WEB, (waiting,))))[-1]
    (then,) = told(mesh.apply(PodsChanged(WEB, (pod,))))

    assert first is not None
    assert then is not None
    assert [one.pods[0].is_ready for one in (first, then)] == [False, True]


def test_a_deleted_service_takes_its_pods_with_it(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))

    events = mesh.apply(ServiceDeleted(WEB))

    assert told(events) == [None]
    assert of(AddressReturned, events) == [
        AddressReturned(WEB, "127.251.0.1"),
        AddressReturned(WEB.pod("web-0"), "127.251.0.2"),
    ]
    assert mesh.mesh.table.get(WEB.pod("web-0")) is None
    assert len(mesh.mesh.pool) == 0


def test_a_pod_of_a_recovered_service_has_its_address_back_without_storing(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    pod = WEB.pod("web-0")
    mesh.mesh.pool.claim(WEB, "127.251.7.7")
    mesh.mesh.pool.claim(pod, "127.251.7.8")
    mesh.mesh.recovered([WEB, pod])

    events = mesh.apply(
        PodsChanged(WEB, (make_named_pod("web-0", "web"),)), ServiceChanged(WEB, make_service(WEB, ("http", 80, 80)))
    )

    expected = Published(WEB, "127.251.7.7", (HTTP,), (PublishedPod("web-0", "127.251.7.8"),))
    assert told(events) == [expected]
    assert of(AddressGiven, events) == []


# Pods of this node, and endpoints.


def test_dns_is_told_when_a_newer_word_of_a_pod_takes_the_last_backend(
    mesh: Played, make_service: MakeService, make_pod: MakePod
) -> None:
    pod = make_pod("a", "10.0.0.1", (80, 8000))
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))), PodsChanged(WEB, (pod,)))
    key = PodKey("default", "a")
    newer = msgspec.structs.replace(
        pod, metadata=kube.Metadata("a", "default", "u", "9"), status=kube.PodStatus("Failed", "10.0.0.1")
    )

    (published,) = told(mesh.apply(PodChanged(key, newer)))

    assert published is not None
    assert not published.is_ready
    assert mesh.mesh.concerned(PodChanged(key, newer)) == (WEB,)
    assert mesh.apply(PodChanged(PodKey("default", "other"), pod), PodDeleted(PodKey("prod", "a"), "u", 1)) == []


def test_a_pod_with_a_name_stays_known_by_it_as_long_as_a_list_has_it(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))

    (published,) = told(mesh.apply(PodDeleted(PodKey("default", "web-0"), "u", 9)))

    assert published is not None
    assert (published.is_ready, published.pods) == (False, (PublishedPod("web-0", "127.251.0.2", is_ready=False),))


def test_endpoints_that_say_a_pod_is_not_ready_are_followed(
    mesh: Played, make_service: MakeService, make_named_pod: MakePod
) -> None:
    mesh.apply(ServiceChanged(WEB, make_service(WEB, ("http", 80, 80))))
    mesh.apply(PodsChanged(WEB, (make_named_pod("web-0", "web"),)))
    address = kube.EndpointAddress("172.17.0.2", "", kube.TargetReference("Pod", "web-0"))
    endpoints = kube.Endpoints(subsets=(kube.EndpointSubset((), (address,)),))

    events = [mesh.apply(EndpointsChanged(WEB, endpoints)), mesh.apply(EndpointsDeleted(WEB))]

    seen = [published for one in events for published in told(one) if published is not None]
    assert [(one.is_ready, one.pods[0].is_ready) for one in seen] == [(False, False), (True, True)]
