"""What was seen as entries, their numbers, and what they follow from."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.recording.entries import BusMessage, CloudFrame, Commit, Direction, Note, ProxiedRequest
from edgecore.recording.recorder import sightings
from edgecore.recording.recorder.sightings import Numbering, Sighting

NOTE = Note(0, 5, "", "", "", "")


def test_a_frame_has_the_ids_of_its_header() -> None:
    text = b'{"header":{"msg_id":"a","parent_msg_id":"b","timestamp":1},"route":{},"content":[]}\n'
    told = sightings.frame(7, Direction.TO_EDGE, 3, text)
    assert told == Sighting(CloudFrame(0, 7, Direction.TO_EDGE, 3, text.decode()), "a", ("b",))


def test_a_frame_that_is_no_message_has_none() -> None:
    told = sightings.frame(7, Direction.TO_EDGE, 3, b"\xffhello")
    assert told == Sighting(CloudFrame(0, 7, Direction.TO_EDGE, 3, "\\xffhello"))


def test_a_message_whose_content_is_no_json_is_told_without_it() -> None:
    told = sightings.bus_message(7, ("a", "b", True), Message(Header("1"), Route(), object()))
    assert isinstance(told.entry, BusMessage)
    assert '"content":null' in told.entry.text
    assert told.entry.injected


def test_a_commit_follows_from_every_message_that_it_names() -> None:
    told = sightings.commit(7, [("INSERT", ("key", "m1", 5, None)), ("INSERT", ("m2", b"m3", "x" * 500))])
    assert isinstance(told.entry, Commit)
    assert told.parents == ("key", "m1", "m2")
    numbering = Numbering()
    for message in ("m1", "m2"):
        numbering.numbered(Sighting(NOTE, message))
    assert numbering.numbered(told).causes == (1, 2)


def test_a_request_that_knows_its_time_keeps_it() -> None:
    assert sightings.timed(7, ProxiedRequest(0, 3, "", "", "")).entry.t_ns == 3
    assert sightings.timed(7, ProxiedRequest(0, 0, "", "", "")).entry.t_ns == 7


def test_the_same_message_again_follows_from_itself_and_an_answer_from_what_it_answers() -> None:
    numbering = Numbering()
    ways = [Sighting(NOTE, "a"), Sighting(NOTE, "a", ("z",)), Sighting(NOTE, "b", ("a",)), Sighting(NOTE, "", ("",))]
    entries = [numbering.numbered(one) for one in ways]
    assert [(one.n, one.causes) for one in entries] == [(1, ()), (2, (1,)), (3, (2,)), (4, ())]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_causes_are_earlier_entries_and_only_the_latest_ids_are_known(steps: list[tuple[int, int]]) -> None:
    numbering = Numbering(known_ids=4)
    for number, (own, parent) in enumerate(steps, 1):
        entry = numbering.numbered(Sighting(NOTE, str(own), (str(parent),)))
        assert entry.n == number
        assert all(cause < number for cause in entry.causes)
        assert len(numbering._numbers) <= 4
