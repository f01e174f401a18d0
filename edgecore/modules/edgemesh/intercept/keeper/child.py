"""The keeper as a child of the node: started, killed, waited for, and left alone while it lingers."""

import socket
import subprocess
import threading

from edgecore.clock import Clock
from edgecore.ownprogram import command_of, environment

EXIT_S = 2.0
"""So long after a keeper has closed its socket its end is waited for; if it lingers, no longer."""

_LOOK_AGAIN_S = 0.005
_PROGRAM = "edgecore.modules.edgemesh.intercept.keeper.keeper"


class Child:
    """A process that has ``sock``, finds the program where this one did, and is in a session of its own.

    Not by asyncio: that kills what still runs when the loop is closed. Raises ``OSError``.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this very Python, and no shell
            command_of(_PROGRAM, str(sock.fileno())),
            pass_fds=(sock.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
        )
        self.pid = self._process.pid

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    async def end(self, clock: Clock) -> int | None:
        """Return the exit code of one that is about to end; ``None`` if it goes on for ``EXIT_S``, and is left alone.

        It is looked at every few milliseconds: a pidfd, which could be waited for, is not everywhere.
        """
        deadline = clock.monotonic() + EXIT_S
        while (code := self._process.poll()) is None:
            if clock.monotonic() >= deadline:
                self.forget()
                return None
            await clock.sleep(_LOOK_AGAIN_S)
        return code

    def forget(self) -> None:
        """Let it outlive what knows of it. A thread takes note of its end, else it would stay a zombie of this process.

        The thread is no reason for this process to stay: then the keeper is the system's.
        """
        threading.Thread(target=self._process.wait, name="edgemesh keeper's end", daemon=True).start()
