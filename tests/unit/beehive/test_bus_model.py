"""The bus beside a model of it: random senders, receivers, groups, capacities, cancellations and time."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.beehive.switchboard import Passage
from edgecore.clock import VirtualClock, settle
from edgecore.errors import MailboxFull
from edgecore.ids import seeded_ids

ROUTE = Route("a", "g", "update", "default/pod/x")
SEND_TIMEOUT_S = 4.0
NAMES = ("a", "b", "c")


class Send(NamedTuple):
    """Begin to send a message, numbered by the step, to one module, or to the group of all three."""

    sender: str
    receiver: str | None


class Receive(NamedTuple):
    """Begin to receive one message, unless that module does already."""

    receiver: str


class CancelSend(NamedTuple):
    """Cancel one of the senders that wait."""

    which: int


class CancelReceive(NamedTuple):
    """Cancel a receiver that waits."""

    receiver: str


class Advance(NamedTuple):
    """Let time pass."""

    seconds: int


Step = Send | Receive | CancelSend | CancelReceive | Advance

_names = st.sampled_from(NAMES)
_steps = st.one_of(
    st.builds(Send, _names, _names | st.none()),
    st.builds(Receive, _names),
    st.builds(CancelSend, st.integers(0, 5)),
    st.builds(CancelReceive, _names),
    st.builds(Advance, st.integers(0, 5)),
)
_capacities = st.fixed_dictionaries({name: st.integers(1, 3) for name in NAMES})


class Line(NamedTuple):
    """One message that waits for room."""

    number: int
    deadline: float


class Model:
    """What should be. Messages are numbers; an outcome is that of the whole send."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.now = 0.0
        self.capacities = capacities
        self.boxes: dict[str, list[int]] = {name: [] for name in NAMES}
        self.lines: dict[str, list[Line]] = {name: [] for name in NAMES}
        self.received: dict[str, list[int]] = {name: [] for name in NAMES}
        self.taking: set[str] = set()
        self.refused: set[int] = set()
        self.cancelled: set[int] = set()

    def send(self, number: int, step: Send) -> None:
        for receiver in NAMES if step.receiver is None else (step.receiver,):
            if receiver in self.taking:
                self.taking.remove(receiver)
                self.received[receiver].append(number)
            elif len(self.boxes[receiver]) < self.capacities[receiver]:
                self.boxes[receiver].append(number)
            elif step.sender == receiver:
                self.refused.add(number)
            else:
                self.lines[receiver].append(Line(number, self.now + SEND_TIMEOUT_S))

    def receive(self, receiver: str) -> None:
        box, line = self.boxes[receiver], self.lines[receiver]
        if not box:
            self.taking.add(receiver)
            return
        self.received[receiver].append(box.pop(0))
        if line:
            box.append(line.pop(0).number)

    def cancel(self, number: int) -> None:
        self.cancelled.add(number)
        for line in self.lines.values():
            line[:] = [one for one in line if one.number != number]

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for line in self.lines.values():
            self.refused |= {one.number for one in line if one.deadline <= self.now}
            line[:] = [one for one in line if one.deadline > self.now]

    def outcome(self, number: int) -> str:
        if number in self.cancelled:
            return "cancelled"
        if any(one.number == number for line in self.lines.values() for one in line):
            return "waiting"
        return "refused" if number in self.refused else "sent"


