"""Brokers that are not there, go, come back, do not answer, do not read, or refuse: the bus never waits for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.eventbus.brokerlink import Room
from edgecore.modules.eventbus.endpoint import Endpoint, Login, Will
from edgecore.modules.eventbus.endpoint import Tls as ClientTls
from eventbusrig import Rig, at, received
from mosquitto import Mosquitto, Recorder, Tls, free_port

pytestmark = pytest.mark.needs_mosquitto

Start = Callable[..., Mosquitto]
QUICK = 0.3


async def fill(rig: Rig, number: int) -> None:
    """Publish, in turns, as fast as the bus takes it; it takes it at once."""
    for each in range(number):
        await asyncio.wait_for(rig.publish(f"a/{each}", b"%d" % each), 1)
        if each % 200 == 0:
            await asyncio.sleep(0)


async def test_a_broker_that_is_dead_at_the_start_stalls_nothing_and_gets_all_once_it_lives(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    broker.stop()
    await rig.start(at(broker))
    await fill(rig, 3000)
    await rig.until(lambda: rig.broker["errors"])

    (reason,) = rig.module.status()["reasons"]
    url = f"tcp://127.0.0.1:{broker.port}"
    refused = f"cannot connect to {url}: Connection refused"
    assert reason == f"MQTT broker external is not reached: {refused}; is it running, and is modules.eventBus right?"
    assert rig.broker["queued"] == 3000

    broker.start()
    with Recorder(broker, "a/#") as recorder:
        await rig.connected()
        await rig.until(lambda: len(recorder.seen) == 3000)

    assert recorder.topics == [f"a/{each}" for each in range(3000)]
    assert rig.broker["dropped"] == {}


async def test_the_queue_is_bounded_and_the_oldest_are_given_up(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    broker.stop()
    with capture_logs() as lines:
        await rig.start(at(broker), queue=Room(100, 2**24))
        await fill(rig, 1000)
        await rig.until(lambda: rig.broker["dropped"] == {"full": 900})
    broker.start()

    with Recorder(broker, "a/#") as recorder:
        await rig.connected()
        await rig.until(lambda: len(recorder.seen) == 100)

    assert recorder.topics == [f"a/{each}" for each in range(900, 1000)]
    assert [line["event"] for line in lines].count("mqtt_messages_dropped") == 1


async def test_a_broker_killed_while_messages_are_published_gets_each_that_it_did_not_acknowledge(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()
    with Recorder(broker, "a/#") as before:
        for number in range(2000):
            await rig.publish("a/b", b"%d" % number)
            if number % 50 == 0:
                await asyncio.sleep(0.001)
            if number == 1000:
                broker.kill()
    broker.start()
    with Recorder(broker, "a/#") as after:
        await rig.until(lambda: rig.broker["queued"] == rig.broker["in_flight"] == 0)
        await rig.until(lambda: after.seen and after.seen[-1].payload == b"1999")

    first = min(int(each.payload) for each in after.seen)
    assert 0 < first <= 1001
    assert {int(each.payload) for each in after.seen} == set(range(first, 2000))
    assert before.seen
    assert rig.broker["sessions"] == {"subscribe": 2, "publish": 2}


async def test_v5_subscriptions_hold_after_a_reconnect_and_a_restart_until_they_are_taken_back(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()
    await rig.say("subscribe", "own/+")
    await rig.say("subscribe", "own/+")
    await rig.say("subscribe", "a#")
    await rig.until(lambda: rig.metrics.bad_input_counts.get(("eventbus", "filter_malformed")))
    broker.restart()
    await rig.until(lambda: rig.broker["sessions"]["subscribe"] == 2)
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("own/a", "1")
        await received(rig.hub)
        await rig.stop()
        await rig.start(at(broker))
        await rig.connected()
        device.publish("own/a", "2")
        (message,) = await received(rig.hub)
        await rig.say("unsubscribe", "own/+")
        await rig.until(lambda: not rig.module.status()["subscriptions"])
        await asyncio.sleep(QUICK)  # the broker's answer is not shown anywhere
        device.publish("own/a", "3")
        device.publish("$hw/events/upload/end", "end")
        (last,) = await received(rig.hub)

    assert message.content == "2"
    assert last.content == "end"


async def test_v4_two_runs_have_different_client_ids(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    first = rig.broker["client_ids"]
    await rig.stop()
    await rig.start(at(broker))
    second = rig.broker["client_ids"]

    assert [each[:15] for each in first] == ["hub-client-sub-", "hub-client-pub-"]
    assert not set(first) & set(second)


async def test_a_broker_that_takes_connections_and_never_answers_is_given_up_in_time(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    broker.freeze()
    await rig.start(at(broker, connect_timeout_s=QUICK))
    await fill(rig, 1000)
    await rig.until(lambda: len(rig.broker["errors"]) == 2)

    assert "it takes connections and did not answer in 0.3 s" in rig.module.status()["reasons"][0]
    broker.thaw()
    with Recorder(broker, "a/#") as recorder:
        await rig.connected()
        await rig.until(lambda: len(recorder.seen) == 1000)


async def test_a_broker_that_falls_silent_stalls_nothing_and_is_left(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, qos=0, keep_alive_s=1), queue=Room(500, 2**24))
    await rig.connected()
    broker.freeze()
    for each in range(3000):
        await asyncio.wait_for(rig.publish(f"a/{each}", b"x" * 4000), 1)
        if each % 100 == 0:
            await asyncio.sleep(0)
    await rig.until(lambda: rig.broker["dropped"].get("full", 0) > 1000)
    assert rig.broker["queued"] == 500
    await rig.until(lambda: rig.broker["errors"].get("publish") and rig.broker["errors"].get("subscribe"))
    broker.thaw()
    await rig.connected()
    await rig.until(lambda: rig.broker["queued"] == 0)


async def test_a_bus_that_is_full_is_waited_for_and_nothing_is_lost(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mailbox=50)
    await rig.connected()

    with Recorder(broker) as device:
        await asyncio.to_thread(
            lambda: [device.publish("$hw/events/device/d/twin/update", b"%d" % each) for each in range(3000)]
        )
        await rig.until(lambda: rig.module.status()["waiting_for_the_bus"] >= 1000)
        assert rig.broker["received"] < 1500
        messages = await received(rig.twin, 3000)

    assert [message.content for message in messages] == [str(each) for each in range(3000)]


async def test_tls_with_a_user_is_verified(rig: Any, mosquitto_at: Start, authority: Any, tmp_path: Path) -> None:
    tls = Tls(*authority.server_files(tmp_path))
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.pem)
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    broker = mosquitto_at(tls=tls, users={"edge": "s3cret"})
    await rig.start(at(broker, tls=ClientTls(ca), login=Login("edge", "", password)))
    await rig.connected()

    with Recorder(broker, "a/#", user=("edge", "s3cret"), ca=ca) as recorder:
        await rig.publish("a/b", b"x" * 1_000_000)
        await rig.until(lambda: recorder.seen)
        await asyncio.to_thread(recorder.publish, "$hw/events/upload/x", b"y" * 1_000_000)
        (message,) = await received(rig.hub)

    assert len(recorder.seen[0].payload) == len(message.content) == 1_000_000
    assert rig.broker["url"].startswith("ssl://")


async def test_a_wrong_ca_a_wrong_name_and_a_missing_file_are_told(
    rig: Any, mosquitto_at: Start, authority: Any, other_authority: Any, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    tls = Tls(*authority.server_files(tmp_path))
    wrong, right = tmp_path / "wrong.crt", tmp_path / "right.crt"
    wrong.write_bytes(other_authority.pem)
    right.write_bytes(authority.pem)
    broker = mosquitto_at(tls=tls)
    await rig.start(
        at(broker, name="a", tls=ClientTls(wrong)),
        at(broker, name="b", tls=ClientTls(right, server_name="else.example")),
        at(broker, name="c", tls=ClientTls(tmp_path / "none.crt")),
        at(broker, name="d", tls=ClientTls(right)),
        at(broker, name="e"),
    )
    await rig.until(lambda: all("not tried" not in reason for reason in rig.module.status()["reasons"]))
    await rig.until(lambda: len(rig.module.status()["reasons"]) == 4)

    a, b, c, e = rig.module.status()["reasons"]
    assert "its certificate is refused: " in a
    assert "see eventBusTLS.tlsMqttCAFile" in a
    assert "else.example" in b
    assert f"cannot use the CA file {tmp_path / 'none.crt'} of the broker: No such file" in c
    assert "broker e is not reached" in e


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_wrong_password_is_told_without_showing_it(rig: Any, mosquitto_at: Start, version: str) -> None:
    broker = mosquitto_at(users={"edge": "right"})
    with capture_logs() as lines:
        await rig.start(at(broker, version=version, login=Login("edge", "wr0ng")))
        await rig.until(lambda: len(rig.broker["errors"]) == 2)

    (reason,) = rig.module.status()["reasons"]
    assert "it refused the node: Not authorized; see mqttUsername and mqttPassword" in reason
    assert "wr0ng" not in f"{lines}{rig.module.status()}{rig.module._links[0].endpoint!r}"


async def test_the_will_is_published_when_the_node_is_gone_without_a_word(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, will=Will("node/gone", "n")))
    await rig.connected()

    with Recorder(broker, "node/gone") as recorder:
        rig.module._links[0]._publisher.abort()
        await rig.until(lambda: recorder.seen)


async def test_another_broker_in_the_settings_is_gone_over_to_with_what_waits(rig: Any, mosquitto_at: Start) -> None:
    old, new = mosquitto_at(), mosquitto_at()
    old.stop()
    await rig.start(at(old), endpoints_of=lambda config: [at(new)])
    await rig.until(lambda: rig.broker["errors"])
    await fill(rig, 100)
    await rig.until(lambda: rig.broker["queued"] == 100)

    with Recorder(new, "a/#") as recorder:
        await rig.module.reload(EdgeCoreConfig())
        await rig.until(lambda: len(recorder.seen) == 100)
        await rig.connected()
        recorder.publish("$hw/events/upload/x", "in")
        (message,) = await received(rig.hub)
        await rig.module.reload(EdgeCoreConfig())  # nothing has changed
        await asyncio.sleep(QUICK)

    assert message.content == "in"
    assert rig.broker["url"] == new.url
    assert rig.broker["sessions"] == {"subscribe": 1, "publish": 1}


@asynccontextmanager
async def talking(answer: bytes) -> AsyncIterator[int]:
    """Run a server that says ``answer`` to whatever comes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1000)
            writer.write(answer)
            await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x02\x00\x00" + b"\x30\xff\xff\xff\xff\xff",
        b"\x20\x02\x00\x00" + b"\x30\x02\x00\x05",
        b"\x20\x02\x00\x00" + b"\x90\x00",
        b"\x20\x02\x00\x00" + b"\x40\x00",
        b"\x20\x00",
        b"\x20\x02\x00\x01",
        b"\x00" * 1000,
    ],
)
@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_is_no_broker_is_told_and_dialled_again(rig: Any, answer: bytes, version: str) -> None:
    async with talking(answer) as port:
        await rig.start(
            Endpoint("external", "127.0.0.1", port, version=version, connect_timeout_s=QUICK, keep_alive_s=1)
        )
        await rig.until(lambda: len(rig.broker["errors"]) == 2)
        await fill(rig, 10)
        await rig.stop()
        await rig.start()


