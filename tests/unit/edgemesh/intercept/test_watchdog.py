import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.rules.findings import Finding
from edgecore.modules.edgemesh.intercept.rules.routes import ADDRESS_LIFE_S
from edgecore.modules.edgemesh.intercept.watchdog import RENEW_S, Watchdog

ROUTE = Finding("missing", "route", "there is no route")
TABLE = Finding("missing", "table", "there is no table")


class FakeKernel:
    """``missing`` is what is found, until it is mended; ``stays``: and after."""

    def __init__(self) -> None:
        self.missing: list[Finding] = []
        self.stays: list[Finding] = []
        self.is_active = True
        self.calls: list[str] = []
        self.refuses = False
        self.cannot_look = False
        self.free = asyncio.Event()
        self.free.set()

    async def look(self) -> Sequence[Finding]:
        self.calls.append("look")
        if self.cannot_look:
            raise InterceptError("refused", "what is there cannot be read")
        return [*self.missing, *self.stays]

    async def mend(self, found: Sequence[Finding]) -> None:
        self.calls.append("mend")
        if self.refuses:
            raise InterceptError("refused", "no")
        self.missing = []

    async def renew(self) -> None:
        self.calls.append("renew")
        await self.free.wait()


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


class Rig:
    def __init__(self, kernel: FakeKernel, clock: VirtualClock, interval_s: float, *, repairs: bool) -> None:
        self.clock = clock
        self.watchdog = Watchdog(kernel, clock, interval_s, repairs_wanted=repairs)
        self.task = asyncio.create_task(self.watchdog.run())

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def rig(kernel: FakeKernel, vclock: VirtualClock) -> AsyncIterator[Rig]:
    rig = Rig(kernel, vclock, 5.0, repairs=True)
    yield rig
    await rig.end()


async def test_what_is_missing_is_mended_counted_and_told_once(rig: Rig, kernel: FakeKernel) -> None:
    kernel.missing = [ROUTE, TABLE]
    with capture_logs() as logs:
        await rig.clock.advance(5.0)
        await rig.clock.advance(5.0)
    assert (rig.watchdog.repairs, rig.watchdog.findings) == (1, ())
    events = [line["event"] for line in logs]
    assert events == ["intercept_rule_missing", "intercept_rule_missing", "intercept_repaired"]


async def test_what_mending_does_not_help_against_is_told_once_and_not_mended_again(
    rig: Rig, kernel: FakeKernel
) -> None:
    kernel.stays = [ROUTE]
    with capture_logs() as logs:
        await rig.clock.advance(20.0)
    assert kernel.calls.count("mend") == 1
    assert (rig.watchdog.repairs, rig.watchdog.findings) == (0, (ROUTE,))
    assert [line["event"] for line in logs] == ["intercept_rule_missing"]

    kernel.stays = []
    with capture_logs() as logs:
        await rig.clock.advance(5.0)
    assert [line["event"] for line in logs] == ["intercept_complete"]


async def test_mending_that_fails_is_tried_with_each_look_and_told_once(rig: Rig, kernel: FakeKernel) -> None:
    kernel.missing, kernel.refuses = [ROUTE], True
    with capture_logs() as logs:
        await rig.clock.advance(15.0)
    assert kernel.calls.count("mend") == 3
    assert [line["event"] for line in logs] == ["intercept_rule_missing", "intercept_not_repaired"]
    assert "no" in rig.watchdog.problem

    kernel.refuses = False
    await rig.clock.advance(5.0)
    assert (rig.watchdog.problem, rig.watchdog.repairs) == ("", 1)


async def test_without_repair_what_is_missing_is_only_told_and_no_address_made_anew(
    kernel: FakeKernel, vclock: VirtualClock
) -> None:
    rig = Rig(kernel, vclock, 5.0, repairs=False)
    kernel.missing = [ROUTE]
    await vclock.advance(10.0)
    await rig.end()
    assert set(kernel.calls) == {"look"}
    assert rig.watchdog.findings == (ROUTE,)


async def test_the_address_is_renewed_in_time_however_seldom_it_looks(kernel: FakeKernel, vclock: VirtualClock) -> None:
    rig = Rig(kernel, vclock, 60.0, repairs=True)
    await vclock.advance(59.0)
    await rig.end()
    assert kernel.calls == ["renew"] * int(59 / RENEW_S)


async def test_what_is_not_active_is_left_alone(rig: Rig, kernel: FakeKernel) -> None:
    kernel.is_active = False
    await rig.clock.advance(20.0)
    assert kernel.calls == []


async def test_the_address_is_renewed_while_nobody_can_look_and_that_is_told_once(rig: Rig, kernel: FakeKernel) -> None:
    kernel.cannot_look = True
    with capture_logs() as logs:
        await rig.clock.advance(15.0)
    assert kernel.calls == ["look", "renew"] * 3
    assert [line["event"] for line in logs] == ["intercept_not_checked"]


async def test_an_address_that_is_renewed_too_late_has_lost_its_route_so_it_looks_at_once(
    kernel: FakeKernel, vclock: VirtualClock
) -> None:
    rig = Rig(kernel, vclock, 3600.0, repairs=True)
    await vclock.advance(RENEW_S)
    kernel.free.clear()
    await vclock.advance(ADDRESS_LIFE_S)
    kernel.missing = [ROUTE]
    assert kernel.calls == ["renew", "renew"]
    kernel.free.set()
    await vclock.advance(0.0)
    await rig.end()
    assert kernel.calls == ["renew", "renew", "look", "mend", "look"]
