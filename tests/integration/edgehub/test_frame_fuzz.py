"""A whole node, its cloud gone mad: changed frames from a real websocket, in fragments of any size."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from edgecore.app import Node
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.beehive.resource import METAMANAGER
from edgecore.beehive.switchboard import Passage
from edgecore.clock import VirtualClock, settle
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.errors import BusError
from edgecore.observe.ledger import DOWN
from edgecore.recording.entries import Direction
from fuzz.health import Complaints, Growth
from fuzz.mutation import Changed, Mutator

BATCH = 50
WIPE_EVERY = 20
"""Batches after which the cloud deletes all that the node has stored: what is stored may grow, what is held may not."""
POOL = "127.218.0.0/16"
"""Not the default: a node may be running on this machine."""
NODE = "edge-node1"
"""As in the recordings."""
PATIENCE_S = 20.0


class MadCloud:
    """A cloud that answers what a cloud answers, and sends what it is given."""

    def __init__(self) -> None:
        self.connection: ServerConnection | None = None
        self.connected = asyncio.Event()
        self.waiting: deque[str] = deque(maxlen=16)
        """Ids of the latest questions of the node, not answered yet."""
        self.control_answers = 0
        """Operations of the transport that the node has answered."""
        self.proofs = 0
        """Answers to those of the node; it tells nobody of them."""
        self._awaited = ""
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._numbers = count()

    async def serve(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.connected.set()
        with suppress(ConnectionClosed):
            async for text in connection:
                await self._take(json.loads(text))

    async def send(self, frame: Any) -> None:
        """Send one frame as it is to go."""
        assert self.connection is not None
        payload, text = frame.on_the_wire(self.waiting)
        await self.connection.send(payload, text=text)

    async def say(self, operation: str, resource: str, content: Any = None, parent: str = "") -> str:
        """Send a message that is as it should be; return its id."""
        message_id = f"clean-{next(self._numbers)}"
        header = {"msg_id": message_id, "parent_msg_id": parent, "timestamp": 1}
        route = {"source": "edgecontroller", "group": "resource", "operation": operation, "resource": resource}
        assert self.connection is not None
        await self.connection.send(json.dumps({"header": header, "route": route, "content": content}))
        return message_id

    async def put_service(self) -> Any:
        """Insert a service and return what the node answers."""
        service = {"metadata": {"name": "clean", "namespace": "default"}, "spec": {"ports": []}}
        self._awaited = await self.say("insert", "default/service/clean", service)
        return await asyncio.wait_for(self._answers.get(), PATIENCE_S)

    async def _take(self, document: Any) -> None:
        message_id, parent = document["header"]["msg_id"], document["header"].get("parent_msg_id")
        operation, resource = document["route"]["operation"], document["route"]["resource"]
        if not message_id.startswith("edge-"):
            return  # one of ours, sent back
        if operation == "response":
            self.control_answers += document["content"] == "ack"
            if parent == self._awaited:
                self._answers.put_nowait(document["content"])
        elif operation in ("ping", "pong", "config"):
            self.proofs += 1
            await self.say("response", resource, "ack", message_id)
        elif "/nodestatus/" in resource:
            await self.say("response", resource.replace("nodestatus", "node"), "OK", message_id)
        elif operation == "query":
            self.waiting.append(message_id)


class Fuzzed:
    """The node, and what it did with what it got."""

    def __init__(self, node: Node, cloud: MadCloud, clock: VirtualClock) -> None:
        self.node = node
        self.cloud = cloud
        self.clock = clock
        self.delivered = 0
        """Messages that EdgeHub handed to modules, the news of the link not counted."""
        self.asker: Port = node.bus.register("asker", "asker")
        self._asked = 0
        self._asking: set[asyncio.Task[None]] = set()
        node.bus.add_tap(self._see)

    def _see(self, passage: Passage) -> None:
        self.delivered += passage.sender == "websocket" and not passage.message.header.id.startswith("edge-")

    def ask(self, resource: str) -> None:
        """Have MetaManager ask the cloud, so that there is something to answer."""
        task = asyncio.create_task(self._ask(resource))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, resource: str) -> None:
        request = self.asker.build(Route("asker", "meta", "query", resource))
        with suppress(BusError):
            await self.asker.send_sync(METAMANAGER, request, 60.0)

    async def take(self, batch: list[Changed]) -> None:
        """Get some frames, while questions to the cloud wait for answers."""
        self._asked += 1
        self.ask(f"default/configmap/{self._asked % 20}")
        self.ask(f"default/node/{NODE}")
        for frame in batch:
            await self.cloud.send(frame)
        await self.pass_a_second()

    async def answered(self) -> None:
        """Let time pass until nobody asks any more, and everything that is still under way would be overdue."""
        for _ in range(70):
            await self.pass_a_second()
        assert not self._asking

    async def pass_a_second(self) -> None:
        """Have a service stored, so that everything before it is done with; then let a second pass."""
        assert await self.cloud.put_service() == "OK"
        await self.clock.advance(1)

    def stored(self) -> list[str]:
        assert self.node.store is not None
        return [key for (key,) in self.node.store.rows("SELECT key FROM meta")]

    async def wipe(self) -> None:
        """Have the cloud delete every row."""
        for key in self.stored():
            await self.cloud.say("delete", key)
        await self.pass_a_second()

    async def check(self) -> None:
        """Everything that came is accounted for, and everybody is in good health."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self._link()["received"] != self._accounted_for():
                    await asyncio.sleep(0.001)  # an answer of the cloud is on its way
        link = self._link()
        assert link["received"] == self._accounted_for(), (
            self.delivered,
            self.cloud.control_answers,
            self.cloud.proofs,
        )
        assert link["refused"] == self._refusals_counted()
        assert link["sessions"] == 1
        assert {(state["state"], state["restarts"]) for state in self.node.runner.states().values()} == {("running", 0)}
        book = self.node.ledger.view()
        assert book["directions"][DOWN]["opened"] == link["received"] - self.cloud.control_answers - self.cloud.proofs
        assert book["unexplained"] == 0, book["unexplained_messages"]
        assert len(asyncio.all_tasks()) < 400

    def _link(self) -> dict[str, Any]:
        return self.node.runner.statuses()["websocket"]

    def _accounted_for(self) -> int:
        return self._link()["refused"] + self.delivered + self.cloud.control_answers + self.cloud.proofs

    def _refusals_counted(self) -> int:
        return sum(n for (module, _), n in self.node.metrics.bad_input_counts.items() if module == "websocket")


