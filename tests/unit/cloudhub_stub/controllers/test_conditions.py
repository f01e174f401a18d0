"""Conditions: found, and changed in a copy."""

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.conditions import condition_of, is_ready, with_condition, with_status


def condition(kind: str, status: str) -> Object:
    return {"type": kind, "status": status}


def ready(status: str) -> Object:
    return {"status": {"conditions": [condition("Initialized", "True"), condition("Ready", status)]}}


def test_ready_is_true_alone() -> None:
    assert [is_ready(ready(status)) for status in ("True", "False", "Unknown")] == [True, False, False]


def test_an_object_that_says_nothing_is_not_ready() -> None:
    assert not any(map(is_ready, ({}, {"status": {}}, {"status": {"conditions": None}})))


def test_a_condition_is_found_by_its_type() -> None:
    assert condition_of(ready("False"), "Ready") == condition("Ready", "False")
    assert condition_of(ready("False"), "PodScheduled") is None


def test_a_changed_condition_takes_the_place_of_the_old_one() -> None:
    held = [condition("A", "True"), condition("B", "True")]
    assert with_condition(held, condition("A", "False")) == [condition("A", "False"), condition("B", "True")]
    assert held[0] == condition("A", "True")


def test_a_new_condition_comes_last() -> None:
    assert with_condition(None, condition("A", "True")) == [condition("A", "True")]


def test_the_rest_of_the_status_stays_and_so_does_the_object() -> None:
    before = {"kind": "Pod", "status": {"phase": "Running"}}
    assert with_status(before, reason="x") == {"kind": "Pod", "status": {"phase": "Running", "reason": "x"}}
    assert before == {"kind": "Pod", "status": {"phase": "Running"}}
