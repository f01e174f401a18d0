"""What devices report without a link: EdgeHub and DeviceTwin together bring it to the cloud, once and in order."""

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any

from edgecore.beehive.message import Route
from edgecore.modules.devicetwin.module import DeviceTwin
from edgecore.modules.devicetwin.tables import SCHEMA
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Statement

TOPIC = urlsafe_b64encode(b"$hw/events/device/sensor/twin/update").decode()
ADDED = {"added_devices": [{"id": "sensor"}]}


class Devices:
    """DeviceTwin beside an EdgeHub, with a device ``sensor``; the test is EventBus."""

    def __init__(self, linked: Any) -> None:
        self.store = linked.store
        self.broker = linked.bus.register("eventbus", "bus")
        self.twin = DeviceTwin(linked.bus.register("twin", "twin"), linked.store, Metrics(), node="n", resends=3)
        self.running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.store.write(*map(Statement, SCHEMA))
        await self.twin.start()
        self.running = asyncio.create_task(self.twin.run())
        route = Route("devicecontroller", "twin", "update", "membership")
        await self.broker.send_to_group("twin", self.broker.build(route, ADDED))

    async def report(self, value: int) -> None:
        """Have the device report, and wait for the answer."""
        update = {"event_id": str(value), "twin": {"temp": {"actual": {"value": str(value)}}}}
        route = Route("bus", "user", "response", TOPIC)
        await self.broker.send_to_group("twin", self.broker.build(route, json.dumps(update)))
        while True:
            message = await self.broker.receive()
            if message.route.resource.endswith("twin/update/result"):
                return


async def reports(session: Any, number: int) -> list[str]:
    """Return the values of the next reports that the cloud gets."""
    values: list[str] = []
    while len(values) < number:
        frame = await session.frame()
        if frame["route"]["resource"] == "device/sensor/twin/edge_updated":
            values.append(frame["content"]["twin"]["temp"]["actual"]["value"])
    return values


async def test_reports_made_without_a_link_reach_the_cloud_after_it_once_and_in_order(linked: Any, until: Any) -> None:
    devices = Devices(linked)
    await devices.start()
    session = await linked.session()
    await devices.report(0)
    assert await reports(session, 1) == ["0"]
    await linked.clock.advance(3)
    await until(lambda: not outbox.kept(linked.store))
    session.vanish()
    await linked.lost()
    for value in range(1, 30):
        await devices.report(value)
    assert len(outbox.kept(linked.store)) == 29
    await linked.clock.advance(60)
    session = await linked.session()
    assert await reports(session, 29) == [str(value) for value in range(1, 30)]
    await linked.clock.advance(3)
    await until(lambda: not outbox.kept(linked.store))
    await devices.twin.stop()


async def test_reports_made_without_a_link_reach_the_cloud_after_a_restart(link: Any, until: Any) -> None:
    first = await link()
    (await first.session()).vanish()
    await first.lost()
    devices = Devices(first)
    await devices.start()
    for value in range(10):
        await devices.report(value)
    await devices.twin.stop()
    await first.hub.stop()
    first.bus.close()
    assert devices.running is not None
    await devices.running
    second = await link()
    assert await reports(await second.session(), 10) == [str(value) for value in range(10)]
    await second.clock.advance(3)
    await until(lambda: not outbox.kept(second.store))


async def test_a_report_that_is_on_disk_is_not_written_once_more_on_its_way(linked: Any) -> None:
    devices = Devices(linked)
    await devices.start()
    session = await linked.session()
    await devices.report(0)
    assert await reports(session, 1) == ["0"]
    before = linked.store.statistics().writes

    for value in range(1, 6):
        await devices.report(value)

    assert await reports(session, 5) == [str(value) for value in range(1, 6)]
    assert linked.store.statistics().writes - before == 5
    await devices.twin.stop()