async def test_a_topic_that_is_no_text_is_counted(rig: Any) -> None:
    publish = b"\x30\x05\x00\x02\xff\xfex" + b"\x30\x06\x00\x03a/bx"
    async with talking(b"\x20\x02\x00\x00" + publish) as port:
        await rig.start(Endpoint("external", "127.0.0.1", port))
        (message,) = await received(rig.hub)
        assert message.content == "x"
        assert rig.metrics.bad_input_counts["eventbus", "topic_malformed"] >= 1
        await rig.stop()
        await rig.start()


async def test_a_stop_does_not_wait_long_for_a_broker(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), Endpoint("internal", "127.0.0.1", free_port()))
    await rig.until(lambda: all(rig.module.status()["brokers"]["external"]["connected"].values()))
    broker.freeze()
    await fill(rig, 1000)

    began = rig.clock.monotonic()
    await rig.stop()

    assert rig.clock.monotonic() - began < 3
    broker.thaw()
    await rig.start()


async def test_what_waits_leaves_before_the_stop(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()

    with Recorder(broker, "a/#") as recorder:
        await fill(rig, 1000)
        await rig.until(lambda: rig.module.status()["messages"].get("published") == 1000)
        await rig.stop()
        await asyncio.to_thread(recorder.until, lambda seen: len(seen) == 1000)
        await rig.start()
