"""What a node knows at one moment, from its parts."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import ContentError
from edgecore.modules.metamanager import tables
from edgecore.recording.entries import Snapshot
from edgecore.recording.lines import line_of, parse_entry
from edgecore.snapshot import AT_ONCE, snapshot
from edgecore.store.store import Statement, Store, open_store

PUT = "INSERT INTO meta (key, type, value) VALUES (?, ?, ?)"
COUNTED = {"requests": 7, "errors": 1, "p50_ms": 0.3}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path / "edgecore.db", tables.SCHEMA)
    yield store
    await store.close()


def port(*backends: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"name": "http", "port": 80, "transport": "tcp", "state": "listening", "reason": "", "handling": "http"}
    return {**told, **COUNTED, "backends": [{**COUNTED, **backend} for backend in backends], **more}


def service(name: str, *ports: dict[str, Any], namespace: str = "default", **more: Any) -> dict[str, Any]:
    told = {"namespace": namespace, "name": name, "fake_ip": "127.1.0.1", "ready": True, "ports": list(ports)}
    return {**told, "named_pods": [], **COUNTED, **more}


class FakeView:
    """Has some services."""

    def __init__(self, *services: dict[str, Any]) -> None:
        self._services = services

    def whole(self) -> Iterator[dict[str, Any]]:
        yield from self._services


class FakeZone:
    """Says what it was asked for; what has no dot cannot be asked for."""

    def own(self, name: str, type_text: str = "") -> dict[str, Any]:
        if "." not in name:
            raise ContentError(f"cannot ask for {name!r}")
        records = [
            {"name": name, "ttl": 64, "type": type_text or "A", "data": data} for data in ("127.1.0.2", "127.1.0.1")
        ]
        return {"status": "NOERROR", "rule": "service", "answer": records, "bytes": 44}


class FakeDevices:
    """Two devices, one of which goes when it is asked for."""

    def devices(self) -> list[dict[str, Any]]:
        return [{"id": "a"}, {"id": "b"}]

    def device(self, device_id: str) -> dict[str, Any] | None:
        return {"id": device_id, "twins": {}} if device_id == "a" else None


async def test_a_node_without_modules_and_rows_knows_nothing(store: Store) -> None:
    assert await snapshot(store) == {"rows": [], "services": [], "dns": {}, "devices": []}


async def test_rows_are_listed_by_key_with_their_values_as_json(store: Store) -> None:
    await store.write(
        Statement(PUT, ("default/service/web", "service", '{"kind": "Service"}')),
        Statement(PUT, ("default/configmap/a", "configmap", "no json")),
        Statement(PUT, ("default/pod/b", "pod", None)),
    )

    assert (await snapshot(store))["rows"] == [
        {"key": "default/configmap/a", "type": "configmap", "value": "no json"},
        {"key": "default/pod/b", "type": "pod", "value": None},
        {"key": "default/service/web", "type": "service", "value": {"kind": "Service"}},
    ]


async def test_services_are_listed_by_name_without_what_was_counted(store: Store) -> None:
    backends = ({"pod": "b", "endpoint": "10.0.0.2:80", "state": "in"}, {"pod": "a", "endpoint": None, "state": "out"})
    view = FakeView(service("web", port(*backends)), service("cart"), service("web", namespace="a"))

    services = (await snapshot(store, look=lambda: view))["services"]

    assert [(one["namespace"], one["name"]) for one in services] == [
        ("a", "web"),
        ("default", "cart"),
        ("default", "web"),
    ]
    assert services[2]["fake_ip"] == "127.1.0.1"
    (told,) = services[2]["ports"]
    assert [one["pod"] for one in told["backends"]] == ["a", "b"]
    assert not {*COUNTED} & {*services[2], *told, *told["backends"][0]}


async def test_neither_what_the_machine_refuses_nor_what_the_proxy_found_ill_is_told(store: Store) -> None:
    ill = {"pod": "a", "endpoint": "10.0.0.2:80", "state": "out", "reason": "refused"}
    gone = {"pod": "b", "endpoint": None, "state": "out", "reason": "no_host_port"}
    view = FakeView(service("web", port(ill, gone, state="not_bound", reason="no_permission")))

    (told,) = (await snapshot(store, look=lambda: view))["services"][0]["ports"]

    assert (told["state"], told["reason"]) == ("listening", "")
    assert [(one["state"], one["reason"]) for one in told["backends"]] == [("in", ""), ("out", "no_host_port")]


async def test_a_port_that_only_traffic_made_is_left_out(store: Store) -> None:
    view = FakeView(service("out", port(state="asked_for")))
    assert (await snapshot(store, look=lambda: view))["services"][0]["ports"] == []


async def test_pods_with_names_are_listed_with_their_ports(store: Store) -> None:
    named = {"hostname": "db-0", "pods": ["db-0"], "fake_ip": "127.1.0.9", "ready": True, "ports": [port()], **COUNTED}
    view = FakeView(service("db", named_pods=[named]))

    told = await snapshot(store, look=lambda: view, zone=FakeZone())

    (pod,) = told["services"][0]["named_pods"]
    assert (pod["hostname"], pod["fake_ip"], pod["ports"][0]["port"]) == ("db-0", "127.1.0.9", 80)
    assert [*told["dns"]] == ["db-0.db.default", "db.default"]


async def test_the_zone_is_asked_for_services_and_given_names(store: Store) -> None:
    view = FakeView(service("web"))

    dns = (await snapshot(store, look=lambda: view, zone=FakeZone(), names=["a.b MX", "bad", "web.default"]))["dns"]

    assert dns == {
        "a.b MX": {"status": "NOERROR", "rule": "service", "answer": ["a.b 64 MX 127.1.0.1", "a.b 64 MX 127.1.0.2"]},
        "bad": {"error": "cannot ask for 'bad'"},
        "web.default": {
            "status": "NOERROR",
            "rule": "service",
            "answer": ["web.default 64 A 127.1.0.1", "web.default 64 A 127.1.0.2"],
        },
    }


async def test_devices_are_listed_whole(store: Store) -> None:
    assert (await snapshot(store, devices=FakeDevices()))["devices"] == [{"id": "a", "twins": {}}]


async def test_a_snapshot_is_one_entry_of_a_session(store: Store) -> None:
    state = await snapshot(store, look=lambda: FakeView(service("web", port())), zone=FakeZone(), devices=FakeDevices())

    assert parse_entry(line_of(Snapshot(1, 2, state)), 1) == Snapshot(1, 2, json.loads(json.dumps(state)))


async def test_others_have_their_turn_among_many_services(store: Store) -> None:
    view = FakeView(*(service(f"web-{number}") for number in range(AT_ONCE + 1)))
    asked = asyncio.create_task(snapshot(store, look=lambda: view))

    await asyncio.sleep(0)

    assert not asked.done()
    assert len((await asked)["services"]) == AT_ONCE + 1
