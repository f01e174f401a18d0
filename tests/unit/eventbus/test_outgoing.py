"""The queue of a broker: in order, bounded, the oldest of QoS 0 given up first."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.eventbus.outgoing import Outgoing, Publication


def publication(name: str, qos: int = 1, size: int = 10) -> Publication:
    return Publication(name, b"x" * (size - len(name)), qos, False)


def names(queue: Outgoing) -> list[str]:
    return [queue.pop().topic for _ in range(len(queue))]


def test_messages_leave_in_order_whatever_their_qos() -> None:
    queue = Outgoing(10, 1000)
    for number, qos in enumerate([1, 0, 0, 1, 2, 0]):
        assert queue.put(publication(str(number), qos)) == 0
    assert names(queue) == ["0", "1", "2", "3", "4", "5"]


def test_the_oldest_of_qos_0_goes_first_then_the_oldest() -> None:
    queue = Outgoing(3, 1000)
    for number, qos in enumerate([1, 0, 1, 1, 1]):
        queue.put(publication(str(number), qos))
    assert names(queue) == ["2", "3", "4"]
    assert queue.dropped == {"full": 2}


def test_bytes_are_bounded_too() -> None:
    queue = Outgoing(100, 35)
    for number in range(5):
        queue.put(publication(str(number)))
    assert queue.bytes == 30
    assert names(queue) == ["2", "3", "4"]
    assert queue.bytes == 0


def test_what_can_never_fit_is_given_up_alone() -> None:
    queue = Outgoing(10, 15)
    queue.put(publication("a"))
    assert queue.put(publication("b", size=16)) == 1
    assert queue.dropped == {"too_large": 1}
    assert names(queue) == ["a"]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)) | st.none(), max_size=60))
def test_the_bounds_hold_and_each_message_is_counted_once(steps: list[tuple[int, int] | None]) -> None:
    queue = Outgoing(5, 100)
    put = popped = 0
    order: list[int] = []
    for step in steps:
        if step is None:
            if len(queue):
                order.append(int(queue.pop().topic))
                popped += 1
        else:
            queue.put(publication(str(put), *step))
            put += 1
        assert len(queue) <= 5
        assert queue.bytes <= 100
        assert put == popped + len(queue) + queue.dropped.total()
    assert order == sorted(order)
