"""The commands that speak to a running node, against a control server that answers like one."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.cli import main
from edgecore.config.host import default_config, this_machine
from edgecore.config.render import full_text
from edgecore.control.routes import ControlRequest
from edgecore.control.server import ControlServer

STATUS = {
    "node": "edge-1",
    "version": "0.1.0",
    "uptime_s": 1,
    "state": "ok",
    "reasons": [],
    "modules": [{"name": f"module-{number}", "state": "running"} for number in range(1000)],
    "mesh": {"plain_listener": "127.0.0.1:40001"},
}


class FakeNode:
    """Answers ``GET /v1/status`` with what it was told to say."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.status: dict[str, Any] = dict(STATUS)
        self.server = ControlServer(socket, {("GET", "/v1/status"): self._show_status})

    async def _show_status(self, _request: ControlRequest) -> Any:
        return self.status


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[FakeNode]:
    node = FakeNode(tmp_path / "edgecore.sock")
    await node.server.start()
    yield node
    await node.server.stop()


async def _run(*arguments: object) -> int:
    return await asyncio.to_thread(main, [str(argument) for argument in arguments])


async def test_status_of_a_healthy_node_is_text_and_exit_code_0(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await _run("status", "--control", node.socket) == 0
    assert "node edge-1: ok (edgecore 0.1.0, up 1 s)" in capsys.readouterr().out


async def test_status_of_a_degraded_node_is_exit_code_3(node: FakeNode) -> None:
    node.status["state"] = "degraded"
    assert await _run("status", "--control", node.socket) == 3


async def test_status_as_json_is_all_that_the_node_said(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _run("status", "--control", node.socket, "--json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :]) == STATUS


async def test_a_node_that_is_not_there_is_exit_code_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await _run("status", "--control", tmp_path / "none.sock") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"edgecore: cannot reach the node at {tmp_path / 'none.sock'}: no such socket")
    assert error.count("\n") == 1


async def test_the_socket_is_found_in_the_configuration_of_the_node(
    node: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = full_text(default_config(this_machine())).replace("/var/lib/kubeedge/edgecore.db", f"{tmp_path}/edgecore.db")
    (tmp_path / "edgecore.yaml").write_text(text)
    assert await _run("status", "--config", tmp_path / "edgecore.yaml") == 0
    assert "node edge-1: ok" in capsys.readouterr().out


async def test_a_socket_and_a_configuration_at_once_are_wrong_usage(tmp_path: Path) -> None:
    assert await _run("status", "--control", tmp_path / "x.sock", "--config", tmp_path / "x.yaml") == 2


@pytest.mark.skipif(Path("/etc/kubeedge/config/edgecore.yaml").exists(), reason="this machine has a configured node")
async def test_without_any_configuration_the_flags_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert await _run("status") == 1
    assert "name the node's configuration with --config, or its socket with --control" in capsys.readouterr().err


async def test_env_prints_the_proxy(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _run("env", "--control", node.socket) == 0
    assert "export http_proxy=http://127.0.0.1:40001\n" in capsys.readouterr().out


async def test_env_of_a_node_without_proxy_prints_nothing_that_a_shell_could_take(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.status["mesh"] = {}
    capsys.readouterr()
    assert await _run("env", "--control", node.socket) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("edgecore: cannot print the proxy of the node")


async def test_a_reader_that_has_seen_enough_gets_no_complaint(node: FakeNode) -> None:
    command = f"{sys.executable} -m edgecore status --json --control {node.socket} | head -c 10"
    done = await asyncio.to_thread(subprocess.run, ["/bin/sh", "-c", command], capture_output=True, check=True)
    assert (len(done.stdout), done.stderr) == (10, b"")
