"""The module runner: order of starting and stopping, failures, restarts, and nothing left behind."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.runner import MODULE_STOP_S, STOP_S, ModuleRunner
from edgecore.beehive.supervision import LONGEST_PAUSE_S, START_S
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusClosed, EdgecoreError, ListenError
from edgecore.ids import NewId

ROUTE = Route("edged", "meta", "update", "default/podstatus/nginx")


class Nowhere:
    """A bus on which nobody is missed."""

    closed = False

    def withdraw(self, name: str) -> None: ...

    def readmit(self, name: str) -> None: ...


ANYWHERE = Nowhere()


class ScriptedModule:
    """Does what it is told to, and writes down when."""

    def __init__(self, name: str, diary: list[str], clock: VirtualClock) -> None:
        self.name = self.group = name
        self.diary = diary
        self.clock = clock
        self.start_error: Exception | None = None
        self.starts_after_s = 0.0
        self.heeds = True
        """Whether it ends when it is cancelled."""
        self.crashes: list[float] = []
        """For each run that is to fail, after how many seconds it does; later ones last."""
        self.runs_at: list[float] = []
        self.stops_after_s = 0.0
        self.stop_error: Exception | None = None

    async def start(self) -> None:
        self.diary.append(f"{self.name} starts")
        if self.start_error is not None:
            raise self.start_error
        await self.take(self.starts_after_s)

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
        await self.take(self.stops_after_s)

    async def take(self, seconds: float) -> None:
        """Take so long for something."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            try:
                await self.clock.sleep(until - self.clock.monotonic())
            except asyncio.CancelledError:
                if self.heeds:
                    raise

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
    return ModuleRunner(modules, vclock, ANYWHERE)


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
    assert [line for line in diary if "starts" in line] == ["first starts", "second starts", "third starts"]
    assert [line for line in diary if "runs" in line] == ["first runs", "second runs", "third runs"]
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

    assert runner.states()["second"] == {"state": "failed", "restarts": 0, "error": text, "again_in_s": 0.5}
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
    runner = ModuleRunner(modules, vclock, bus)
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
    assert runner.states()["first"] == {
        "state": "running",
        "restarts": 9,
        "error": "RuntimeError: boom",
        "again_in_s": None,
    }
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


