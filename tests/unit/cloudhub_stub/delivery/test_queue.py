"""Everything on its way to one node."""

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloudhub_stub.delivery.fates import Fate, GivenUp, Settled, Written
from cloudhub_stub.delivery.list_lane import PACE
from cloudhub_stub.delivery.parcel import Lane, Parcel, parcel_of
from cloudhub_stub.delivery.queue import MAX_ANSWERS, NodeQueue, Prove, QueueRules
from cloudhub_stub.errors import QueueFull
from edgecore.beehive.message import Header, Message, Route
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DOWN, DROPPED, SUPERSEDED, Ledger

POD, LIST, TWIN = "default/pod/p", "default/podlist/web", "device/d/twin/cloud_updated"


@pytest.fixture
def queue() -> NodeQueue:
    return NodeQueue(QueueRules())


def enter(queue: NodeQueue, *parcels: Parcel) -> None:
    queue.reserve(list(parcels))
    for each in parcels:
        queue.enter(each)


def settled(queue: NodeQueue) -> list[Settled]:
    return [fate for fate in queue.drain() if isinstance(fate, Settled)]


def test_nothing_is_written_while_the_node_is_not_connected(queue: NodeQueue, parcel: Any) -> None:
    enter(queue, parcel(POD), parcel(LIST))
    assert (queue.take(0.0), queue.wake_at()) == (None, float("inf"))


