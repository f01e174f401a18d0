"""The MQTT broker in memory."""

import asyncio

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.outgoing import Publication
from edgecore.recording.entries import MqttDirection, MqttMessage
from edgecore.replay.broker import MemoryBroker, MemoryClient
from edgecore.replay.journal import Journal


class Rig:
    def __init__(self, clock: VirtualClock) -> None:
        self.journal = Journal(clock, "n1")
        self.journal.begin()
        self.broker = MemoryBroker(self.journal)
        self.arrived: list[tuple[str, bytes]] = []
        self.client: MemoryClient = self.broker.make_client(
            Endpoint("external", "127.0.0.1", 1883),
            "c1",
            clock,
            arrived=lambda topic, payload: self.arrived.append((topic, payload)),
            room_again=lambda: None,
            malformed=lambda reason, detail: None,
        )

    def ways(self) -> list[str]:
        return [one.direction for one in self.journal.entries if isinstance(one, MqttMessage)]


@pytest.fixture
def rig(vclock: VirtualClock) -> Rig:
    return Rig(vclock)


async def test_a_device_reaches_who_subscribed(rig: Rig) -> None:
    await rig.client.connect()
    rig.client.subscribe(["a/+"])
    rig.broker.publish("a/b", b"1")
    rig.broker.publish("c", b"2")
    assert rig.arrived == [("a/b", b"1")]
    assert rig.ways() == [MqttDirection.IN]


async def test_what_the_node_publishes_is_kept_and_comes_back_once(rig: Rig) -> None:
    """A recording has the echo too: it is not published again."""
    await rig.client.connect()
    rig.client.subscribe(["a/#"])
    rig.client.publish(Publication("a/b", b"1", 1, False))
    rig.broker.publish("a/b", b"1")
    assert rig.arrived == [("a/b", b"1")]
    assert rig.ways() == [MqttDirection.OUT, MqttDirection.IN]
    rig.broker.publish("a/b", b"1")
    assert len(rig.arrived) == 2


async def test_what_nobody_hears_is_not_remembered(rig: Rig) -> None:
    await rig.client.connect()
    rig.client.publish(Publication("a/b", b"1", 1, False))
    rig.client.subscribe(["a/#"])
    rig.client.publish(Publication("a/b", b"2", 1, False))
    rig.broker.publish("a/b", b"2")
    assert not rig.broker._echoed


async def test_who_has_left_gets_nothing(rig: Rig) -> None:
    await rig.client.connect()
    rig.client.subscribe(["#"])
    lost = asyncio.ensure_future(rig.client.lost())
    await settle()
    assert rig.client.connected
    await rig.client.close(0.0)
    assert await lost == "the node left"
    rig.broker.publish("a", b"1")
    assert not rig.arrived
    assert not rig.client.room


async def test_a_subscription_can_be_taken_back(rig: Rig) -> None:
    await rig.client.connect()
    rig.client.subscribe(["a"])
    rig.client.unsubscribe("a")
    rig.broker.publish("a", b"1")
    assert not rig.arrived
