"""A long-running program of the lab: started in a machine, its output in a file, stopped in order."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from edgecore.lab.machine import PATH, Machine

STOP_TIMEOUT_S = 10.0


class Daemon:
    """One program, which can be started again after it ended."""

    def __init__(self, name: str, machine: Machine, words: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._machine = machine
        self._words = words
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its number in the lab while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def ended(self) -> int | None:
        """The exit code of one that has ended; minus the signal that ended it."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        """Start it. Raises ``OSError``."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._machine.command(self._words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": PATH, "PYTHONUNBUFFERED": "1"},
            )

    async def stop(self) -> None:
        """Tell it to stop, wait, and kill it if it takes too long; returns once it has ended."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
