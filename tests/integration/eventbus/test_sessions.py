"""How sessions begin and end: what a broker is told, what is kept over them, and what one at its limits does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.eventbus import backoff
from edgecore.modules.eventbus.brokerlink import Room
from edgecore.modules.eventbus.endpoint import Endpoint, Login, Will
from edgecore.modules.eventbus.endpoint import Tls as ClientTls
from eventbusrig import Rig, at, received
from mosquitto import Mosquitto, Recorder, Tls, free_port

Start = Callable[..., Mosquitto]
CONNACK = b"\x20\x02\x00\x00"
needs_mosquitto = pytest.mark.needs_mosquitto


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.01)


@asynccontextmanager
async def greeting(*, until_published: bool, more: bytes = b"") -> AsyncIterator[int]:
    """Run a broker that takes everybody in and ends the connection, at once or when something is published.

    ``more`` comes with its first answer.
    """

    writers = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await reader.read(1000)
            writer.write(CONNACK + more)
            while until_published and (said := await reader.read(1000)) and said[0] >> 4 != 3:
                pass
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def published(rig: Rig, number: int, payload: bytes = b"x") -> None:
    for _ in range(number):
        await rig.publish("a/b", payload)
    await rig.until(lambda: rig.module.status()["messages"].get("published") == number)


@pytest.mark.parametrize("more", [b"", b"\xf0\0"])  # the end, and what is no packet: it ends in the same turn
async def test_a_broker_that_drops_who_it_took_in_is_not_called_connected_and_nothing_is_lost(
    rig: Any, more: bytes
) -> None:
    async with greeting(until_published=False, more=more) as port:
        await rig.start(Endpoint("external", "127.0.0.1", port))
        await published(rig, 50)
        await rig.until(lambda: len([error for error in rig.broker["errors"].values() if error]) == 2)

        assert rig.broker["connected"] == {"subscribe": False, "publish": False}
        assert f"lost tcp://127.0.0.1:{port}" in rig.module.status()["reasons"][0]
        assert rig.broker["queued"] + rig.broker["in_flight"] == 50
        assert rig.broker["dropped"] == {}


async def test_all_that_ends_each_session_is_given_up_in_the_end(rig: Any, quick: None) -> None:
    async with greeting(until_published=True) as port:
        with capture_logs() as lines:
            await rig.start(Endpoint("external", "127.0.0.1", port, max_inflight=20))
            await published(rig, 50)
            await rig.until(lambda: rig.broker["dropped"] == {"never_acknowledged": 50})
        await rig.stop()
        await rig.start()

    given_up = [line["given_up"] for line in lines if line["event"] == "mqtt_messages_never_acknowledged"]
    assert given_up == [20, 20, 10]


async def test_a_link_dials_once_its_broker_is_ready_and_no_sooner(rig: Any) -> None:
    ready = asyncio.Event()
    async with greeting(until_published=True) as port:
        with capture_logs() as lines:
            await rig.start(Endpoint("internal", "127.0.0.1", port), ready=ready)
            await asyncio.sleep(0.05)
            assert not rig.broker["sessions"]
            assert rig.module.status()["reasons"] == []
            ready.set()
            await rig.until(lambda: all(rig.broker["connected"].values()))

    assert not [line for line in lines if line["event"] == "broker_away"]


@needs_mosquitto
async def test_who_leaves_says_so_and_no_will_is_published(rig: Any, mosquitto_at: Start) -> None:
    old, new = mosquitto_at(), mosquitto_at()
    await rig.start(at(old, will=Will("gone", "n")), endpoints_of=lambda config: [at(new, will=Will("gone", "n"))])
    await rig.connected()

    with Recorder(old, "gone", "end") as at_old, Recorder(new, "gone", "end") as at_new:
        await rig.module.reload(EdgeCoreConfig())
        await rig.until(lambda: rig.broker["url"] == new.url and all(rig.broker["connected"].values()))
        await rig.stop()
        for one in (at_old, at_new):
            await asyncio.to_thread(one.publish, "end", "")
            await asyncio.to_thread(one.until, len)
        await rig.start()

    assert at_old.topics == at_new.topics == ["end"]
    assert "closed its connection" not in old.log + new.log


@needs_mosquitto
async def test_one_node_that_is_gone_leaves_one_will(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, will=Will("gone", "n")))
    await rig.connected()

    with Recorder(broker, "gone", "end") as recorder:
        rig.module._links[0]._subscriber.abort()
        rig.module._links[0]._publisher.abort()
        await rig.until(lambda: rig.broker["sessions"] == {"subscribe": 2, "publish": 2})
        await asyncio.to_thread(recorder.publish, "end", "")
        await asyncio.to_thread(recorder.until, lambda seen: seen and seen[-1].topic == "end")

    assert recorder.topics == ["gone", "end"]


@needs_mosquitto
async def test_a_full_bus_holds_the_next_session_too(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, keep_alive_s=1), mailbox=10)
    await rig.connected()

    def flood() -> None:
        with Recorder(broker) as device:
            for number in range(3000):
                device.publish("$hw/events/device/d/twin/update", b"%d" % number, qos=0)
            device.publish("end", b"")

    await asyncio.to_thread(flood)
    await rig.until(lambda: rig.module.status()["waiting_for_the_bus"] >= 1000)
    broker.restart()
    await rig.until(lambda: rig.broker["sessions"]["subscribe"] == 2)
    await asyncio.to_thread(flood)
    await asyncio.sleep(0.3)  # it would come meanwhile

    assert rig.module.status()["waiting_for_the_bus"] < 1200
    await received(rig.twin, 1000)


@needs_mosquitto
async def test_a_stop_while_the_bus_is_full_is_no_failure(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), mailbox=1)
    await rig.connected()
    with Recorder(broker) as device:
        for _ in range(5):
            device.publish("$hw/events/device/d/twin/update", b"x")
    await rig.until(lambda: rig.broker["received"] == 5)

    await rig.stop()

    assert rig._running.exception() is None
    await rig.start()


@needs_mosquitto
async def test_what_a_silent_broker_does_not_take_waits_in_the_queue_where_it_is_counted(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, qos=0), queue=Room(1000, 2**26))
    await rig.connected()
    broker.freeze()
    await published(rig, 800, bytes(60_000))
    await asyncio.sleep(0.1)

    assert rig.broker["queued"] > 400
    broker.thaw()
    await rig.until(lambda: not rig.broker["queued"])


@needs_mosquitto
async def test_with_mqtt_5_the_broker_leaves_out_what_is_too_large(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, version="5", max_packet_bytes=2**20))
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/x", bytes(2**21), retain=True)
        device.publish("$hw/events/upload/x", b"after")
        (message,) = await received(rig.hub)

    assert message.content == "after"
    assert rig.broker["sessions"]["subscribe"] == 1


async def test_a_password_that_mqtt_cannot_carry_is_told(rig: Any) -> None:
    async with greeting(until_published=True) as port:
        await rig.start(Endpoint("external", "127.0.0.1", port, login=Login("edge", "x" * 65_536)))
        await rig.until(lambda: len(rig.broker["errors"]) == 2)

        assert "has over 65535 bytes" in rig.module.status()["reasons"][0]


async def test_a_key_with_a_password_is_told_and_nobody_is_asked(rig: Any, authority: Any, tmp_path: Path) -> None:
    tls = Tls(*authority.server_files(tmp_path))
    key = load_pem_private_key(tls.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    tls.key.write_bytes(locked)

    await rig.start(Endpoint("external", "127.0.0.1", free_port(), tls=ClientTls(None, tls.certificate, tls.key)))
    await rig.until(lambda: len(rig.broker["errors"]) == 2)

    assert f"cannot use the certificate {tls.certificate}" in rig.module.status()["reasons"][0]
