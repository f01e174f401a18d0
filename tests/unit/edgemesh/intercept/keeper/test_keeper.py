"""What the keeper does for what it is told: the steps, and the will whatever ends the node."""

import select
import socket
import threading
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.intercept.keeper.keeper import Keeper
from edgecore.modules.edgemesh.intercept.keeper.outcome import Outcome
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    Ask,
    Bye,
    Done,
    Frames,
    News,
    Nft,
    Ready,
    Said,
    TakeOver,
    Will,
    frame,
)

WILL = Will(at_once=(Nft("at once"),), at_last=(Nft("at last"),))
LINGERING = Will(at_once=(Nft("at once"),), at_last=(Nft("at last"),), linger_s=5, at_succession=(Nft("succession"),))


class Steps:
    """Does nothing, remembers what. What begins with ``bad`` fails; ``big`` prints much."""

    tool = "library"

    def __init__(self):
        self.nftables = self
        self.done = []

    def do(self, step):
        self.done.append(step.text)
        if step.text.startswith("bad"):
            return Outcome(error=f"{step.text} failed", reason="refused")
        if step.text == "broken":
            raise RuntimeError("a mistake in the program")
        return Outcome("x" * 1_000_000 if step.text == "big" else f"{step.text}!")

    def close(self):
        self.done.append("closed")


class Signals:
    """Signals that a test sends; the alarm rings at once if ``rings``."""

    left_s = 0.0

    def __init__(self, *, rings):
        self.readable, self.written = socket.socketpair()
        self.end_wanted = False
        self.alarms = []
        self._rings = rings

    def drain(self):
        if select.select([self.readable], [], [], 0)[0]:
            self.readable.recv(64)

    def alarm(self, seconds):
        self.alarms.append(seconds)
        if self._rings:
            self.send()

    def send(self):
        self.end_wanted = True
        self.written.send(b"!")


class Seat:
    """A name that is held; ``knocks`` is how many other keepers come at the next looks."""

    def __init__(self):
        self.listener, self.knocked = socket.socketpair()
        self.stayed = 0

    def answer(self, leave, _left_s=0.0):
        if not select.select([self.listener], [], [], 0)[0]:
            return False
        self.listener.recv(1)
        if leave is None:
            self.stayed += 1
            return False
        leave()
        return True

    def close(self):
        self.listener.close()


class Rig:
    """A keeper and the node's end of its socket."""

    def __init__(self, *, rings=True):
        self.node, its = socket.socketpair()
        self.steps, self.signals, self.seat = Steps(), Signals(rings=rings), Seat()
        self._its = its
        self.keeper = Keeper(its, self.steps, self.signals, lambda _subnet: (self.seat, Outcome("left")))

    def tell(self, *messages):
        for message in messages:
            self.node.sendall(frame(message))

    def run(self):
        """Run the keeper to its end, and return what it said."""
        self.keeper.run()
        return self.said()

    def said(self):
        frames = Frames(News)
        while select.select([self.node], [], [], 0)[0]:
            try:
                data = self.node.recv(65_536)
            except ConnectionResetError:
                break
            if not data:
                break
            frames.feed(data)
        return list(frames.messages())

    def close(self):
        for each in (self.node, self._its, self.signals.readable, self.signals.written):
            each.close()
        self.seat.close()
        self.seat.knocked.close()


@contextmanager
def rig(**options):
    made = Rig(**options)
    try:
        yield made
    finally:
        made.close()


def test_steps_are_done_in_order_and_the_last_ones_output_is_the_answer():
    with rig() as it:
        it.tell(Ask(7, (Nft("a"), Nft("b"))), Bye(linger=False))
        assert it.run() == [Ready("library"), Done(7, "b!")]
        assert it.steps.done == ["a", "b", "closed"]


def test_the_first_step_that_fails_ends_the_request_and_not_the_keeper():
    with rig() as it:
        it.tell(Ask(1, (Nft("a"), Nft("bad"), Nft("c"))), Ask(2, (Nft("d"),)), Bye(linger=False))
        assert it.run()[1:] == [Done(1, "", "bad failed", "refused"), Done(2, "d!")]
        assert it.steps.done == ["a", "bad", "d", "closed"]


def test_a_goodbye_without_linger_has_the_whole_will_done_at_once():
    with rig() as it:
        it.tell(LINGERING, Bye(linger=False))
        it.run()
        assert it.steps.done == ["at once", "at last", "closed"]
        assert it.signals.alarms == []


def test_a_goodbye_with_linger_has_the_rest_of_the_will_done_after_it():
    with rig() as it:
        it.tell(LINGERING, Bye(linger=True))
        it.run()
        assert it.steps.done == ["at once", "at last", "closed"]
        assert it.signals.alarms == [5]


def test_a_node_that_is_gone_without_a_word_is_lingered_for():
    with rig() as it:
        it.tell(LINGERING)
        it.node.shutdown(socket.SHUT_WR)
        it.run()
        assert it.steps.done == ["at once", "at last", "closed"]
        assert it.signals.alarms == [5]


