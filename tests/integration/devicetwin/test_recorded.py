"""The recorded devices: DeviceTwin hears what the Go edgecore heard, and says what that one said."""

import json
from typing import Any

from edgecore.beehive.message import Route
from edgecore.beehive.wire import decode
from recorded_devices import (
    FIRST_T,
    is_report_of_unchanged,
    is_unchanged,
    publications,
    reports,
    steps,
    timeless,
    with_time_of_first_value,
)


def is_of_device_twin(topic: str) -> bool:
    return topic.startswith(("$hw/events/device/", "$hw/events/node/"))


async def test_every_recorded_publication_and_report_is_made_message_for_message(node: Any, content_of: Any) -> None:
    begin = FIRST_T
    for step in steps():
        if step.topic and not is_of_device_twin(step.topic):
            continue
        await node.clock.advance((step.t - begin) / 1e9)
        begin = step.t
        if step.topic:
            await node.mqtt(step.topic, step.content)
        else:
            await node.hub.send_to_group("twin", decode(step.content))
    published = [one for one in publications() if not is_unchanged(*one)]
    for heard in await node.publications(len(published)):
        topic, payload = published.pop(0)
        assert heard.place == topic
        assert json.dumps(timeless(heard.payload)) == json.dumps(with_time_of_first_value(timeless(payload)))
    told = [one for one in reports() if not is_report_of_unchanged(one)]
    for resource, content in told:
        message = await node.reported()
        assert message.route == Route("twin", "resource", "update", resource)
        recorded = json.loads(content) if isinstance(content, str) else content
        assert isinstance(message.content, str) == isinstance(content, str)
        assert json.dumps(timeless(content_of(message))) == json.dumps(with_time_of_first_value(timeless(recorded)))
    assert await node.quiet()
