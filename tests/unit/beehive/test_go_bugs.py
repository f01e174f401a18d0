"""Bugs B1 to B8 of the Go bus: each test fails where the bus behaves as Go's does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route, error_to, response_to
from edgecore.beehive.port import Port
from edgecore.beehive.resource import QUERY, parse_edge
from edgecore.beehive.runner import ModuleRunner
from edgecore.beehive.switchboard import Passage
from edgecore.clock import VirtualClock, settle
from edgecore.errors import MailboxFull, ReplyTimeout
from edgecore.ids import NewId

ROUTE = Route("edged", "meta", QUERY, "default/pod/nginx")


async def test_b1_error_answer_ends_the_wait_of_its_request_at_once(bus: Bus, vclock: VirtualClock, start: Any) -> None:
    """Go gives the error the request's own *parent* id, so that the caller waits out its whole timeout."""
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    waiting = start(client.send_sync("metaManager", client.build(ROUTE, parent_id="an older one")))
    request = await server.receive()
    error = error_to(request, "Something wrong", bus.new_id, vclock)

    assert server.respond(error)
    assert await waiting is error
    assert error.header.parent_id == request.header.id
    assert vclock.monotonic() == 0


async def test_b2_reply_given_while_the_request_is_being_put_arrives(bus: Bus, start: Any) -> None:
    """Go opens the reply channel after it has queued the request; an answer quicker than that is lost."""
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")

    def answer(passage: Passage) -> None:
        if passage.receiver == "metaManager":
            server.respond(response_to(passage.message, "quick", bus.new_id, bus.clock))

    bus.add_tap(answer)
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    await settle()

    assert waiting.done()
    assert waiting.result().content == "quick"


async def test_b2_reply_given_before_the_blocked_caller_wakes_arrives(bus: Bus, start: Any) -> None:
    """As above, where the caller waited for room: it is woken only after the receiver has answered."""
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta", capacity=1)
    await client.post("metaManager", ROUTE)
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    await settle()

    await server.receive()
    request = await server.receive()
    assert server.respond(response_to(request, "quick", bus.new_id, bus.clock))
    await settle()

    assert waiting.done()
    assert waiting.result().content == "quick"


async def test_b3_late_reply_blocks_neither_the_responder_nor_other_callers(
    bus: Bus, vclock: VirtualClock, start: Any
) -> None:
    """Go's responder blocks on the channel of a caller that has gone, under the lock that every caller needs."""
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    impatient = start(client.send_sync("metaManager", client.build(ROUTE), 1))
    patient = start(client.send_sync("metaManager", client.build(ROUTE), 60))
    first, second = await server.receive(), await server.receive()
    await vclock.advance(1)
    with pytest.raises(ReplyTimeout):
        await impatient

    assert not server.respond(response_to(first, "late", bus.new_id, vclock))
    third = start(client.send_sync("metaManager", client.build(ROUTE)))
    assert server.respond(response_to(second, "in time", bus.new_id, vclock))
    assert server.respond(response_to(await server.receive(), "as well", bus.new_id, vclock))

    assert (await patient).content == "in time"
    assert (await third).content == "as well"


async def test_b4_group_messages_keep_their_order_while_a_member_is_slow(bus: Bus, start: Any) -> None:
    """Go puts each delivery into a goroutine of its own: any order, and no limit to how many wait."""
    sender = bus.register("websocket", "hub")
    quick, slow = bus.register("servicebus", "bus"), bus.register("eventbus", "bus")
    got: dict[str, list[int]] = {"quick": [], "slow": []}

    async def send() -> None:
        for number in range(50):
            if number % 7:
                await sender.send_to_group("bus", sender.build(ROUTE, number))
            else:
                message = sender.build(ROUTE, number)
                await sender.send("servicebus", message)
                await sender.send("eventbus", message)

    async def take() -> None:
        async for message in quick:
            got["quick"].append(message.content)

    sending = start(send())
    start(take())
    await settle()
    tasks = len(asyncio.all_tasks())
    while not sending.done() or slow.statistics().depth:
        got["slow"].append((await slow.receive()).content)
        await settle()
        assert len(asyncio.all_tasks()) <= tasks

    assert got == {"quick": list(range(50)), "slow": list(range(50))}


