"""One connection with its faults, without sockets: what passes, what is late, what is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.errors import NodeLost
from cloudhub_stub.faults.rules import Passage, Verdict
from cloudhub_stub.faults.socket import GONE, OPEN, SILENT, FaultySocket
from cloudhub_stub.hub import REPLACED, STOPPING
from edgecore.clock import VirtualClock, settle


class Bench:
    """A faulty socket between doubles."""

    def __init__(self, inner: Any, cable: Any, judge: Any, clock: VirtualClock) -> None:
        self.inner = inner
        self.cable = cable
        self.judge = judge
        self.clock = clock
        self.received: list[bytes] = []
        self.socket = FaultySocket("edge-1", inner, cable, judge, clock)

    async def receive(self, data: bytes) -> None:
        self.received.append(data)

    async def go(self, direction: str, data: bytes) -> None:
        await (self.socket.send(data) if direction == "down" else self.socket.arrived(data, self.receive))

    def out(self, direction: str) -> list[bytes]:
        frames: list[bytes] = self.inner.frames
        return frames if direction == "down" else self.received


@pytest.fixture
def bench(make_socket: Any, cable: Any, judge: Any, vclock: VirtualClock) -> Any:
    return lambda *passages: Bench(make_socket(), cable, judge(*passages), vclock)


BOTH = pytest.mark.parametrize("direction", ["up", "down"])


async def test_while_nothing_is_wrong_nobody_is_asked(bench: Any) -> None:
    at = bench()
    at.judge.busy = False
    await at.socket.send(b"a")
    assert (at.inner.frames, at.judge.judged) == ([b"a"], [])


@BOTH
@pytest.mark.parametrize("copies", [0, 1, 3])
async def test_a_message_arrives_as_often_as_is_said(bench: Any, direction: str, copies: int) -> None:
    at = bench(Passage(copies, 0.0, ()))
    await at.go(direction, b"a")
    await at.go(direction, b"b")
    assert at.out(direction) == [b"a"] * copies + [b"b"]
    assert at.judge.judged == [(direction, "edge-1", b"a"), (direction, "edge-1", b"b")]


@BOTH
async def test_what_comes_behind_a_late_message_waits_too(bench: Any, direction: str) -> None:
    at = bench(Passage(1, 2.0, ()))
    await at.go(direction, b"a")
    await at.go(direction, b"b")
    await at.clock.advance(1.9)
    assert at.out(direction) == []
    assert at.socket.troubled
    await at.clock.advance(0.1)
    assert at.out(direction) == [b"a", b"b"]
    assert not at.socket.troubled


async def test_the_other_direction_does_not_wait(bench: Any) -> None:
    at = bench(Passage(1, 2.0, ()))
    await at.go("down", b"a")
    await at.go("up", b"b")
    assert (at.inner.frames, at.received) == ([], [b"b"])
    at.socket.end()
    await settle()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)), max_size=20))
async def test_order_is_kept_for_any_copies_delays_and_pauses(plan: list[tuple[int, int, int]]) -> None:
    clock = VirtualClock()
    passages = [Passage(copies, float(delay), ()) for copies, delay, _ in plan]

    class Judge:
        busy = True

        def judge(self, *_: object) -> Passage:
            return passages.pop(0)

        def act(self, *_: object) -> None: ...

        def changed(self) -> None: ...

    at = Bench(None, None, Judge(), clock)
    for number, (_, _, pause) in enumerate(plan):
        await at.go("up", b"%d" % number)
        await clock.advance(pause)
    await clock.advance(10)
    assert at.received == [b"%d" % number for number, (copies, _, _) in enumerate(plan) for _ in range(copies)]


@BOTH
async def test_what_comes_after_a_message_comes_when_it_has_passed(bench: Any, spec: Any, direction: str) -> None:
    cut = Verdict("f1", spec("cut"), False)
    at = bench(Passage(1, 0.0, ()), Passage(1, 3.0, (cut,)))
    for data in (b"a", b"b", b"c"):
        await at.go(direction, data)
    assert at.judge.acted == []
    await at.clock.advance(3)
    assert at.judge.acted == [cut]
    assert at.out(direction) == [b"a", b"b"]
    assert at.cable.done == ["aborted"]


async def test_a_cut_connection_refuses_to_send_and_hears_nothing(bench: Any) -> None:
    at = bench()
    at.socket.cut()
    with pytest.raises(NodeLost):
        await at.go("down", b"a")
    await at.go("up", b"b")
    at.socket.hang_up(STOPPING)
    assert (at.inner.frames, at.received, at.inner.hung_up, at.judge.judged) == ([], [], [], [])


async def test_a_silent_connection_swallows_what_is_sent_and_what_was_read_already(bench: Any) -> None:
    at = bench()
    at.socket.silence(None)
    await at.go("down", b"a")
    await at.go("up", b"b")
    assert (at.inner.frames, at.received, at.cable.done) == ([], [], ["frozen"])
    assert at.socket.state == SILENT


async def test_what_is_under_way_when_a_connection_falls_silent_is_lost(bench: Any) -> None:
    at = bench(Passage(1, 1.0, ()), Passage(1, 1.0, ()))
    await at.go("down", b"a")
    await at.go("up", b"b")
    at.socket.silence(None)
    await at.clock.advance(5)
    assert (at.inner.frames, at.received) == ([], [])


async def test_silence_ends_with_a_cut_when_its_time_is_over(bench: Any) -> None:
    at = bench()
    at.socket.silence(30.0)
    await at.clock.advance(29)
    assert at.cable.done == ["frozen"]
    await at.clock.advance(1)
    assert (at.cable.done, at.socket.state) == (["frozen", "aborted"], GONE)


async def test_the_end_of_a_connection_ends_its_timer(bench: Any) -> None:
    at = bench()
    at.socket.silence(30.0)
    at.socket.end()
    await at.clock.advance(60)
    assert at.cable.done == ["frozen"]


@pytest.mark.parametrize(
    ("reason", "done"),
    [("keepalive_timeout", ["frozen"]), (REPLACED, ["frozen", "aborted"]), (STOPPING, ["frozen", "aborted"])],
)
def test_a_silent_connection_is_given_up_only_when_its_node_is_back_or_the_stub_ends(
    bench: Any, reason: str, done: list[str]
) -> None:
    at = bench()
    at.socket.silence(None)
    at.socket.hang_up(reason)
    assert (at.cable.done, at.inner.hung_up) == (done, [])


def test_an_open_connection_is_closed_as_ever(bench: Any) -> None:
    at = bench()
    at.socket.hang_up(REPLACED)
    assert (at.inner.hung_up, at.socket.state) == ([REPLACED], OPEN)


async def test_a_late_message_to_a_node_that_has_gone_is_lost_quietly(bench: Any) -> None:
    at = bench(Passage(1, 1.0, ()), Passage(1, 1.0, ()))
    await at.go("down", b"a")
    await at.go("down", b"b")
    at.inner.broken = True
    await at.clock.advance(5)
    assert (at.inner.frames, at.socket.troubled) == ([], False)
