"""A pod bound to a node, and on its way out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import unix_ms
from cloudhub_stub.cluster.podlife import bound, ending

NOW_MS = 1_795_169_673_133
"""2026-11-20T10:14:33Z, the instant of a recorded deletion."""


def pod(*, node: str = "edge", phase: str = "Running", own_grace_s: int | None = 30, **metadata: Any) -> dict[str, Any]:
    spec = {"nodeName": node, "terminationGracePeriodSeconds": own_grace_s}
    return {"kind": "Pod", "metadata": {"name": "x", **metadata}, "spec": spec, "status": {"phase": phase}}


def marked(ends: str, grace_s: int, **kinds: Any) -> dict[str, Any]:
    return pod(deletionTimestamp=ends, deletionGracePeriodSeconds=grace_s, **kinds)


def test_a_running_pod_is_marked_with_the_grace_it_asks_for() -> None:
    assert ending(pod(), None, NOW_MS) == (marked("2026-11-20T10:15:03Z", 30), False)


def test_a_grace_that_is_given_is_taken() -> None:
    assert ending(pod(), 1, NOW_MS) == (marked("2026-11-20T10:14:34Z", 1), False)


def test_without_grace_a_pod_goes_at_once() -> None:
    assert ending(pod(), 0, NOW_MS) == (marked("2026-11-20T10:14:33Z", 0), True)


@pytest.mark.parametrize(
    "kinds", [{"node": ""}, {"phase": "Succeeded"}, {"phase": "Failed"}, {"own_grace_s": 0}, {"own_grace_s": None}]
)
def test_a_pod_that_needs_no_grace_goes_at_once(kinds: dict[str, Any]) -> None:
    assert ending(pod(**kinds), None, NOW_MS) == (marked("2026-11-20T10:14:33Z", 0, **kinds), True)


def test_a_marked_pod_that_is_gone_on_the_edge_goes_with_the_instant_moved_back() -> None:
    found = ending(marked("2026-11-20T10:15:03Z", 30, phase="Succeeded"), 0, NOW_MS + 9_000)
    assert found == (marked("2026-11-20T10:14:33Z", 0, phase="Succeeded"), True)


def test_a_shorter_grace_ends_sooner_after_the_first_request() -> None:
    found = ending(marked("2026-11-20T10:15:03Z", 30), 5, NOW_MS + 9_000)
    assert found == (marked("2026-11-20T10:14:38Z", 5), False)


@pytest.mark.parametrize("grace_s", [None, 30, 600])
def test_a_marked_pod_is_not_given_more_time(grace_s: int | None) -> None:
    before = marked("2026-11-20T10:15:03Z", 30)
    found = ending(before, grace_s, NOW_MS + 1_000)
    assert found.pod is before
    assert not found.goes


def test_a_pod_marked_without_grace_that_is_still_there_goes() -> None:
    before = marked("2026-11-20T10:14:33Z", 0)
    assert ending(before, 30, NOW_MS) == (before, True)


@given(st.lists(st.none() | st.integers(0, 2**63), min_size=1), st.integers(0, 2**63))
def test_the_end_never_moves_away(graces: list[int | None], own_grace_s: int) -> None:
    last = pod(own_grace_s=own_grace_s)
    ends: list[int] = []
    for number, grace_s in enumerate(graces):
        last, goes = ending(last, grace_s, NOW_MS + number * 1_000)
        ends.append(unix_ms(last["metadata"]["deletionTimestamp"]) or 0)
        assert goes == (last["metadata"]["deletionGracePeriodSeconds"] == 0)
        if goes:
            break
    assert ends == sorted(ends, reverse=True)


def test_binding_names_the_node_and_says_when() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    ready = {"type": "Ready", "status": "False"}
    before = pod(node="")
    before["status"]["conditions"] = [unscheduled, ready]
    after = bound(before, "edge", NOW_MS)
    assert after["spec"]["nodeName"] == "edge"
    assert after["status"]["conditions"] == [
        ready,
        {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": "2026-11-20T10:14:33Z",
        },
    ]
    assert before["spec"]["nodeName"] == ""