def test_what_a_node_that_is_gone_has_asked_for_is_not_done_and_its_last_will_is():
    with rig() as it:
        it.tell(WILL, Ask(1, (Nft("a"),)), Will(at_once=(Nft("newer"),)))
        it.node.close()
        it.keeper.run()
        assert it.steps.done == ["newer", "closed"]


def test_of_several_wills_the_last_is_done():
    with rig() as it:
        it.tell(WILL, Will(at_last=(Nft("newer"),)), Bye(linger=False))
        it.run()
        assert it.steps.done == ["newer", "closed"]


def test_a_node_without_a_will_leaves_nothing_to_do():
    with rig() as it:
        it.node.shutdown(socket.SHUT_WR)
        it.run()
        assert it.steps.done == ["closed"]


def test_a_step_of_the_will_that_fails_does_not_keep_the_others_from_being_done():
    with rig() as it:
        it.tell(Will((Nft("bad"), Nft("a")), (Nft("broken"), Nft("b"))), Bye(linger=False))
        said = it.run()
        assert it.steps.done == ["bad", "a", "broken", "b", "closed"]
        assert [each.values["reason"] for each in said if isinstance(each, Said)] == [
            "bad failed",
            "a step failed: RuntimeError('a mistake in the program')",
        ]


def test_a_signal_has_the_will_done_with_all_that_was_told_before_it():
    with rig() as it:
        it.tell(LINGERING, Ask(1, (Nft("a"),)), Will(at_once=(Nft("newer"),)))
        it.signals.send()
        it.run()
        assert it.steps.done == ["newer", "closed"]


def test_a_mistake_in_the_program_has_the_will_done():
    with rig() as it:
        it.tell(WILL, Ask(1, (Nft("broken"),)))
        said = it.run()
        assert it.steps.done == ["broken", "at once", "at last", "closed"]
        assert said[-1].event == "intercept_keeper_failed"


def test_another_keeper_that_comes_while_the_node_lives_is_told_that_this_one_stays():
    with rig() as it:
        it.seat.knocked.send(b"!")
        it.tell(LINGERING, TakeOver(1, "9.251.0.0/16"))
        runs = threading.Thread(target=it.keeper.run)
        runs.start()
        while it.seat.stayed == 0:
            pass
        it.tell(Bye(linger=False))
        runs.join()
        assert Done(1, "left") in it.said()
        assert it.steps.done == ["at once", "at last", "closed"]


def test_another_keeper_that_comes_during_the_linger_has_this_one_leave_without_the_rest_of_its_will():
    with rig(rings=False) as it:
        it.tell(LINGERING, TakeOver(1, "9.251.0.0/16"))
        runs = threading.Thread(target=it.keeper.run)
        runs.start()
        it.tell(Bye(linger=True))
        while not it.signals.alarms:
            pass
        it.seat.knocked.send(b"!")
        runs.join()
        assert it.steps.done == ["at once", "succession", "closed", "closed"]


def test_another_keeper_that_comes_just_after_the_nodes_end_is_not_told_that_the_node_lives():
    with rig(rings=False) as it:
        it.tell(LINGERING, TakeOver(1, "9.251.0.0/16"))
        runs = threading.Thread(target=it.keeper.run)
        runs.start()
        while Done(1, "left") not in it.said():
            pass
        it.node.close()
        it.seat.knocked.send(b"!")
        runs.join()
        assert it.seat.stayed == 0
        assert it.steps.done == ["at once", "succession", "closed", "closed"]


def test_a_signal_ends_the_linger():
    with rig(rings=False) as it:
        it.tell(LINGERING, Bye(linger=True))
        runs = threading.Thread(target=it.keeper.run)
        runs.start()
        while not it.signals.alarms:
            pass
        it.signals.send()
        runs.join()
        assert it.steps.done == ["at once", "at last", "closed"]


def test_a_node_that_takes_no_answers_holds_up_its_own_requests_alone():
    with rig() as it:
        it.tell(WILL, *(Ask(number, (Nft("big"),)) for number in range(20)))
        runs = threading.Thread(target=it.keeper.run)
        runs.start()
        while "big" not in it.steps.done:
            pass
        it.signals.send()
        runs.join()
        assert it.steps.done.count("big") < 20
        assert it.steps.done[-3:] == ["at once", "at last", "closed"]


@given(st.binary(max_size=200))
def test_whatever_bytes_come_after_the_will_it_is_done_once(junk):
    with rig() as it:
        it.tell(WILL)
        it.node.sendall(junk)
        it.node.shutdown(socket.SHUT_WR)
        it.run()
        assert it.steps.done[-3:] == ["at once", "at last", "closed"]


@given(st.integers(0, 200), st.integers(0, 255))
def test_whatever_byte_of_a_request_is_another_the_will_is_done_once(place, byte):
    request = bytearray(frame(Ask(1, (Nft("a"), Nft("b")))))
    request[place % len(request)] = byte
    with rig() as it:
        it.tell(WILL)
        it.node.sendall(request)
        it.node.shutdown(socket.SHUT_WR)
        it.run()
        assert it.steps.done[-3:] == ["at once", "at last", "closed"]
