"""What becomes of simulated pods with scripts: states, reasons and times, as a kubelet would tell them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.clock import VirtualClock
from edgecore.kube import decode_pod
from edgecore.modules.edged.podstatus import phase_of
from edgecore.modules.edged.runtime import Containers, ContainerState, Order
from edgecore.modules.edged.simulated.container import Now
from edgecore.modules.edged.simulated.pod import SimulatedPod
from edgecore.modules.edged.simulated.script import ANNOTATION
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime


def _order(script: str = "", before: Containers = (), image: str = "nginx", **spec: Any) -> Order:
    pod = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u1", "annotations": {ANNOTATION: script}},
        "spec": {"containers": [{"name": "a", "image": image}], **spec},
    }
    for name, text in spec.pop("scripts", {}).items():
        pod["metadata"]["annotations"][f"{ANNOTATION}.{name}"] = text
    data = msgspec.json.encode(pod)
    return Order(decode_pod(data), data, before)


class Story:
    """A runtime, and what it told of its pod: at which second which states."""

    def __init__(self, clock: VirtualClock, delay_s: float = 0.0) -> None:
        self.clock = clock
        self.began = clock.monotonic()
        self.told: list[tuple[float, str]] = []
        self.last: Containers = ()
        self.runtime = SimulatedRuntime(clock, delay_s)
        self.runtime.watch(self._observed)

    def _observed(self, uid: str, containers: Containers) -> None:
        self.last = containers
        line = " ".join(map(_said, containers)) or "nothing"
        if not self.told or self.told[-1][1] != line:
            self.told.append((round(self.clock.monotonic() - self.began, 3), line))

    async def until(self, second: float) -> None:
        while self.began + second > self.clock.monotonic():
            await self.clock.advance(min(1.0, self.began + second - self.clock.monotonic()))


def _said(state: ContainerState) -> str:
    if state.state == "running":
        return f"running{'' if state.ready or state.is_init else '-unready'}/{state.restarts}"
    return f"{state.reason}/{state.restarts}"


async def test_a_container_that_fails_is_restarted_with_back_off(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("runs=2s,exit=1"))
    await story.until(70)
    assert story.told == [
        (0, "running/0"),
        (2, "Error/0"),
        (3, "running/1"),
        (5, "Error/1"),
        (6, "CrashLoopBackOff/1"),
        (15, "running/2"),
        (17, "Error/2"),
        (18, "CrashLoopBackOff/2"),
        (37, "running/3"),
        (39, "Error/3"),
        (40, "CrashLoopBackOff/3"),
    ]
    (state,) = story.last
    assert state.message == "back-off 40s restarting failed container=a pod=p_default(u1)"
    assert state.last is not None
    assert (state.last.exit_code, state.last.reason) == (1, "Error")
    assert phase_of(story.last) == "Running"


async def test_each_start_is_another_container(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("runs=1s,exit=1"))
    first = story.last[0].container_id
    await story.until(2)
    (state,) = story.last
    assert state.container_id != first
    assert state.last is not None
    assert state.last.container_id == first


async def test_a_container_that_was_to_fail_twice_runs_on_after_that(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("runs=1s,exit=1,times=2"))
    await story.until(60)
    assert story.told[-1] == (13, "running/2")


@pytest.mark.parametrize(
    ("policy", "script", "phase"),
    [
        ("Never", "runs=1s,exit=1", "Failed"),
        ("Never", "runs=1s", "Succeeded"),
        ("OnFailure", "runs=1s", "Succeeded"),
    ],
)
async def test_what_the_policy_leaves_ended_makes_the_pod_over(
    vclock: VirtualClock, policy: str, script: str, phase: str
) -> None:
    story = Story(vclock)
    story.runtime.start(_order(script, restartPolicy=policy))
    await story.until(60)
    assert phase_of(story.last) == phase
    assert len(story.told) == 2


async def test_an_image_that_cannot_be_pulled_is_tried_again_with_back_off(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("pull-fails=2,create=1s"))
    await story.until(60)
    assert story.told == [
        (0, "ContainerCreating/0"),
        (1, "ErrImagePull/0"),
        (2, "ImagePullBackOff/0"),
        (11, "ErrImagePull/0"),
        (12, "ImagePullBackOff/0"),
        (31, "running/0"),
    ]


async def test_a_container_is_ready_when_its_script_says(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("ready=5s"))
    await story.until(60)
    assert story.told == [(0, "running-unready/0"), (5, "running/0")]
    assert story.last[0].passes_since == "2020-05-09T04:53:25Z"


async def test_init_containers_come_one_after_the_other(vclock: VirtualClock) -> None:
    story = Story(vclock)
    init = [{"name": "i", "image": "x"}, {"name": "j", "image": "x"}]
    story.runtime.start(_order(initContainers=init, scripts={"i": "runs=2s", "j": "runs=1s,exit=1,times=1"}))
    await story.until(60)
    assert story.told == [
        (0, "running/0 PodInitializing/0 PodInitializing/0"),
        (2, "Completed/0 running/0 PodInitializing/0"),
        (3, "Completed/0 Error/0 PodInitializing/0"),
        (4, "Completed/0 running/1 PodInitializing/0"),
        (5, "Completed/0 Completed/1 running/0"),
    ]


async def test_an_init_container_that_may_not_fail_fails_its_pod(vclock: VirtualClock) -> None:
    story = Story(vclock)
    init = [{"name": "i", "image": "x"}]
    story.runtime.start(_order(initContainers=init, scripts={"i": "exit=1"}, restartPolicy="Never"))
    await story.until(60)
    assert story.told[-1][1] == "Error/0 PodInitializing/0"
    assert phase_of(story.last) == "Failed"


@pytest.mark.parametrize(("stop", "ends"), [("3s", (3, "Completed/0")), ("50s", (10, "Error/0"))])
async def test_a_container_ends_in_its_time_or_is_killed(
    vclock: VirtualClock, stop: str, ends: tuple[float, str]
) -> None:
    story = Story(vclock)
    story.runtime.start(_order(f"stop={stop}", terminationGracePeriodSeconds=10))
    story.runtime.kill("u1")
    await story.until(60)
    assert story.told[-1] == ends
    assert story.last[0].exit_code == (0 if ends[1] == "Completed/0" else 137)


async def test_the_grace_of_the_deletion_comes_before_that_of_the_pod(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("stop=50s", terminationGracePeriodSeconds=30))
    story.runtime.kill("u1", 5)
    await story.until(60)
    assert story.told[-1] == (5, "Error/0")


async def test_a_container_that_waits_ends_as_the_one_before_it(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("exit=7"))
    await story.until(5)
    assert story.told[-1][1] == "CrashLoopBackOff/1"
    story.runtime.kill("u1")
    (state,) = story.last
    assert (state.state, state.exit_code, state.reason) == ("terminated", 7, "Error")
    before = len(story.told)
    await story.until(60)
    assert len(story.told) == before


async def test_a_script_that_cannot_be_read_is_told_until_it_is_put_right(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("exit=often"))
    assert story.told == [(0, "CreateContainerConfigError/0")]
    assert "exit='often' is no number" in story.last[0].message
    story.runtime.update(_order("ready=never"))
    assert story.told[1:] == [(0, "running-unready/0")]


async def test_a_new_image_starts_the_container_again_whatever_the_policy(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order(restartPolicy="Never"))
    story.runtime.update(_order(restartPolicy="Never", image="nginx:2"))
    await story.until(5)
    assert story.told == [(0, "running/0"), (0, "Completed/0"), (1, "running/1")]
    assert story.last[0].image == "nginx:2"


async def test_after_a_restart_of_the_node_a_script_goes_on_where_it_was(vclock: VirtualClock) -> None:
    first, second = Story(vclock), Story(vclock)
    first.runtime.start(_order("runs=30s,exit=1"))
    await first.until(20)
    await first.runtime.close()
    second.runtime.start(_order("runs=30s,exit=1", before=first.last))
    await second.until(32)
    assert [line for _, line in second.told] == ["running/0", "Error/0", "running/1"]
    assert 29 <= second.told[1][0] <= 30  # a start is told to the second


async def test_after_a_restart_of_the_node_a_container_that_waited_is_started_at_once(vclock: VirtualClock) -> None:
    first, second = Story(vclock), Story(vclock)
    first.runtime.start(_order("exit=1"))
    await first.until(5)
    second.runtime.start(_order("runs=9s", before=first.last))
    assert second.told == [(5, "running/2")]
    assert second.last[0].last == first.last[0].last


async def test_what_was_over_before_a_restart_stays_so(vclock: VirtualClock) -> None:
    first, second = Story(vclock), Story(vclock)
    first.runtime.start(_order("exit=1", restartPolicy="Never"))
    second.runtime.start(_order("exit=1", restartPolicy="Never", before=first.last))
    await second.until(60)
    assert second.last == first.last


async def test_closing_leaves_no_timer(vclock: VirtualClock) -> None:
    story = Story(vclock)
    story.runtime.start(_order("runs=5s,exit=1"))
    await story.runtime.close()
    await story.until(60)
    assert story.told == [(0, "running/0")]


SCRIPTS = st.sampled_from(
    [
        "",
        "exit=1",
        "runs=3s",
        "runs=700s,exit=1",
        "pull-fails=1",
        "ready=2s",
        "oom,times=1",
        "stop=40s",
        "bad",
        "create=3s",
    ]
)


@given(
    st.lists(SCRIPTS, min_size=1, max_size=3),
    st.lists(SCRIPTS, max_size=2),
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.lists(st.floats(0, 400), max_size=12),
)
def test_a_pod_that_is_told_to_go_is_over_within_its_grace(
    main: list[str], init: list[str], policy: str, steps: list[float]
) -> None:
    scripts = {f"c{place}": text for place, text in enumerate(main)} | {f"i{n}": text for n, text in enumerate(init)}
    order = _order(
        scripts=scripts,
        containers=[{"name": f"c{place}", "image": "x"} for place in range(len(main))],
        initContainers=[{"name": f"i{place}", "image": "x"} for place in range(len(init))],
        restartPolicy=policy,
    )
    pod, now = SimulatedPod(order, 0.0, Now(0.0, 0)), 0.0
    restarts = [0] * len(scripts)
    for step in steps:
        now += step
        pod.advance(Now(now, int(now * 1000)))
        assert pod.next_at > now
        counted = [each.restarts for each in pod.containers]
        assert all(was <= each for was, each in zip(restarts, counted, strict=True))
        restarts = counted
    pod.stop(Now(now, int(now * 1000)))
    pod.advance(Now(now + 30, int(now * 1000) + 30_000))
    assert pod.over
    assert all(each.over for each in pod.containers)
