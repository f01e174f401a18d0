"""The status of a Deployment while it is rolled out, paused, stuck."""

from typing import Any

import pytest

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object
from workloads import START_MS, Bench, deployment


@pytest.fixture
def bench() -> Bench:
    """A Deployment of three, whose pods are made and not ready."""
    made = Bench(deployment())
    made.act()
    return made


@pytest.fixture
def complete(bench: Bench) -> Bench:
    """One that is ready since a second after that."""
    bench.now_ms += 1_000
    bench.make_ready()
    bench.act()
    bench.now_ms += 59_000
    return bench


def numbers(bench: Bench) -> dict[str, int]:
    status = bench.deployment["status"]
    return {name.removesuffix("Replicas"): count for name, count in status.items() if name.endswith("eplicas")}


def condition(bench: Bench, kind: str = "Progressing") -> Object:
    found: Object = next(each for each in bench.deployment["status"]["conditions"] if each["type"] == kind)
    return found


def said(bench: Bench, kind: str = "Progressing") -> tuple[Any, ...]:
    found = condition(bench, kind)
    return found["status"], found["reason"], found["message"]


def test_at_first_no_pod_is_ready(bench: Bench) -> None:
    assert numbers(bench) == {"replicas": 3, "updated": 3, "unavailable": 3}
    text = "Deployment does not have minimum availability."
    assert said(bench, "Available") == ("False", "MinimumReplicasUnavailable", text)
    assert said(bench) == ("True", "ReplicaSetUpdated", 'ReplicaSet "web-rcxtc2bfbb" is progressing.')


def test_when_all_are_ready_it_is_available_and_complete(complete: Bench) -> None:
    assert numbers(complete) == {"replicas": 3, "updated": 3, "ready": 3, "available": 3}
    text = "Deployment has minimum availability."
    assert said(complete, "Available") == ("True", "MinimumReplicasAvailable", text)
    text = 'ReplicaSet "web-rcxtc2bfbb" has successfully progressed.'
    assert said(complete) == ("True", "NewReplicaSetAvailable", text)


def test_a_time_of_transition_is_that_of_the_change_of_status(complete: Bench) -> None:
    assert condition(complete, "Available")["lastTransitionTime"] == rfc3339(START_MS + 1_000)
    assert condition(complete)["lastTransitionTime"] == rfc3339(START_MS)
    assert condition(complete)["lastUpdateTime"] == rfc3339(START_MS + 1_000)


def test_the_generation_that_was_seen_is_told(complete: Bench) -> None:
    complete.change(replicas=3)
    complete.act()
    assert complete.deployment["status"]["observedGeneration"] == 2


def test_nothing_is_written_while_nothing_changes(complete: Bench) -> None:
    complete.now_ms += 10_000_000
    assert complete.plan() == []


def test_a_lost_pod_makes_it_unavailable_and_it_stays_complete(complete: Bench) -> None:
    complete.set_phase(complete.active[0], "Running")
    complete.act()
    assert numbers(complete) == {"replicas": 3, "updated": 3, "ready": 2, "available": 2, "unavailable": 1}
    assert said(complete, "Available")[0] == "False"
    assert condition(complete, "Available")["lastTransitionTime"] == rfc3339(START_MS + 60_000)
    assert said(complete)[1] == "NewReplicaSetAvailable"


def test_a_pod_that_is_ready_and_not_yet_available_is_told_apart() -> None:
    bench = Bench(deployment(minReadySeconds=10))
    bench.act()
    bench.make_ready()
    bench.act()
    assert numbers(bench) == {"replicas": 3, "updated": 3, "ready": 3, "unavailable": 3}


def test_another_template_begins_a_new_rollout(complete: Bench) -> None:
    complete.change_image("nginx:2")
    first = complete.plan()[-1]
    assert said_by(first) == ("True", "NewReplicaSetCreated", 'Created new replica set "web-pwk8d9d6p4"')
    complete.act()
    assert numbers(complete) == {"replicas": 4, "updated": 1, "ready": 3, "available": 3, "unavailable": 1}
    assert said(complete)[1] == "ReplicaSetUpdated"


