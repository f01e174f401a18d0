"""The comparer finds what differs and names it: recorded frames compared with themselves, one thing changed."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fidelity import frames as f
from fidelity.compare import compare, differences, unchanged
from fidelity.frames import Frame, kind_of, read_frame
from fidelity.history import NAMES, Recording, read_recording
from fidelity.rules import (
    ABSENT,
    EVERY,
    NAMED_FIELDS,
    OURS_ALONE,
    RULES,
    STUB_ALONE,
    THEIRS_ALONE,
    named_field,
    pattern_of,
    rule_for,
)

LEDGER = Path(__file__).parents[3] / "docs" / "fidelity.md"
COMPARED = (
    f.KEEPALIVE,
    f.REGISTRATION,
    f.NODE_STATUS,
    f.ACK,
    f.POD_STATUS,
    f.POD_END,
    f.POD_STATUS_LIST,
    f.POD_DELETE,
)


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return [read_recording(name) for name in NAMES if not name.startswith("f_")]


@pytest.fixture(scope="module")
def samples(recordings: list[Recording]) -> dict[str, Frame]:
    """One recorded message of each kind."""
    return {kind_of(frame, one.answers): frame for one in recordings for frame in one.edge}


@pytest.fixture(scope="module")
def busy(recordings: list[Recording]) -> Recording:
    return next(one for one in recordings if one.name.startswith("b_"))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value that holds no others."""
    if isinstance(value, dict | list) and value:
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, key))
    else:
        yield path


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at ``place``, or with none."""
    document = copy.deepcopy(document)
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    if value is ABSENT:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return document


def dotted(place: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


@pytest.mark.parametrize("kind", COMPARED)
@pytest.mark.parametrize("value", ["changed", 7, None, [], {"a": 1}, ABSENT], ids=str)
def test_any_field_that_changes_is_found_and_named(samples: dict[str, Frame], kind: str, value: Any) -> None:
    document = samples[kind].document
    for place in leaves(document):
        if value is ABSENT and isinstance(place[-1], int):
            continue  # the list gets shorter: the next test
        other = changed(document, place, value)
        found = list(differences(kind, document, other))
        rule = rule_for(kind, dotted(place))
        if other == document or (rule is not None and rule.check.accepts(value)):
            assert found == []
        else:
            assert [path.startswith(dotted(place)) for path, _, _ in found] == [True]


@pytest.mark.parametrize("kind", COMPARED)
def test_any_field_too_many_is_found_and_named(samples: dict[str, Frame], kind: str) -> None:
    document = samples[kind].document
    holders = {place[:-1] for place in leaves(document) if not isinstance(place[-1], int)}
    for place in holders:
        found = list(differences(kind, document, changed(document, (*place, "extra"), 1)))
        assert [(path, was) for path, was, _ in found] == [(dotted((*place, "extra")), ABSENT)]


def test_a_list_of_another_length_is_found_and_named(samples: dict[str, Frame]) -> None:
    document = samples[f.NODE_STATUS].document
    shorter = changed(document, ("content", "Status", "addresses", 1), ABSENT)
    ((path, was, our),) = differences(f.NODE_STATUS, document, shorter)
    assert (path, len(was), len(our)) == ("content.Status.addresses", 2, 1)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (f.KEEPALIVE, ("content",)),
        (f.KEEPALIVE, ("route", "source")),
        (f.NODE_STATUS, ("content", "Status", "phase")),
        (f.NODE_STATUS, ("header", "sync")),
        (f.ACK, ("content",)),
        (f.ACK, ("route", "resource")),
        (f.ACK, ("header", "resourceversion")),
    ],
    ids=str,
)
def test_a_changed_field_in_one_frame_of_many_is_found_and_named(
    busy: Recording, kind: str, place: tuple[str, ...]
) -> None:
    ours = list(busy.edge)
    index = next(index for index, frame in enumerate(ours) if kind_of(frame) == kind)
    line = ours[index].line
    ours[index] = ours[index]._replace(document=changed(ours[index].document, place, "changed"))
    (found,) = compare_with(busy, ours)
    assert (found.kind, found.path, found.ours) == (kind, dotted(place), "changed")
    assert kind in f.PERIODIC or found.where == f"line {line}"


def about(**route: str) -> Frame:
    """Return a message of that route."""
    return read_frame(json.dumps({"header": {}, "route": route, "content": None}), 1)


def compare_with(recording: Recording, ours: list[Frame]) -> list[Any]:
    """Return what is wrong with ``ours``, from which the unchanged values are left out that Go reports."""
    again = unchanged(recording.edge)
    ours = [frame for frame in ours if frame not in again]
    return compare(
        recording.name, recording.edge, ours, answers=recording.answers, repeats=recording.repeats
    ).differences


def test_a_recording_is_equal_to_itself(recordings: list[Recording]) -> None:
    for one in recordings:
        assert compare_with(one, one.edge) == []


def test_a_message_that_is_missing_is_found(busy: Recording) -> None:
    gone = next(frame for frame in busy.edge if kind_of(frame) == f.ACK)
    (found,) = compare_with(busy, [frame for frame in busy.edge if frame is not gone])
    assert (found.kind, found.where, found.ours) == (f.ACK, f"line {gone.line}", ABSENT)


def test_a_periodic_message_that_is_never_sent_is_found(busy: Recording) -> None:
    found = compare_with(busy, [frame for frame in busy.edge if kind_of(frame) != f.KEEPALIVE])
    assert {(one.kind, one.ours) for one in found} == {(f.KEEPALIVE, ABSENT)}


def test_a_message_that_is_sent_twice_is_found(busy: Recording) -> None:
    twice = next(frame for frame in busy.edge if kind_of(frame) == f.ACK)
    (found,) = compare_with(busy, [*busy.edge, twice])
    assert (found.kind, found.where, found.recorded) == (f.ACK, "not in the recording", ABSENT)


@pytest.mark.parametrize(
    ("source", "operation", "resource"),
    [
        ("edgemesh", "query", "default/endpoints/x"),
        ("metaManager", "error", "default/pod/x"),
        ("edged", "explode", "x"),
    ],
)
def test_a_message_of_a_kind_that_go_never_sent_is_found(
    busy: Recording, source: str, operation: str, resource: str
) -> None:
    route = {"source": source, "group": "meta", "operation": operation, "resource": resource}
    stranger = busy.edge[0]._replace(
        document={**busy.edge[0].document, "header": {"parent_msg_id": ""}, "route": route}
    )
    (found,) = compare_with(busy, [*busy.edge, stranger])
    assert (found.where, found.recorded) == ("not in the recording", ABSENT)


def test_one_more_word_about_a_device_is_found(busy: Recording) -> None:
    twin = next(frame for frame in busy.edge if kind_of(frame) == f.TWIN)
    more = twin._replace(document={**twin.document, "header": {**twin.document["header"], "msg_id": "another"}})
    found = compare(busy.name, busy.edge, [*busy.edge, more], answers=busy.answers, repeats=busy.repeats)
    assert (f.TWIN, "not in the recording") in {(one.kind, one.where) for one in found.differences}


def test_acknowledgements_of_objects_in_another_order_are_found(busy: Recording) -> None:
    ours = list(busy.edge)
    first, second = [index for index, one in enumerate(ours) if kind_of(one) == f.ACK and not one.is_list][:2]
    ours[first], ours[second] = ours[second], ours[first]
    (found,) = compare_with(busy, ours)
    assert found.path == "order"


def test_acknowledgements_of_lists_in_another_order_than_they_came_are_found(busy: Recording) -> None:
    (found,) = compare(busy.name, busy.edge, busy.edge, repeats=busy.repeats, played=busy.cloud).differences
    assert (found.where, found.path) == ("all acknowledgements", "order")  # Go's own order: B4


def test_acknowledgements_of_lists_in_the_order_they_came_are_named(busy: Recording) -> None:
    place = {frame.id: index for index, frame in enumerate(busy.cloud)}
    acks = sorted((one for one in busy.edge if kind_of(one) == f.ACK), key=lambda frame: place[frame.parent])
    rest = [frame for frame in busy.edge if kind_of(frame) != f.ACK]
    found = compare(busy.name, busy.edge, [*rest, *acks], played=busy.cloud, repeats=busy.repeats)
    assert (found.differences, set(found.named)) == ([], {"B4"})


def test_a_transport_ping_of_ours_is_named(busy: Recording) -> None:
    ping = about(source="websocket", group="resource", operation="ping", resource="node")
    assert compare(busy.name, busy.edge, [*busy.edge, ping], repeats=busy.repeats).named["EH8"] == 1


@pytest.mark.parametrize(
    ("path", "recorded", "ours", "line"),
    [
        ("content.Status.podIP", ABSENT, "172.17.0.2", "ED5"),
        ("content.Status.podIP", ABSENT, "here", None),
        ("content.Status.podIP", "172.17.1.2", ABSENT, None),
        ("content.Status.conditions[1].lastTransitionTime", None, "2020-05-09T04:54:54Z", "ED5"),
        ("content.Status.conditions[1].lastTransitionTime", None, 5, None),
        ("content.Status.phase", "Succeeded", "Failed", None),
    ],
)
def test_a_field_with_a_name_has_to_be_what_its_line_says(
    path: str, recorded: Any, ours: Any, line: str | None
) -> None:
    assert named_field(f.POD_END, path, recorded, ours) == line


def test_a_field_with_a_name_of_one_kind_is_compared_in_another() -> None:
    assert named_field(f.POD_STATUS, "content.Status.hostIP", ABSENT, "10.66.0.2") is None


def test_a_header_key_that_is_left_out_is_empty() -> None:
    left_out = read_frame('{"header":{"msg_id":"a","timestamp":1},"route":{},"content":1}', 1)
    given = read_frame(
        '{"header":{"msg_id":"a","parent_msg_id":"","timestamp":1,"resourceversion":"","sync":false},"route":{},'
        '"content":1}',
        1,
    )
    assert left_out.document == given.document


def test_every_rule_is_about_a_field_that_was_recorded(recordings: list[Recording]) -> None:
    frames = [(frame, kind_of(frame)) for one in recordings for frame in one.edge]
    frames += [(frame, f.CLOUD_ANSWER) for one in recordings for frame in one.cloud if frame.parent]
    fields = {(kind, pattern_of(dotted(place))) for frame, kind in frames for place in leaves(frame.document)}
    unused = [
        rule for rule in RULES if not any(rule.kind in (EVERY, kind) and rule.path == path for kind, path in fields)
    ]
    assert unused == []


def test_every_difference_with_a_name_has_its_line_in_the_ledger() -> None:
    cells = (line.split("|")[1] for line in LEDGER.read_text("utf-8").splitlines() if line.startswith("|"))
    known = {line_id.strip() for cell in cells for line_id in cell.split(",")}
    named = (*OURS_ALONE, *THEIRS_ALONE, *STUB_ALONE, *NAMED_FIELDS)
    assert {"B4", *(one.ledger for one in named)} <= known
