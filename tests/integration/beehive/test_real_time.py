"""The bus in real time, on the event loops that it runs on: deadlines that come, and many modules at once."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route, response_to
from edgecore.beehive.port import Port
from edgecore.clock import SystemClock
from edgecore.errors import MailboxFull, ReplyTimeout
from edgecore.ids import random_ids

ROUTE = Route("edged", "meta", "query", "default/pod/nginx")
SHORT_S = 0.05

Run = Callable[[Callable[[Bus], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a test with a bus of small mailboxes, and fail it if the loop complains."""
    complaints: list[dict[str, Any]] = []

    async def with_bus(work: Callable[[Bus], Coroutine[Any, Any, None]]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        bus = Bus(SystemClock(), random_ids(), capacity=8, send_timeout_s=SHORT_S)
        await work(bus)
        bus.close()

    def begin(work: Callable[[Bus], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(with_bus(work))
        assert complaints == []

    return begin


def test_request_without_reply_ends_at_its_deadline_and_not_before(run: Run) -> None:
    async def work(bus: Bus) -> None:
        client, _ = bus.register("edged", "edged"), bus.register("metaManager", "meta")
        started = time.monotonic()
        with pytest.raises(ReplyTimeout):
            await client.send_sync("metaManager", client.build(ROUTE), SHORT_S)
        assert SHORT_S - 0.002 <= time.monotonic() - started < 10
        assert len(bus.pending) == 0

    run(work)


def test_full_mailbox_is_waited_for_until_the_deadline_and_not_less(run: Run) -> None:
    async def work(bus: Bus) -> None:
        client, _ = bus.register("edged", "edged"), bus.register("metaManager", "meta", capacity=1)
        await client.post("metaManager", ROUTE)
        started = time.monotonic()
        with pytest.raises(MailboxFull):
            await client.post("metaManager", ROUTE)
        assert SHORT_S - 0.002 <= time.monotonic() - started < 10

    run(work)


def test_many_senders_and_a_slow_receiver_keep_every_message_and_its_order(run: Run) -> None:
    count = 2000

    async def work(bus: Bus) -> None:
        bus.send_timeout_s = 30
        senders = [bus.register(f"sender {number}", "senders") for number in range(4)]
        receiver = bus.register("metaManager", "meta")

        async def send(port: Port) -> None:
            for number in range(count):
                if number % 2:
                    await port.post("metaManager", ROUTE, (port.name, number))
                else:
                    await port.send_to_group("meta", port.build(ROUTE, (port.name, number)))

        got: dict[str, list[int]] = {port.name: [] for port in senders}

        async def take() -> None:
            async for message in receiver:
                name, number = message.content
                got[name].append(number)
                if number % 100 == 0:
                    await asyncio.sleep(0.0001)

        taking = asyncio.ensure_future(take())
        await asyncio.gather(*map(send, senders))
        while receiver.statistics().depth:
            await asyncio.sleep(0.001)
        taking.cancel()
        assert got == {port.name: list(range(count)) for port in senders}
        assert receiver.statistics().received == 4 * count
        assert receiver.statistics().high_water == 8

    run(work)


def test_many_requests_at_once_all_get_their_own_reply(run: Run) -> None:
    async def work(bus: Bus) -> None:
        bus.send_timeout_s = 30
        client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")

        async def serve() -> None:
            async for request in server:
                server.respond(response_to(request, request.content * 2, bus.new_id, bus.clock))

        async def ask(number: int) -> int:
            reply = await client.send_sync("metaManager", client.build(ROUTE, number))
            return int(reply.content)

        serving = asyncio.ensure_future(serve())
        assert await asyncio.gather(*map(ask, range(1000))) == [2 * number for number in range(1000)]
        serving.cancel()

    run(work)