def said_by(write: Any) -> tuple[Any, ...]:
    found = write.object["status"]["conditions"][-1]
    return found["status"], found["reason"], found["message"]


def test_a_rollout_in_which_nothing_happens_has_failed_after_its_deadline(complete: Bench) -> None:
    complete.change_image("nginx:2")
    complete.act()
    complete.now_ms += 599_000
    complete.act()
    assert said(complete)[1] == "ReplicaSetUpdated"
    complete.now_ms += 1_000
    complete.act()
    text = 'ReplicaSet "web-pwk8d9d6p4" has timed out progressing.'
    assert said(complete) == ("False", "ProgressDeadlineExceeded", text)
    assert condition(complete)["lastTransitionTime"] == rfc3339(complete.now_ms)


def test_a_rollout_that_has_failed_and_goes_on_is_complete_in_the_end(complete: Bench) -> None:
    complete.change_image("nginx:2")
    complete.act()
    complete.now_ms += 600_000
    complete.act()
    complete.settle()
    assert said(complete)[:2] == ("True", "NewReplicaSetAvailable")


def test_another_template_after_the_deadline_begins_anew(complete: Bench) -> None:
    complete.change_image("nginx:2")
    complete.act()
    complete.now_ms += 700_000
    complete.change_image("nginx:3")
    assert said_by(complete.plan()[-1])[1] == "NewReplicaSetCreated"


def test_each_pod_that_gets_ready_puts_the_deadline_off(bench: Bench) -> None:
    bench.now_ms += 500_000
    bench.make_ready(bench.active[:1])
    bench.act()
    assert condition(bench)["lastUpdateTime"] == rfc3339(START_MS + 500_000)
    assert condition(bench)["lastTransitionTime"] == rfc3339(START_MS)


def test_without_a_deadline_nothing_is_said_about_progress(complete: Bench) -> None:
    complete.change(progressDeadlineSeconds=None)
    complete.act()
    assert [each["type"] for each in complete.deployment["status"]["conditions"]] == ["Available"]


def test_paused_and_resumed_are_told(complete: Bench) -> None:
    complete.change(paused=True)
    complete.act()
    assert said(complete) == ("Unknown", "DeploymentPaused", "Deployment is paused")
    complete.change_image("nginx:2")
    complete.act()
    complete.now_ms += 1_000_000
    assert complete.plan() == []
    complete.change(paused=False)
    complete.act()
    assert said(complete)[:2] == ("True", "ReplicaSetUpdated")


def test_resumed_without_any_change_it_is_complete_again(complete: Bench) -> None:
    complete.change(paused=True)
    complete.act()
    complete.change(paused=False)
    complete.act()
    assert said(complete)[:2] == ("True", "NewReplicaSetAvailable")


def test_resumed_while_a_pod_is_not_ready_it_says_so(bench: Bench) -> None:
    bench.change(paused=True)
    bench.act()
    bench.change(paused=False)
    bench.act()
    assert said(bench) == ("Unknown", "DeploymentResumed", "Deployment is resumed")


def test_paused_with_another_template_no_pod_is_up_to_date(complete: Bench) -> None:
    complete.change(paused=True)
    complete.change_image("nginx:2")
    complete.act()
    assert numbers(complete) == {"replicas": 3, "ready": 3, "available": 3}


def test_what_others_say_in_the_status_stays(complete: Bench) -> None:
    old = complete.deployment
    complete.put({**old, "status": {**old["status"], "collisionCount": 1}})
    complete.change(replicas=4)
    complete.act()
    assert complete.deployment["status"]["collisionCount"] == 1


def test_with_no_replicas_it_is_complete_and_counts_nothing() -> None:
    bench = Bench(deployment(replicas=0))
    bench.act()
    assert numbers(bench) == {}
    assert said(bench, "Available")[0] == "True"
    assert said(bench)[1] == "NewReplicaSetAvailable"
