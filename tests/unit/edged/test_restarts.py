"""What comes after a container ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edged.restarts import (
    FORGOTTEN_AFTER_S,
    LONGEST_DELAY_S,
    Backoff,
    RestartPolicy,
    after_end,
    after_failed_pull,
    backoff_message,
    go_duration,
)

ALWAYS = RestartPolicy.ALWAYS


@pytest.mark.parametrize(
    ("text", "is_init", "after_success", "after_failure"),
    [
        ("Always", False, True, True),
        ("", False, True, True),
        ("Sometimes", False, True, True),
        ("OnFailure", False, False, True),
        ("Never", False, False, False),
        ("Always", True, False, True),
        ("OnFailure", True, False, True),
        ("Never", True, False, False),
    ],
)
def test_the_policy_says_what_is_restarted(text: str, is_init: bool, after_success: bool, after_failure: bool) -> None:
    policy = RestartPolicy.of(text, is_init=is_init)
    assert (policy.restarts(0), policy.restarts(1)) == (after_success, after_failure)


def test_what_is_not_restarted_stays_as_it_is() -> None:
    assert after_end(RestartPolicy.NEVER, 1, Backoff(), 5.0) is None


def test_a_container_that_ends_at_once_waits_twice_as_long_each_time() -> None:
    backoff, now, waited = Backoff(), 100.0, []
    for _ in range(8):
        again = after_end(ALWAYS, 1, backoff, now)
        assert again is not None
        waited.append(again.waited_s)
        backoff, now = again.backoff, again.at
    assert waited == [0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(("ran_s", "waits_s"), [(FORGOTTEN_AFTER_S, 80), (FORGOTTEN_AFTER_S + 1, 0)])
def test_after_ten_minutes_without_an_end_all_is_forgotten(ran_s: float, waits_s: float) -> None:
    again = after_end(ALWAYS, 1, Backoff(80.0, 50.0), 50.0 + ran_s)
    assert again is not None
    assert again.waited_s == waits_s
    assert again.backoff.delay_s == (160 if waits_s else 10)


def test_an_image_that_cannot_be_pulled_waits_from_the_first_time_on() -> None:
    backoff, now, waited = Backoff(), 0.0, []
    for _ in range(7):
        again = after_failed_pull(backoff, now)
        waited.append(again.waited_s)
        backoff, now = again.backoff, again.at
    assert waited == [10, 20, 40, 80, 160, 300, 300]


@given(st.lists(st.tuples(st.integers(0, 255), st.floats(0, 2000)), max_size=30))
def test_no_start_lies_before_the_end_and_no_wait_is_longer_than_the_longest(runs: list[tuple[int, float]]) -> None:
    backoff, now = Backoff(), 0.0
    for code, ran_s in runs:
        ended_at = now + ran_s
        again = after_end(ALWAYS, code, backoff, ended_at)
        assert again is not None
        assert ended_at <= again.at <= ended_at + LONGEST_DELAY_S + 1e-6
        backoff, now = again.backoff, again.at


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (10, "10s"), (80, "1m20s"), (300, "5m0s"), (3600, "1h0m0s")])
def test_durations_are_written_as_in_go(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_the_message_names_container_and_pod() -> None:
    text = backoff_message(20, "web", "default", "nginx", "u1")
    assert text == "back-off 20s restarting failed container=web pod=nginx_default(u1)"
