"""The worked example of spec 7.8 over a real broker: ``edgecore run`` says each of its messages."""

import json
from typing import Any

import pytest

from deviceplace import Place, until

pytestmark = pytest.mark.needs_mosquitto

SENSOR = "$hw/events/device/sensor/twin"
MEMBERSHIP = "$hw/events/node/edge-node1/membership/updated"
TYPED = {"optional": False, "metadata": {"type": "int"}}
REPORT = "device/sensor/twin/edge_updated"


def wanted_twin(value: str, cloud: int) -> dict[str, Any]:
    expected = {"value": value, "metadata": {"timestamp": 1589000000000}}
    return {"temp": {"expected": expected, **TYPED, "expected_version": {"cloud": cloud, "edge": 0}}}


def side(value: str, timestamp: Any = "T") -> dict[str, Any]:
    return {"value": value, "metadata": {"timestamp": timestamp}}


def shown(document: Any) -> Any:
    """Return a payload with ``T`` for each time of the node, and ``uuid`` for each id that it drew."""
    if isinstance(document, list):
        return [shown(one) for one in document]
    if not isinstance(document, dict):
        return document
    found = {}
    for key, value in document.items():
        is_now = key == "timestamp" and value > 1_700_000_000_000
        is_drawn = key == "event_id" and len(value) == 36
        found[key] = "T" if is_now else "uuid" if is_drawn else shown(value)
    return found


class Talk:
    """What is said on MQTT and to the cloud, taken message by message."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._heard = 0
        self._told = 0

    async def says(self, payload: dict[str, Any]) -> None:
        """Have the device report."""
        self._heard += 1  # its own message
        await self._place.publish(f"{SENSOR}/update", json.dumps({"timestamp": 1, **payload}), 1)

    async def hears(self, topic: str) -> Any:
        """Return the next message, which has to be of ``topic``."""
        self._heard += 1
        await self._place.heard(self._heard, topic)
        seen = self._place.recorder.seen[self._heard - 1]
        assert (seen.topic, seen.qos, seen.retain) == (topic, 1, False)
        return shown(json.loads(seen.payload))

    async def cloud_hears(self) -> Any:
        """Return the content of the next report."""
        self._told += 1
        reports = self._place.cloud.reports
        await until(lambda: len(self._place.cloud.reports) >= self._told, "a report")
        reports = self._place.cloud.reports
        frame = reports[self._told - 1]
        assert frame.route == ("twin", "resource", "update", REPORT)
        return shown(frame.document["content"])


async def test_the_worked_example_is_had_message_for_message(place: Place) -> None:
    await place.start()
    talk = Talk(place)

    device = {"id": "sensor", "name": "sensor", "description": "d", "twin": wanted_twin("20", 100)}
    await place.cloud.tell("membership", {"event_id": "m", "timestamp": 1, "added_devices": [device]})

    wish = {"expected": side("20"), **TYPED}
    assert await talk.hears(f"{SENSOR}/update/document") == {
        "event_id": "",
        "timestamp": "T",
        "twin": {"temp": {"last": None, "current": wish}},
    }
    assert await talk.hears(f"{SENSOR}/update/delta") == {
        "event_id": "uuid",
        "timestamp": "T",
        "twin": {"temp": wish},
        "delta": {"temp": "20"},
    }
    bare = {**device, "twin": {"temp": {"expected": side("20", 1589000000000), **TYPED}}}
    assert await talk.hears(MEMBERSHIP) == {
        "event_id": "uuid",
        "timestamp": "T",
        "added_devices": [bare],
        "removed_devices": None,
    }

    await talk.says({"event_id": "u1", "twin": {"temp": {"actual": {"value": "19"}}}})

    both = {"expected": side("20"), "actual": side("19"), **TYPED}
    assert await talk.hears(f"{SENSOR}/update/result") == {
        "event_id": "u1",
        "timestamp": "T",
        "twin": {"temp": {"actual": side("19"), **TYPED}},
    }
    assert await talk.hears(f"{SENSOR}/update/document") == {
        "event_id": "u1",
        "timestamp": "T",
        "twin": {"temp": {"last": wish, "current": both}},
    }
    assert await talk.hears(f"{SENSOR}/update/delta") == {
        "event_id": "uuid",
        "timestamp": "T",
        "twin": {"temp": both},
        "delta": {"temp": "20"},
    }
    assert await talk.cloud_hears() == {
        "event_id": "uuid",
        "timestamp": "T",
        "twin": {"temp": {"actual": side("19"), **TYPED, "actual_version": {"cloud": 0, "edge": 1}}},
    }


async def test_what_cannot_be_is_refused_what_is_deleted_is_told_and_the_stale_is_answered(place: Place) -> None:
    await place.start()
    talk = Talk(place)
    device = {"id": "sensor", "name": "sensor", "description": "d", "twin": wanted_twin("20", 100)}
    await place.cloud.tell("membership", {"event_id": "m", "timestamp": 1, "added_devices": [device]})
    for topic in (f"{SENSOR}/update/document", f"{SENSOR}/update/delta", MEMBERSHIP):
        await talk.hears(topic)

    await talk.says({"event_id": "u2", "twin": {"temp": {"actual": {"value": "abc"}}}})
    assert await talk.hears(f"{SENSOR}/update/result") == {
        "event_id": "u2",
        "timestamp": "T",
        "code": 400,
        "reason": "the value is not int",
    }

    await talk.says({"event_id": "u3", "twin": {"hum": {"actual": {"value": "40"}}}})
    for word in ("result", "document", "delta"):
        await talk.hears(f"{SENSOR}/update/{word}")
    await talk.cloud_hears()
    await talk.says({"event_id": "u4", "twin": {"hum": None}})
    assert (await talk.hears(f"{SENSOR}/update/result"))["twin"] == {"hum": None}
    await talk.hears(f"{SENSOR}/update/document")
    await talk.hears(f"{SENSOR}/update/delta")
    assert (await talk.cloud_hears())["twin"] == {
        "hum": {
            "actual": {},
            "optional": True,
            "metadata": {"type": "deleted"},
            "expected_version": {"cloud": 0, "edge": 0},
            "actual_version": {"cloud": 0, "edge": 2},
        }
    }

    await place.cloud.tell("device/sensor/twin/cloud_updated", {"event_id": "c1", "twin": wanted_twin("25", 101)})
    for word in ("document", "delta"):
        await talk.hears(f"{SENSOR}/update/{word}")
    await place.cloud.tell("device/sensor/twin/cloud_updated", {"event_id": "c2", "twin": wanted_twin("30", 99)})
    (answer,) = (await talk.cloud_hears())["twin"].values()
    assert answer == {"expected": side("25"), **TYPED, "expected_version": {"cloud": 101, "edge": 0}}
