"""The judge finds what differs and names it: recorded frames compared with themselves, one thing changed."""

import copy
import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgecore.recording import frames as f
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, SessionHead
from edgecore.recording.frames import Frame, kind_of, read_frame
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.fields import differences
from edgecore.verdict.judge import judge
from edgecore.verdict.messages import NO_ANSWER, NO_CAUSE, NO_PACE, unchanged
from edgecore.verdict.rules import DEVICE, EVERY, MQTT, ROW, Rules, Side, path_matches
from edgecore.verdict.verdict import Difference, Verdict

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
def samples(recordings: list[Recording]) -> dict[str, Frame]:
    """One recorded message of each kind."""
    return {kind_of(frame, one.answers): frame for one in recordings for frame in one.edge}


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


def value_at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def dotted(place: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


@pytest.mark.parametrize("kind", COMPARED)
@pytest.mark.parametrize("value", ["changed", 7, None, [], {"a": 1}, ABSENT], ids=str)
def test_any_field_that_changes_is_found_and_named(
    rules: Rules, samples: dict[str, Frame], kind: str, value: Any
) -> None:
    document = samples[kind].document
    for place in leaves(document):
        if value is ABSENT and isinstance(place[-1], int):
            continue  # the list gets shorter: the next test
        other = changed(document, place, value)
        found = list(differences(rules, kind, document, other))
        rule = rules.volatile_at(kind, dotted(place))
        recorded = value_at(document, place)
        if other == document or (rule is not None and rule.check.accepts(value) and rule.check.accepts(recorded)):
            assert found == []
        else:
            assert [path.startswith(dotted(place)) for path, _, _ in found] == [True]


@pytest.mark.parametrize("kind", COMPARED)
def test_any_field_too_many_is_found_and_named(rules: Rules, samples: dict[str, Frame], kind: str) -> None:
    document = samples[kind].document
    holders = {place[:-1] for place in leaves(document) if not isinstance(place[-1], int)}
    for place in holders:
        found = list(differences(rules, kind, document, changed(document, (*place, "extra"), 1)))
        assert [(path, was) for path, was, _ in found] == [(dotted((*place, "extra")), ABSENT)]


def test_a_list_of_another_length_is_found_and_named(rules: Rules, samples: dict[str, Frame]) -> None:
    document = samples[f.NODE_STATUS].document
    shorter = changed(document, ("content", "Status", "addresses", 1), ABSENT)
    ((path, was, our),) = differences(rules, f.NODE_STATUS, document, shorter)
    assert (path, len(was), len(our)) == ("content.Status.addresses", 2, 1)


def text_of(document: Any) -> str:
    """Return a frame as it travels, the JSON inside of a text a text again."""
    content = document.get("content")
    if isinstance(content, dict) and list(content) == [f.TEXT_OF]:
        document = {**document, "content": json.dumps(content[f.TEXT_OF])}
    return json.dumps(document)


def session(frames: list[Frame], cloud: Recording | None = None) -> Recording:
    """Return what a replay in one connection would have written."""
    entries = [one for one in cloud.entries if isinstance(one, CloudFrame)] if cloud else []
    entries = [one for one in entries if one.direction == Direction.TO_EDGE]
    ours = [
        CloudFrame(10_000 + n, n, Direction.TO_CLOUD, 1, text_of(one.document), n=n) for n, one in enumerate(frames, 1)
    ]
    return Recording("ours", (*entries, *ours))


def expected_of(recording: Recording) -> list[Frame]:
    """Return what our node is to send: what was recorded, without what is said again."""
    again = unchanged(recording.edge)
    return [one for one in recording.edge if one not in again and one.line not in recording.repeats]


def compared(recording: Recording, ours: list[Frame], rules: Rules) -> list[Difference]:
    return judge(recording, session(ours, recording), rules=rules).differences


def with_change(frames: list[Frame], index: int, place: tuple[Any, ...], value: Any) -> list[Frame]:
    found = list(frames)
    found[index] = found[index]._replace(document=changed(found[index].document, place, value))
    return found


@pytest.fixture(scope="module")
def one_of_each(recordings: list[Recording], samples: Mapping[str, Frame]) -> Recording:
    """A recording that has one message of each kind, and what they answer."""
    parents = {frame.parent: frame for frame in samples.values() if frame.parent}
    entries: dict[str, CloudFrame] = {}
    for one in recordings:
        for frame in one.cloud:
            if frame.id in parents or frame.parent in {sample.id for sample in samples.values()}:
                entries[frame.id] = CloudFrame(len(entries) + 1, 0, Direction.TO_EDGE, 1, frame.text)
    first = len(entries) + 1
    edge = [CloudFrame(first + n, 10**10, Direction.TO_CLOUD, 1, one.text) for n, one in enumerate(samples.values())]
    return Recording("one_of_each", (*entries.values(), *edge))


@pytest.mark.parametrize("value", ["changed", 7, None, {"a": [1]}, ABSENT], ids=str)
def test_any_one_field_of_any_kind_that_changes_is_the_one_that_is_told(
    one_of_each: Recording, rules: Rules, value: Any
) -> None:
    frames = expected_of(one_of_each)
    assert {kind_of(one, one_of_each.answers) for one in frames} >= {*COMPARED, f.TWIN, f.SECRET_QUERY, f.ANSWER_ACK}
    for index, frame in enumerate(frames):
        kind = kind_of(frame, one_of_each.answers)
        for place in leaves(frame.document):
            assert_told(one_of_each, rules, frames, (kind, index, place, value))


def assert_told(recording: Recording, rules: Rules, frames: list[Frame], change: tuple[Any, ...]) -> None:
    """The one field that was changed is told, and no other; unless a rule or a known difference is met."""
    kind, index, place, value = change
    is_element = isinstance(place[-1], int)
    was = value_at(frames[index].document, place)
    path = dotted(place)
    shortened = is_element and value is ABSENT
    means_the_same = place[0] == "header" and len(place) == 2 and not was and value is ABSENT
    is_null = place == ("content",) and was is None and value is ABSENT
    rule = rules.volatile_at(kind, path)
    fine = (
        (type(was) is type(value) and was == value)
        or means_the_same
        or is_null
        or (rule is not None and rule.check.accepts(value) and rule.check.accepts(was))
        or rules.known_field(kind, path, was, value) is not None
    )
    found = compared(recording, with_change(frames, index, place, value), rules)
    if fine:
        assert found == [], (kind, path)
    else:
        told = path.rpartition("[")[0] if shortened else path
        assert [(one.kind, one.path.startswith(told)) for one in found] == [(kind, True)], (kind, path, found)


class Fields:
    """Every field of every message that our node is to send. Without a text of its own: hypothesis would print it."""

    def __init__(self, recordings: list[Recording]) -> None:
        self._fields = [
            (recording, index, place)
            for recording in recordings
            for index, frame in enumerate(expected_of(recording))
            for place in leaves(frame.document)
        ]

    def at(self, number: int) -> tuple[Recording, int, tuple[Any, ...]]:
        return self._fields[number % len(self._fields)]


@pytest.fixture(scope="module")
def fields(recordings: list[Recording]) -> Fields:
    return Fields(recordings)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 1_000_000))