class Rig:
    """A bus of three modules, and the tasks that the steps begin."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(self.clock, seeded_ids(1), send_timeout_s=SEND_TIMEOUT_S)
        self.ports = {name: self.bus.register(name, "g", capacity=capacities[name]) for name in NAMES}
        self.sending: dict[int, asyncio.Task[None]] = {}
        self.begun: list[int] = []
        self.receiving: dict[str, asyncio.Task[None]] = {}
        self.received: dict[str, list[int]] = {name: [] for name in NAMES}
        self.seen: list[Passage] = []
        self.bus.add_tap(self.seen.append)

    def begin(self, number: int, step: Send) -> None:
        self.sending[number] = asyncio.create_task(self._send(number, self.ports[step.sender], step.receiver))

    async def _send(self, number: int, port: Port, receiver: str | None) -> None:
        self.begun.append(number)
        message = port.build(ROUTE, number)
        if receiver is None:
            assert await port.send_to_group("g", message) == 3
        else:
            await port.send(receiver, message)

    def take(self, name: str) -> bool:
        if name in self.receiving and not self.receiving[name].done():
            return False
        self.receiving[name] = asyncio.create_task(self._receive(name))
        return True

    async def _receive(self, name: str) -> None:
        self.received[name].append((await self.ports[name].receive()).content)

    def cancel_send(self, which: int) -> int | None:
        waiting = [number for number, task in self.sending.items() if not task.done()]
        if not waiting:
            return None
        number = waiting[which % len(waiting)]
        self.sending[number].cancel()
        return number

    def outcome(self, number: int) -> str:
        task = self.sending[number]
        if not task.done():
            return "waiting"
        if task.cancelled():
            return "cancelled"
        return "refused" if isinstance(task.exception(), MailboxFull) else "sent"

    async def drain(self) -> None:
        """Receive all that lies in the mailboxes or waits to get in."""
        await settle()
        while any(port.statistics().depth for port in self.ports.values()):
            for name in NAMES:
                self.take(name)
            await settle()

    async def end(self) -> None:
        tasks: list[asyncio.Task[Any]] = [*self.sending.values(), *self.receiving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.bus.close()


async def step_by_step(steps: list[Step], capacities: dict[str, int]) -> None:
    """Let the bus come to rest after each step, and compare all that can be seen."""
    rig, model = Rig(capacities), Model(capacities)
    for number, step in enumerate(steps):
        match step:
            case Send():
                rig.begin(number, step)
                model.send(number, step)
            case Receive(receiver):
                if rig.take(receiver):
                    model.receive(receiver)
            case CancelSend(which):
                cancelled = rig.cancel_send(which)
                if cancelled is not None:
                    model.cancel(cancelled)
            case CancelReceive(receiver):
                if receiver in model.taking:
                    rig.receiving[receiver].cancel()
                    model.taking.remove(receiver)
            case Advance(seconds):
                await rig.clock.advance(seconds)
                model.advance(seconds)
        await settle()
        assert rig.received == model.received
        for sent in rig.sending:
            assert rig.outcome(sent) == model.outcome(sent)
        for name, figures in rig.bus.statistics().items():
            assert (figures.depth, figures.blocked) == (len(model.boxes[name]), len(model.lines[name]))
    await rig.end()


async def hard_on_each_other(steps: list[tuple[Step, int]], capacities: dict[str, int]) -> None:
    """Take the next step after no, one or two turns of the loop, so that cancellations meet what they cancel."""
    rig = Rig(capacities)
    for number, (step, turns) in enumerate(steps):
        match step:
            case Send():
                rig.begin(number, step)
            case Receive(receiver):
                rig.take(receiver)
            case CancelSend(which):
                rig.cancel_send(which)
            case CancelReceive(receiver):
                if receiver in rig.receiving:
                    rig.receiving[receiver].cancel()
            case Advance(seconds):
                await rig.clock.advance(seconds)
        for _ in range(turns):
            await asyncio.sleep(0)
        for figures in rig.bus.statistics().values():
            assert figures.depth <= figures.high_water <= figures.capacity
            assert not figures.blocked or figures.depth == figures.capacity
    await rig.drain()
    nothing_was_lost_or_doubled(rig)
    nothing_was_overtaken(rig)
    await rig.end()


def nothing_was_lost_or_doubled(rig: Rig) -> None:
    """What was received is what the taps saw, in that order, and what the senders were told."""
    for name in NAMES:
        assert rig.received[name] == [passage.message.content for passage in rig.seen if passage.receiver == name]
    figures = rig.bus.statistics().values()
    assert sum(one.sent for one in figures) == sum(one.received for one in figures) == len(rig.seen)
    assert max(Counter((passage.receiver, passage.message.content) for passage in rig.seen).values(), default=1) == 1
    assert all(task.done() for task in rig.sending.values())
    delivered = {passage.message.content for passage in rig.seen}
    assert {number for number in rig.sending if rig.outcome(number) == "sent"} <= delivered
    assert delivered <= set(rig.begun)


def nothing_was_overtaken(rig: Rig) -> None:
    """Each receiver got the messages of each sender in the order in which they were sent."""
    turn = {number: position for position, number in enumerate(rig.begun)}
    for sender in NAMES:
        for receiver in NAMES:
            turns = [turn[one.message.content] for one in rig.seen if one[1:3] == (sender, receiver)]
            assert turns == sorted(turns)


@given(st.lists(_steps, max_size=60), _capacities)
def test_bus_does_what_its_model_does(steps: list[Step], capacities: dict[str, int]) -> None:
    with capture_logs():
        asyncio.run(step_by_step(steps, capacities))


@given(st.lists(st.tuples(_steps, st.integers(0, 2)), max_size=60), _capacities)
def test_nothing_is_lost_doubled_or_overtaken_whatever_meets(
    steps: list[tuple[Step, int]], capacities: dict[str, int]
) -> None:
    with capture_logs():
        asyncio.run(hard_on_each_other(steps, capacities))
