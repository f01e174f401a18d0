"""Deployments: pods made, replaced, rolled out and removed, whatever happens to them meanwhile."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers.deployments import next_look_ms
from cloudhub_stub.controllers.rollout import bounds_of
from workloads import START_MS, Bench, deployment


@pytest.fixture
def bench() -> Bench:
    """A Deployment of three, complete since a minute."""
    return ready_bench()


def ready_bench(replicas: int = 3, **spec: Any) -> Bench:
    made = Bench(deployment(replicas, **spec))
    made.settle()
    made.now_ms += 60_000
    return made


def kinds(writes: list[Write]) -> list[str]:
    return [type(write).__name__ for write in writes if not is_status(write)]


def is_status(write: Write) -> bool:
    return isinstance(write, Replace) and write.object["kind"] == "Deployment"


def name_of(obj: Object) -> str:
    name: str = obj["metadata"]["name"]
    return name


def revision(bench: Bench) -> str:
    text: str = bench.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    return text


def test_a_new_deployment_makes_its_pods() -> None:
    bench = Bench(deployment(3))
    assert kinds(bench.plan()) == ["Create"] * 3
    bench.act()
    assert len(bench.active) == 3
    assert revision(bench) == "1"


def test_the_same_deployment_makes_pods_of_the_same_names() -> None:
    assert ready_bench().names() == ready_bench().names()


def test_when_all_is_as_it_should_be_nothing_is_written(bench: Bench) -> None:
    assert bench.plan() == []


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_ended_is_replaced_and_removed(bench: Bench, phase: str) -> None:
    bench.set_phase(bench.active[0], phase)
    assert kinds(bench.act()) == ["Delete", "Create"]
    assert len(bench.active) == 3


def test_a_pod_that_is_being_deleted_is_replaced_under_another_name(bench: Bench) -> None:
    gone = bench.active[0]
    bench.delete(gone)
    assert kinds(bench.act()) == ["Create"]
    assert len(bench.active) == 3
    assert name_of(gone) not in bench.names()


def test_a_pod_that_is_gone_comes_back_under_its_name(bench: Bench) -> None:
    names = bench.names()
    bench.delete(bench.active[0])
    bench.let_go()
    bench.act()
    assert bench.names() == names


def test_a_pod_that_is_not_ready_is_left_alone(bench: Bench) -> None:
    bench.set_phase(bench.active[0], "Unknown")
    assert kinds(bench.act()) == []


def test_a_pod_that_ends_again_and_again_is_not_replaced_without_end() -> None:
    bench = Bench(deployment(1))
    made = 0
    for _ in range(100):
        made += kinds(bench.act()).count("Create")
        for each in bench.active:
            bench.set_phase(each, "Failed")
        bench.let_go()
    assert made == 2


def test_a_pod_that_ended_young_is_shown_until_it_is_ten_seconds_old() -> None:
    bench = Bench(deployment(1))
    bench.act()
    failed = bench.active[0]
    bench.set_phase(failed, "Failed")
    assert kinds(bench.act()) == ["Create"]
    assert next_look_ms(bench.deployment, bench.pods, bench.now_ms) == START_MS + 10_000
    bench.now_ms += 10_000
    assert [write.key.name for write in bench.act() if isinstance(write, Delete)] == [name_of(failed)]


def test_more_replicas_add_pods_and_begin_no_rollout(bench: Bench) -> None:
    names = bench.names()
    bench.change(replicas=5)
    assert kinds(bench.act()) == ["Create"] * 2
    assert set(names) < set(bench.names())
    assert revision(bench) == "1"


def test_fewer_replicas_remove_the_pod_that_is_not_ready(bench: Bench) -> None:
    bench.set_phase(bench.active[1], "Running")
    expected = name_of(bench.active[1])
    bench.change(replicas=2)
    assert [write.key.name for write in bench.act() if isinstance(write, Delete)] == [expected]


def test_no_replicas_remove_all_pods(bench: Bench) -> None:
    bench.change(replicas=0)
    bench.act()
    assert bench.active == []


def test_another_template_is_rolled_out_pod_by_pod(bench: Bench) -> None:
    bench.change_image("nginx:2")
    assert kinds(bench.act()) == ["Create"]
    bench.make_ready()
    assert kinds(bench.act()) == ["Delete", "Create"]
    bench.settle()
    assert bench.images() == ["nginx:2"] * 3
    assert revision(bench) == "2"


def test_a_rollout_whose_pods_do_not_get_ready_keeps_the_old_ones(bench: Bench) -> None:
    bench.change_image("broken")
    bench.act()
    assert sorted(bench.images()) == ["broken", *["nginx:1.15.4"] * 3]
    assert bench.plan() == []


def test_a_rollout_waits_for_min_ready_seconds() -> None:
    bench = ready_bench(minReadySeconds=30)
    bench.change_image("nginx:2")
    bench.act()
    new = [each for each in bench.active if "conditions" not in each["status"]]
    bench.make_ready(new)
    assert kinds(bench.act()) == []
    assert next_look_ms(bench.deployment, bench.pods, bench.now_ms) == bench.now_ms + 30_000
    bench.now_ms += 30_000
    assert kinds(bench.act()) == ["Delete", "Create"]


def test_a_template_that_is_taken_back_removes_the_new_pods(bench: Bench) -> None:
    names = bench.names()
    bench.change_image("broken")
    bench.act()
    bench.change_image("nginx:1.15.4")
    bench.settle()
    assert bench.names() == names
    assert revision(bench) == "3"


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    bench = ready_bench(strategy={"type": "Recreate"})
    bench.change_image("nginx:2")
    assert kinds(bench.act()) == ["Delete"] * 3
    assert bench.active == []
    bench.let_go()
    bench.act()
    assert bench.images() == ["nginx:2"] * 3


def test_recreate_does_not_wait_for_a_pod_that_has_ended() -> None:
    bench = ready_bench(replicas=1, strategy={"type": "Recreate"})
    bench.change_image("nginx:2")
    bench.act()
    bench.set_phase(bench.pods[0], "Succeeded")
    assert kinds(bench.act()) == ["Create"]


def test_paused_another_template_is_not_rolled_out(bench: Bench) -> None:
    bench.change(paused=True)
    bench.change_image("nginx:2")
    bench.act()
    assert bench.images() == ["nginx:1.15.4"] * 3
    assert revision(bench) == "1"


def test_paused_a_pod_that_is_lost_comes_back_as_it_was(bench: Bench) -> None:
    bench.change(paused=True)
    bench.change_image("nginx:2")
    bench.act()
    bench.delete(bench.active[0])
    bench.let_go()
    bench.act()
    assert bench.images() == ["nginx:1.15.4"] * 3
    assert all("nodeName" not in each["spec"] for each in bench.active)


def test_paused_the_number_of_pods_is_kept(bench: Bench) -> None:
    bench.change(paused=True, replicas=2)
    assert kinds(bench.act()) == ["Delete"]
    bench.change(replicas=4)
    assert kinds(bench.act()) == ["Create"] * 2


def test_paused_from_the_beginning_there_are_no_pods() -> None:
    bench = Bench(deployment(paused=True))
    bench.act()
    assert bench.pods == []
    bench.change(paused=False)
    bench.act()
    assert len(bench.active) == 3


@pytest.mark.parametrize("labels", [{"app": "other", "pod-template-hash": "rcxtc2bfbb"}, {"app": "web"}, {}])
def test_a_pod_that_is_labelled_otherwise_is_let_go_and_replaced(bench: Bench, labels: dict[str, str]) -> None:
    stray = bench.active[0]
    bench.put({**stray, "metadata": {**stray["metadata"], "labels": labels}})
    assert kinds(bench.act()) == ["Replace", "Create"]
    assert bench.is_taken(name_of(stray))
    assert len(bench.active) == 3
    assert name_of(stray) not in bench.names()


def test_a_deployment_that_is_being_deleted_does_nothing(bench: Bench) -> None:
    old = bench.deployment
    bench.put({**old, "metadata": {**old["metadata"], "deletionTimestamp": "2027-01-15T08:00:00Z"}})
    bench.change(replicas=9)
    assert bench.plan() == []


@pytest.mark.parametrize(("text", "expected"), [("41", "42"), ("many", "1"), ("", "1"), ("9" * 99, "1")])
def test_revisions_go_on_from_the_one_that_is_annotated(text: str, expected: str) -> None:
    obj = deployment()
    obj["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": text}
    bench = Bench(obj)
    bench.act()
    assert revision(bench) == expected


def test_time_alone_changes_nothing_once_all_is_done(bench: Bench) -> None:
    assert next_look_ms(bench.deployment, bench.pods, bench.now_ms) is None


def test_the_deadline_of_a_rollout_is_looked_at() -> None:
    bench = Bench(deployment())
    bench.act()
    assert next_look_ms(bench.deployment, bench.pods, bench.now_ms) == START_MS + 600_000


def test_a_pod_that_is_being_deleted_is_not_waited_for() -> None:
    bench = Bench(deployment(1, minReadySeconds=30, progressDeadlineSeconds=None))
    bench.act()
    bench.make_ready()
    bench.delete(bench.active[0])
    assert next_look_ms(bench.deployment, bench.pods, bench.now_ms) is None


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ready", "broken", "Failed", "Succeeded", "delete", "gone", "image", "scale", "pause", "wait"]
        ),
        st.integers(0, 9),
        st.integers(1, 2),
    ),
    max_size=30,
)
SPECS = st.fixed_dictionaries(
    {
        "minReadySeconds": st.sampled_from([0, 5]),
        "strategy": st.one_of(
            st.just({"type": "Recreate"}),
            st.builds(
                lambda surge, unavailable: {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
                },
                st.sampled_from([0, 1, 3, "25%", "100%"]),
                st.sampled_from([0, 1, 3, "25%", "100%"]),
            ),
        ),
    }
)


def happen(bench: Bench, event: str, which: int) -> None:
    """Let something happen, to the pod of that number where it is about a pod."""
    picked = bench.active[which % len(bench.active)] if bench.active else None
    if event == "image":
        bench.change_image(f"nginx:{which % 3}")
    elif event == "scale":
        bench.change(replicas=which % 6)
    elif event == "pause":
        bench.change(paused=bool(which % 2))
    elif event == "wait":
        bench.now_ms += which * 1_000
    elif event == "gone":
        bench.let_go()
    elif picked is None:
        return
    elif event == "ready":
        bench.make_ready([picked])
    elif event == "delete":
        bench.delete(picked)
    else:
        bench.set_phase(picked, "Running" if event == "broken" else event)


def available(bench: Bench) -> set[str]:
    since_ms = bench.now_ms - bench.deployment["spec"]["minReadySeconds"] * 1_000
    return {
        name_of(each)
        for each in bench.active
        if each["status"].get("conditions")
        and each["status"]["conditions"][0]["lastTransitionTime"] <= rfc3339(since_ms)
    }


def check_step(bench: Bench) -> None:
    """Carry out one plan; see that it keeps what the strategy promises."""
    spec = bench.deployment["spec"]
    bounds = bounds_of(spec)
    before, count = available(bench), len(bench.active)
    for write in bench.plan():
        bench.carry_out(write)
    most = bounds.replicas + bounds.surge
    assert len(bench.active) <= (max(count, most) if spec.get("paused") else most)
    if spec["strategy"]["type"] != "Recreate" and not spec.get("paused"):
        assert len(available(bench)) >= min(len(before), bounds.replicas - bounds.unavailable)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5), SPECS, EVENTS)
def test_whatever_happens_the_newest_template_runs_in_the_number_that_is_wanted(
    replicas: int, spec: dict[str, Any], events: list[tuple[str, int, int]]
) -> None:
    bench = Bench(deployment(replicas, **spec))
    for event, which, looks in events:
        happen(bench, event, which)
        for _ in range(looks):
            check_step(bench)
    bench.change(paused=False)
    bench.settle()
    wanted = bench.deployment["spec"]
    assert bench.images() == [wanted["template"]["spec"]["containers"][0]["image"]] * wanted["replicas"]
    assert len(bench.pods) == wanted["replicas"]
    assert bench.deployment["status"].get("availableReplicas", 0) == wanted["replicas"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5), SPECS, EVENTS)
def test_the_same_events_make_the_same_pods(
    replicas: int, spec: dict[str, Any], events: list[tuple[str, int, int]]
) -> None:
    ends = []
    for _ in range(2):
        bench = Bench(deployment(replicas, **spec))
        for event, which, _looks in events:
            happen(bench, event, which)
            check_step(bench)
        ends.append((bench.pods, bench.deployment))
    assert ends[0] == ends[1]


def test_creates_come_behind_deletes_and_the_status_last(bench: Bench) -> None:
    bench.change_image("nginx:2")
    bench.act()
    bench.make_ready()
    assert [type(write) for write in bench.plan()] == [Delete, Create, Replace]
