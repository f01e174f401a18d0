import pytest

from edgecore.modules.edgemesh.upstream.host import LATENCY_BOUNDS_S
from tests.support.upstreams import host


def test_what_is_looked_at_for_the_first_time_is_empty_and_stays() -> None:
    one, other = host("10.0.0.1", 80), host("10.0.0.2", 80)

    one.errors["backend_closed"] = 1
    one.idle.append("connection")

    assert (one.errors, one.idle, one.users) == ({"backend_closed": 1}, ["connection"], set())
    assert (other.errors, other.idle) == ({}, [])
    assert other.latency == [0] * (len(LATENCY_BOUNDS_S) + 1)


def test_a_host_takes_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="colour"):
        getattr(host("10.0.0.1", 80), "colour")  # noqa: B009 - mypy would refuse it


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (60.0, 14), (61.0, 15)])
def test_a_latency_is_entered_in_the_bucket_of_its_upper_bound(seconds: float, bucket: int) -> None:
    found = host("10.0.0.1", 80)

    found.took(seconds)

    assert [number for number, count in enumerate(found.latency) if count] == [bucket]
    assert found.latency_sum_s == seconds


def test_figures_are_handed_over_once() -> None:
    past, leaving = host("", 0), host("10.0.0.1", 80)
    leaving.requests, leaving.ejections, leaving.active = 3, 1, 2
    leaving.took(0.02)
    leaving.failed("connect_failed", 1.0)

    past.absorb(leaving)
    past.absorb(leaving)
    leaving.took(0.03)
    past.absorb(leaving)

    assert (past.requests, past.ejections, past.errors, sum(past.latency)) == (3, 1, {"connect_failed": 1}, 2)
    assert past.latency_sum_s == pytest.approx(0.05)
    assert (leaving.requests, leaving.active, past.active) == (0, 2, 0)
