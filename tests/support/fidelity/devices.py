"""The devices of a recording: what they published, brought into a node as EventBus does, and what it publishes."""

from typing import NamedTuple

from paho.mqtt.client import topic_matches_sub

from edgecore.beehive import resource as r
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.modules.eventbus.topics import subscribed, taken_in


class Published(NamedTuple):
    """A message that the node publishes."""

    topic: str
    payload: bytes


class Devices:
    """Stands in for the module ``eventbus``: there is no broker where time is virtual."""

    def __init__(self, bus: Bus) -> None:
        self._port = bus.register(r.EVENTBUS, r.GROUP_BUS)

    async def publish(self, topic: str, payload: str) -> None:
        """Bring in what a device publishes, if the node subscribes to it."""
        if not any(topic_matches_sub(wanted, topic) for wanted in subscribed("1.3")):
            return
        group, operation, resource = taken_in(topic, "1.3")
        message = self._port.build(Route(r.BUS, r.GROUP_USER, operation, resource), payload)
        await self._port.send_to_group(group, message)

    async def take(self) -> list[Published]:
        """Return what the node has published since it was asked last."""
        found = []
        for _ in range(self._port.statistics().depth):
            message = await self._port.receive()
            if message.route.source == r.TWIN:
                content = message.content
                found.append(
                    Published(message.route.resource, content if isinstance(content, bytes) else str(content).encode())
                )
        return found
