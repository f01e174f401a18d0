"""The status of a pod, against what the recorded Go edgecore said (recordings b2 and c)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive import wire
from edgecore.beehive.message import content_value
from edgecore.errors import ContentError
from edgecore.kube import Pod, decode_pod
from edgecore.modules.edged.podstatus import Observed, Refusal, phase_of, request
from edgecore.modules.edged.runtime import ContainerState, Ended
from edgecore.modules.edged.storedstatus import remembered
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[2] / "data"
Json = dict[str, Any]
RUNNING = ContainerState(
    "nginx",
    "running",
    image="sha256:fake-nginx:1.17",
    image_id="sha256:fake-nginx:1.17",
    container_id="fakecri://c0000000418e9b97dad2b2d9b",
    started_at="2026-11-20T10:17:55Z",
)
ENDED = RUNNING._replace(state="terminated", finished_at="2026-11-20T10:18:01Z", reason="Completed")
WAITING = ContainerState("nginx", "waiting", image="nginx:1.17", reason="ContainerCreating")


def _recorded(name: str, pod: str) -> Iterator[Json]:
    for entry in read_entries(DATA / f"{name}.jsonl"):
        if isinstance(entry, CloudFrame) and entry.direction is Direction.TO_CLOUD:
            message = wire.decode(entry.text)
            if message.route.resource == f"default/podstatus/{pod}":
                yield content_value(message)


def _pod(spec: Json | None = None, **status: Any) -> Pod:
    metadata = {"name": "hn", "namespace": "default", "uid": "85b1f8fe-2184-486a-96d2-9c4ab6690e7d"}
    spec = {"containers": [{"name": "nginx", "image": "nginx:1.17"}], **(spec or {})}
    return decode_pod(msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status}))


def _observed(*containers: ContainerState, **changes: Any) -> Observed:
    seen = Observed(_pod(), containers, "10.66.0.2", "10.66.0.2", "2026-11-20T10:17:56Z")
    return seen._replace(**changes)


def test_a_running_pod_is_told_as_recorded_but_for_transition_times_and_pod_ips() -> None:
    recorded, _ = _recorded("c_configmap_secret_pod", "hn")
    built = request(_observed(RUNNING))
    assert built["Status"].pop("podIPs") == [{"ip": "10.66.0.2"}]
    initialized, ready, scheduled = built["Status"]["conditions"]
    assert initialized["lastTransitionTime"] == "2026-11-20T10:17:56Z"
    assert ready["lastTransitionTime"] == "2026-11-20T10:17:55Z"
    assert scheduled["lastTransitionTime"] is None
    for condition in (initialized, ready):
        condition["lastTransitionTime"] = None  # Go leaves it to the cloud
    assert msgspec.json.encode(built) == msgspec.json.encode(recorded)


def test_the_keys_are_in_the_order_of_go() -> None:
    (recorded,) = _recorded("b_services_endpoints_pods", "nginx-0")
    built = request(_observed(RUNNING))
    assert list(built["Status"]) == list(recorded["Status"])
    assert list(built["Status"]["containerStatuses"][0]) == list(recorded["Status"]["containerStatuses"][0])


@pytest.mark.parametrize(("name", "pod", "which"), [("c_configmap_secret_pod", "hn", 1), ("b2_deletes", "nginx-0", 0)])
def test_a_pod_that_ended_means_what_go_says(name: str, pod: str, which: int) -> None:
    recorded = list(_recorded(name, pod))[which]["Status"]
    built = request(_observed(ENDED))["Status"]
    assert built["phase"] == recorded["phase"] == "Succeeded"
    told = [(each["type"], each["status"]) for each in built["conditions"]]
    assert told == [(each["type"], each["status"]) for each in recorded["conditions"]]
    (ours,), (theirs,) = built["containerStatuses"], recorded["containerStatuses"]
    for key in ("ready", "restartCount", "started", "lastState"):
        assert ours[key] == theirs[key]
    for key in ("exitCode", "reason"):
        assert ours["state"]["terminated"][key] == theirs["state"]["terminated"][key]


def test_a_pod_that_ended_keeps_its_addresses_and_the_names_of_its_containers() -> None:
    """Go forgets both."""
    status = request(_observed(ENDED))["Status"]
    assert (status["hostIP"], status["podIP"]) == ("10.66.0.2", "10.66.0.2")
    (container,) = status["containerStatuses"]
    assert (container["name"], container["containerID"]) == ("nginx", RUNNING.container_id)
    assert status["conditions"][1]["reason"] == "PodCompleted"
    assert status["conditions"][1]["lastTransitionTime"] == "2026-11-20T10:18:01Z"


def test_a_pod_whose_containers_are_being_made_is_pending_and_not_ready() -> None:
    status = request(_observed(WAITING, pod_ip=""))["Status"]
    assert status["phase"] == "Pending"
    assert "podIP" not in status
    ready = status["conditions"][1]
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [nginx]"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_a_refused_pod_has_failed_and_says_why() -> None:
    built = request(_observed(refusal=Refusal("OutOfpods", "no room")))
    assert built["Status"] == {
        "phase": "Failed",
        "message": "no room",
        "reason": "OutOfpods",
        "startTime": "2026-11-20T10:17:56Z",
    }


@pytest.mark.parametrize(
    ("containers", "phase"),
    [
        ((), "Pending"),
        ((WAITING, RUNNING), "Pending"),
        ((ENDED, RUNNING), "Running"),
        ((ENDED, ENDED), "Succeeded"),
        ((ENDED, ENDED._replace(exit_code=1)), "Failed"),
    ],
)
def test_the_phase_follows_from_the_containers(containers: tuple[ContainerState, ...], phase: str) -> None:
    assert phase_of(containers) == phase


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ({}, "BestEffort"),
        ({"limits": BOTH}, "Guaranteed"),
        ({"limits": BOTH, "requests": BOTH}, "Guaranteed"),
        ({"limits": BOTH, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"requests": {"cpu": 1}}, "Burstable"),
        ({"limits": {"cpu": 1}}, "Burstable"),
    ],
)
def test_a_pod_without_qos_class_gets_the_one_of_its_resources(resources: Json, qos: str) -> None:
    pod = _pod({"containers": [{"name": "nginx", "resources": resources}]})
    assert request(_observed(RUNNING, pod=pod))["Status"]["qosClass"] == qos


def test_the_qos_class_of_the_cloud_holds() -> None:
    pod = _pod(qosClass="Guaranteed")
    assert request(_observed(RUNNING, pod=pod))["Status"]["qosClass"] == "Guaranteed"


@pytest.mark.parametrize("state", [RUNNING, ENDED, WAITING])
def test_what_was_stored_is_remembered(state: ContainerState) -> None:
    built = request(_observed(state))
    again = remembered(msgspec.json.encode(built))
    assert again.request == built
    assert again.uid == "85b1f8fe-2184-486a-96d2-9c4ab6690e7d"
    assert again.containers == (state,)
    assert (again.pod_ip, again.started_at) == ("10.66.0.2", "2026-11-20T10:17:56Z")


def test_what_the_go_edgecore_stored_is_read_too() -> None:
    for recorded in _recorded("c_configmap_secret_pod", "hn"):
        assert remembered(msgspec.json.encode(recorded)).phase == recorded["Status"]["phase"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["UID", "Name", "Status", "phase", "containerStatuses", "state", "running", "startTime"]),
            inner,
        )
    ),
)


@given(JSON.map(msgspec.json.encode) | st.binary())
def test_no_row_does_more_than_raise_a_content_error(data: bytes) -> None:
    with suppress(ContentError):
        assert remembered(data).request == msgspec.json.decode(data)


INIT = ContainerState("i", "running", image="busybox", started_at="2026-11-20T10:17:55Z", is_init=True)
DONE = INIT._replace(state="terminated", finished_at="2026-11-20T10:17:58Z", reason="Completed")
BEFORE = Ended(1, "Error", "", 0, "2026-11-20T10:17:55Z", "2026-11-20T10:18:01Z", "fakecri://c0")
LOOPING = ContainerState("nginx", "waiting", reason="CrashLoopBackOff", message="back-off 10s", restarts=1, last=BEFORE)
INITIALIZING = WAITING._replace(reason="PodInitializing")


def test_a_pod_whose_init_container_runs_is_pending_and_not_initialized() -> None:
    status = request(_observed(INIT, INITIALIZING))["Status"]
    assert status["phase"] == "Pending"
    initialized, ready, _ = status["conditions"]
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [i]"
    assert ready["message"] == "containers with unready status: [nginx]"
    (init,), (main,) = status["initContainerStatuses"], status["containerStatuses"]
    assert (init["name"], init["ready"], "started" in init) == ("i", False, False)
    assert main["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_pod_whose_init_containers_are_done_is_initialized_since_then() -> None:
    status = request(_observed(DONE, RUNNING))["Status"]
    assert status["phase"] == "Running"
    assert status["conditions"][0]["status"] == "True"
    assert status["conditions"][0]["lastTransitionTime"] == "2026-11-20T10:17:58Z"
    assert status["initContainerStatuses"][0]["ready"] is True
    assert list(status).index("initContainerStatuses") == list(status).index("containerStatuses") - 1


def test_a_pod_that_is_restarted_again_and_again_runs_and_says_how_it_ended_before() -> None:
    status = request(_observed(LOOPING))["Status"]
    assert status["phase"] == "Running"
    (container,) = status["containerStatuses"]
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert (container["ready"], container["started"], container["restartCount"]) == (False, False, 1)
    ready = status["conditions"][1]
    assert (ready["status"], ready["lastTransitionTime"]) == ("False", "2026-11-20T10:18:01Z")


def test_a_container_whose_probe_fails_runs_and_is_not_ready_since_then() -> None:
    failing = RUNNING._replace(passes=False, passes_since="2026-11-20T10:20:00Z")
    status = request(_observed(failing))["Status"]
    assert status["phase"] == "Running"
    assert status["containerStatuses"][0]["ready"] is False
    assert status["containerStatuses"][0]["started"] is True
    ready = status["conditions"][1]
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["lastTransitionTime"] == "2026-11-20T10:20:00Z"


FAILED = DONE._replace(exit_code=1, reason="Error")


@pytest.mark.parametrize(
    ("containers", "phase"),
    [
        ((INIT, INITIALIZING), "Pending"),
        ((DONE, INITIALIZING), "Pending"),
        ((FAILED, INITIALIZING), "Failed"),
        ((FAILED._replace(restarting=True), INITIALIZING), "Pending"),
        ((LOOPING._replace(name="i", is_init=True), INITIALIZING), "Pending"),
        ((DONE, ENDED), "Succeeded"),
        ((DONE,), "Pending"),
        ((ENDED._replace(restarting=True),), "Running"),
        ((LOOPING, ENDED), "Running"),
        ((LOOPING, WAITING), "Pending"),
    ],
)
def test_the_phase_is_the_one_that_the_kubelet_finds(containers: tuple[ContainerState, ...], phase: str) -> None:
    assert phase_of(containers) == phase


@pytest.mark.parametrize("state", [INIT, DONE, LOOPING, RUNNING._replace(started=False, passes=False)])
def test_what_is_told_of_restarts_and_init_containers_is_remembered(state: ContainerState) -> None:
    rest = (INITIALIZING,) if state.is_init else ()
    assert remembered(msgspec.json.encode(request(_observed(state, *rest)))).containers == (state, *rest)
