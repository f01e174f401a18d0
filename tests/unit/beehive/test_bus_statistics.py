"""What is counted of each module, exactly."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.mailbox import MailboxStatistics
from edgecore.beehive.message import Route, response_to
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import MailboxFull

ROUTE = Route("edged", "meta", "query", "default/pod/nginx")


@pytest.fixture
def client(bus: Bus) -> Port:
    return bus.register("edged", "edged")


@pytest.fixture
def server(bus: Bus) -> Port:
    return bus.register("metaManager", "meta", capacity=4)


def test_new_module_has_nothing_counted(bus: Bus, client: Port) -> None:
    assert bus.statistics() == {
        "edged": MailboxStatistics("edged", "edged", 0, 2, 0, 0, 0, 0, {}, 0.0),
    }
    assert client.statistics() == bus.statistics()["edged"]


async def test_every_way_of_sending_counts_once(bus: Bus, client: Port, server: Port, start: Any) -> None:
    await client.post("metaManager", ROUTE)
    await client.send("metaManager", client.build(ROUTE))
    await client.send_to_group("meta", client.build(ROUTE))
    start(client.send_sync("metaManager", client.build(ROUTE)))
    await settle()
    blocked = start(client.post("metaManager", ROUTE))
    await settle()
    assert client.statistics().sent == 4

    await server.receive()
    await blocked
    assert client.statistics().sent == 5


async def test_reply_counts_as_sent_by_the_responder_only(bus: Bus, client: Port, server: Port, start: Any) -> None:
    start(client.send_sync("metaManager", client.build(ROUTE)))
    server.respond(response_to(await server.receive(), None, bus.new_id, bus.clock))

    figures = bus.statistics()
    assert (figures["edged"].sent, figures["edged"].received) == (1, 0)
    assert (figures["metaManager"].sent, figures["metaManager"].received) == (1, 1)


async def test_high_water_is_the_most_that_ever_lay_there(client: Port, server: Port) -> None:
    for deep in (2, 3, 1):
        for _ in range(deep):
            await client.post("metaManager", ROUTE)
        for _ in range(deep):
            await server.receive()

    assert server.statistics().high_water == 3
    assert server.statistics().depth == 0


async def test_high_water_does_not_pass_the_capacity_when_senders_wait(client: Port, server: Port, start: Any) -> None:
    for _ in range(6):
        start(client.post("metaManager", ROUTE))
    await settle()
    assert server.statistics()[2:6] == (4, 4, 4, 2)  # depth, capacity, high water, blocked
    await server.receive()
    assert server.statistics()[2:6] == (4, 4, 4, 1)


async def test_drops_are_counted_by_reason_at_the_sender(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    with capture_logs():
        for _ in range(2):
            await client.post("nobody", ROUTE)
        await client.send_to_group("nothing", client.build(ROUTE))
        client.respond(client.build(ROUTE, parent_id="gone"))
        await client.post("edged", ROUTE)
        await client.post("edged", ROUTE)
        late = start(server.post("edged", ROUTE))
        with pytest.raises(MailboxFull):
            await client.post("edged", ROUTE)
        await vclock.advance(30)

    assert isinstance(late.exception(), MailboxFull)
    assert client.statistics().dropped == {"unknown_module": 2, "unknown_group": 1, "late_reply": 1, "full": 1}
    assert server.statistics().dropped == {"full": 1}
    assert client.statistics().sent == 2


async def test_figures_once_read_do_not_change(client: Port) -> None:
    before = client.statistics()
    with capture_logs():
        await client.post("nobody", ROUTE)
    assert before.dropped == {}


async def test_waited_is_the_time_that_all_messages_lay_there(client: Port, server: Port, vclock: VirtualClock) -> None:
    await vclock.advance(1000)
    await client.post("metaManager", ROUTE)  # lies there for 4 s
    await vclock.advance(1)
    await client.send("metaManager", client.build(ROUTE))  # for 5 s
    await vclock.advance(3)
    await server.receive()
    await vclock.advance(2)
    await server.receive()
    assert server.statistics().waited_s == 9


async def test_waited_includes_the_messages_that_still_lie_there(
    client: Port, server: Port, vclock: VirtualClock
) -> None:
    await client.post("metaManager", ROUTE)
    await vclock.advance(2)
    await client.post("metaManager", ROUTE)
    await vclock.advance(2)
    assert server.statistics().waited_s == 6


async def test_waited_counts_from_the_moment_at_which_a_blocked_message_got_in(
    client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    for _ in range(5):
        start(client.post("metaManager", ROUTE))
    await vclock.advance(10)  # four lie there
    await server.receive()
    await vclock.advance(1)  # three older ones and the fifth
    assert server.statistics().waited_s == 44


async def test_iteration_counts_as_receive_does(client: Port, server: Port, vclock: VirtualClock) -> None:
    await client.post("metaManager", ROUTE)
    await vclock.advance(3)
    async for _ in server:
        break
    assert (server.statistics().received, server.statistics().waited_s) == (1, 3)
