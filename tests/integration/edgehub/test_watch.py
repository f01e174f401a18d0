"""What whoever watches is shown of the link: every frame, and what becomes of each connection."""

import json
from typing import Any

from edgecore.clock import settle
from edgecore.recording.entries import Direction
from edgecore.recording.watch import Watch

ROUTE = {"source": "a", "group": "resource", "operation": "insert", "resource": "default/x/y"}


class Onlooker:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.frames: list[tuple[Direction, int, bytes]] = []
        self.connections: list[tuple[Direction, int, str, str]] = []
        self.watch.frame = lambda direction, link, payload: self.frames.append((direction, link, payload))
        self.watch.connection = lambda direction, link, event, *, tls="", detail="": self.connections.append(
            (direction, link, event, detail)
        )

    def operations(self) -> list[tuple[str, int, str]]:
        """Return which way each frame went, by which connection, and its operation."""
        return [(way.value, link, json.loads(payload)["route"]["operation"]) for way, link, payload in self.frames]


async def test_each_frame_is_shown_to_the_byte_with_the_number_of_its_connection(link: Any) -> None:
    seen = Onlooker()
    linked = await link(watch=seen.watch)
    session = await linked.session()
    await linked.post("default/podstatus")
    sent = await session.frame()
    text = json.dumps({"header": {"msg_id": "1"}, "route": ROUTE, "content": "ü"}) + "\n"
    await session.send(text)
    await linked.meta.receive()
    assert seen.frames[-1] == (Direction.TO_EDGE, 1, text.encode())
    session.vanish()
    await linked.lost()
    assert seen.operations()[:2] == [("edge->cloud", 1, "keepalive"), ("edge->cloud", 1, "update")]
    assert json.loads(seen.frames[1][2]) == sent
    await linked.clock.advance(60)
    await linked.session()
    assert seen.operations()[-1] == ("edge->cloud", 2, "keepalive")


async def test_what_comes_is_shown_even_where_it_is_refused(link: Any) -> None:
    seen = Onlooker()
    linked = await link(watch=seen.watch)
    session = await linked.session()
    await session.send("no message")
    while (Direction.TO_EDGE, 1, b"no message") not in seen.frames:
        await settle()


async def test_a_connection_is_shown_when_it_begins_and_with_the_reason_when_it_ends(link: Any) -> None:
    seen = Onlooker()
    linked = await link(watch=seen.watch)
    session = await linked.session()
    await session.websocket.close(4000, "enough")
    await linked.lost()
    assert seen.connections == [
        (Direction.TO_CLOUD, 1, "open", ""),
        (Direction.TO_EDGE, 1, "eof", "lost the cloud: the cloud closed with code 4000 enough"),
    ]


async def test_a_connection_that_broke_is_an_error(link: Any) -> None:
    seen = Onlooker()
    linked = await link(watch=seen.watch)
    (await linked.session()).vanish()
    await linked.lost()
    assert seen.connections[1:] == [(Direction.TO_EDGE, 1, "error", "lost the cloud: the connection broke")]


async def test_a_cloud_that_cannot_be_reached_is_an_error_of_the_connection_to_come(cloud: Any, link: Any) -> None:
    seen = Onlooker()
    await cloud.stop()
    linked = await link(watch=seen.watch)
    while linked.hub.status()["state"] != "waiting":
        await settle()
    ((direction, number, event, detail),) = seen.connections
    assert (direction, number, event) == (Direction.TO_CLOUD, 1, "error")
    assert "cannot connect" in detail
