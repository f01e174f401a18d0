"""A node's life: registered, reporting, lost, back."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.conditions import condition_of, is_ready
from cloudhub_stub.controllers.nodes import (
    NOT_READY_TAINT,
    UNREACHABLE_TAINT,
    annotated,
    became_ready,
    lost,
    lost_since_ms,
    registered,
    status_taken,
)
from edgecore.errors import ContentError

RECORDING = Path(__file__).parents[3] / "data/a_connect_first_sync.jsonl"
NOW_MS = 1_589_000_000_000
NOW, LONG_AGO = rfc3339(NOW_MS), "2020-05-09T04:00:00Z"


def node(*conditions: Object, **parts: Any) -> Object:
    head = {"name": "edge", "uid": "u", "resourceVersion": "5", "creationTimestamp": LONG_AGO}
    metadata = {**head, **parts.pop("metadata", {})}
    status = {"conditions": list(conditions)} if conditions else {}
    return {"kind": "Node", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": status, **parts}


def condition(kind: str = "Ready", status: str = "True", since: str = NOW, **more: str) -> Object:
    return {"type": kind, "status": status, "lastHeartbeatTime": NOW, "lastTransitionTime": since, **more}


def request(*conditions: Object, **status: Any) -> Object:
    return {"UID": "38796d14", "Status": {"conditions": list(conditions), **status}, "ExtendResources": None}


def taints(found: Object) -> list[tuple[str, str]]:
    return [(taint["key"], taint["effect"]) for taint in found["spec"].get("taints", ())]


def both(key: str) -> list[tuple[str, str]]:
    return [(key, "NoSchedule"), (key, "NoExecute")]


def recorded() -> Iterator[tuple[str, Any]]:
    for line in RECORDING.read_text().splitlines():
        message = json.loads(json.loads(line).get("text", "{}"))
        if message.get("route", {}).get("resource") == "default/nodestatus/edge-node1":
            yield message["route"]["operation"], message["content"]


# Registration.


def test_the_recorded_node_is_made_with_the_name_of_the_resource() -> None:
    operation, sent = next(recorded())
    found = registered(None, "edge-node1", sent)
    assert operation == "insert"
    assert found == {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": "edge-node1", "labels": sent["metadata"]["labels"]},
        "spec": {},
        "status": sent["status"],
    }


def test_what_an_edge_says_of_its_identity_is_not_taken() -> None:
    sent = {"metadata": {"name": "x", "uid": "y", "resourceVersion": "9", "namespace": "z"}, "kind": "Pod"}
    assert registered(None, "edge", sent)["metadata"] == {"name": "edge"}


@pytest.mark.parametrize("sent", [None, {}])
def test_an_edge_may_register_without_a_word(sent: Any) -> None:
    assert registered(None, "edge", sent)["metadata"] == {"name": "edge"}


def test_a_node_that_was_there_stays_as_it_is() -> None:
    existing = node(condition(), metadata={"labels": {"a": "1"}})
    assert registered(existing, "edge", {"metadata": {"labels": {"a": "2"}}, "status": {"phase": "x"}}) is existing


def test_a_node_of_a_manifest_gets_the_labels_and_status_that_it_lacks() -> None:
    existing = node(metadata={"labels": {"zone": "a", "x": "mine"}})
    sent = {"metadata": {"labels": {"node-role.kubernetes.io/edge": "", "x": "its"}}, "status": {"phase": "Running"}}
    found = registered(existing, "edge", sent)
    assert found["metadata"]["labels"] == {"zone": "a", "x": "mine", "node-role.kubernetes.io/edge": ""}
    assert found["metadata"]["resourceVersion"] == "5"
    assert found["status"] == {"phase": "Running"}


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("", "content"),
        ({"metadata": {"labels": {"a": 1}}}, r"metadata\.labels\[a\]"),
        ({"spec": {"taints": [{"effect": "NoWay"}]}}, r"spec\.taints\[0\]\.effect"),
        ({"status": {"capacity": {"cpu": "many"}}}, r"status\.capacity\[cpu\]"),
    ],
)
def test_a_registration_of_the_wrong_shape_is_refused(sent: Any, path: str) -> None:
    with pytest.raises(ContentError, match=f"^cannot read {path}: expected "):
        registered(None, "edge", sent)


# Status.


def test_the_recorded_status_makes_the_node_ready() -> None:
    sent = next(content for operation, content in recorded() if operation == "update")
    found = status_taken(node(), sent, 1_795_169_164_437)
    assert found["status"] == sent["Status"]
    assert is_ready(found)
    assert found["metadata"] == node()["metadata"]


def test_the_keys_of_a_request_may_be_written_in_any_case() -> None:
    assert status_taken(node(), {"uid": "x", "status": {"phase": "Running"}}, NOW_MS)["status"] == {"phase": "Running"}


@pytest.mark.parametrize("heartbeat", [LONG_AGO, "2030-01-01T00:00:00Z", None])
def test_a_heartbeat_of_another_time_becomes_now(heartbeat: str | None) -> None:
    found = status_taken(node(), request({**condition(), "lastHeartbeatTime": heartbeat}), NOW_MS + 60_000)
    assert found["status"]["conditions"][0]["lastHeartbeatTime"] == rfc3339(NOW_MS + 60_000)


def test_a_fresh_heartbeat_stays_as_it_is() -> None:
    found = status_taken(node(), request(condition()), NOW_MS + 10_000)
    assert found["status"]["conditions"] == [condition()]


def test_a_condition_that_stays_keeps_its_date() -> None:
    found = status_taken(node(condition(since=LONG_AGO)), request(condition()), NOW_MS)
    assert found["status"]["conditions"] == [condition(since=LONG_AGO)]


def test_a_condition_that_changes_gets_a_new_date() -> None:
    found = status_taken(node(condition(status="Unknown", since=LONG_AGO)), request(condition()), NOW_MS)
    assert found["status"]["conditions"] == [condition(since=NOW)]


def test_the_attached_volumes_are_the_clouds() -> None:
    held = node(status={"volumesAttached": [{"name": "v", "devicePath": "/dev/v"}]})
    found = status_taken(held, request(phase="Running", volumesAttached=[]), NOW_MS)
    assert found["status"]["volumesAttached"] == [{"name": "v", "devicePath": "/dev/v"}]
    assert "volumesAttached" not in status_taken(node(), request(volumesAttached=[{"name": "w"}]), NOW_MS)["status"]


def test_extended_resources_become_annotations() -> None:
    sent = request() | {
        "ExtendResources": {"nvidia.com/gpu": [{"name": "gpu0", "type": "P4", "capacity": "1"}], "x/y": []}
    }
    found = status_taken(node(metadata={"annotations": {"mine": "1"}}), sent, NOW_MS)
    assert found["metadata"]["annotations"] == {
        "mine": "1",
        "nvidia.com/gpu": '[{"name":"gpu0","type":"P4","capacity":"1"}]',
        "huawei.com/gpu-status": '[{"id":"gpu0","healthy":true}]',
        "x/y": "[]",
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [("True", []), ("False", both(NOT_READY_TAINT)), ("Unknown", both(UNREACHABLE_TAINT))],
)
def test_taints_follow_readiness(status: str, expected: list[tuple[str, str]]) -> None:
    for before in (node(), lost(node(condition()), NOW_MS)):
        assert taints(status_taken(before, request(condition(status=status)), NOW_MS)) == expected


def test_other_taints_stay() -> None:
    mine = {"key": "mine", "effect": "NoExecute"}
    held = lost(node(condition(), spec={"taints": [mine]}), NOW_MS)
    assert status_taken(held, request(condition()), NOW_MS)["spec"]["taints"] == [mine]


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (None, "node status"),
        ({"UID": "x"}, "Status"),
        ({"Status": ""}, "Status"),
        (request({"type": "Ready", "status": True}), r"Status\.conditions\[0\]\.status"),
        (request(allocatable={"cpu": "2x"}), r"Status\.allocatable\[cpu\]"),
        ({"Status": {}, "ExtendResources": []}, "ExtendResources"),
    ],
)
def test_a_status_of_the_wrong_shape_is_refused(sent: Any, path: str) -> None:
    with pytest.raises(ContentError, match=f"^cannot read {path}: expected "):
        status_taken(node(), sent, NOW_MS)


# Annotations.


def test_annotations_are_merged_and_nothing_else() -> None:
    held = node(metadata={"annotations": {"a": "1", "b": "1"}})
    found = annotated(held, {"metadata": {"annotations": {"b": "2", "c": "3"}, "labels": {"x": "y"}}, "spec": 7})
    assert found == node(metadata={"annotations": {"a": "1", "b": "2", "c": "3"}})


@pytest.mark.parametrize("sent", [None, {}, {"metadata": {"annotations": {"a": "1"}}}])
def test_annotations_that_change_nothing_give_the_node_itself(sent: Any) -> None:
    held = node(metadata={"annotations": {"a": "1"}})
    assert annotated(held, sent) is held


def test_annotations_are_texts() -> None:
    with pytest.raises(ContentError, match=r"cannot read metadata\.annotations\[a\]: expected a text"):
        annotated(node(), {"metadata": {"annotations": {"a": 1}}})


# Loss and return.


def test_a_silent_node_is_unknown_and_unreachable() -> None:
    found = lost(node(condition(since=LONG_AGO, reason="EdgeReady")), NOW_MS)
    assert found["status"]["conditions"] == [
        condition(
            status="Unknown", since=NOW, reason="NodeStatusUnknown", message="Kubelet stopped posting node status."
        )
    ]
    assert found["spec"]["taints"] == [
        {"key": UNREACHABLE_TAINT, "effect": effect, "timeAdded": NOW} for effect in ("NoSchedule", "NoExecute")
    ]


def test_a_node_that_was_not_ready_before_it_fell_silent_changes_its_taint() -> None:
    held = status_taken(node(), request(condition(status="False")), NOW_MS)
    assert taints(lost(held, NOW_MS)) == both(UNREACHABLE_TAINT)


def test_a_node_that_never_spoke_is_unknown_since_its_creation() -> None:
    ready = condition_of(lost(node(), NOW_MS), "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusNeverUpdated")
    assert ready["lastHeartbeatTime"] == LONG_AGO


def test_pressures_are_unknown_too_and_conditions_of_others_stay() -> None:
    found = lost(node(condition(), condition("DiskPressure", "False"), condition("Mine", "True")), NOW_MS)
    assert [each["status"] for each in found["status"]["conditions"]] == ["Unknown", "Unknown", "True"]


def test_a_lost_node_is_not_lost_again() -> None:
    once = lost(node(condition()), NOW_MS)
    assert lost(once, NOW_MS + 60_000) is once


def test_a_lost_node_says_since_when() -> None:
    assert lost_since_ms(lost(node(condition()), NOW_MS)) == NOW_MS
    assert lost_since_ms(node(condition())) is None
    assert lost_since_ms(node()) is None


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        (None, "True", True),
        ("False", "True", True),
        ("Unknown", "True", True),
        ("True", "True", False),
        ("True", "False", False),
        (None, "Unknown", False),
    ],
)
def test_a_node_became_ready_if_it_is_and_was_not(old: str | None, new: str, became: bool) -> None:
    before = None if old is None else node(condition(status=old))
    assert became_ready(before, node(condition(status=new))) is became
    assert became_ready(node(), node(condition(status=new))) is (new == "True")


STEPS = st.lists(st.sampled_from(["True", "False", "lost"]))


@given(STEPS)
def test_after_any_life_taints_and_readiness_agree(steps: list[str]) -> None:
    mine = {"key": "mine", "effect": "NoSchedule"}
    held = node(spec={"taints": [mine]})
    for count, step in enumerate(steps):
        before, now_ms = held, NOW_MS + count * 1000
        held = lost(held, now_ms) if step == "lost" else status_taken(held, request(condition(status=step)), now_ms)
        assert became_ready(before, held) is (is_ready(held) and not is_ready(before))
    expected = {"True": [], "False": both(NOT_READY_TAINT), "lost": both(UNREACHABLE_TAINT)}
    assert taints(held) == [("mine", "NoSchedule"), *(expected[steps[-1]] if steps else [])]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Status", "status", "metadata", "spec", "conditions", "capacity", "x"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_whatever_an_edge_sends_is_taken_or_refused(sent: Any) -> None:
    for take in (
        lambda: registered(None, "edge", sent),
        lambda: status_taken(node(), sent, NOW_MS),
        lambda: annotated(node(), sent),
    ):
        with suppress(ContentError):
            assert take()["kind"] == "Node"
