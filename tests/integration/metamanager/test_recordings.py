"""Recorded sessions of a real cloudcore with the Go edgecore, played again: the same acks, the same rows.

The recordings follow each other (a, b, b2, b3, c), and so do the files that Go kept after b and after c.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore.beehive import wire
from edgecore.beehive.message import Message, Route, content_value, with_header
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[2] / "data"
A, B, B2, B3, C = (
    "a_connect_first_sync",
    "b_services_endpoints_pods",
    "b2_deletes",
    "b3_service_endpoints_delete",
    "c_configmap_secret_pod",
)
OF_THE_NODE = {"listener", "nodestatus", "podstatus"}
"""Types of rows that the node makes of itself: fake IPs, and what edged reports."""
Ack = tuple[str, Route, Any]


def _frames(name: str) -> Iterator[tuple[Direction, Message]]:
    entries = [entry for entry in read_entries(DATA / f"{name}.jsonl") if isinstance(entry, CloudFrame)]
    for entry in sorted(entries, key=lambda entry: entry.t_ns):
        yield entry.direction, wire.decode(entry.text)


def _acks(name: str) -> list[Ack]:
    """Return the acks that the Go edgecore sent: whose, route, content; keepalives and reports are none."""
    return [
        (message.header.parent_id, message.route, content_value(message))
        for direction, message in _frames(name)
        if direction is Direction.TO_CLOUD and message.route.operation == "response"
    ]


def _rows(name: str) -> dict[str, tuple[str, Any]]:
    """Return the ``meta`` table of a Go edgecore as its dump shows it: key to type and JSON value."""
    lines = (DATA / f"{name}.txt").read_text().partition("-- table meta:")[2].splitlines()[1:]
    rows = [json.loads(line) for line in lines if line.startswith("[")]
    return {key: (kind, json.loads(value)) for key, kind, value in rows}


def _without_the_nodes_own(rows: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {key: row for key, row in rows.items() if row[0] not in OF_THE_NODE}


class Player:
    """Plays what came from the cloud, and the questions that edged asked, waiting for each to be settled."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._asked: dict[str, str] = {}
        self.acks: list[Ack] = []

    async def play(self, name: str) -> list[Ack]:
        """Return the acks of one recording, in the order they left."""
        before = len(self.acks)
        for direction, message in _frames(name):
            if direction is Direction.TO_EDGE:
                await self._from_cloud(message)
            elif message.route.source == "edged" and message.route.operation == "query":
                await self._node.edged.send("metaManager", message)
                await self._settled()
        return self.acks[before:]

    async def _from_cloud(self, message: Message) -> None:
        header = message.header
        if header.parent_id in self._asked:
            question = self._asked.pop(header.parent_id)
            assert self._node.hub.respond(with_header(message, header.id, question, header.timestamp_ms))
        else:
            await self._node.hub.send_to_group("meta", message)
        await self._settled()

    async def _settled(self) -> None:
        """Take what goes to the cloud and to the modules, until the file has no writes and nobody gets anything."""
        idle_rounds = 0
        while idle_rounds < 2:  # in the first, the last commit may have come too late to be looked at
            quiet = await self._node.quiet()
            idle_rounds = idle_rounds + 1 if quiet and not self._node.store.statistics().waiting else 0
            for port in (self._node.hub, self._node.edged, self._node.mesh):
                while port.statistics().depth:
                    self._note(port.name, await port.receive())

    def _note(self, receiver: str, message: Message) -> None:
        if receiver != "websocket":
            return
        if message.route.operation == "query":
            recorded = next(m for _, m in _frames(C) if m.route == message.route and m.header.id not in self._asked)
            self._asked[recorded.header.id] = message.header.id
        else:
            self.acks.append((message.header.parent_id, message.route, message.content))


@pytest.fixture
def player(node: Any) -> Player:
    return Player(node)


async def _play_up_to(player: Player, name: str) -> list[Ack]:
    for recording in (A, B, B2, B3, C):
        acks = await player.play(recording)
        if recording == name:
            return acks
    raise AssertionError(name)


def _json_rows(node: Any) -> dict[str, tuple[str, Any]]:
    return {key: (kind, msgspec.json.decode(value)) for key, (kind, value) in node.rows().items()}


@pytest.mark.parametrize("name", [A, B, B3])
async def test_the_acks_are_those_of_the_go_edgecore(player: Player, name: str) -> None:
    acks = await player.play(name)
    assert Counter(map(repr, acks)) == Counter(map(repr, _acks(name)))


async def test_what_go_died_of_is_acknowledged_too(player: Player) -> None:
    """In b2 a request to a service without pods ends the Go edgecore, so that one delete stays without an ack."""
    acks = await player.play(B2)
    recorded = _acks(B2)
    (died_of,) = [m for d, m in _frames(B2) if d is Direction.TO_EDGE and m.header.id.startswith("e5273b1b")]
    assert (died_of.route.operation, died_of.route.resource) == ("delete", "default/service/nginx-svc")
    route = Route("edgecontroller", "resource", "response", "default/service/nginx-svc")
    assert Counter(map(repr, acks)) == Counter(map(repr, [*recorded, (died_of.header.id, route, "OK")]))


@pytest.mark.parametrize("name", [B, B2])
async def test_acks_leave_in_the_order_of_the_messages(player: Player, name: str) -> None:
    """Go's do not: each message goes to the hub in a goroutine of its own (bug B4)."""
    acked = [parent for parent, _, _ in await player.play(name)]
    came = [m.header.id for d, m in _frames(name) if d is Direction.TO_EDGE and m.header.id in set(acked)]
    assert acked == came


async def test_the_rows_after_b_are_those_of_the_go_edgecore(node: Any, player: Player) -> None:
    await _play_up_to(player, B)
    assert _without_the_nodes_own(_json_rows(node)) == _without_the_nodes_own(_rows("b_edgecore_db"))


async def test_a_session_with_questions_acknowledges_as_the_go_edgecore(node: Any, player: Player) -> None:
    await node.connected()
    acks = await player.play(C)
    assert Counter(map(repr, acks)) == Counter(map(repr, _acks(C)))


async def test_the_rows_after_c_are_those_of_the_go_edgecore(node: Any, player: Player) -> None:
    await node.connected()
    await _play_up_to(player, C)
    go = _without_the_nodes_own(_rows("c_edgecore_db"))
    left_by_go = {key for key in go if "/podlist/" in key and key.replace("/podlist/", "/service/") not in go}
    assert left_by_go == {"default/podlist/nginx-svc", "default/podlist/web-svc"}
    assert _without_the_nodes_own(_json_rows(node)) == {key: row for key, row in go.items() if key not in left_by_go}


async def test_the_rows_of_one_recording_are_the_texts_of_its_frames(node: Any, player: Player) -> None:
    """Go marshals them again, in its own order of keys; the JSON values are the same (tests above)."""
    await player.play(B)
    last: dict[str, bytes] = {}
    for direction, message in _frames(B):
        if direction is Direction.TO_EDGE and message.route.operation in ("insert", "update"):
            last[message.route.resource] = bytes(message.content) if message.content is not None else b"null"
    assert {key: value.encode() for key, (_, value) in node.rows().items()} == last
