"""What a worker shows, on its way to the node."""

from collections.abc import Sequence
from typing import Any

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.workers.relay import BATCH, BATCH_EVERY_S, Relay


class Sent:
    """A link that remembers."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self.has_room = True

    def tell(self, what: Any) -> None:
        self.all.append(what)


def relay(vclock: VirtualClock) -> tuple[Sent, Relay[str]]:
    link = Sent()

    def news(taken: Sequence[str], lost: int) -> Any:
        return list(taken), lost

    return link, Relay(link, vclock, news)  # type: ignore[arg-type]


async def test_what_is_taken_is_sent_together_in_its_order(vclock: VirtualClock) -> None:
    link, shown = relay(vclock)
    shown.take("a")
    shown.take("b")
    assert link.all == []
    await vclock.advance(BATCH_EVERY_S)
    assert link.all == [(["a", "b"], 0)]
    await vclock.advance(1.0)
    assert len(link.all) == 1


async def test_a_full_batch_is_sent_at_once(vclock: VirtualClock) -> None:
    link, shown = relay(vclock)
    for number in range(BATCH + 1):
        shown.take(str(number))
    assert [len(taken) for taken, _ in link.all] == [BATCH]
    shown.stop()
    assert link.all[1] == ([str(BATCH)], 0)


async def test_what_the_node_does_not_take_is_dropped_and_counted(vclock: VirtualClock) -> None:
    link, shown = relay(vclock)
    link.has_room = False
    shown.take("a")
    shown.take("b")
    await vclock.advance(BATCH_EVERY_S)
    assert link.all == []
    link.has_room = True
    shown.take("c")
    shown.stop()
    shown.stop()
    assert link.all == [(["c"], 2)]
