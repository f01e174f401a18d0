"""What happened to objects."""

from cloudhub_stub.cluster.events import EVENTS_EACH, NORMAL, OBJECTS, WARNING, Event, Events
from cloudhub_stub.cluster.kinds import ObjectKey
from edgecore.clock import VirtualClock

POD = ObjectKey("Pod", "default", "p")


def test_events_are_those_of_one_object_in_their_order(vclock: VirtualClock) -> None:
    events = Events(vclock)
    events.note(POD, NORMAL, "Scheduled", "to n")
    events.note(POD._replace(name="q"), NORMAL, "Scheduled", "to m")
    events.note(POD, WARNING, "Lost", "n is gone")
    now_ms = vclock.now_ms()
    assert events.of(POD) == [Event(now_ms, NORMAL, "Scheduled", "to n"), Event(now_ms, WARNING, "Lost", "n is gone")]


def test_of_what_nothing_happened_to_there_are_none(vclock: VirtualClock) -> None:
    assert Events(vclock).of(POD) == []


async def test_the_same_once_more_is_counted_and_becomes_the_newest(vclock: VirtualClock) -> None:
    events = Events(vclock)
    events.note(POD, WARNING, "FailedScheduling", "no nodes")
    events.note(POD, NORMAL, "Other", "x")
    await vclock.advance(5)
    events.note(POD, WARNING, "FailedScheduling", "no nodes")
    assert [(event.reason, event.times) for event in events.of(POD)] == [("Other", 1), ("FailedScheduling", 2)]
    assert events.of(POD)[-1].at_ms == vclock.now_ms()


def test_the_same_reason_in_other_words_is_another_event(vclock: VirtualClock) -> None:
    events = Events(vclock)
    for text in ("no nodes", "1 node(s) were not ready"):
        events.note(POD, WARNING, "FailedScheduling", text)
    assert [event.times for event in events.of(POD)] == [1, 1]


def test_of_each_object_the_newest_few_are_kept(vclock: VirtualClock) -> None:
    events = Events(vclock)
    for number in range(EVENTS_EACH + 5):
        events.note(POD, NORMAL, "Happened", str(number))
    assert [event.message for event in events.of(POD)] == [str(number) for number in range(5, EVENTS_EACH + 5)]


def test_of_many_objects_those_to_which_something_happened_last_are_kept(vclock: VirtualClock) -> None:
    events = Events(vclock)
    events.note(POD, NORMAL, "Happened", "first")
    events.note(POD._replace(name="forgotten"), NORMAL, "Happened", "first")
    events.note(POD, NORMAL, "Happened", "again")
    for number in range(OBJECTS - 1):
        events.note(POD._replace(name=str(number)), NORMAL, "Happened", "once")
    assert len(events.of(POD)) == 2
    assert events.of(POD._replace(name="forgotten")) == []
