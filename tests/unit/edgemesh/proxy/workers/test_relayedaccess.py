"""Lines of the access log on their way from a worker to the node."""

import json
from typing import Any

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import BATCH_EVERY_S, BATCH_LINES
from edgecore.modules.edgemesh.proxy.workers.relayedaccess import RelayedAccess

SERVED = Served(client="10.0.0.9:1", service=ServiceKey("default", "web"), port=80, handling="http", status=200)


class Sent:
    """A link that remembers."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self.has_room = True

    def tell(self, what: Any) -> None:
        self.all.append(what)


def relay(vclock: VirtualClock) -> tuple[Sent, RelayedAccess]:
    link = Sent()
    return link, RelayedAccess(link, vclock)  # type: ignore[arg-type]


async def test_lines_are_sent_together(vclock: VirtualClock) -> None:
    link, access = relay(vclock)
    access.tell(SERVED)
    access.tell(SERVED)
    assert link.all == []
    await vclock.advance(BATCH_EVERY_S)
    (sent,) = link.all
    assert [json.loads(line)["status"] for line in sent.lines.splitlines()] == [200, 200]
    await vclock.advance(1.0)
    assert len(link.all) == 1


async def test_many_lines_do_not_wait(vclock: VirtualClock) -> None:
    link, access = relay(vclock)
    for _ in range(BATCH_LINES):
        access.tell(SERVED)
    assert link.all[0].lines.count(b"\n") == BATCH_LINES


async def test_lines_that_the_node_does_not_take_are_dropped_and_counted(vclock: VirtualClock) -> None:
    link, access = relay(vclock)
    link.has_room = False
    access.tell(SERVED)
    await vclock.advance(BATCH_EVERY_S)
    assert link.all == []
    link.has_room = True
    access.tell(SERVED)
    access.stop()
    access.stop()
    (sent,) = link.all
    assert (sent.lines.count(b"\n"), sent.dropped) == (1, 1)