def test_answers_go_before_lists_and_lists_before_objects(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    pod, pods, answer = parcel(POD), parcel(LIST), parcel("a/node/n", operation="response", lasting=False)
    enter(queue, pod, pods)
    queue.answer(answer, 0.0)
    assert [queue.take(0.0) for _ in range(4)] == [answer, pods, pod, None]


def test_an_answer_is_held_back_as_long_as_it_was_told_and_nothing_else_is(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    answer, pod = parcel("a/secret/s", operation="response", content={}, lasting=False), parcel(POD)
    queue.answer(answer, 1.01)
    assert queue.wake_at() == 1.01
    enter(queue, pod)
    assert [queue.take(1.0), queue.take(1.0)] == [pod, None]
    queue.acknowledge(pod.id)
    assert queue.take(1.01) is answer
    assert queue.acknowledge(answer.id)


def test_a_second_message_of_the_same_id_is_not_queued(queue: NodeQueue, parcel: Any) -> None:
    first, second = parcel(POD, "1", id="same"), parcel(POD, "2", id="same")
    queue.reserve([first, second])
    assert (queue.enter(first), queue.enter(second)) == (True, False)
    assert (len(queue), queue.lasting, queue.held_bytes) == (1, 1, len(first.data))


@pytest.mark.parametrize(
    ("rules", "text"),
    [(QueueRules(max_messages=2), "2 messages lie in its queue, which takes 2"), (QueueRules(max_bytes=450), "bytes")],
)
def test_a_full_queue_takes_none_of_what_is_too_much(parcel: Any, rules: QueueRules, text: str) -> None:
    queue = NodeQueue(rules)
    enter(queue, parcel(POD), parcel(LIST))
    with pytest.raises(QueueFull, match=text):
        queue.reserve([parcel(TWIN)])
    assert queue.lasting == 2


def test_room_comes_back_with_the_acknowledgement(parcel: Any) -> None:
    queue = NodeQueue(QueueRules(max_messages=1))
    queue.connect(None)
    first = parcel(POD)
    enter(queue, first)
    queue.take(0.0)
    queue.acknowledge(first.id)
    enter(queue, parcel(POD))
    assert queue.lasting == 1


def test_what_nobody_awaits_is_no_acknowledgement(queue: NodeQueue) -> None:
    assert not queue.acknowledge("unknown")
    assert not queue.acknowledge("")


def test_an_acknowledgement_counts_once_over_any_connection(queue: NodeQueue, parcel: Any) -> None:
    sent = parcel(POD)
    enter(queue, sent)
    queue.connect(None)
    queue.take(0.0)
    queue.disconnect()
    queue.connect(None)
    assert queue.acknowledge(sent.id)
    assert not queue.acknowledge(sent.id)
    assert settled(queue) == [Settled(sent, ACKNOWLEDGED)]
    assert queue.take(1.0) is None


@pytest.mark.parametrize("resource", [POD, LIST])
def test_a_late_acknowledgement_of_an_earlier_session_proves_nothing_of_this_one(
    queue: NodeQueue, parcel: Any, resource: str
) -> None:
    sent, twin = parcel(resource), parcel(TWIN, group="twin")
    enter(queue, sent)
    queue.connect(None)
    queue.take(0.0)
    queue.disconnect()
    enter(queue, twin)
    queue.connect(None)
    assert {queue.take(1.0), queue.take(1.0)} == {sent, twin}
    assert queue.acknowledge(sent.id)
    assert settled(queue) == [Settled(sent, ACKNOWLEDGED)]
    assert queue.holds(twin.id)


def test_an_acknowledgement_of_what_an_earlier_process_may_have_sent_proves_nothing(
    queue: NodeQueue, parcel: Any
) -> None:
    sent, twin = parcel(POD), parcel(TWIN, group="twin")
    queue.restore(sent)
    enter(queue, twin)
    queue.connect(None)
    assert [queue.take(1.0), queue.take(1.0)] == [twin, sent]
    queue.acknowledge(sent.id)
    assert settled(queue) == [Settled(sent, ACKNOWLEDGED)]


def test_an_acknowledgement_proves_that_what_was_written_before_was_read(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    twin, pod, later = parcel(TWIN, group="twin"), parcel(POD), parcel(TWIN, group="twin")
    enter(queue, twin, pod)
    assert [queue.take(0.0), queue.take(0.0)] == [twin, pod]
    enter(queue, later)
    queue.take(0.0)
    queue.acknowledge(pod.id)
    assert settled(queue) == [Settled(pod, ACKNOWLEDGED), Settled(twin, DELIVERED)]
    assert queue.holds(later.id)


def test_what_is_in_doubt_for_two_seconds_is_asked_for(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    twin = parcel(TWIN, group="twin")
    enter(queue, twin)
    queue.take(10.0)
    assert queue.wake_at() == 12.0
    assert queue.take(11.9) is None
    assert isinstance(queue.take(12.0), Prove)
    queue.proving("proof", 12.0)
    assert queue.take(16.9) is None
    assert queue.acknowledge("proof")
    assert settled(queue) == [Settled(twin, DELIVERED)]
    assert queue.wake_at() == float("inf")


def test_a_proof_that_does_not_come_is_asked_for_again_and_each_answer_counts(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    enter(queue, parcel(TWIN, group="twin"))
    queue.take(0.0)
    for number in range(6):
        now = 2.0 + 5.0 * number
        assert isinstance(queue.take(now), Prove)
        queue.proving(f"proof {number}", now)
    assert not queue.acknowledge("proof 0")  # long ago
    assert queue.acknowledge("proof 4")
    assert len(queue) == 0


def test_the_proof_of_another_session_proves_nothing(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    twin = parcel(TWIN, group="twin")
    enter(queue, twin)
    queue.take(0.0)
    queue.proving("proof", 2.0)
    queue.disconnect()
    queue.connect(None)
    assert queue.take(3.0) is twin
    assert not queue.acknowledge("proof")
    assert queue.holds(twin.id)


def test_a_go_edge_gets_no_more_unread_lists_than_it_can_hold(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(PACE)
    lists = [parcel(f"default/podlist/s{number}") for number in range(PACE + 2)]
    enter(queue, *lists)
    written = [queue.take(0.0) for _ in range(PACE)]
    assert written == lists[:PACE]
    assert isinstance(queue.take(0.0), Prove)  # at once: the rest waits for it
    queue.proving("proof", 0.0)
    assert queue.take(0.0) is None
    queue.acknowledge("proof")  # its transport has read them, its modules may not have
    assert queue.take(0.0) is None
    queue.acknowledge(lists[1].id)
    assert [queue.take(0.0), queue.take(0.0), queue.take(0.0)] == [*lists[PACE:], None]


def test_our_edge_gets_all_lists_at_once(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    lists = [parcel(f"default/podlist/s{number}") for number in range(300)]
    enter(queue, *lists)
    assert [queue.take(0.0) for _ in lists] == lists


def test_answers_end_with_their_session_and_the_rest_waits(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    written, waiting = (parcel("a/node/n", operation="response", content="OK", lasting=False) for _ in range(2))
    pod = parcel(POD)
    queue.answer(written, 0.0)
    queue.take(0.0)
    queue.answer(waiting, 5.0)
    enter(queue, pod)
    queue.disconnect()
    assert settled(queue) == [Settled(waiting, DROPPED, "link_lost"), Settled(written, DROPPED, "link_lost")]
    assert (len(queue), queue.lasting) == (1, 1)


def test_answers_that_nobody_reads_are_bounded(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    for _ in range(MAX_ANSWERS + 1):
        queue.answer(parcel("a/node/n", operation="response", content="OK", lasting=False), 9.0)
    assert len(queue) == MAX_ANSWERS
    assert [fate.reason for fate in settled(queue)] == ["queue_full"]


def test_a_withdrawn_message_is_not_sent(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    pod, pods = parcel(POD), parcel(LIST)
    enter(queue, pod, pods)
    queue.withdraw(pod.id)
    queue.withdraw(pods.id)
    queue.withdraw("unknown")
    assert queue.take(0.0) is None
    assert {fate.reason for fate in settled(queue)} == {"withdrawn"}
    assert queue.held_bytes == 0


def test_a_faithful_queue_asks_for_no_proof_and_forgets_what_it_wrote(parcel: Any) -> None:
    queue = NodeQueue(QueueRules(faithful=True))
    queue.connect(None)
    twin = parcel(TWIN, group="twin")
    enter(queue, twin)
    assert queue.take(0.0) is twin
    assert settled(queue) == [Settled(twin, DELIVERED, "written")]
    assert (queue.take(100.0), queue.wake_at()) == (None, float("inf"))


RESOURCES = [
    ("default/pod/a", "resource"),
    ("default/pod/b", "resource"),
    ("default/service/a", "resource"),
    ("default/podlist/x", "resource"),
    ("namespace/servicelist/service", "resource"),
    ("membership", "twin"),
]


def test_what_is_taken_back_is_nowhere_any_more_wherever_it_was(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    flying, listed, waiting, listed_later = (
        parcel(POD),
        parcel(LIST),
        parcel("default/pod/q"),
        parcel("default/podlist/x"),
    )
    enter(queue, flying, listed)
    assert [queue.take(0.0), queue.take(0.0)] == [listed, flying]
    enter(queue, waiting, listed_later)
    queue.take_back({flying.id, listed.id, waiting.id, listed_later.id, "another"}, "made_anew")
    assert sorted(settled(queue)) == sorted(
        Settled(each, SUPERSEDED, "made_anew") for each in (flying, listed, waiting, listed_later)
    )
    assert (len(queue), queue.lasting, queue.held_bytes, queue.take(100.0)) == (0, 0, 0, None)


def test_what_waits_behind_something_taken_back_goes_on(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    first, second, other = parcel(POD, "1"), parcel(POD, "2"), parcel("default/pod/q")
    enter(queue, first)
    assert queue.take(0.0) is first
    enter(queue, second, other)
    queue.take_back({first.id}, "made_anew")
    assert queue.take(0.0) in {second, other}


def test_what_was_given_up_can_be_taken_back(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    pod = parcel(POD)
    enter(queue, pod)
    queue.take(0.0)
    queue.expire(25.0)
    queue.take_back({pod.id}, "made_anew")
    queue.disconnect()
    queue.connect(None)
    assert (queue.given_up, queue.take(26.0)) == (0, None)


class Delivering(RuleBasedStateMachine):
    """Any interleaving of queueing, sending, acknowledging, cuts and time, against an edge that reads in order."""

    @initialize(pace=st.sampled_from([None, 2]))
    def begin(self, pace: int | None) -> None:
        self.now = 0.0
        self.pace = pace
        self.queue = NodeQueue(QueueRules(max_messages=12))
        self.ledger = Ledger(lambda: self.now)
        self.ledger.hold(DOWN, lambda _peer, message_id: self.queue.holds(message_id))
        self.count = 0
        self.version = 0
        self.connected = False
        self.unread: deque[bytes | str] = deque()  # what lies between the stub and the edge
        self.owed: deque[str] = deque()  # what the edge has to answer
        self.applied: dict[str, list[str]] = {}  # resource to ids, in the order of first reading
        self.accepted: dict[str, list[Parcel]] = {}
        self.ended: dict[str, Settled] = {}
        self.frames: dict[str, bytes] = {}
        self.first_at: dict[str, float] = {}
        self.taken_back: set[str] = set()  # resources of which something was

    @rule(
        where=st.sampled_from(RESOURCES),
        operation=st.sampled_from(["insert", "update", "update", "delete"]),
        step=st.sampled_from([1, 1, 0, -1]),
    )
    def send(self, where: tuple[str, str], operation: str, step: int) -> None:
        self.count += 1
        self.version = max(1, self.version + step)
        resource, group = where
        header = Header(f"m{self.count}", "", 1, str(self.version))
        message = Message(header, Route("edgecontroller", group, operation, resource), {"number": self.count})
        parcel = parcel_of(message)
        try:
            self.queue.reserve([parcel])
        except QueueFull:
            assert self.queue.lasting == 12
            return
        self.ledger.open(DOWN, message)
        self.accepted.setdefault(resource, []).append(parcel)
        assert self.queue.enter(parcel)
        self.settle()

    @rule(window=st.sampled_from([None, 2, 3, 64]))
    def connect(self, window: int | None) -> None:
        if not self.connected:
            self.connected = True
            self.window = window or 1
            self.queue.connect(self.pace, window)

    @rule()
    def cut(self) -> None:
        if self.connected:
            self.connected = False
            self.queue.disconnect()
            self.unread.clear()
            self.first_at.clear()
            self.settle()

    @rule(most=st.integers(1, 6))
    def write(self, most: int) -> None:
        for _ in range(most):
            due = self.queue.take(self.now)
            if due is None:
                break
            if isinstance(due, Prove):
                self.count += 1
                self.queue.proving(f"p{self.count}", self.now)
                self.unread.append(f"p{self.count}")
                continue
            assert self.connected
            assert due.id not in self.ended
            assert self.frames.setdefault(due.id, due.data) is due.data  # the same bytes each time
            self.unread.append(due.data)
            if due.lane is Lane.ACK:
                first_at = self.first_at.setdefault(due.id, self.now)
                assert self.now - first_at < 25.0
        self.settle()

    @rule(most=st.integers(1, 6))
    def read(self, most: int) -> None:
        for _ in range(min(most, len(self.unread))):
            frame = self.unread.popleft()
            if isinstance(frame, str):
                self.owed.append(frame)
                continue
            message_id = frame.split(b'"msg_id":"', 1)[1].split(b'"', 1)[0].decode()
            parcel = next(each for sent in self.accepted.values() for each in sent if each.id == message_id)
            seen = self.applied.setdefault(parcel.resource, [])
            if message_id not in seen:
                seen.append(message_id)
            if parcel.due_ack:
                self.owed.append(message_id)

    @rule(most=st.integers(1, 6), loses=st.booleans())
    def answer(self, most: int, loses: bool) -> None:
        for _ in range(min(most, len(self.owed))):
            message_id = self.owed.popleft()
            if self.connected and not loses:
                self.queue.acknowledge(message_id)
        self.settle()

    @rule(number=st.integers(0, 100), most=st.integers(1, 4))
    def take_back(self, number: int, most: int) -> None:
        held = [each for sent in self.accepted.values() for each in sent if self.queue.holds(each.id)]
        taken = held[number % len(held) :][:most] if held else []
        self.queue.take_back({each.id for each in taken}, "made_anew")
        self.taken_back |= {each.resource for each in taken}
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 2.0, 5.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.queue.expire(self.now)
        self.settle()

    def settle(self) -> None:
        for fate in self.queue.drain():
            if isinstance(fate, GivenUp):
                assert self.now - self.first_at.pop(fate.parcel.id, self.now - 25.0) >= 25.0
            if isinstance(fate, Settled):
                parcel = fate.parcel
                assert parcel.id not in self.ended, "ended twice"
                self.ended[parcel.id] = fate
                assert self.ledger.close(DOWN, parcel.id, fate.outcome, fate.reason)
                if fate.outcome in {ACKNOWLEDGED, DELIVERED}:
                    assert parcel.id in self.applied.get(parcel.resource, ()), "said to be there, and is not"

    @invariant()
    def nothing_is_lost(self) -> None:
        for sent in getattr(self, "accepted", {}).values():
            for parcel in sent:
                assert parcel.id in self.ended or self.queue.holds(parcel.id)

    @invariant()
    def no_more_than_the_window_and_one_of_each_object_is_in_flight(self) -> None:
        if getattr(self, "connected", False):
            in_flight = self.queue._acks.in_flight
            assert len(in_flight) <= self.window
            assert len({parcel.resource for parcel in in_flight}) == len(in_flight)

    def teardown(self) -> None:
        """In the end, with an edge that answers, everything is through and the newest state is there."""
        if not hasattr(self, "queue"):
            return
        self.cut()
        self.connect(64)
        for _ in range(200):
            self.write(6)
            self.read(6)
            self.answer(6, False)
            self.now += 1.0
        assert len(self.queue) == 0
        assert (self.queue.lasting, self.queue.held_bytes) == (0, 0)
        self.now += 1000.0
        assert (self.ledger.under_way, self.ledger.unexplained) == (0, 0)
        for resource, sent in self.accepted.items():
            order = [parcel.id for parcel in sent]
            applied = self.applied.get(resource, [])
            assert applied == sorted(applied, key=order.index), "out of order"
            if resource in self.taken_back:
                continue  # who takes something back says what shall be there instead
            fresh = [parcel for parcel in sent if self.ended[parcel.id].reason != "stale_version"]
            assert self.ended[fresh[-1].id].outcome != SUPERSEDED
            assert applied[-1] == fresh[-1].id
            if resource == "membership":
                assert applied == order  # changes: each of them arrives


TestDelivering = Delivering.TestCase
TestDelivering.settings = settings(max_examples=settings().max_examples, stateful_step_count=40, deadline=None)


def test_each_write_is_told(queue: NodeQueue, parcel: Any) -> None:
    queue.connect(None)
    sent = parcel(POD)
    enter(queue, sent)
    queue.take(0.0)
    queue.take(5.0)
    fates: list[Fate] = queue.drain()
    assert fates == [Written(sent), Written(sent)]
