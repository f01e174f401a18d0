"""What is waited for most: when it is so, and what is said while it is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.testing.conditions import at_rest, ready_node, rolled_out
from cloudhub_stub.testing.errors import NotYet

Json = dict[str, Any]


def deployment(wanted: int = 3, /, *, generation: int = 2, **status: Any) -> Json:
    status = {"observedGeneration": 2, **status}
    return {"metadata": {"name": "web", "generation": generation}, "spec": {"replicas": wanted}, "status": status}


def numbers(updated: int, total: int, available: int) -> Json:
    return {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}


@given(replicas=st.integers(0, 2), found=st.tuples(*[st.integers(0, 2)] * 3))
def test_a_deployment_is_rolled_out_if_and_only_if_all_its_numbers_are_what_it_wants(
    replicas: int, found: tuple[int, int, int]
) -> None:
    given_one = deployment(replicas, **numbers(*found))
    if set(found) == {replicas}:
        assert rolled_out(given_one) is given_one
    else:
        with pytest.raises(NotYet, match=f"wants {replicas} pods: updatedReplicas {found[0]}"):
            rolled_out(given_one)


def test_a_change_that_nobody_has_looked_at_is_not_rolled_out() -> None:
    with pytest.raises(NotYet, match="deployment web was changed"):
        rolled_out(deployment(3, generation=3, **numbers(3, 3, 3)))


def test_a_deployment_without_status_is_not_rolled_out() -> None:
    with pytest.raises(NotYet, match="updatedReplicas 0, replicas 0, availableReplicas 0"):
        rolled_out({"metadata": {"name": "web"}, "spec": {}})


def test_a_deployment_without_pods_that_wants_none_is_rolled_out() -> None:
    assert rolled_out(deployment(0))


def test_why_pods_are_missing_is_said() -> None:
    status = {"conditions": [{"type": "Available", "message": "no node has room"}]}
    with pytest.raises(NotYet, match="; Available: no node has room"):
        rolled_out(deployment(3, **status))


def node(name: str, *, connected: bool = True, ready: bool = True) -> Json:
    return {"name": name, "connected": connected, "ready": ready}


def test_a_node_that_is_connected_and_ready_is_returned() -> None:
    assert ready_node([node("south"), node("north")], "north") == node("north")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "node north has not connected; known: none"),
        ([node("south")], "node north has not connected; known: south"),
        ([node("north", ready=False)], "node north is not ready"),
        ([node("north", connected=False)], "node north is not connected"),
        ([node("north", connected=False, ready=False)], "node north is not connected, not ready"),
    ],
)
def test_what_a_node_lacks_is_said(found: list[Json], text: str) -> None:
    with pytest.raises(NotYet) as caught:
        ready_node(found, "north")
    assert str(caught.value) == text


def stub(**waiting: int) -> Json:
    return {"queues": {"waiting": waiting}}


def edge(outbox: int = 0) -> Json:
    return {"link": {"outbox": outbox}}


def ledger(opened: int = 0, *, unexplained: int = 0, held_by_nobody: int = 0) -> Json:
    return {
        "directions": {"edge->cloud": {"opened": opened}, "cloud->edge": {"opened": 1}},
        "unexplained": unexplained,
        "held_by_nobody": held_by_nobody,
    }


@given(opened=st.lists(st.integers(0, 1000), min_size=1, max_size=4))
def test_at_rest_the_number_of_messages_is_returned_and_is_true(opened: list[int]) -> None:
    ledgers = {str(number): ledger(each) for number, each in enumerate(opened)}
    assert at_rest(stub(), {"north": edge()}, ledgers) == 1 + sum(opened) + len(opened)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ((stub(north=2), {}, {}), "2 messages wait for north"),
        ((stub(), {"north": edge(3)}, {}), "3 messages wait in north"),
        ((stub(), {}, {"the cloud": ledger(unexplained=1)}), "the cloud cannot account for 1 messages"),
        ((stub(), {}, {"north": ledger(held_by_nobody=2)}), "north cannot account for 2 messages"),
        ((stub(a=1, b=1), {"a": edge(1)}, {}), "1 messages wait for a; 1 messages wait for b; 1 messages wait in a"),
    ],
)
def test_what_is_not_at_rest_is_said(state: tuple[Json, Json, Json], text: str) -> None:
    with pytest.raises(NotYet) as caught:
        at_rest(*state)
    assert str(caught.value) == text


def test_a_node_without_a_link_waits_for_nothing() -> None:
    assert at_rest(stub(), {"north": {"link": {}}}, {}) == 1