async def test_b5_send_to_a_full_mailbox_ends_at_its_deadline(bus: Bus, vclock: VirtualClock, start: Any) -> None:
    """Go blocks for ever."""
    sender = bus.register("edged", "edged")
    bus.register("metaManager", "meta")
    await sender.post("metaManager", ROUTE)
    await sender.post("metaManager", ROUTE)
    sending = start(sender.post("metaManager", ROUTE))

    await vclock.advance(29.9)
    assert not sending.done()
    await vclock.advance(0.1)

    with pytest.raises(MailboxFull, match="timeout to send message"):
        await sending


@pytest.mark.parametrize(
    "send",
    [
        lambda meta: meta.post("metaManager", ROUTE),
        lambda meta: meta.send("metaManager", meta.build(ROUTE)),
        lambda meta: meta.send_to_group("meta", meta.build(ROUTE)),
        lambda meta: meta.send_sync("metaManager", meta.build(ROUTE)),
    ],
    ids=["post", "send", "send_to_group", "send_sync"],
)
async def test_b5_send_to_ones_own_full_mailbox_fails_at_once(
    bus: Bus, vclock: VirtualClock, send: Callable[[Port], Awaitable[Any]]
) -> None:
    """Go's MetaManager, which sends to itself, blocks for ever: nobody else could make room."""
    meta = bus.register("metaManager", "meta")
    await meta.post("metaManager", ROUTE)
    await meta.post("metaManager", ROUTE)

    with pytest.raises(MailboxFull, match="it is the sender itself"):
        await send(meta)

    assert vclock.monotonic() == 0
    assert meta.statistics().dropped == {"full": 1}


async def test_b6_unknown_names_and_repeated_closing_leave_the_bus_usable(bus: Bus) -> None:
    """Go's delChannel returns with the lock held when it does not know the module: every later call hangs."""
    sender, receiver = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    bus.remove_tap(lambda _: None)
    with capture_logs():
        await sender.post("nobody", ROUTE)
        await sender.send_to_group("nothing", sender.build(ROUTE))
        receiver.respond(sender.build(ROUTE, parent_id="unknown"))

    await sender.post("metaManager", ROUTE, "still there")

    assert (await receiver.receive()).content == "still there"
    bus.close()
    bus.close()


class EagerModule:
    """Sends to another module as soon as it is started."""

    name, group = "edged", "edged"

    def __init__(self, bus: Bus) -> None:
        self._port = bus.register(self.name, self.group)

    async def start(self) -> None:
        await self._port.post("metaManager", ROUTE, "sent early")
        await self._port.send_to_group("meta", self._port.build(ROUTE, "to the group"))

    async def run(self) -> None:
        return

    async def stop(self) -> None:
        return

    def status(self) -> dict[str, Any]:
        return {}


class LateModule(EagerModule):
    """Is started last, and keeps what it receives."""

    name, group = "metaManager", "meta"

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.got: list[Message] = []

    async def start(self) -> None:
        assert not self.got

    async def run(self) -> None:
        async for message in self._port:
            self.got.append(message)


async def test_b7_messages_sent_before_a_module_is_started_wait_for_it(bus: Bus, vclock: VirtualClock) -> None:
    """Go starts modules while the channels of others are still missing: what is sent to those is dropped."""
    eager, late = EagerModule(bus), LateModule(bus)
    runner = ModuleRunner([eager, late], vclock, bus)
    await runner.start()
    await settle()

    assert [message.content for message in late.got] == ["sent early", "to the group"]
    await runner.stop(bus.close)


@pytest.mark.parametrize("resource", ["", "pod", "a/b/c/d", "node/n/default/pod/x"])
def test_b8_resource_of_the_wrong_number_of_parts_is_refused_quietly(resource: str) -> None:
    """Go's parser indexes out of range on a ``query`` of one part, which ends the process."""
    assert parse_edge(resource) is None


async def test_b3_reply_to_a_caller_cancelled_in_the_same_turn_is_late(bus: Bus, ids: NewId, start: Any) -> None:
    """Go's responder waits for a caller that will not come."""
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    request = await server.receive()

    waiting.cancel()
    with capture_logs() as logs:
        assert not server.respond(response_to(request, None, ids, bus.clock))

    assert [entry["reason"] for entry in logs] == ["late_reply"]
