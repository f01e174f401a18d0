"""The rules: which messages they see, when they fire, and what several of them do together."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.errors import FaultRefused
from cloudhub_stub.faults.rules import Faults, Verdict, passage
from cloudhub_stub.faults.spec import FaultSpec, Watch
from edgecore.beehive.message import Header, Message, Route

OPERATIONS = ("insert", "update", "response")
RESOURCES = ("default/pod/a", "default/pod/b", "default/service/a")


def message(number: int = 1, operation: str = "insert", resource: str = "default/pod/a") -> Message:
    return Message(Header(f"m{number}"), Route("edged", "meta", operation, resource))


def drop(**fields: Any) -> FaultSpec:
    return msgspec.convert({"fault": "drop", **fields}, FaultSpec)


def fired_at(spec: FaultSpec, count: int) -> list[int]:
    """Return by which of ``count`` equal messages the rule fires."""
    faults = Faults()
    faults.add(spec)
    return [number for number in range(1, count + 1) if faults.decide("up", "n", message(number), 0)]


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({"nth": 3}, [3]),
        ({"every": 3}, [3, 6]),
        ({"every": 1}, [1, 2, 3, 4, 5, 6, 7]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 2}, [2, 4]),
        ({"nth": 8}, []),
    ],
)
def test_a_rule_fires_by_the_messages_it_chooses(fields: dict[str, Any], numbers: list[int]) -> None:
    assert fired_at(drop(**fields), 7) == numbers


@pytest.mark.parametrize(
    ("fields", "fires"),
    [
        ({"node": "edge-1"}, True),
        ({"node": "edge-2"}, False),
        ({"direction": "up"}, True),
        ({"direction": "down"}, False),
        ({"operation": "insert"}, True),
        ({"operation": "inser"}, False),
        ({"source": "edged", "group": "meta"}, True),
        ({"source": "edged", "group": "twin"}, False),
        ({"resource": "default/pod/a"}, True),
        ({"resource": "default/pod"}, False),
        ({"resource": "*/pod/*"}, True),
        ({"resource": "*a"}, True),
        ({"resource-regex": "pod/."}, True),
        ({"resource-regex": "^pod"}, False),
    ],
)
def test_a_rule_sees_what_fits_everything_it_names(fields: dict[str, Any], fires: bool) -> None:
    faults = Faults()
    faults.add(drop(**fields))
    assert bool(faults.decide("up", "edge-1", message(), 0)) is fires


@pytest.mark.parametrize(("fields", "fires"), [({}, True), ({"node": "n"}, True), ({"operation": "insert"}, False)])
def test_a_frame_that_is_no_message_fits_only_what_asks_for_no_part_of_one(fields: dict[str, Any], fires: bool) -> None:
    faults = Faults()
    faults.add(drop(**fields))
    assert bool(faults.decide("up", "n", None, 0)) is fires


STREAM = st.lists(
    st.tuples(
        st.sampled_from(("up", "down")),
        st.sampled_from(("a", "b")),
        st.sampled_from(OPERATIONS),
        st.sampled_from(RESOURCES),
    ),
    max_size=60,
)
CHOICE = st.one_of(
    st.just({}),
    st.builds(lambda n: {"nth": n}, st.integers(1, 10)),
    st.builds(lambda k: {"every": k}, st.integers(1, 10)),
    st.builds(lambda m: {"times": m}, st.integers(1, 10)),
    st.builds(lambda k, m: {"every": k, "times": m}, st.integers(1, 5), st.integers(1, 5)),
)
WATCH = st.fixed_dictionaries(
    {},
    optional={
        "node": st.sampled_from(("a", "b")),
        "direction": st.sampled_from(("up", "down")),
        "operation": st.sampled_from(OPERATIONS),
        "resource": st.sampled_from(("*", "default/pod/*", "default/service/a")),
    },
)


def expected(fields: dict[str, Any], stream: list[tuple[str, str, str, str]]) -> list[int]:
    """Say it once more, the slow way: filter first, then choose by position."""
    prefix = fields.get("resource", "*").rstrip("*")
    fits = [
        index
        for index, (direction, node, operation, resource) in enumerate(stream)
        if fields.get("direction", direction) == direction
        and fields.get("node", node) == node
        and fields.get("operation", operation) == operation
        and resource.startswith(prefix)
    ]
    if "nth" in fields:
        return fits[fields["nth"] - 1 : fields["nth"]]
    return fits[fields.get("every", 1) - 1 :: fields.get("every", 1)][: fields.get("times")]


@given(st.lists(st.builds(lambda a, b: {**a, **b}, WATCH, CHOICE), min_size=1, max_size=4), STREAM)
def test_every_rule_fires_exactly_where_it_says_whatever_the_others_do(
    rules: list[dict[str, Any]], stream: list[tuple[str, str, str, str]]
) -> None:
    faults = Faults()
    fired: dict[str, list[int]] = {faults.add(drop(**fields)).id: [] for fields in rules}
    for index, (direction, node, operation, resource) in enumerate(stream):
        for verdict in faults.decide(direction, node, message(index, operation, resource), 0):
            fired[verdict.rule].append(index)
    assert list(fired.values()) == [expected(fields, stream) for fields in rules]
    assert [rule.fired for rule in faults.rules()] == [len(indices) for indices in fired.values()]


@given(st.lists(st.builds(lambda a, b: {**a, **b}, WATCH, CHOICE), max_size=4), STREAM)
def test_what_no_rule_wants_to_read_makes_none_fire(
    rules: list[dict[str, Any]], stream: list[tuple[str, str, str, str]]
) -> None:
    faults = Faults()
    for fields in rules:
        faults.add(drop(**fields))
    for index, (direction, node, operation, resource) in enumerate(stream):
        wanted = faults.wants(direction, node)
        assert faults.active or not wanted
        verdicts = faults.decide(direction, node, message(index, operation, resource), 0)
        assert wanted or not verdicts


def test_a_rule_that_cannot_fire_any_more_is_not_asked() -> None:
    faults = Faults()
    rule = faults.add(drop(nth=1))
    assert faults.active
    faults.decide("up", "n", message(), 0)
    assert (rule.live, faults.active, faults.wants("up", "n")) == (False, False, False)


def test_a_fault_that_happens_at_once_waits_for_nothing() -> None:
    faults = Faults()
    rule = faults.add(msgspec.convert({"fault": "cut", "node": "n"}, FaultSpec))
    faults.note(rule, "n", 7)
    assert not faults.active
    assert faults.view()["recent"] == [{"at_ms": 7, "rule": "f1", "fault": "cut", "node": "n"}]
    assert faults.counts["cut"] == 1


def test_what_fired_is_remembered_with_the_message() -> None:
    faults = Faults()
    faults.add(drop())
    faults.decide("down", "edge-1", message(5), 1234)
    assert faults.view()["recent"] == [
        {
            "at_ms": 1234,
            "rule": "f1",
            "fault": "drop",
            "node": "edge-1",
            "direction": "down",
            "id": "m5",
            "operation": "insert",
            "resource": "default/pod/a",
        }
    ]


def test_only_the_last_ones_are_remembered_and_all_are_counted() -> None:
    faults = Faults(max_fired=3)
    faults.add(drop())
    for number in range(10):
        faults.decide("up", "n", message(number), number)
    view = faults.view()
    assert [fired["id"] for fired in view["recent"]] == ["m7", "m8", "m9"]
    assert view["counts"] == {"drop": 10}


def test_a_step_fires_once_by_its_message_and_is_no_fault_itself() -> None:
    faults = Faults()
    cut = msgspec.convert({"fault": "cut"}, FaultSpec)
    faults.wait(Watch(nth=2), cut)
    verdicts = [faults.decide("up", "n", message(number), 0) for number in range(4)]
    assert verdicts == [[], [Verdict("f1", cut, True)], [], []]
    assert faults.view()["counts"] == {}


def test_one_rule_is_cleared_by_its_id_and_the_others_stay() -> None:
    faults = Faults()
    faults.add(drop())
    faults.add(drop())
    assert faults.clear("f1") == 1
    assert [rule.id for rule in faults.rules()] == ["f2"]
    assert faults.clear() == 1
    assert not faults.active


def test_clearing_what_is_not_there_is_refused() -> None:
    with pytest.raises(FaultRefused, match="'f9'"):
        Faults().clear("f9")


def test_beyond_the_limit_spent_rules_make_room_and_waiting_ones_do_not() -> None:
    faults = Faults(max_rules=2)
    faults.add(drop())
    faults.add(drop(nth=1))
    with pytest.raises(FaultRefused, match="2 wait to fire"):
        faults.add(drop())
    faults.decide("up", "n", message(), 0)
    faults.add(drop())
    assert [rule.id for rule in faults.rules()] == ["f1", "f3"]


def verdict(kind: str, **fields: Any) -> Verdict:
    return Verdict("f1", msgspec.convert({"fault": kind, **fields}, FaultSpec), False)


def test_delays_add_up_duplicates_multiply_and_cuts_come_after() -> None:
    cut = verdict("cut")
    verdicts = [
        verdict("delay", seconds=1),
        cut,
        verdict("duplicate"),
        verdict("duplicate"),
        verdict("delay", seconds=2),
    ]
    assert passage(verdicts) == (3, 3.0, (cut,))


def test_a_drop_wins_and_the_cut_still_comes() -> None:
    cut = verdict("cut")
    assert passage([verdict("duplicate"), verdict("drop"), cut]) == (0, 0.0, (cut,))
