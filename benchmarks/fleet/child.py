"""Another process, told what to do line by line, and what it costs."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
STUB, PEER = "stub", "peer"
"""The servers that are compared."""


class Child:
    """One of the other processes."""

    def __init__(self, stack: ExitStack, *command: str) -> None:
        environment = os.environ | {"PYTHONPATH": f"{HERE.parent}:{HERE}"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, *command], env=environment, start_new_session=True, **pipes)
        self._stop = stack.enter_context(ExitStack())
        self._stop.callback(self._end)

    def line(self) -> Any:
        """Return the next value that it prints."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise SystemExit(f"{self.process.args!r} ended with {self.process.wait()}")
        return json.loads(text)

    def tell(self, *what: Any) -> Any:
        """Say what to do; return what it says when it has done it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return self.line()

    def cpu_s(self) -> float:
        """Return the processor time it has used."""
        return cpu_s(self.process.pid)

    def rss_bytes(self) -> int:
        """Return the memory it holds."""
        return rss_bytes(self.process.pid)

    def stop(self) -> None:
        """End it."""
        self._stop.close()

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    threads = Path("/proc", str(pid), "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def rss_bytes(pid: int) -> int:
    """Return the memory that a process holds."""
    fields = Path("/proc", str(pid), "statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
