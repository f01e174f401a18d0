"""The simulated pod runtime: what it reports, and when."""

from collections.abc import Callable

import msgspec
import pytest

from edgecore.clock import Timer, VirtualClock
from edgecore.kube import Pod, decode_pod
from edgecore.modules.edged.runtime import Containers, Order
from edgecore.modules.edged.simulated.container import SCHEME
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime

START = "2020-05-09T04:53:20Z"
LATER = "2020-05-09T04:53:25Z"


def _pod(uid: str = "u1", image: str = "nginx:1.17") -> Pod:
    containers = [{"name": "a", "image": image}, {"name": "b", "image": "busybox"}]
    return decode_pod(msgspec.json.encode({"metadata": {"name": "p", "uid": uid}, "spec": {"containers": containers}}))


class Watched:
    """A runtime, and what it reported."""

    def __init__(self, clock: VirtualClock, delay_s: float = 0.0) -> None:
        self.reports: list[tuple[str, Containers]] = []
        self.runtime = SimulatedRuntime(clock, delay_s)
        self.runtime.watch(lambda uid, containers: self.reports.append((uid, containers)))

    @property
    def states(self) -> list[list[str]]:
        return [[container.state for container in containers] for _, containers in self.reports]


async def test_without_delay_the_containers_run_at_once(vclock: VirtualClock) -> None:
    watched = Watched(vclock)
    watched.runtime.start(Order(_pod()))
    ((uid, (first, second)),) = watched.reports
    assert uid == "u1"
    assert (first.state, first.image, first.started_at) == ("running", "nginx:1.17", START)
    assert first.container_id.startswith(SCHEME)
    assert first.image_id.startswith(SCHEME)
    assert first.container_id != second.container_id


async def test_with_a_delay_they_are_made_first(vclock: VirtualClock) -> None:
    watched = Watched(vclock, 5)
    watched.runtime.start(Order(_pod()))
    assert watched.states == [["waiting", "waiting"]]
    assert watched.reports[0][1][0].reason == "ContainerCreating"
    await vclock.advance(4.9)
    assert len(watched.reports) == 1
    await vclock.advance(0.1)
    assert watched.states[1:] == [["running", "running"]]
    assert watched.reports[1][1][0].started_at == LATER


async def test_containers_that_are_told_to_end_have_completed(vclock: VirtualClock) -> None:
    watched = Watched(vclock)
    watched.runtime.start(Order(_pod()))
    await vclock.advance(5)
    watched.runtime.kill("u1")
    ended = watched.reports[-1][1][0]
    assert (ended.state, ended.exit_code, ended.reason) == ("terminated", 0, "Completed")
    assert (ended.started_at, ended.finished_at) == (START, LATER)


async def test_what_never_ran_ends_without_containers(vclock: VirtualClock) -> None:
    watched = Watched(vclock, 5)
    watched.runtime.start(Order(_pod()))
    watched.runtime.kill("u1")
    assert watched.reports[-1] == ("u1", ())
    await vclock.advance(10)
    assert len(watched.reports) == 2


@pytest.mark.parametrize("delay_s", [0, 5])
async def test_a_second_start_changes_nothing(vclock: VirtualClock, delay_s: float) -> None:
    watched = Watched(vclock, delay_s)
    watched.runtime.start(Order(_pod()))
    before = list(watched.reports)
    watched.runtime.start(Order(_pod()))
    assert watched.reports == before


async def test_after_a_restart_the_same_containers_run_on(vclock: VirtualClock) -> None:
    first, second = Watched(vclock), Watched(vclock, 5)
    first.runtime.start(Order(_pod()))
    await vclock.advance(5)
    second.runtime.start(Order(_pod(), before=first.reports[0][1]))
    assert second.reports == first.reports


@pytest.mark.parametrize("pod", [_pod("u2"), _pod(image="nginx:2")])
async def test_containers_of_another_pod_or_image_do_not(vclock: VirtualClock, pod: Pod) -> None:
    first, second = Watched(vclock), Watched(vclock)
    first.runtime.start(Order(_pod()))
    await vclock.advance(5)
    second.runtime.start(Order(pod, before=first.reports[0][1]))
    assert second.reports[0][1][0].started_at == LATER


async def test_after_closing_nothing_is_reported(vclock: VirtualClock) -> None:
    watched = Watched(vclock, 5)
    watched.runtime.start(Order(_pod()))
    await watched.runtime.close()
    await vclock.advance(10)
    assert len(watched.reports) == 1


class CountingClock(VirtualClock):
    """Counts the timers that were set."""

    timers = 0

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        self.timers += 1
        return super().call_at(when, callback)


async def test_pods_that_only_run_set_no_timer() -> None:
    """So that a node full of them costs nothing while nothing happens."""
    clock = CountingClock()
    watched = Watched(clock)
    for number in range(110):
        watched.runtime.start(Order(_pod(f"u{number}")))
    assert len(watched.reports) == 110
    assert clock.timers == 0
