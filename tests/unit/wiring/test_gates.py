"""What is dropped at a gate stays accounted for."""

import asyncio
from typing import cast

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import Break, Hold
from edgecore.beehive.message import Route, with_content
from edgecore.beehive.passages import PassageFilter
from edgecore.clock import VirtualClock, settle
from edgecore.errors import RecordingError
from edgecore.ids import NewId
from edgecore.observe.ledger import DOWN, UP, Ledger
from edgecore.recording.recorder.desk import RecordingDesk
from edgecore.wiring.gates import make_gates


class FakeDesk:
    """Keeps the notes; without any, nothing is recorded."""

    def __init__(self, notes: list[str] | None = None) -> None:
        self.notes = notes

    def note(self, text: str) -> None:
        if self.notes is None:
            raise RecordingError("cannot make a note: nothing is recorded")
        self.notes.append(text)


class Silent:
    """Listens to nothing."""

    def held(self, hold: Hold) -> None: ...

    def ended(self, hold: Hold, how: str) -> None: ...


@pytest.mark.parametrize(
    ("receiver", "is_open", "is_held", "ended"),
    [
        ("metaManager", True, False, {(DOWN, "dropped", "break"): 1}),
        ("edgemesh", True, True, {}),
        ("edgemesh", False, False, {}),
        ("websocket", False, False, {(UP, "dropped", "break"): 1}),
    ],
)
async def test_a_message_that_is_dropped_ends_in_the_ledger_unless_another_has_it_in_hand(
    vclock: VirtualClock, ids: NewId, receiver: str, is_open: bool, is_held: bool, ended: dict[tuple[str, ...], int]
) -> None:
    desk = FakeDesk()
    bus, ledger = Bus(vclock, ids), Ledger(vclock.monotonic)
    sender, port = bus.register("edged", "edged"), bus.register(receiver, "g")
    ledger.hold(DOWN, lambda _peer, _id: is_held)
    gates = make_gates(bus, ledger, cast("RecordingDesk", desk))
    gates.add(Break(PassageFilter(receiver=receiver), 60, Silent()))
    taking = asyncio.ensure_future(port.receive())
    message = sender.build(Route("edgecontroller", "resource", "insert", "default/service/web"))
    if is_open:
        ledger.open(DOWN, message)
    await sender.send(receiver, message)
    await settle()

    gates.drop(1)

    assert ledger.counts() == ended
    assert ledger.under_way == (1 if is_open and not ended else 0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    gates.close()
    bus.close()


async def test_a_message_that_is_changed_is_counted_as_injected_and_noted_in_the_recording(
    vclock: VirtualClock, ids: NewId
) -> None:
    desk = FakeDesk([])
    bus, ledger = Bus(vclock, ids), Ledger(vclock.monotonic)
    sender, port = bus.register("metaManager", "meta"), bus.register("edgemesh", "mesh")
    gates = make_gates(bus, ledger, cast("RecordingDesk", desk))
    gates.add(Break(PassageFilter(receiver="edgemesh"), 60, Silent()))
    taking = asyncio.ensure_future(port.receive())
    message = sender.build(Route("edgecontroller", "resource", "insert", "default/service/web"))
    await sender.send("edgemesh", message)
    await settle()

    gates.edit(1, with_content(message, "changed"))

    assert (await taking).content == "changed"
    text = f"changed before edgemesh by hand: insert default/service/web, message {message.header.id}"
    assert desk.notes == [text]
    assert (ledger.injected, ledger.view()["recently_injected"][0]["to"]) == (1, "edgemesh")
    gates.close()
    bus.close()
