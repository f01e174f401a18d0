"""The HTTPS port of a cloudcore of 1.3.1, as a node sees it, answering as a test says; and what fuzzing needs."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import structlog

from edgecore.recording.entries import Direction
from fuzz.health import Complaints, Growth
from fuzz.mutation import Mutator, recorded

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""``X509_V_FLAG_NO_CHECK_TIME`` of OpenSSL: the tests have a clock of their own."""


class HttpRequest(NamedTuple):
    """What came, to the byte."""

    head: str
    body: bytes
    shown: dict[str, Any] | None
    """The certificate of the client, where it showed one."""

    @property
    def path(self) -> str:
        return self.head.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.rstrip("\r\n").split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)


Answer = Callable[[HttpRequest], bytes | Awaitable[bytes]]


class CertificateCloud:
    """Serves ``/ca.crt`` and ``/edge.crt`` as Go does; ``answers`` replaces what one of the two says."""

    def __init__(self, authority: Any, folder: Path) -> None:
        self.authority = authority
        self.requests: list[HttpRequest] = []
        self.answers: dict[str, Answer] = {}
        self.sign: Callable[[bytes], bytes] = authority.sign
        self.port = 0
        self._folder = folder
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def start(self, address: str = "127.0.0.1") -> None:
        """Listen on 127.0.0.1, on the same port as before if there was one, with a certificate for ``address``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.server_files(self._folder, address))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.pem.decode())
        context.verify_flags |= NO_CHECK_TIME
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            shown = writer.get_extra_info("peercert") or None
            request = HttpRequest(head, b"", shown)
            size = int(request.headers.get("Content-Length", "0"))
            request = request._replace(body=await reader.readexactly(size))
            self.requests.append(request)
            answer = self.answers.get(request.path, self._as_go)(request)
            writer.write(answer if isinstance(answer, bytes) else await answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    def _as_go(self, request: HttpRequest) -> bytes:
        if request.path == "/ca.crt":
            return reply(200, self.authority.der)
        if request.path != "/edge.crt":
            return reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
        if request.shown is None and (status := self._judged(request.headers.get("Authorization", ""))) != 200:
            return reply(status, b"Invalid authorization token", "text/plain; charset=utf-8")
        return reply(200, self.sign(request.body))

    def _judged(self, authorization: str) -> int:
        words = authorization.split(" ")
        if len(words) != 2:
            return 401
        try:
            jwt.decode(words[1], self.authority.secret, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return 400
        return 200


def reply(status: int, body: bytes, kind: str = "application/octet-stream") -> bytes:
    """Return an answer as Go writes it."""
    head = f"HTTP/1.1 {status} Because\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + body


@pytest.fixture(scope="session", name="reply")
def reply_fixture() -> Callable[..., bytes]:
    return reply


@pytest.fixture
async def certificate_cloud(
    authority: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CertificateCloud]:
    """A cloud that listens."""
    cloud = CertificateCloud(authority, tmp_path_factory.mktemp("cloud"))
    await cloud.start()
    yield cloud
    await cloud.stop()


# Fuzzing.

FUZZED_FRAMES = 5_000
"""Each way in a short run."""


@pytest.fixture
def mutator(request: pytest.FixtureRequest, scale: int) -> Callable[[Direction], Mutator]:
    """mutator(direction): what changes the frames that were recorded in this direction."""
    seed = int(os.environ.get("EDGECORE_FUZZ_SEED") or request.config.getoption("randomly_seed", default=1))
    numbers = os.environ.get("EDGECORE_FUZZ_FRAMES", f"0:{FUZZED_FRAMES * scale}")
    first, last = (int(number) for number in numbers.split(":"))
    return lambda direction: Mutator(recorded(direction), seed, range(first, last))


@pytest.fixture
async def complaints() -> AsyncIterator[Complaints]:
    """Collect them, to the end of the test, and have none; log events go nowhere else."""
    collected = Complaints()
    structlog.configure(processors=[collected.of_log])
    logging.getLogger().addHandler(collected)
    asyncio.get_running_loop().set_exception_handler(collected.of_loop)
    yield collected
    logging.getLogger().removeHandler(collected)
    structlog.reset_defaults()
    assert not collected.found


@pytest.fixture
def growth(scale: int) -> Growth:
    """Counts from the 2,000th frame on in a short run, from the 40,000th in a long one."""
    return Growth(2000 * scale)
