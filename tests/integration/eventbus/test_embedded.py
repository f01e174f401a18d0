"""The embedded broker as a process, and paho as its clients."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brokerpython import broker_python
from edgecore.clock import SystemClock
from edgecore.modules.eventbus.broker import embedded
from edgecore.modules.eventbus.broker.embedded import EmbeddedBroker
from edgecore.modules.eventbus.broker.recipe import CLIENTS_LIMIT, BrokerRecipe
from mosquitto import Recorder, Seen, free_port

pytestmark = pytest.mark.needs_amqtt

UPDATE = "$hw/events/device/lamp/twin/update"
CONNECT = b"\x10\x0e\0\4MQTT\4\2\0\2\0\2c1"
"""MQTT 3.1.1, a clean session, a keepalive of 2 s, the client ``c1``."""


@asynccontextmanager
async def _running(python: str | None, port: int) -> AsyncIterator[EmbeddedBroker]:
    recipe = BrokerRecipe(python or "", "127.0.0.1", port, queue=100, packet_bytes=1 << 20)
    one = EmbeddedBroker(recipe, SystemClock())
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with _running(broker_python(), free_port()) as one:
        await one.ready.wait()
        yield one


def _place(broker: EmbeddedBroker) -> Any:
    return SimpleNamespace(port=int(broker.status()["address"].rpartition(":")[2]))


async def _with(broker: EmbeddedBroker, work: Callable[[Any], None]) -> None:
    """Run ``work``, which waits by the machine's clock, with where the broker is."""
    await asyncio.to_thread(work, _place(broker))


async def _until(done: Callable[[], object]) -> None:
    for _ in range(2000):
        if done():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


async def test_what_devices_publish_to_topics_with_a_dollar_is_passed_on_in_order(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "$hw/events/device/+/twin/+", qos=1) as node:
            for number in range(300):
                node.publish(UPDATE, str(number), qos=number % 2)
            seen = node.until(lambda seen: len(seen) == 300)
        assert [each.payload for each in seen if each.qos == 0] == [str(n).encode() for n in range(0, 300, 2)]
        assert [each.payload for each in seen if each.qos == 1] == [str(n).encode() for n in range(1, 300, 2)]

    await _with(broker, work)


async def test_quality_of_service_is_the_lower_of_the_publishers_and_the_subscribers(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "a/#", qos=1) as one, Recorder(place, "a/#", qos=0) as other:
            for qos in (0, 1, 2):
                one.publish("a/b", str(qos), qos=qos)
            assert sorted(each.qos for each in one.until(lambda seen: len(seen) == 3)) == [0, 1, 1]
            assert [each.qos for each in other.until(lambda seen: len(seen) == 3)] == [0, 0, 0]

    await _with(broker, work)


async def test_a_message_comes_once_however_many_filters_match(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "a/#", "a/+", "a/b") as one:
            one.publish("a/b", "x")
            one.publish("a/end", "y")
            one.until(lambda seen: seen and seen[-1].topic == "a/end")
            assert one.topics == ["a/b", "a/end"]

    await _with(broker, work)


async def test_a_wildcard_at_the_start_does_not_match_a_dollar(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "#") as everything:
            everything.publish(UPDATE, "x")
            everything.publish("end", "y")
            everything.until(len)
            assert everything.topics == ["end"]

    await _with(broker, work)


async def test_a_retained_message_comes_to_who_subscribes_and_to_nobody_else(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "$hw/#") as first:
            first.publish(UPDATE, "x", retain=True)
            first.until(len)
            with Recorder(place, "other/#") as other, Recorder(place, "$hw/#") as late:
                assert late.until(len) == [Seen(UPDATE, b"x", 1, True)]
                other.publish("other/end", "y")
                other.until(len)
                assert other.topics == ["other/end"]
                other.publish(UPDATE, b"", retain=True)
        with Recorder(place, "$hw/#", "end") as last:
            last.publish("end", "y")
            last.until(len)
            assert last.topics == ["end"]

    await _with(broker, work)


