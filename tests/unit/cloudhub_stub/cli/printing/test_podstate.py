"""READY, STATUS and RESTARTS of pods, by kubectl's rules."""

from typing import Any

import pytest

from cloudhub_stub.cli.printing.podstate import PodState, pod_state

RUNNING = {"ready": True, "restartCount": 1, "state": {"running": {}}}
NOT_READY = {"ready": False, "state": {"running": {}}}


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}}


def terminated(**fields: Any) -> dict[str, Any]:
    return {"restartCount": 3, "state": {"terminated": fields}}


def state(containers: list[Any], inits: list[Any] | None = None, **status: Any) -> PodState:
    number = max(1, len(containers))
    return pod_state(
        {
            "metadata": {"name": "p"},
            "spec": {"containers": [{}] * number, "initContainers": [{}] * len(inits or ())},
            "status": {"containerStatuses": containers, "initContainerStatuses": inits, **status},
        }
    )


@pytest.mark.parametrize(
    ("containers", "status", "expected"),
    [
        ([], {"phase": "Pending"}, PodState(0, 1, "Pending", 0)),
        ([], {}, PodState(0, 1, "Unknown", 0)),
        ([RUNNING], {"phase": "Running"}, PodState(1, 1, "Running", 1)),
        ([RUNNING, NOT_READY], {"phase": "Running"}, PodState(1, 2, "Running", 1)),
        ([waiting("ContainerCreating")], {"phase": "Pending"}, PodState(0, 1, "ContainerCreating", 0)),
        ([waiting("CrashLoopBackOff"), RUNNING], {"phase": "Running"}, PodState(1, 2, "CrashLoopBackOff", 1)),
        ([waiting("")], {"phase": "Pending"}, PodState(0, 1, "Pending", 0)),
        ([terminated(exitCode=0, reason="Completed")], {"phase": "Succeeded"}, PodState(0, 1, "Completed", 3)),
        ([terminated(reason="Completed"), RUNNING], {"phase": "Running"}, PodState(1, 2, "Running", 4)),
        ([terminated(exitCode=2)], {"phase": "Failed"}, PodState(0, 1, "ExitCode:2", 3)),
        ([terminated(exitCode=137, signal=9)], {"phase": "Failed"}, PodState(0, 1, "Signal:9", 3)),
        ([], {"phase": "Failed", "reason": "Evicted"}, PodState(0, 1, "Evicted", 0)),
    ],
)
def test_containers_say_more_than_the_phase(containers: list[Any], status: Any, expected: PodState) -> None:
    assert state(containers, **status) == expected


@pytest.mark.parametrize(
    ("inits", "status", "restarts"),
    [
        ([waiting("PodInitializing"), waiting("PodInitializing")], "Init:0/2", 0),
        ([terminated(exitCode=0), {"state": {"running": {}}}], "Init:1/2", 3),
        ([waiting("ImagePullBackOff"), {}], "Init:ImagePullBackOff", 0),
        ([terminated(exitCode=1, reason="Error"), {}], "Init:Error", 3),
        ([terminated(exitCode=1), {}], "Init:ExitCode:1", 3),
        ([terminated(exitCode=1, signal=9), {}], "Init:Signal:9", 3),
    ],
)
def test_an_init_container_that_is_not_through_comes_first(inits: list[Any], status: str, restarts: int) -> None:
    assert state([waiting("PodInitializing")], inits, phase="Pending") == PodState(0, 1, status, restarts)


def test_init_containers_that_are_through_are_not_seen() -> None:
    assert state([RUNNING], [terminated(exitCode=0)], phase="Running") == PodState(1, 1, "Running", 1)


@pytest.mark.parametrize(("reason", "status"), [("", "Terminating"), ("NodeLost", "Unknown")])
def test_a_pod_that_is_being_deleted_terminates(reason: str, status: str) -> None:
    metadata = {"name": "p", "deletionTimestamp": "2020-05-04T10:00:00Z"}
    pod = {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "reason": reason}}
    assert pod_state(pod).status == status


def test_a_pod_without_status_is_unknown() -> None:
    assert pod_state({"metadata": {"name": "p"}, "spec": {"containers": [{}]}}) == PodState(0, 1, "Unknown", 0)
