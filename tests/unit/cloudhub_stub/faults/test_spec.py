"""What faults can be asked for, and how they are put into words."""

from typing import Any

import msgspec
import pytest

from cloudhub_stub.faults.spec import KINDS, FaultSpec, arguments, check, describe, waits_for_messages


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("cut", {}),
        ("cut", {"node": "n", "every": 100, "times": 3}),
        ("half-open", {"for_": 3.5}),
        ("delay", {"seconds": 1}),
        ("drop", {"direction": "up", "operation": "update", "resource": "*", "nth": 3}),
        ("duplicate", {"resource_regex": "a+", "source": "s", "group": "g", "times": 1}),
        ("refuse-certificate", {"times": 3}),
        ("expire-token", {}),
        ("restart", {"down": 10}),
    ],
)
def test_what_makes_sense_has_no_fault(spec: Any, kind: str, fields: dict[str, Any]) -> None:
    assert list(check(spec(kind, **fields))) == []


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("delay", {}, ["seconds"]),
        ("drop", {"seconds": 1.0}, ["seconds"]),
        ("drop", {"for_": 1.0}, ["for"]),
        ("restart", {"node": "n", "nth": 1}, ["node", "nth"]),
        ("expire-token", {"times": 1}, ["times"]),
        ("cut", {"nth": 1, "every": 2}, ["every"]),
        ("cut", {"nth": 1, "times": 2}, ["times"]),
        ("drop", {"resource_regex": "("}, ["resource-regex"]),
    ],
)
def test_what_makes_no_sense_is_named_by_its_field(
    spec: Any, kind: str, fields: dict[str, Any], wrong: list[str]
) -> None:
    assert [fault.field for fault in check(spec(kind, **fields))] == wrong


@pytest.mark.parametrize(
    "fields",
    [{"nth": 0}, {"every": -1}, {"times": "2"}, {"seconds": -1}, {"direction": "left"}, {"resource": ""}, {"what": 1}],
)
def test_values_out_of_range_and_unknown_fields_cannot_be_made(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"fault": "delay", **fields}, FaultSpec)


@pytest.mark.parametrize(
    ("kind", "fields", "waits"),
    [
        ("drop", {}, True),
        ("delay", {"seconds": 1}, True),
        ("cut", {}, False),
        ("cut", {"node": "n"}, False),
        ("cut", {"direction": "up"}, True),
        ("half-open", {"for_": 3}, False),
        ("half-open", {"for_": 3, "nth": 3}, True),
        ("refuse-certificate", {"times": 3}, False),
        ("restart", {"down": 3}, False),
    ],
)
def test_a_fault_waits_for_messages_where_it_says_which(
    spec: Any, kind: str, fields: dict[str, Any], waits: bool
) -> None:
    assert waits_for_messages(spec(kind, **fields)) is waits


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("cut", {"node": "edge-1"}, "cut, node edge-1"),
        ("cut", {"every": 100}, "cut: every 100 messages"),
        ("half-open", {"for_": 5}, "half-open for 5 s"),
        ("delay", {"seconds": 0.5, "times": 2}, "delay 0.5 s: the next 2 messages"),
        ("drop", {"nth": 3, "direction": "down", "resource": "*/pod/*"}, "drop: message 3, down, resource */pod/*"),
        ("duplicate", {"source": "s", "times": 1}, "duplicate: the next message, source s"),
        ("refuse-certificate", {}, "refuse-certificate: 1 times"),
        ("restart", {}, "restart, away 0 s"),
    ],
)
def test_a_fault_is_told_in_words(spec: Any, kind: str, fields: dict[str, Any], text: str) -> None:
    assert describe(spec(kind, **fields)) == text


def test_every_kind_can_be_told_in_words(spec: Any) -> None:
    assert all(describe(spec(kind)).startswith(kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("cut", {"node": "edge-1"}, "cut --node edge-1"),
        ("half-open", {"for_": 5}, "half-open --for 5"),
        ("delay", {"seconds": 0.5, "times": 2}, "delay 0.5 --times 2"),
        ("drop", {"resource": "*/pod/*", "nth": 3}, "drop --resource '*/pod/*' --nth 3"),
        ("restart", {}, "restart"),
    ],
)
def test_a_fault_is_told_as_a_command(spec: Any, kind: str, fields: dict[str, Any], text: str) -> None:
    assert arguments(spec(kind, **fields)) == text
