"""A whole node in this process that records everything: each thing that passes it, and what it knows at the end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dnslib import DNSRecord
from structlog.testing import capture_logs

from edgecore.app import Node
from edgecore.beehive.message import Route
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.recording.entries import (
    BusMessage,
    Commit,
    DnsExchange,
    Entry,
    MqttMessage,
    ProxiedRequest,
    SessionHead,
    Snapshot,
)
from edgecore.recording.kinds import ALL
from edgecore.recording.reader import read_entries
from edgecore.recording.recorder.desk import Wish

NAME = "web.default.svc.cluster.local"
TOPIC = "$hw/events/device/sensor/state/update"
PATIENCE_S = 20.0

OneT = TypeVar("OneT", bound=Entry)


def settings(directory: Path) -> str:
    modules = {
        "eventBus": {"mqttServerExternal": "tcp://127.0.0.1:9"},
        "edgeHub": {"websocket": {"server": "ws://127.0.0.1:9"}},
        "edged": {"hostnameOverride": "edge-1", "registerNode": False},
        "edgeMesh": {
            "rootlessSubNet": "127.221.0.0/16",
            "dns": {"upstreams": ["127.0.0.1:9"], "listen": ["127.0.0.1:0"]},
        },
    }
    return json.dumps({"database": {"dataSource": str(directory / "edgecore.db")}, "modules": modules})


def service(port: int) -> dict[str, Any]:
    spec = {"ports": [{"name": "http", "port": port, "targetPort": port}], "selector": {"app": "web"}}
    return {"metadata": {"namespace": "default", "name": "web"}, "spec": spec}


def pod(port: int) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": "web-0", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": port, "hostPort": port}]}]},
        "status": {
            "phase": "Running",
            "hostIP": "127.0.0.1",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


class Rig:
    """A node that records, what passes it, and what it wrote down."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "session.jsonl"
        loaded = parse(settings(directory), "edgecore.yaml", env=Environment("edge-1", "127.0.0.1"))
        self.node = Node(loaded, record=Wish(self.path, ALL))
        self._cloud = self.node.bus.register("cloud", "cloud")
        self._entries: list[Entry] = []

    async def says(self, resource: str, content: Any) -> str:
        """Have MetaManager hear it as from the cloud; return the id of the message."""
        message = self._cloud.build(Route("edgecontroller", "resource", "insert", resource), content)
        await self._cloud.send("metaManager", message)
        return message.header.id

    async def until(self, what: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := what()):
                await asyncio.sleep(0.005)
        return found

    @property
    def services(self) -> list[dict[str, Any]]:
        assert self.node.mesh is not None
        return list(self.node.mesh.module.view().every())

    async def stop(self) -> None:
        with capture_logs():
            await self.node.stop()

    def entries(self, kind: type[OneT]) -> list[OneT]:
        """Return those of a kind, once the node has stopped."""
        self._entries = self._entries or list(read_entries(self.path))
        return [entry for entry in self._entries if isinstance(entry, kind)]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    with capture_logs():
        await rig.node.start()
    yield rig
    await rig.stop()


