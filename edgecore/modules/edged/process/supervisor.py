"""The supervisor, a process: ``python -m edgecore.modules.edged.process.supervisor <socket>``.

It starts the processes of all containers, keeps what they print, and tells how they end. When the node is gone,
whatever ended it, the socket ends, and the supervisor kills all that runs: it is the parent of whatever loses its own
(``PR_SET_CHILD_SUBREAPER``), so that nothing gets away by leaving its group. If the supervisor itself is killed, the
system kills the processes that it started (``PR_SET_PDEATHSIG``).

It imports little and has one thread: what it forks is safe.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from edgecore.errors import ContentError
from edgecore.modules.edged.process.children import Child, adopt_orphans, adopted, spawn
from edgecore.modules.edged.process.protocol import Exited, Frames, News, Orders, Refused, Run, Signal, Started, frame

_READ_BYTES = 65_536


class Supervisor:
    """All processes of one node. ``news`` goes over a blocking socket: the node reads."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._frames: Frames[Orders] = Frames(Orders)
        self._children: dict[int, Child] = {}  # by the number that the node has given
        self._pids: dict[int, int] = {}
        self._printing: dict[int, int] = {}  # file descriptor to number
        self._poll = select.poll()
        self._ended, self._wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> None:
        """Work until the node is gone, and end all then."""
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._socket, select.POLLIN)
        self._poll.register(self._ended, select.POLLIN)
        try:
            while self._turn():
                pass
        except (ContentError, ConnectionError):
            pass  # what a node says that makes no sense is no node
        finally:
            self._end_all()

    def _turn(self) -> bool:
        for descriptor, _ in self._poll.poll():
            if descriptor == self._socket.fileno():
                data = self._socket.recv(_READ_BYTES)
                if not data:
                    return False
                for order in self._frames.feed(data):
                    self._obey(order)
            elif descriptor == self._ended:
                os.read(self._ended, _READ_BYTES)
                self._reap()
            elif descriptor in self._printing:
                self._print(self._printing[descriptor])
        return True

    def _obey(self, order: Orders) -> None:
        match order:
            case Run():
                self._start(order)
            case Signal(number, signal_number):
                child = self._children.get(number)
                if child is not None:
                    child.signal(signal_number)

    def _start(self, order: Run) -> None:
        try:
            child = spawn(order)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._say(Refused(order.id, _reason(error, order)))
            return
        self._children[order.id] = child
        self._pids[child.pid] = order.id
        if child.printed is not None:
            self._printing[child.printed] = order.id
            self._poll.register(child.printed, select.POLLIN)
        self._say(Started(order.id, child.pid))

    def _print(self, number: int) -> None:
        child = self._children[number]
        if child.copy_printed() == 0:
            self._hang_up(child)

    def _hang_up(self, child: Child) -> None:
        if child.printed is not None:
            self._poll.unregister(child.printed)
            del self._printing[child.printed]
        child.close()

    def _reap(self) -> None:
        """Take note of every process that has ended; of one that was adopted only that others may have strayed."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                number = self._pids.pop(pid, None)
                if number is not None:
                    self._finish(number, os.waitstatus_to_exitcode(status))
        self._kill_strays()

    def _finish(self, number: int, code: int) -> None:
        """Let nothing of its group outlive the first process of a container, as where that is process 1."""
        child = self._children.pop(number)
        child.signal(signal.SIGKILL)
        child.drain()
        self._hang_up(child)
        self._say(Exited(number, code))

    def _kill_strays(self) -> None:
        """Kill what left the group of a process that has ended. What loses its parent by that is looked at then."""
        with suppress(OSError):  # nothing can be opened any more: what runs is to run on
            for pid, number in adopted(self._pids):
                is_over = number not in self._children if number else not self._children
                if is_over:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)

    def _say(self, news: News) -> None:
        self._socket.sendall(frame(news))

    def _end_all(self) -> None:
        """Kill all that runs, and whatever of it is adopted then, until nothing is left."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        while True:
            for child in self._children.values():
                child.signal(signal.SIGKILL)
            for pid, _ in adopted(()):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, _ = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            number = self._pids.pop(pid, None)
            if number is not None:
                self._children.pop(number).close()


def _reason(error: Exception, order: Run) -> str:
    """Return why a process was not started, and what that is about: its command, or its directory."""
    about: str | bytes | None = None
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        about, text = error.filename, error.strerror
    word = os.fsencode(about) if isinstance(about, str | bytes) else order.command[0]
    return f"{text}: {word[:200].decode('utf-8', 'replace')}"


def main() -> None:
    """Be the supervisor. A service manager's signals are for the node; what is ignored would be in children too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    adopt_orphans()
    Supervisor(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
