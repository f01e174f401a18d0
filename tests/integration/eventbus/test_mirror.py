"""The mirror on a real broker: what anybody's client sees of the bus, what is left when the node goes, the way in."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from brokerpython import broker_python
from edgecore.beehive.message import Route
from edgecore.clock import SystemClock
from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.eventbus import backoff
from edgecore.modules.eventbus.broker.embedded import EmbeddedBroker
from edgecore.modules.eventbus.broker.recipe import BrokerRecipe
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.mirror.flow import ASK_EVERY_S
from edgecore.modules.eventbus.mirror.mirrorlink import ROOM_BYTES
from edgecore.modules.eventbus.mirror.settings import MirrorSettings, Sights
from eventbusrig import Rig, at, received
from mosquitto import Mosquitto, Recorder, free_port

Start = Callable[..., Mosquitto]
needs_mosquitto = pytest.mark.needs_mosquitto
needs_amqtt = pytest.mark.needs_amqtt
ON = MirrorSettings(mirrors=True, state_every_s=0.02)
WAY_IN = MirrorSettings(injects=True)
SERVICE = {"namespace": "default", "name": "web", "fake_ip": "9.251.0.1", "ready": True, "backends": {"in": 1}}


async def seen(recorder: Recorder, done: Callable[[dict[str, bytes]], object]) -> dict[str, bytes]:
    """Return the last payload of each topic, once ``done`` says so of them."""
    return await asyncio.to_thread(
        lambda: {one.topic: one.payload for one in recorder.until(lambda got: done({o.topic: o.payload for o in got}))}
    )


@needs_mosquitto
async def test_a_message_between_modules_is_seen_by_its_receiver_without_its_secrets(
    rig: Rig, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON)
    await rig.mirrors()
    hidden = base64.b64encode(b"canary-of-a-secret").decode()

    with Recorder(broker, "edgecore/+/bus/websocket/#") as recorder:
        content = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": hidden}}
        await rig.twin.post("eventbus", Route("n", "resource", "insert", "default/secret/s"), content)
        await rig.twin.post("websocket", Route("n", "resource", "insert", "default/secret/s"), content)
        got = await seen(recorder, len)

    assert list(got) == ["edgecore/n/bus/websocket/twin/insert/default/secret/s"]
    told = json.loads(got.popitem()[1])
    assert told["route"]["resource"] == "default/secret/s"
    assert told["content"]["metadata"] == {"name": "s"}
    assert hidden not in json.dumps(told)
    assert "canary" not in json.dumps(told)


@needs_mosquitto
async def test_a_client_of_mqtt_5_sees_properties(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON)
    await rig.mirrors()
    assert rig.mirror.status()["brokers"]["external"]["version"] == "5"

    client = await asyncio.create_subprocess_exec(
        *("mosquitto_sub", "-V", "5", "-p", str(broker.port), "-t", "edgecore/n/bus/#", "-F", "%t %P", "-C", "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    message = rig.twin.build(Route("twin", "hub", "update", "a/b/c"), None, "the-parent")

    async def send() -> None:
        while True:
            await rig.twin.send("websocket", message)
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    said = (await asyncio.wait_for(client.communicate(), 20))[0].decode()
    sending.cancel()

    assert f"id:{message.header.id}" in said
    assert "parent:the-parent" in said
    assert re.search(r"hop:\d", said)
    assert re.search(r"microseconds:\d", said)


@pytest.fixture(params=[pytest.param("mosquitto", marks=needs_mosquitto), pytest.param("embedded", marks=needs_amqtt)])
async def broker(request: pytest.FixtureRequest, mosquitto_at: Start) -> AsyncIterator[Any]:
    """A broker of each kind that a node may have."""
    if request.param == "mosquitto":
        yield mosquitto_at()
        return
    port = free_port()
    one = EmbeddedBroker(BrokerRecipe(broker_python() or "", "127.0.0.1", port, 100, 1 << 20), SystemClock())
    running = asyncio.create_task(one.run())
    await one.ready.wait()
    yield SimpleNamespace(port=port)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_states_are_kept_and_taken_away_and_offline_is_told(rig: Rig, broker: Any) -> None:
    services: list[dict[str, Any]] = [SERVICE]
    with Recorder(broker, qos=1) as earlier:
        earlier.publish("edgecore/n/state/services/default/gone", "{}", retain=True)
    version = "auto" if isinstance(broker, Mosquitto) else "3.1.1"  # as wiring/eventbus.py has it
    mirror = ON._replace(version=version)
    await rig.start(at(broker), mirror=mirror, sights=Sights(lambda: {"state": "connected"}, lambda: services))
    await rig.mirrors()
    below = "edgecore/n/state/"
    await rig.until(lambda: rig.mirror.status()["states"] == 3)

    with Recorder(broker, "edgecore/n/state/#") as watcher:
        got = await seen(watcher, lambda got: len(got) >= 4 and got.get(f"{below}services/default/gone", b"") == b"")
        assert json.loads(got[f"{below}services/default/web"])["fake_ip"] == "9.251.0.1"
        assert got[f"{below}online"] == b"true"
        services.clear()
        await rig.twin.post("eventbus", Route("a", "b", "c", "d"))
        await seen(watcher, lambda got: got[f"{below}services/default/web"] == b"")
        await rig.module.stop()
        await seen(watcher, lambda got: got[f"{below}online"] == b"false")


@needs_mosquitto
async def test_a_node_that_is_gone_without_a_word_is_offline_by_its_will(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON)
    await rig.mirrors()

    with Recorder(broker, "edgecore/n/state/online") as watcher:
        await seen(watcher, lambda got: got.get("edgecore/n/state/online") == b"true")
        rig.mirror._links[0]._client.abort()
        await seen(watcher, lambda got: got["edgecore/n/state/online"] == b"false")


@needs_mosquitto
async def test_what_is_mirrored_never_comes_back_on_the_bus(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON)
    await rig.mirrors()
    await rig.say("subscribe", "#")
    await rig.until(lambda: rig.module.status()["subscriptions"] == ["#"])
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("plant/a", "x")
        (message,) = await received(rig.hub)
        await rig.until(lambda: rig.module.status()["messages"].get("of_mirror", 0) >= 2)
        device.publish("plant/b", "y")
        (other,) = await received(rig.hub)

    assert (message.content, other.content) == ("x", "y")
    assert rig.module.status()["messages"]["taken_in"] == 2


@needs_mosquitto
async def test_how_much_was_left_out_is_told(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON._replace(rate=1, burst=2))
    await rig.mirrors()

    with Recorder(broker, "edgecore/n/mirror/missed") as watcher:
        for _ in range(50):
            await rig.twin.post("websocket", Route("a", "b", "c", "d"))
        got = await seen(watcher, len)

    told = json.loads(got["edgecore/n/mirror/missed"])
    assert told["missed"] == 48
    assert told["reasons"] == {"too_many": 48}


@needs_mosquitto
async def test_who_watches_a_flood_is_shown_all_of_it(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(
        at(broker), mirror=ON._replace(rate=1, burst=20, watched_burst=1500, watched_share=1.0), mailbox=2000
    )
    await rig.mirrors()
    await rig.twin.post("websocket", Route("a", "b", "c", "unseen"))
    await rig.until(lambda: rig.mirror.status()["mirrored"] == 1)

    with Recorder(broker, "edgecore/+/bus/+/+/+/seen/#") as recorder:
        assert not rig.mirror.status()["watched"]
        await asyncio.sleep(ASK_EVERY_S)
        await rig.twin.post("websocket", Route("a", "b", "c", "seen/first"))
        await rig.until(lambda: rig.mirror.status()["watched"])
        for number in range(1000):
            await rig.twin.post("websocket", Route("a", "b", "c", f"seen/{number}"))
        got = await seen(recorder, lambda got: len(got) == 1001)

    assert list(got)[-1].endswith("/seen/999")
    assert rig.mirror.status()["left_out"] == {}


@needs_mosquitto
async def test_a_broker_that_was_away_is_told_all_again(
    rig: Rig, mosquitto_at: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON, sights=Sights(services=lambda: [SERVICE]))
    await rig.mirrors()
    broker.kill()  # it has kept nothing
    await rig.until(lambda: not rig.mirror._links[0].connected)
    broker.start()
    await rig.mirrors()

    with Recorder(broker, "edgecore/#") as watcher:
        await seen(watcher, lambda got: "edgecore/n/state/services/default/web" in got)
        await rig.twin.post("websocket", Route("a", "b", "c", "d"))
        got = await seen(watcher, lambda got: "edgecore/n/bus/websocket/twin/c/d" in got)

    assert got["edgecore/n/state/online"] == b"true"
    assert "edgecore/n/mirror/missed" not in got
    assert rig.mirror.status()["brokers"]["external"]["sessions"] == 2


@needs_mosquitto
async def test_for_a_broker_that_hangs_no_more_than_so_much_waits(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    all_of_it = ON._replace(burst=10_000, share=1.0, redacts=False)
    await rig.start(at(broker), mirror=all_of_it, mailbox=2000)
    await rig.mirrors()
    broker.freeze()
    try:
        for _ in range(600):  # half as much again as may wait, and what the sockets take
            await rig.twin.post("websocket", Route("a", "b", "c", "d"), "x" * 40_000)
        await rig.until(lambda: rig.mirror.status()["mirrored"] == 600)
        told = rig.mirror.status()["brokers"]["external"]
    finally:
        broker.thaw()

    assert told["dropped"]["broker_slow"] > 0
    assert told["queued"] * 40_000 <= ROOM_BYTES


@needs_mosquitto
async def test_a_message_is_injected_and_marked(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=WAY_IN)
    await rig.mirrors()
    passages: list[Any] = []
    rig.bus.add_tap(passages.append)

    with Recorder(broker) as person:
        text = json.dumps({"route": {"operation": "update", "resource": "default/service/web"}, "content": 5})
        person.publish("edgecore/n/inject/twin", text)
        (message,) = await received(rig.twin)

    assert message.route.resource == "default/service/web"
    assert passages[0].injected
    assert rig.ledger.view()["injected"] == 1
    assert rig.ledger.view()["recently_injected"][0]["to"] == "twin"
    assert rig.mirror.status()["injected"] == 1


@needs_mosquitto
async def test_what_cannot_be_injected_is_counted_and_the_next_is_taken(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    with Recorder(broker) as person:
        person.publish("edgecore/n/inject/twin", '{"route":{"operation":"o","resource":"kept"}}', retain=True)
        await rig.start(at(broker), mirror=WAY_IN)
        await rig.mirrors()
        person.publish("edgecore/n/inject/nobody", '{"route":{"operation":"o","resource":"r"}}')
        person.publish("edgecore/n/inject/twin", "no JSON")
        person.publish("edgecore/n/inject/twin", '{"route":{"operation":"o","resource":"right"}}')
        (message,) = await received(rig.twin)

    assert message.route.resource == "right"
    reasons = {reason for module, reason in rig.metrics.bad_input_counts}
    assert reasons == {"inject_retained", "inject_unknown_module", "inject_malformed_json"}
    assert rig.mirror.status()["refused"] == 3


@needs_mosquitto
async def test_more_than_the_rate_is_not_injected(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=WAY_IN._replace(inject_rate=1))
    await rig.mirrors()

    with Recorder(broker) as person:
        for _ in range(30):
            person.publish("edgecore/n/inject/twin", '{"route":{"operation":"o","resource":"r"}}', qos=0)
        await rig.until(lambda: rig.mirror.status()["injected"] + rig.mirror.status()["refused"] == 30)

    assert rig.mirror.status()["injected"] <= 3


@needs_mosquitto
async def test_nothing_is_injected_unless_it_is_enabled(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=ON)
    await rig.mirrors()

    with Recorder(broker, "edgecore/n/inject/#") as person:
        person.publish("edgecore/n/inject/twin", '{"route":{"operation":"o","resource":"r"}}')
        await seen(person, len)

    assert rig.mirror.status()["injected"] == 0
    assert not rig.metrics.bad_input_counts


@needs_mosquitto
async def test_the_mirror_is_turned_on_and_off_by_a_reload(rig: Rig, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mirror=MirrorSettings())
    await rig.connected()
    assert rig.mirror.status()["brokers"] == {}

    with Recorder(broker, "edgecore/n/state/online") as watcher:
        rig.mirroring = ON
        await rig.module.reload(EdgeCoreConfig())
        await seen(watcher, lambda got: got.get("edgecore/n/state/online") == b"true")
        rig.mirroring = MirrorSettings()
        await rig.module.reload(EdgeCoreConfig())
        await seen(watcher, lambda got: got["edgecore/n/state/online"] == b"false")
    await rig.until(lambda: not rig.bus.taps)


@needs_mosquitto
async def test_two_brokers_are_told_the_same(rig: Rig, mosquitto_at: Start) -> None:
    brokers = [mosquitto_at(), mosquitto_at()]
    await rig.start(at(brokers[0]), at(brokers[1], name="internal"), mirror=ON)
    await rig.mirrors()

    with Recorder(brokers[0], "edgecore/n/bus/#") as one, Recorder(brokers[1], "edgecore/n/bus/#") as other:
        await rig.twin.post("websocket", Route("a", "b", "c", "d"))
        assert await seen(one, len) == await seen(other, len)


async def test_a_broker_that_speaks_3_1_1_alone_is_spoken_to_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    levels: list[int] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read(1000)
        levels.append(said[8])
        writer.write(b"\x20\x02\x00\x01" if said[8] == 5 else b"\x20\x02\x00\x00")
        if said[8] != 5:
            while await reader.read(1000):
                pass
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        await rig.start(
            Endpoint("external", "127.0.0.1", server.sockets[0].getsockname()[1], version="3.1.1"), mirror=ON
        )
        await rig.until(lambda: rig.mirror._links and rig.mirror._links[0].connected)
        assert rig.mirror.status()["brokers"]["external"]["version"] == "3.1.1"
        assert levels.count(5) == 1
    finally:
        server.close()
