"""A cloud that answers the question for all devices: exactly those are there, and MQTT hears what changed."""

import json
from typing import Any

import pytest

from deviceplace import Place, until

pytestmark = pytest.mark.needs_mosquitto

MEMBERSHIP = "$hw/events/node/edge-node1/membership"


def device(name: str) -> dict[str, Any]:
    return {"id": name, "name": name, "description": "d"}


async def test_after_the_answer_exactly_the_listed_devices_are_there(place: Place) -> None:
    await place.start()
    (question,) = await until(lambda: [one for one in place.cloud.said if one.resource == "membership/detail"], "it")
    assert question.route == ("twin", "resource", "get", "membership/detail")
    await place.cloud.tell("membership", {"added_devices": [device("goes"), device("stays")]})
    await place.heard(2, "two devices")

    listed = {"event_id": "", "timestamp": 1, "devices": [device("comes"), device("stays")]}
    await place.cloud.tell("membership/detail", listed, operation="response", parent=question.id)

    await place.heard(4, "what changed")
    added, removed = (json.loads(one.payload) for one in place.recorder.seen[2:])
    assert (added["added_devices"], added["removed_devices"]) == ([device("comes")], None)
    assert (removed["added_devices"], removed["removed_devices"]) == (None, [device("goes")])
    await place.publish(f"{MEMBERSHIP}/get", json.dumps({"event_id": "m"}))
    await place.heard(6, "the answer")
    answer = place.recorder.seen[-1]
    assert answer.topic == f"{MEMBERSHIP}/get/result"
    assert json.loads(answer.payload)["devices"] == [device("comes"), device("stays")]
