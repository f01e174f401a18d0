"""A real websocket server in place of the cloud, and EdgeHub dialling it, its pauses on a virtual clock."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.edgehub import tables
from edgecore.modules.edgehub.module import EdgeHub
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Store, open_store

HEARTBEAT_S = 15
MAX_MESSAGE_BYTES = 1_000_000
PROJECT = "e632aba927ea4ac2b575ec1603d56f10"


class Session:
    """One connection of the node, seen from the cloud."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.websocket = websocket
        self.frames: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.fragments: list[int] = []
        """How many fragments each frame had."""
        self.ended = asyncio.Event()

    async def frame(self) -> dict[str, Any]:
        """Return the next frame that is no keepalive and asks for no proof."""
        while True:
            document = await self.any_frame()
            if document["route"]["operation"] not in ("keepalive", "ping"):
                return document

    async def any_frame(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self.frames.get())
        return document

    async def send(self, payload: Any) -> None:
        """Send text, bytes or an iterable of fragments as it is; anything else as JSON."""
        raw = isinstance(payload, str | bytes | list)
        await self.websocket.send(payload if raw else json.dumps(payload))

    def vanish(self) -> None:
        """Drop the TCP connection, without a word."""
        self.websocket.transport.abort()


class ScriptedCloud:
    """Accepts connections, keeps what comes, and does what the test says."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue[Session] = asyncio.Queue()
        self.server_header: str | None = "cloudhub-stub/test"
        self.refusal: tuple[int, dict[str, str], bytes] | None = None
        self.requests: list[Request] = []
        self.proves = True
        """Whether an operation ``ping`` is answered, as both real peers do."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            compression=None,
            ping_interval=None,
            max_size=None,
            close_timeout=1,
            process_request=self._judge,
            process_response=self._sign,
            server_header=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Stop listening; drop what is connected."""
        if self._server is None:
            return
        server, self._server = self._server, None
        for connection in list(server.connections):
            connection.transport.abort()
        server.close()
        await server.wait_closed()

    async def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        await self.may_answer.wait()
        if self.refusal is None:
            return None
        status, headers, body = self.refusal
        response = connection.respond(status, body.decode())
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def _sign(self, _connection: ServerConnection, _request: Request, response: Response) -> None:
        if self.server_header is not None:
            response.headers["Server"] = self.server_header

    async def _serve(self, websocket: ServerConnection) -> None:
        session = Session(websocket)
        self.sessions.put_nowait(session)
        try:
            while True:
                fragments = [fragment async for fragment in websocket.recv_streaming()]
                session.fragments.append(len(fragments))
                frame = fragments[0][:0].join(fragments)
                session.frames.put_nowait(frame)
                if self.proves:
                    await _prove(session, frame)
        except ConnectionClosed:
            pass
        finally:
            session.ended.set()


async def _prove(session: Session, frame: str | bytes) -> None:
    document = json.loads(frame)
    if document["route"]["operation"] == "ping":
        header = {"msg_id": "ack-of-ping", "parent_msg_id": document["header"]["msg_id"], "timestamp": 1}
        route = {**document["route"], "operation": "response"}
        await session.send({"header": header, "route": route, "content": "ack"})


class Linked:
    """EdgeHub between the scripted cloud and the ports of the modules around it."""

    def __init__(
        self,
        hub: EdgeHub,
        bus: Bus,
        clock: VirtualClock,
        cloud: ScriptedCloud,
        metrics: Metrics,
        ledger: Ledger,
        store: Store,
    ) -> None:
        self.hub = hub
        self.ledger = ledger
        self.store = store
        self.bus = bus
        self.clock = clock
        self.cloud = cloud
        self.metrics = metrics
        self.waiting_for: set[str] = set()
        self.running: asyncio.Task[None] | None = None
        self.meta: Port = bus.register("metaManager", "meta", capacity=16)
        self.edged: Port = bus.register("edged", "edged")

    async def session(self) -> Session:
        """Return the next connection, once EdgeHub has it too; the news of it is taken from MetaManager's mailbox."""
        session = await self.cloud.sessions.get()
        news = await self.meta.receive()
        assert news.content == "cloud_connected"
        return session

    async def lost(self) -> None:
        """Return once EdgeHub has noticed that the link is gone and waits."""
        assert (await self.meta.receive()).content == "cloud_disconnected"
        await settle()
        assert self.hub.status()["state"] == "waiting"

    async def post(self, resource: str, content: Any = None, operation: str = "update") -> Message:
        """Have edged send a message to the cloud."""
        message = self.edged.build(Route("edged", "meta", operation, resource), content)
        await self.edged.send("websocket", message)
        return message

    def ask(self, resource: str, timeout_s: float = 30) -> "asyncio.Task[Message]":
        """Have edged ask the cloud and wait for the answer."""
        request = self.edged.build(Route("edged", "meta", "insert", resource), {})
        self.waiting_for.add(request.header.id)
        return asyncio.create_task(self.edged.send_sync("websocket", request, timeout_s))

    def counted(self) -> dict[str, int]:
        """Return bad input by reason."""
        return {
            reason: count for (module, reason), count in self.metrics.bad_input_counts.items() if module == "websocket"
        }


