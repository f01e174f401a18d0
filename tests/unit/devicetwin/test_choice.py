"""Hostile payloads: whatever they are, the documented error, and nothing else changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin.choice import decide
from edgecore.modules.devicetwin.decision import Decision, Moment, Publish
from edgecore.modules.devicetwin.devices import Device, Side, Twin, Version
from edgecore.modules.devicetwin.requests import Request
from edgecore.modules.devicetwin.topics import Action

TWIN = Twin(Side("20", 1, Version(100, 0)), Side("19", 2, Version(0, 1)), False, "int")
DEVICES = {"sensor": Device("sensor", "sensor", twins={"temp": TWIN})}
AT = Moment("edge-node", 5, lambda: "an id", lambda at_ms: f"at {at_ms}")

SOUND: dict[Action, Any] = {
    Action.MEMBERSHIP_GET: {"event_id": "e", "timestamp": 1},
    Action.TWIN_GET: {"event_id": "e", "timestamp": 1},
    Action.TWIN_UPDATE: {
        "event_id": "e",
        "timestamp": 1,
        "twin": {"temp": {"actual": {"value": "7", "metadata": {"timestamp": 5}}, "metadata": {"type": "int"}}},
    },
    Action.TWIN_CLOUD_UPDATED: {
        "event_id": "e",
        "timestamp": 1,
        "twin": {
            "temp": {
                "expected": {"value": "7", "metadata": {"timestamp": 5}},
                "optional": False,
                "metadata": {"type": "int"},
                "expected_version": {"cloud": 101, "edge": 0},
            }
        },
    },
    Action.STATE_UPDATE: {"event_id": "e", "timestamp": 1, "state": "online"},
    Action.ATTRIBUTES_UPDATED: {"event_id": "e", "timestamp": 1, "attributes": {"maker": {"value": "acme"}}},
    Action.MEMBERSHIP_UPDATED: {
        "event_id": "e",
        "timestamp": 1,
        "added_devices": [{"id": "new", "name": "n", "description": "d", "twin": {}}],
        "removed_devices": [{"id": "sensor", "name": "n"}],
    },
    Action.MEMBERSHIP_DETAIL: {"event_id": "e", "timestamp": 1, "devices": [{"id": "new", "name": "n"}]},
}
CHANGING = frozenset(SOUND) - {Action.MEMBERSHIP_GET, Action.TWIN_GET}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def told(action: Action, payload: bytes, *, local: bool = True) -> Decision:
    return decide(DEVICES, Request(action, "sensor", payload, local), AT)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each part of a JSON value."""
    found = [path]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += places(part, (*path, key))
    return found


def with_part(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    if not path:
        return part
    copied = value.copy()
    copied[path[0]] = with_part(value[path[0]], path[1:], part)
    return copied


def kind(value: Any) -> str:
    return "number" if type(value) is int else type(value).__name__


@pytest.mark.parametrize("action", SOUND)
def test_what_is_sound_is_done(action: Action) -> None:
    decision = told(action, json.dumps(SOUND[action]).encode())
    assert decision.faults == ()
    assert bool(decision.devices) == (action in CHANGING)
    assert not [word for word in decision.words if isinstance(word, Publish) and hasattr(word.payload, "code")]


@given(st.data())
def test_a_part_of_another_json_type_gets_the_documented_error_and_changes_nothing(data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(sorted(SOUND, key=lambda one: one.name)))
    path = data.draw(st.sampled_from(places(SOUND[action])))
    was = SOUND[action]
    for key in path:
        was = was[key]
    wrong = data.draw(st.sampled_from([0.5, True, [1], "x", 1, {"a": 1}]).filter(lambda one: kind(one) != kind(was)))
    decision = told(action, json.dumps(with_part(SOUND[action], path, wrong)).encode())
    assert decision.devices == {}
    assert decision.rows == ()
    refusals = [word for word in decision.words if isinstance(word, Publish)]
    if action in (Action.TWIN_UPDATE, Action.TWIN_GET, Action.MEMBERSHIP_GET):
        assert [word.payload.code for word in refusals] == [400]
    else:
        assert len(decision.faults) == 1


@given(action=st.sampled_from(sorted(SOUND, key=lambda one: one.name)), value=JSON, local=st.booleans())
def test_no_json_value_raises_and_what_is_said_is_json(action: Action, value: Any, local: bool) -> None:
    decision = told(action, json.dumps(value).encode(), local=local)
    for word in decision.words:
        json.loads(marshal(word.payload if isinstance(word, Publish) else word.content))
    assert decision.devices == {}


@given(action=st.sampled_from(sorted(SOUND, key=lambda one: one.name)), payload=st.binary(max_size=60))
def test_no_bytes_raise(action: Action, payload: bytes) -> None:
    for word in told(action, payload).words:
        json.loads(marshal(word.payload if isinstance(word, Publish) else word.content))


@pytest.mark.parametrize("action", sorted(CHANGING, key=lambda one: one.name))
def test_what_is_left_out_or_null_is_empty(action: Action) -> None:
    for path in places(SOUND[action])[1:]:
        told(action, json.dumps(with_part(SOUND[action], path, None)).encode())
    assert told(action, b"{}").devices == {}
