"""Devices that come and go (7.4)."""

import json
from typing import Any

from msgspec import to_builtins

from edgecore.modules.devicetwin import membership
from edgecore.modules.devicetwin.decision import Decision, DropDevice, Moment, Publish, PutDevice, PutTwin
from edgecore.modules.devicetwin.devices import Attribute, Device, Side, Twin, Version

AT = Moment("edge-node", 5, lambda: "an id", lambda at_ms: f"at {at_ms}")
TWIN = Twin(Side("20", 1, Version(100, 0)), None, False, "int")
KNOWN = {"old": Device("old", "Old", "d", "online", "then", {"maker": Attribute("acme")}, {"temp": TWIN})}
WANTED = {
    "expected": {"value": "20", "metadata": {"timestamp": 9}},
    "optional": False,
    "metadata": {"type": "int"},
    "expected_version": {"cloud": 100, "edge": 0},
}


def told(content: Any, devices: dict[str, Device] | None = None) -> Decision:
    known = KNOWN if devices is None else devices
    return membership.update_membership(known, json.dumps(content).encode(), AT)


def topics_of(decision: Decision) -> list[str]:
    return [word.topic.split("/", 3)[3] for word in decision.words if isinstance(word, Publish)]


def last_payload(decision: Decision) -> Any:
    word = decision.words[-1]
    assert isinstance(word, Publish)
    return to_builtins(word.payload)


def test_a_new_device_is_stored_before_its_twins_and_told_after_them() -> None:
    decision = told({"added_devices": [{"id": "a", "name": "A", "twin": {"temp": WANTED}}]}, {})
    assert [type(row) for row in decision.rows] == [PutDevice, PutTwin]
    assert topics_of(decision) == ["a/twin/update/document", "a/twin/update/delta", "edge-node/membership/updated"]


def test_what_is_told_on_has_no_versions_and_null_for_a_deleted_twin() -> None:
    gone = {"expected": {"value": "1"}, "metadata": {"type": "deleted"}, "expected_version": {"cloud": 1, "edge": 0}}
    decision = told({"added_devices": [{"id": "a", "twin": {"temp": WANTED, "hum": gone}}]}, {})
    assert last_payload(decision) == {
        "event_id": "an id",
        "timestamp": 5,
        "added_devices": [
            {"id": "a", "twin": {"hum": None, "temp": {k: v for k, v in WANTED.items() if k != "expected_version"}}}
        ],
        "removed_devices": None,
    }


def test_a_device_that_is_known_gets_its_twins_and_is_not_told() -> None:
    newer = {**WANTED, "expected": {"value": "21"}, "expected_version": {"cloud": 101, "edge": 0}}
    decision = told({"added_devices": [{"id": "old", "name": "New", "twin": {"temp": newer}}]})
    assert topics_of(decision) == ["old/twin/update/document", "old/twin/update/delta"]
    device = decision.devices["old"]
    assert device is not None
    assert device.twins["temp"].expected == Side("21", 5, Version(101, 0))
    assert device.attributes == KNOWN["old"].attributes


def test_a_device_that_goes_and_one_that_is_not_there() -> None:
    decision = told({"removed_devices": [{"id": "old", "name": "Old"}, {"id": "nobody"}]})
    assert decision.devices == {"old": None}
    assert decision.rows == (DropDevice("old"),)
    assert topics_of(decision) == ["edge-node/membership/updated"]
    assert last_payload(decision)["removed_devices"] == [{"id": "old", "name": "Old"}]


def test_a_device_that_is_added_and_removed_in_one_message_is_gone() -> None:
    decision = told({"added_devices": [{"id": "a"}], "removed_devices": [{"id": "a"}]}, {})
    assert decision.devices == {"a": None}
    assert [type(row) for row in decision.rows] == [PutDevice, DropDevice]


def test_a_device_that_is_listed_twice_is_added_once() -> None:
    decision = told({"added_devices": [{"id": "a"}, {"id": "a"}]}, {})
    assert topics_of(decision) == ["edge-node/membership/updated"]


def test_devices_beyond_the_limit_are_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(membership, "MAX_DEVICES", 2)
    decision = told({"added_devices": [{"id": "a"}, {"id": "b"}]})
    assert decision.devices.keys() == {"a"}
    assert [fault.reason for fault in decision.faults] == ["too_many_devices"]


def test_a_device_that_goes_makes_room_for_one_of_the_next_message(monkeypatch: Any) -> None:
    monkeypatch.setattr(membership, "MAX_DEVICES", 1)
    gone = told({"removed_devices": [{"id": "old"}]})
    assert gone.devices == {"old": None}
    assert told({"added_devices": [{"id": "a"}]}, {}).devices.keys() == {"a"}


def test_a_device_that_is_not_listed_any_more_makes_room_for_one_that_is(monkeypatch: Any) -> None:
    monkeypatch.setattr(membership, "MAX_DEVICES", 1)
    decision = membership.replace_membership(KNOWN, b'{"devices":[{"id":"a"},{"id":"b"}]}', AT)
    assert decision.devices == {"a": Device("a"), "old": None}
    assert [fault.reason for fault in decision.faults] == ["too_many_devices"]


def test_the_answer_lists_devices_with_attributes_and_without_twins() -> None:
    decision = membership.show_membership(KNOWN, b'{"event_id":"m1"}', AT)
    assert last_payload(decision) == {
        "event_id": "m1",
        "timestamp": 5,
        "devices": [
            {
                "id": "old",
                "name": "Old",
                "description": "d",
                "state": "online",
                "last_online": "then",
                "attributes": {"maker": {"value": "acme", "optional": True, "metadata": {"type": "string"}}},
            }
        ],
    }


def test_the_answer_without_devices_is_an_empty_list() -> None:
    assert last_payload(membership.show_membership({}, b"{}", AT))["devices"] == []
