"""What becomes of the status that an edge sends: as recorded, and where the recordings are silent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import rfc3339, unix_ms
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.podstatus import entries, is_over, status_taken
from edgecore.errors import ContentError

DATA = Path(__file__).parents[3] / "data"
NOW_MS = 1_589_000_000_123
NOW, EARLIER = "2020-05-09T04:53:20Z", "2020-05-09T04:00:00Z"


def pod(status: Object | None = None, **spec: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "default", "uid": "u1"},
        "spec": {"containers": [{"name": "c"}], **spec},
        "status": status if status is not None else {"phase": "Pending", "qosClass": "BestEffort"},
    }


def request(**status: Any) -> Object:
    return {"UID": "u1", "Name": "a", "Status": {"phase": "Running", **status}}


def condition(kind: str, status: str, since: str | None) -> Object:
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}


def taken(held: Object, sent: Any, now_ms: int = NOW_MS) -> Object:
    found = status_taken(held, sent, now_ms)
    assert found is not None
    return found


def messages(recording: str) -> Iterator[Object]:
    for line in (DATA / recording).read_text().splitlines():
        entry = json.loads(line)
        if "text" in entry:
            yield json.loads(entry["text"])


@pytest.mark.parametrize(
    ("recording", "name", "now"),
    [
        ("b_services_endpoints_pods.jsonl", "nginx-0", "2026-11-20T10:07:34Z"),
        ("b2_deletes.jsonl", "nginx-0", "2026-11-20T10:14:42Z"),
        ("c_configmap_secret_pod.jsonl", "hn", "2026-11-20T10:17:59Z"),
    ],
)
def test_the_status_becomes_what_the_go_cloud_made_of_it(recording: str, name: str, now: str) -> None:
    before: Object = {}
    sent: Object = {}
    for message in messages(recording):
        if message["route"]["resource"] == f"default/podstatus/{name}":
            sent = message["content"]
        elif message["route"]["resource"] == f"default/pod/{name}" and isinstance(message["content"], dict):
            if sent:
                after = message["content"]["status"]
                break
            before = message["content"]
    now_ms = unix_ms(now)
    assert now_ms is not None
    assert taken(before, sent, now_ms) == after


def test_a_request_of_another_pod_of_that_name_is_none() -> None:
    assert status_taken(pod(), request() | {"UID": "u0"}, NOW_MS) is None


def test_a_request_without_uid_is_taken_for_the_pod() -> None:
    assert taken(pod(), {"status": {"phase": "Running"}})["phase"] == "Running"


@pytest.mark.parametrize("kind", ["Ready", "Initialized"])
def test_a_condition_that_changes_is_dated_when_the_cloud_hears_of_it(kind: str) -> None:
    held = pod({"conditions": [condition(kind, "False", EARLIER)]})
    found = taken(held, request(conditions=[condition(kind, "True", "2020-05-09T04:30:00Z")]))
    assert found["conditions"] == [condition(kind, "True", NOW)]


def test_a_condition_that_stays_keeps_its_date() -> None:
    held = pod({"conditions": [condition("Ready", "True", EARLIER)]})
    found = taken(held, request(conditions=[condition("Ready", "True", NOW)]))
    assert found["conditions"] == [condition("Ready", "True", EARLIER)]


def test_other_conditions_keep_the_date_that_the_edge_gives() -> None:
    found = taken(
        pod(), request(conditions=[condition("ContainersReady", "True", EARLIER), condition("X", "True", None)])
    )
    assert found["conditions"] == [condition("ContainersReady", "True", EARLIER), condition("X", "True", None)]


def test_the_word_of_the_scheduler_stays_when_the_edge_does_not_repeat_it() -> None:
    scheduled = condition("PodScheduled", "True", EARLIER)
    found = taken(pod({"conditions": [scheduled]}), request(phase="Failed", reason="HostPortConflict"))
    assert found["conditions"] == [scheduled]


@pytest.mark.parametrize(
    ("held", "sent", "kept"),
    [
        ({"startTime": EARLIER}, NOW, EARLIER),
        ({}, EARLIER, EARLIER),
        ({}, None, NOW),
        ({}, "0001-01-01T00:00:00Z", NOW),
    ],
)
def test_a_pod_starts_once(held: Object, sent: str | None, kept: str) -> None:
    assert taken(pod(held), request(startTime=sent))["startTime"] == kept


@pytest.mark.parametrize(
    ("sent", "ip", "ips"),
    [
        ({"podIP": "10.0.0.1"}, "10.0.0.1", ["10.0.0.1"]),
        ({"podIPs": [{"ip": "10.0.0.1"}]}, "10.0.0.1", ["10.0.0.1"]),
        ({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, "10.0.0.1", ["10.0.0.1", "fd00::1"]),
        ({"podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.1"}]}, "10.0.0.2", ["10.0.0.2"]),
    ],
)
def test_the_two_fields_of_the_address_agree(sent: Object, ip: str, ips: list[str]) -> None:
    found = taken(pod(), request(**sent))
    assert (found["podIP"], [each["ip"] for each in found["podIPs"]]) == (ip, ips)


def test_a_pod_without_address_has_no_field_for_one() -> None:
    assert taken(pod({"podIP": "10.0.0.1"}), request(podIP="", podIPs=[{}])).keys() == {"phase", "startTime"}


def test_containers_are_by_name_and_init_containers_as_in_the_spec() -> None:
    held = pod(initContainers=[{"name": "z"}, {"name": "y"}])
    sent = request(
        containerStatuses=[{"name": "b"}, {"name": "a"}], initContainerStatuses=[{"name": "y"}, {"name": "z"}]
    )
    found = taken(held, sent)
    assert [each["name"] for each in found["containerStatuses"]] == ["a", "b"]
    assert [each["name"] for each in found["initContainerStatuses"]] == ["z", "y"]


def test_fields_that_kubernetes_does_not_know_are_left_out() -> None:
    found = taken(pod(), request(mood="good", containerStatuses=[{"name": "c", "mood": "good", "ready": True}]))
    assert "mood" not in found
    assert found["containerStatuses"] == [
        {"name": "c", "state": {}, "lastState": {}, "ready": True, "restartCount": 0, "image": "", "imageID": ""}
    ]


def test_a_status_without_phase_leaves_the_one_there_is() -> None:
    assert taken(pod({"phase": "Running"}), {"Status": {}})["phase"] == "Running"


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ([], "pod status"),
        ({"UID": 1, "Status": {}}, "UID"),
        ({"UID": "u1"}, "Status"),
        (request(phase="Dancing"), "Status.phase"),
        (request(conditions={}), "Status.conditions"),
        (request(conditions=[{"lastTransitionTime": "soon"}]), "Status.conditions[0].lastTransitionTime"),
        (
            request(containerStatuses=[{"state": {"terminated": {"exitCode": "0"}}}]),
            "Status.containerStatuses[0].state.terminated.exitCode",
        ),
        (request(containerStatuses=[None]), "Status.containerStatuses[0]"),
    ],
)
def test_a_wrong_shape_is_refused_by_its_path(sent: Any, path: str) -> None:
    with pytest.raises(ContentError) as refused:
        status_taken(pod(), sent, NOW_MS)
    assert str(refused.value).startswith(f"cannot read {path}: expected ")


def test_a_named_resource_carries_one_request() -> None:
    assert entries({"x": 1}, "a") == [("a", {"x": 1})]


def test_a_summary_carries_one_request_a_pod() -> None:
    first, second = {"Name": "a", "UID": "1"}, {"name": "b"}
    assert entries([first, second], "") == [("a", first), ("b", second)]
    assert entries([], "") == []


@pytest.mark.parametrize("content", [None, {}, [1], [{}], [{"Name": ""}], [{"Name": 3}], [{"Name": "x" * 254}]])
def test_a_summary_that_does_not_say_whose_is_refused(content: Any) -> None:
    with pytest.raises(ContentError, match=r"^cannot read "):
        entries(content, "")


def over(phase: str, *states: str, dying: bool = True) -> bool:
    held = pod({"phase": phase, "containerStatuses": [{"state": {state: {}} if state else {}} for state in states]})
    return is_over({**held, "metadata": held["metadata"] | ({"deletionTimestamp": NOW} if dying else {})})


def test_a_pod_that_shall_go_and_runs_no_more_is_over() -> None:
    assert over("Succeeded", "terminated")
    assert over("Failed", "terminated", "waiting")
    assert over("Failed")


def test_a_pod_of_which_something_runs_is_not_over() -> None:
    assert not over("Running", "terminated")
    assert not over("Failed", "terminated", "running")
    assert not over("Succeeded", "")


def test_a_finished_pod_that_nobody_deleted_is_not_over() -> None:
    assert not over("Succeeded", "terminated", dying=False)


STATUSES = st.fixed_dictionaries(
    {"phase": st.sampled_from(["Pending", "Running", "Failed"])},
    optional={
        "conditions": st.lists(
            st.builds(
                condition,
                st.sampled_from(["Ready", "Initialized", "PodScheduled", "X"]),
                st.sampled_from(["True", "False"]),
                st.sampled_from([None, EARLIER, NOW]),
            ),
            unique_by=lambda each: each["type"],
        ),
        "podIP": st.sampled_from(["", "10.0.0.1"]),
        "startTime": st.sampled_from([None, EARLIER]),
        "containerStatuses": st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc")})),
    },
)


@given(STATUSES, STATUSES, st.integers(1, 10**8))
def test_the_same_status_again_later_changes_nothing(first: Object, second: Object, later_ms: int) -> None:
    held = pod(taken(pod(), request(**first)))
    once = taken(held, request(**second), NOW_MS + later_ms)
    assert taken(pod(once), request(**second), NOW_MS + 2 * later_ms) == once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["UID", "Status", "phase", "conditions", "type", "containerStatuses", "state"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_whatever_an_edge_sends_is_taken_or_refused(sent: Any) -> None:
    try:
        found = status_taken(pod(), sent, NOW_MS)
    except ContentError:
        return
    assert found is None or found["startTime"] == rfc3339(NOW_MS)
