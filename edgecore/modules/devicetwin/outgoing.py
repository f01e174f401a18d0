"""What DeviceTwin says: to EventBus for MQTT, and to the cloud, again where that does not confirm it."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.gojson import marshal
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.errors import BusClosed, BusError
from edgecore.modules.devicetwin.decision import Publish, Report, Word
from edgecore.modules.devicetwin.reports import Reports
from edgecore.store import outbox
from edgecore.store.store import Statement

log = structlog.get_logger("devicetwin")

_DETAIL_ROUTE = Route(r.TWIN, r.GROUP_RESOURCE, r.GET, "membership/detail")


class Said(NamedTuple):
    """A word as the message that carries it."""

    message: Message
    says: frozenset[str] | None
    """Of a report; ``None``: it is for MQTT."""


class Outgoing:
    """The way out of the module."""

    def __init__(self, port: Port, node: str, resends: int, *, has_cloud: bool, cloud_confirms: bool) -> None:
        self._port = port
        self._node = node
        self._has_cloud = has_cloud
        """Also while EdgeHub is off the bus: what is kept for it leaves when it is there again."""
        self._cloud_confirms = cloud_confirms
        self._reports = Reports(resends)
        self._stirred = asyncio.Event()
        """There may be something to send again some day."""
        self.connected = False
        self.published = self.reported = self.lost = 0

    def ready(self, words: Iterable[Word]) -> tuple[Said, ...]:
        """Return ``words`` as messages. What has nobody to hear it is left out.

        Raises ``TypeError``, ``ValueError`` or ``OverflowError`` where a word is no JSON.
        """
        return tuple(self._ready(words))

    def _ready(self, words: Iterable[Word]) -> Iterator[Said]:
        mqtt, cloud = self._port.has_group(r.GROUP_BUS), self._has_cloud
        for word in words:
            match word:
                case Publish(topic, payload) if mqtt:
                    route = Route(r.TWIN, r.GROUP_BUS, r.PUBLISH, topic)
                    yield Said(self._port.build(route, marshal(payload)), None)
                case Report(resource, content, says, as_text) if cloud:
                    route = Route(r.TWIN, r.GROUP_RESOURCE, r.UPDATE, resource)
                    text = marshal(content)
                    yield Said(self._port.build(route, text.decode() if as_text else content), says)

    def rows(self, said: Iterable[Said]) -> Iterator[Statement]:
        """Yield the statements by which reports outlive the process; to be committed with what they tell of."""
        return (outbox.keep(one.message) for one in said if one.says is not None)

    async def say(self, said: Iterable[Said]) -> None:
        """Send what is ready. Raises ``BusClosed``."""
        for one in said:
            if one.says is None:
                self.published += 1
                await self._send(r.GROUP_BUS, one.message)
            else:
                self.reported += 1
                self._remember(one.message, one.says)
                while not await self._send(r.GROUP_HUB, one.message):
                    pass  # each try has waited; were it left on disk, it would come after later ones, one day

    def gone(self, device_id: str) -> None:
        """A device left the node."""
        self._reports.device_gone(device_id)

    def confirmed(self, message_id: str) -> bool:
        """The cloud answered a message; return whether it was a report of ours."""
        return self._reports.confirm(message_id, self._now())

    async def linked(self, connected: bool) -> None:
        """The link came up, or went down. Raises ``BusClosed``."""
        came_up = connected and not self.connected
        self.connected = connected
        self._reports.linked(connected, self._now())
        self._stirred.set()
        if came_up:
            question = self._port.build(_DETAIL_ROUTE, self._detail_question())
            self._remember(question, frozenset(("detail",)))
            await self._send(r.GROUP_HUB, question)

    async def resend_forever(self) -> None:
        """Send again what is not confirmed, when it is due. Raises ``BusClosed``."""
        while True:
            await self._stirred.wait()
            due_at = self._reports.due_at()
            if due_at is None:
                self._stirred.clear()
            elif due_at > self._now():
                await self._port.clock.sleep(due_at - self._now())
            else:
                await self._resend()

    def status(self) -> dict[str, Any]:
        """Return what went out, and what of it the cloud has not confirmed."""
        reports = self._reports
        return {
            "published": self.published,
            "reported": self.reported,
            "not_delivered": self.lost,
            "unconfirmed": len(reports),
            "confirmed": reports.confirmed,
            "resent": reports.resent,
            "forgotten": dict(reports.forgotten),
        }

    async def _resend(self) -> None:
        due = self._reports.round(self._now())
        for message in due.again:
            await self._send(r.GROUP_HUB, message)
        if due.again:
            log.info("reports_sent_again", reports=len(due.again))
        for resource, number in _by_resource(due.given_up).items():
            is_trouble = self._cloud_confirms and resource != _DETAIL_ROUTE.resource
            say = log.warning if is_trouble else log.info
            say(
                "report_given_up",
                resource=resource,
                reports=number,
                reason="not_confirmed",
                hint="a cloud before KubeEdge 1.4 confirms no report; it was delivered",
            )

    def _remember(self, message: Message, says: frozenset[str]) -> None:
        self._reports.sent(message, says, self._now())
        self._stirred.set()

    async def _send(self, group: str, message: Message) -> bool:
        """Return whether there was room for ``message``, or nobody who could take it. Raises ``BusClosed``."""
        try:
            await self._port.send_to_group(group, message)
        except BusClosed:
            raise
        except BusError as error:
            self.lost += 1
            log.error("word_not_delivered", group=group, resource=message.route.resource, error=str(error))
            return False
        return True

    def _detail_question(self) -> str:
        asked = {
            "event_type": "group_membership_event",
            "event_id": "123",
            "group_id": self._node,
            "operation": "detail",
            "timestamp": self._port.clock.now_ms(),
        }
        return marshal(asked).decode()

    def _now(self) -> float:
        return self._port.clock.monotonic()


def _by_resource(messages: Iterable[Message]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for message in messages:
        counted[message.route.resource] = counted.get(message.route.resource, 0) + 1
    return counted
