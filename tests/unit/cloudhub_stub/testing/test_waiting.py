"""Waiting with a time that only pauses move: what ends it, what it says when it does not end."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.errors import NotFound
from cloudhub_stub.testing.errors import NotYet, ProgramFailed
from cloudhub_stub.testing.waiting import MAX_SHOWN, POLL_S, name_of, shown, until
from edgecore.errors import ControlError


class Time:
    """Moves by pauses alone."""

    def __init__(self) -> None:
        self.now = 100.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, look: Callable[[], Any], timeout_s: float = 1.0, what: str = "it") -> Any:
        return until(look, what, timeout_s, monotonic=lambda: self.now, pause=self.pause)


def answers(*values: object) -> Callable[[], object]:
    """Return a look that finds one of ``values`` after the other; errors among them are raised."""
    left: Iterator[object] = iter(values)

    def look() -> object:
        value = next(left)
        if isinstance(value, Exception):
            raise value
        return value

    return look


def test_what_is_so_already_takes_no_time() -> None:
    time = Time()
    assert (time.wait(answers("found")), time.now) == ("found", 100.0)


@given(misses=st.integers(0, 18))
def test_what_becomes_so_is_returned_at_the_next_look(misses: int) -> None:
    time = Time()
    assert time.wait(answers(*[None] * misses, "found")) == "found"
    assert time.now == pytest.approx(100 + misses * POLL_S)


@pytest.mark.parametrize(
    "error",
    [AssertionError("1 == 2"), KeyError("podIP"), IndexError(), NotFound("x"), ControlError("busy"), NotYet("x")],
)
def test_an_error_of_what_is_on_its_way_is_not_the_end(error: Exception) -> None:
    assert Time().wait(answers(error, "found")) == "found"


@pytest.mark.parametrize("error", [TypeError("a mistake"), ProgramFailed("it ended")])
def test_another_error_passes_through_at_once(error: Exception) -> None:
    time = Time()
    with pytest.raises(type(error)):
        time.wait(answers(error, "found"))
    assert time.now == 100.0


def test_what_does_not_become_so_says_what_it_was_and_what_was_seen_last() -> None:
    with pytest.raises(NotYet) as caught:
        Time().wait(list, 2, "three pods")
    assert str(caught.value) == "three pods: not so within 2 s; seen last: []"


def test_an_error_that_was_seen_last_is_the_cause() -> None:
    def look() -> None:
        raise KeyError("podIP")

    with pytest.raises(NotYet, match="seen last: KeyError: 'podIP'") as caught:
        Time().wait(look)
    assert isinstance(caught.value.__cause__, KeyError)


def test_without_any_time_there_is_one_look() -> None:
    assert Time().wait(answers("found"), 0) == "found"


def test_being_late_is_a_failed_assertion_of_the_test() -> None:
    with pytest.raises(AssertionError):
        Time().wait(answers(*[None] * 50))


@given(value=st.text(min_size=1), times=st.integers(0, 10_000))
def test_a_long_value_is_shown_by_its_beginning(value: str, times: int) -> None:
    assert len(shown([value] * times)) < MAX_SHOWN + 40


def test_a_condition_is_named_by_its_name_or_by_its_place() -> None:
    def pods_run() -> bool:
        return True

    assert name_of(pods_run) == "pods_run"
    assert re.fullmatch(r"the condition at .*test_waiting\.py:[0-9]+", name_of(lambda: True))
