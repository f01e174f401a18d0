"""``edgecore run`` where the node hangs: while it starts, and while it stops."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecore.cli.run import load_again
from edgecore.config.host import Environment
from edgecore.errors import ConfigError

PATIENCE_S = 20.0
PROGRAM = textwrap.dedent("""
    import asyncio, os, sys, time
    from pathlib import Path
    import edgecore.cli.run as run
    from edgecore.config.host import Environment
    from edgecore.config.load import parse

    diary = Path(sys.argv[1])
    hangs = sys.argv[2]

    def note(text):
        with diary.open("a") as file:
            file.write(text + "\\n")

    class HangingNode(run.Node):
        async def start(self):
            note("starts")
            note(" ".join(name for name in os.environ if name.startswith("NOTIFY")))
            if hangs == "start":
                try:
                    await asyncio.Event().wait()
                finally:
                    note("cancelled")

        async def stop(self):
            note("stops")
            if hangs == "thread":
                asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)
                await asyncio.get_running_loop().run_in_executor(None, note, "thread")
            if hangs == "stop":
                await asyncio.Event().wait()
            if hangs == "loop":
                time.sleep(600)

    run.Node = HangingNode
    run.END_S = 0.5
    loaded = parse("{control: {socket: %s}}" % (diary.parent / "s.sock"), "a", env=Environment("n", "127.0.0.1"))
    asyncio.run(run.run_until_signal(loaded))
""")
Start = Callable[..., "subprocess.Popen[str]"]
HERE = Environment("edge-1", "192.0.2.2")


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary.txt"


@pytest.fixture
def start(diary: Path) -> Iterator[Start]:
    """``start(hangs)``: run a node that hangs there, and return once it starts."""
    started: list[subprocess.Popen[str]] = []

    def begin(hangs: str, stdout: str = "", **variables: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROGRAM, str(diary), hangs]
        shell = {"closed": 'exec "$@" >&-', "full": 'exec "$@" >/dev/full', "": 'exec "$@"'}[stdout]
        process = subprocess.Popen(
            ["sh", "-c", shell, "sh", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        started.append(process)
        if hangs == "start" or stdout:
            deadline = time.monotonic() + PATIENCE_S
            while not diary.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
        else:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("node n runs; ")
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_node_that_is_told_to_stop_while_it_starts_stops(start: Start, diary: Path) -> None:
    process = start("start")
    process.send_signal(signal.SIGTERM)

    assert process.wait(PATIENCE_S) == 0
    assert diary.read_text().split() == ["starts", "cancelled", "stops"]


@pytest.mark.parametrize("hangs", ["stop", "loop"])
def test_a_node_that_hangs_as_it_stops_is_ended_and_says_where_it_was(start: Start, diary: Path, hangs: str) -> None:
    process = start(hangs)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert diary.read_text().split() == ["starts", "stops"]
    assert "Timeout (0:00:00.500000)!" in said
    assert ("in stop" in said) == (hangs == "loop")


def test_a_thread_that_hangs_does_not_hold_up_the_end(start: Start, diary: Path) -> None:
    process = start("thread")
    process.send_signal(signal.SIGTERM)
    printed, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert diary.read_text().split() == ["starts", "stops", "thread"]
    assert "threads_not_waited_for" in printed
    assert said == ""


@pytest.mark.parametrize("stdout", ["closed", "full"])
def test_a_node_runs_and_stops_where_nothing_can_be_printed(start: Start, diary: Path, stdout: str) -> None:
    process = start("", stdout)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, said) == (0, "")
    assert diary.read_text().split() == ["starts", "stops"]


def test_a_node_tells_systemd_of_its_life_and_children_do_not_inherit_the_socket(
    start: Start, diary: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE_S)
        process = start("", NOTIFY_SOCKET=str(tmp_path / "notify"))
        told = [listening.recv(1000).decode().partition("\n")[0]]
        process.send_signal(signal.SIGHUP)
        told += [listening.recv(1000).decode().partition("\n")[0] for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        told.append(listening.recv(1000).decode())
        assert process.wait(PATIENCE_S) == 0
    assert told == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert "NOTIFY_SOCKET" not in diary.read_text()


def test_sighup_while_a_node_starts_does_not_make_it_ready(start: Start, diary: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE_S)
        process = start("start", NOTIFY_SOCKET=str(tmp_path / "notify"))
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert listening.recv(1000).decode() == "STOPPING=1"
        assert process.wait(PATIENCE_S) == 0


def test_a_file_that_may_never_end_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "edgecore.yaml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=r"again: it is no regular file; restart the node"):
        load_again(path, env=HERE)
    path.unlink()
    with pytest.raises(ConfigError, match="it does not exist"):
        load_again(path, env=HERE)
    path.mkdir()
    with pytest.raises(ConfigError, match="it is a directory"):
        load_again(path, env=HERE)
    path.rmdir()
    path.write_text("kind: EdgeCore")
    assert load_again(path, env=HERE).config.node_name == "edge-1"


def test_a_node_that_stops_is_ended_by_nobody(start: Start, diary: Path) -> None:
    process = start("")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, said) == (0, "")
