"""A module that takes nothing: TCP is not read any more, nothing is dropped (in Go the oldest of 100 is, bug T4)."""

import asyncio
from collections.abc import Callable
from typing import Any

from structlog.testing import capture_logs

from edgecore.observe.ledger import COALESCED, DOWN, DROPPED

Document = Callable[..., dict[str, Any]]
FRAMES = 2000
PADDING = "x" * 8000


async def _send_many(session: Any, document: Document) -> None:
    for number in range(FRAMES):
        await session.send(document(content=[number, PADDING], msg_id=f"c-{number}"))


async def _rests(linked: Any) -> None:
    """Wait until EdgeHub takes nothing more."""
    before, rounds = -1, 0
    while rounds < 20:
        await asyncio.sleep(0.002)
        received = linked.hub.status()["received"]
        before, rounds = received, rounds + 1 if received == before else 0


async def test_a_stuck_metamanager_stops_the_reading_of_tcp_and_loses_nothing(linked: Any, document: Document) -> None:
    session = await linked.session()
    sending = asyncio.create_task(_send_many(session, document))
    await _rests(linked)
    assert not sending.done()
    assert linked.hub.status()["received"] == 16 + 1  # its mailbox, and the one that waits
    ids = [(await linked.meta.receive()).header.id for _ in range(FRAMES)]
    await sending
    assert ids == [f"c-{number}" for number in range(FRAMES)]


async def test_keepalives_and_messages_to_the_cloud_go_on_meanwhile(linked: Any, document: Document) -> None:
    session = await linked.session()
    sending = asyncio.create_task(_send_many(session, document))
    await _rests(linked)
    await linked.post("default/pod/x", operation="delete")
    assert (await session.frame())["route"]["resource"] == "default/pod/x"
    await linked.clock.advance(15)
    await session.any_frame()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_after_the_send_deadline_one_message_is_given_up_and_told(linked: Any, document: Document) -> None:
    """It is not acknowledged, so a cloudcore sends it again."""
    session = await linked.session()
    for number in range(18):
        await session.send(document(msg_id=f"c-{number}"))
    await _rests(linked)
    with capture_logs() as logs:
        await linked.clock.advance(30)
        await _rests(linked)
    assert [entry["id"] for entry in logs if entry["event"] == "message_not_delivered"] == ["c-16"]
    ids = [(await linked.meta.receive()).header.id for _ in range(17)]
    assert ids == [*(f"c-{number}" for number in range(16)), "c-17"]


async def test_a_metamanager_without_room_for_the_news_does_not_hold_up_the_next_session(link: Any, until: Any) -> None:
    linked = await link()
    session = await linked.session()
    for _ in range(16):
        await linked.edged.send("metaManager", linked.edged.build(None))
    session.vanish()
    await until(lambda: linked.meta.statistics().blocked == 1)
    with capture_logs() as logs:
        await linked.clock.advance(30)
        await until(lambda: linked.hub.status()["sessions"] == 2)
    assert [entry["event"] for entry in logs if entry["event"] == "news_not_delivered"] == ["news_not_delivered"]


async def test_a_message_that_waits_for_room_when_the_link_ends_is_closed_in_the_book(
    linked: Any, document: Document, until: Any
) -> None:
    session = await linked.session()
    for number in range(17):
        await session.send(document(msg_id=f"c-{number}"))
    await until(lambda: linked.meta.statistics().blocked == 1)
    session.vanish()
    await linked.clock.advance(15)  # the keepalive meets the end
    await until(lambda: linked.ledger.counts().get((DOWN, DROPPED, "session_ended")) == 1)
    assert linked.ledger.under_way == 16


async def test_one_that_is_given_up_does_not_close_the_same_message_under_way(linked: Any, document: Document) -> None:
    session = await linked.session()
    for number in [*range(16), 0]:
        await session.send(document(msg_id=f"c-{number}"))
    await _rests(linked)
    await linked.clock.advance(30)
    await _rests(linked)
    assert linked.meta.statistics().blocked == 0
    assert linked.ledger.counts()[DOWN, COALESCED, "under_way"] == 1
    assert linked.ledger.under_way == 16
