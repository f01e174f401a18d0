"""``edgecore services`` against a control server with the node's own route handlers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from edgecore.beehive.bus import Bus
from edgecore.cli import main
from edgecore.clock import SystemClock
from edgecore.control.server import ControlServer
from edgecore.errors import ContentError
from edgecore.ids import random_ids
from edgecore.nodestate import NodeState
from edgecore.routes.node import node_routes

WEB = {"namespace": "default", "name": "web", "type": "ClusterIP", "fake_ip": "127.251.0.1", "ready": True, "ports": []}
CART = {"namespace": "shop", "name": "cart", "ports": []}


class FixedView:
    """Two services."""

    def every(self, namespace: str = "") -> Iterator[dict[str, Any]]:
        return (one for one in (WEB, CART) if namespace in ("", one["namespace"]))

    def one(self, name: str, namespace: str = "") -> dict[str, Any]:
        if name != "web":
            raise ContentError(f"cannot show {name}: there is no such service; there is default/web")
        return WEB


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    bus = Bus(SystemClock(), random_ids())
    server = ControlServer(tmp_path / "edgecore.sock", node_routes(cast("NodeState", None), None, FixedView))
    await server.start()
    yield tmp_path / "edgecore.sock"
    await server.stop()
    bus.close()


async def services(socket: Path, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["services", *arguments, "--control", str(socket)])


async def test_without_a_name_all_services_are_listed(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await services(socket) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed[-3:]] == [["NAMESPACE", "NAME"], ["default", "web"], ["shop", "cart"]]


async def test_one_namespace_without_the_head_is_its_lines_alone(
    socket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert await services(socket, "-n", "shop", "--no-headers") == 0
    assert capsys.readouterr().out.split() == ["shop", "cart", "-", "-", "-", "0/0", "0", "0"]


async def test_with_a_name_one_is_shown(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert await services(socket, "web") == 0
    assert capsys.readouterr().out.startswith("service default/web: ClusterIP, ready\n  at 127.251.0.1")


async def test_json_and_yaml_are_all_that_the_node_says(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert await services(socket, "web", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == WEB
    assert await services(socket, "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == [WEB, CART]


async def test_a_service_that_there_is_not_is_exit_code_1_and_names_those_near_to_it(
    socket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await services(socket, "wep") == 1
    error = capsys.readouterr().err
    assert error == "edgecore: cannot show wep: there is no such service; there is default/web\n"


async def test_a_node_that_is_not_there_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await services(tmp_path / "none.sock") == 1
    assert "no such socket" in capsys.readouterr().err
