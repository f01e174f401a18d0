"""Hosts that leave: what is under way there, what it still counts, and when it is ended."""

import math
from collections.abc import Callable

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.upstream.drains import Drains
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import host


class Connection:
    """Uses a host; idle ones end when they are told to drain."""

    def __init__(self, used: Host, *, idle: bool = False) -> None:
        self.host = used
        self.idle = idle
        self.told: list[str] = []
        used.users.add(self)

    def drain(self) -> None:
        self.told.append("drain")
        if self.idle:
            self.host.users.discard(self)

    def abort(self) -> None:
        self.told.append("abort")
        self.host.users.discard(self)
        self.host.failed("aborted", 0.0)


@pytest.fixture
def drains(vclock: VirtualClock) -> Drains:
    return Drains(vclock)


@pytest.fixture
def timers(vclock: VirtualClock) -> Callable[[], int]:
    return lambda: sum(timer.callback is not None for *_, timer in vclock._timers)


async def test_a_host_where_nothing_is_under_way_is_done_with_at_once(
    drains: Drains, timers: Callable[[], int]
) -> None:
    leaving, past = host("10.0.0.1", 80), host("", 0)
    leaving.requests = 7
    idle = Connection(leaving, idle=True)

    drains.leave(leaving, 30, past)

    assert leaving.gone
    assert (idle.told, past.requests, len(drains), timers()) == (["drain"], 7, 0, 0)


async def test_what_is_under_way_may_end_and_is_counted(
    drains: Drains, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    leaving, past = host("10.0.0.1", 80), host("", 0)
    busy = Connection(leaving)
    leaving.requests = leaving.active = 1

    drains.leave(leaving, 30, past)
    assert past.requests == 1
    await vclock.advance(5)
    leaving.took(5.0)
    leaving.active = 0
    leaving.users.discard(busy)
    await vclock.advance(1)

    assert (past.requests, sum(past.latency), busy.told) == (1, 1, ["drain"])
    assert (len(drains), timers()) == (0, 0)


async def test_what_lasts_too_long_is_ended_and_its_error_counted(
    drains: Drains, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    leaving, past = host("10.0.0.1", 80), host("", 0)
    busy = Connection(leaving)

    drains.leave(leaving, 3.5, past)
    await vclock.advance(3.4)
    assert busy.told == ["drain"]
    await vclock.advance(0.2)
    assert busy.told == ["drain", "abort"]
    await vclock.advance(1)

    assert (past.errors, len(drains), timers()) == ({"aborted": 1}, 0, 0)


async def test_without_time_to_drain_all_is_ended_at_once(drains: Drains, timers: Callable[[], int]) -> None:
    leaving = host("10.0.0.1", 80)
    busy = Connection(leaving)

    drains.leave(leaving, 0, host("", 0))

    assert (busy.told, len(drains), timers()) == (["drain", "abort"], 0, 0)


async def test_a_request_that_nobody_can_end_is_waited_for_no_longer_than_others(
    drains: Drains, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    leaving = host("10.0.0.1", 80)
    leaving.active = 1

    drains.leave(leaving, 30, host("", 0))
    await vclock.advance(32)

    assert (len(drains), timers()) == (0, 0)


async def test_what_may_last_for_ever_can_be_hurried(
    drains: Drains, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    leaving = host("10.0.0.1", 80)
    busy = Connection(leaving)
    drains.leave(leaving, math.inf, host("", 0))
    await vclock.advance(100_000)
    assert (busy.told, drains.lasts(leaving)) == (["drain"], True)

    drains.hurry(leaving, 2)
    await vclock.advance(3)

    assert (busy.told, drains.lasts(leaving), timers()) == (["drain", "abort"], False, 0)
    drains.hurry(leaving, 2)
    assert (len(drains), timers()) == (0, 0)


async def test_closing_ends_what_is_under_way_and_leaves_no_timer(drains: Drains, timers: Callable[[], int]) -> None:
    past = host("", 0)
    busy = [Connection(host(f"10.0.0.{number}", 80)) for number in range(3)]
    for connection in busy:
        drains.leave(connection.host, 30, past)

    drains.close()

    assert [connection.told for connection in busy] == [["drain", "abort"]] * 3
    assert (past.errors, len(drains), timers()) == ({"aborted": 3}, 0, 0)
