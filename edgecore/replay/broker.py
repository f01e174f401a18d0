"""An MQTT broker in memory: the clients of the node publish and subscribe there, and the recorded devices do."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from edgecore.clock import Clock
from edgecore.modules.eventbus import topics
from edgecore.modules.eventbus.client import Arrived
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.outgoing import Publication
from edgecore.recording.entries import MqttDirection
from edgecore.replay.journal import Journal


class MemoryBroker:
    """Takes any client, and acknowledges at once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._clients: list[MemoryClient] = []
        self._echoed: Counter[tuple[str, bytes]] = Counter()

    def make_client(
        self,
        endpoint: Endpoint,
        client_id: str,
        clock: Clock,
        *,
        arrived: Arrived,
        room_again: Callable[[], None],
        malformed: Callable[[str, str], None],
    ) -> "MemoryClient":
        """Return a client of this broker, as ``MqttClient`` is made."""
        return MemoryClient(self, endpoint, client_id, arrived, room_again)

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand out what a device published, unless the node heard it already: it was its own."""
        if left := self._echoed.get((topic, payload), 0):
            self._echoed[topic, payload] = left - 1
            if left == 1:
                del self._echoed[topic, payload]
            return
        self._deliver(topic, payload)

    def take(self, endpoint: Endpoint, publication: Publication) -> None:
        """Take what the node publishes."""
        self._journal.mqtt(MqttDirection.OUT, endpoint.name, publication.topic, publication.payload)
        if takers := self._deliver(publication.topic, publication.payload):
            self._echoed[publication.topic, publication.payload] += takers

    def join(self, client: "MemoryClient") -> None:
        """Hand messages to a client from now on."""
        self._clients.append(client)

    def leave(self, client: "MemoryClient") -> None:
        """Hand it none any more."""
        if client in self._clients:
            self._clients.remove(client)

    def _deliver(self, topic: str, payload: bytes) -> int:
        takers = [client for client in self._clients if client.wants(topic)]
        for client in takers:
            self._journal.mqtt(MqttDirection.IN, client.broker, topic, payload)
            client.arrived(topic, payload)
        return len(takers)


class MemoryClient:
    """One client; what each of its methods does is said at ``MqttClient``."""

    def __init__(
        self,
        broker: MemoryBroker,
        endpoint: Endpoint,
        client_id: str,
        arrived: Arrived,
        room_again: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._endpoint = endpoint
        self._room_again = room_again
        self._filters: dict[str, None] = {}
        self._lost: asyncio.Future[str] | None = None
        self.arrived = arrived
        self.client_id = client_id
        self.refused: dict[str, str] = {}

    @property
    def broker(self) -> str:
        """The name of the broker, as the node's settings have it."""
        return self._endpoint.name

    @property
    def connected(self) -> bool:
        """See ``MqttClient``."""
        return self._lost is not None and not self._lost.done()

    @property
    def inflight(self) -> int:
        """See ``MqttClient``."""
        return 0

    @property
    def room(self) -> bool:
        """See ``MqttClient``."""
        return self.connected

    def wants(self, topic: str) -> bool:
        """Whether it has subscribed that."""
        return any(topics.matches(wanted, topic) for wanted in self._filters)

    async def connect(self) -> None:
        """See ``MqttClient``."""
        self._lost = asyncio.get_running_loop().create_future()
        self._filters.clear()
        self._broker.join(self)
        self._room_again()

    async def lost(self) -> str:
        """See ``MqttClient``."""
        assert self._lost is not None  # noqa: S101 - there was a connect before
        return await asyncio.shield(self._lost)

    def publish(self, publication: Publication) -> str:
        """See ``MqttClient``."""
        self._broker.take(self._endpoint, publication)
        return ""

    def give_up_inflight(self) -> int:
        """See ``MqttClient``."""
        return 0

    def subscribe(self, filters: Sequence[str]) -> None:
        """See ``MqttClient``."""
        self._filters.update(dict.fromkeys(filters))

    def unsubscribe(self, wanted: str) -> None:
        """See ``MqttClient``."""
        self._filters.pop(wanted, None)

    def hold(self, held: bool) -> None:
        """See ``MqttClient``; what has come is at once with the node, which bounds it by itself."""

    async def close(self, deadline: float) -> None:
        """See ``MqttClient``."""
        self.abort()

    def abort(self) -> None:
        """See ``MqttClient``."""
        self._broker.leave(self)
        if self.connected and self._lost is not None:
            self._lost.set_result("the node left")
