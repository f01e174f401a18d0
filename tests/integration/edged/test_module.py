"""Edged registers the node and posts its status, with a real MetaManager and a port in place of EdgeHub."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, response_to
from edgecore.clock import VirtualClock, settle
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.ids import NewId
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.module import KINDS_COUNTED, Edged
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.modules.edgehub.news import CONNECTION_GROUPS, connection_route
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA as META_SCHEMA
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import open_store

HERE = Environment("n", "127.0.0.1")
NODE = "default/nodestatus/n"


class Surroundings:
    """Edged, the MetaManager it asks, and the port of the hub."""

    def __init__(self, bus: Bus, clock: VirtualClock, metrics: Metrics) -> None:
        self.bus = bus
        self.clock = clock
        self.metrics = metrics
        self.hub = bus.register("websocket", "hub")
        self.edged_port = bus.register("edged", "edged")
        identity = NodeIdentity("n", "default", "10.66.0.2", "1.3.1")
        self.facts = HostFacts(2, 1000, "6.1", "Debian", "linux", "amd64")
        self._make = lambda register: Edged(
            self.edged_port,
            MetaClient(self.edged_port, "edged"),
            identity,
            lambda: self.facts,
            runtime=SimulatedRuntime(clock),
            metrics=metrics,
            status_every_s=10,
            register=register,
        )
        self.edged = self._make(True)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, *, register: bool = True) -> None:
        self.edged = self._make(register)
        await self.edged.start()
        self.tasks.append(asyncio.create_task(self.edged.run()))

    async def answer_registration(self, content: Any) -> Message:
        """Take the next request, answer it as the cloud, and return it."""
        request = await self.hub.receive()
        assert self.hub.respond(response_to(request, content, self.bus.new_id, self.clock))
        await settle()
        return request


@pytest.fixture
async def node(tmp_path: Path, vclock: VirtualClock, ids: NewId, metrics: Metrics) -> AsyncIterator[Surroundings]:
    bus = Bus(vclock, ids)
    store = open_store(tmp_path / "edgecore.db", (*META_SCHEMA, *outbox.SCHEMA))
    meta = MetaManager(bus.register("metaManager", "meta"), store, metrics, ledger=Ledger(vclock.monotonic))
    surroundings = Surroundings(bus, vclock, metrics)
    surroundings.tasks.append(asyncio.create_task(meta.run()))
    yield surroundings
    await surroundings.edged.stop()
    await meta.stop()
    bus.close()
    await asyncio.gather(*surroundings.tasks)
    await store.close()


async def test_the_registration_goes_straight_to_the_hub_at_once(node: Surroundings) -> None:
    await node.start()
    request = await node.hub.receive()
    assert request.route == Route("edged", "meta", "insert", NODE)
    assert request.content["metadata"]["labels"]["kubernetes.io/hostname"] == "n"
    assert request.header.sync is True
    assert node.clock.monotonic() == 0


async def test_the_machine_is_looked_at_for_each_status(node: Surroundings) -> None:
    await node.start()
    await node.answer_registration(msgspec.Raw(b'"OK"'))
    node.facts = node.facts._replace(cpus=1, memory_mib=500)
    await node.clock.advance(10)
    status = await node.hub.receive()
    assert status.content["Status"]["capacity"] == {"cpu": "1", "memory": "500Mi", "pods": "110"}


async def test_after_ok_the_status_is_posted_every_period(node: Surroundings) -> None:
    await node.start()
    await node.answer_registration(msgspec.Raw(b'"OK"'))
    assert node.edged.status()["registered"] is True
    for period in (1, 2, 3):
        await node.clock.advance(10)
        status = await node.hub.receive()
        assert status.route == Route("edged", "meta", "update", NODE)
        (condition,) = status.content["Status"]["conditions"]
        assert condition["status"] == "True"
        assert condition["lastHeartbeatTime"] == f"2020-05-09T04:53:{20 + 10 * period}Z"
        await settle()
        assert node.edged.status()["statuses_posted"] == period


async def test_the_period_of_the_status_can_be_changed_while_the_node_runs(node: Surroundings) -> None:
    await node.start()
    await node.answer_registration(msgspec.Raw(b'"OK"'))
    await node.edged.reload(parse("{modules: {edged: {nodeStatusUpdateFrequency: 2}}}", "a", env=HERE).config)
    for period in (1, 2, 3):
        await node.clock.advance(2)
        await node.hub.receive()
        await settle()
        assert node.edged.status()["statuses_posted"] == period


@pytest.mark.parametrize("answer", ["", "Not OK", None, {"code": 500}])
async def test_d1_any_other_answer_is_told_and_asked_again_at_the_next_tick(node: Surroundings, answer: Any) -> None:
    """Go takes no notice of it."""
    await node.start()
    with capture_logs() as logs:
        first = await node.answer_registration(answer)
    assert [entry["event"] for entry in logs] == ["node_not_registered"]
    assert node.edged.status()["error"] == f"cannot register node n: the cloud answered {answer!r}"
    assert node.edged.status()["registered"] is False
    await node.clock.advance(10)
    again = await node.answer_registration("OK")
    assert again.header.id != first.header.id
    assert node.edged.status()["registered"] is True
    assert node.edged.status()["error"] == ""


async def test_without_an_answer_the_node_asks_again_after_the_deadline_and_a_tick(node: Surroundings) -> None:
    await node.start()
    await node.hub.receive()
    await node.clock.advance(60)
    assert node.edged.status()["error"] == "timeout to get response"
    await node.clock.advance(9.9)
    assert node.hub.statistics().depth == 0
    await node.clock.advance(0.1)
    await node.answer_registration("OK")
    assert node.edged.status()["registered"] is True


async def test_a_node_that_shall_not_register_posts_its_status_at_once(node: Surroundings) -> None:
    await node.start(register=False)
    assert (await node.hub.receive()).route == Route("edged", "meta", "update", NODE)


async def test_the_mailbox_is_emptied(node: Surroundings) -> None:
    await node.start()
    for number in range(2000):
        await node.hub.send("edged", Message(Header("m"), Route("", "", "insert", f"default/pod/{number}"), {}))
    await settle()
    assert node.edged_port.statistics().depth == 0
    assert node.edged.status()["messages"] == {"insert pod": 2000}


@pytest.mark.parametrize(
    "operation", ["createvolume", "deletevolume", "controllerpublishvolume", "controllerunpublishvolume"]
)
async def test_a_volume_operation_is_refused_at_once_for_there_is_no_csi_driver(
    node: Surroundings, operation: str
) -> None:
    """Through MetaManager, to the cloud and back. Go's edged says nothing of a failure."""
    await node.start()
    await node.hub.receive()  # the registration
    request = node.hub.build(Route("edgecontroller", "resource", operation, "default/volume/v"), "{}")
    await node.hub.send_to_group("meta", request)
    answer = await node.hub.receive()
    assert answer.route == Route("metaManager", "resource", "error", "default/volume/v")
    assert answer.header.parent_id == request.header.id
    assert answer.content == f"cannot {operation} default/volume/v: node n has no CSI driver"
    assert node.metrics.bad_input_counts == {("edged", "no_csi_driver"): 1}
    assert node.edged.status()["messages"] == {f"{operation} volume": 1}
    assert node.clock.monotonic() == 0


