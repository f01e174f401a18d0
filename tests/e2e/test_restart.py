"""Nodes that are started again, without a cloud: what was there is there."""

import json
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgecore.store.databasefile import peek

GO_DUMP = Path(__file__).parents[1] / "data" / "b_edgecore_db.txt"
NGINX = "nginx-svc.default.svc.cluster.local"
LISTENERS = "SELECT key, value FROM meta WHERE type = 'listener' ORDER BY key"
ADDRESSES = "SELECT name, address FROM edgemesh_address WHERE released_at_ms IS NULL"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_node_without_a_cloud_serves_what_it_had_at_the_same_addresses(
    programs: Any, words: Any, backend: Callable[..., Any], free_port: Callable[[], int], number: int
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    ports = {"web": free_port(), "api": free_port()}
    for name, port in ports.items():
        cloud.send(*words.arrival(name, port, backend("127.0.0.2"), backend("127.0.0.3")))
    before = {name: node.service(name)["fake_ip"] for name in ports}
    node.stop(number)
    assert cloud.stop() == 0

    again = programs.node()

    for name, port in ports.items():
        assert again.service(name)["fake_ip"] == before[name]
        assert again.resolve(f"{name}.default.svc.cluster.local") == ("NOERROR", before[name])
        answers = {again.by_proxy(f"http://{name}.default:{port}/").body for _ in range(2)}
        assert answers == {"127.0.0.2 serves /", "127.0.0.3 serves /"}
    assert again.status()["state"] == "degraded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_was_deleted_in_the_last_moment_is_gone_after_a_restart(
    programs: Any, words: Any, free_port: Callable[[], int], number: int
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    for name in ("web", "api"):
        cloud.send(words.put(words.service(name, ("http", free_port()))))
        node.service(name)
    cloud.send(words.message("delete", "default/service/web"))
    node.stop(number)

    again = programs.node()

    kept = again.service("api")["fake_ip"]
    assert again.resolve("web.default.svc.cluster.local") == ("NXDOMAIN", "")
    rows = [("default/listener/default.api", f'"{kept}"')]
    assert again.wait_for("tidying", lambda _: peek(again.directory / "edgecore.db", LISTENERS) == rows)


def test_an_address_that_was_given_back_is_not_the_next_ones_not_even_after_a_restart(
    programs: Any, words: Any, free_port: Callable[[], int]
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)

    def put(name: str, on: Any) -> str:
        cloud.send(words.put(words.service(name, ("http", free_port()))))
        address: str = on.service(name)["fake_ip"]
        return address

    first = put("first", node)
    cloud.send(words.message("delete", "default/service/first"))
    second = put("second", node)
    assert node.stop() == 0

    third = put("third", programs.node(cloud=cloud))

    assert len({first, second, third}) == 3


def make_go_database(path: Path, port: int, backend: tuple[str, int]) -> None:
    """Make the file of the Go edgecore from its dump, ``port`` in place of 12345, ``backend`` in that of the hosts."""
    schema, *tables = re.split(r"^-- table (\w+): .*\n", GO_DUMP.read_text(), flags=re.MULTILINE)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(re.sub(r"CREATE TABLE sqlite_sequence.*\n", "", schema))
        for name, text in zip(tables[::2], tables[1::2], strict=True):
            for line in filter(None, text.splitlines()):
                row = json.loads(line)
                places = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {name} VALUES ({places})", [_moved(value, port, backend) for value in row]
                )
        connection.commit()


def _moved(value: Any, port: int, backend: tuple[str, int]) -> Any:
    if not isinstance(value, str):
        return value
    value = re.sub(r"10\.66\.0\.[12]\b", backend[0], value)
    return value.replace('"hostPort":8000', f'"hostPort":{backend[1]}').replace('"port":12345,', f'"port":{port},')


def test_the_database_of_a_go_edgecore_is_taken_over_and_left_readable_by_it(
    programs: Any, backend: Callable[..., Any], free_port: Callable[[], int]
) -> None:
    file, port = programs.directory("edge-1") / "edgecore.db", free_port()
    make_go_database(file, port, backend())
    rows = "SELECT key, type, value FROM meta WHERE type != 'nodestatus' ORDER BY key"
    before = peek(file, rows)
    listeners = peek(file, LISTENERS)

    node = programs.node()
    status = node.ready()
    fake_ip = node.find("nginx-svc")["fake_ip"]
    answer = node.by_proxy(f"http://{NGINX}:{port}/x")

    assert len(listeners) == 10
    assert peek(file, LISTENERS) == listeners
    assert node.resolve(NGINX) == ("NOERROR", fake_ip)
    assert answer.body == "127.0.0.2 serves /x"
    stored = dict(
        node.wait_for("writes", lambda _: len(found := peek(file, ADDRESSES)) == len(listeners) - 1 and found)
    )
    pool = status["mesh"]["pool"].removesuffix("0.0/16")
    assert all(address.startswith(pool) for address in stored.values())
    assert stored["nginx-svc"] == fake_ip
    services = {one["name"]: one["fake_ip"] for one in node.status()["mesh"]["services"]}
    assert services.pop("ext-svc") is None  # of type ExternalName, for which the Go edgecore has an address
    assert stored == services
    assert node.stop() == 0
    assert peek(file, rows) == before

    again = programs.node()
    again.ready()

    assert again.find("nginx-svc")["fake_ip"] == fake_ip
    assert dict(peek(file, ADDRESSES)) == stored
