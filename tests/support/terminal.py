"""A terminal in which a command runs, and a person who types."""

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable

PATIENCE_S = 20.0


class Terminal:
    """A terminal of 100 by 30 in which a command runs."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.modes = termios.tcgetattr(theirs)
        self._theirs = theirs
        env = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgecore", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        self.text = ""

    async def until(self, look: Callable[[str], bool]) -> None:
        """Read until ``look`` is true of all that was printed."""
        os.set_blocking(self._ours, False)
        async with asyncio.timeout(PATIENCE_S):
            while not look(self.text):
                try:
                    self.text += os.read(self._ours, 65536).decode(errors="replace")
                except BlockingIOError:
                    await asyncio.sleep(0.02)

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    async def close(self) -> tuple[int, bool]:
        """Wait for the end; return the exit code, and whether the terminal is as it was."""
        code = await asyncio.to_thread(self.process.wait, PATIENCE_S)
        is_same = termios.tcgetattr(self._theirs) == self.modes
        os.close(self._ours)
        os.close(self._theirs)
        return code, is_same
