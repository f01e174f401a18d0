"""Devices: what nodes are told of them, beside what the Go cloud told them in the recording."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers import devices
from cluster.devices import device
from edgecore.ids import seeded_ids

RECORDING = Path(__file__).parents[4] / "tests/data/d_devices_twins.jsonl"
NOW_MS = 1_589_000_000_000

names = st.sampled_from(["power", "temp", "mode"])
wanted = st.fixed_dictionaries({"value": st.text(max_size=3), "type": st.sampled_from(["string", "int"])})
tables = st.dictionaries(names, wanted)


def recorded() -> Iterator[dict[str, Any]]:
    """Return the messages of the recording that the cloud's device controller sent."""
    for line in RECORDING.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("dir") == "cloud->edge":
            message = json.loads(entry["text"])
            if message["route"]["source"] == devices.DEVICECONTROLLER:
                yield message


def bare(table: dict[str, Any], version: str = "7") -> Object:
    """Return a device with those desired values, as ``desired_of`` shows them."""
    twins = [
        {"propertyName": key, "desired": {"value": each["value"], "metadata": {"type": each["type"]}}}
        for key, each in table.items()
    ]
    return {
        "kind": "Device",
        "metadata": {"name": "d", "namespace": "default", "resourceVersion": version},
        "spec": {},
        "status": {"twins": twins},
    }


def test_each_recorded_message_comes_out_of_the_objects_that_were_there_then() -> None:
    on, off = {"power-status": "ON"}, {"power-status": "OFF"}
    ids = iter([message["content"]["event_id"] for message in recorded()])
    times = [message["content"]["timestamp"] for message in recorded()]
    first, second = device(desired=on), device("led-2", desired=on, version="403")
    changed, gone = device(desired=off, version="394"), device(desired=off, version="406")
    told = {"edge-node1": devices.desired_of(first)}
    told_off = {"edge-node1": devices.desired_of(changed)}
    ours = [
        *devices.messages(first, {}, ids.__next__, times[0]),
        *devices.messages(changed, told, ids.__next__, times[1]),
        *devices.messages(second, {}, ids.__next__, times[2]),
        *devices.messages(gone, told_off, ids.__next__, times[3], is_gone=True),
        *devices.messages(device("led-2", desired=on, version="408"), told, ids.__next__, times[4], is_gone=True),
    ]
    theirs = [("edge-node1", message["route"]["resource"], message["content"]) for message in recorded()]
    assert [tuple(each) for each in ours] == theirs
    assert len(theirs) == 5


def test_contents_have_the_keys_in_the_order_of_go() -> None:
    theirs = json.dumps(next(recorded())["content"])
    sent = json.loads(theirs)
    ours = devices.added(device(desired={"power-status": "ON"}), sent["event_id"], sent["timestamp"])
    assert json.dumps(ours) == theirs


def test_a_device_without_a_selector_has_no_node() -> None:
    assert devices.node_of(device(node="")) == ""


@pytest.mark.parametrize(
    "selector",
    [
        None,
        {},
        {"nodeSelectorTerms": []},
        {"nodeSelectorTerms": [{}]},
        {"nodeSelectorTerms": [{"matchExpressions": []}]},
        {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]},
    ],
)
def test_a_selector_that_names_no_node_gives_none(selector: Any) -> None:
    assert devices.node_of({"spec": {"nodeSelector": selector}}) == ""


def test_the_first_value_of_the_first_expression_is_the_node() -> None:
    first = {"key": "", "operator": "In", "values": ["a", "b"]}
    terms = [{"matchExpressions": [first, {"values": ["c"]}]}, {"matchExpressions": [{"values": ["d"]}]}]
    assert devices.node_of({"spec": {"nodeSelector": {"nodeSelectorTerms": terms}}}) == "a"


def test_a_device_is_found_by_its_name_on_the_node_alone() -> None:
    here, there = device(node="here"), device(node="there", namespace="other")
    assert devices.device_named([here, there], "led-1", "there") is there
    assert devices.device_named([here, there], "led-1", "nowhere") is None


def test_a_device_that_moves_is_removed_from_the_old_node_and_added_to_the_new() -> None:
    moved = device(node="new", desired={"power": "ON"})
    sent = devices.messages(moved, {"old": devices.desired_of(moved)}, seeded_ids(1), NOW_MS)
    assert [(each.node, each.resource) for each in sent] == [("old", "membership"), ("new", "membership")]
    assert [each.content["added_devices"] is None for each in sent] == [True, False]


def test_a_device_that_loses_its_node_is_removed_from_it() -> None:
    (sent,) = devices.messages(device(node=""), {"old": {}}, seeded_ids(1), NOW_MS)
    assert (sent.node, sent.content["removed_devices"][0]["id"]) == ("old", "led-1")


