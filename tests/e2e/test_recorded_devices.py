"""The recorded MQTT exchange, message for message: ``edgecore run``, a real broker, and the recorded cloud."""

import json
from collections import Counter
from typing import Any

import pytest

from deviceplace import Place, until
from mosquitto import Seen
from recorded_devices import (
    Recorded,
    counted,
    difference,
    exchange,
    is_report_of_unchanged,
    is_unchanged,
    reports,
    steps,
)

pytestmark = pytest.mark.needs_mosquitto

NEWS = "node/connection"
PLAIN = "a/b"
"""What a program of the recorded cloud had the node publish, minutes after the devices."""

NAMED = Counter(V3=27, W8=1, DT1=4)
"""How often which line of docs/fidelity.md explains a difference on MQTT."""
REPORTS_NAMED = Counter(W8=1, DT1=1)
"""How often, of what the cloud gets."""


def is_of_the_node(message: Recorded) -> bool:
    """The node publishes with QoS 1; those who played devices did with QoS 0."""
    return message.qos == 1


def expected() -> tuple[list[Recorded], Counter[str]]:
    """Return what of the recording has to come again, and how much of it must not, by the line that says so."""
    left, named = [], Counter[str]()
    for one in exchange():
        if one.topic == NEWS:
            named["V3"] += 1
        elif is_of_the_node(one) and one.topic != PLAIN and is_unchanged(one.topic, json.loads(one.payload)):
            named["W8"] += 1
        else:
            left.append(one)
    return left, named


async def play(place: Place, wanted: list[Recorded]) -> None:
    """Say what was said to the Go edgecore, each time once all has come that came in the recording until then."""
    for step in steps():
        until_then = sum(one.t < step.t and one.topic != PLAIN for one in wanted)
        await place.heard(until_then, f"what is before {step}")
        if not step.topic:
            await place.cloud.send(step.content)
            continue
        await place.publish(step.topic, step.content, 0)
    await place.heard(len(wanted) - 1, "the last answers")
    await place.cloud.tell(PLAIN, "hello", group="user", operation="publish")
    await place.heard(len(wanted), PLAIN)


async def test_the_recorded_mqtt_exchange_is_had_message_for_message(place: Place) -> None:
    await place.start()
    wanted, named = expected()

    await play(place, wanted)

    seen = place.recorder.seen
    assert [one.topic for one in seen] == [one.topic for one in wanted]
    assert [(one.qos, one.retain) for one in seen] == [(one.qos, one.retain) for one in wanted]
    named += counted(difference(theirs.payload, text(ours)) for theirs, ours in zip(wanted, seen, strict=True))
    assert named == NAMED
    assert named["V3"] + named["W8"] + len(seen) == len(exchange())


async def test_the_cloud_gets_the_recorded_reports_and_uploads(place: Place) -> None:
    await place.start()
    wanted, _ = expected()
    await play(place, wanted)
    recorded = [one for one in reports() if not is_report_of_unchanged(one)]
    await until(lambda: len(place.cloud.reports) >= len(recorded), "the reports")

    named = Counter(W8=len(reports()) - len(recorded))
    assert [one.resource for one in place.cloud.reports] == [resource for resource, _ in recorded]
    for ours, (_, theirs) in zip(place.cloud.reports, recorded, strict=True):
        content = json.loads(ours.text)["content"]
        assert isinstance(content, str) == isinstance(theirs, str)
        named += counted(iter([difference(as_text(theirs), as_text(content))]))
    assert named == REPORTS_NAMED
    uploads = [(*one.route, one.document["content"]) for one in place.cloud.said if one.route[0] == "bus"]
    assert uploads == [
        ("bus", "user", "response", "JGh3L2V2ZW50cy91cGxvYWQvYWJj", '{"hello": 1}'),
        ("bus", "user", "response", "SYS/dis/upload_records", '{"rec": 1}'),
    ]


def text(message: Seen) -> str:
    return message.payload.decode()


def as_text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