def test_one_field_changed_in_a_whole_recording_is_told_with_the_entries_of_both_sides(
    fields: Fields, rules: Rules, number: int
) -> None:
    recording, index, place = fields.at(number)
    frames = expected_of(recording)
    kind = kind_of(frames[index], recording.answers)
    value = f"changed {number} <"
    rule = rules.volatile_at(kind, dotted(place))
    was = value_at(frames[index].document, place)
    if rules.known_field(kind, dotted(place), was, value):
        return
    if rule is not None and rule.check.accepts(value) and rule.check.accepts(was):
        return
    fitting = rules.fitting(recording)
    differences = compared(recording, with_change(frames, index, place, value), rules)
    if any(fitting.known_message(side, kind, frames[index].resource) for side in Side):
        assert differences  # one of two such messages is known to be missing or too many: which, nobody can say
        return
    (found,) = differences
    assert found.kind == kind
    if found.path == "message":  # with another operation it is one of another kind, which is not compared
        assert (kind, place) == ("acknowledgement", ("route", "operation"))
        return
    assert (found.path, found.ours) == (dotted(place), value)
    alike = [index]
    if kind.endswith(" query"):  # of two equal questions either may be the one that differs
        alike = [at for at, frame in enumerate(frames) if frame.route == frames[index].route]
    assert found.our_entry in {at + 1 for at in alike}
    assert kind in f.PERIODIC or found.recorded_entry in {frames[at].line for at in alike}


