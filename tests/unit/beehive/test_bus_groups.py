"""Sending to a group: every member, in order, with one deadline for those that are full."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import MailboxFull

ROUTE = Route("edgehub", "bus", "publish", "node/connection")


@pytest.fixture
def sender(bus: Bus) -> Port:
    return bus.register("websocket", "hub")


@pytest.fixture
def members(bus: Bus) -> list[Port]:
    return [bus.register(name, "bus") for name in ("eventbus", "servicebus", "third")]


async def fill(bus: Bus, sender: Port, *names: str) -> None:
    for name in names:
        for _ in range(bus.capacity - len(bus.mailboxes[name].queue)):
            await sender.post(name, ROUTE, "filler")


async def contents(port: Port) -> list[Any]:
    return [(await port.receive()).content for _ in range(port.statistics().depth)]


async def test_every_member_gets_the_same_message(sender: Port, members: list[Port]) -> None:
    message = sender.build(ROUTE, "cloud_connected")
    assert await sender.send_to_group("bus", message) == 3
    assert [await member.receive() for member in members] == [message] * 3
    assert sender.statistics().sent == 3


async def test_member_that_sends_to_its_group_gets_the_message_too(members: list[Port]) -> None:
    assert await members[0].send_to_group("bus", members[0].build(ROUTE, "to all")) == 3
    assert [await contents(member) for member in members] == [["to all"]] * 3


async def test_message_to_an_unknown_group_is_counted_logged_and_dropped(sender: Port) -> None:
    with capture_logs() as logs:
        assert await sender.send_to_group("nothing", sender.build(ROUTE)) == 0

    assert sender.statistics().dropped == {"unknown_group": 1}
    (entry,) = logs
    assert (entry["reason"], entry["group"], entry["sender"]) == ("unknown_group", "nothing", "websocket")


async def test_group_is_known_once_it_has_a_member(bus: Bus, sender: Port) -> None:
    assert not sender.has_group("bus")
    bus.register("eventbus", "bus")
    assert sender.has_group("bus")


async def test_members_with_room_do_not_wait_for_one_that_is_full(
    bus: Bus, sender: Port, members: list[Port], start: Any
) -> None:
    await fill(bus, sender, "eventbus")
    sending = start(sender.send_to_group("bus", sender.build(ROUTE, "news")))
    await settle()

    assert not sending.done()
    assert [await contents(member) for member in members[1:]] == [["news"], ["news"]]
    assert await contents(members[0]) == ["filler", "filler"]
    assert await sending == 3
    assert await contents(members[0]) == ["news"]


async def test_member_that_was_emptied_while_another_was_waited_for_gets_its_message(
    bus: Bus, sender: Port, members: list[Port], start: Any, vclock: VirtualClock
) -> None:
    await fill(bus, sender, "eventbus", "servicebus")
    sending = start(sender.send_to_group("bus", sender.build(ROUTE, "news")))
    await settle()
    await contents(members[1])
    receiving = start(members[1].receive())
    await settle()
    await contents(members[0])

    assert await sending == 3
    assert (await receiving).content == "news"
    assert vclock.monotonic() == 0


async def test_member_that_stays_full_does_not_take_the_message_from_another(
    bus: Bus, sender: Port, members: list[Port], start: Any, vclock: VirtualClock
) -> None:
    await fill(bus, sender, "eventbus", "servicebus")
    sending = start(sender.send_to_group("bus", sender.build(ROUTE, "news")))
    await settle()
    await contents(members[1])
    await vclock.advance(30)

    with pytest.raises(MailboxFull):
        await sending
    assert await contents(members[1]) == ["news"]
    assert await contents(members[2]) == ["news"]
    assert await contents(members[0]) == ["filler", "filler"]
    assert sender.statistics().dropped == {"full": 1}


async def test_message_of_another_task_does_not_overtake_one_to_the_group(
    bus: Bus, sender: Port, members: list[Port], start: Any
) -> None:
    await fill(bus, sender, "eventbus", "servicebus")
    start(sender.send_to_group("bus", sender.build(ROUTE, "first")))
    await settle()
    start(sender.post("servicebus", ROUTE, "second"))
    await settle()

    assert await contents(members[1]) == ["filler", "filler"]
    assert await contents(members[1]) == ["first", "second"]


async def test_members_that_stay_full_share_one_deadline(
    bus: Bus, sender: Port, members: list[Port], start: Any, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    await fill(bus, sender, *(member.name for member in members))
    sending = start(sender.send_to_group("bus", sender.build(ROUTE, "news")))
    await vclock.advance(30)

    with pytest.raises(MailboxFull):
        await sending
    assert sender.statistics().dropped == {"full": 3}
    assert timers() == 0


async def test_cancelled_group_send_leaves_nothing_behind(
    bus: Bus, sender: Port, members: list[Port], start: Any, timers: Callable[[], int]
) -> None:
    await fill(bus, sender, "eventbus", "servicebus")
    sending = start(sender.send_to_group("bus", sender.build(ROUTE, "news")))
    await settle()
    sending.cancel()
    await settle()

    assert [member.statistics().blocked for member in members] == [0, 0, 0]
    assert timers() == 0
    assert await contents(members[0]) == await contents(members[1]) == ["filler", "filler"]
    assert await contents(members[2]) == ["news"]
