"""What of a recording is played."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.errors import ReplayError
from cloudhub_stub.replay.plan import PlannedFrame, ReplayOptions, Selection, SkippedAnswer, stamped
from edgecore.beehive.message import content_value
from edgecore.beehive.wire import decode, encode
from edgecore.ids import NewId
from edgecore.recording.entries import BusMessage, CloudFrame, Direction, Entry, Note, SessionHead
from edgecore.recording.reader import read_entries
from edgecore.recording.writer import open_writer

EXAMPLES = Path(__file__).parents[4] / "examples" / "recordings"

MAP = {"10.66.0.2": "127.0.0.2", "10.66.0.1": "127.0.0.3"}


def plan(entries: Iterator[Entry] | list[Entry], **options: Any) -> list[PlannedFrame | SkippedAnswer]:
    return list(Selection(ReplayOptions(file="r.jsonl", **options)).plan(entries))


def to_edge(
    line: int, resource: str, *, operation: str = "update", parent: str = "", content: Any = None
) -> CloudFrame:
    text = json.dumps(
        {
            "header": {"msg_id": f"id-{line}", "parent_msg_id": parent, "timestamp": 5, "resourceversion": "9"},
            "route": {"source": "edgecontroller", "group": "resource", "operation": operation, "resource": resource},
            "content": content,
        }
    )
    return CloudFrame(line, line, Direction.TO_EDGE, 1, text + "\n")


FIVE: list[Entry] = [
    Note(1, 1, "begin", "", "", ""),
    to_edge(2, "default/service/a"),
    to_edge(3, "default/endpoints/a"),
    to_edge(4, "default/node/n", operation="response", parent="p", content="OK"),
    to_edge(5, "default/service/b"),
]


def entries_of(planned: list[PlannedFrame | SkippedAnswer]) -> list[int]:
    return [each.entry for each in planned if isinstance(each, PlannedFrame)]


@pytest.mark.parametrize(
    ("name", "messages", "answers"), [("b_services_endpoints_pods.jsonl", 33, 20), ("b2_deletes.jsonl", 13, 3)]
)
def test_every_frame_of_the_recorded_cloud_is_played_or_left_out_as_an_answer(
    name: str, messages: int, answers: int
) -> None:
    frames = [
        entry
        for entry in read_entries(EXAMPLES / name)
        if isinstance(entry, CloudFrame) and entry.direction is Direction.TO_EDGE
    ]
    planned = plan(read_entries(EXAMPLES / name))
    played = [each for each in planned if isinstance(each, PlannedFrame)]
    assert (len(played), len(planned) - len(played)) == (messages, answers)
    assert [each.entry for each in planned] == [frame.line for frame in frames]
    assert all(each.due_ack for each in played)
    assert {each.resource for each in planned if isinstance(each, SkippedAnswer)} == {"default/node/edge-node1"}


@pytest.mark.parametrize("name", ["s.jsonl.gz", "s.jsonl.zst", "s.mcap"])
def test_a_session_of_version_2_is_played_however_it_is_packed(tmp_path: Path, name: str) -> None:
    with open_writer(tmp_path / name) as writer:
        writer.write(SessionHead(1, 1, 2, "edgecore 0.9", "n", n=1))
        writer.write(BusMessage(2, 1, "a", "b", "{}", n=2))
        for entry in FIVE:
            writer.write(entry)
    assert entries_of(plan(read_entries(tmp_path / name))) == [4, 5, 7]


def test_a_played_message_is_the_recorded_one_but_for_the_mapped_addresses() -> None:
    name = EXAMPLES / "b_services_endpoints_pods.jsonl"
    texts = {entry.line: entry.text for entry in read_entries(name) if isinstance(entry, CloudFrame)}
    for each in plan(read_entries(name), map=MAP):
        if isinstance(each, PlannedFrame):
            text = texts[each.entry].replace("10.66.0.2", "127.0.0.2").replace("10.66.0.1", "127.0.0.3")
            recorded = json.loads(text)
            sent = json.loads(encode(each.message))
            assert sent["content"] == recorded["content"]
            assert sent["route"] == recorded["route"]
            assert {key: sent["header"][key] for key in recorded["header"]} == recorded["header"]
            assert sent["header"].keys() == {"msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"}


def test_frames_to_the_cloud_are_not_played() -> None:
    frame = to_edge(1, "default/service/a")
    back = CloudFrame(1, 1, Direction.TO_CLOUD, 1, frame.text)
    assert plan([back]) == []


@pytest.mark.parametrize(
    ("options", "played"),
    [
        ({}, [2, 3, 5]),
        ({"from_entry": 3}, [3, 5]),
        ({"to_entry": 3}, [2, 3]),
        ({"from_entry": 5, "to_entry": 5}, [5]),
        ({"from_entry": 6}, []),
        ({"only": "/service/"}, [2, 5]),
        ({"only": "^default/service/b$"}, [5]),
        ({"only": "service", "to_entry": 2}, [2]),
    ],
)
def test_lines_and_resources_select(options: dict[str, Any], played: list[int]) -> None:
    assert entries_of(plan(FIVE, **options)) == played


def test_an_answer_that_is_not_selected_is_not_counted() -> None:
    assert [each for each in plan(FIVE, only="/service/") if isinstance(each, SkippedAnswer)] == []
    assert [each for each in plan(FIVE) if isinstance(each, SkippedAnswer)] == [SkippedAnswer(4, "default/node/n")]


def test_nothing_is_read_beyond_the_last_line_to_play() -> None:
    def entries() -> Iterator[Entry]:
        yield from FIVE
        raise AssertionError("read too far")

    assert entries_of(plan(entries(), to_entry=4)) == [2, 3]


def test_a_frame_that_is_no_message_is_named() -> None:
    with pytest.raises(ReplayError, match="cannot replay entry 7: "):
        plan([CloudFrame(7, 1, Direction.TO_EDGE, 1, "{")])


def test_a_frame_that_is_no_message_does_not_matter_where_it_is_not_selected() -> None:
    bad = CloudFrame(1, 1, Direction.TO_EDGE, 1, "{")
    assert entries_of(plan([bad, *FIVE[1:]], from_entry=2)) == [2, 3, 5]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"from_entry": 0}, "counted from 1"),
        ({"from_entry": 5, "to_entry": 4}, "the last is before the first"),
        ({"to_entry": 0}, "the last is before the first"),
        ({"only": "("}, "not a regular expression"),
        ({"map": {"host": "127.0.0.1"}}, "no IP address"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ReplayError, match=complaint):
        Selection(ReplayOptions(file="r.jsonl", **options))


def test_a_stamped_message_has_its_own_id_and_time_and_the_recorded_version(ids: NewId) -> None:
    frame = to_edge(1, "default/service/a", content={"k": 1})
    recorded = decode(frame.text)
    sent = stamped(recorded, ids, 99)
    assert sent.header.id != recorded.header.id
    assert (sent.header.timestamp_ms, sent.header.resource_version) == (99, "9")
    assert (sent.route, content_value(sent)) == (recorded.route, {"k": 1})
