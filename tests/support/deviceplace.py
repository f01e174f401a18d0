"""A whole node as a program, with a real broker on which somebody hears all, and a part cloud."""

import asyncio
from typing import Any

from devicecloud import DeviceCloud
from mosquitto import Mosquitto, Recorder

PATIENCE_S = 20.0


class Place:
    """What a test of devices is played in; see the fixture ``place`` of ``tests/e2e``."""

    def __init__(self, programs: Any, broker: Mosquitto, cloud: DeviceCloud, recorder: Recorder, name: str) -> None:
        self._programs = programs
        self._name = name
        self.broker = broker
        self.cloud = cloud
        self.recorder = recorder
        self.node: Any = None

    async def start(self, **settings: Any) -> None:
        """Start the node, on the same files each time; return once it is linked with broker and cloud."""
        await self.start_alone(**settings)
        await self.linked()

    async def start_alone(self, **settings: Any) -> None:
        """Start the node, and return once it has its broker."""
        wanted = {
            "eventBus__enable": True,
            "eventBus__mqttServerExternal": self.broker.url,
            "deviceTwin__enable": True,
            "edgeHub__websocket__server": self.cloud.url,
            **settings,
        }
        self.node = self._programs.node(self._name, **wanted)
        await self.status("brokers", brokers_are_there)

    async def linked(self) -> None:
        """Return once the link to the cloud is up, and DeviceTwin knows."""
        await self.status("link", lambda status: status["parts"]["twin"]["connected"])

    async def status(self, what: str, holds: Any) -> Any:
        """Return what ``holds`` makes of the status of the node, once that is true."""
        return await asyncio.to_thread(self.node.wait_for, what, holds)

    async def publish(self, topic: str, payload: str | bytes, qos: int = 0) -> None:
        """Publish as a device does."""
        await asyncio.to_thread(self.recorder.publish, topic, payload, qos)

    async def heard(self, number: int, what: str) -> None:
        """Return once so many messages have passed the broker."""
        await until(lambda: len(self.recorder.seen) >= number, what)


async def until(holds: Any, what: str) -> Any:
    """Return what ``holds()`` returns, once that is true; a failure says ``what`` was waited for."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not (found := holds()):
        assert asyncio.get_running_loop().time() < deadline, f"it did not come: {what}"
        await asyncio.sleep(0.005)
    return found


def brokers_are_there(status: dict[str, Any]) -> bool:
    """Whether EventBus is connected with all its clients."""
    brokers = status["parts"].get("eventbus", {}).get("brokers", {})
    return bool(brokers) and all(all(one["connected"].values()) for one in brokers.values())
