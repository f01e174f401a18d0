"""A control server that answers what a test says, and the commands that ask it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloudhub_stub.cli import main
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.control.server import ControlServer

ROOT = Path(__file__).parents[4]
PATHS = ("apply", "delete", "objects", "scale", "describe", "trace", "calls", "messages", "uploads")


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class ScriptedStub:
    """Answers each path with what ``answers`` holds for it: a value, a refusal, or a function of the request."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        """The last part of the path, and the query or the body."""
        methods = dict.fromkeys(("apply", "delete", "scale", "calls", "messages"), "POST")
        routes = {(methods.get(path, "GET"), f"/v1/{path}"): self._handler(path) for path in PATHS}
        self.server = ControlServer(state_dir / "control.sock", routes)

    def _handler(self, path: str) -> Callable[[ControlRequest], Awaitable[Any]]:
        async def answer(request: ControlRequest) -> Any:
            self.asked.append((path, request.query or request.body))
            found = self.answers[path]
            if callable(found):
                found = found(request)
            if isinstance(found, ControlRefused):
                raise found
            return found

        return answer


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[ScriptedStub]:
    """A stub that listens."""
    scripted = ScriptedStub(tmp_path)
    await scripted.server.start()
    yield scripted
    await scripted.server.stop()


@pytest.fixture
def run(stub: ScriptedStub, capfd: pytest.CaptureFixture[str]) -> Callable[..., Awaitable[Done]]:
    """Run a command in this process, against the stub."""

    async def ask(*arguments: str) -> Done:
        code = await asyncio.to_thread(main, [*arguments, "--state-dir", str(stub.state_dir)])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return ask


@pytest.fixture
async def start(stub: ScriptedStub) -> AsyncIterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """Start a command as a process; killed at the end if it still runs."""
    processes: list[asyncio.subprocess.Process] = []

    async def start_one(*arguments: str, stdout: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cloudhub_stub", *arguments, "--state-dir", str(stub.state_dir)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
