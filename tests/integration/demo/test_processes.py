"""The programs of the demonstration: small Python programs stand for them, and a double for their control sockets."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edgecore.demo import processes
from edgecore.demo.processes import Program
from edgecore.errors import ControlError, EdgecoreError

WAIT = "import signal; print('begun'); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun')\nwhile True: signal.pause()"


class ScriptedControl:
    """Answers with one status after the other, and with the last one from then on; ``None``: nobody there yet."""

    def __init__(self, *answers: dict[str, Any] | None) -> None:
        self._answers = list(answers)

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/v1/status"
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        if answer is None:
            raise ControlError("cannot reach the node")
        return answer


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Program]:
    """``make(text, *answers)``: a program of that text, whose control socket answers so."""

    def program(text: str, *answers: dict[str, Any] | None) -> Program:
        made = Program("example", ["timeit", "-n", "1", "-r", "1", text], tmp_path / "log", tmp_path / "none.sock")
        vars(made)["control"] = ScriptedControl(*answers)
        return made

    return program


def begun(program: Program) -> int:
    """Wait for the program's first line, or until the test's timeout; return its process id."""
    while "begun" not in program.log.read_text():
        pass
    assert program._process is not None
    return program._process.pid


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_status_that_is_ready_is_returned(make: Callable[..., Program]) -> None:
    with make(WAIT, None, {"n": 1}, {"n": 2}) as program:
        assert program.wait_for("two", lambda status: status["n"] == 2) == {"n": 2}


def test_the_end_of_the_block_ends_the_program(make: Callable[..., Program]) -> None:
    with make(WAIT) as program:
        pid = begun(program)

    assert not runs(pid)


def test_an_error_in_the_block_ends_the_program(make: Callable[..., Program]) -> None:
    pids: list[int] = []
    with suppress(KeyboardInterrupt), make(WAIT) as program:
        pids.append(begun(program))
        raise KeyboardInterrupt

    assert [runs(pid) for pid in pids] == [False]


def test_a_program_that_does_not_end_when_told_is_killed(
    make: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.1)
    with make(STUBBORN) as program:
        pid = begun(program)

    assert not runs(pid)
    assert program._process is not None
    assert program._process.returncode == -signal.SIGKILL


def test_a_program_that_has_ended_by_itself_is_left_alone(make: Callable[..., Program]) -> None:
    with make("pass") as program:
        assert program._process is not None
        program._process.wait()

    assert program._process.returncode == 0


def test_a_program_that_ends_while_it_is_waited_for_is_an_error_with_the_end_of_its_log(
    make: Callable[..., Program],
) -> None:
    with (
        make("print('so long'); raise SystemExit(3)", None) as program,
        pytest.raises(EdgecoreError, match=r"(?s)example ended by itself, waiting for the start\n.*\n    so long"),
        program.explaining(),
    ):
        program.wait_for("the start", lambda _: True)


def test_what_never_happens_is_an_error_with_the_end_of_the_log(
    make: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_TIMEOUT_S", 0.1)
    with make(WAIT, {"n": 1}) as program:
        begun(program)
        with (
            pytest.raises(EdgecoreError, match=r"(?s)example: the start did not happen in 0 s\n.*begun"),
            program.explaining(),
        ):
            program.wait_for("the start", lambda _: False)


def test_ctrl_c_of_the_terminal_does_not_reach_the_program(make: Callable[..., Program]) -> None:
    with make(WAIT) as program:
        assert os.getpgid(begun(program)) != os.getpgid(0)


def test_only_the_last_lines_of_a_long_log_are_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"".join(b"line %d\n" % number for number in range(100)) + b"\xff\n")

    program = Program("example", [], tmp_path / "log", tmp_path / "none.sock")
    with pytest.raises(EdgecoreError) as caught, program.explaining():
        raise ConnectionRefusedError("nobody there")

    shown = str(caught.value).splitlines()
    assert shown[:2] == ["nobody there", f"the end of {tmp_path}/log:"]
    assert [line.strip() for line in shown[2:]] == [f"line {number}" for number in range(86, 100)] + ["\ufffd"]
