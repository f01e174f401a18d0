"""What comes and goes by MQTT is shown to who looks, with the message of the bus that it belongs to."""

from collections.abc import Callable
from typing import Any

import pytest

from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.recording.entries import MqttDirection
from edgecore.recording.watch import Watch
from eventbusrig import received

NOBODY = Endpoint("external", "127.0.0.1", 9)
OTHER = Endpoint("internal", "127.0.0.1", 9)
TOPIC = "$hw/events/device/sensor/twin/update"

Shown = list[tuple[Any, ...]]


@pytest.fixture
async def watched(rig: Any) -> Callable[..., Any]:
    """``await watched(*endpoints)``: start with somebody who looks; return what is shown."""

    async def start(*endpoints: Endpoint) -> Shown:
        watch, shown = Watch(), []
        watch.mqtt = lambda *told: shown.append(told)
        await rig.start(*endpoints, watch=watch)
        return shown

    return start


async def test_what_comes_is_shown_as_it_came_with_the_id_that_it_gets(rig: Any, watched: Any) -> None:
    shown = await watched(NOBODY)

    rig.module.arrived("external", TOPIC, b"\xff{}")
    (message,) = await received(rig.twin)

    assert shown == [(MqttDirection.IN, "external", TOPIC, b"\xff{}", message.header.id)]


async def test_what_comes_is_shown_before_it_is_on_the_bus(rig: Any, watched: Any) -> None:
    shown = await watched(NOBODY)
    seen_before: list[int] = []
    rig.bus.add_tap(lambda passage: seen_before.append(len(shown)))

    rig.module.arrived("external", TOPIC, b"{}")
    await received(rig.twin)

    assert seen_before == [1]


async def test_what_goes_is_shown_for_each_broker(rig: Any, watched: Any) -> None:
    shown = await watched(NOBODY, OTHER)
    ids: list[str] = []
    rig.bus.add_tap(lambda passage: ids.append(passage.message.header.id))

    await rig.publish("a/b", "hello")
    await rig.until(lambda: len(shown) == 2)

    assert shown == [(MqttDirection.OUT, name, "a/b", b"hello", ids[0]) for name in ("external", "internal")]


async def test_what_two_brokers_bring_back_is_shown_once(rig: Any, watched: Any) -> None:
    shown = await watched(NOBODY, OTHER)
    topic = "$hw/events/device/sensor/state/update"
    await rig.publish(topic, "x")
    await rig.until(lambda: len(shown) == 2)

    for broker, payload in (("external", b"x"), ("internal", b"x"), ("internal", b"y")):
        rig.module.arrived(broker, topic, payload)
    await received(rig.twin, 2)

    assert [told[1:4] for told in shown[2:]] == [("external", topic, b"x"), ("internal", topic, b"y")]