def about(**route: str) -> Frame:
    """Return a message of that route."""
    return read_frame(json.dumps({"header": {"msg_id": "x"}, "route": route, "content": None}), 1)


def test_a_recording_is_equal_to_itself(recordings: list[Recording], rules: Rules) -> None:
    for one in recordings:
        assert compared(one, expected_of(one), rules) == []


def test_a_message_that_is_missing_is_told(busy: Recording, rules: Rules) -> None:
    frames = expected_of(busy)
    gone = next(frame for frame in frames if kind_of(frame) == f.ACK)
    (found,) = compared(busy, [frame for frame in frames if frame is not gone], rules)
    assert (found.kind, found.path, found.recorded_entry, found.ours) == (f.ACK, "message", gone.line, ABSENT)


def test_one_of_many_messages_about_a_thing_that_is_missing_is_told_and_no_other(rules: Rules) -> None:
    route = {"source": "edged", "group": "meta", "operation": "update", "resource": "default/podstatus/web"}
    frames = [
        read_frame(json.dumps({"header": {"msg_id": f"{n}"}, "route": route, "content": {"n": n}}), n) for n in range(9)
    ]
    recorded = session(frames)
    (found,) = judge(recorded, session([*frames[:3], *frames[4:]]), rules=rules).differences
    assert (found.recorded_entry, found.recorded) == (4, 'edged|meta|update|default/podstatus/web {"n": 3}')


def test_a_periodic_message_that_is_never_sent_is_told(busy: Recording, rules: Rules) -> None:
    found = compared(busy, [frame for frame in expected_of(busy) if kind_of(frame) != f.KEEPALIVE], rules)
    assert {(one.kind, one.ours) for one in found} == {(f.KEEPALIVE, ABSENT)}


def test_more_and_fewer_periodic_messages_are_equal(busy: Recording, rules: Rules) -> None:
    keepalive = next(one for one in busy.edge if kind_of(one) == f.KEEPALIVE)
    others = [one for one in expected_of(busy) if kind_of(one) != f.KEEPALIVE]
    again = keepalive._replace(
        document=changed(keepalive.document, ("header", "msg_id"), "11111111-2222-3333-4444-555555555555")
    )
    assert compared(busy, [keepalive, *others], rules) == []
    assert compared(busy, [*expected_of(busy), again], rules) == []


def test_a_message_that_is_sent_twice_is_told(busy: Recording, rules: Rules) -> None:
    twice = next(frame for frame in busy.edge if kind_of(frame) == f.ACK)
    (found,) = compared(busy, [*expected_of(busy), twice], rules)
    assert (found.kind, found.path, found.recorded, found.recorded_entry) == (f.ACK, "message", ABSENT, None)


def test_a_message_that_is_sent_again_under_its_id_in_the_next_connection_is_not_one_more(
    busy: Recording, rules: Rules
) -> None:
    ours = session(expected_of(busy), busy)
    first = next(one for one in ours.entries if isinstance(one, CloudFrame) and one.direction == Direction.TO_CLOUD)
    again = CloudFrame(99_999, 99_999, Direction.TO_CLOUD, 2, first.text)
    assert judge(busy, Recording("ours", (*ours.entries, again)), rules=rules).is_equal
    ack = next(one for one in busy.edge if kind_of(one) == f.ACK)
    (found,) = judge(busy, ours, rules=rules, said=frozenset({ack.id})).differences
    assert (found.path, found.recorded_entry) == ("message", ack.line)


