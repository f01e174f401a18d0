"""Readings of the kernel's counters become sums that only grow."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from edgecore.clock import VirtualClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.kernel.counters import READ_S, SHARE, SHARE_ASKED, KernelCounters, KernelTally
from edgecore.modules.edgemesh.intercept.kernel.kernelplane import Backing
from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.upstream.spec import PortKey
from tests.support.healthrig import WEB, endpoint

SPOT = Spot("9.251.0.1", 80, "tcp")
KEY: PortKey = (WEB, 80, "tcp")


@dataclass
class Plane:
    """Backends as a test says."""

    backings: dict[int, Backing] = field(default_factory=dict)
    ports: dict[PortKey, list[Endpoint]] = field(default_factory=dict)

    def hosts(self, key: PortKey) -> Collection[Endpoint] | None:
        return self.ports.get(key)

    def put(self, id_: int, number: int) -> None:
        self.backings[id_] = Backing(SPOT, KEY, endpoint(number))
        self.ports.setdefault(KEY, []).append(endpoint(number))

    def take(self, id_: int) -> None:
        self.ports[KEY].remove(self.backings.pop(id_).endpoint)


@pytest.fixture
def plane() -> Plane:
    plane = Plane()
    plane.put(1, 1)
    plane.put(2, 2)
    return plane


def told(tally: KernelTally) -> PortFigures:
    return tally.figures().ports[KEY]


def requests(tally: KernelTally) -> dict[str, int]:
    return {name.partition(":")[0]: host.requests for name, host in told(tally).hosts.items()}


def test_connections_are_counted_for_each_backend_and_for_the_port(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 3, 2: 4}, {}, plane)
    tally.enter({1: 5, 2: 4}, {}, plane)

    assert requests(tally) == {"10.0.0.1": 5, "10.0.0.2": 4}
    assert told(tally).codes == {0: 9}
    assert tally.connections == 9


def test_the_kernel_judges_no_backend(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 1}, {}, plane)

    assert {host.judges for host in told(tally).hosts.values()} == {0}


def test_sums_go_on_when_the_rules_are_made_anew(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 10}, {}, plane)
    tally.enter({1: 4}, {}, plane)
    tally.enter({}, {}, plane)
    tally.enter({1: 1}, {}, plane)

    assert requests(tally)["10.0.0.1"] == 15


def test_what_was_counted_at_a_backend_that_is_gone_is_kept_with_the_port(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 10, 2: 1}, {}, plane)
    plane.take(1)
    tally.enter({1: 12, 2: 1}, {}, plane)  # the rules still had it
    tally.enter({2: 1}, {}, plane)

    assert requests(tally) == {"10.0.0.2": 1}
    assert (told(tally).past.requests, told(tally).codes) == (12, {0: 13})


def test_what_a_backend_got_after_its_last_reading_is_known_from_the_sum_of_its_spot(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 10, 2: 1}, {SPOT: 11}, plane)
    plane.take(1)
    tally.enter({2: 3}, {SPOT: 20}, plane)  # 7 more went to the one that is gone
    tally.enter({2: 3}, {SPOT: 20}, plane)

    assert requests(tally) == {"10.0.0.2": 3}
    assert (told(tally).past.requests, told(tally).codes, tally.connections) == (17, {0: 20}, 20)


def test_a_sum_that_was_read_later_than_its_targets_makes_nothing_out_of_nothing(plane: Plane) -> None:
    tally = KernelTally()
    for number in range(0, 100, 10):
        tally.enter({1: number, 2: number}, {SPOT: 2 * number + 7}, plane)
    tally.enter({1: 100, 2: 97}, {SPOT: 197}, plane)
    tally.enter({1: 100, 2: 97}, {SPOT: 197}, plane)

    assert (told(tally).past.requests, told(tally).codes) == (0, {0: 197})


def test_a_port_that_goes_to_the_proxy_keeps_what_was_counted(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 10}, {}, plane)
    plane.backings.clear()
    tally.enter({}, {}, plane)

    assert requests(tally) == {"10.0.0.1": 10}
    assert not tally.has_meters


def test_a_port_that_is_gone_is_forgotten(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 10}, {}, plane)
    plane.backings.clear()
    plane.ports.clear()
    tally.enter({}, {}, plane)

    assert tally.figures().ports == {}
    assert tally.connections == 10


def test_what_is_open_is_told_with_its_backend(plane: Plane) -> None:
    tally = KernelTally()
    tally.enter({1: 3, 2: 1}, {}, plane)
    tally.open_now({(SPOT, endpoint(1)): 2, (SPOT, endpoint(9)): 7})

    host = told(tally).hosts[str(endpoint(1))]
    assert (host.active, host.connections, tally.open) == (2, 2, 9)
    assert told(tally).hosts[str(endpoint(2))].active == 0


def listing(**counters: int) -> str:
    objects = [{"counter": {"name": name.replace("_", "-"), "packets": number}} for name, number in counters.items()]
    return json.dumps({"nftables": [{"metainfo": {}}, *objects]})


async def test_the_counters_are_read_once_a_second_while_there_are_any(plane: Plane) -> None:
    clock, asked, counted = VirtualClock(), list[float](), 0

    async def list_counters() -> str:
        nonlocal counted
        asked.append(clock.monotonic())
        counted += 5
        return listing(hits_1=counted)

    counters = KernelCounters(Plane(), list_counters, clock)
    await counters.look()
    assert asked == []

    counters = KernelCounters(plane, list_counters, clock)
    for _ in range(3):
        await counters.look()
        await clock.advance(READ_S)
    assert asked == [0, 1, 2]
    assert counters.figures()[0].ports[KEY].codes == {0: 15}


@pytest.mark.parametrize("answer", [InterceptError("keeper_gone", "the keeper is gone"), "{", '{"nftables": 1}'])
async def test_counters_that_cannot_be_read_leave_the_sums_as_they_are(plane: Plane, answer: object) -> None:
    answers = [listing(hits_1=5), answer, answer, listing(hits_1=6)]

    async def list_counters() -> str:
        given = answers.pop(0)
        if isinstance(given, InterceptError):
            raise given
        return str(given)

    counters = KernelCounters(plane, list_counters, VirtualClock())
    for _ in range(4):
        await counters.look()

    assert counters.failures == 2
    assert counters.tally.connections == 6


@pytest.mark.parametrize(("is_asked", "share"), [(False, SHARE), (True, SHARE_ASKED)])
async def test_counters_that_take_long_to_read_are_read_less_often_but_sooner_when_somebody_asks(
    plane: Plane, is_asked: bool, share: int
) -> None:
    clock, began = VirtualClock(), []

    async def list_counters() -> str:
        began.append(clock.monotonic())
        await clock.sleep(0.5)
        return listing(hits_1=1)

    counters = KernelCounters(plane, list_counters, clock)
    reading = asyncio.create_task(counters.run())
    for _ in range(4 * 60):
        await clock.advance(0.25)
        if is_asked:
            counters.figures()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert began[:3] == [number * 0.5 * (1 + share) for number in range(len(began[:3]))]
    assert len(began) >= 3


async def test_counters_that_are_read_at_once_are_read_each_second(plane: Plane) -> None:
    clock, began = VirtualClock(), []

    async def list_counters() -> str:
        began.append(clock.monotonic())
        return listing(hits_1=1)

    reading = asyncio.create_task(KernelCounters(plane, list_counters, clock).run())
    await clock.advance(3 * READ_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert began == [0, 1, 2, 3]
