import pytest

from edgecore.modules.edgemesh.upstream.balancing.latency import observe, observe_failure
from tests.support.upstreams import host


def test_the_first_answer_is_the_average() -> None:
    seen = host("10.0.0.1", 80)
    observe(seen, 0.25)
    assert seen.ewma_s == 0.25


def test_a_slower_answer_counts_whole() -> None:
    seen = host("10.0.0.1", 80)
    observe(seen, 0.01)
    observe(seen, 2.0)
    assert seen.ewma_s == 2.0


def test_a_quicker_answer_counts_for_a_fifth() -> None:
    seen = host("10.0.0.1", 80)
    observe(seen, 1.0)
    observe(seen, 0.5)
    assert seen.ewma_s == pytest.approx(0.9)


def test_an_answer_in_no_time_is_an_answer_all_the_same() -> None:
    seen = host("10.0.0.1", 80)
    observe(seen, 0.0)
    assert 0 < seen.ewma_s < 1e-5


def test_a_failure_counts_as_four_times_as_slow_up_to_an_hour() -> None:
    seen = host("10.0.0.1", 80)
    observe(seen, 0.5)
    observe_failure(seen)
    assert seen.ewma_s == 2.0
    for _ in range(100):
        observe_failure(seen)
    assert seen.ewma_s == 3600.0


def test_a_failure_before_the_first_answer_counts_as_a_second() -> None:
    seen = host("10.0.0.1", 80)
    observe_failure(seen)
    assert seen.ewma_s == 1.0