@pytest.mark.parametrize(
    ("source", "operation", "resource"),
    [
        ("edgemesh", "query", "default/endpoints/x"),
        ("metaManager", "error", "default/pod/x"),
        ("edged", "explode", "x"),
    ],
)
def test_a_message_of_a_kind_that_was_never_sent_is_told(
    busy: Recording, rules: Rules, source: str, operation: str, resource: str
) -> None:
    stranger = about(source=source, group="meta", operation=operation, resource=resource)
    (found,) = compared(busy, [*expected_of(busy), stranger], rules)
    assert (found.path, found.recorded) == ("message", ABSENT)


def test_what_is_no_message_is_told(busy: Recording, rules: Rules) -> None:
    ours = session(expected_of(busy), busy)
    broken = CloudFrame(99_999, 99_999, Direction.TO_CLOUD, 1, '{"header": {')
    (found,) = judge(busy, Recording("ours", (*ours.entries, broken)), rules=rules).differences
    assert (found.kind, found.path, found.recorded) == (f.OTHER, "message", ABSENT)


def test_one_more_word_about_a_device_is_told(busy: Recording, rules: Rules) -> None:
    twin = next(frame for frame in busy.edge if kind_of(frame) == f.TWIN)
    more = twin._replace(document=changed(twin.document, ("header", "msg_id"), "another"))
    (found,) = compared(busy, [*expected_of(busy), more], rules)
    assert (found.kind, found.path, found.recorded) == (f.TWIN, "message", ABSENT)


def test_acknowledgements_of_objects_in_another_order_are_told(busy: Recording, rules: Rules) -> None:
    ours = expected_of(busy)
    first, second = [index for index, one in enumerate(ours) if kind_of(one) == f.ACK and not one.is_list][:2]
    ours[first], ours[second] = ours[second], ours[first]
    (found,) = compared(busy, ours, rules)
    assert (found.kind, found.path) == (f.ACK, "order")
    assert (found.recorded, found.ours) == (ours[second].resource, ours[first].resource)


def in_order_of_arrival(recording: Recording) -> list[Frame]:
    place = {frame.id: index for index, frame in enumerate(recording.cloud)}
    acks = sorted((one for one in recording.edge if kind_of(one) == f.ACK), key=lambda frame: place[frame.parent])
    return [*(frame for frame in expected_of(recording) if kind_of(frame) != f.ACK), *acks]


def test_acknowledgements_of_lists_in_the_order_they_came_are_known_of_go(busy: Recording, rules: Rules) -> None:
    found = judge(busy, session(in_order_of_arrival(busy), busy), rules=rules)
    assert (found.differences, set(found.used)) == ([], {"B4", "DT3"} & set(found.used) | {"B4"})


def test_acknowledgements_not_in_the_order_in_which_the_messages_came_are_told(busy: Recording, rules: Rules) -> None:
    ours = in_order_of_arrival(busy)
    lists = [index for index, one in enumerate(ours) if kind_of(one) == f.ACK and one.is_list]
    ours[lists[0]], ours[lists[1]] = ours[lists[1]], ours[lists[0]]
    (found,) = compared(busy, ours, rules)
    assert (found.kind, found.path) == (f.ACK, "order")


def test_a_transport_ping_of_ours_is_known_of_go_and_no_matter_in_a_recording_of_our_own(
    busy: Recording, rules: Rules
) -> None:
    ping = about(source="websocket", group="resource", operation="ping", resource="node")
    ours = session([*expected_of(busy), ping], busy)
    assert judge(busy, ours, rules=rules).used["EH8"] == 1
    verdict = judge(our_own(busy), ours, rules=rules)
    assert "EH8" not in verdict.used
    assert f.TRANSPORT_PING not in {one.kind for one in verdict.differences}


def our_own(recording: Recording) -> Recording:
    """Return the recording as if our edge had been recorded."""
    return Recording(recording.name, (SessionHead(0, 0, 2, "edgecore 0.9.0", "edge-node1"), *recording.entries))