async def test_a_client_that_is_silent_for_longer_than_its_keepalive_is_cut_off(broker: EmbeddedBroker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", _place(broker).port)
    writer.write(CONNECT)
    assert await reader.readexactly(4) == b"\x20\2\0\0"
    began = time.monotonic()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    assert time.monotonic() - began >= 2.5
    writer.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"\x30\xff\xff\xff\x7f",  # 256 MB are to come
        b"\x30\x05\0\3a/#",  # a topic with a wildcard
        b"\xf0\0",  # no such packet
        b"\x30\x03\0\x09a",  # the topic is longer than the packet
        b"\x82\x02\0\1",  # a subscription to nothing
    ],
)
async def test_hostile_packets_harm_nobody_else(broker: EmbeddedBroker, packet: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", _place(broker).port)
    writer.write(CONNECT + packet)
    assert await reader.readexactly(4) == b"\x20\2\0\0"

    def work(place: Any) -> None:
        with Recorder(place, "a/b") as one:
            one.publish("a/b", "x")
            one.until(len)

    await _with(broker, work)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    assert broker.restarts == 0


async def test_one_that_takes_nothing_does_not_keep_the_others_waiting_for_long(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", place.port))
            slow.sendall(b"\x10\x0e\0\4MQTT\4\2\0\0\0\2c2" + b"\x82\x06\0\1\0\1#\0")
            with Recorder(place, "a/#", qos=0) as one:
                for _ in range(200):
                    one.publish("a/b", bytes(64 << 10), qos=1)
                one.until(lambda seen: len(seen) == 200)

    await _with(broker, work)
    await _until(lambda: broker.figures.dropped > 0)


async def test_retained_messages_have_a_limit_by_their_bytes_and_others_go_on(broker: EmbeddedBroker) -> None:
    def work(place: Any) -> None:
        with Recorder(place, "a/b") as one:
            for number in range(70):
                one.publish(f"kept/{number}", bytes(1_000_000), qos=1, retain=True)
            one.publish("a/b", "x")
            one.until(len)
        with Recorder(place, "kept/#", qos=0) as late:
            late.until(lambda seen: len(seen) >= fitting)
            late.publish("kept/end", "x", qos=0)
            assert late.until(lambda seen: seen[-1].topic == "kept/end")[fitting:] == late.seen[-1:]

    fitting = (64 << 20) // 1_000_006
    await _with(broker, work)


async def test_connections_that_say_nothing_leave_for_those_that_say_who_they_are(broker: EmbeddedBroker) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", _place(broker).port) for _ in range(CLIENTS_LIMIT + 20)]

    def work(place: Any) -> None:
        with Recorder(place, "a/b") as one:
            one.publish("a/b", "x")
            one.until(len)

    await _with(broker, work)
    for _, writer in silent:
        writer.transport.abort()


async def test_one_client_has_so_many_filters_and_others_have_theirs(broker: EmbeddedBroker) -> None:
    filters = b"".join(b"\0\4%04d\0" % number for number in range(1500))
    size = len(filters) + 2
    with socket.create_connection(("127.0.0.1", _place(broker).port)) as greedy:
        greedy.sendall(CONNECT + b"\x82" + bytes([size & 127 | 128, size >> 7]) + b"\0\1" + filters)
        reader, writer = await asyncio.open_connection(sock=greedy.dup())
        assert await reader.readexactly(4) == b"\x20\2\0\0"
        answers = (await reader.readexactly(3 + 2 + 1500))[5:]
        assert (answers.count(0), answers.count(0x80)) == (1000, 500)
        writer.close()

    def work(place: Any) -> None:
        with Recorder(place, "a/b") as one:
            one.publish("a/b", "x")
            one.until(len)

    await _with(broker, work)


async def test_a_killed_broker_is_started_again(broker: EmbeddedBroker) -> None:
    pid = broker.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    await _until(lambda: not broker.is_listening)
    assert "-9" in broker.reason
    await broker.ready.wait()
    assert broker.restarts == 1
    assert broker.reason == ""
    assert broker.status()["pid"] != pid


async def test_a_broker_that_hangs_is_started_again(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "SILENT_S", 2.5)
    known = {family.name: family for family in broker.families()}["edgecore_mqtt_broker_listening"]
    assert known.samples[0].value == 1
    before = broker.figures
    await _until(lambda: broker.figures is not before)  # from now on it counts
    os.kill(broker.status()["pid"], signal.SIGSTOP)
    await _until(lambda: not broker.is_listening)
    monkeypatch.undo()
    assert "it said nothing for 2 s" in broker.reason
    await broker.ready.wait()
    assert broker.restarts == 1


async def test_a_taken_address_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "RESTART_S", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    async with _running(broker_python(), taken.getsockname()[1]) as one:
        await _until(lambda: "address already in use" in one.reason)
        assert one.status()["reasons"] == [f"the embedded MQTT broker does not listen: {one.reason}"]
        taken.close()
        await one.ready.wait()
        assert one.status()["reasons"] == []


@pytest.mark.parametrize(
    ("python", "text"),
    [(sys.executable, "cannot import amqtt"), ("/nowhere/python", "cannot run /nowhere/python: No such file")],
)
async def test_an_interpreter_that_cannot_run_it_is_told(python: str, text: str) -> None:
    if python == broker_python():
        pytest.skip("this Python has amqtt")
    async with _running(python, free_port()) as one:
        await _until(lambda: text in one.reason)


async def test_the_broker_ends_with_a_node_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "node.py"
    program.write_text(
        "import asyncio, sys\n"
        "from edgecore.clock import SystemClock\n"
        "from edgecore.modules.eventbus.broker.embedded import EmbeddedBroker\n"
        "from edgecore.modules.eventbus.broker.recipe import BrokerRecipe\n"
        "async def main():\n"
        "    recipe = BrokerRecipe(sys.argv[1], '127.0.0.1', int(sys.argv[2]), 100, 4096)\n"
        "    one = EmbeddedBroker(recipe, SystemClock())\n"
        "    task = asyncio.create_task(one.run())\n"
        "    await one.ready.wait()\n"
        "    print('broker', one.status()['pid'], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, str(program), broker_python() or "", str(free_port())]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    node = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=env)
    assert node.stdout is not None
    words: list[bytes] = []
    while words[:1] != [b"broker"]:
        words = (await node.stdout.readline()).split()
    node.kill()
    await node.wait()
    pid = int(words[1])
    await _until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
