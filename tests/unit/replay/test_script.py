"""What a recording asks of a replay."""

import json
from typing import Any

from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Entry, Http, Note, SessionHead
from edgecore.recording.session import Recording, begins_within
from edgecore.replay.facts import NodeFacts, facts_of
from edgecore.replay.script import Script, said_before

UP, DOWN = Direction.TO_CLOUD, Direction.TO_EDGE
T_MS = 1_600_000_000_000


def frame(
    line: int, way: Direction, message_id: str, operation: str, resource: str, *, parent: str = "", at_ms: int = T_MS
) -> CloudFrame:
    header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": at_ms}
    route = {"source": "edged", "group": "meta", "operation": operation, "resource": resource}
    text = json.dumps({"header": header, "route": route, "content": "OK"}, separators=(",", ":"))
    return CloudFrame(line, (T_MS + line) * 1_000_000, way, 1, text)


def script(*entries: Entry, alone: Any = lambda *_: False) -> Script:
    return Script(Recording("r", entries), alone)


def opened(line: int, link: int = 1) -> ConnectionEvent:
    return ConnectionEvent(line, T_MS * 1_000_000, UP, link, "open", "")


def test_what_the_edge_sends_is_counted_by_kind_and_route() -> None:
    one = frame(1, UP, "a", "query", "default/configmap/c")
    two = frame(2, UP, "b", "query", "default/configmap/c")
    other = frame(3, UP, "c", "query", "default/configmap/d")
    expected = script(one, two, other).expected
    assert [expected[line].before for line in (1, 2, 3)] == [0, 1, 0]


def test_what_is_known_not_to_be_sent_is_not_awaited() -> None:
    """Nor is it counted for what comes after it."""
    queries = (frame(line, UP, name, "query", "x/configmap/c") for line, name in ((1, "a"), (2, "b")))
    answers = iter((True, False))
    found = script(*queries, alone=lambda recorded, *_message: recorded.name == "r" and next(answers))
    assert [(one.is_awaited, one.before) for one in found.expected.values()] == [(False, 0), (True, 0)]


def test_what_is_sent_again_is_not_awaited() -> None:
    again = frame(2, UP, "a", "query", "x/configmap/c")
    found = script(frame(1, UP, "a", "query", "x/configmap/c"), again)
    assert [found.expected[line].is_awaited for line in (1, 2)] == [True, False]


def test_answers_belong_to_the_route_of_their_request() -> None:
    request = frame(1, UP, "a", "query", "x/configmap/c")
    answer = frame(2, DOWN, "b", "response", "x/configmap/c", parent="a")
    stray = frame(3, DOWN, "c", "response", "x/configmap/c", parent="from before")
    found = script(request, answer, stray)
    ((route, answers),) = found.answers().items()
    assert route == ("edged", "meta", "query", "x/configmap/c")
    assert [one.id for one in answers] == ["b"]


def test_the_next_own_message_is_looked_for_on_the_same_connection() -> None:
    first, last = frame(2, UP, "a", "query", "x/configmap/c"), frame(4, UP, "b", "query", "x/configmap/d")
    following = script(opened(1), first, opened(3, 2), last).following
    assert [one.frame.id if one else None for one in following] == [None, "a", None, "b"]


def test_an_edge_that_registers_is_a_new_process() -> None:
    found = script(opened(1), frame(2, UP, "a", "insert", "default/nodestatus/n1"))
    assert found.registers(opened(1))
    assert not found.registers(opened(3, 2))


def test_a_recording_of_ours_says_so() -> None:
    assert script(SessionHead(1, 0, 2, "edgecore 1", "n1")).is_ours
    assert not script(SessionHead(1, 0, 2)).is_ours
    assert not script(Note(1, 0, "x", "", "", "")).is_ours


def test_a_recording_begins_within_where_no_connection_is_opened_first() -> None:
    note = Note(1, 0, "x", "", "", "")
    assert begins_within((note, frame(2, UP, "a", "query", "x/configmap/c")))
    assert not begins_within((note, opened(2)))
    assert not begins_within((note,))


def test_a_message_from_before_the_recording_was_said_before() -> None:
    old = frame(1, UP, "old", "query", "x/configmap/c", at_ms=T_MS - 60_000)
    assert said_before((old, frame(2, UP, "new", "query", "x/configmap/c"))) == {"old"}
    assert said_before(()) == frozenset()


def test_the_node_is_known_by_what_the_recording_tells() -> None:
    head = Http(1, 0, UP, 1, "GET /p/n1/events HTTP/1.1\r\nNode_id: n1\r\n\r\n", b"")
    pod = CloudFrame(2, 0, DOWN, 1, '{"spec":{"nodeName":"other"}}')
    status = CloudFrame(3, 0, UP, 1, '{"addresses":[{"address":"10.0.0.2","type":"InternalIP"}]}')
    assert facts_of((head, pod, status)) == NodeFacts("n1", "10.0.0.2")
    assert facts_of((pod,)).name == "other"
    assert facts_of((SessionHead(1, 0, 2, node="n2"), head)).name == "n2"
    assert facts_of((pod, frame(3, UP, "a", "insert", "default/nodestatus/n1"))).name == "n1"
    assert facts_of(()) == NodeFacts()