def test_differences_from_go_are_not_known_in_a_recording_of_our_own(recordings: list[Recording], rules: Rules) -> None:
    recording = next(one for one in recordings if one.name.startswith("a_"))
    frames = expected_of(recording)
    index = next(n for n, one in enumerate(frames) if kind_of(one) == f.NODE_STATUS)
    place = ("content", "Status", "nodeInfo", "machineID")
    ours = with_change(frames, index, place, "0123456789abcdef")
    assert compared(recording, ours, rules) == []
    assert [one.path for one in compared(our_own(recording), ours, rules)] == [dotted(place)]


def test_answers_to_what_is_not_in_the_recording_are_not_compared(busy: Recording, rules: Rules) -> None:
    cut = Recording(
        busy.name, tuple(one for one in busy.entries if getattr(one, "direction", None) == Direction.TO_CLOUD)
    )
    verdict = judge(cut, session([one for one in expected_of(busy) if not one.parent]), rules=rules)
    assert verdict.is_equal
    assert verdict.passed_over[NO_CAUSE] == len([one for one in busy.edge if one.parent])


def test_an_answer_after_the_end_of_the_recording_is_not_one_too_many(rules: Rules) -> None:
    asked = CloudFrame(1, 0, Direction.TO_EDGE, 1, message("q", "update", ""))
    late = CloudFrame(2, 10**12, Direction.TO_EDGE, 1, message("r", "update", ""))
    ours = [CloudFrame(n, 0, Direction.TO_CLOUD, 1, message(f"a{n}", "response", q)) for n, q in ((3, "q"), (4, "r"))]
    verdict = judge(Recording("cut", (asked, late)), Recording("ours", (asked, late, *ours)), rules=rules)
    assert [(one.kind, one.our_entry) for one in verdict.differences] == [(f.ACK, 3)]
    assert verdict.passed_over == {NO_ANSWER: 1}


def message(message_id: str, operation: str, parent: str) -> str:
    header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": 0}
    route = {"source": "meta", "group": "resource", "operation": operation, "resource": "default/pod/x"}
    return json.dumps({"header": header, "route": route, "content": "OK"})


def test_a_verdict_counts_every_recorded_message(recordings: list[Recording], rules: Rules) -> None:
    for one in recordings:
        verdict = judge(one, session(expected_of(one), one), rules=rules)
        assert verdict.compared.total() + verdict.repeated + verdict.theirs_alone == len(one.edge)
        assert verdict.equal + verdict.explained == +verdict.compared


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
def test_a_known_field_has_to_be_what_its_line_says(
    rules: Rules, path: str, recorded: Any, ours: Any, line: str | None
) -> None:
    known = rules.known_field(f.POD_END, path, recorded, ours)
    assert (known.ledger if known else None) == line


def test_a_known_field_of_one_kind_is_compared_in_another(rules: Rules) -> None:
    assert rules.known_field(f.POD_STATUS, "content.Status.hostIP", ABSENT, "10.66.0.2") is None


def test_a_header_key_that_is_left_out_is_empty() -> None:
    left_out = read_frame('{"header":{"msg_id":"a","timestamp":1},"route":{},"content":1}', 1)
    given = read_frame(
        '{"header":{"msg_id":"a","parent_msg_id":"","timestamp":1,"resourceversion":"","sync":false},"route":{},'
        '"content":1}',
        1,
    )
    assert left_out.document == given.document


def test_every_rule_about_a_frame_is_about_a_field_that_was_recorded(recordings: list[Recording], rules: Rules) -> None:
    fields = {
        (kind_of(frame, one.answers), dotted(place))
        for one in recordings
        for frame in one.edge
        for place in leaves(frame.document)
    }
    for rule in rules.volatile:
        for kind, pattern in product(rule.kinds, rule.fields):
            if (
                kind.startswith(ROW)
                or kind in (MQTT, DEVICE)
                or any(ledgers_of(rules, one, pattern) for one in rule.kinds)
            ):
                continue
            assert any(path_matches(pattern, path) for one, path in fields if one in rule.kinds or kind == EVERY)


