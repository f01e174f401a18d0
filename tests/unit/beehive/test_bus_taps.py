"""Taps: every message with sender, receiver and time; no tap, no call."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route, response_to
from edgecore.beehive.port import Port
from edgecore.beehive.switchboard import INJECTED_KEPT, Passage
from edgecore.clock import VirtualClock, settle

ROUTE = Route("edged", "meta", "query", "default/pod/nginx")


class RecordingTap:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[Passage] = []

    def see(self, passage: Passage) -> None:
        self.seen.append(passage)

    def contents(self) -> list[Any]:
        return [passage.message.content for passage in self.seen]


@pytest.fixture
def tap(bus: Bus) -> RecordingTap:
    tap = RecordingTap()
    bus.add_tap(tap.see)
    return tap


@pytest.fixture
def client(bus: Bus) -> Port:
    return bus.register("edged", "edged")


@pytest.fixture
def server(bus: Bus) -> Port:
    return bus.register("metaManager", "meta")


async def test_tap_sees_sender_receiver_time_and_message(
    client: Port, server: Port, tap: RecordingTap, vclock: VirtualClock
) -> None:
    await vclock.advance(2)
    message = client.build(ROUTE)
    await client.send("metaManager", message)
    await vclock.advance(1)
    await server.post("edged", ROUTE, "back")

    assert tap.seen[0] == Passage(2, "edged", "metaManager", message)
    assert tap.seen[1][:3] == (3, "metaManager", "edged")


async def test_tap_sees_each_member_of_a_group(bus: Bus, client: Port, server: Port, tap: RecordingTap) -> None:
    bus.register("other", "meta")
    await client.send_to_group("meta", client.build(ROUTE))
    assert [(passage.sender, passage.receiver) for passage in tap.seen] == [
        ("edged", "metaManager"),
        ("edged", "other"),
    ]


async def test_tap_sees_request_and_reply(bus: Bus, client: Port, server: Port, tap: RecordingTap, start: Any) -> None:
    start(client.send_sync("metaManager", client.build(ROUTE)))
    request = await server.receive()
    reply = response_to(request, "OK", bus.new_id, bus.clock)
    server.respond(reply)

    assert [passage[1:4] for passage in tap.seen] == [
        ("edged", "metaManager", request),
        ("metaManager", "edged", reply),
    ]


async def test_tap_sees_a_blocked_message_when_it_gets_in_and_in_that_order(
    client: Port, server: Port, tap: RecordingTap, start: Any, vclock: VirtualClock
) -> None:
    for number in range(3):
        start(client.post("metaManager", ROUTE, number))
    await vclock.advance(5)
    assert tap.contents() == [0, 1]

    await server.receive()  # lets 2 in
    await server.receive()  # makes room for 3, while the sender of 2 has not run yet
    await client.post("metaManager", ROUTE, 3)
    await settle()
    assert tap.contents() == [0, 1, 2, 3]
    assert tap.seen[2].at == 5


async def test_tap_sees_a_message_whose_sender_was_cancelled_as_it_got_in(
    client: Port, server: Port, tap: RecordingTap, start: Any
) -> None:
    sending = [start(client.post("metaManager", ROUTE, number)) for number in range(3)]
    await settle()
    await server.receive()
    sending[2].cancel()
    await settle()
    assert tap.contents() == [0, 1, 2]


async def test_tap_sees_nothing_of_what_goes_nowhere(
    client: Port, server: Port, tap: RecordingTap, start: Any, vclock: VirtualClock
) -> None:
    for number in range(3):
        start(client.post("metaManager", ROUTE, number))
    with capture_logs():
        await client.post("nobody", ROUTE, "lost")
        await client.send_to_group("nothing", client.build(ROUTE, "lost"))
        server.respond(server.build(ROUTE, "lost", "nobody waits"))
        await vclock.advance(30)
    assert tap.contents() == [0, 1]


async def test_tap_added_first_sees_modules_registered_later(bus: Bus, tap: RecordingTap) -> None:
    late = bus.register("late", "late")
    await late.post("late", ROUTE)
    assert len(tap.seen) == 1


async def test_removed_tap_sees_nothing_more_and_the_others_do(bus: Bus, client: Port, tap: RecordingTap) -> None:
    other = RecordingTap()
    bus.add_tap(other.see)
    bus.remove_tap(tap.see)
    await client.post("edged", ROUTE, 1)
    assert (tap.contents(), other.contents()) == ([], [1])


async def test_tap_that_raises_is_removed_and_disturbs_nobody(bus: Bus, client: Port, tap: RecordingTap) -> None:
    calls: list[Passage] = []

    def fail(passage: Passage) -> None:
        calls.append(passage)
        raise RuntimeError("no more room on disk")

    late = RecordingTap()
    bus.add_tap(fail)
    bus.add_tap(late.see)
    with capture_logs() as logs:
        await client.post("edged", ROUTE, 1)
        await client.post("edged", ROUTE, 2)

    assert len(calls) == 1
    assert tap.contents() == late.contents() == [1, 2]
    assert [entry["event"] for entry in logs] == ["tap_removed"]
    assert client.statistics().depth == 2


async def test_tap_may_take_itself_off(bus: Bus, client: Port) -> None:
    seen: list[Passage] = []

    def once(passage: Passage) -> None:
        seen.append(passage)
        bus.remove_tap(once)

    bus.add_tap(once)
    await client.post("edged", ROUTE)
    await client.post("edged", ROUTE)
    assert len(seen) == 1


class CountingBus(Bus):
    """Counts how often taps are called for."""

    shown = 0

    def show(self, *args: Any) -> None:
        self.shown += 1
        super().show(*args)


async def test_without_a_tap_nothing_is_called(vclock: VirtualClock, ids: Callable[[], str], start: Any) -> None:
    bus = CountingBus(vclock, ids, capacity=3)
    client, server = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    tap = RecordingTap()
    bus.add_tap(tap.see)
    bus.remove_tap(tap.see)
    await client.post("metaManager", ROUTE)
    await client.send("metaManager", client.build(ROUTE))
    await client.send_to_group("meta", client.build(ROUTE))
    waiting = start(client.send_sync("metaManager", client.build(ROUTE)))
    for _ in range(3):
        await server.receive()
    server.respond(response_to(await server.receive(), "OK", bus.new_id, bus.clock))

    assert (await waiting).content == "OK"
    assert bus.shown == 0
    bus.close()


async def test_a_message_that_a_person_made_is_told_from_others(client: Port, server: Port, tap: RecordingTap) -> None:
    ours, theirs = client.build(ROUTE), client.build(ROUTE)

    assert client.inject("metaManager", theirs)
    await client.send("metaManager", ours)

    assert [passage.injected for passage in tap.seen] == [True, False]
    assert not client.inject("nobody", client.build(ROUTE))


async def test_only_the_latest_injected_ids_are_known(bus: Bus, client: Port, tap: RecordingTap) -> None:
    message = client.build(ROUTE)
    bus.mark_injected(message.header.id)
    for number in range(INJECTED_KEPT):
        bus.mark_injected(str(number))

    bus.show("edged", "metaManager", message)

    assert not tap.seen[0].injected
