"""One report a second a reason."""

import pytest

from edgecore.clock import VirtualClock
from edgecore.observe.throttle import Throttle


class Fixture:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.reports: list[tuple[str, str, int, str]] = []
        self.throttle = Throttle(self.clock, lambda *report: self.reports.append(report))


@pytest.fixture
def fixture():
    return Fixture()


def test_first_complaint_is_reported_at_once(fixture):
    fixture.throttle.complain("short", "a", "00")
    assert fixture.reports == [("short", "a", 0, "00")]


async def test_flood_is_one_report_a_second_that_says_how_many_were_left_out(fixture):
    for _ in range(3):
        for number in range(1000):
            fixture.throttle.complain("short", f"peer {number}", "00")
        await fixture.clock.advance(1.0)
    assert fixture.reports == [
        ("short", "peer 0", 0, "00"),
        ("short", "peer 999", 998, "00"),
        ("short", "peer 999", 999, "00"),
        ("short", "peer 999", 999, "00"),
    ]
    assert fixture.throttle.counts == {"short": 3000}


async def test_report_after_a_quiet_second_is_immediate_again(fixture):
    fixture.throttle.complain("short", "a")
    await fixture.clock.advance(1.0)
    fixture.throttle.complain("short", "b")
    assert [peer for _, peer, _, _ in fixture.reports] == ["a", "b"]


def test_reasons_do_not_silence_each_other(fixture):
    fixture.throttle.complain("short", "a")
    fixture.throttle.complain("long_name", "a")
    assert [reason for reason, *_ in fixture.reports] == ["short", "long_name"]


async def test_close_reports_what_is_held_and_ends_the_timers(fixture):
    for peer in "abc":
        fixture.throttle.complain("short", peer)
    fixture.throttle.close()
    fixture.throttle.close()
    await fixture.clock.advance(5.0)
    assert fixture.reports == [("short", "a", 0, ""), ("short", "c", 1, "")]
