"""What comes back from two brokers is taken in once; what others say is taken in as often as they say it."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.eventbus.echoes import KEPT, KEPT_S, Echoes


def test_the_second_copy_is_left_out_whichever_broker_is_first() -> None:
    echoes = Echoes()
    echoes.published("t", b"p", 0)
    assert echoes.takes_in("b", "t", b"p", 1)
    assert not echoes.takes_in("a", "t", b"p", 1)


def test_what_was_not_published_is_always_news() -> None:
    echoes = Echoes()
    assert echoes.takes_in("a", "t", b"p", 1)
    assert echoes.takes_in("b", "t", b"p", 1)


def test_after_a_while_it_is_forgotten() -> None:
    echoes = Echoes()
    echoes.published("t", b"p", 0)
    assert echoes.takes_in("a", "t", b"p", 1)
    assert echoes.takes_in("b", "t", b"p", KEPT_S)
    echoes.published("u", b"p", KEPT_S)
    assert len(echoes) == 1


def test_no_more_than_so_many_are_kept() -> None:
    echoes = Echoes()
    for number in range(KEPT + 10):
        echoes.published(str(number), b"", 0)
    assert len(echoes) == KEPT


@given(st.lists(st.booleans(), max_size=20))
def test_as_many_are_taken_in_as_were_published_in_whatever_order_the_copies_come(order: list[bool]) -> None:
    echoes = Echoes()
    times = len(order)
    for _ in range(times):
        echoes.published("t", b"p", 0)
    copies = [broker for first in order for broker in (("a", "b") if first else ("b", "a"))]
    assert sum(echoes.takes_in(broker, "t", b"p", 1) for broker in copies) == times
