"""The link is lost and comes back: pauses, news to the modules, and what waited meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.clock import settle


async def test_the_modules_hear_once_that_the_link_came_up(linked: Any) -> None:
    """Go tells MetaManager twice."""
    await linked.cloud.sessions.get()
    news = await linked.meta.receive()
    assert (news.route.source, news.route.group) == ("edgehub", "meta")
    assert (news.route.operation, news.route.resource) == ("publish", "node/connection")
    assert news.content == "cloud_connected"
    await settle(50)
    assert linked.meta.statistics().depth == 0


async def test_the_modules_hear_that_the_link_went_down(linked: Any) -> None:
    (await linked.session()).vanish()
    assert (await linked.meta.receive()).content == "cloud_disconnected"


async def test_edged_hears_both_too(linked: Any) -> None:
    """When the link comes up it asks for what its pods lack. Go does not tell it."""
    (await linked.session()).vanish()
    heard = [await linked.edged.receive() for _ in range(2)]
    assert [news.content for news in heard] == ["cloud_connected", "cloud_disconnected"]
    assert {(news.route.group, news.route.resource) for news in heard} == {("edged", "node/connection")}


async def test_a_vanished_cloud_is_noticed_at_once(linked: Any) -> None:
    """Go notices at its next write, up to a heartbeat later (bug E4)."""
    session = await linked.session()
    with capture_logs() as logs:
        session.vanish()
        await linked.lost()
    assert linked.clock.monotonic() == 0
    (entry,) = [entry for entry in logs if entry["event"] == "cloud_lost"]
    assert entry["error"] == linked.hub.status()["error"] == "lost the cloud: the connection broke"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going away"), (4000, "node stopped")])
async def test_a_close_of_the_cloud_is_told_with_code_and_reason(linked: Any, code: int, reason: str) -> None:
    session = await linked.session()
    await session.websocket.close(code, reason)
    await linked.lost()
    assert linked.hub.status()["error"] == f"lost the cloud: the cloud closed with code {code} {reason}".rstrip()


@pytest.mark.parametrize("server", [None, "nginx/1.25"])
async def test_a_cloudcore_is_left_alone_for_two_heartbeats(cloud: Any, link: Any, server: str | None) -> None:
    """Earlier it would mix up the two sessions (bugs H2, H3)."""
    cloud.server_header = server
    linked = await link()
    (await linked.session()).vanish()
    await linked.lost()
    await linked.clock.advance(29.99)
    await settle(50)
    assert len(cloud.requests) == 1
    await linked.clock.advance(3.01)
    await linked.session()


async def test_the_stub_is_dialled_again_soon(linked: Any) -> None:
    (await linked.session()).vanish()
    await linked.lost()
    await linked.clock.advance(0.49)
    await settle(50)
    assert len(linked.cloud.requests) == 1
    await linked.clock.advance(0.2)
    await linked.session()
    assert linked.hub.status()["sessions"] == 2


async def test_a_cloud_that_is_not_there_is_dialled_at_growing_pauses(linked: Any) -> None:
    await linked.session()
    with capture_logs() as logs:
        await linked.cloud.stop()
        await linked.lost()
        await _pass_time(linked, lambda: len(_pauses(logs)) >= 8)
    assert linked.hub.status()["error"].startswith("cannot connect to ws://127.0.0.1:")
    for pause, least in zip(_pauses(logs), [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert least <= pause <= min(1.25 * least, 30)
    await linked.cloud.start()
    await _pass_time(linked, lambda: linked.hub.status()["state"] == "connected")
    assert linked.hub.status()["error"] == ""


def _pauses(logs: Any) -> list[float]:
    return [entry["again_in_s"] for entry in logs if entry["event"] == "cloud_not_reached"]


async def _pass_time(linked: Any, true: Callable[[], bool]) -> None:
    """Move the virtual clock on in small steps, giving each dial the real time that it takes."""
    while not true():
        await linked.clock.advance(0.5)
        await asyncio.sleep(0.001)


async def test_what_was_sent_without_a_link_leaves_in_order_with_the_newest_status(linked: Any) -> None:
    """Go loses the message that was being written, and sends every old status (bug E5)."""
    (await linked.session()).vanish()
    await linked.lost()
    await linked.post("default/pod/a", operation="delete")
    await linked.post("default/nodestatus/n", 1)
    await linked.post("default/podstatus/x", 2)
    await linked.post("default/nodestatus/n", 3)
    await linked.post("default/pod/b", operation="delete")
    await linked.post("default/nodestatus/n", 4)
    await settle()
    assert linked.hub.status()["outbox"] == 4
    await linked.clock.advance(1)
    session = await linked.session()
    sent = [await session.frame() for _ in range(4)]
    assert [(document["route"]["resource"], document["content"]) for document in sent] == [
        ("default/pod/a", None),
        ("default/podstatus/x", 2),
        ("default/pod/b", None),
        ("default/nodestatus/n", 4),
    ]
    assert linked.hub.status()["superseded"] == 2


async def test_what_is_too_much_to_keep_is_told_and_not_lost_in_silence(linked: Any) -> None:
    (await linked.session()).vanish()
    await linked.lost()
    with capture_logs() as logs:
        for number in range(1030):
            await linked.post(f"default/pod/{number}")
        await settle()
    dropped = [entry["resource"] for entry in logs if entry["event"] == "outbox_overflow"]
    assert dropped == [f"default/pod/{number}" for number in range(6)]
    assert linked.hub.status()["dropped"] == 6
    assert linked.ledger.view()["directions"]["edge->cloud"]["reasons"]["dropped"] == {"outbox_full": 6}
    await linked.clock.advance(1)
    session = await linked.session()
    assert (await session.frame())["route"]["resource"] == "default/pod/6"


async def test_a_request_survives_the_link_it_was_made_on(linked: Any, document: Any) -> None:
    (await linked.session()).vanish()
    await linked.lost()
    asking = linked.ask("default/nodestatus/n")
    await settle()
    await linked.clock.advance(1)
    session = await linked.session()
    request = await session.frame()
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))
    assert (await asking).header.id == "c-1"


async def test_a_keepalive_leaves_at_once_on_the_new_link(linked: Any) -> None:
    (await linked.session()).vanish()
    await linked.lost()
    await linked.clock.advance(7)
    session = await linked.session()
    assert (await session.any_frame())["route"]["operation"] == "keepalive"
