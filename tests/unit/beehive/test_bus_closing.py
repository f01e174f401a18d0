"""Closing the bus: every wait ends, nothing more is accepted, nothing is left."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusClosed

ROUTE = Route("edged", "meta", "query", "default/pod/nginx")


@pytest.fixture
def client(bus: Bus) -> Port:
    return bus.register("edged", "edged")


@pytest.fixture
def server(bus: Bus) -> Port:
    return bus.register("metaManager", "meta")


async def fill(client: Port) -> None:
    await client.post("metaManager", ROUTE, 1)
    await client.post("metaManager", ROUTE, 2)


async def closed_under(bus: Bus, waiting: Any) -> None:
    await settle()
    assert not waiting.done()
    bus.close()
    with pytest.raises(BusClosed):
        await waiting


async def test_waiting_receiver_ends(bus: Bus, server: Port, start: Any) -> None:
    await closed_under(bus, start(server.receive()))


@pytest.mark.usefixtures("server")
async def test_blocked_sender_ends_and_its_timer_with_it(
    bus: Bus, client: Port, start: Any, timers: Callable[[], int]
) -> None:
    await fill(client)
    await closed_under(bus, start(client.post("metaManager", ROUTE)))
    assert timers() == 0


@pytest.mark.usefixtures("server")
async def test_blocked_group_send_ends(bus: Bus, client: Port, start: Any) -> None:
    await fill(client)
    await closed_under(bus, start(client.send_to_group("meta", client.build(ROUTE))))


@pytest.mark.usefixtures("unheeded", "server")
async def test_request_that_waits_for_its_reply_ends(
    bus: Bus, client: Port, start: Any, timers: Callable[[], int]
) -> None:
    await closed_under(bus, start(client.send_sync("metaManager", client.build(ROUTE))))
    assert len(bus.pending) == timers() == 0


@pytest.mark.usefixtures("unheeded", "server")
async def test_request_that_waits_for_room_ends(bus: Bus, client: Port, start: Any, timers: Callable[[], int]) -> None:
    await fill(client)
    await closed_under(bus, start(client.send_sync("metaManager", client.build(ROUTE))))
    assert len(bus.pending) == timers() == 0


@pytest.mark.usefixtures("unheeded", "server")
async def test_waits_cancelled_in_the_same_turn_are_forgotten(bus: Bus, client: Port, start: Any) -> None:
    bus.register("quiet", "quiet")
    await fill(client)
    waiting = [
        start(client.receive()),
        start(client.post("metaManager", ROUTE)),
        start(client.send_sync("quiet", client.build(ROUTE))),
        start(client.send_sync("metaManager", client.build(ROUTE))),
    ]
    await settle()
    bus.close()
    for one in waiting:
        one.cancel()
    await settle()
    assert all(one.cancelled() for one in waiting)


async def test_iteration_ends_quietly(bus: Bus, server: Port, start: Any) -> None:
    async def iterate() -> str:
        async for _ in server:
            pass
        return "ended"

    iterating = start(iterate())
    await settle()
    bus.close()
    assert await iterating == "ended"


async def test_what_lies_in_a_mailbox_can_still_be_taken_out(bus: Bus, client: Port, server: Port) -> None:
    await fill(client)
    bus.close()
    assert (await server.receive()).content == 1
    assert [message.content async for message in server] == [2]
    with pytest.raises(BusClosed):
        await server.receive()


@pytest.mark.usefixtures("server")
async def test_nothing_more_can_be_sent(bus: Bus, client: Port) -> None:
    bus.close()
    message = client.build(ROUTE)
    with capture_logs() as logs:
        with pytest.raises(BusClosed):
            await client.post("metaManager", ROUTE)
        with pytest.raises(BusClosed):
            await client.send("metaManager", message)
        with pytest.raises(BusClosed):
            await client.send_to_group("meta", message)
        with pytest.raises(BusClosed):
            await client.send_sync("metaManager", message)
        assert not client.respond(message)

    assert logs == []
    assert client.statistics().dropped == {}
    assert not client.has_group("meta")


@pytest.mark.usefixtures("server")
async def test_sender_whose_task_starts_after_the_close_ends_at_once(bus: Bus, client: Port, start: Any) -> None:
    await fill(client)
    sending = start(client.post("metaManager", ROUTE))
    bus.close()
    await settle()
    assert isinstance(sending.exception(), BusClosed)


@pytest.mark.usefixtures("unheeded")
async def test_refused_post_that_nobody_awaits_is_no_complaint(bus: Bus, client: Port) -> None:
    bus.close()
    client.post("metaManager", ROUTE)


async def test_second_close_changes_nothing(bus: Bus, client: Port, server: Port, vclock: VirtualClock) -> None:
    await fill(client)
    bus.close()
    before = bus.statistics()
    bus.close()
    assert bus.statistics() == before
    assert before["metaManager"].depth == 2
    await vclock.advance(60)
    assert server.statistics().depth == 2
