"""The commands as a user runs them: processes, a terminal, signals."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import connect

ROOT = Path(__file__).parents[3]
SERVICES = ROOT / "examples" / "recordings" / "b_services_endpoints_pods.jsonl"
COMMAND = (sys.executable, "-m", "cloudhub_stub")


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class RunningStub(NamedTuple):
    """A stub process, and what it printed when it listened."""

    process: asyncio.subprocess.Process
    banner: str
    state_dir: Path

    @property
    def url(self) -> str:
        return next(word for word in self.banner.split() if word.startswith("ws://"))

    async def stop(self, number: int = signal.SIGINT) -> Done:
        self.process.send_signal(number)
        out, err = await self.process.communicate()
        return Done(self.process.returncode or 0, out.decode(), err.decode())

    async def ask(self, *arguments: str) -> Done:
        return await command(*arguments, "--state-dir", str(self.state_dir))


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
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *("run", "--listen", "127.0.0.1:0", "--observe", "off", "--state-dir", str(tmp_path / "state"), *arguments),
            *(() if "--https" in arguments else ("--plain",)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        assert all(lines), "the stub ended before it listened"
        return RunningStub(process, "".join(lines), tmp_path / "state")

    yield start_one
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@pytest.fixture
async def start_edge() -> AsyncIterator[Callable[[str], Awaitable[list[dict[str, Any]]]]]:
    """Start edges that acknowledge everything; each returns the list that its messages are added to."""
    tasks: list[asyncio.Task[None]] = []

    async def start_one(url: str, node: str = "edge-1") -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        connected = asyncio.Event()

        async def live() -> None:
            headers = {"Node_id": node, "ConnectionUse": "msg"}
            async with connect(url, additional_headers=headers, close_timeout=1, proxy=None) as connection:
                connected.set()
                async for text in connection:
                    document = json.loads(text)
                    taken.append(document)
                    header = {"msg_id": "a", "parent_msg_id": document["header"]["msg_id"], "timestamp": 1}
                    route = {**document["route"], "operation": "response"}
                    await connection.send(json.dumps({"header": header, "route": route, "content": "OK"}))

        tasks.append(asyncio.create_task(live()))
        await connected.wait()
        return taken

    yield start_one
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_stub_cleanly_and_nothing_is_left(start: Start, start_edge: Any, number: int) -> None:
    stub = await start()
    await start_edge(stub.url)
    done = await stub.stop(number)
    left = sorted(path.name for path in stub.state_dir.iterdir())
    assert (done.code, left) == (0, ["cloudhub.db", "cloudhub.db.lock"])
    assert "Traceback" not in done.err
    assert "stub_stopping" in done.err


async def test_a_second_signal_does_not_wait_for_anybody(start: Start) -> None:
    stub = await start()
    headers = {"Node_id": "edge-1", "ConnectionUse": "msg"}
    async with connect(stub.url, additional_headers=headers, close_timeout=0, proxy=None) as deaf:
        deaf.transport.pause_reading()  # so that the goodbye of the stub is not answered
        stub.process.send_signal(signal.SIGINT)
        assert stub.process.stderr is not None
        while b"stub_stopping" not in await stub.process.stderr.readline():
            assert stub.process.returncode is None
        assert (await stub.stop()).code == -signal.SIGINT


async def test_the_banner_says_where_to_connect_and_where_to_ask(start: Start) -> None:
    stub = await start()
    assert stub.url.startswith("ws://127.0.0.1:")
    socket = stub.state_dir / "control.sock"
    assert f"commands use      {socket}" in stub.banner
    assert socket.stat().st_mode & 0o777 == 0o600


async def test_a_recording_is_replayed_line_by_line_into_a_pipe(start: Start, start_edge: Any) -> None:
    stub = await start()
    taken = await start_edge(stub.url)
    done = await stub.ask(
        "replay", str(SERVICES), "--map", "10.66.0.2=127.0.0.2", "--map", "10.66.0.1=127.0.0.3", "--node", "edge-1"
    )
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == ["33 messages to send, 20 answers left out", "playing to edge-1"]
    assert len([line for line in lines if "acknowledged after" in line]) == 33
    assert lines[-1].startswith("33 of 33 messages sent, 33 acknowledged, 20 answers left out, ")
    assert len(taken) == 33
    assert "10.66.0." not in json.dumps(taken)


async def test_events_are_json_lines_when_asked(start: Start, start_edge: Any) -> None:
    stub = await start()
    await start_edge(stub.url)
    done = await stub.ask("replay", str(SERVICES), "--only", "/service/", "--to", "50", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [event["event"] for event in events] == ["planned", "started", *["acked"] * 6, "finished"]
    assert {event["resource"].split("/")[1] for event in events if event["event"] == "acked"} == {"service"}


async def test_the_recording_is_found_from_where_the_command_runs(start: Start, start_edge: Any) -> None:
    stub = await start()
    await start_edge(stub.url)
    relative = SERVICES.relative_to(ROOT)
    assert (await stub.ask("replay", str(relative), "--to", "2")).code == 0


async def test_on_a_terminal_progress_is_one_line_that_changes(start: Start, start_edge: Any) -> None:
    stub = await start()
    await start_edge(stub.url)
    master, slave = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "replay", str(SERVICES), "--state-dir", str(stub.state_dir), cwd=ROOT, stdout=slave
        )
        assert await process.wait() == 0
        text = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert text.count("\n") == 3
    assert text.count("\r\x1b[K") == 34


def messages(path: Path, count: int) -> Path:
    route = {"source": "edgecontroller", "group": "resource", "operation": "insert"}
    lines = [{"route": {**route, "resource": f"default/pod/{number}"}, "content": {}} for number in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_what_was_accepted_survives_a_kill_and_every_message_is_explained(
    start: Start, start_edge: Any, tmp_path: Path
) -> None:
    stub = await start()
    path = messages(tmp_path / "m.jsonl", 20)
    done = await stub.ask("send", str(path), "--node", "edge-1")
    said = "20 messages accepted for edge-1, which has never connected since the stub started: they wait for it"
    assert (done.code, done.out) == (0, f"{said} (is the name right?)\n")
    stub.process.kill()
    await stub.process.communicate()
    again = await start()
    taken = await start_edge(again.url)
    one_more = messages(tmp_path / "one.jsonl", 1)
    done = await again.ask("send", str(one_more), "--wait", "--json")
    assert done.code == 0
    assert json.loads(done.out.splitlines()[-1])["acknowledged"] == 1
    assert [document["route"]["resource"] for document in taken[:20]] == [f"default/pod/{n}" for n in range(20)]
    ledger = await again.ask("ledger")
    assert ledger.code == 0
    assert ["cloud->edge", "21", "0", "21", "0", "0", "0", "0"] in [line.split() for line in ledger.out.splitlines()]
    assert "unexplained: 0 (" in ledger.out


async def test_a_message_that_nobody_acknowledges_is_told_and_is_exit_code_1(start: Start, tmp_path: Path) -> None:
    stub = await start("--give-up-after", "0.2", "--resend-every", "0.1")
    headers = {"Node_id": "edge-1", "ConnectionUse": "msg"}
    async with connect(stub.url, additional_headers=headers, close_timeout=1, proxy=None) as silent:
        done = await stub.ask("send", str(messages(tmp_path / "m.jsonl", 1)), "--wait")
        assert done.code == 1
        assert "default/pod/0  given up after" in done.out
        assert await silent.recv() == await silent.recv()


async def test_without_a_node_the_replay_fails_with_the_reason(start: Start) -> None:
    stub = await start()
    done = await stub.ask("replay", str(SERVICES), "--wait", "0")
    assert done.code == 1
    assert "waiting for a node to connect, 0 s at most" in done.out
    assert done.err == "cloudhub-stub: cannot replay: no node connected within 0 s\n"


async def test_a_missing_recording_fails_with_its_name(start: Start, tmp_path: Path) -> None:
    stub = await start()
    done = await stub.ask("replay", str(tmp_path / "none.jsonl"))
    assert done.code == 1
    assert "none.jsonl: No such file or directory" in done.err


@pytest.fixture
async def waiting_replay(start: Start) -> AsyncIterator[tuple[RunningStub, asyncio.subprocess.Process]]:
    """A stub, and a replay that waits for a node to connect to it."""
    stub = await start()
    replay = await asyncio.create_subprocess_exec(
        *(*COMMAND, "replay", str(SERVICES), "--state-dir", str(stub.state_dir)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert replay.stdout is not None
    while b"waiting" not in await replay.stdout.readline():
        assert replay.returncode is None
    yield stub, replay
    with suppress(ProcessLookupError):
        replay.kill()
    await replay.communicate()


async def test_a_replay_that_the_stub_does_not_survive_fails(
    waiting_replay: tuple[RunningStub, asyncio.subprocess.Process],
) -> None:
    stub, replay = waiting_replay
    await stub.stop()
    _, err = await replay.communicate()
    assert replay.returncode == 1
    assert err.decode().startswith("cloudhub-stub: cannot ")


async def test_an_interrupted_replay_stops_in_the_stub_too(
    waiting_replay: tuple[RunningStub, asyncio.subprocess.Process], start_edge: Any
) -> None:
    stub, replay = waiting_replay
    replay.send_signal(signal.SIGINT)
    await replay.communicate()
    assert replay.returncode == 130
    taken = await start_edge(stub.url)
    assert (await stub.ask("replay", str(SERVICES), "--to", "2")).code == 0
    assert len(taken) == 1


async def test_nodes_and_status_show_who_is_there(start: Start, start_edge: Any) -> None:
    stub = await start()
    assert (await stub.ask("nodes")).out == "no node has connected yet\n"
    await start_edge(stub.url)
    assert "edge-1" in (await stub.ask("nodes")).out
    (node,) = json.loads((await stub.ask("nodes", "--json")).out)
    assert (node["name"], node["connected"]) == ("edge-1", True)
    status = json.loads((await stub.ask("status", "--json")).out)
    assert (status["listen"], status["nodes_connected"]) == (stub.url, ["edge-1"])
    assert stub.url in (await stub.ask("status")).out


async def test_a_port_in_use_ends_the_second_stub_with_the_reason(start: Start, tmp_path: Path) -> None:
    stub = await start()
    address = stub.url.removeprefix("ws://")
    done = await command("run", "--plain", "--listen", address, "--state-dir", str(tmp_path / "other"))
    assert done.code == 1
    assert f"cloudhub-stub: cannot listen on {address}: another program listens there" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "other" / "control.sock").exists()


async def test_a_second_stub_with_the_same_state_directory_is_refused(start: Start) -> None:
    stub = await start()
    done = await command("run", "--plain", "--listen", "127.0.0.1:0", "--state-dir", str(stub.state_dir))
    assert done.code == 1
    assert f"cannot listen on {stub.state_dir / 'control.sock'}: another cloudhub-stub is running there" in done.err


async def test_the_metrics_are_where_the_banner_says(start: Start) -> None:
    stub = await start("--observe", "127.0.0.1:0")
    assert stub.process.stdout is not None
    line = (await stub.process.stdout.readline()).decode()
    host, port = line.split()[-1].removeprefix("http://").removesuffix("/metrics").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert "cloudhub_nodes_connected 0.0" in answer


@pytest.fixture
async def with_tls(start: Start) -> tuple[RunningStub, str]:
    """A stub with TLS on free ports, and the rest of what it prints at start."""
    stub = await start("--https", "127.0.0.1:0")
    assert stub.process.stdout is not None
    return stub, b"".join([await stub.process.stdout.readline() for _ in range(3)]).decode()


async def test_the_banner_says_how_an_edge_joins_without_telling_the_token(with_tls: tuple[RunningStub, str]) -> None:
    stub, rest = with_tls
    status = json.loads((await stub.ask("status", "--json")).out)
    assert status["listen"] in stub.banner
    join = f"edgecore join --user --server {status['listen'].removeprefix('wss://')} --https {status['https']}"
    assert f"certificates      {status['https']}" in rest
    assert f"  cloudhub-stub token --state-dir {stub.state_dir} | {join} --token-file -\n" in rest
    assert (await stub.ask("token")).out.strip() not in stub.banner + rest


async def test_the_token_is_the_same_from_the_stub_and_from_its_file(with_tls: tuple[RunningStub, str]) -> None:
    stub, _ = with_tls
    token = (await stub.ask("token")).out
    assert len(token.split(".")) == 4
    assert (await stub.ask("token", "--file")).out == token
    told = json.loads((await stub.ask("token", "--json")).out)
    assert (told["token"], told["file"]) == (token.strip(), str(stub.state_dir / "token"))
    assert told["expires_at"].endswith("Z")


async def test_no_secret_is_logged_and_the_files_outlive_the_stub(with_tls: tuple[RunningStub, str]) -> None:
    stub, _ = with_tls
    token = (await stub.ask("token")).out.strip()
    done = await stub.stop()
    assert done.code == 0
    assert token.rpartition(".")[2] not in done.err
    assert sorted(path.name for path in stub.state_dir.iterdir()) == ["cloudhub.db", "cloudhub.db.lock", "pki", "token"]
    assert (await stub.ask("token", "--file")).out.strip() == token


async def test_a_plain_stub_has_no_token_and_says_why(start: Start) -> None:
    stub = await start()
    done = await stub.ask("token")
    assert (done.code, done.out) == (1, "")
    assert "cannot use tokens: the stub runs with --plain" in done.err


async def test_half_a_pair_of_files_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    arguments = ("--listen", "127.0.0.1:0", "--https", "127.0.0.1:0", "--state-dir", str(tmp_path / "state"))
    done = await command("run", *arguments, "--cert-file", "x.pem")
    assert done.code == 1
    assert "cloudhub-stub: cannot use --cert-file alone: give --key-file too, or neither\n" in done.err