def ledgers_of(rules: Rules, kind: str, pattern: str) -> set[str]:
    """Return the known differences in a field that Go leaves out and a rule looks at in recordings of our own."""
    return {
        one.ledger
        for one in rules.known
        for field in one.fields
        if kind in one.kinds and path_matches(pattern, field.replace("[*]", "[0]"))
    }


def test_every_known_difference_has_its_line_in_the_ledger(rules: Rules) -> None:
    cells = (line.split("|")[1] for line in LEDGER.read_text("utf-8").splitlines() if line.startswith("|"))
    lines = {line_id.strip() for cell in cells for line_id in cell.split(",")}
    assert {one.ledger for one in rules.known} <= lines


def test_each_known_difference_is_of_one_kind_and_one_field(rules: Rules) -> None:
    assert {(len(one.kinds), len(one.fields)) for one in rules.known} == {(1, 1)}


def test_a_verdict_as_json_is_plain(busy: Recording, rules: Rules) -> None:
    verdict = judge(busy, session([], busy), rules=rules)
    told = json.loads(json.dumps(verdict.as_json()))
    assert told["is_equal"] is False
    assert told["differences"][0].keys() == set(Difference.__struct_fields__)
    assert Verdict(recording="x").as_json()["is_equal"] is True


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["OK", "ack", "twin", "edged", "update", "", "a/podstatus/b"]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from(["twin", "actual", "value", "Status", "phase"]), below, max_size=3)
    ),
    max_leaves=6,
)
MESSAGES = st.builds(
    lambda header, route, content: json.dumps({"header": header, "route": route, "content": content}),
    st.dictionaries(st.sampled_from(["msg_id", "parent_msg_id", "timestamp"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from(["source", "group", "operation", "resource"]), JSON, max_size=4),
    JSON,
)
TEXTS = st.lists(MESSAGES | st.builds(json.dumps, JSON) | st.text(max_size=5), max_size=6)


@settings(max_examples=60, deadline=None)
@example(  # said again after an answer to what nobody said
    recorded=['{"header":{"msg_id":"a","parent_msg_id":"b"},"route":{}}', '{"header":{"msg_id":"a"},"route":{}}'],
    ours=[],
    cloud=[],
)
@given(recorded=TEXTS, ours=TEXTS, cloud=TEXTS)
def test_whatever_was_said_is_judged_and_equal_to_itself(
    rules: Rules, recorded: list[str], ours: list[str], cloud: list[str]
) -> None:
    theirs, own = said(recorded, cloud), said(ours, cloud)
    judge(theirs, own, rules=rules)
    assert judge(theirs, theirs, rules=Rules(), said=frozenset()).differences == []


def said(edge: list[str], cloud: list[str]) -> Recording:
    entries = [CloudFrame(n, n, Direction.TO_EDGE, 1, text) for n, text in enumerate(cloud, 1)]
    entries += [CloudFrame(n, n, Direction.TO_CLOUD, 1, text) for n, text in enumerate(edge, 100)]
    return Recording("x", tuple(entries))


def test_what_is_paced_need_not_stand_in_a_part_of_a_recording(rules: Rules) -> None:
    route = {"source": "websocket", "group": "resource", "operation": "keepalive", "resource": "node"}
    text = json.dumps({"header": {"msg_id": "1"}, "route": route, "content": "ping"})
    cloud = ['{"header":{"msg_id":"2"},"route":{}}']
    part, ours = said([], cloud), said([text], cloud)
    verdict = judge(part, ours, rules=rules)
    assert (verdict.is_equal, verdict.passed_over) == (True, {NO_PACE: 1})
    whole = Recording("x", (ConnectionEvent(1, 0, Direction.TO_CLOUD, 1, "open", ""), *part.entries))
    assert [one.kind for one in judge(whole, ours, rules=rules).differences] == ["keepalive"]