@pytest.fixture
async def backend() -> AsyncIterator[int]:
    """The port of a web server that answers once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def asked(address: tuple[str, int], name: str) -> bytes:
    """Ask for a name by TCP; return the reply."""
    reader, writer = await asyncio.open_connection(*address)
    packet = bytes(DNSRecord.question(name).pack())
    writer.write(len(packet).to_bytes(2, "big") + packet)
    reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    writer.close()
    return reply


async def fetched(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"GET /shop?a=1 HTTP/1.1\r\nHost: web\r\nAuthorization: Bearer of-the-canary\r\n\r\n")
    answer = await reader.readuntil(b"\r\n\r\nok")
    writer.close()
    return answer


async def test_a_session_has_what_passed_and_what_came_of_it(rig: Rig, backend: int) -> None:
    said = await rig.says("default/service/web", service(backend))
    await rig.says("default/podlist/web", [pod(backend)])
    await rig.until(lambda: rig.services and rig.services[0]["backends"]["in"] and rig.services[0]["fake_ip"])
    await rig.until(lambda: rig.services[0]["ports"][0]["state"] == "listening")
    fake_ip = rig.services[0]["fake_ip"]
    assert rig.node.mesh is not None
    reply = await asked(rig.node.mesh.dns.addresses[0], NAME)
    assert (await fetched(fake_ip, backend)).startswith(b"HTTP/1.1 200 OK")
    await rig.until(lambda: rig.services[0]["requests"])
    eventbus: Any = next(module for module in rig.node.runner.modules if module.name == "eventbus")
    eventbus.arrived("external", TOPIC, b'{"state":"online"}')
    await rig.until(lambda: eventbus.status()["messages"].get("taken_in"))
    await rig.stop()

    (head,) = rig.entries(SessionHead)
    assert head.kinds[:-1] == ALL

    (exchange,) = rig.entries(DnsExchange)
    assert (exchange.transport, exchange.answer) == ("tcp", reply)

    (request,) = rig.entries(ProxiedRequest)
    assert (request.service, request.status, request.handling) == (f"default/web:{backend}", 200, "http")
    assert request.backend == f"web-0 127.0.0.1:{backend}"
    assert request.head.startswith("GET /shop?a=1 HTTP/1.1\r\n")
    assert "of-the-canary" not in rig.path.read_text()

    (message,) = rig.entries(MqttMessage)
    assert (message.topic, message.payload, message.broker) == (TOPIC, b'{"state":"online"}', "external")
    of_bus = {json.loads(one.text)["header"]["msg_id"]: one for one in reversed(rig.entries(BusMessage))}
    assert message.n in of_bus[message.message_id].causes

    stored = [one for one in rig.entries(Commit) if any("default/service/web" in write.params for write in one.writes)]
    assert of_bus[said].n in stored[0].causes

    (snapshot,) = rig.entries(Snapshot)
    state = snapshot.state
    assert {"default/service/web", "default/podlist/web"} <= {row["key"] for row in state["rows"]}
    (web,) = state["services"]
    assert (web["name"], web["fake_ip"]) == ("web", fake_ip)
    assert [(one["pod"], one["state"]) for one in web["ports"][0]["backends"]] == [("web-0", "in")]
    assert state["dns"]["web.default"]["answer"] == [f"web.default. 64 A {fake_ip}"]
    assert state["devices"] == []


async def test_a_node_that_is_stopped_at_work_records_what_that_came_to(rig: Rig) -> None:
    keys = {f"default/configmap/c{number}" for number in range(200)}
    for key in sorted(keys):
        await rig.says(key, {"metadata": {"namespace": "default", "name": key.rpartition("/")[2]}, "data": {}})
    await rig.stop()

    (snapshot,) = rig.entries(Snapshot)
    assert {row["key"] for row in snapshot.state["rows"]} >= keys
    said = [one.n for one in rig.entries(BusMessage) if any(key in one.text for key in keys)]
    assert snapshot.n > max(said)


async def test_what_was_asked_by_name_is_answered_once_more_at_the_end(rig: Rig) -> None:
    mesh = rig.node.mesh
    assert mesh is not None
    dns = await rig.until(lambda: mesh.dns.addresses)
    await asked(dns[0], "gone.default.svc.cluster.local")
    await rig.stop()

    (snapshot,) = rig.entries(Snapshot)
    assert snapshot.state["dns"]["gone.default.svc.cluster.local A"]["status"] == "NXDOMAIN"


async def test_the_node_says_what_it_knows_when_it_is_asked(rig: Rig) -> None:
    await rig.says("default/service/web", service(18080))
    mesh = rig.node.mesh
    assert mesh is not None
    await rig.until(lambda: len(mesh.dns.names))

    state = await rig.node.snapshot(["www.example.com", f"{NAME} MX"])

    assert state["dns"]["www.example.com"] == {"status": None, "rule": "outside", "answer": []}
    assert state["dns"][f"{NAME} MX"]["rule"] == "no_such_type"
    assert state == json.loads(json.dumps(state))