@pytest.fixture
async def fuzzed(tmp_path: Path, vclock: VirtualClock, complaints: Complaints) -> AsyncIterator[Fuzzed]:
    cloud = MadCloud()
    async with serve(cloud.serve, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = {
            "database": {"dataSource": str(tmp_path / "edgecore.db")},
            "modules": {
                "edgeHub": {"websocket": {"server": f"ws://127.0.0.1:{port}"}},
                "edged": {"hostnameOverride": NODE},
                "edgeMesh": {"rootlessSubNet": POOL, "dns": {"upstreams": ["127.0.0.1:9"]}},
            },
        }
        numbers = count()
        loaded = parse(json.dumps(settings), "the test", env=Environment(NODE, "127.0.0.1"))
        node = Node(loaded, clock=vclock, new_id=lambda: f"edge-{next(numbers)}")
        fuzzed = Fuzzed(node, cloud, vclock)
        await node.start()
        try:
            await cloud.connected.wait()
            while node.runner.statuses()["websocket"]["state"] != "connected":
                await asyncio.sleep(0.001)
            await settle()
            yield fuzzed
        finally:
            await node.stop()
            for connection in list(server.connections):
                connection.transport.abort()
        await settle()


async def test_no_frame_of_the_cloud_harms_the_node(
    fuzzed: Fuzzed,
    mutator: Callable[[Direction], Mutator],
    complaints: Complaints,
    growth: Growth,
) -> None:
    source = mutator(Direction.TO_EDGE)
    for number, batch in enumerate(source.batches(BATCH), 1):
        try:
            await fuzzed.take(batch)
            await fuzzed.check()
            assert not complaints.found
        except Exception as error:
            pytest.fail(source.repeat_with(batch, f"{type(error).__name__}: {error}; {complaints.found}"))
        if number % WIPE_EVERY == 0:
            await fuzzed.wipe()
            growth.look(number * BATCH)
    await fuzzed.answered()
    await fuzzed.check()
    assert complaints.events["message_not_delivered"] == 0
    assert len(fuzzed.node.metrics.bad_input_counts) < 100
    growth.check()


def test_seed_and_number_make_the_same_frame_again(mutator: Callable[[Direction], Mutator]) -> None:
    one, other = mutator(Direction.TO_EDGE), mutator(Direction.TO_EDGE)
    assert [one.frame(number) for number in range(200)] == [other.frame(number) for number in reversed(range(200))][
        ::-1
    ]
