"""The commands as a user runs them: ``cloudhub-stub fault`` and ``cloudhub-stub run --faults``."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).parents[4]
COMMAND = (sys.executable, "-m", "cloudhub_stub")


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class RunningStub(NamedTuple):
    """A stub process."""

    process: asyncio.subprocess.Process
    url: str
    state_dir: Path

    async def fault(self, *arguments: str) -> Done:
        return await command("fault", *arguments, "--state-dir", str(self.state_dir))

    async def stop(self) -> Done:
        self.process.send_signal(signal.SIGTERM)
        out, err = await self.process.communicate()
        return Done(self.process.returncode or 0, out.decode(), err.decode())


async def command(*arguments: str) -> Done:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


Start = Callable[..., Awaitable[RunningStub]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start stubs as processes; killed at the end if they still run."""
    processes: list[asyncio.subprocess.Process] = []

    async def start_one(*arguments: str) -> RunningStub:
        state_dir = tmp_path / "state"
        process = await asyncio.create_subprocess_exec(
            *(
                *COMMAND,
                "run",
                "--plain",
                "--listen",
                "127.0.0.1:0",
                "--observe",
                "off",
                "--state-dir",
                str(state_dir),
                *arguments,
            ),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        words = b"".join([await process.stdout.readline() for _ in range(3)]).decode().split()
        return RunningStub(process, next(word for word in words if word.startswith("ws://")), state_dir)

    yield start_one
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@pytest.fixture
async def edge_of() -> AsyncIterator[Callable[[RunningStub], Awaitable[ClientConnection]]]:
    """Connect edges; closed at the end."""
    edges: list[ClientConnection] = []

    async def connect_one(stub: RunningStub) -> ClientConnection:
        headers = {"Node_id": "edge-1", "ConnectionUse": "msg"}
        edges.append(
            await connect(stub.url, additional_headers=headers, ping_interval=None, close_timeout=0.1, proxy=None)
        )
        return edges[-1]

    yield connect_one
    for edge in edges:
        await edge.close()


async def close_code(edge: ClientConnection) -> int | None:
    with suppress(ConnectionClosed):
        while True:
            await edge.recv()
    return edge.close_code


async def test_a_cut_by_command_is_felt_listed_and_logged(start: Start, edge_of: Any) -> None:
    stub = await start()
    edge = await edge_of(stub)
    assert await stub.fault("cut", "--node", "edge-1") == Done(0, "f1  cut, node edge-1\n", "")
    assert await close_code(edge) == 1006
    view = json.loads((await stub.fault("list", "--json")).out)
    assert [(fired["fault"], fired["node"]) for fired in view["recent"]] == [("cut", "edge-1")]
    state = ("--state-dir", str(stub.state_dir))
    assert json.loads((await command("ledger", "--json", *state)).out)["faults"]["recent"] == view["recent"]
    assert "faults on demand: cut 1" in (await command("ledger", *state)).out
    assert "fault_fired" in (await stub.stop()).err


async def test_a_half_open_connection_by_command_is_silent_and_open(start: Start, edge_of: Any) -> None:
    stub = await start()
    edge = await edge_of(stub)
    assert (await stub.fault("half-open", "--for", "3600")).code == 0
    pong = await edge.ping()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pong), 0.2)
    assert edge.close_code is None
    assert "half open now: edge-1" in (await stub.fault("list")).out
    assert (await stub.stop()).code == 0
    assert await close_code(edge) == 1006
    pong.cancel()


async def test_a_restart_by_command_keeps_the_port(start: Start, edge_of: Any) -> None:
    stub = await start()
    edge = await edge_of(stub)
    assert (await stub.fault("restart")).out == "f1  restart, away 0 s\n"
    assert await close_code(edge) == 1006
    while json.loads((await stub.fault("list", "--json")).out)["restarting"]:
        assert stub.process.returncode is None
    await edge_of(stub)
    done = await stub.stop()
    assert (done.code, "Traceback" in done.err) == (0, False)


async def test_rules_are_listed_with_how_often_they_matched_and_cleared(start: Start, edge_of: Any) -> None:
    stub = await start()
    await stub.fault("drop", "--direction", "up", "--operation", "keepalive", "--every", "2")
    await stub.fault("delay", "0.5", "--nth", "3", "--resource", "default/pod/*")
    edge = await edge_of(stub)
    route = {"source": "websocket", "group": "resource", "operation": "keepalive", "resource": "node"}
    for number in range(5):
        await edge.send(json.dumps({"header": {"msg_id": str(number)}, "route": route, "content": "ping"}))
    await (await edge.ping())
    listed = (await stub.fault("list")).out.splitlines()
    assert listed[0].split() == ["ID", "STATE", "MATCHED", "FIRED", "FAULT"]
    assert listed[1].split(maxsplit=4) == ["f1", "waiting", "5", "2", "drop: every 2 messages, up, operation keepalive"]
    assert listed[2].split()[:4] == ["f2", "waiting", "0", "0"]
    assert listed[-1] == "fired since the start: drop 2"
    assert (await stub.fault("clear", "f2")).out == "cleared: 1\n"
    assert (await stub.fault("clear", "--all", "--json")).out == '{\n  "cleared": 1\n}\n'
    assert (await stub.fault("list")).out.splitlines()[0] == "no faults"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cut", "--node", "edge-9"), "cannot do cut: node edge-9 is not connected"),
        (("clear", "f9"), "cannot clear 'f9': no such fault"),
        (("expire-token",), "cannot use tokens: the stub runs with --plain"),
    ],
)
async def test_what_cannot_be_done_is_exit_code_1_with_the_reason(
    start: Start, arguments: tuple[str, ...], words: str
) -> None:
    done = await (await start()).fault(*arguments)
    assert (done.code, done.out) == (1, "")
    assert words in done.err


async def test_a_scenario_is_played_from_the_start(start: Start, edge_of: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("- after: {connected: edge-1}\n  do: {cut: {node: edge-1}}\n")
    stub = await start("--faults", str(tmp_path / "s.yaml"))
    edge = await edge_of(stub)
    assert await close_code(edge) == 1006
    assert "document 1, step 1: after edge-1 has connected: cut, node edge-1 (begun)" in (await stub.fault("list")).out


async def test_the_example_is_played(start: Start) -> None:
    stub = await start("--faults", "examples/faults/outage.yaml")
    view = json.loads((await stub.fault("list", "--json")).out)
    assert len(view["steps"]) == 6
    assert (await stub.stop()).code == 0


async def test_a_scenario_with_mistakes_keeps_the_stub_from_starting(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("- at: 0\n  do: {drop: {ntn: 3}}\n")
    arguments = ("--state-dir", str(tmp_path / "state"), "--faults", str(tmp_path / "s.yaml"))
    done = await command("run", "--plain", "--listen", "127.0.0.1:0", "--observe", "off", *arguments)
    assert done.code == 1
    assert "s.yaml:\n  document 1, step 1 (line 1): do.drop.ntn: not a known field; did you mean nth?" in done.err


async def test_a_scenario_is_checked_without_a_stub(tmp_path: Path) -> None:
    done = await command("fault", "check", "examples/faults/outage.yaml")
    assert (done.code, len(done.out.splitlines())) == (0, 6)
    (tmp_path / "s.yaml").write_text("- 5\n")
    assert (await command("fault", "check", str(tmp_path / "s.yaml"))).code == 1
