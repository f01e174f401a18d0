"""When checks are done, how many at one time, and how they end."""

import random
from collections import Counter

import pytest
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock, settle
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.health.checker import Checker
from edgecore.modules.edgemesh.upstream.health.probing import Check
from edgecore.modules.edgemesh.upstream.spec import Probe
from tests.support.healthrig import Answers, endpoint

Heard = list[tuple[bool, str]]


def check(number: int = 1, probe: Probe | None = None, version: str = "") -> Check:
    return Check(endpoint(number), probe or Probe(period_s=10, timeout_s=1, rise=2, fall=3), version)


def timers(clock: VirtualClock) -> int:
    return sum(1 for *_, timer in clock._timers if timer.callback is not None)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def checker(vclock: VirtualClock, answers: Answers) -> Checker:
    return Checker(vclock, random.Random(3), answers.ask, at_once=4)


async def test_a_result_is_told_when_enough_in_a_row_agree(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    heard: Heard = []
    watch = checker.watch(check(), lambda well, error: heard.append((well, error)))

    await vclock.advance(25)
    assert heard == [(True, "")]
    answers.errors[endpoint(1)] = "status_500"
    await vclock.advance(22)
    assert (watch.well, watch.error, len(heard)) == (True, "status_500", 1)
    await vclock.advance(11)
    assert heard[1:] == [(False, "status_500")]
    del answers.errors[endpoint(1)]
    await vclock.advance(25)

    assert heard[2:] == [(True, "")]
    await checker.close()
    assert timers(vclock) == 0


async def test_checks_come_once_a_period_and_not_in_step(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    at: dict[int, Counter[Endpoint]] = {}
    for number in range(1, 101):
        checker.watch(check(number), lambda *_: None)
    for second in range(100):
        await vclock.advance(1)
        at[second] = Counter(answers.asked)
        answers.asked.clear()

    each = sum(at.values(), Counter())
    assert set(each.values()) <= {9, 10, 11}
    assert max(sum(asked.values()) for asked in at.values()) < 30
    await checker.close()


async def test_a_check_that_takes_too_long_has_failed_and_is_ended(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    answers.silent.add(endpoint(1))
    watch = checker.watch(check(), lambda *_: None)

    await vclock.advance(40)

    assert (watch.well, watch.error) == (False, "timeout")
    assert answers.under_way == 0
    await checker.close()


async def test_no_more_than_the_bound_are_under_way_and_all_have_their_turn(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    answers.silent |= {endpoint(number) for number in range(1, 21)}
    for number in range(1, 31):
        checker.watch(check(number), lambda *_: None)

    await vclock.advance(60)

    assert 2 <= answers.most <= 4
    assert set(answers.asked) == {endpoint(number) for number in range(1, 31)}
    await checker.close()
    assert timers(vclock) == 0


async def test_hosts_that_were_well_are_asked_in_their_period_however_many_do_not_answer(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    healthy = {endpoint(number) for number in range(1, 6)}
    for number in range(1, 6):
        checker.watch(check(number), lambda *_: None)
    await vclock.advance(11)
    answers.silent |= {endpoint(number) for number in range(6, 206)}
    for number in range(6, 206):
        checker.watch(check(number), lambda *_: None)
    await vclock.advance(20)
    answers.asked.clear()

    for _ in range(5):
        await vclock.advance(11)
        assert set(answers.asked) >= healthy
        answers.asked.clear()
    await checker.close()


async def test_hosts_that_do_not_answer_have_their_turn_however_many_are_well_and_slow(vclock: VirtualClock) -> None:
    asked: list[Endpoint] = []

    async def ask(each: Check) -> str:
        asked.append(each.address)
        await vclock.sleep(0.9)
        return "status_500" if each.address == endpoint(1) else ""

    checker = Checker(vclock, random.Random(3), ask, at_once=4)
    for number in range(1, 21):
        checker.watch(check(number, Probe(period_s=1, timeout_s=1)), lambda *_: None)
    await vclock.advance(30)
    asked.clear()

    await vclock.advance(20)

    assert asked.count(endpoint(1)) >= 15
    await checker.close()


async def test_what_nobody_wants_to_know_is_not_checked(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    one, other = (checker.watch(check(), lambda *_: None) for _ in range(2))
    await vclock.advance(10)
    assert len(answers.asked) == 1

    one.stop()
    one.stop()
    await vclock.advance(10)
    assert len(answers.asked) == 2
    other.stop()
    await vclock.advance(100)

    assert (len(answers.asked), len(checker), timers(vclock)) == (2, 0, 0)


async def test_who_stops_while_it_is_checked_hears_nothing_and_the_check_is_ended(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    heard: Heard = []
    answers.silent.add(endpoint(1))
    watch = checker.watch(check(probe=Probe(period_s=1, timeout_s=1000)), lambda well, error: heard.append((well, "")))
    await vclock.advance(1)
    assert answers.under_way == 1

    watch.stop()
    await settle()

    assert (answers.under_way, heard, timers(vclock)) == (0, [], 0)


async def test_who_waits_in_line_and_stops_is_passed_over(
    checker: Checker, answers: Answers, vclock: VirtualClock
) -> None:
    answers.silent |= {endpoint(number) for number in range(1, 5)}
    slow = Probe(period_s=1, timeout_s=20)
    for number in range(1, 5):
        checker.watch(check(number, slow), lambda *_: None)
    await vclock.advance(1)
    late = checker.watch(check(9, slow), lambda *_: None)
    await vclock.advance(2)

    late.stop()
    await vclock.advance(20)

    assert endpoint(9) not in answers.asked
    await checker.close()


async def test_a_mistake_in_a_check_is_logged_and_counts_as_failed(vclock: VirtualClock) -> None:
    async def ask(_check: Check) -> str:
        raise LookupError("a mistake")

    checker = Checker(vclock, random.Random(3), ask)
    watch = checker.watch(check(), lambda *_: None)

    with capture_logs() as logs:
        await vclock.advance(35)

    assert (watch.well, watch.error) == (False, "internal_error")
    assert {line["event"] for line in logs} == {"check_not_done"}
    await checker.close()


async def test_periods_and_timeouts_have_a_least_length(vclock: VirtualClock, answers: Answers) -> None:
    checker = Checker(vclock, random.Random(3), answers.ask)
    watch = checker.watch(check(probe=Probe(period_s=0, timeout_s=0)), lambda *_: None)

    await vclock.advance(20)

    assert len(answers.asked) <= 23
    assert watch.well
    await checker.close()