async def test_module_that_ended_by_itself_is_run_again(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    async def run() -> None:
        diary.append("first runs")

    modules[0].run = run  # type: ignore[method-assign]
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(2)
    assert diary.count("first runs") == 3
    assert {entry["error"] for entry in logs} == {"its run ended by itself"}
    await runner.stop(closing(diary))


async def test_module_that_takes_the_bus_for_closed_while_it_is_not_is_run_again(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    async def run() -> None:
        diary.append("first runs")
        raise BusClosed("the bus is closed")

    modules[0].run = run  # type: ignore[method-assign]
    with capture_logs():
        await runner.start()
        await vclock.advance(0.5)
    assert diary.count("first runs") == 2
    await runner.stop(closing(diary))


async def test_module_whose_run_was_cancelled_from_within_is_run_again(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    async def run() -> None:
        diary.append("first runs")
        raise asyncio.CancelledError

    modules[0].run = run  # type: ignore[method-assign]
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(0.5)
    assert diary.count("first runs") == 2
    assert {entry["error"] for entry in logs} == {"its run was cancelled from within"}
    await runner.stop(closing(diary))


async def test_failed_task_group_is_told_by_the_first_error_in_it(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    async def run() -> None:
        raise ExceptionGroup("of tasks", [ExceptionGroup("of more", [EdgecoreError("cannot do it: no reason")])])

    modules[0].run = run  # type: ignore[method-assign]
    with capture_logs():
        await runner.start()
        await settle()
    assert runner.states()["first"]["error"] == "cannot do it: no reason"
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
    runner = ModuleRunner([module], vclock, ANYWHERE)
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
    runner = ModuleRunner([module], vclock, bus)
    await runner.start()
    await settle()
    with capture_logs() as logs:
        bus.close()
        await vclock.advance(60)
    assert logs == []
    assert runner.states()["metaManager"]["restarts"] == 0
    await runner.stop(bus.close)


@pytest.mark.parametrize("heeds", [True, False])
async def test_module_that_does_not_stop_in_time_is_reported_and_the_others_stop(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    start: Any,
    timers: Callable[[], int],
    heeds: bool,
) -> None:
    modules[1].stops_after_s = MODULE_STOP_S + 1
    modules[1].heeds = heeds
    modules[2].stops_after_s = MODULE_STOP_S - 1
    await runner.start()
    await settle()
    diary.clear()
    stopping = start(runner.stop(closing(diary)))
    await vclock.advance(2 * STOP_S)

    assert await stopping == ["second"]
    assert diary[:4] == ["third stops", "second stops", "first stops", "bus closes"]
    assert sorted(diary[4:]) == ["first ends", "second ends", "third ends"]
    assert timers() == 0


@pytest.mark.parametrize("heeds", [True, False])
async def test_modules_that_all_hang_are_given_up_within_the_time_that_they_share(
    diary: list[str], vclock: VirtualClock, start: Any, heeds: bool
) -> None:
    modules = [ScriptedModule(f"module {number}", diary, vclock) for number in range(7)]
    for module in modules:
        module.stops_after_s, module.heeds = 60.0, heeds
    runner = ModuleRunner(modules, vclock, ANYWHERE)
    await runner.start()
    await settle()
    stopping = start(runner.stop(closing(diary)))
    began = vclock.monotonic()
    while not stopping.done():
        await vclock.advance(0.125)

    assert vclock.monotonic() - began < STOP_S + 0.5
    assert await stopping == [module.name for module in reversed(modules)]
    assert [line for line in diary if line.endswith("stops")] == [f"{name} stops" for name in stopping.result()]
    await vclock.advance(60)  # those that did not heed it end


async def test_module_that_runs_on_though_cancelled_is_reported_and_left_to_itself(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock, start: Any
) -> None:
    modules[1].heeds = False
    modules[1].run = lambda: modules[1].take(60)  # type: ignore[method-assign]
    await runner.start()
    await settle()
    stopping = start(runner.stop(closing(diary)))
    await vclock.advance(STOP_S + 0.5)

    assert await stopping == ["second"]
    await vclock.advance(60)


@pytest.mark.parametrize("heeds", [True, False])
async def test_module_that_hangs_in_its_start_fails_and_the_others_start(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    start: Any,
    heeds: bool,
) -> None:
    modules[1].starts_after_s, modules[1].heeds = 3600.0, heeds
    starting = start(runner.start())
    with capture_logs():
        await vclock.advance(START_S + 0.25)
    await starting

    assert states(runner) == ["running", "failed", "running"]
    assert runner.states()["second"]["error"] == "it did not start within 30 s"
    modules[1].starts_after_s = 0.0
    await vclock.advance(0.5)
    assert states(runner) == ["running", "running", "running"]
    await runner.stop(closing(diary))
    await vclock.advance(3600)


async def test_module_that_cannot_start_is_tried_again_after_pauses_that_double_until_it_can(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    modules[1].start_error = ListenError("127.0.0.1:53", "in_use", "it is taken")
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(100)
        modules[1].start_error = None
        await vclock.advance(30)

    failures = [entry for entry in logs if entry["event"] == "module_not_started"]
    assert [entry["again_in_s"] for entry in failures] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert logs[-1]["event"] == "module_started_at_last"
    assert diary.count("second runs") == 1
    assert runner.states()["second"]["state"] == "running"
    assert runner.states()["second"]["restarts"] == 9
    await runner.stop(closing(diary))


async def test_start_that_fails_the_same_way_again_is_a_traceback_once(
    runner: ModuleRunner, modules: list[ScriptedModule], diary: list[str], vclock: VirtualClock
) -> None:
    modules[1].start_error = ZeroDivisionError("division by zero")
    with capture_logs() as logs:
        await runner.start()
        await vclock.advance(2)
    assert [entry["exc_info"] is not None for entry in logs] == [True, False, False]
    await runner.stop(closing(diary))


async def test_module_that_starts_at_last_gets_what_is_sent_from_then_on(
    modules: list[ScriptedModule], vclock: VirtualClock, ids: NewId
) -> None:
    bus = Bus(vclock, ids, capacity=3)
    ports = {module.name: bus.register(module.name, "group") for module in modules}
    modules[1].start_error = ListenError("127.0.0.1:53", "in_use", "it is taken")
    seen: list[tuple[str, int]] = []
    sender = ports["first"]

    def returned(module: Any) -> None:
        seen.append((module.name, len(bus.groups["group"])))

    runner = ModuleRunner(modules, vclock, bus, returned)
    with capture_logs():
        await sender.post("second", ROUTE, "before it was tried")
        await runner.start()
        await sender.post("second", ROUTE, "lost")
        modules[1].start_error = None
        await vclock.advance(0.5)
    await sender.post("second", ROUTE, "kept")

    assert seen == [("second", 3)]
    assert await sender.send_to_group("group", sender.build(ROUTE)) == 3
    got = [(await ports["second"].receive()).content for _ in range(3)]
    assert got == ["before it was tried", "kept", None]
    await runner.stop(bus.close)


@pytest.mark.parametrize("failed", [True, False])
async def test_nothing_is_started_or_run_while_the_node_stops(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    start: Any,
    failed: bool,
) -> None:
    if failed:
        modules[0].start_error = EdgecoreError("cannot do it: no reason")
    else:
        modules[0].crashes = [0.0] * 9
    modules[2].stops_after_s = MODULE_STOP_S - 0.5
    with capture_logs():
        await runner.start()
        await settle()
        diary.clear()
        stopping = start(runner.stop(closing(diary)))
        await vclock.advance(60)
    await stopping
    assert "first starts" not in diary
    assert "first runs" not in diary


async def test_start_that_is_cancelled_takes_the_start_of_the_module_with_it(
    runner: ModuleRunner,
    modules: list[ScriptedModule],
    diary: list[str],
    vclock: VirtualClock,
    start: Any,
    timers: Callable[[], int],
) -> None:
    modules[1].starts_after_s = 10.0
    starting = start(runner.start())
    await settle()
    starting.cancel()
    await settle()
    assert starting.cancelled()
    assert "third starts" not in diary
    await runner.stop(closing(diary))
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


async def test_status_that_fails_hides_no_other(runner: ModuleRunner, modules: list[ScriptedModule]) -> None:
    def status() -> dict[str, Any]:
        raise RuntimeError("boom")

    modules[1].status = status  # type: ignore[method-assign]
    with capture_logs() as logs:
        assert runner.statuses() == {"first": {"name": "first"}, "second": {}, "third": {"name": "third"}}
    assert [(entry["event"], entry["module"]) for entry in logs] == [("module_status_failed", "second")]


async def test_statuses_are_what_the_modules_say(runner: ModuleRunner) -> None:
    assert runner.statuses() == {name: {"name": name} for name in ("first", "second", "third")}
