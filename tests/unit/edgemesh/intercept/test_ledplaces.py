from collections.abc import AsyncIterator
from typing import Any

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.intercept.kernel.kernelplane import KernelPlane
from edgecore.modules.edgemesh.intercept.ledplaces import LedPlaces
from edgecore.modules.edgemesh.intercept.rootless import Place
from edgecore.modules.edgemesh.intercept.rules.interception import Spot, Spots
from edgecore.modules.edgemesh.intercept.ruleset import Ruleset
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from tests.support.upstreams import fresh_upstreams

WEB = ServiceKey("default", "web")
ADDRESS, FAKE_IP = "169.254.96.16", "9.251.0.1"
TCP, UDP = Spot(FAKE_IP, 80, "tcp"), Spot(FAKE_IP, 53, "udp")
FRONT = Endpoint(ADDRESS, 40001)


class FakeListener:
    def __init__(self, proxy: "FakeProxy", address: Endpoint) -> None:
        self.address = address
        self._proxy = proxy

    def close(self) -> None:
        self._proxy.open.remove(self.address)


class FakeProxy:
    def __init__(self) -> None:
        self.open: list[Endpoint] = []
        self.meant: list[tuple[Endpoint, Any]] = []
        self.owners: dict[str, ServiceKey] = {}
        self.taken: set[int] = set()
        self._next = 50_000

    async def listen(
        self, address: str, port: int, service: Any, transport: Any = "tcp", *, meant: Endpoint | None = None
    ) -> FakeListener:
        assert (port, transport) == (0, "udp")
        if "udp" in self.taken:  # type: ignore[comparison-overlap]
            raise ListenError(address, "failed", "no")
        self._next += 1
        where = Endpoint(address, self._next)
        self.meant.append((where, (service, meant)))
        self.open.append(where)
        return FakeListener(self, where)

    async def listen_led(self, address: str, port: int) -> FakeListener:
        if port in self.taken:
            raise ListenError(f"{address}:{port}", "in_use", "taken")
        self.open.append(Endpoint(address, port))
        return FakeListener(self, Endpoint(address, port))

    def own(self, address: str, service: ServiceKey | None) -> None:
        if service is None:
            del self.owners[address]
        else:
            self.owners[address] = service


@pytest.fixture
def proxy() -> FakeProxy:
    return FakeProxy()


@pytest.fixture
async def rules(vclock: VirtualClock) -> AsyncIterator[Ruleset]:
    async def put(_before: Spots | None, _after: Spots) -> None: ...

    rules = Ruleset(put, vclock)
    yield rules
    await rules.hold()


@pytest.fixture
async def places(proxy: FakeProxy, rules: Ruleset, vclock: VirtualClock) -> AsyncIterator[LedPlaces]:
    places = LedPlaces(proxy, rules, KernelPlane(fresh_upstreams(), rules), vclock, port=40001, rebind_s=5.0)
    await places.start(ADDRESS)
    await rules.start()
    yield places
    await places.stop()
    assert proxy.open == []


async def test_connections_are_led_to_one_listener_and_datagrams_each_to_their_own(
    places: LedPlaces, proxy: FakeProxy, rules: Ruleset
) -> None:
    places.set(WEB, FAKE_IP, [(80, "tcp"), (53, "udp")])
    await settle()
    its_own = Endpoint(ADDRESS, 50_001)
    assert rules.desired.led == {TCP: FRONT, UDP: its_own}
    assert proxy.meant == [(its_own, (WEB, Endpoint(FAKE_IP, 53)))]
    assert proxy.owners == {FAKE_IP: WEB}


async def test_a_service_that_goes_is_led_no_more(places: LedPlaces, proxy: FakeProxy, rules: Ruleset) -> None:
    places.set(WEB, FAKE_IP, [(80, "tcp"), (53, "udp")])
    await settle()
    places.set(WEB, FAKE_IP, [(80, "tcp")])
    assert (dict(rules.desired.led), proxy.open) == ({TCP: FRONT}, [FRONT])
    places.set(WEB, FAKE_IP, [])
    assert (dict(rules.desired.led), proxy.owners) == ({}, {})


async def test_a_place_is_served_when_the_kernel_leads_there(places: LedPlaces, rules: Ruleset) -> None:
    place = Place(WEB, FAKE_IP, 80)
    places.set(WEB, FAKE_IP, [(80, "tcp")])
    assert places.problem(place) == "pending"
    await settle()
    assert (places.problem(place), places.plane(place)) == (None, "proxy")
    await rules.hold()
    assert places.problem(place) == "no_rule"


async def test_a_port_that_is_taken_has_the_next_one_tried(
    proxy: FakeProxy, rules: Ruleset, vclock: VirtualClock
) -> None:
    proxy.taken = {40001, 40002}
    places = LedPlaces(proxy, rules, KernelPlane(fresh_upstreams(), rules), vclock, port=40001, rebind_s=5.0)
    await places.start(ADDRESS)
    assert places.listener == Endpoint(ADDRESS, 40003)
    await places.stop()


async def test_another_address_moves_everything(places: LedPlaces, proxy: FakeProxy, rules: Ruleset) -> None:
    places.set(WEB, FAKE_IP, [(80, "tcp"), (53, "udp")])
    await settle()
    await places.start(ADDRESS)
    assert rules.desired.led[TCP] == FRONT
    await places.start("172.17.0.1")
    await settle()
    assert {one.host for one in rules.desired.led.values()} == {"172.17.0.1"}
    assert {one.host for one in proxy.open} == {"172.17.0.1"}


async def test_a_listener_for_datagrams_that_cannot_be_is_tried_again(
    places: LedPlaces, proxy: FakeProxy, rules: Ruleset, vclock: VirtualClock
) -> None:
    proxy.taken = {"udp"}  # type: ignore[arg-type]
    places.set(WEB, FAKE_IP, [(53, "udp")])
    await settle()
    assert [one.reason for one in places.not_bound] == ["failed"]
    proxy.taken = set()
    await vclock.advance(5.0)
    assert UDP in rules.desired.led
