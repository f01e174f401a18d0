"""What signals do to a program: stop it, end it at once, or have it read its configuration again."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE_S = 20.0
PROGRAM = textwrap.dedent("""
    import asyncio, signal, sys, time
    from pathlib import Path
    from edgecore.control.signals import stop_on_signal

    diary = Path(sys.argv[1])

    def note(text):
        with diary.open("a") as file:
            file.write(text + "\\n")

    async def main():
        stopped = stop_on_signal((lambda: note("reload")) if sys.argv[2] == "reloads" else None)
        note("ready")
        await stopped.wait()
        note("stop")
        if sys.argv[3] == "hangs":
            await asyncio.Event().wait()

    if sys.argv[3] == "nohup":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.run(main())
""")
Start = Callable[..., "subprocess.Popen[bytes]"]


class Diary:
    """What the program wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        return self.path.read_text().split() if self.path.exists() else []

    def wait_for(self, *lines: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.lines() != [*lines]:
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.01)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path / "diary.txt")


@pytest.fixture
def start(diary: Diary) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(reloads: str = "reloads", how: str = "", terminal: int | None = None) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", PROGRAM, str(diary.path), reloads, how]
        process = subprocess.Popen(command, stdin=terminal or subprocess.DEVNULL, start_new_session=terminal is None)
        started.append(process)
        diary.wait_for("ready")
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE])
def test_a_signal_without_meaning_ends_nothing(start: Start, diary: Diary, number: signal.Signals) -> None:
    process = start()
    process.send_signal(number)
    process.send_signal(signal.SIGHUP)
    diary.wait_for("ready", "reload")
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_sighup_is_a_reload_each_time_and_sigterm_the_end(start: Start, diary: Diary) -> None:
    process = start()
    process.send_signal(signal.SIGHUP)
    diary.wait_for("ready", "reload")
    process.send_signal(signal.SIGHUP)
    diary.wait_for("ready", "reload", "reload")
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_sighup_ends_a_program_that_cannot_reload(start: Start, diary: Diary) -> None:
    process = start("stops")
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_program_that_hangs_at_once(start: Start, diary: Diary, first: int, second: int) -> None:
    process = start(how="hangs")
    process.send_signal(first)
    diary.wait_for("ready", "stop")
    process.send_signal(second)
    assert process.wait(PATIENCE_S) == -second


@pytest.mark.parametrize(
    ("reloads", "first"), [("reloads", signal.SIGTERM), ("stops", signal.SIGTERM), ("stops", signal.SIGHUP)]
)
def test_sighup_does_not_cut_short_a_program_that_stops(start: Start, diary: Diary, reloads: str, first: int) -> None:
    process = start(reloads, "hangs")
    process.send_signal(first)
    diary.wait_for("ready", "stop")
    process.send_signal(signal.SIGHUP)
    process.terminate()
    assert process.wait(PATIENCE_S) == -signal.SIGTERM


def in_a_terminal(*arguments: str) -> tuple[int, int]:
    """Start the program as the leader of the session of a new terminal; return its id and the terminal's other end."""
    process, terminal = pty.fork()
    if process == 0:
        with suppress(BaseException):
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, *arguments])
        os._exit(127)
    return process, terminal


@pytest.mark.parametrize(("how", "ends"), [("", True), ("nohup", False)])
def test_the_end_of_the_terminal_ends_the_program_but_for_nohup(diary: Diary, how: str, ends: bool) -> None:
    process, terminal = in_a_terminal(str(diary.path), "reloads", how)
    try:
        diary.wait_for("ready")
        os.kill(process, signal.SIGHUP)  # the terminal is still there
        diary.wait_for("ready", "reload")
        os.close(terminal)
        if ends:
            diary.wait_for("ready", "reload", "stop")
        else:
            diary.wait_for("ready", "reload", "reload")
            os.kill(process, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        process = 0
    finally:
        if process:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
