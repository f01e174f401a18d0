"""A whole stub, its edge gone mad: changed frames from a real websocket, in fragments of any size."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cloudhub_stub.app import Stub
from cloudhub_stub.nodes import Node
from cloudhub_stub.replay.plan import ReplayOptions
from edgecore.clock import VirtualClock
from edgecore.observe.ledger import UP
from edgecore.recording.entries import Direction
from fuzz.health import Complaints, Growth
from fuzz.mutation import Changed, Mutator

BATCH = 50
WIPE_EVERY = 20
"""Batches after which the edge says of every pod that it is gone, and the stub plays a recording."""
NODE = "edge-node1"
"""As in the recordings."""
PATIENCE_S = 20.0
RECORDING = Path(__file__).parents[2] / "data" / "b_services_endpoints_pods.jsonl"


class MadEdge:
    """An edge that answers what an edge answers, and sends what it is given."""

    def __init__(self, connection: ClientConnection, stub: Stub) -> None:
        self.connection = connection
        self.stub = stub
        self.waiting: deque[str] = deque(maxlen=16)
        """Ids of the latest messages of the stub."""
        self.sent = 0
        self.control_answers = 0
        """Operations of the transport that the stub has answered: the one thing that it does not count."""
        self._numbers = count()
        self._awaited = ""
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    @property
    def node(self) -> Node:
        node = self.stub.cloud.nodes.get(NODE)
        assert node is not None
        return node

    async def send_all(self, batch: list[Changed]) -> None:
        """Send some frames, and then what is as it should be: all before it are done with when it is answered."""
        for frame in batch:
            payload, text = frame.on_the_wire(self.waiting)
            self.sent += 1
            await self.connection.send(payload, text=text)
        await self.say("keepalive", "node", "ping")
        self._awaited = await self.say("update", f"default/nodestatus/{NODE}", {"Status": {}})
        assert await asyncio.wait_for(self._answers.get(), PATIENCE_S) == "OK"

    async def forget_pods(self) -> None:
        """Say of every pod that it is gone."""
        for pod in list(self.node.pods):
            await self.say("delete", str(pod))

    async def say(self, operation: str, resource: str, content: Any = None, parent: str = "") -> str:
        """Send a message that is as it should be; return its id."""
        message_id = f"clean-{next(self._numbers)}"
        header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": 1}
        route = {"source": "edged", "group": "meta", "operation": operation, "resource": resource}
        self.sent += 1
        await self.connection.send(json.dumps({"header": header, "route": route, "content": content}))
        return message_id

    async def played(self, clock: VirtualClock) -> str:
        """Have the stub play a recording, while time passes; return how that ended."""
        playing = asyncio.create_task(_last(self.stub.player.play(ReplayOptions(file=str(RECORDING)))))
        while not playing.done():
            await self.say("keepalive", "node", "ping")
            await clock.advance(0.05)
            await asyncio.sleep(0.001)
        return await playing

    async def check(self) -> None:
        """Everything that came is accounted for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self.node.counters.received != self.sent or self.sent != self._accounted_for():
                    await asyncio.sleep(0.001)  # an acknowledgement is on its way
        counters = self.node.counters
        assert counters.connections == 1
        assert counters.received == self.sent
        assert counters.received == self._accounted_for(), vars(counters)
        book = self.stub.cloud.ledger.view()
        assert book["directions"][UP]["opened"] == counters.received - counters.malformed
        assert book["unexplained"] == 0, book["unexplained_messages"]
        assert len(asyncio.all_tasks()) < 400

    def _accounted_for(self) -> int:
        counters = self.node.counters
        counted = counters.malformed + counters.keepalives + counters.acknowledged + sum(counters.outcomes.values())
        return counted + self.control_answers

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.connection:
                await self._take(json.loads(text))

    async def _take(self, document: Any) -> None:
        header, route = document["header"], document["route"]
        self.waiting.append(header["msg_id"])
        self.control_answers += route["operation"] == "response" and document["content"] == "ack"
        if header["parent_msg_id"] == self._awaited:
            self._answers.put_nowait(document["content"])
        elif not header["parent_msg_id"] or isinstance(document["content"], dict):  # objects too that it asked for
            content = "ack" if route["operation"] == "ping" else "OK"
            await self.say("response", route["resource"], content, header["msg_id"])


async def _last(events: AsyncIterator[dict[str, Any]]) -> str:
    return [str(event["event"]) async for event in events][-1]


@pytest.fixture
async def edge(complaints: Complaints, make_stub: Callable[..., Any], vclock: VirtualClock) -> AsyncIterator[MadEdge]:
    stub = await make_stub(clock=vclock)
    async with connect(
        f"{stub.server.url}/p/{NODE}/events",
        additional_headers={"Node_id": NODE, "Project_id": "p", "Connectionuse": "msg"},
        user_agent_header="edgecore",
        compression=None,
        ping_interval=None,
        close_timeout=1,
        max_size=None,
        proxy=None,
    ) as connection:
        mad = MadEdge(connection, stub)
        yield mad
    await mad._reading


async def test_no_frame_of_an_edge_harms_the_stub(
    edge: MadEdge,
    vclock: VirtualClock,
    mutator: Callable[[Direction], Mutator],
    complaints: Complaints,
    growth: Growth,
) -> None:
    source = mutator(Direction.TO_CLOUD)
    for number, batch in enumerate(source.batches(BATCH), 1):
        try:
            await edge.send_all(batch)
            await vclock.advance(1)
            await edge.check()
            assert not complaints.found
        except Exception as error:
            pytest.fail(source.repeat_with(batch, f"{type(error).__name__}: {error}; {complaints.found}"))
        if number % WIPE_EVERY == 0:
            await edge.forget_pods()
            assert await edge.played(vclock) == "finished"
            growth.look(number * BATCH)
    await edge.check()
    assert len(edge.stub.metrics.bad_input_counts) < 100
    growth.check()
