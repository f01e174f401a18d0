"""The pods of a Deployment: what they count for, and which of them go first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.replicas import (
    Replica,
    available_at_ms,
    expendable_first,
    is_finished,
    is_going,
    replica_of,
)
from workloads import START_MS, as_ready, pod


def replica(each: Object, min_ready_s: int = 0, now_ms: int = START_MS) -> Replica:
    return replica_of(each, min_ready_s, now_ms)


def order(*pods: Object) -> list[str]:
    return [each.pod["metadata"]["name"] for each in expendable_first(map(replica, pods))]


def made_at(each: Object, at_ms: int) -> Object:
    return {**each, "metadata": {**each["metadata"], "creationTimestamp": rfc3339(at_ms)}}


def test_a_pod_that_is_ready_is_available() -> None:
    assert replica(as_ready(pod("a"), START_MS)) == (as_ready(pod("a"), START_MS), "", True, True)


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_pod_that_is_not_ready_is_not_available(status: str) -> None:
    each = {**pod("a"), "status": {"conditions": [{"type": "Ready", "status": status}]}}
    assert not replica(each).ready
    assert not replica(each).available


@pytest.mark.parametrize(("passed_ms", "available"), [(4_999, False), (5_000, True)])
def test_with_min_ready_seconds_a_pod_is_available_so_much_later(passed_ms: int, available: bool) -> None:
    each = as_ready(pod("a"), START_MS)
    assert replica(each, 5, START_MS + passed_ms)[2:] == (True, available)
    assert available_at_ms(each, 5) == START_MS + 5_000


def test_a_pod_that_does_not_say_since_when_it_is_ready_never_gets_available_by_time() -> None:
    each = {**pod("a"), "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert replica(each).available
    assert not replica(each, 1).available
    assert available_at_ms(each, 1) is None


@pytest.mark.parametrize(("phase", "finished"), [("Failed", True), ("Succeeded", True), ("Running", False)])
def test_a_pod_has_ended_when_it_failed_or_succeeded(phase: str, finished: bool) -> None:
    assert is_finished({**pod("a"), "status": {"phase": phase}}) == finished


def test_a_pod_with_a_deletion_timestamp_is_going() -> None:
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = rfc3339(START_MS)
    assert is_going(going)
    assert not is_going(pod("a"))


def test_a_pod_without_node_goes_before_one_with() -> None:
    assert order(pod("a", node="n"), pod("b")) == ["b", "a"]


def test_a_pending_pod_goes_before_an_unknown_and_a_running_one() -> None:
    pods = [{**pod(name, node=name), "status": {"phase": name}} for name in ("Running", "Unknown", "Pending")]
    assert order(*pods) == ["Pending", "Unknown", "Running"]


def test_a_pod_that_is_not_ready_goes_before_one_that_is() -> None:
    assert order(as_ready(pod("a", node="n"), START_MS), pod("b", node="m")) == ["b", "a"]


def test_a_pod_that_shares_its_node_goes_before_one_that_is_alone() -> None:
    ready = [as_ready(pod(name, node=node), START_MS) for name, node in (("a", "n"), ("b", "m"), ("c", "m"))]
    assert order(*ready) == ["b", "c", "a"]


def test_pods_of_another_template_count_as_company_on_a_node() -> None:
    ours = [replica(as_ready(pod(name, node=name), START_MS)) for name in "ab"]
    theirs = [replica(as_ready(pod("old", node="b"), START_MS))]
    assert [each.pod["metadata"]["name"] for each in expendable_first(ours, beside=theirs)] == ["b", "a"]


def test_the_pod_that_got_ready_last_goes_first() -> None:
    assert order(*(as_ready(pod(f"p{at}", node="n"), START_MS + at * 1000) for at in (1, 3, 2))) == ["p3", "p2", "p1"]


def test_the_pod_with_the_most_restarts_goes_first() -> None:
    def restarted(name: str, *counts: int) -> Object:
        status = {"phase": "Running", "containerStatuses": [{"restartCount": count} for count in counts]}
        return {**pod(name, node="n"), "status": status}

    assert order(restarted("a", 1, 1), restarted("b", 0, 2), restarted("c")) == ["b", "a", "c"]


def test_the_newest_pod_goes_first() -> None:
    pods = [made_at(pod(f"p{at}", node="n"), START_MS + at * 1000) for at in (1, 3, 2)]
    assert order(*pods) == ["p3", "p2", "p1"]


def test_pods_in_which_nothing_differs_go_by_name() -> None:
    assert order(pod("b"), pod("a")) == ["a", "b"]


_PODS = st.lists(
    st.builds(
        lambda name, node, phase, ready: {
            **pod(name, node=node),
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
        },
        st.sampled_from("abcdefgh"),
        st.sampled_from(["", "n", "m"]),
        st.sampled_from(["Pending", "Running", "Unknown"]),
        st.sampled_from(["True", "False"]),
    ),
    unique_by=lambda each: each["metadata"]["name"],
)


@given(_PODS, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_pods_come(pods: list[Object], random: Any) -> None:
    shuffled = list(pods)
    random.shuffle(shuffled)
    assert order(*pods) == order(*shuffled)


@given(_PODS)
def test_no_pod_that_is_available_goes_before_one_that_is_not(pods: list[Object]) -> None:
    available = [each.available for each in expendable_first(map(replica, pods))]
    assert available == sorted(available)
