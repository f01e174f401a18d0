"""The machine itself."""

from datetime import UTC, datetime, timedelta

import pytest

from edgecore.doctor.finding import Finding, count
from edgecore.doctor.host import Room, check_clock, check_ip_forward, check_leftovers, check_python, check_room

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
MIB = 1 << 20
ROUTES = "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100000A\t0003\n{}"


@pytest.mark.parametrize(("text", "level"), [("1\n", "ok"), ("0\n", "note"), (None, "note")])
def test_forwarding_is_not_needed_and_said_so(text: str | None, level: str) -> None:
    assert [finding.level for finding in check_ip_forward(text)] == [level]


def test_a_route_that_a_go_edgecore_left_is_named_with_its_interface() -> None:
    (finding,) = check_leftovers(ROUTES.format("docker0\t0000FB09\t00000000\t0001\n"))
    assert (finding.level, "by docker0" in finding.text) == ("note", True)
    assert "sudo ip route del 9.251.0.0/16" in finding.advice
    assert check_leftovers(ROUTES.format("")) == check_leftovers(None) == []


@pytest.mark.parametrize(("version", "level"), [((3, 11), "ok"), ((3, 13), "ok"), ((3, 10), "problem")])
def test_python_is_recent_enough_or_not(version: tuple[int, int], level: str) -> None:
    (finding,) = check_python(version, ".".join(map(str, version)))
    assert finding.level == level


@pytest.mark.parametrize(
    ("now", "is_synchronised", "newest", "level"),
    [
        (NOW, True, NOW - timedelta(days=1), "ok"),
        (NOW, None, None, "ok"),
        (NOW, False, None, "note"),
        (NOW, True, NOW + timedelta(minutes=5), "ok"),
        (NOW, True, NOW + timedelta(days=2), "warning"),
        (datetime(1970, 1, 1, tzinfo=UTC), None, None, "problem"),
    ],
)
def test_a_clock_that_cannot_be_right_is_told(
    now: datetime, is_synchronised: bool | None, newest: datetime | None, level: str
) -> None:
    (finding,) = check_clock(now, is_synchronised=is_synchronised, newest_file=newest)
    assert finding.level == level


@pytest.mark.parametrize(
    ("room", "level"),
    [
        (Room("/x", 1000 * MIB, None), "ok"),
        (Room("/x", 1000 * MIB, 10_000), "ok"),
        (Room("/x", 100 * MIB, None), "warning"),
        (Room("/x", 5 * MIB, None), "problem"),
        (Room("/x", 1000 * MIB, 3), "problem"),
        (None, "note"),
    ],
)
def test_a_full_disk_is_told(room: Room | None, level: str) -> None:
    (finding,) = check_room(room)
    assert finding.level == level


def test_findings_are_counted_by_level() -> None:
    findings = [Finding("ok", "x", ""), Finding("problem", "x", ""), Finding("ok", "x", "")]
    assert count(findings) == {"ok": 2, "note": 0, "warning": 0, "problem": 1}
