"""Programs as child processes: started until they answer, stopped, killed, started again; never left behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import cloudhub_stub
from cloudhub_stub.testing.errors import NotYet, ProgramFailed
from cloudhub_stub.testing.waiting import until
from edgecore.control.client import ControlClient

T = TypeVar("T")
Json = dict[str, Any]

START_S = 30.0
STOP_S = 15.0
"""How long a program may take to end when it is told to."""
TAIL_LINES = 25
_TAIL_BYTES = 16 * 1024
_LEASH = "cloudhub_stub.testing.leash"


class Program:
    """A long-running program that answers ``/v1/status`` on a control socket.

    What it prints and logs is appended to ``log_path``. It ends with this process at the latest (``leash.py``).
    """

    def __init__(self, name: str, control: ControlClient, log_path: Path) -> None:
        self.name = name
        self.control = control
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._told_to_end = False

    def command(self) -> list[str]:
        """Return the module and its arguments."""
        raise NotImplementedError

    def is_ready(self, status: Json) -> bool:
        """Whether a program with this status can be used."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process; ``None`` while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def log(self) -> str:
        """All that it has printed and logged, over all starts."""
        return self.log_path.read_text("utf-8", errors="replace") if self.log_path.exists() else ""

    def status(self) -> Json:
        """Return what its command ``status --json`` prints. Raises ``ControlError`` while it does not answer."""
        found: Json = self.control.get("/v1/status")
        return found

    def brief_status(self) -> Json:
        """Return what of ``status`` costs the process little. Raises ``ControlError`` while it does not answer."""
        return self.status()

    def ledger(self) -> Json:
        """Return what its command ``ledger --json`` prints. Raises ``ControlError`` while it does not answer."""
        found: Json = self.control.get("/v1/ledger")
        return found

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ``ProgramFailed``, with nothing left running."""
        __tracebackhide__ = True  # pytest shows the line of the test
        if self._process is not None:
            raise ProgramFailed(f"cannot start {self.name}: it was started already (process {self._process.pid})")
        self._told_to_end = False
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, by a list of arguments
                [sys.executable, "-m", _LEASH, *self.command()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment(os.environ),
                start_new_session=True,  # Ctrl-C goes to the tests, which stop what they started, in order
            )
        try:
            wait_for(self._looks_ready, f"{self.name} ready", START_S)
        except NotYet as error:
            self.kill()
            raise ProgramFailed(f"cannot start {self.name}: {error}\n{tail(self.log_path)}") from error
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Tell it to end, as Ctrl-C does, and wait; does nothing where it was not started.

        Raises ``ProgramFailed`` if it had ended by itself, does not end in time (it is killed then), or not well.
        """
        if self._process is None:
            return
        try:
            self.end()
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            text = f"cannot stop {self.name}: it still ran after {STOP_S:g} s"
            raise ProgramFailed(f"{text}\n{tail(self.log_path)}") from error
        finally:
            self.kill()
        if code:
            raise ProgramFailed(f"cannot stop {self.name} well: exit code {code}\n{tail(self.log_path)}")

    def end(self) -> None:
        """Tell it to end, once, and do not wait. Raises ``ProgramFailed`` if it had ended by itself."""
        if self._process is not None and not self._told_to_end:
            self.check()
            self._told_to_end = True
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, as a power cut would; does nothing where it was not started."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None  # noqa: S101 - it was started with a pipe
            process.stdin.close()

    def restart(self) -> None:
        """Stop it and start it again, with the same files. Raises ``ProgramFailed``."""
        self.stop()
        self.start()

    def check(self) -> None:
        """Raise ``ProgramFailed`` if it was started and has ended by itself; once, and then it can be started again."""
        __tracebackhide__ = True
        process = self._process
        if process is not None and process.poll() is not None and not self._told_to_end:
            self.kill()
            raise ProgramFailed(f"{self.name} ended by itself: exit code {process.returncode}\n{tail(self.log_path)}")

    def _looks_ready(self) -> bool:
        __tracebackhide__ = True
        self.check()
        return self.is_ready(self.brief_status())


def wait_for(look: Callable[[], T], what: str, timeout_s: float) -> T:
    """Return what ``look`` returns, once that is true. Raises ``NotYet`` (``waiting.py``)."""
    __tracebackhide__ = True
    return until(look, what, timeout_s, monotonic=time.monotonic, pause=time.sleep)


def run_to_end(arguments: list[str], given: str = "") -> str:
    """Run a program of ours to its end with ``given`` as its input, and return what it prints.

    Raises ``ProgramFailed`` with what it says, where it fails or takes longer than ``START_S``.
    """
    __tracebackhide__ = True
    name = " ".join(arguments[:2])
    try:
        done = subprocess.run(  # noqa: S603 - our own programs, by a list of arguments
            [sys.executable, "-m", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
            env=environment(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(f"cannot run {name}: it still ran after {START_S:g} s") from error
    if done.returncode:
        raise ProgramFailed(f"cannot run {name}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a child finds the same packages as this process, installed or in a clone."""
    root = Path(cloudhub_stub.__file__).parents[1]
    if root.name in {"site-packages", "dist-packages"}:
        return dict(inherited)
    others = inherited.get("PYTHONPATH")
    return {**inherited, "PYTHONPATH": f"{root}{os.pathsep}{others}" if others else str(root)}


def tail(log: Path) -> str:
    """Return the end of a log, for an error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    except OSError:
        lines = []
    if not lines:
        return f"nothing is in {log}"
    return "\n".join([f"the end of {log}:", *(f"    {line}" for line in lines)])
