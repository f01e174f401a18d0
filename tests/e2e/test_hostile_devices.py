"""Whatever devices and cloud say to a whole node: the documented error, and nothing else changes."""

import asyncio
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from devicecloud import DeviceCloud
from deviceplace import brokers_are_there, until
from edgecore.app import Node
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.observe.logs import configure_logging
from hostile import SAID, TOLD, TOLD_EVENT_BUS, TWINS, Said, Told
from mosquitto import Mosquitto, Recorder, Seen

pytestmark = pytest.mark.needs_mosquitto

NODE = "edge-node1"
ANSWERS = (
    "$hw/events/device/+/twin/update/+",
    "$hw/events/device/+/twin/get/result",
    "$hw/events/device/+/state/update/result",
    "$hw/events/device/+/updated",
    "$hw/events/node/+/membership/updated",
    "$hw/events/node/+/membership/get/result",
    "probe",
)
TABLES = ("device", "device_attr", "device_twin", "meta", "sub_topics")
LASTING = "SELECT * FROM {} WHERE key NOT LIKE '%status%'"
"""The status of the node is written at its own pace."""


class Site:
    """A node in this process between a broker and a cloud, run by ``runner`` for as long as something is awaited."""

    def __init__(
        self, runner: asyncio.Runner, node: Node, cloud: DeviceCloud, recorder: Recorder, log: StringIO
    ) -> None:
        self.runner = runner
        self.node = node
        self.cloud = cloud
        self.recorder = recorder
        self._log = log
        self._fences = 0

    def state(self) -> Any:
        """Return all that is known of all devices, in memory and on disk."""
        assert self.node.devices is not None
        assert self.node.store is not None
        known = [self.node.devices.device(one["id"]) for one in self.node.devices.devices()]
        rows = self.node.store.rows
        return known, [rows((LASTING if table == "meta" else "SELECT * FROM {}").format(table)) for table in TABLES]

    def counts(self) -> dict[tuple[str, str], int]:
        return dict(self.node.metrics.bad_input_counts)

    def counted_since(self, before: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        return {key: number - before.get(key, 0) for key, number in self.counts().items() if number != before.get(key)}

    def answers_to(self, said: Said) -> list[Seen]:
        """Publish, and return all that the node published until it has answered what came behind."""
        self._fences += 1
        fence = f"fence-{self._fences}"
        begin = len(self.recorder.seen)
        self.recorder.publish(said.topic, said.payload, 0)
        self.recorder.publish(f"$hw/events/node/{NODE}/membership/get", json.dumps({"event_id": fence}), 0)
        self.runner.run(
            until(lambda: fence.encode() in b"".join(one.payload for one in self.recorder.seen[-1:]), fence)
        )
        return self.recorder.seen[begin:-1]

    def answers_to_cloud(self, told: Told) -> list[Seen]:
        """Have the cloud say it; return what was published until a stale wish behind it was answered."""
        begin, reports = len(self.recorder.seen), len(self.cloud.reports)
        stale = {"mark": {"expected": {"value": "1"}, "expected_version": {"cloud": 1, "edge": 0}}}

        async def tell() -> None:
            await self.cloud.tell(told.resource, told.content, operation=told.operation)
            await self.cloud.tell("device/fence/twin/cloud_updated", {"twin": stale})
            await until(lambda: len(self.cloud.reports) > reports, "the answer of the fence")

        self.runner.run(tell())
        assert [one.resource for one in self.cloud.reports[reports:]] == ["device/fence/twin/edge_updated"]
        return self.recorder.seen[begin:]

    def passed_event_bus(self, told: Told) -> list[Seen]:
        """Have the cloud say it to EventBus; return what was published before what it says next."""
        self._fences += 1
        begin, mark = len(self.recorder.seen), f"mark-{self._fences}"

        async def tell() -> None:
            await self.cloud.tell(told.resource, told.content, group="user", operation=told.operation)
            await self.cloud.tell("probe", mark, group="user", operation="publish")
            await until(lambda: [one for one in self.recorder.seen[begin:] if one.payload == mark.encode()], mark)

        self.runner.run(tell())
        return self.recorder.seen[begin:-1]

    def is_well(self) -> None:
        """Fail if a module has failed meanwhile."""
        states = self.node.runner.states().values()
        assert {(one["state"], one["restarts"]) for one in states} == {("running", 0)}
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        assert [line for line in lines if line["level"] == "error"] == []


def wish(value: str, kind: str, cloud: int = 100) -> dict[str, Any]:
    version = {"cloud": cloud, "edge": 0}
    return {"expected": {"value": value}, "optional": False, "metadata": {"type": kind}, "expected_version": version}


def devices() -> list[dict[str, Any]]:
    values = {"int": "20", "float": "1.5", "boolean": "true", "string": "ON"}
    twins = {name: wish(values[kind], kind) for name, kind in TWINS.items()}
    attributes = {"serial": {"value": "7", "metadata": {"type": "string"}}}
    return [
        {"id": "sensor", "name": "sensor", "description": "d", "twin": twins, "attributes": attributes},
        {"id": "other", "name": "other", "twin": twins},
        {"id": "fence", "name": "fence", "twin": {"mark": wish("1", "string")}},
    ]


@pytest.fixture
def site(config_text: Callable[..., str], tmp_path: Path, mosquitto_at: Callable[..., Mosquitto]) -> Iterator[Site]:
    broker = mosquitto_at(lines=["set_tcp_nodelay true"])  # one example after the other: each waits for the other side
    log = StringIO()
    configure_logging("info", "json", log)
    with asyncio.Runner() as runner, Recorder(broker, *ANSWERS, qos=1) as recorder:
        cloud = DeviceCloud()
        runner.run(cloud.__aenter__())
        settings = {"eventBus__enable": True, "eventBus__mqttServerExternal": broker.url, "deviceTwin__enable": True}
        text = config_text(tmp_path, cloud.url, NODE, **settings)
        node = runner.run(started(text, cloud))
        site = Site(runner, node, cloud, recorder, log)
        told = "$hw/events/node/edge-node1/membership/updated"
        runner.run(until(lambda: recorder.topics.count(told) == len(devices()), "the devices"))
        yield site
        runner.run(node.stop())
        runner.run(cloud.__aexit__(None, None, None))


async def started(text: str, cloud: DeviceCloud) -> Node:
    """Return a node that is linked with cloud and broker, and has the devices."""
    node = Node(parse(text, "the test", env=Environment(NODE, "127.0.0.1")))
    await node.start()
    await until(lambda: brokers_are_there({"parts": node.runner.statuses()}), "the broker")
    await until(lambda: cloud.connected, "the link")
    await cloud.tell("membership", {"added_devices": devices()})
    return node


def test_what_should_not_be_said_on_mqtt_gets_its_error_and_changes_nothing(site: Site) -> None:
    before = site.state()

    @given(SAID)
    def says(said: Said) -> None:
        counts, reports = site.counts(), len(site.cloud.reports)
        answers = site.answers_to(said)
        wanted = said.refusal
        if wanted.topic:
            (answer,) = answers
            document = json.loads(answer.payload)
            assert (answer.topic, answer.qos, answer.retain) == (wanted.topic, 1, False)
            assert (document["code"], document["event_id"]) == (wanted.code, wanted.event_id)
            assert document["reason"].startswith(wanted.reason)
            assert document.keys() == {"event_id", "timestamp", "code", "reason"}
            assert site.counted_since(counts) == {}
        else:
            assert answers == []
            assert site.counted_since(counts) == {("twin", wanted.reason): 1}
        assert site.state() == before
        assert len(site.cloud.reports) == reports

    says()
    site.is_well()


def test_what_a_cloud_should_not_say_of_devices_is_counted_and_changes_nothing(site: Site) -> None:
    before = site.state()

    @given(TOLD)
    def tells(told: Told) -> None:
        counts = site.counts()
        assert site.answers_to_cloud(told) == []
        assert site.counted_since(counts) == {("twin", told.reason): 1}
        assert site.state() == before

    tells()
    site.is_well()


def test_what_cannot_be_published_is_counted_and_what_comes_behind_it_is_published(site: Site) -> None:
    """V1 and V2: each of these ends the Go module."""
    before = site.state()

    @given(TOLD_EVENT_BUS)
    def tells(told: Told) -> None:
        counts = site.counts()
        assert site.passed_event_bus(told) == []
        ((module, _), number) = next(iter(site.counted_since(counts).items()))
        assert (module, number) == ("eventbus", 1)
        assert site.state() == before

    tells()
    site.is_well()
