"""Pods for people: how they are, and which log is meant."""

import msgspec
import pytest

from edgecore.cli.pods_report import pods_table
from edgecore.errors import ContentError
from edgecore.kube import decode_pod
from edgecore.modules.edged.knownpod import KnownPod
from edgecore.modules.edged.podinput import PodKey
from edgecore.modules.edged.podview import ContainerLog, find_log, pod_rows
from edgecore.modules.edged.references import References
from edgecore.modules.edged.runtime import Containers, ContainerState, Ended

NOW_MS = 1_589_000_060_000
START = "2020-05-09T04:53:20Z"


def known(*containers: ContainerState, name: str = "p", namespace: str = "default", **metadata: str) -> KnownPod:
    names = [{"name": each.name} for each in containers if not each.is_init] or [{"name": "a"}]
    pod = {"metadata": {"name": name, "uid": f"uid-{namespace}-{name}", **metadata}, "spec": {"containers": names}}
    data = msgspec.json.encode(pod)
    made = KnownPod(PodKey(namespace, name), decode_pod(data), data, START, References())
    made.given, made.containers = True, containers
    return made


def state(name: str, word: str = "running", **more: object) -> ContainerState:
    return ContainerState(name, word, **more)  # type: ignore[arg-type]


CRASHED = state("a", "waiting", reason="CrashLoopBackOff", restarts=3, last=Ended(1, "Error"))


@pytest.mark.parametrize(
    ("containers", "status", "ready"),
    [
        ((state("a"), state("b")), "Running", "2/2"),
        ((state("a", passes=False),), "Running", "0/1"),
        ((CRASHED, state("b")), "CrashLoopBackOff", "1/2"),
        ((CRASHED,), "CrashLoopBackOff", "0/1"),
        ((state("a", "waiting", reason="ErrImagePull"),), "ErrImagePull", "0/1"),
        ((state("a", "terminated", reason="Completed"),), "Completed", "0/1"),
        ((state("a", "terminated", reason="Error", exit_code=1),), "Error", "0/1"),
        ((state("i", is_init=True), state("a", "waiting", reason="PodInitializing")), "Init:0/1", "0/1"),
        (
            (CRASHED._replace(name="i", is_init=True), state("a", "waiting", reason="PodInitializing")),
            "Init:CrashLoopBackOff",
            "0/1",
        ),
        ((), "Pending", "0/1"),
    ],
)
def test_the_status_is_the_word_that_kubectl_has(containers: Containers, status: str, ready: str) -> None:
    head, row = pods_table(pod_rows([known(*containers)], "192.0.2.1"), NOW_MS).splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[2:4] == [ready, status]
    assert row.split()[-1] == "60s"


def test_a_pod_that_was_told_to_go_is_terminating() -> None:
    (row,) = pod_rows([known(state("a"), deletionTimestamp=START)], "192.0.2.1")
    assert row["status"] == "Terminating"


def test_wide_says_what_stands_in_the_way() -> None:
    waits = state("a", "waiting", reason="ErrImagePull", message="name a command")
    table = pods_table(pod_rows([known(waits)], "192.0.2.1"), NOW_MS, wide=True, headers=False)
    assert table.endswith("name a command\n")


def test_no_pods_are_said_to_be_none() -> None:
    assert pods_table([], NOW_MS) == "the node has no pods\n"


@pytest.fixture
def pods() -> list[KnownPod]:
    return [
        known(state("a"), name="one"),
        known(CRASHED, state("b"), name="two"),
        known(state("a"), name="same"),
        known(state("a", "waiting", reason="ContainerCreating"), name="same", namespace="other"),
    ]


def test_the_only_container_of_a_pod_is_meant(pods: list[KnownPod]) -> None:
    assert find_log(pods, "one", "", previous=False) == ContainerLog("uid-default-one", "a", 0, runs=True)


def test_the_run_before_is_the_one_of_a_restart_less(pods: list[KnownPod]) -> None:
    assert find_log(pods, "two", "a", previous=True) == ContainerLog("uid-default-two", "a", 2, runs=False)


@pytest.mark.parametrize(
    ("name", "container", "previous", "text"),
    [
        ("none", "", False, "the node has no such pod; see `edgecore pods`"),
        ("same", "", False, "there are default/same, other/same; name one of them"),
        ("two", "", False, "it has more than one container; name one with -c: a, b"),
        ("two", "c", False, "it has no container c; name one with -c: a, b"),
        ("other/same", "", False, "container a was not started yet (ContainerCreating)"),
        ("one", "", True, "container a was not started again"),
    ],
)
def test_what_is_not_meant_is_said(pods: list[KnownPod], name: str, container: str, previous: bool, text: str) -> None:
    with pytest.raises(ContentError) as raised:
        find_log(pods, name, container, previous=previous)
    assert str(raised.value).endswith(text)
