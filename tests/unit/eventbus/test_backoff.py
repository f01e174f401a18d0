"""The pauses between two dials."""

import random

from edgecore.modules.eventbus.backoff import Backoff


def test_pauses_double_from_one_second_to_thirty() -> None:
    backoff = Backoff(random.Random(1))
    pauses = [backoff.pause_s() for _ in range(10)]
    for pause, base in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30], strict=True):
        assert base <= pause <= min(base * 1.25, 30)


def test_a_session_that_lasted_begins_anew_and_a_short_one_does_not() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(5):
        backoff.pause_s(lasted_s=1)
    assert backoff.pause_s(lasted_s=1) == 30
    assert backoff.pause_s(lasted_s=10) < 2
