"""The two long-running programs of the demonstration, as child processes with their logs in files."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from edgecore.control.client import ControlClient
from edgecore.errors import ControlError, EdgecoreError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
_LOG_LINES = 15


class Program:
    """One running program; ends with its ``with`` block, however that is left."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, socket: Path) -> None:
        self.name = name
        self.log = log
        self.control = ControlClient(socket)
        self._process: subprocess.Popen[bytes] | None = None
        self._arguments = arguments

    def __enter__(self) -> "Program":
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, by a list of arguments
                [sys.executable, "-m", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to the demonstration, which ends both in order
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_for(self, what: str, ready: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the program's status once ``ready`` says yes of it.

        Raises ``EdgecoreError`` if it ends or ``START_TIMEOUT_S`` pass before.
        """
        status: dict[str, Any] = {}
        for _ in range(int(START_TIMEOUT_S / _POLL_S)):
            if self._process is not None and self._process.poll() is not None:
                raise EdgecoreError(f"{self.name} ended by itself, waiting for {what}")
            try:
                status = self.control.get("/v1/status")
            except ControlError:
                status = {}
            if status and ready(status):
                return status
            time.sleep(_POLL_S)
        raise EdgecoreError(f"{self.name}: {what} did not happen in {START_TIMEOUT_S:.0f} s")

    def soon(self, holds: Callable[[], bool]) -> bool:
        """Return True as soon as ``holds`` says so, False if it does not in ``START_TIMEOUT_S``."""
        for _ in range(int(START_TIMEOUT_S / _POLL_S)):
            if holds():
                return True
            time.sleep(_POLL_S)
        return False

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Add the end of the program's log to whatever goes wrong in the block."""
        try:
            yield
        except (OSError, http.client.HTTPException, EdgecoreError) as error:
            raise EdgecoreError(f"{error}\n{self._last_lines()}") from error

    def _last_lines(self) -> str:
        """Return the end of the program's log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join([f"the end of {self.log}:", *(f"    {line}" for line in lines)])


def stub_command(stub: Program, arguments: Sequence[str]) -> str:
    """Run a command of the stub as a user would, and return what it prints. Raises ``EdgecoreError``."""
    done = subprocess.run(  # noqa: S603 - our own program, by a list of arguments
        [sys.executable, "-m", "cloudhub_stub", *arguments, "--control", str(stub.control.path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EdgecoreError(f"cloudhub-stub {arguments[0]} failed\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
