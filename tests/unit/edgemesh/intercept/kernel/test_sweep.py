"""Flows of datagrams whose backend is none any more end, once the kernel has the new rules."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from edgecore.clock import VirtualClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.kernel.ctnetlink import Flow
from edgecore.modules.edgemesh.intercept.kernel.sweep import LOOK_S, OpenFlows, Sweep
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Spots, Target
from tests.support.healthrig import endpoint

UDP = Spot("9.251.0.1", 53, "udp")
TCP = Spot("9.251.0.1", 80, "tcp")


def balanced(*numbers: int) -> Balanced:
    return Balanced(tuple(Target(n, endpoint(n)) for n in numbers))


def flow(spot: Spot, number: int, *, is_open: bool = True) -> Flow:
    return Flow(spot, endpoint(number), is_open, f"{spot} {number}".encode())


@dataclass
class Table:
    """The kernel's connections, as a test says."""

    there: list[Flow] = field(default_factory=list)
    looks: int = 0
    error: InterceptError | None = None

    async def flows(self) -> AsyncIterator[Sequence[Flow]]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        for one in tuple(self.there):
            await asyncio.sleep(0)
            yield [one]

    async def forget(self, flows: Sequence[Flow]) -> None:
        for one in flows:
            self.there.remove(one)


@dataclass
class Rules:
    applied: Spots | None = None


@dataclass
class Rig:
    clock: VirtualClock
    table: Table
    rules: Rules
    sweep: Sweep
    heard: list[OpenFlows]

    def change(self, spot: Spot, now: Balanced | None, *, applied: bool = True) -> None:
        self.sweep.changed(spot, now)
        if applied:
            self.rules.applied = Spots(balanced={} if now is None else {spot: now})

    @contextmanager
    def running(self) -> Iterator[None]:
        task = asyncio.create_task(self.sweep.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
def rig() -> Rig:
    clock, table, rules, heard = VirtualClock(), Table(), Rules(), list[OpenFlows]()
    sweep = Sweep(rules, table, clock)
    sweep.tell = heard.append
    return Rig(clock, table, rules, sweep, heard)


async def test_flows_to_a_backend_that_is_none_any_more_end(rig: Rig) -> None:
    rig.table.there = [flow(UDP, 1), flow(UDP, 2), flow(Spot("9.251.0.9", 53, "udp"), 1)]
    rig.change(UDP, balanced(2, 3))
    with rig.running():
        await rig.clock.advance(1)

    assert rig.table.there == [flow(UDP, 2), flow(Spot("9.251.0.9", 53, "udp"), 1)]
    assert rig.sweep.ended == 1


@pytest.mark.parametrize("now", [None, balanced(1)])
async def test_what_is_led_to_our_listener_stays_and_what_was_led_to_that_of_a_node_before_ends(
    rig: Rig, now: Balanced | None
) -> None:
    rig.table.there = [flow(UDP, 7), flow(UDP, 8)]
    rig.sweep.changed(UDP, now)
    rig.rules.applied = Spots(led={UDP: endpoint(7)}, balanced={} if now is None else {UDP: now})
    with rig.running():
        await rig.clock.advance(3)

    assert rig.table.there == [flow(UDP, 7)]


async def test_connections_of_tcp_drain(rig: Rig) -> None:
    rig.table.there = [flow(TCP, 1)]
    rig.change(TCP, balanced(2))
    with rig.running():
        await rig.clock.advance(10)

    assert rig.table.there == [flow(TCP, 1)]


async def test_a_spot_that_the_kernel_balances_no_more_keeps_no_flow(rig: Rig) -> None:
    rig.table.there = [flow(UDP, 1)]
    rig.change(UDP, balanced(1))
    with rig.running():
        await rig.clock.advance(1)
        assert rig.table.there
        rig.change(UDP, None)
        await rig.clock.advance(1)

    assert rig.table.there == []


async def test_flows_to_the_listener_of_a_node_before_end_and_those_to_the_listener_stay(rig: Rig) -> None:
    rig.table.there = [flow(UDP, 1), flow(UDP, 2)]
    rig.rules.applied = Spots(led={UDP: endpoint(2)})
    rig.sweep.changed(UDP, None)
    with rig.running():
        await rig.clock.advance(3)

    assert rig.table.there == [flow(UDP, 2)]


async def test_nothing_ends_before_the_kernel_has_the_new_rules(rig: Rig) -> None:
    rig.table.there = [flow(UDP, 1)]
    rig.change(UDP, balanced(1))
    with rig.running():
        await rig.clock.advance(1)
        rig.change(UDP, balanced(2), applied=False)
        await rig.clock.advance(2)
        assert rig.table.there == [flow(UDP, 1)]
        rig.rules.applied = None
        await rig.clock.advance(2)
        assert rig.table.there == [flow(UDP, 1)]
        rig.rules.applied = Spots(balanced={UDP: balanced(2)})
        await rig.clock.advance(1)

    assert rig.table.there == []


async def test_a_flow_that_began_by_the_old_rules_meanwhile_is_found_by_the_second_look(rig: Rig) -> None:
    rig.change(UDP, balanced(2))
    with rig.running():
        await rig.clock.advance(0.5)
        rig.table.there = [flow(UDP, 1)]
        await rig.clock.advance(3)

    assert rig.table.there == []


async def test_without_changes_it_looks_now_and_then_at_what_is_open(rig: Rig) -> None:
    rig.table.there = [flow(TCP, 1), flow(TCP, 1), flow(TCP, 2, is_open=False), flow(UDP, 1)]
    rig.change(TCP, balanced(1, 2))
    with rig.running():
        await rig.clock.advance(4 * LOOK_S)

    assert rig.heard[-1] == {(TCP, endpoint(1)): 2}
    assert 3 <= rig.table.looks <= 5


async def test_where_the_kernel_balances_nothing_nobody_looks(rig: Rig) -> None:
    with rig.running():
        await rig.clock.advance(100)

    assert rig.table.looks == 0


async def test_many_changes_share_a_look(rig: Rig) -> None:
    with rig.running():
        for number in range(100):
            rig.change(UDP, balanced(number % 7 + 1))
            await rig.clock.advance(0.01)

    assert rig.table.looks <= 12


async def test_a_table_that_cannot_be_read_is_counted_and_tried_again(rig: Rig) -> None:
    rig.table.there, rig.table.error = [flow(UDP, 1)], InterceptError("no_permission", "no")
    rig.change(UDP, balanced(2))
    with rig.running():
        await rig.clock.advance(3 * LOOK_S)
        failures, rig.table.error = rig.sweep.failures, None
        await rig.clock.advance(2 * LOOK_S)

    assert 2 <= failures <= 4
    assert rig.table.there == []
