"""Reports of nodes about their devices: what they change, and what becomes of nonsense."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.controllers.devicereports import (
    MAX_TEXT,
    STATE_REPORT,
    TWIN_REPORT,
    Disagreement,
    Report,
    disagreements,
    report_of,
    reported,
    state_reported,
)
from cluster.devices import device
from edgecore.errors import ContentError

RECORDING = Path(__file__).parents[4] / "tests/data/d_devices_twins.jsonl"
NOW_MS = 1_589_000_000_000

LED = {
    "metadata": {"name": "led-1"},
    "spec": {},
    "status": {"twins": [{"propertyName": "power", "desired": {"value": "ON", "metadata": {"type": "string"}}}]},
}
words = st.sampled_from(["twin", "power", "actual", "expected", "expected_version", "metadata", "value", "timestamp"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3), max_leaves=12
)


def recorded() -> Iterator[tuple[str, Any]]:
    """Return resource and content of what the recorded node reported of its devices."""
    for line in RECORDING.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("dir") == "edge->cloud":
            message = json.loads(entry["text"])
            if message["route"]["source"] == "twin":
                yield message["route"]["resource"], message["content"]


def report(value: Any = "19", timestamp: Any = 5, value_type: Any = "int", name: str = "temp") -> dict[str, Any]:
    actual = {"value": value, "metadata": {"timestamp": timestamp}}
    return {"event_id": "e", "timestamp": 7, "twin": {name: {"actual": actual, "metadata": {"type": value_type}}}}


def test_recorded_reports_end_in_the_status_that_the_go_cloud_had() -> None:
    held, seen = device(desired={"power-status": "ON"}), []
    for resource, content in recorded():
        if report_of(resource) == Report("led-1", TWIN_REPORT):
            held = reported(held, content, NOW_MS) or held
            seen.append(held["status"]["twins"][0].get("reported"))
    assert seen[0] == {"value": "ON", "metadata": {"timestamp": "1795169934292", "type": "string"}}
    assert seen[-1] == {"value": "OFF", "metadata": {"timestamp": "1795169946325", "type": "string"}}
    assert len(held["status"]["twins"]) == 1


def test_recorded_states_are_kept() -> None:
    held = device()
    for resource, content in recorded():
        if report_of(resource) == Report("led-1", STATE_REPORT):
            held = state_reported(held, content) or held
    assert held["status"]["state"] == "offline"
    assert held["status"]["lastOnlineTime"] == "2026-11-20 10:19:19"


def test_the_recorded_refusal_is_a_disagreement() -> None:
    held = device(desired={"power-status": "X"})
    found = [each for resource, content in recorded() if "twin" in resource for each in disagreements(held, content)]
    assert found == [Disagreement("power-status", "OFF", 394, 0)]


def test_a_desired_value_that_both_hold_is_no_disagreement() -> None:
    content = {"twin": {"power": {"expected": {"value": "ON"}, "expected_version": {"cloud": 3, "edge": 0}}}}
    assert disagreements(device(desired={"power": "ON"}), content) == []


@pytest.mark.parametrize(
    "resource",
    ["device/a/b/state", "device//state", "device/a", "membership/detail", "", "device/a/twin/cloud_updated"],
)
def test_another_resource_is_no_report(resource: str) -> None:
    assert report_of(resource) is None


def test_an_actual_value_is_shown_with_its_time_and_type() -> None:
    after = reported(device(desired={"temp": ("20", "int")}), report(), NOW_MS)
    assert after is not None
    assert after["status"]["twins"][0]["reported"] == {"value": "19", "metadata": {"timestamp": "5", "type": "int"}}
    assert after["status"]["twins"][0]["desired"]["value"] == "20"


@pytest.mark.parametrize(("sent", "shown"), [(7, "7"), (None, str(NOW_MS))])
def test_a_value_without_a_time_gets_that_of_the_report_or_else_of_its_arrival(sent: int | None, shown: str) -> None:
    content = report(timestamp=None) | {"timestamp": sent}
    after = reported(device(desired={"temp": "20"}), content, NOW_MS)
    assert after is not None
    assert after["status"]["twins"][0]["reported"]["metadata"]["timestamp"] == shown


def test_the_same_report_once_more_changes_nothing() -> None:
    after = reported(device(desired={"temp": "20"}), report(), NOW_MS)
    assert after is not None
    assert reported(after, report(), NOW_MS + 1) is None


def test_a_property_that_the_device_does_not_have_is_passed_over() -> None:
    assert reported(device(desired={"power": "ON"}), report(), NOW_MS) is None


@pytest.mark.parametrize("said", [None, {}, {"actual": None}, {"actual": {}, "metadata": {"type": "deleted"}}])
def test_a_property_of_which_no_value_is_said_keeps_what_was_reported(said: Any) -> None:
    after = reported(device(desired={"temp": "20"}), report(), NOW_MS)
    assert after is not None
    assert reported(after, {"twin": {"temp": said}}, NOW_MS) is None


def test_a_refusal_does_not_change_the_device() -> None:
    content = {"twin": {"power": {"expected": {"value": "OFF"}, "expected_version": {"cloud": 900, "edge": 1}}}}
    held = device(desired={"power": "ON"})
    assert reported(held, content, NOW_MS) is None
    assert disagreements(held, content) == [Disagreement("power", "OFF", 900, 1)]


def test_the_object_from_the_registry_is_not_changed() -> None:
    held = device(desired={"temp": "20"})
    before = copy.deepcopy(held)
    reported(held, report(), NOW_MS)
    state_reported(held, {"device": {"state": "online"}})
    assert held == before


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (None, "expected an object, found null"),
        ([], "expected an object, found list"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"twin": []}, "twin: expected an object, found list"),
        ({"twin": {"temp": "x"}}, "twin.temp: expected an object, found str"),
        ({"twin": {"temp": {"actual": 3}}}, "twin.temp.actual: expected an object, found int"),
        (report(value=19), "twin.temp.actual.value: expected a text, found int"),
        (report(value="x" * (MAX_TEXT + 1)), "twin.temp.actual.value: longer than 4096 characters"),
        (report(timestamp="5"), "twin.temp.actual.metadata.timestamp: expected a whole number of 64 bits"),
        (report(timestamp=True), "twin.temp.actual.metadata.timestamp: expected a whole number of 64 bits"),
        (report(timestamp=2**63), "twin.temp.actual.metadata.timestamp: expected a whole number of 64 bits"),
        (report(value_type=1), "twin.temp.metadata.type: expected a text, found int"),
    ],
)
def test_a_report_of_another_shape_is_refused_with_its_place(content: Any, place: str) -> None:
    with pytest.raises(ContentError) as refused:
        reported(device(desired={"temp": "20"}), content, NOW_MS)
    assert str(refused.value) == f"cannot take report of device led-1: {place}"


def test_a_long_name_of_a_property_is_cut_in_the_error() -> None:
    with pytest.raises(ContentError) as refused:
        reported(device(), {"twin": {"x" * 10_000: 1}}, NOW_MS)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("state", [None, "", "Online", "gone", 1])
def test_a_state_that_there_is_not_is_refused(state: Any) -> None:
    with pytest.raises(ContentError, match=r"led-1: device\.state: expected"):
        state_reported(device(), {"device": {"state": state}})


def test_a_state_without_a_time_keeps_the_last_time() -> None:
    online = state_reported(device(), {"device": {"state": "online", "last_online": "2026-01-02 03:04:05"}})
    assert online is not None
    offline = state_reported(online, {"device": {"state": "offline", "last_online": ""}})
    assert offline is not None
    assert offline["status"] == {"twins": [], "state": "offline", "lastOnlineTime": "2026-01-02 03:04:05"}


def test_the_same_state_once_more_changes_nothing() -> None:
    online = state_reported(device(), {"device": {"state": "online"}})
    assert online is not None
    assert state_reported(online, '{"device": {"state": "online"}}') is None


@given(content=documents | documents.map(json.dumps) | st.text())
def test_no_report_raises_another_error(content: Any) -> None:
    for take in (lambda: reported(LED, content, NOW_MS), lambda: disagreements(LED, content)):
        with suppress(ContentError):
            take()


@given(content=documents)
def test_no_state_raises_another_error(content: Any) -> None:
    with suppress(ContentError):
        state_reported(LED, {"device": content})
