"""The processes that the supervisor starts: each in a session of its own, its output kept, found when it strays."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from pathlib import Path

from edgecore.modules.edged.process.logfile import LogFile
from edgecore.modules.edged.process.protocol import Run

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
"""``prctl(2)``; Linux alone has it."""
_READ_BYTES = 65_536
_DRAINED_BYTES = 4 << 20
"""So much of what a process had printed before it ended is kept; a pipe has room for 1 MiB at most."""
_MARK = b"EDGECORE_PROCESS"
"""The variable by which a process is known however it strays: the number of its container's process."""
_MARKED = _MARK + b"="
_LONGEST_DIGITS = 18


class Child:
    """One process, and its group. ``printed`` is where its output is read; ``None`` if that is thrown away."""

    def __init__(self, number: int, process: "subprocess.Popen[bytes]", log: LogFile | None) -> None:
        self.number = number
        self.pid = process.pid
        self.printed = None if process.stdout is None else process.stdout.fileno()
        if self.printed is not None:
            os.set_blocking(self.printed, False)
        self._process = process
        self._log = log

    def signal(self, number: int) -> None:
        """Send a signal to the group, as far as there is one."""
        with suppress(ProcessLookupError, PermissionError, ValueError):
            os.killpg(self.pid, number)

    def copy_printed(self) -> int | None:
        """Copy what there is to the log, up to one read. Return its length: 0 at the end, ``None`` if none is there."""
        if self.printed is None or self._log is None:
            return 0
        try:
            data = os.read(self.printed, _READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return 0
        if data:
            with suppress(OSError):  # a full disk: what is printed is lost, and the process goes on
                self._log.write(data)
        return len(data)

    def drain(self) -> None:
        """Copy what is there, though somebody else may have the pipe and print more."""
        for _ in range(_DRAINED_BYTES // _READ_BYTES):
            if not self.copy_printed():
                return

    def close(self) -> None:
        """Let go of its output."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._log is not None:
            self._log.close()
        self.printed, self._log = None, None
        self._process.returncode = 0  # it was waited for, by its number


def spawn(order: Run) -> Child:
    """Start a process. Raises ``OSError`` or ``ValueError``."""
    log = LogFile(os.fsdecode(order.log), order.log_limit_bytes) if order.log else None
    try:
        process = subprocess.Popen(  # noqa: S603 - to run what the pod says is the purpose; no shell
            order.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if log is not None else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=order.directory,
            env={**order.variables, _MARK: str(order.id).encode()},
            start_new_session=True,
            preexec_fn=_ENDS_WITH_PARENT,  # noqa: PLW1509 - the supervisor has one thread
        )
    except BaseException:
        if log is not None:
            log.close()
        raise
    return Child(order.id, process, log)


def adopted(known: Container[int]) -> Iterator[tuple[int, int]]:
    """Yield the processes that this one has adopted, and of which of its own each is, by its number (0: not told)."""
    for pid in _children_of(os.getpid()):
        if pid not in known:
            try:
                yield pid, _number(Path(f"/proc/{pid}/environ").read_bytes())
            except OSError:
                yield pid, 0


def _children_of(parent: int) -> Iterator[int]:
    try:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_bytes()
    except OSError:  # a kernel without it
        listed = b" ".join(_with_parent(parent))
    yield from map(int, listed.split())


def _with_parent(parent: int) -> Iterator[bytes]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if len(fields) > 1 and fields[1] == str(parent).encode():
                yield entry.name.encode()


def _number(environ: bytes) -> int:
    found = next((line for line in environ.split(b"\0") if line.startswith(_MARKED)), b"")
    text = found.removeprefix(_MARKED)  # which the process may have changed
    return int(text) if text.isdigit() and len(text) <= _LONGEST_DIGITS else 0


def adopt_orphans() -> None:
    """Have the system give this process whatever its processes leave behind."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _ends_with_parent() -> Callable[[], object]:
    """Return what a process does between fork and exec: nothing that has to be loaded or takes memory."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):
        return lambda: None
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_ENDS_WITH_PARENT = _ends_with_parent()
