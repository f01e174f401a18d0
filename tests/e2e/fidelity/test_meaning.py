"""The comparer of meanings finds what differs: recordings compared with themselves, one thing changed."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.frames import Frame
from edgecore.recording.session import Recording
from edgecore.verdict.checks import ABSENT, EVERY, TIME_MS
from fidelity.clusterrules import Alone, ClusterRules, Field, Moved, Sides
from fidelity.history import NAMES, read_recording
from fidelity.meaning import Compared, Meaning, Said, compare, is_awaited

NOTHING_MORE = ClusterRules()
NOT_MEANT = ("header.msg_id", "header.parent_msg_id", "header.timestamp")
ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return [read_recording(name) for name in NAMES if not name.startswith("f_")]


@pytest.fixture(scope="module")
def said(recordings: list[Recording]) -> list[Said]:
    """What the Go cloud sent in one recording: services, endpoints, pods, lists, answers."""
    return said_in(next(one for one in recordings if one.name.startswith("b_")))


def said_in(recording: Recording) -> list[Said]:
    found = []
    for entry in recording.entries:
        if isinstance(entry, CloudFrame) and entry.direction == Direction.TO_EDGE:
            frame = recording.frames[entry.line]
            found.append(Said(entry.t_ns // 1_000_000, frame, int(entry.link), is_awaited(frame)))
    return found


def with_itself(theirs: list[Said], ours: list[Said], rules: ClusterRules = NOTHING_MORE) -> Compared:
    return compare("b", theirs, ours, Meaning({}, apart_s=10.0), rules)


def changed(said: Said, place: tuple[Any, ...], value: Any) -> Said:
    document = copy.deepcopy(said.frame.document)
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    if value is ABSENT:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return said._replace(frame=said.frame._replace(document=document))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, key))
    else:
        yield path


def dotted(place: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


def index_of(said: list[Said], operation: str, resource: str) -> int:
    return next(index for index, one in enumerate(said) if one.frame.route[2:] == (operation, resource))


def test_a_recording_means_the_same_as_itself(recordings: list[Recording]) -> None:
    for one in recordings:
        assert with_itself(said_in(one), said_in(one)).faults == []


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        ("insert", "default/service/nginx-svc"),
        ("insert", "default/pod/nginx-0"),
        ("update", "default/pod/nginx-0"),
        ("update", "default/endpoints/nginx-svc"),
        ("update", "default/podlist/noname-svc"),
        ("response", "default/node/edge-node1"),
    ],
)
@pytest.mark.parametrize("value", ["changed", 7, ABSENT], ids=str)
def test_any_field_that_changes_is_found(said: list[Said], operation: str, resource: str, value: Any) -> None:
    index = index_of(said, operation, resource)
    for place in leaves(said[index].frame.document):
        is_version = place[-1] in {"resourceVersion", "resourceversion"} and value == "changed"
        if dotted(place) in NOT_MEANT or place[0] == "route" or is_version:
            continue
        was = said[index].frame.document
        for key in place:
            was = was[key]
        if was == value:
            continue
        found = with_itself([said[index]], [changed(said[index], place, value)]).faults
        assert found, dotted(place)


@pytest.mark.parametrize("part", ["source", "group", "operation", "resource"])
def test_another_route_is_another_message(said: list[Said], part: str) -> None:
    ours = [changed(said[0], ("route", part), "changed"), *said[1:]]
    assert [one.path for one in with_itself(said, ours).faults] == ["message", "message"]


def test_another_connection_is_another_message(said: list[Said]) -> None:
    ours = [said[0]._replace(link=99), *said[1:]]
    assert [one.path for one in with_itself(said, ours).faults] == ["message", "message"]


def test_a_message_that_comes_much_later_is_another_one(said: list[Said]) -> None:
    ours = [*said[1:], said[0]._replace(at_ms=said[0].at_ms + 11_000)]
    assert [one.path for one in with_itself(said, ours).faults] == ["message", "message"]


def test_another_lane_is_found(said: list[Said]) -> None:
    ours = [said[0]._replace(awaited=False), *said[1:]]
    assert [one.path for one in with_itself(said, ours).faults] == ["lane"]


def test_messages_in_another_order_are_found(said: list[Said]) -> None:
    ours = [said[1], said[0], *said[2:]] if said[0].awaited is said[1].awaited else [*said[1:3], said[0], *said[3:]]
    assert [one.path for one in with_itself(said, ours).faults] == ["order"]


def test_a_message_that_is_missing_or_too_many_is_found(said: list[Said]) -> None:
    assert [one.recorded for one in with_itself(said, said[1:]).faults] == [Sides.THEIRS]
    assert [one.recorded for one in with_itself(said[1:], said).faults] == [Sides.OURS]


def test_of_several_alike_the_one_that_differs_most_is_too_many(said: list[Said]) -> None:
    index = index_of(said, "update", "default/podlist/nginx-svc")
    extra = changed(said[index], ("content",), [{"metadata": {"name": "other"}}])
    (found,) = with_itself(said, [*said[:index], extra, *said[index:]]).faults
    assert "other" in str(found.ours)


def test_an_id_that_stands_for_two_is_found(said: list[Said]) -> None:
    service = index_of(said, "insert", "default/service/nginx-svc")
    again = index_of(said, "update", "default/service/nginx-svc")
    ours = list(said)
    ours[service] = changed(said[service], ("content", "metadata", "uid"), ID)
    assert {one.path for one in with_itself(said, ours).faults} == {"content.metadata.uid"}
    ours[again] = changed(said[again], ("content", "metadata", "uid"), ID)
    assert with_itself(said, ours).faults == []
    other = index_of(said, "insert", "default/service/tcp-svc")
    ours[other] = changed(said[other], ("content", "metadata", "uid"), ID)
    meaning = Meaning({}, apart_s=10.0)
    assert compare("b", said, ours, meaning, NOTHING_MORE).faults == []
    assert meaning.shared() == [ID]


def test_a_version_that_stands_for_two_is_found(said: list[Said]) -> None:
    index = index_of(said, "insert", "default/service/nginx-svc")
    ours = [*said[:index], changed(said[index], ("header", "resourceversion"), "1"), *said[index + 1 :]]
    assert [one.path for one in with_itself(said, ours).faults] == ["header.resourceversion"]


def test_versions_that_do_not_grow_are_found(said: list[Said]) -> None:
    index = index_of(said, "insert", "default/service/nginx-svc")
    one = changed(said[index], ("header", "resourceversion"), "9000")
    ours = [*said[:index], changed(one, ("content", "metadata", "resourceVersion"), "9000"), *said[index + 1 :]]
    meaning = Meaning({}, apart_s=10.0)
    assert compare("b", said, ours, meaning, NOTHING_MORE).faults == []
    assert meaning.disorder() == [(107, 107)]  # of the message behind it


def test_what_has_a_name_is_no_fault(said: list[Said]) -> None:
    rules = ClusterRules(
        alones=[Alone("X1", EVERY, Sides.THEIRS, "insert", "default/service/ext-*")],
        fields=[Field("X2", "b", EVERY, "default/podlist/*", "header.time*", TIME_MS, TIME_MS)],
        moves=[Moved("X3", "b", "insert", "default/endpoints/noname-svc")],
    )
    list_ = index_of(said, "update", "default/podlist/nginx-svc")
    ours = list(said)
    ours[list_] = changed(ours[list_], ("header", "timestamp"), 1_700_000_000_000)
    ours.append(ours.pop(index_of(ours, "insert", "default/endpoints/noname-svc")))
    del ours[index_of(ours, "insert", "default/service/ext-svc")]
    found = with_itself(said, ours, rules)
    assert found.faults == []
    assert found.named == {"X1": 1, "X2": 1, "X3": 1}
    assert found.rules == rules.every


def frame_of(source: str, operation: str, resource: str, content: Any) -> Frame:
    route = {"source": source, "group": "resource", "operation": operation, "resource": resource}
    return Frame(1, "", {"header": {}, "route": route, "content": content})


@pytest.mark.parametrize(
    ("frame", "awaited"),
    [
        (frame_of("edgecontroller", "insert", "default/pod/p", {}), True),
        (frame_of("edgecontroller", "response", "default/secret/s", {}), True),
        (frame_of("edgecontroller", "update", "default/podlist/s", None), False),
        (frame_of("edgecontroller", "response", "default/node/n", "OK"), False),
        (frame_of("edgecontroller", "response", "default/node/n", {}), False),
        (frame_of("devicecontroller", "update", "membership", {}), False),
        (frame_of("devicecontroller", "update", "device/d/twin/cloud_updated", {}), False),
    ],
)
def test_objects_are_awaited_and_lists_answers_and_twins_are_not(frame: Frame, awaited: bool) -> None:
    assert is_awaited(frame) is awaited