async def test_a_volume_operation_for_which_nobody_waits_is_only_counted(node: Surroundings) -> None:
    await node.start()
    await node.hub.receive()
    await node.hub.send("edged", node.hub.build(Route("nobody", "", "createvolume", "default/volume/v")))
    await settle()
    assert node.metrics.bad_input_counts == {("edged", "no_csi_driver"): 1}
    assert node.edged_port.statistics().dropped == {}


async def test_kinds_that_a_peer_invents_are_counted_together(node: Surroundings) -> None:
    await node.start()
    for number in range(500):
        await node.hub.send("edged", Message(Header("m"), Route("", "", "insert", f"default/kind{number}/x"), {}))
    for resource in ("x" * 10_000, f"default/{'y' * 10_000}/x"):
        await node.hub.send("edged", Message(Header("m"), Route("", "", "z" * 10_000, resource), {}))
    await settle()
    messages = node.edged.status()["messages"]
    assert len(messages) == KINDS_COUNTED + 1
    assert sum(messages.values()) == 502
    assert max(map(len, messages)) < 100


async def test_without_metamanager_the_module_goes_on(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> None:
    node = Surroundings(Bus(vclock, ids), vclock, metrics)
    await node.start(register=False)
    await settle()
    assert node.edged.status()["error"] == "bad request module name(metaManager)"
    await vclock.advance(10)
    assert not node.tasks[0].done()
    node.bus.close()
    await asyncio.gather(*node.tasks)


async def test_news_of_the_link_find_metamanager_ready_to_ask_the_cloud(node: Surroundings) -> None:
    """Both get them one after the other, and Edged asks at once."""
    await node.start(register=False)
    pod = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {"containers": [{"name": "c"}], "imagePullSecrets": [{"name": "s"}]},
    }
    await node.hub.send("edged", Message(Header("m"), Route("", "", "insert", "default/pod/p"), pod))
    await settle()
    for group in (group for group in CONNECTION_GROUPS if node.hub.has_group(group)):
        await node.hub.send_to_group(group, Message(Header(""), connection_route(group), "cloud_connected"))
    await settle()
    sent = [await node.hub.receive() for _ in range(node.hub.statistics().depth)]
    assert Route("edged", "meta", "query", "default/secret/s") in [message.route for message in sent]
