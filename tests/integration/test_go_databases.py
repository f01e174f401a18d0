"""The file of a Go edgecore, made of its dump: a whole node takes it over as it is, and leaves it as Go can read it."""

import asyncio
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crash.process import pool_of
from edgecore.app import Node
from edgecore.beehive import resource as r
from edgecore.beehive.message import Route, response_to
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.demo import probes
from edgecore.store.kubeedge import TABLES
from godatabase import write_go_database
from gostructs import POD_STATUS_REQUEST, go_text

DATA = Path(__file__).parents[1] / "data"
DUMPS = sorted(path.stem for path in DATA.glob("*_db*.txt"))
Rows = dict[str, tuple[str, str]]


class Tables:
    """What a Go program sees of a file."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as file:
            marks = ", ".join("?" * len(TABLES))
            found = file.execute(f"SELECT name, sql FROM sqlite_master WHERE name IN ({marks})", TABLES)
            self.schema = dict(found.fetchall())
            self.devices = {
                table: file.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES if table != "meta"
            }
            self.meta: Rows = {
                key: (kind, value) for key, kind, value in file.execute("SELECT key, type, value FROM meta")
            }


class TakenOver:
    """A node on a file, with the test in place of the link to the cloud, which answers OK to what the node tells."""

    def __init__(self, path: Path) -> None:
        modules = {
            "eventBus": {"enable": False},
            "edgeHub": {"enable": False},
            "edged": {"hostnameOverride": "edge-node1"},
            "edgeMesh": {"rootlessSubNet": pool_of(os.getpid()), "dns": {"upstreams": ["127.0.0.1:9"]}},
        }
        values = {"database": {"dataSource": str(path)}, "modules": modules}
        self.node = Node(parse(json.dumps(values), "the test", env=Environment("edge-node1", "127.0.0.1")))
        self._hub = self.node.bus.register(r.EDGEHUB, r.GROUP_HUB)
        self._unacknowledged: set[str] = set()
        self._link: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.node.start()
        self._link = asyncio.create_task(self._answer())
        await self.settled()

    async def stop(self) -> None:
        await self.node.stop()
        if self._link is not None:
            await self._link

    async def say(self, operation: str, resource: str, content: Any = None) -> None:
        message = self._hub.build(Route(r.EDGECONTROLLER, r.GROUP_RESOURCE, operation, resource), content)
        self._unacknowledged.add(message.header.id)
        await self._hub.send_to_group(r.GROUP_META, message)
        await self.settled()

    async def settled(self) -> None:
        while not self._is_settled():
            await asyncio.sleep(0.002)

    def _is_settled(self) -> bool:
        assert self.node.store is not None
        statuses = self.node.runner.statuses()
        mesh, edged = statuses[r.EDGEMESH], statuses[r.EDGED]
        at_rest = mesh["recovered"] and not mesh["writes_unfinished"] and edged["registered"]
        return at_rest and not self._unacknowledged and not self.node.store.statistics().waiting

    @property
    def mesh(self) -> dict[str, Any]:
        return self.node.runner.statuses()[r.EDGEMESH]

    def fake_ips(self) -> dict[str, str]:
        assert self.node.mesh is not None
        services = self.node.mesh.module.view().states()
        return {f"{each['namespace']}/{each['name']}": each["fake_ip"] for each in services}

    async def resolve(self, service: str) -> str:
        namespace, name = service.split("/")
        host, port = self.mesh["dns"]["listening"][0].rsplit(":", 1)
        asked = await asyncio.to_thread(probes.ask, (host, int(port)), f"{name}.{namespace}.svc.cluster.local")
        return asked.address

    async def _answer(self) -> None:
        async for message in self._hub:
            self._unacknowledged.discard(message.header.parent_id)
            if message.header.sync:
                self._hub.respond(response_to(message, r.OK, self.node.bus.new_id, self.node.clock))


@pytest.fixture
async def take_over() -> AsyncIterator[Callable[[Path], Awaitable[TakenOver]]]:
    """``take_over(path)``: a node on this file that has come to rest."""
    running: list[TakenOver] = []

    async def start(path: Path) -> TakenOver:
        node = TakenOver(path)
        running.append(node)
        await node.start()
        return node

    yield start
    for node in running:
        await node.stop()


Start = Callable[[Path], Awaitable[TakenOver]]


def _schema(dump: str) -> dict[str, str]:
    """Return the text of each table, as the dump has it."""
    text = (DATA / f"{dump}.txt").read_text().partition("\n-- table ")[0]
    return {name: sql for sql, name in re.findall(r"(CREATE TABLE `(\w+)` .*?\n\));", text, re.DOTALL)}


def _without_statuses(rows: Rows) -> Rows:
    """Leave out what edged says of pods: containers of another runtime are started anew, and that is told."""
    return {key: row for key, row in rows.items() if row[0] != "podstatus"}


def _statuses(rows: Rows) -> dict[str, Any]:
    """Return of each pod the uid and the phase, having seen that Go would write the row with the same text."""
    found = {}
    for key, (kind, text) in rows.items():
        if kind == "podstatus":
            assert go_text(POD_STATUS_REQUEST, text) == text
            value = json.loads(text)
            found[key] = (value["UID"], value["Name"], value["Status"]["phase"])
    return found


@pytest.mark.parametrize("dump", DUMPS)
async def test_a_go_database_is_taken_over_and_left_as_go_can_read_it(
    tmp_path: Path, take_over: Start, dump: str
) -> None:
    path = tmp_path / "edgecore.db"
    write_go_database(path, DATA / f"{dump}.txt")
    before = Tables(path)
    services = {key.replace("/service/", "/") for key, (kind, _) in before.meta.items() if kind == "service"}
    external = services & {"default/ext-svc"}

    node = await take_over(path)
    served = node.fake_ips()
    assert served.keys() == services
    assert {service for service, address in served.items() if address is None} == external
    addresses = {service: address for service, address in served.items() if address is not None}
    assert len(set(addresses.values())) == len(services - external) > 0
    assert {service: await node.resolve(service) for service in services - external} == addresses
    await node.stop()

    after = Tables(path)
    assert after.schema == before.schema == _schema(dump)
    assert after.devices == before.devices
    assert _without_statuses(after.meta) == _without_statuses(before.meta)
    assert _statuses(after.meta) == _statuses(before.meta)
    assert not path.with_name("edgecore.db-wal").exists()

    again = await take_over(path)
    assert again.fake_ips() == served


async def test_of_a_go_database_only_those_rows_change_that_messages_change(tmp_path: Path, take_over: Start) -> None:
    path = tmp_path / "edgecore.db"
    write_go_database(path, DATA / "b_edgecore_db.txt")
    before = Tables(path).meta
    unchanged = json.loads(before["default/service/tcp-svc"][1])
    changed = json.loads(before["default/service/ext-svc"][1]) | {"spec": {"ports": [{"name": "http", "port": 8081}]}}
    new = {"metadata": {"name": "new", "namespace": "default"}, "spec": {"ports": [{"name": "http", "port": 8082}]}}

    node = await take_over(path)
    await node.say("update", "default/service/tcp-svc", unchanged)
    await node.say("update", "default/service/ext-svc", changed)
    await node.say("insert", "default/service/new", new)
    await node.say("delete", "default/service/udp-svc")
    fake_ip = node.fake_ips()["default/new"]
    await node.stop()

    before, after = _without_statuses(before), _without_statuses(Tables(path).meta)
    assert {key: after.get(key) for key in before.keys() | after if before.get(key) != after.get(key)} == {
        "default/service/ext-svc": ("service", json.dumps(changed, separators=(",", ":"))),
        "default/service/new": ("service", json.dumps(new, separators=(",", ":"))),
        "default/listener/default.new": ("listener", f'"{fake_ip}"'),
        "default/service/udp-svc": None,
        "default/podlist/udp-svc": None,
    }


async def test_a_file_of_ours_has_the_tables_of_go_with_the_text_that_go_gives_them(
    tmp_path: Path, take_over: Start
) -> None:
    path = tmp_path / "edgecore.db"
    node = await take_over(path)
    await node.stop()
    assert Tables(path).schema == _schema("b_edgecore_db")
