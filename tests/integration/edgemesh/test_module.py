"""EdgeMesh with the real bus, MetaManager, SQLite file, pool lock and proxy around it; only DNS stands still."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive import wire
from edgecore.beehive.message import Message
from edgecore.modules.edgemesh import tables
from edgecore.modules.edgemesh.module import BACKLOG
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries
from edgecore.store.store import Statement
from meshnode import Node, service_json

DATA = Path(__file__).parents[2] / "data"
NGINX = ServiceKey("default", "nginx-svc")
WEB = ServiceKey("default", "web")


def recorded(name: str) -> list[Message]:
    frames = [entry for entry in read_entries(DATA / name) if isinstance(entry, CloudFrame)]
    messages = [wire.decode(frame.text) for frame in frames if frame.direction is Direction.TO_EDGE]
    return [message for message in messages if message.route.operation != "response"]


StartNode = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start_node(tmp_path: Path) -> AsyncIterator[StartNode]:
    """``start_node(name)``: a running node with the file ``name``, that has recovered what is in it."""
    nodes: list[Node] = []

    async def start(name: str = "edgecore.db", **settings: Any) -> Node:
        node = Node(tmp_path / name, **settings)
        nodes.append(node)
        await node.start()
        await node.settled()
        return node

    yield start
    for node in nodes:
        await node.stop()


async def test_the_recorded_services_get_addresses_in_their_order_and_listener_rows(start_node: StartNode) -> None:
    node = await start_node()
    for message in recorded("b_services_endpoints_pods.jsonl"):
        await node.send(message)
    await node.settled()

    names = ["nginx", "noname", "tcp", "headless", "named", "sys", "nopods", "udp"]
    expected = {f"{name}-svc": f"127.217.0.{number}" for number, name in enumerate(names, 1)}
    assert node.addresses() == {**expected, "ext-svc": None}  # of type ExternalName
    assert node.listener_rows()["default/listener/default.nginx-svc"] == '"127.217.0.1"'
    assert len(node.listener_rows()) == 8
    assert node.metrics.bad_input_counts == {}


async def test_the_recorded_deletion_takes_name_listeners_and_listener_row(start_node: StartNode) -> None:
    node = await start_node()
    for name in ("b_services_endpoints_pods.jsonl", "b2_deletes.jsonl"):
        for message in recorded(name):
            await node.send(message)
    await node.settled()

    assert node.address(NGINX) is None
    assert "default/listener/default.nginx-svc" not in node.listener_rows()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.217.0.1", 12345)


# Pods with names.


@pytest.fixture
async def backend() -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """``backend(text)``: the port of an HTTP server on 127.0.0.1 that answers with ``text``."""
    servers: list[asyncio.Server] = []

    async def start(text: str) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()
            writer.close()

        servers.append(await asyncio.start_server(answer, "127.0.0.1", 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


def pod_json(hostname: str, subdomain: str, host_port: int) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": hostname},
        "spec": {
            "hostname": hostname,
            "subdomain": subdomain,
            "containers": [{"ports": [{"containerPort": 80, "hostPort": host_port}]}],
        },
        "status": {"phase": "Running", "hostIP": "127.0.0.1"},
    }


async def get(address: str, port: int, host: str) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = await reader.read()
    writer.close()
    await writer.wait_closed()
    return text.decode().rpartition("\r\n\r\n")[2]


async def test_each_pod_with_a_name_is_reached_at_an_address_of_its_own_over_restarts(
    start_node: StartNode, backend: Callable[[str], Awaitable[int]]
) -> None:
    pods = [pod_json(name, "web", await backend(name)) for name in ("web-0", "web-1")]
    node = await start_node()
    await node.put(WEB, 12345)
    await node.say("insert", "default/podlist/web", pods)
    await node.settled()
    before = node.pod_addresses()
    assert set(node.listener_rows()) == {"default/listener/default.web"}

    for _ in range(2):
        assert node.pod_addresses() == before == {"web-0.web": "127.217.0.2", "web-1.web": "127.217.0.3"}
        for name in ("web-0", "web-1"):
            host = f"{name}.web.default.svc.cluster.local:12345"
            plain, _, port = node.mesh.status()["plain_listener"].rpartition(":")
            assert await get(before[f"{name}.web"], 12345, host) == name
            assert await get(plain, int(port), host) == name
        assert {await get("127.217.0.1", 12345, "web") for _ in range(2)} == {"web-0", "web-1"}
        await node.stop()
        node = await start_node()


async def test_a_pod_that_went_and_came_back_under_its_name_has_its_address_over_a_restart(
    start_node: StartNode,
) -> None:
    node = await start_node()
    await node.put(WEB, 12345)
    await node.say("insert", "default/podlist/web", [pod_json("web-0", "web", 1), pod_json("web-1", "web", 2)])
    await node.settled()
    await node.say("update", "default/podlist/web", [pod_json("web-1", "web", 2)])
    await node.settled()
    assert {row.address: row.released_at_ms is None for row in tables.read_addresses(node.store)} == {
        "127.217.0.1": True,
        "127.217.0.2": False,
        "127.217.0.3": True,
    }
    await node.stop()

    again = await start_node()
    await again.put(NGINX)
    await again.say("update", "default/podlist/web", [pod_json("web-0", "web", 1), pod_json("web-1", "web", 2)])
    await again.settled()

    assert again.pod_addresses() == {"web-0.web": "127.217.0.2", "web-1.web": "127.217.0.3"}
    assert again.address(NGINX) == "127.217.0.4"


async def test_after_a_restart_every_service_has_the_same_address_and_its_pods(start_node: StartNode) -> None:
    node = await start_node()
    for message in recorded("b_services_endpoints_pods.jsonl"):
        await node.send(message)
    await node.settled()
    before = node.addresses()
    await node.stop()

    again = await start_node()
    assert again.addresses() == before
    assert again.address(NGINX) == "127.217.0.1"
    nginx = next(service for service in again.mesh.view().states() if service["name"] == "nginx-svc")
    assert [backend["endpoint"] for backend in nginx["backends"] if backend["port"] == 12345] == [
        "10.66.0.2:8000",
        "10.66.0.1:8000",
    ]


async def test_an_address_released_before_a_restart_rests_after_it(start_node: StartNode) -> None:
    node = await start_node()
    await node.put(WEB)
    await node.settled()
    await node.say("delete", "default/service/web")
    await node.settled()
    await node.stop()

    again = await start_node()
    await again.put(NGINX)
    await again.settled()

    assert again.address(NGINX) == "127.217.0.2"


async def test_an_address_that_has_rested_is_free_after_a_restart(start_node: StartNode) -> None:
    node = await start_node(ttl_s=0)
    await node.put(WEB)
    await node.settled()
    await node.say("delete", "default/service/web")
    await node.settled()
    await node.stop()

    again = await start_node(ttl_s=0)
    await again.put(NGINX)
    await again.settled()

    assert again.address(NGINX) == "127.217.0.1"


async def test_a_service_that_went_while_the_node_stood_still_leaves_its_address_to_rest(
    start_node: StartNode,
) -> None:
    node = await start_node()
    await node.put(WEB)
    await node.settled()
    await node.store.write(Statement("DELETE FROM meta WHERE key = 'default/service/web'"))
    await node.stop()

    again = await start_node()
    await again.put(NGINX)
    await again.settled()

    assert again.address(NGINX) == "127.217.0.2"
    assert {row.address: row.released_at_ms is not None for row in tables.read_addresses(again.store)} == {
        "127.217.0.1": True,
        "127.217.0.2": False,
    }


@pytest.mark.parametrize("listener_row_deleted", [False, True])
async def test_a_node_that_ended_while_an_address_was_given_back_leaves_neither_row_nor_address(
    start_node: StartNode, listener_row_deleted: bool
) -> None:
    node = await start_node(ttl_s=0)
    await node.put(WEB)
    await node.settled()
    # What is in the file at the end: MetaManager has deleted the service before EdgeMesh learnt of it.
    types = ("service", "listener") if listener_row_deleted else ("service",)
    await node.store.write(*(Statement("DELETE FROM meta WHERE type = ?", (kind,)) for kind in types))
    await node.stop()

    again = await start_node(ttl_s=0)
    (row,) = tables.read_addresses(again.store)
    assert again.listener_rows() == {}
    assert row.released_at_ms is not None
    await again.stop()

    once_more = await start_node(ttl_s=0)
    await once_more.until(lambda: not tables.read_addresses(once_more.store))


async def test_a_node_that_ended_before_a_listener_row_was_written_writes_it_at_its_next_start(
    start_node: StartNode,
) -> None:
    node = await start_node()
    await node.put(WEB)
    await node.settled()
    rows = node.listener_rows()
    await node.store.write(Statement("DELETE FROM meta WHERE type = 'listener'"))
    await node.stop()

    again = await start_node()

    assert again.listener_rows() == rows == {"default/listener/default.web": '"127.217.0.1"'}


async def test_a_listener_row_of_an_earlier_version_gives_its_address(start_node: StartNode) -> None:
    node = await start_node()
    await node.put(WEB)
    await node.settled()
    await node.store.write(Statement("DELETE FROM edgemesh_address"))
    await node.store.write(Statement("UPDATE meta SET value = '\"127.217.3.3\"' WHERE type = 'listener'"))
    await node.stop()

    again = await start_node()

    assert again.address(WEB) == "127.217.3.3"
    assert [row.address for row in tables.read_addresses(again.store)] == ["127.217.3.3"]


async def test_the_database_of_a_go_edgecore_keeps_its_listener_rows(start_node: StartNode) -> None:
    lines = (DATA / "b_edgecore_db.txt").read_text().splitlines()
    rows = [json.loads(line) for line in lines if line.startswith('["')]
    rows = [row for row in rows if row[1] in {"service", "podlist", "endpoints", "listener"}]
    node = await start_node()
    await node.store.write(*(Statement("INSERT INTO meta (key, type, value) VALUES (?, ?, ?)", row) for row in rows))
    go_listeners = node.listener_rows()
    await node.stop()

    again = await start_node()
    assert len(again.addresses()) == 10
    assert again.addresses().pop("ext-svc") is None
    assert all(address.startswith("127.217.0.") for name, address in again.addresses().items() if name != "ext-svc")
    assert again.listener_rows() == go_listeners
    before = again.addresses()
    await again.stop()

    once_more = await start_node()
    assert once_more.addresses() == before
    assert once_more.listener_rows() == go_listeners


@pytest.mark.parametrize("value", ["9.251.0.1", "null", "{}", '"', ""])
async def test_a_listener_row_of_any_text_does_not_stop_the_recovery(start_node: StartNode, value: str) -> None:
    node = await start_node()
    await node.put(WEB)
    await node.settled()
    await node.store.write(Statement("DELETE FROM edgemesh_address"))
    await node.store.write(Statement("UPDATE meta SET value = ? WHERE type = 'listener'", (value,)))
    await node.stop()

    again = await start_node()

    assert again.address(WEB) == "127.217.0.1"
    assert list(again.listener_rows().values()) == [value]


async def test_a_thousand_services_that_come_at_once_are_all_known_and_share_commits(start_node: StartNode) -> None:
    node = await start_node()
    commits = node.store.statistics().commits
    keys = [ServiceKey("bulk", f"app-{number:04}") for number in range(1000)]
    for key in keys:
        await node.put(key)
    await node.settled()

    assert [node.address(key) for key in keys[:3]] == ["127.217.0.1", "127.217.0.2", "127.217.0.3"]
    assert all(node.address(key) for key in keys)
    assert len(tables.read_addresses(node.store)) == len(node.listener_rows()) == 1000
    assert node.store.statistics().commits - commits < 1000


@pytest.mark.parametrize("backlog", [10, BACKLOG])
async def test_services_that_come_while_the_node_starts_are_all_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlog: int
) -> None:
    monkeypatch.setattr("edgecore.modules.edgemesh.module.BACKLOG", backlog)
    node = Node(tmp_path / "edgecore.db")
    await node.start()
    keys = [ServiceKey("bulk", f"app-{number:04}") for number in range(1500)]  # more than a mailbox holds
    for key in keys:
        await node.put(key)
    await node.settled()

    assert len({node.address(key) for key in keys} - {None}) == 1500
    await node.stop()


async def test_a_request_before_the_recovery_is_refused_as_not_recovered(tmp_path: Path) -> None:
    node = Node(tmp_path / "edgecore.db")
    await node.mesh.start()
    host, _, port = node.mesh.status()["plain_listener"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    text = await reader.read()
    writer.close()
    await writer.wait_closed()
    await node.stop()

    assert text.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nX-Edgecore-Reason: not_recovered\r\n" in text


async def test_two_nodes_on_one_machine_have_a_pool_each(start_node: StartNode) -> None:
    first = await start_node("first.db")
    second = await start_node("second.db")
    for node in (first, second):
        await node.put(WEB)
        await node.settled()

    assert (first.address(WEB), second.address(WEB)) == ("127.217.0.1", "127.216.0.1")
    assert first.mesh.status()["plain_listener"] != second.mesh.status()["plain_listener"]


async def test_a_node_keeps_its_pool_when_the_other_is_gone_at_its_restart(start_node: StartNode) -> None:
    first = await start_node("first.db")
    second = await start_node("second.db")
    await first.stop()
    await second.stop()

    again = await start_node("second.db")

    assert again.mesh.status()["pool"] == "127.216.0.0/16"


async def test_a_request_to_the_fake_ip_reaches_the_pods_and_is_refused_when_there_are_none(
    start_node: StartNode,
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npod!")
        writer.close()

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.217.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        text = await reader.read()
        writer.close()
        await writer.wait_closed()
        return text

    node = await start_node()
    pod = {
        "metadata": {"name": "web-0"},
        "spec": {"hostNetwork": True},
        "status": {"phase": "Running", "hostIP": "127.0.0.1"},
    }
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as backend:
        service = service_json(WEB, 18080)
        service["spec"]["ports"][0]["targetPort"] = backend.sockets[0].getsockname()[1]
        await node.say("insert", "default/service/web", service)
        await node.say("update", "default/podlist/web", [pod])
        await node.settled()
        await node.until(lambda: next(node.mesh.view().states())["ports"][0]["state"] == "listening")
        assert b"200 OK" in await ask(18080)

        await node.say("update", "default/podlist/web")
        await node.settled()
        assert (await ask(18080)).startswith(b"HTTP/1.1 503 ")
