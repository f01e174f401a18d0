"""Programs as child processes: a small one of our own stands for edges and stubs; and what holds them on the leash."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloudhub_stub.testing import processes
from cloudhub_stub.testing.errors import ProgramFailed
from cloudhub_stub.testing.processes import Json, Program, run_to_end
from edgecore.control.client import ControlClient

PATIENCE_S = 10.0
SERVER = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from edgecore.control.server import ControlServer
    from edgecore.control.signals import stop_on_signal

    async def main(path, behaviour):
        stopped = stop_on_signal()
        async def status(_request):
            return {"ready": behaviour != "never ready", "stdin": sys.stdin.read()}
        server = ControlServer(Path(path), {("GET", "/v1/status"): status})
        await server.start()
        print("it listens", flush=True)
        await stopped.wait()
        if behaviour == "stubborn":
            await asyncio.sleep(60)
        await server.stop()
        sys.exit(3 if behaviour == "ends badly" else 0)

    if sys.argv[2] == "fails":
        sys.exit("it cannot start")
    asyncio.run(main(*sys.argv[1:]))
"""


class SmallProgram(Program):
    """Serves a status; behaves as it is told."""

    def __init__(self, directory: Path, behaviour: str = "well") -> None:
        super().__init__("small", ControlClient(directory / "small.sock", timeout_s=5), directory / "small.log")
        self._arguments = [str(directory / "small.sock"), behaviour]

    def command(self) -> list[str]:
        return ["small_program", *self._arguments]

    def is_ready(self, status: Json) -> bool:
        return bool(status["ready"])


@pytest.fixture(autouse=True)
def _small_program_is_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "small_program.py").write_text(textwrap.dedent(SERVER))
    monkeypatch.setenv("PYTHONPATH", str(modules))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[SmallProgram]:
    program = SmallProgram(tmp_path)
    yield program
    program.kill()


def failing(tmp_path: Path, behaviour: str) -> tuple[SmallProgram, str]:
    """Start such a program, and return it with what is said."""
    program = SmallProgram(tmp_path, behaviour)
    with pytest.raises(ProgramFailed) as caught:
        program.start()
    return program, str(caught.value)


def is_there(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_program_that_was_started_answers_and_reads_nothing(program: SmallProgram) -> None:
    program.start()
    assert (program.running, program.status()) == (True, {"ready": True, "stdin": ""})


def test_a_program_that_was_stopped_is_gone_and_its_log_is_there(program: SmallProgram) -> None:
    program.start()
    program.stop()
    assert (program.running, program.pid, program.log.count("it listens")) == (False, None, 1)


def test_stopping_what_was_not_started_does_nothing(program: SmallProgram) -> None:
    program.stop()
    program.kill()
    assert not program.running


def test_a_program_is_told_to_end_only_once(program: SmallProgram) -> None:
    program.start()
    program.end()
    program.stop()  # a second signal would end it at once, with another exit code
    assert not program.running


def test_a_program_that_was_killed_can_be_started_again_and_its_log_goes_on(program: SmallProgram) -> None:
    program.start()
    first = program.pid
    program.kill()
    program.start()
    assert program.pid != first
    assert program.log.count("it listens\n") == 2


def test_a_restart_is_another_process(program: SmallProgram) -> None:
    program.start()
    first = program.pid
    program.restart()
    assert program.running
    assert program.pid != first


def test_a_program_that_runs_is_not_started_again(program: SmallProgram) -> None:
    program.start()
    with pytest.raises(ProgramFailed, match=f"cannot start small: it was started already \\(process {program.pid}\\)"):
        program.start()
    assert program.running


def test_a_program_that_ended_by_itself_says_so_once_with_its_log(program: SmallProgram) -> None:
    program.start()
    assert program.pid is not None
    os.kill(program.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while program.running and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(ProgramFailed, match=r"small ended by itself: exit code -9\nthe end of ") as caught:
        program.check()
    assert str(caught.value).endswith("    it listens")
    program.check()
    program.stop()


def test_a_program_that_cannot_start_says_so_with_its_log(tmp_path: Path) -> None:
    program, text = failing(tmp_path, "fails")
    assert text.startswith("small ended by itself: exit code 1\n")
    assert text.endswith("    it cannot start")
    assert not program.running


def test_a_program_that_does_not_become_ready_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_S", 1.0)
    program, text = failing(tmp_path, "never ready")
    assert text.startswith("cannot start small: small ready: not so within 1 s; seen last: False\nthe end of ")
    assert not program.running


def test_a_program_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_S", 0.3)
    program = SmallProgram(tmp_path, "stubborn")
    program.start()
    with pytest.raises(ProgramFailed, match=r"cannot stop small: it still ran after 0\.3 s\n"):
        program.stop()
    assert not program.running


def test_a_program_that_ends_badly_says_so(tmp_path: Path) -> None:
    program = SmallProgram(tmp_path, "ends badly")
    program.start()
    with pytest.raises(ProgramFailed, match="cannot stop small well: exit code 3\n"):
        program.stop()


PARENT = """
    import os, sys, time
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from test_processes import SmallProgram

    program = SmallProgram(Path({directory!r}), {behaviour!r})
    program.start()
    print(program.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path, number: int) -> None:
    text = textwrap.dedent(PARENT).format(here=str(Path(__file__).parent), directory=str(tmp_path), behaviour="well")
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_there(pid)
        parent.send_signal(number)
    deadline = time.monotonic() + PATIENCE_S
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_there(pid)


def test_what_a_program_prints_until_its_end_is_returned() -> None:
    assert run_to_end(["edgecore", "--version"]).startswith("edgecore ")


def test_a_program_that_fails_is_an_error_with_what_it_says() -> None:
    with pytest.raises(ProgramFailed, match=r"cannot run cloudhub_stub nonsense: exit code 2\nusage: cloudhub-stub"):
        run_to_end(["cloudhub_stub", "nonsense"])
