"""Gates: what is held, in which order the rest comes, and what a person can do with it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import DROP, EDIT, GO, HUNG_UP, STOPPING, TIMEOUT, Break, Gates, Hold
from edgecore.beehive.message import Message, Route, with_content
from edgecore.beehive.passages import PassageFilter
from edgecore.beehive.port import Port
from edgecore.beehive.switchboard import Passage
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusClosed
from edgecore.ids import seeded_ids

ROUTE = Route("edgecontroller", "resource", "delete", "default/service/web")
OTHER = Route("edgecontroller", "resource", "insert", "default/service/web")
DELETES = PassageFilter(operation="delete")


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.holds: list[Hold] = []
        self.ends: list[tuple[int, str]] = []

    def held(self, hold: Hold) -> None:
        self.holds.append(hold)

    def ended(self, hold: Hold, how: str) -> None:
        self.ends.append((hold.number, how))


@pytest.fixture
def sender(bus: Bus) -> Port:
    return bus.register("metaManager", "meta")


@pytest.fixture
def receiver(bus: Bus) -> Port:
    return bus.register("edgemesh", "mesh", capacity=8)


@pytest.fixture
def lost() -> list[tuple[str, Message]]:
    return []


@pytest.fixture
def gates(bus: Bus, lost: list[tuple[str, Message]], receiver: Port) -> Gates:
    def lose(name: str, message: Message) -> None:
        lost.append((name, message))

    return Gates(bus, dropped=lose)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def armed(gates: Gates, watcher: Watcher) -> Break:
    wanted = Break(DELETES, 60.0, watcher)
    gates.add(wanted)
    return wanted


@pytest.fixture
def got(receiver: Port, start: Any) -> list[Any]:
    """The contents that the receiving module has taken."""
    contents: list[Any] = []

    async def take() -> None:
        async for message in receiver:
            contents.append(message.content)  # noqa: PERF401 - one by one, as they come

    start(take())
    return contents


async def _post(sender: Port, *contents: Any, route: Route = ROUTE) -> None:
    for content in contents:
        await sender.post("edgemesh", route, content)
    await settle()


async def test_what_is_wanted_is_held_and_the_rest_waits_behind_it(
    sender: Port, gates: Gates, watcher: Watcher, armed: Break, got: list[Any]
) -> None:
    await _post(sender, 0, route=OTHER)
    await _post(sender, 1)
    await _post(sender, 2, route=OTHER)
    assert got == [0]
    assert [(hold.sender, hold.receiver, hold.message.content) for hold in watcher.holds] == [
        ("metaManager", "edgemesh", 1)
    ]

    assert gates.go(watcher.holds[0].number)
    await settle()

    assert (got, watcher.ends, gates.holds) == ([0, 1, 2], [(1, GO)], ())
    assert not gates.go(1)


async def test_one_message_after_the_other_is_held(
    sender: Port, gates: Gates, watcher: Watcher, armed: Break, got: list[Any]
) -> None:
    await _post(sender, 1, 2, 3)
    for number in (1, 2, 3):
        assert [hold.number for hold in gates.holds] == [number]
        gates.go(number)
        await settle()
    assert got == [1, 2, 3]


async def test_a_message_that_is_sent_once_more_is_held_once_more(
    sender: Port, gates: Gates, armed: Break, got: list[Any]
) -> None:
    message = sender.build(ROUTE, 1)
    for number in (1, 2):
        await sender.send("edgemesh", message)
        await settle()
        assert [hold.number for hold in gates.holds] == [number]
        gates.go(number)
        await settle()
    assert got == [1, 1]


async def test_what_is_dropped_is_counted_told_and_never_received(
    bus: Bus, sender: Port, gates: Gates, watcher: Watcher, armed: Break, got: list[Any], lost: list[Any]
) -> None:
    await _post(sender, 1)
    await _post(sender, 2, route=OTHER)

    assert gates.drop(1)
    await settle()

    assert (got, watcher.ends, gates.counts[DROP]) == ([2], [(1, DROP)], 1)
    assert [(name, message.content) for name, message in lost] == [("edgemesh", 1)]
    assert bus.statistics()["metaManager"].dropped == {"break": 1}
    figures = bus.statistics()["edgemesh"]
    assert (figures.depth, figures.received, figures.waited_s) == (0, 1, 0)
    assert not gates.drop(1)


async def test_what_is_edited_goes_on_changed_and_taps_are_told(
    bus: Bus, sender: Port, gates: Gates, watcher: Watcher, armed: Break, got: list[Any]
) -> None:
    seen: list[Passage] = []
    await _post(sender, 1)
    bus.add_tap(seen.append)

    assert gates.edit(1, with_content(watcher.holds[0].message, "changed"))
    await settle()

    assert (got, watcher.ends) == (["changed"], [(1, EDIT)])
    assert [(one.sender, one.receiver, one.message.content, one.injected) for one in seen] == [
        ("metaManager", "edgemesh", "changed", True)
    ]
    assert not gates.edit(1, watcher.holds[0].message)


async def test_nothing_is_held_longer_than_the_time_for_it(
    sender: Port, watcher: Watcher, armed: Break, got: list[Any], vclock: VirtualClock
) -> None:
    await _post(sender, 1)
    await vclock.advance(59)
    assert got == []
    await vclock.advance(1)
    assert (got, watcher.ends) == ([1], [(1, TIMEOUT)])


@pytest.mark.parametrize("is_stopping", [False, True])
async def test_who_hangs_up_or_stops_lets_everything_go(
    bus: Bus,
    sender: Port,
    gates: Gates,
    watcher: Watcher,
    armed: Break,
    got: list[Any],
    timers: Callable[[], int],
    is_stopping: bool,
) -> None:
    await _post(sender, 1, 2)

    if is_stopping:
        gates.close()
    else:
        gates.remove(armed)
    await settle()

    assert (got, watcher.ends) == ([1, 2], [(1, STOPPING if is_stopping else HUNG_UP)])
    assert (bus.taps, timers()) == ((), 0)
    assert all(mailbox.gate is None for mailbox in bus.boxes())
    gates.remove(armed)


async def test_a_receiver_that_is_cancelled_meanwhile_loses_nothing_and_finds_it_held(
    sender: Port, receiver: Port, gates: Gates, watcher: Watcher, armed: Break, start: Any
) -> None:
    first = start(receiver.receive())
    await _post(sender, 1)
    first.cancel()
    await settle()
    second = start(receiver.receive())
    await settle()
    assert len(watcher.holds) == 1
    assert not second.done()

    gates.go(1)

    assert (await second).content == 1


async def test_a_receiver_of_one_message_waits_for_the_next_where_the_first_is_dropped(
    sender: Port, receiver: Port, gates: Gates, armed: Break, start: Any
) -> None:
    waiting = start(receiver.receive())
    await _post(sender, 1)
    gates.drop(1)
    await settle()
    await _post(sender, 2, route=OTHER)
    assert (await waiting).content == 2


async def test_a_blocked_sender_gets_the_place_of_what_is_dropped(
    bus: Bus, sender: Port, gates: Gates, watcher: Watcher, start: Any
) -> None:
    narrow = bus.register("edged", "edged", capacity=1)
    gates.add(Break(DELETES, 60.0, watcher))
    taken = start(narrow.receive())
    await sender.post("edged", ROUTE, 1)
    await settle()
    start(sender.post("edged", OTHER, 2))
    await settle()

    gates.drop(1)

    assert (await taken).content == 2


async def test_what_lay_in_the_mailbox_before_is_held_too_but_by_nobody_known(
    sender: Port, receiver: Port, gates: Gates, watcher: Watcher, got: list[Any]
) -> None:
    await sender.post("edgemesh", ROUTE, 1)
    gates.add(Break(DELETES, 60.0, watcher))
    await settle()
    assert [hold.sender for hold in watcher.holds] == [""]
    gates.drop(1)
    assert receiver.statistics().dropped == {"break": 1}


async def test_the_end_of_the_bus_lets_what_was_released_be_taken(
    bus: Bus, sender: Port, receiver: Port, gates: Gates, armed: Break, start: Any
) -> None:
    waiting = start(receiver.receive())
    await _post(sender, 1)
    gates.close()
    bus.close()
    assert (await waiting).content == 1
    with pytest.raises(BusClosed):
        await receiver.receive()


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([GO, DROP, EDIT])), max_size=12))
def test_whatever_is_decided_the_order_stays(messages: list[tuple[bool, str]]) -> None:
    async def play() -> list[Any]:
        clock = VirtualClock()
        bus = Bus(clock, seeded_ids(1), capacity=20)
        sender, receiver = bus.register("metaManager", "meta"), bus.register("edgemesh", "mesh")
        gates, watcher, contents = Gates(bus), Watcher(), list[Any]()
        gates.add(Break(DELETES, 60.0, watcher))

        async def take() -> None:
            async for message in receiver:
                contents.append(message.content)

        taking = asyncio.ensure_future(take())
        for number, (is_wanted, _) in enumerate(messages):
            await sender.post("edgemesh", ROUTE if is_wanted else OTHER, number)
        await settle()
        while gates.holds:
            (hold,) = gates.holds
            match messages[hold.message.content][1]:
                case "go":
                    gates.go(hold.number)
                case "drop":
                    gates.drop(hold.number)
                case _:
                    gates.edit(hold.number, with_content(hold.message, -hold.message.content))
            await settle()
        gates.close()
        bus.close()
        await taking
        return contents

    expected = [
        -number if is_wanted and then == EDIT else number
        for number, (is_wanted, then) in enumerate(messages)
        if not (is_wanted and then == DROP)
    ]
    assert asyncio.run(play()) == expected


STEPS = ["wanted", "other", GO, DROP, EDIT, "cancel", "take", "break", "unbreak", "wait"]


@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_whatever_happens_no_message_is_lost_or_overtaken(steps: list[str]) -> None:
    async def play() -> None:
        clock = VirtualClock()
        bus = Bus(clock, seeded_ids(1), capacity=100)
        sender, receiver = bus.register("metaManager", "meta"), bus.register("edgemesh", "mesh")
        gates, watcher = Gates(bus), Watcher()
        got: list[int] = []
        dropped: list[int] = []
        breaks: list[Break] = []

        async def take() -> None:
            async for message in receiver:
                got.append(message.content)  # noqa: PERF401 - one by one, as they come

        taking: asyncio.Task[None] | None = None
        for number, step in enumerate(steps):
            match step:
                case "wanted" | "other":
                    await sender.post("edgemesh", ROUTE if step == "wanted" else OTHER, number)
                case "cancel" if taking is not None:
                    taking.cancel()
                    await asyncio.gather(taking, return_exceptions=True)
                    taking = None
                case "take" if taking is None:
                    taking = asyncio.create_task(take())
                case "break" if len(breaks) < 2:
                    breaks.append(Break(DELETES, 60.0, watcher))
                    gates.add(breaks[-1])
                case "unbreak" if breaks:
                    gates.remove(breaks.pop(0))
                case "wait":
                    await clock.advance(61)
                case "go" | "drop" | "edit" if gates.holds:
                    (hold,) = gates.holds
                    if step == DROP:
                        dropped.append(hold.message.content)
                        gates.drop(hold.number)
                    elif step == EDIT:
                        gates.edit(hold.number, with_content(hold.message, hold.message.content))
                    else:
                        gates.go(hold.number)
            await settle()
        gates.close()
        if taking is None:
            taking = asyncio.create_task(take())
        await settle()
        assert got == [n for n, step in enumerate(steps) if step in ("wanted", "other") and n not in dropped]
        assert gates.counts["held"] == len(watcher.ends) == len(watcher.holds)
        assert not [timer for *_, timer in clock._timers if timer.callback is not None]
        figures = receiver.statistics()
        assert (figures.depth, figures.received, receiver.mailbox.gate) == (0, len(got), None)
        bus.close()
        await taking

    asyncio.run(play())
