"""Synchronous requests: slot, deadline, late and unasked replies, cancellation."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route, response_to
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusError, MailboxFull, ReplyTimeout, UnknownModule

ROUTE = Route("edged", "meta", "query", "default/pod/nginx")


@pytest.fixture
def client(bus: Bus) -> Port:
    return bus.register("edged", "edged")


@pytest.fixture
def server(bus: Bus) -> Port:
    return bus.register("metaManager", "meta")


def reply_to(request: Message, bus: Bus, content: Any = "OK") -> Message:
    return response_to(request, content, bus.new_id, bus.clock)


async def test_reply_ends_the_wait_and_its_deadline_with_it(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    request = await server.receive()
    reply = reply_to(request, bus)
    assert server.respond(reply)

    assert await waiting is reply
    assert len(bus.pending) == 0
    await vclock.advance(100)


async def test_request_carries_the_sync_flag_and_the_caller_keeps_its_own_message(
    client: Port, server: Port, start: Any
) -> None:
    message = client.build(ROUTE)
    start(client.send_sync("metaManager", message))
    request = await server.receive()

    assert request.header.sync
    assert request.header.id == message.header.id
    assert not message.header.sync


async def test_concurrent_requests_get_their_own_replies(bus: Bus, client: Port, server: Port, start: Any) -> None:
    waiting = [start(client.send_sync("metaManager", client.build(ROUTE, number))) for number in range(2)]
    requests = [await server.receive() for _ in waiting]
    for request in reversed(requests):
        server.respond(reply_to(request, bus, request.content))

    assert [(await one).content for one in waiting] == [0, 1]


@pytest.mark.parametrize(("timeout_s", "expires_at"), [(5.0, 5.0), (0.0, 30.0), (-1.0, 30.0), (0.25, 0.25)])
async def test_request_without_reply_ends_at_its_deadline(
    client: Port, server: Port, start: Any, vclock: VirtualClock, timeout_s: float, expires_at: float
) -> None:
    waiting = start(client.send_sync("metaManager", client.build(ROUTE), timeout_s))
    await vclock.advance(expires_at - 0.125)
    assert not waiting.done()
    await vclock.advance(0.125)

    with pytest.raises(ReplyTimeout, match=r"^timeout to get response$"):
        await waiting
    assert server.statistics().depth == 1


async def test_request_without_a_timeout_waits_30_seconds(client: Port, start: Any, vclock: VirtualClock) -> None:
    waiting = start(client.send_sync("edged", client.build(ROUTE)))
    await vclock.advance(29.875)
    assert not waiting.done()
    await vclock.advance(0.125)
    assert isinstance(waiting.exception(), ReplyTimeout)


async def test_requests_end_each_at_its_own_deadline_whatever_their_order(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    bus.register("quiet", "quiet", capacity=10)
    waiting = {
        seconds: start(client.send_sync("quiet", client.build(ROUTE), seconds)) for seconds in (5.0, 1.0, 9.0, 3.0, 1.0)
    }
    for now in range(1, 10):
        await vclock.advance(1)
        assert {seconds for seconds, one in waiting.items() if one.done()} == {
            seconds for seconds in waiting if seconds <= now
        }
    for one in waiting.values():
        assert isinstance(one.exception(), ReplyTimeout)


async def test_waiting_for_room_and_for_the_reply_share_one_deadline(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    await client.post("metaManager", ROUTE)
    await client.post("metaManager", ROUTE)
    waiting = start(client.send_sync("metaManager", client.build(ROUTE), 10))
    await vclock.advance(8)
    await server.receive()
    await vclock.advance(1.5)
    assert not waiting.done()
    await vclock.advance(0.5)

    assert isinstance(waiting.exception(), ReplyTimeout)
    assert len(bus.pending) == 0


@pytest.mark.usefixtures("unheeded")
async def test_request_that_finds_no_room_until_its_deadline_was_not_sent(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    await client.post("metaManager", ROUTE)
    await client.post("metaManager", ROUTE)
    waiting = start(client.send_sync("metaManager", client.build(ROUTE), 10))
    await vclock.advance(10)

    with pytest.raises(MailboxFull, match=r"^timeout to send message$"):
        await waiting
    assert len(bus.pending) == server.statistics().blocked == 0
    assert client.statistics().dropped == {"full": 1}
    assert client.statistics().sent == 2


async def test_request_to_an_unknown_module_fails_at_once_and_is_counted(bus: Bus, client: Port) -> None:
    with capture_logs() as logs, pytest.raises(UnknownModule, match=r"^bad request module name\(nobody\)$"):
        await client.send_sync("nobody", client.build(ROUTE))

    assert len(bus.pending) == 0
    assert client.statistics().dropped == {"unknown_module": 1}
    assert [entry["to"] for entry in logs] == ["nobody"]


async def test_second_request_under_an_awaited_id_is_refused_and_the_first_goes_on(
    bus: Bus, client: Port, server: Port, start: Any
) -> None:
    message = client.build(ROUTE)
    waiting = start(client.send_sync("metaManager", message))
    request = await server.receive()
    with pytest.raises(BusError, match="a reply to it is awaited already"):
        await client.send_sync("metaManager", message)

    assert server.statistics().depth == 0
    assert server.respond(reply_to(request, bus))
    assert (await waiting).content == "OK"


async def test_id_may_be_used_again_after_its_reply(bus: Bus, client: Port, server: Port, start: Any) -> None:
    message = client.build(ROUTE)
    for _ in range(3):
        waiting = start(client.send_sync("metaManager", message))
        server.respond(reply_to(await server.receive(), bus))
        await waiting


async def test_late_reply_is_counted_logged_and_dropped(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock
) -> None:
    waiting = start(client.send_sync("metaManager", client.build(ROUTE), 1))
    request = await server.receive()
    await vclock.advance(1)
    with capture_logs() as logs:
        assert not server.respond(reply_to(request, bus))

    assert isinstance(waiting.exception(), ReplyTimeout)
    assert server.statistics().dropped == {"late_reply": 1}
    assert server.statistics().sent == 0
    (entry,) = logs
    assert (entry["reason"], entry["sender"], entry["parent"]) == ("late_reply", "metaManager", request.header.id)


async def test_second_reply_to_one_request_is_late(bus: Bus, client: Port, server: Port, start: Any) -> None:
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    request = await server.receive()
    assert server.respond(reply_to(request, bus, "first"))
    with capture_logs():
        assert not server.respond(reply_to(request, bus, "second"))

    assert (await waiting).content == "first"


async def test_reply_without_a_parent_is_late(bus: Bus, client: Port, server: Port, start: Any) -> None:
    start(client.send_sync("metaManager", client.build(ROUTE)))
    await settle()
    with capture_logs():
        assert not server.respond(server.build(ROUTE))
    assert len(bus.pending) == 1


async def test_awaited_says_whether_a_reply_would_be_taken(bus: Bus, client: Port, server: Port, start: Any) -> None:
    message = client.build(ROUTE)
    assert not server.awaited(message.header.id)
    start(client.send_sync("metaManager", message))
    request = await server.receive()
    assert server.awaited(message.header.id)
    server.respond(reply_to(request, bus))
    assert not server.awaited(message.header.id)


async def test_cancelled_request_leaves_nothing_behind(
    bus: Bus, client: Port, server: Port, start: Any, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    request = await server.receive()
    waiting.cancel()
    await settle()

    assert len(bus.pending) == 0
    with capture_logs():
        assert not server.respond(reply_to(request, bus))
    await vclock.advance(30)
    assert timers() == 0


async def test_request_cancelled_while_it_waits_for_room_leaves_nothing_behind(
    bus: Bus, client: Port, server: Port, start: Any
) -> None:
    await client.post("metaManager", ROUTE)
    await client.post("metaManager", ROUTE)
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    await settle()
    waiting.cancel()
    await settle()

    assert len(bus.pending) == server.statistics().blocked == 0
    await server.receive()
    assert server.statistics().depth == 1


async def test_one_timer_serves_any_number_of_requests(
    bus: Bus, client: Port, start: Any, timers: Callable[[], int]
) -> None:
    bus.register("quiet", "quiet", capacity=100)
    for number in range(50):
        start(client.send_sync("quiet", client.build(ROUTE), 50 - number))
    await settle()
    assert len(bus.pending) == 50
    assert timers() == 1


async def test_module_may_ask_itself_from_another_task(bus: Bus, client: Port, start: Any) -> None:
    waiting = start(client.send_sync("edged", client.build(ROUTE)))
    client.respond(reply_to(await client.receive(), bus))
    assert (await waiting).content == "OK"
