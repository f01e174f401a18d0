"""How servers are found to be well or away, and in which order they are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.resolver.health import Change, Health, State

A, B, C = [("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53)]


@pytest.fixture
def health() -> Health:
    return Health()


def fail(health: Health, server, times: int, now: float = 0.0, reason: str = "silent") -> list[Change | None]:
    return [health.failed(server, reason, now + n, now + n + 0.5) for n in range(times)]


def test_servers_nobody_knows_are_asked_in_their_order(health):
    assert health.ranked([B, A, C]) == [B, A, C]


def test_quicker_server_is_asked_first(health):
    health.answered(A, 0.200, 0.0)
    health.answered(B, 0.020, 0.0)
    assert health.ranked([A, B]) == [B, A]


def test_small_differences_leave_the_order_of_the_settings(health):
    health.answered(A, 0.024, 0.0)
    health.answered(B, 0.001, 0.0)
    assert health.ranked([A, B]) == [A, B]


def test_round_trip_is_smoothed(health):
    health.answered(A, 0.100, 0.0)
    health.answered(A, 0.200, 0.0)
    assert health.of(A).rtt_s == pytest.approx(0.125)


def test_silent_server_is_asked_last_and_is_away_at_the_third_time(health):
    assert fail(health, A, 2) == [None, None]
    assert health.of(A).state is State.FAILING
    assert health.ranked([A, B]) == [B, A]
    assert fail(health, A, 1, 10.0) == [Change(A, True, "silent")]
    assert health.of(A).state is State.AWAY


def test_queries_that_were_out_together_fail_once(health):
    assert [health.failed(A, "silent", 1.0, 2.5) for _ in range(10)] == [None] * 10
    assert health.of(A).failures_running == 1
    assert health.of(A).failures == 10


def test_server_that_cannot_be_reached_is_away_at_once(health):
    assert health.failed(A, "unreachable", 1.0, 1.0) == Change(A, True, "unreachable")
    assert health.failed(A, "unreachable", 1.0, 1.0) is None


def test_silent_server_that_then_cannot_be_reached_is_away(health):
    health.failed(A, "silent", 0.0, 2.0)
    assert health.failed(A, "unreachable", 1.0, 2.0) == Change(A, True, "unreachable")


def test_server_that_answers_again_is_back(health):
    fail(health, A, 3)
    assert health.answered(A, 0.01, 12.5) == Change(A, False, "answered", 10.0)
    assert (health.of(A).state, health.of(A).rtt_s) == (State.OK, 0.01)
    assert health.ranked([A, B]) == [A, B]


def test_server_that_fails_is_left_alone_twice_as_long_each_time(health):
    rests = []
    now = 0.0
    for _ in range(7):
        health.failed(A, "silent", now, now)
        rests.append(health.of(A).retry_at - now)
        now = health.of(A).retry_at
    assert rests == [1, 2, 4, 8, 16, 30, 30]


def test_server_whose_rest_is_over_is_tried_beside_the_first(health):
    health.asked(B, 10.0)
    health.answered(B, 0.01, 10.0)
    health.failed(A, "silent", 8.5, 10.0)
    assert health.due([B, A], 10.9) is None
    assert health.due([B, A], 11.0) == A
    health.asked(A, 11.0)
    assert health.due([B, A], 11.0) is None


def test_server_that_does_well_is_tried_once_a_minute(health):
    for server in (A, B):
        health.asked(server, 0.0)
        health.answered(server, 0.01, 0.0)
    assert health.due([A, B], 59.9) is None
    assert health.due([A, B], 60.0) == B


def test_first_server_is_not_asked_twice_and_nobody_beside_nobody(health):
    assert health.due([A], 1000.0) is None
    assert health.due([], 1000.0) is None


def test_all_are_away_when_the_last_one_is(health):
    fail(health, A, 3)
    assert not health.all_away([A, B])
    fail(health, B, 3)
    assert health.all_away([A, B])


def test_when_all_fail_the_one_that_has_rested_longest_is_asked_first(health):
    fail(health, A, 3, 10.0)
    fail(health, B, 3, 0.0)
    assert health.ranked([A, B]) == [B, A]


def test_server_that_cannot_read_edns_is_asked_without_for_an_hour(health):
    assert health.takes_edns(A, 0.0)
    health.cannot_edns(A, 0.0)
    assert not health.takes_edns(A, 3599.0)
    assert health.takes_edns(A, 3600.0)


def test_servers_that_are_gone_are_forgotten(health):
    health.asked(A, 0.0)
    health.asked(B, 0.0)
    health.keep([B, C])
    assert list(health.servers) == [B]


@given(st.lists(st.tuples(st.sampled_from("afu"), st.sampled_from([A, B, C]), st.floats(0, 10)), max_size=60))
def test_every_server_is_ranked_and_one_that_answers_is_never_away(steps):
    health, now = Health(), 0.0
    away = set()
    for what, server, passes_s in steps:
        now += passes_s
        health.asked(server, now)
        if what == "a":
            change = health.answered(server, passes_s, now)
        else:
            change = health.failed(server, "silent" if what == "f" else "unreachable", now, now)
        if change is not None:
            assert change.is_away is (server not in away)
            (away.add if change.is_away else away.discard)(server)
        assert (health.of(server).state is State.AWAY) is (server in away)
        ranked = health.ranked([A, B, C])
        assert sorted(ranked) == [A, B, C]
        well = [each for each in ranked if each not in away]
        assert ranked[: len(well)] == well
        assert health.of(server).retry_at <= now + 30
