"""How much may pass: a burst, then the rate."""

from edgecore.modules.eventbus.mirror.allowance import Allowance


def test_a_burst_passes_and_then_the_rate() -> None:
    allowance = Allowance(10, 3, now=0.0)

    assert [allowance.takes(0.0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.takes(0.09)
    assert allowance.takes(0.11)


def test_a_long_rest_gives_one_burst_and_no_more() -> None:
    allowance = Allowance(10, 3, now=0.0)

    assert allowance.left(1000.0) == 3


def test_what_was_taken_beyond_the_allowance_is_paid_back_first() -> None:
    allowance = Allowance(10, 3, now=0.0)
    allowance.take(8)

    assert allowance.left(0.0) == -5
    assert not allowance.takes(0.5)
    assert allowance.takes(0.7)


def test_a_clock_that_goes_backwards_gives_nothing() -> None:
    allowance = Allowance(10, 1, now=5.0)

    assert allowance.takes(5.0)
    assert not allowance.takes(1.0)