def test_a_node_that_knows_everything_hears_nothing() -> None:
    held = device(desired={"power": "ON"})
    told = {"edge-node1": devices.desired_of(held)}
    assert devices.messages(device(desired={"power": "ON"}, version="400"), told, seeded_ids(1), NOW_MS) == []


def test_a_device_that_is_gone_and_was_on_no_node_is_told_to_nobody() -> None:
    assert devices.messages(device(), {}, seeded_ids(1), NOW_MS, is_gone=True) == []


def test_each_message_has_an_event_id_of_its_own() -> None:
    sent = devices.messages(device(node="c"), {"a": {}, "b": {}}, seeded_ids(1), NOW_MS)
    assert len({each.content["event_id"] for each in sent}) == 3


def test_only_the_desired_values_that_changed_are_told() -> None:
    before = devices.desired_of(device(desired={"power": "ON", "mode": "eco"}))
    update = devices.twin_update(device(desired={"power": "ON", "mode": "max"}), before, "e", NOW_MS)
    assert update is not None
    assert list(update["twin"]) == ["mode"]


def test_a_property_that_changes_its_type_is_told_anew() -> None:
    before = devices.desired_of(device(desired={"temp": ("20", "string")}))
    update = devices.twin_update(device(desired={"temp": ("20", "int")}), before, "e", NOW_MS)
    assert update is not None
    assert update["twin"]["temp"]["metadata"] == {"type": "int"}


def test_a_property_that_is_no_more_is_told_as_deleted_with_its_last_value() -> None:
    before = devices.desired_of(device(desired={"power": "ON"}))
    update = devices.twin_update(device(version="9"), before, "e", NOW_MS)
    assert update == {
        "event_id": "e",
        "timestamp": NOW_MS,
        "twin": {
            "power": {
                "expected": {"value": "ON", "metadata": {"timestamp": NOW_MS}},
                "optional": False,
                "metadata": {"type": "deleted"},
                "expected_version": {"cloud": 9, "edge": 0},
            }
        },
    }


def test_a_property_without_a_desired_value_is_the_empty_text() -> None:
    held = device()
    held["status"]["twins"] = [{"propertyName": "temp", "reported": {"value": "3", "metadata": {"type": "int"}}}]
    assert devices.desired_of(held) == {"temp": {"value": "", "type": "string"}}


@pytest.mark.parametrize("status", [None, {}, {"twins": None}])
def test_a_device_without_twins_is_described_without_them(status: Any) -> None:
    held = device() | {"status": status}
    (described,) = devices.added(held, "e", NOW_MS)["added_devices"]
    assert described == {"id": "led-1", "name": "led-1", "description": "LEDLight"}


def test_a_device_without_a_description_has_none() -> None:
    (described,) = devices.added(device(labels=None), "e", NOW_MS)["added_devices"]
    assert described == {"id": "led-1", "name": "led-1"}


def test_a_device_of_which_only_the_name_is_known_can_be_removed() -> None:
    content = devices.forgotten("led-1", "e", NOW_MS)
    assert content["removed_devices"] == [{"id": "led-1", "name": "led-1"}]
    assert content["added_devices"] is None


def test_the_answer_to_a_node_describes_its_devices_as_their_coming_did() -> None:
    held = [device(desired={"power": "ON"}), device("led-2")]
    added = [each for one in held for each in devices.added(one, "e", NOW_MS)["added_devices"]]
    assert devices.detail(held, "e", NOW_MS) == {"event_id": "e", "timestamp": NOW_MS, "devices": added}


@pytest.mark.parametrize("version", ["", "abc", "²", "9" * 30])
def test_a_version_that_is_no_number_is_0(version: str) -> None:
    (described,) = devices.added(device(desired={"a": "b"}, version=version), "e", NOW_MS)["added_devices"]
    assert described["twin"]["a"]["expected_version"] == {"cloud": 0, "edge": 0}


@given(before=tables, after=tables)
def test_an_edge_that_takes_every_update_ends_with_the_desired_values(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    known = {name: dict(each) for name, each in before.items()}
    update = devices.twin_update(bare(after), before, "e", NOW_MS)
    for name, twin in (update or {"twin": {}})["twin"].items():
        if twin["metadata"]["type"] == "deleted":
            del known[name]
        else:
            known[name] = {"value": twin["expected"]["value"], "type": twin["metadata"]["type"]}
    assert known == after == devices.desired_of(bare(after))


@given(before=tables, after=tables)
def test_nothing_is_told_exactly_where_nothing_changed(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert (devices.twin_update(bare(after), before, "e", NOW_MS) is None) == (before == after)


@given(table=tables)
def test_what_was_told_can_be_kept_as_json(table: dict[str, Any]) -> None:
    desired = devices.desired_of(bare(table))
    assert json.loads(json.dumps(desired)) == desired
