"""The module runner: order of starting and stopping, failures, restarts, and nothing left behind."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.module import LONGEST_PAUSE_S, STOP_TIMEOUT_S, ModuleRunner
from edgecore.clock import VirtualClock, settle
from edgecore.errors import EdgecoreError, ListenError
from edgecore.ids import NewId

ROUTE = Route("edged", "meta", "update", "default/podstatus/nginx")


class ScriptedModule:
    """Does what it is told to, and writes down when."""

    def __init__(self, name: str, diary: list[str], clock: VirtualClock) -> None:
        self.name = self.group = name
        self.diary = diary
        self.clock = clock
        self.start_error: Exception | None = None
        self.crashes: list[float] = []
        """For each run that is to fail, after how many seconds it does; later ones last."""
        self.runs_at: list[float] = []
        self.stops_after_s = 0.0
        self.stop_error: Exception | None = None

    async def start(self) -> None:
        self.diary.append(f"{self.name} starts")
        if self.start_error is not None:
            raise self.start_error

    async def run(self) -> None:
        self.diary.append(f"{self.name} runs")
        self.runs_at.append(self.clock.monotonic())
        try:
            if not self.crashes:
                await asyncio.Event().wait()
            await self.clock.sleep(self.crashes.pop(0))
        finally:
            self.diary.append(f"{self.name} ends")
        raise RuntimeError("boom")

    async def stop(self) -> None:
        self.diary.append(f"{self.name} stops")
        if self.stop_error is not None:
            raise self.stop_error
        if self.stops_after_s:
            await self.clock.sleep(self.stops_after_s)

    def status(self) -> dict[str, Any]:
        return {"name": self.name}


@pytest.fixture
def diary() -> list[str]:
    return []


@pytest.fixture
def modules(diary: list[str], vclock: VirtualClock) -> list[ScriptedModule]:
    return [ScriptedModule(name, diary, vclock) for name in ("first", "second", "third")]


@pytest.fixture
def runner(modules: list[ScriptedModule], vclock: VirtualClock) -> ModuleRunner:
    return ModuleRunner(modules, vclock, lambda _: None)


def closing(diary: list[str]) -> Callable[[], None]:
    return lambda: diary.append("bus closes")


def states(runner: ModuleRunner) -> list[str]:
    return [state["state"] for state in runner.states().values()]


async def test_modules_start_in_order_and_stop_in_reverse_before_the_bus_closes(
    runner: ModuleRunner, diary: list[str]
) -> None:
    assert states(runner) == ["waiting", "waiting", "waiting"]
    await runner.start()
    await settle()
    assert states(runner) == ["running", "running", "running"]
    assert sorted(diary[:3]) == ["first starts", "second starts", "third starts"]
    assert sorted(diary[3:]) == ["first runs", "second runs", "third runs"]
    diary.clear()

    assert await runner.stop(closing(diary)) == []
    assert diary[:4] == ["third stops", "second stops", "first stops", "bus closes"]
    assert sorted(diary[4:]) == ["first ends", "second ends", "third ends"]
    assert states(runner) == ["stopped", "stopped", "stopped"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EdgecoreError("cannot do it: no reason"), "cannot do it: no reason"),
        (ListenError("127.0.0.1:53", "in_use", "it is taken"), "cannot listen on 127.0.0.1:53: it is taken"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
async def test_module_that_cannot_start_leaves_the_others_running(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], error: Exception, text: str
) -> None:
    modules[1].start_error = error
    with capture_logs() as logs:
        await runner.start()
    await settle()

    assert runner.states()["second"] == {"state": "failed", "restarts": 0, "error": text}
    assert states(runner) == ["running", "failed", "running"]
    assert "second runs" not in diary
    assert [(entry["event"], entry["module"], entry["error"]) for entry in logs] == [
        ("module_not_started", "second", text)
    ]
    await runner.stop(closing(diary))
    assert "second stops" in diary


async def test_module_that_cannot_start_is_withdrawn_so_that_its_senders_do_not_wait(
    modules: list[ScriptedModule], vclock: VirtualClock, ids: NewId
) -> None:
    bus = Bus(vclock, ids, capacity=1)
    ports = {module.name: bus.register(module.name, "group") for module in modules}
    modules[1].start_error = ListenError("127.0.0.1:53", "in_use", "Address already in use")
    runner = ModuleRunner(modules, vclock, bus.withdraw)
    with capture_logs() as logs:
        await runner.start()
        for _ in range(3):
            await ports["first"].post("second", ROUTE)
    assert ports["first"].statistics().dropped == {"unknown_module": 3}
    assert "module_not_started" in [entry["event"] for entry in logs]
    assert await ports["first"].send_to_group("group", ports["first"].build(ROUTE)) == 2
    await runner.stop(bus.close)


async def test_crashed_module_is_run_again_after_pauses_that_double(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    modules[0].crashes = [0.0] * 9
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(200)
    runs_at = modules[0].runs_at
    pauses = [later - earlier for earlier, later in itertools.pairwise(runs_at)]

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [entry["again_in_s"] for entry in logs] == pauses
    assert {entry["event"] for entry in logs} == {"module_crashed"}
    assert runner.states()["first"] == {"state": "running", "restarts": 9, "error": "RuntimeError: boom"}
    assert states(runner)[1:] == ["running", "running"]
    await runner.stop(closing(diary))


async def test_module_that_ran_long_is_run_again_soon(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    modules[0].crashes = [0.0, 0.0, 0.0, LONGEST_PAUSE_S + 1]
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(60)

    assert [entry["again_in_s"] for entry in logs] == [0.5, 1, 2, 0.5]
    assert runner.states()["first"]["state"] == "running"
    await runner.stop(closing(diary))


async def test_crashed_module_is_restarting_during_the_pause(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    modules[2].crashes = [1.0]
    with capture_logs():
        await runner.start()
        await vclock.advance(1.25)
    assert states(runner) == ["running", "running", "restarting"]
    await vclock.advance(0.25)
    assert states(runner) == ["running", "running", "running"]
    await runner.stop(closing(diary))


async def test_module_that_ended_by_itself_is_not_run_again(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    async def run() -> None:
        diary.append("first runs")

    modules[0].run = run  # type: ignore[method-assign]
    await runner.start()
    await vclock.advance(100)
    assert diary.count("first runs") == 1
    assert runner.states()["first"]["restarts"] == 0
    await runner.stop(closing(diary))


class ReceivingModule:
    """Receives, and crashes on the messages that say so."""

    name, group = "metaManager", "meta"

    def __init__(self, bus: Bus) -> None:
        self.port = bus.register(self.name, self.group)
        self.got: list[Any] = []

    async def start(self) -> None:
        return

    async def run(self) -> None:
        async for message in self.port:
            if message.content == "crash":
                raise RuntimeError("as told")
            self.got.append(message.content)

    async def stop(self) -> None:
        return

    def status(self) -> dict[str, Any]:
        return {}


async def test_crashed_module_keeps_its_mailbox(bus: Bus, vclock: VirtualClock, start: Any) -> None:
    sender, module = bus.register("edged", "edged"), ReceivingModule(bus)
    runner = ModuleRunner([module], vclock, lambda _: None)
    await runner.start()
    with capture_logs():
        for content in (1, "crash", 2, 3):  # two places: the last ones wait while nobody receives
            start(sender.post("metaManager", ROUTE, content))
        await vclock.advance(0.25)
        assert module.got == [1]
        await vclock.advance(0.25)
    assert module.got == [1, 2, 3]
    await runner.stop(bus.close)


async def test_closing_the_bus_ends_modules_that_receive_without_a_restart(bus: Bus, vclock: VirtualClock) -> None:
    module = ReceivingModule(bus)

    async def run() -> None:
        while True:
            await module.port.receive()

    module.run = run  # type: ignore[method-assign]
    runner = ModuleRunner([module], vclock, lambda _: None)
    await runner.start()
    await settle()
    with capture_logs() as logs:
        bus.close()
        await vclock.advance(60)
    assert logs == []
    assert runner.states()["metaManager"]["restarts"] == 0
    await runner.stop(bus.close)


async def test_module_that_does_not_stop_in_time_is_reported_and_the_others_stop(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    start: Any,
    timers: Callable[[], int],
) -> None:
    modules[1].stops_after_s = STOP_TIMEOUT_S + 1
    modules[2].stops_after_s = STOP_TIMEOUT_S - 1
    await runner.start()
    await settle()
    diary.clear()
    stopping = start(runner.stop(closing(diary)))
    await vclock.advance(2 * STOP_TIMEOUT_S)

    assert await stopping == ["second"]
    assert diary[:4] == ["third stops", "second stops", "first stops", "bus closes"]
    assert sorted(diary[4:]) == ["first ends", "second ends", "third ends"]
    assert timers() == 0


async def test_module_whose_stop_fails_is_logged_and_the_others_stop(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str]
) -> None:
    modules[1].stop_error = ValueError("boom")
    await runner.start()
    await settle()
    with capture_logs() as logs:
        assert await runner.stop(closing(diary)) == []

    assert [(entry["event"], entry["module"]) for entry in logs] == [("module_stop_failed", "second")]
    assert "first stops" in diary
    assert states(runner) == ["stopped", "stopped", "stopped"]


async def test_stop_during_the_pause_after_a_crash_leaves_nothing(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    timers: Callable[[], int],
) -> None:
    modules[0].crashes = [0.0]
    with capture_logs():
        await runner.start()
        await vclock.advance(0.25)
        await runner.stop(closing(diary))
        await vclock.advance(60)
    assert diary.count("first runs") == 1
    assert timers() == 0
    assert len(asyncio.all_tasks()) == 1


async def test_runner_that_was_not_started_stops(runner: ModuleRunner, diary: list[str]) -> None:
    assert await runner.stop(closing(diary)) == []
    assert diary == ["third stops", "second stops", "first stops", "bus closes"]


async def test_second_stop_is_harmless(runner: ModuleRunner, diary: list[str]) -> None:
    await runner.start()
    await settle()
    await runner.stop(closing(diary))
    assert await runner.stop(closing(diary)) == []
    assert states(runner) == ["stopped", "stopped", "stopped"]


async def test_statuses_are_what_the_modules_say(runner: ModuleRunner) -> None:
    assert runner.statuses() == {name: {"name": name} for name in ("first", "second", "third")}
