"""DeviceTwin with a real bus and a real file, and ports in place of the modules around it."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route, content_json
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock
from edgecore.ids import NewId
from edgecore.modules.devicetwin.module import DeviceTwin
from edgecore.modules.devicetwin.tables import SCHEMA
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Store, open_store

NODE = "edge-node1"
REFUSAL = (
    (
        "CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON device_twin WHEN new.name LIKE 'refused%' "
        "BEGIN SELECT raise(ABORT, 'refused by the test'); END"
    ),
    (
        "CREATE TRIGGER IF NOT EXISTS refuse_device BEFORE INSERT ON device WHEN new.id LIKE 'refused%' "
        "BEGIN SELECT raise(ABORT, 'refused by the test'); END"
    ),
)


class Heard(NamedTuple):
    """One thing that DeviceTwin said."""

    place: str
    """The topic, or the resource for the cloud."""
    payload: Any
    text: str


class Surroundings:
    """What DeviceTwin sees. A twin ``refused*`` cannot be stored, nor a device of such an id."""

    def __init__(self, path: Path, clock: VirtualClock, ids: NewId, metrics: Metrics, resends: int) -> None:
        self.clock = clock
        self.metrics = metrics
        self.store: Store = open_store(path, (*SCHEMA, *outbox.SCHEMA, *REFUSAL))
        self.bus = Bus(clock, ids, capacity=4096)
        self.hub = self.bus.register("websocket", "hub")
        self.broker = self.bus.register("eventbus", "bus")
        self.twin = DeviceTwin(self.bus.register("twin", "twin"), self.store, metrics, node=NODE, resends=resends)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.twin.start()
        self._running = asyncio.create_task(self.twin.run())

    async def crashed(self) -> None:
        """Return once the module has ended with an error, and run it again."""
        assert self._running is not None
        await asyncio.wait({self._running})
        assert self._running.exception() is not None
        self._running = asyncio.create_task(self.twin.run())

    async def stop(self) -> None:
        await self.twin.stop()
        self.bus.close()
        if self._running is not None:
            await self._running
        await self.store.close()

    async def mqtt(self, topic: str, payload: Any) -> None:
        """Hand over what came over MQTT, as EventBus does; a text goes as it is."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        resource = urlsafe_b64encode(topic.encode()).decode()
        await self.broker.send_to_group("twin", self.broker.build(Route("bus", "user", "response", resource), text))

    async def device(self, device_id: str, action: str, payload: Any) -> None:
        """Hand over what a device sent."""
        await self.mqtt(f"$hw/events/device/{device_id}/{action}", payload)

    async def cloud(self, resource: str, content: Any, *, parent: str = "", operation: str = "update") -> Message:
        """Hand over a message of the cloud, as EdgeHub does."""
        message = self.hub.build(Route("devicecontroller", "twin", operation, resource), content, parent)
        await self.hub.send_to_group("twin", message)
        return message

    async def add(self, device_id: str, **twins: Any) -> None:
        """Have the cloud add a device, and pass over what is said because of it."""
        told = {"id": device_id, "name": device_id, "description": "a device", "twin": twins or None}
        await self.cloud("membership", {"event_id": "m", "timestamp": 1, "added_devices": [told]})
        while not (await self.published()).place.endswith("membership/updated"):
            pass

    async def link(self, news: str = "cloud_connected") -> None:
        """Bring the news of the link."""
        route = Route("edgehub", "twin", "publish", "node/connection")
        await self.hub.send_to_group("twin", self.hub.build(route, news))

    async def published(self) -> Heard:
        """Return the next message for MQTT."""
        message = await self._next(self.broker)
        assert message.route == Route("twin", "bus", "publish", message.route.resource)
        assert isinstance(message.content, bytes)
        text = message.content.decode()
        return Heard(message.route.resource, json.loads(text), text)

    async def publications(self, number: int) -> list[Heard]:
        return [await self.published() for _ in range(number)]

    async def reported(self) -> Message:
        """Return the next message for the cloud."""
        return await self._next(self.hub)

    async def quiet(self) -> bool:
        """Let all that was handed over be done; return whether nothing is left that was said."""
        await self.mqtt(f"$hw/events/node/{NODE}/membership/get", {"event_id": "end"})
        while (heard := await self.published()).payload.get("event_id") == "":
            pass
        return heard.payload["event_id"] == "end" and not self.hub.statistics().depth

    def count(self, reason: str) -> int:
        """Return how often input was refused for a reason."""
        return self.metrics.bad_input_counts.get(("twin", reason), 0)

    async def _next(self, port: Port) -> Message:
        return await asyncio.wait_for(port.receive(), 10)


def said(message: Message) -> Any:
    """Return the content of a message for the cloud."""
    content = json.loads(content_json(message))
    return json.loads(content) if isinstance(content, str) else content


@pytest.fixture
def content_of() -> Callable[[Message], Any]:
    return said


@pytest.fixture
async def open_node(
    tmp_path: Path, vclock: VirtualClock, ids: NewId, metrics: Metrics
) -> AsyncIterator[Callable[..., Awaitable[Surroundings]]]:
    """A function that starts DeviceTwin on the same file; the one before it has to be stopped."""
    begun: list[Surroundings] = []

    async def begin(resends: int = 3) -> Surroundings:
        one = Surroundings(tmp_path / "edgecore.db", vclock, ids, metrics if not begun else Metrics(), resends)
        begun.append(one)
        await one.start()
        return one

    yield begin
    for one in begun:
        await one.stop()


@pytest.fixture
async def node(open_node: Callable[..., Awaitable[Surroundings]]) -> Surroundings:
    return await open_node()
