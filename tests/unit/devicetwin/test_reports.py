"""Which reports are sent again, and when one is given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.devicetwin.reports import IDLE_S, Reports, Round

STATE = frozenset(("state",))


def report(message_id: str, resource: str = "device/a/state") -> Message:
    return Message(Header(message_id), Route("twin", "resource", "update", resource))


def ids(messages: tuple[Message, ...]) -> list[str]:
    return [message.header.id for message in messages]


def linked(resends: int = 3, capacity: int = 1024) -> Reports:
    reports = Reports(resends, capacity=capacity)
    reports.linked(True, 0.0)
    return reports


def test_nothing_is_due_before_the_time_of_quiet_is_over() -> None:
    reports = linked()
    reports.sent(report("1"), STATE, 0.0)
    assert reports.due_at() == IDLE_S
    assert reports.round(IDLE_S - 1) == Round()
    assert ids(reports.round(IDLE_S).again) == ["1"]


def test_a_new_report_and_a_confirmation_begin_the_time_of_quiet_anew() -> None:
    reports = linked()
    reports.sent(report("1", "device/a/state"), STATE, 0.0)
    reports.sent(report("2", "device/b/state"), STATE, 50.0)
    assert reports.due_at() == 50.0 + IDLE_S
    assert reports.confirm("1", 70.0)
    assert reports.due_at() == 70.0 + IDLE_S


def test_what_a_confirmed_report_made_stale_does_not_come_after_it() -> None:
    reports = linked()
    both, temp = frozenset(("temp actual", "hum actual")), frozenset(("temp actual",))
    reports.sent(report("1", "device/a/twin/edge_updated"), both, 0.0)
    reports.sent(report("2", "device/a/twin/edge_updated"), frozenset(("other actual",)), 0.0)
    reports.sent(report("3", "device/a/twin/edge_updated"), temp, 0.0)
    reports.sent(report("4", "device/a/twin/edge_updated"), frozenset(("temp expected",)), 0.0)
    reports.sent(report("5", "device/b/twin/edge_updated"), temp, 0.0)
    assert reports.confirm("3", 1.0)
    assert ids(reports.round(1.0 + IDLE_S).again) == ["2", "4", "5"]
    assert reports.forgotten["superseded"] == 1


def test_a_report_is_given_up_after_its_resends() -> None:
    reports = linked(resends=2)
    reports.sent(report("1"), STATE, 0.0)
    rounds = [reports.round(number * IDLE_S) for number in range(1, 5)]
    assert [(ids(one.again), ids(one.given_up)) for one in rounds] == [
        (["1"], []),
        (["1"], []),
        ([], ["1"]),
        ([], []),
    ]
    assert reports.forgotten["not_confirmed"] == 1


def test_nothing_is_due_without_a_link_nor_without_reports() -> None:
    reports = Reports(3)
    reports.sent(report("1"), STATE, 0.0)
    assert reports.due_at() is None
    assert reports.round(1e9) == Round()
    assert linked().due_at() is None


def test_the_time_of_quiet_begins_with_the_link() -> None:
    reports = Reports(3)
    reports.sent(report("1"), STATE, 0.0)
    reports.linked(True, 500.0)
    assert reports.due_at() == 500.0 + IDLE_S


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ({"a"}, {"a"}, ["2"]),
        ({"a"}, {"a", "b"}, ["2"]),
        ({"a", "b"}, {"a"}, ["1", "2"]),
        ({"a"}, {"b"}, ["1", "2"]),
    ],
)
def test_a_report_is_stale_where_a_later_one_says_all_it_said(
    first: set[str], second: set[str], left: list[str]
) -> None:
    reports = linked()
    reports.sent(report("1"), frozenset(first), 0.0)
    reports.sent(report("2"), frozenset(second), 0.0)
    assert ids(reports.round(IDLE_S).again) == left


def test_a_report_of_another_resource_makes_none_stale() -> None:
    reports = linked()
    reports.sent(report("1", "device/a/state"), STATE, 0.0)
    reports.sent(report("2", "device/b/state"), STATE, 0.0)
    assert len(reports) == 2


def test_a_device_that_is_gone_takes_its_reports_along_and_no_others() -> None:
    reports = linked()
    reports.sent(report("1", "device/a/state"), STATE, 0.0)
    reports.sent(report("2", "device/ab/state"), STATE, 0.0)
    reports.device_gone("a")
    assert ids(reports.round(IDLE_S).again) == ["2"]


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    reports = linked(capacity=2)
    for number in range(3):
        reports.sent(report(str(number), f"device/{number}/state"), STATE, 0.0)
    assert ids(reports.round(IDLE_S).again) == ["1", "2"]
    assert reports.forgotten["too_many"] == 1


def test_an_answer_to_something_else_confirms_nothing() -> None:
    assert not linked().confirm("x", 0.0)


@given(
    resends=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["send", "confirm", "wait", "down", "up", "gone"]), max_size=60),
)
def test_each_report_ends_once_and_is_sent_again_at_most_so_often(resends: int, steps: list[str]) -> None:
    reports, now, sent = Reports(resends), 0.0, 0
    again: dict[str, int] = {}
    for step in steps:
        now += 30.0
        match step:
            case "send":
                reports.sent(report(str(sent), f"device/{sent % 3}/state"), STATE, now)
                sent += 1
            case "confirm":
                reports.confirm(str(sent - 1), now)
            case "down" | "up":
                reports.linked(step == "up", now)
            case "gone":
                reports.device_gone("1")
        for message in reports.round(now).again:
            again[message.header.id] = again.get(message.header.id, 0) + 1
    assert all(number <= resends for number in again.values())
    assert sent == len(reports) + reports.confirmed + sum(reports.forgotten.values())