@pytest.fixture
async def cloud() -> AsyncIterator[ScriptedCloud]:
    cloud = ScriptedCloud()
    await cloud.start()
    yield cloud
    await cloud.stop()


Link = Callable[..., Awaitable[Linked]]


@pytest.fixture
async def link(
    cloud: ScriptedCloud, vclock: VirtualClock, ids: NewId, metrics: Metrics, tmp_path: Path
) -> AsyncIterator[Link]:
    """link(**settings of EdgeHub): one that runs."""
    running: list[tuple[Linked, asyncio.Task[None]]] = []
    stores: list[Store] = []

    async def make(**settings: Any) -> Linked:
        bus = Bus(vclock, ids)
        options = {
            "heartbeat_s": HEARTBEAT_S,
            "handshake_timeout_s": 5,
            "max_message_bytes": MAX_MESSAGE_BYTES,
            "jitter": random.Random(1),
            "ping": False,  # real pongs cannot keep up with virtual time
            **settings,
        }
        ledger = Ledger(vclock.monotonic)
        address = CloudAddress("ws", "127.0.0.1", cloud.port, PROJECT, "edge-node1")
        if not stores:
            stores.append(open_store(tmp_path / "edgehub.db", (*tables.SCHEMA, *outbox.SCHEMA)))
        hub = EdgeHub(bus.register("websocket", "hub"), metrics, ledger, stores[0], address, **options)
        linked = Linked(hub, bus, vclock, cloud, metrics, ledger, stores[0])
        await hub.start()
        linked.running = asyncio.create_task(hub.run())
        running.append((linked, linked.running))
        return linked

    yield make
    for linked, task in running:
        linked.bus.close()
        if not task.cancelled():
            await task
    for store in stores:
        await store.close()


@pytest.fixture
async def linked(link: Link) -> Linked:
    """EdgeHub that dials the cloud."""
    return await link()


@pytest.fixture(scope="session")
def document() -> Callable[..., dict[str, Any]]:
    """document(operation="update", ...): what a cloud writes, every key given."""

    def make(operation: str = "update", resource: str = "default/service/x", content: Any = None, **over: Any) -> Any:
        header = {"msg_id": "c-1", "parent_msg_id": "", "timestamp": 1, "resourceversion": "", "sync": False}
        route = {"source": "edgecontroller", "group": "resource", "operation": operation, "resource": resource}
        header.update({key: value for key, value in over.items() if key in header})
        route.update({key: value for key, value in over.items() if key in route})
        return {"header": header, "route": route, "content": content}

    return make


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """await until(condition): for what the other side does in its own time."""

    async def wait(true: Callable[[], object]) -> None:
        while not true():
            await asyncio.sleep(0.001)

    return wait
