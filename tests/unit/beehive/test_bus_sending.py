"""Sending and receiving: back-pressure, order, cancellation, and messages that go nowhere."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusError, MailboxFull

ROUTE = Route("edged", "meta", "update", "default/podstatus/nginx")


@pytest.fixture
def sender(bus: Bus) -> Port:
    return bus.register("edged", "edged")


@pytest.fixture
def receiver(bus: Bus) -> Port:
    return bus.register("metaManager", "meta")


async def fill(sender: Port, *numbers: int) -> None:
    for number in numbers:
        await sender.post("metaManager", ROUTE, number)


async def take(receiver: Port, count: int) -> list[Any]:
    return [(await receiver.receive()).content for _ in range(count)]


async def test_posted_message_has_fresh_id_time_route_and_content(
    sender: Port, receiver: Port, vclock: VirtualClock
) -> None:
    await vclock.advance(1.5)
    await sender.post("metaManager", ROUTE, {"a": 1}, "parent")
    message = await receiver.receive()

    assert message.header.timestamp_ms == vclock.now_ms()
    assert message.header.parent_id == "parent"
    assert not message.header.sync
    assert (message.route, message.content) == (ROUTE, {"a": 1})
    assert message.header.id != sender.build(ROUTE).header.id


async def test_sent_message_arrives_as_the_same_object(sender: Port, receiver: Port) -> None:
    message = sender.build(ROUTE, [1])
    await sender.send("metaManager", message)
    assert await receiver.receive() is message


async def test_receiver_that_waits_is_woken_by_a_message(sender: Port, receiver: Port, start: Any) -> None:
    receiving = start(receiver.receive())
    await settle()
    await fill(sender, 1)
    assert (await receiving).content == 1


async def test_sender_waits_while_the_mailbox_is_full_and_goes_on_when_there_is_room(
    sender: Port, receiver: Port, start: Any
) -> None:
    await fill(sender, 1, 2)
    sending = start(sender.post("metaManager", ROUTE, 3))
    await settle()
    assert not sending.done()
    assert receiver.statistics().blocked == 1

    await receiver.receive()
    await settle()
    assert sending.done()
    assert receiver.statistics().depth == 2


async def test_blocked_senders_get_room_in_the_order_in_which_they_came(bus: Bus, receiver: Port, start: Any) -> None:
    ports = [bus.register(f"sender {number}", "senders") for number in range(5)]
    await fill(ports[0], 0, 1)
    for number, port in enumerate(ports, 2):
        start(port.post("metaManager", ROUTE, number))
        await settle()

    assert await take(receiver, 7) == list(range(7))


async def test_new_sender_does_not_overtake_a_blocked_one(bus: Bus, sender: Port, receiver: Port, start: Any) -> None:
    other = bus.register("twin", "twin")
    await fill(sender, 1, 2)
    start(sender.post("metaManager", ROUTE, 3))
    await settle()
    assert await take(receiver, 1) == [1]
    late = start(other.post("metaManager", ROUTE, 4))  # the freed place belongs to 3, though its sender still sleeps
    await settle()

    assert not late.done()
    assert await take(receiver, 3) == [2, 3, 4]


async def test_sender_blocked_only_when_its_task_starts_finds_the_mailbox_emptied(
    sender: Port, receiver: Port, start: Any, vclock: VirtualClock
) -> None:
    await fill(sender, 1, 2)
    sending = start(sender.post("metaManager", ROUTE, 3))  # full now, and no more once the task runs
    assert await take(receiver, 2) == [1, 2]
    receiving = start(receiver.receive())
    await settle()

    assert sending.done()
    assert (await receiving).content == 3
    assert vclock.monotonic() == 0


async def test_sender_that_waited_in_vain_gives_up_and_leaves_nothing(
    sender: Port, receiver: Port, start: Any, vclock: VirtualClock, timers: Callable[[], int]
) -> None:
    await fill(sender, 1, 2)
    sending = start(sender.post("metaManager", ROUTE, 3))
    with capture_logs() as logs:
        await vclock.advance(30)

    with pytest.raises(MailboxFull):
        await sending
    assert sender.statistics().dropped == {"full": 1}
    assert [(entry["event"], entry["reason"], entry["to"]) for entry in logs] == [
        ("message_dropped", "full", "metaManager")
    ]
    assert receiver.statistics().blocked == timers() == 0
    assert await take(receiver, 2) == [1, 2]
    assert receiver.statistics().depth == 0


async def test_send_deadline_is_the_one_of_the_bus(vclock: VirtualClock, ids: Any, start: Any) -> None:
    bus = Bus(vclock, ids, capacity=1, send_timeout_s=0.5)
    sender, _ = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    await fill(sender, 1)
    sending = start(sender.post("metaManager", ROUTE, 2))
    await vclock.advance(0.5)

    with pytest.raises(MailboxFull):
        await sending
    bus.close()


async def test_room_that_comes_at_the_deadline_is_taken(
    sender: Port, receiver: Port, start: Any, vclock: VirtualClock
) -> None:
    await fill(sender, 1, 2)
    vclock.call_at(30, lambda: start(receiver.receive()))
    sending = start(sender.post("metaManager", ROUTE, 3))
    await vclock.advance(30)

    await sending
    assert await take(receiver, 2) == [2, 3]


async def test_cancelled_blocked_sender_leaves_nothing_behind(
    sender: Port, receiver: Port, start: Any, timers: Callable[[], int]
) -> None:
    await fill(sender, 1, 2)
    cancelled = start(sender.post("metaManager", ROUTE, 3))
    kept = start(sender.post("metaManager", ROUTE, 4))
    await settle()
    cancelled.cancel()
    await settle()

    assert receiver.statistics().blocked == timers() == 1
    assert await take(receiver, 3) == [1, 2, 4]
    await kept
    assert timers() == 0
    assert sender.statistics().dropped == {}


async def test_sender_cancelled_as_its_message_goes_in_has_sent_it(sender: Port, receiver: Port, start: Any) -> None:
    await fill(sender, 1, 2)
    sending = start(sender.post("metaManager", ROUTE, 3))
    await settle()
    await receiver.receive()  # lets 3 in; its sender has not run since
    sending.cancel()
    await settle()

    assert sending.cancelled()
    assert await take(receiver, 2) == [2, 3]
    assert sender.statistics().sent == receiver.statistics().received == 3


async def test_sender_cancelled_before_its_task_starts_sends_nothing(sender: Port, receiver: Port, start: Any) -> None:
    await fill(sender, 1, 2)
    work = sender.post("metaManager", ROUTE, 3)
    sending = start(work)
    sending.cancel()
    await settle()

    assert await take(receiver, 2) == [1, 2]
    assert receiver.statistics().depth == receiver.statistics().blocked == 0


async def test_cancelled_receiver_loses_no_message(sender: Port, receiver: Port, start: Any) -> None:
    receiving = start(receiver.receive())
    await settle()
    receiving.cancel()
    await settle()
    await fill(sender, 1, 2)

    assert await take(receiver, 2) == [1, 2]


async def test_receiver_cancelled_as_its_message_comes_leaves_it_in_the_mailbox(
    sender: Port, receiver: Port, start: Any
) -> None:
    receiving = start(receiver.receive())
    await settle()
    await fill(sender, 1)
    receiving.cancel()
    await settle()

    assert receiving.cancelled()
    assert await take(receiver, 1) == [1]


async def test_message_that_comes_for_a_cancelled_receiver_wakes_the_next(
    sender: Port, receiver: Port, start: Any
) -> None:
    first = start(receiver.receive())
    await settle()
    first.cancel()
    await settle()
    second = start(receiver.receive())
    await settle()
    await fill(sender, 1)

    assert (await second).content == 1


async def test_second_task_that_receives_is_refused(receiver: Port, start: Any) -> None:
    start(receiver.receive())
    await settle()
    with pytest.raises(BusError, match="another task receives already"):
        await receiver.receive()


async def test_iteration_yields_messages_as_they_come_and_lets_blocked_senders_in(
    sender: Port, receiver: Port, start: Any
) -> None:
    got: list[int] = []

    async def iterate() -> None:
        async for message in receiver:
            got.append(message.content)
            await asyncio.sleep(0)

    start(iterate())
    await fill(sender, *range(20))
    await settle()

    assert got == list(range(20))
    assert receiver.statistics().received == 20


async def test_iteration_that_ends_early_keeps_what_it_did_not_yield(sender: Port, receiver: Port) -> None:
    await fill(sender, 1, 2)
    async for message in receiver:
        assert message.content == 1
        break

    assert await take(receiver, 1) == [2]


async def test_module_may_send_to_itself_while_there_is_room(sender: Port) -> None:
    await sender.post("edged", ROUTE, "note to myself")
    assert (await sender.receive()).content == "note to myself"


@pytest.mark.parametrize("way", ["post", "send"])
async def test_message_to_an_unknown_module_is_counted_logged_and_dropped(sender: Port, way: str) -> None:
    with capture_logs() as logs:
        if way == "post":
            await sender.post("nobody", ROUTE, "secret", "parent")
        else:
            await sender.send("nobody", sender.build(ROUTE, "secret", "parent"))

    assert sender.statistics().dropped == {"unknown_module": 1}
    assert sender.statistics().sent == 0
    (entry,) = logs
    assert entry.pop("id")
    assert entry == {
        "event": "message_dropped",
        "log_level": "warning",
        "reason": "unknown_module",
        "sender": "edged",
        "to": "nobody",
        "parent": "parent",
        "operation": "update",
        "resource": "default/podstatus/nginx",
    }


async def test_each_mailbox_has_its_own_capacity(bus: Bus, sender: Port, start: Any) -> None:
    small, large = bus.register("small", "x", capacity=1), bus.register("large", "x", capacity=3)
    for _ in range(3):
        await sender.post("large", ROUTE)
    await sender.post("small", ROUTE)
    blocked = start(sender.post("small", ROUTE))
    await settle()

    assert not blocked.done()
    assert (small.statistics().capacity, large.statistics().capacity) == (1, 3)


def test_capacity_below_one_is_refused(bus: Bus) -> None:
    for capacity in (0, -1):
        with pytest.raises(ValueError, match="at least one message"):
            bus.register("edged", "edged", capacity=capacity)
    assert bus.statistics() == {}


def test_name_that_is_taken_is_refused(bus: Bus, sender: Port) -> None:
    with pytest.raises(BusError, match="cannot register module edged: the name is taken"):
        bus.register("edged", "another group")
    assert not sender.has_group("another group")


async def test_offer_puts_a_message_in_where_there_is_room_and_says_so(bus: Bus) -> None:
    sender, receiver = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    told = [sender.offer("metaManager", sender.build(ROUTE, number)) for number in range(3)]
    told.append(sender.offer("nobody", sender.build(ROUTE)))

    assert told == [True, True, False, False]
    assert [(await receiver.receive()).content for _ in range(2)] == [0, 1]
    assert sender.statistics().sent == 2


async def test_who_is_in_a_group_is_told_by_name(bus: Bus) -> None:
    sender = bus.register("edged", "edged")
    bus.register("eventbus", "bus")
    bus.register("servicebus", "bus")

    assert sender.members("bus") == ("eventbus", "servicebus")
    bus.withdraw("eventbus")
    assert sender.members("bus") == ("servicebus",)
    bus.readmit("eventbus")
    bus.readmit("eventbus")
    assert sender.members("bus") == ("servicebus", "eventbus")
    assert sender.members("nobody") == ()
