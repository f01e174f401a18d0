"""The pods of a node that is lost, and of one that is back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object, ObjectKey
from cloudhub_stub.cluster.writes import Delete, Replace
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.controllers.lostpods import next_look_ms, pods_of_lost_node, pods_of_returned_node

LOST_AT_MS = 1_589_000_000_000
NOW = "2020-05-09T04:53:20Z"
NODE = {"metadata": {"name": "edge"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
NOT_READY_NODE = {"metadata": {"name": "edge"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
GONE = Delete(ObjectKey("Pod", "default", "a"), "uid-a")


def pod(*tolerations: Object, ready: str = "False", reason: str = "", name: str = "a", dying: bool = False) -> Object:
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "x", **({"reason": reason} if reason else {})}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            **({"deletionTimestamp": NOW} if dying else {}),
        },
        "spec": {"nodeName": "edge", "tolerations": list(tolerations)},
        "status": {
            "phase": "Running",
            "conditions": [condition],
            "containerStatuses": [{"name": "c", "ready": not reason}],
        },
    }


def toleration(seconds: int | None = None, key: str = "node.kubernetes.io/unreachable", **more: Any) -> Object:
    limit = {} if seconds is None else {"tolerationSeconds": seconds}
    return {"key": key, "operator": "Exists", "effect": "NoExecute", **limit, **more}


def after(seconds: int, *pods: Object, node: Object = NODE) -> list[Any]:
    return pods_of_lost_node(node, pods, LOST_AT_MS + seconds * 1000, LOST_AT_MS)


def test_a_ready_pod_is_not_ready_at_once() -> None:
    held = pod(ready="True")
    (write,) = after(0, held)
    assert isinstance(write, Replace)
    assert write.object["status"]["conditions"] == [{"type": "Ready", "status": "False", "lastTransitionTime": NOW}]
    assert is_ready(held)


def test_a_pod_that_was_not_ready_is_left_alone() -> None:
    assert after(0, pod(reason="ContainersNotReady")) == []


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 300),
        ([toleration(20, key="node.kubernetes.io/not-ready")], 300),
        ([toleration(20, effect="NoSchedule")], 300),
        ([toleration(20)], 20),
        ([toleration(20), toleration(10, key="", effect=""), toleration()], 10),
        ([toleration(20, operator="Equal")], 20),
        ([toleration(20, operator="Equal", value="x")], 300),
        ([{"key": "node.kubernetes.io/unreachable", "tolerationSeconds": 20}], 20),
        ([toleration(-5)], 0),
    ],
)
def test_a_pod_is_deleted_when_its_patience_is_over(tolerations: list[Object], seconds: int) -> None:
    held = pod(*tolerations)
    assert pods_of_lost_node(NODE, [held], LOST_AT_MS + seconds * 1000 - 1, LOST_AT_MS) == []
    assert after(seconds, held) == [GONE]


@pytest.mark.parametrize("forever", [toleration(), {"operator": "Exists"}, toleration(key="", effect="")])
def test_a_pod_that_tolerates_it_without_limit_stays(forever: Object) -> None:
    assert after(10**9, pod(forever)) == []


def test_a_node_that_says_it_is_not_ready_has_another_taint() -> None:
    held = pod(toleration(10, key="node.kubernetes.io/not-ready"), toleration(20))
    assert after(10, held, node=NOT_READY_NODE) == [GONE]
    assert after(10, held) == []


def test_a_pod_that_is_going_already_is_not_deleted_again() -> None:
    assert after(10**6, pod(dying=True)) == []


def test_a_ready_pod_whose_time_is_over_is_made_unready_first() -> None:
    assert [type(write) for write in after(300, pod(ready="True"))] == [Replace, Delete]


def test_the_next_look_is_when_the_next_pod_is_due() -> None:
    pods = [pod(toleration(20), name="a"), pod(toleration(40), name="b"), pod(toleration(), name="c"), pod(dying=True)]
    looks = [next_look_ms(NODE, pods, LOST_AT_MS + second * 1000, LOST_AT_MS) for second in (0, 20, 40)]
    assert looks == [LOST_AT_MS + 20_000, LOST_AT_MS + 40_000, None]


def test_pods_of_a_returned_node_are_ready_again() -> None:
    (lost,) = after(0, pod(ready="True"))
    (write,) = pods_of_returned_node([lost.object], LOST_AT_MS)
    assert isinstance(write, Replace)
    assert is_ready(write.object)


def other(**status: Any) -> Object:
    held = pod()
    return {**held, "status": {**held["status"], **status}}


@pytest.mark.parametrize(
    "held",
    [
        pod(ready="True"),
        pod(reason="ContainersNotReady"),
        other(phase="Failed"),
        other(conditions=None),
        other(containerStatuses=[{"name": "c", "ready": False}]),
    ],
)
def test_a_pod_that_is_unready_for_reasons_of_its_own_stays_so(held: Object) -> None:
    assert pods_of_returned_node([held], LOST_AT_MS) == []


PODS = st.lists(
    st.builds(
        pod,
        st.builds(toleration, st.integers(0, 400) | st.none()),
        ready=st.sampled_from(["True", "False"]),
        name=st.sampled_from("abcdef"),
        dying=st.booleans(),
    ),
    unique_by=lambda each: each["metadata"]["name"],
)


@given(PODS)
def test_looking_when_told_deletes_each_pod_in_its_time_and_then_there_is_no_next_look(pods: list[Object]) -> None:
    deleted: dict[str, int] = {}
    now_ms: int | None = LOST_AT_MS
    while now_ms is not None:
        here = [each for each in pods if each["metadata"]["name"] not in deleted]
        for write in pods_of_lost_node(NODE, here, now_ms, LOST_AT_MS):
            if isinstance(write, Delete):
                deleted[write.key.name] = (now_ms - LOST_AT_MS) // 1000
        now_ms = next_look_ms(NODE, here, now_ms, LOST_AT_MS)
    limits = {each["metadata"]["name"]: each["spec"]["tolerations"][0].get("tolerationSeconds") for each in pods}
    going = {each["metadata"]["name"] for each in pods if "deletionTimestamp" in each["metadata"]}
    assert deleted == {name: limit for name, limit in limits.items() if limit is not None and name not in going}
