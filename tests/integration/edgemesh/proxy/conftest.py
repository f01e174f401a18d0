"""A proxy on loopback with backends that do what a test tells them, and clients that send exact bytes."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest
import uvloop

from edgecore.clock import Clock, SystemClock
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.server import Listening, MeshProxy
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Handling, Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.observe.metrics import Metrics
from tests.support.upstreams import fresh_upstreams, port_spec

NGINX = ServiceKey("default", "nginx-svc")

NOWHERE = Endpoint("", 0)

Serve = Callable[[StreamReader, StreamWriter], Coroutine[Any, Any, None]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both event loops: uvloop is what the node uses, asyncio is what others may use."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


class FakeDirectory:
    """Services by name, each with a list of endpoints that take turns, or with a refusal."""

    def __init__(self, clock: Clock) -> None:
        self.services: dict[ServiceKey, list[Endpoint] | Refusal] = {}
        self.asked: list[tuple[ServiceKey, int]] = []
        self.upstreams = fresh_upstreams(clock)
        self.policy = Policy()
        self.handling: Handling = "http"

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        name, _, rest = host.partition(".")
        key = ServiceKey(rest.partition(".")[0] or "default", name)
        return key if key in self.services else Refusal(503, "unknown_service", f"cannot reach {host}:{port}: unknown")

    def upstream(self, service: ServiceKey, port: int, transport: Transport = "tcp") -> Upstream | Refusal:
        self.asked.append((service, port))
        found = self.services.get(service, Refusal(503, "unknown_service", f"cannot reach {service}: unknown"))
        if isinstance(found, Refusal):
            return found
        return self.upstreams.put(
            port_spec(service, port, found, transport=transport, policy=self.policy, handling=self.handling)
        )


@dataclass
class Received:
    """One request as h11 read it: what h11 takes apart without complaint is well-formed."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]]
    connection: int

    def values(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found == name.lower()]


@dataclass
class ScriptedBackend:
    """Accepts connections; ``serve`` says what happens on each."""

    serve: Serve
    host: str = "127.0.0.1"
    connections: int = 0
    open: int = 0
    requests: list[Received] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    endpoint: Endpoint = NOWHERE
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> "ScriptedBackend":
        self._server = await asyncio.start_server(self._accepted, self.host, self.endpoint.port)
        self.endpoint = Endpoint(*self._server.sockets[0].getsockname()[:2])
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None
        if self.failures:
            raise self.failures[0]

    async def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()

    async def next_request(self, reader: StreamReader, writer: StreamWriter, judge: h11.Connection) -> Received | None:
        """Read one request to its end, asking for the body if need be; None when the connection ends in its place."""
        request: h11.Request | None = None
        number = self.connections
        body = b""
        while True:
            event = judge.next_event()
            if event is h11.NEED_DATA:
                if judge.they_are_waiting_for_100_continue:
                    writer.write(
                        judge.send(h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[])) or b""
                    )
                data = await reader.read(65536)
                if not data:
                    return None
                judge.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                received = Received(
                    request.method, request.target, list(request.headers), body, list(event.headers), number
                )
                self.requests.append(received)
                return received
            else:
                return None


Script = Callable[[Received], bytes]


def answering(script: Script) -> ScriptedBackend:
    """Answer with the bytes that ``script`` gives for each request.

    The connection is closed after Connection: close and after bytes with the attribute ``closes``; after 101 it echoes.
    """

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        judge = h11.Connection(h11.SERVER)
        while (request := await backend.next_request(reader, writer, judge)) is not None:
            data = script(request)
            writer.write(data)
            await writer.drain()
            if data.startswith(b"HTTP/1.1 101 "):
                while chunk := await reader.read(65536):
                    writer.write(chunk)
            if getattr(data, "closes", False) or b"\r\nConnection: close\r\n" in data:
                return
            judge.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            judge.send(h11.EndOfMessage())
            judge.start_next_cycle()

    backend = ScriptedBackend(serve)
    return backend


def echo(request: Received) -> bytes:
    body = b"%b %b body=%d\n" % (request.method, request.target, len(request.body))
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + (b"" if request.method == b"HEAD" else body)


@dataclass
class RawClient:
    """A client that sends exact bytes and shows exact bytes."""

    reader: StreamReader
    writer: StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, end: bytes) -> bytes:
        """Return what comes, up to and including ``end``."""
        return await asyncio.wait_for(self.reader.readuntil(end), 5)

    async def exactly(self, number: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(number), 5)

    async def rest(self) -> bytes:
        """Return what comes until the proxy closes the connection."""
        return await asyncio.wait_for(self.reader.read(), 10)

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """Read one answer with a length: its status, headers and body."""
        head = await self.until(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        body = await self.exactly(int(headers.get(b"Content-Length", 0)))
        return int(first.split()[1]), headers, body

    async def get(self, path: str = "/", *lines: str) -> tuple[int, dict[bytes, bytes], bytes]:
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: nginx-svc.default:12345", *lines])
        await self.send(head.encode() + b"\r\n\r\n")
        return await self.answer()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass
class Rig:
    """The proxy under test and what is around it."""

    proxy: MeshProxy
    directory: FakeDirectory
    metrics: Metrics
    served: list[Served]
    _cleanup: contextlib.AsyncExitStack

    @property
    def gateway(self) -> Gateway:
        """What all connections of the proxy share."""
        return self.proxy._gateway

    async def backend(self, script: Script = echo, *, host: str = "127.0.0.1") -> ScriptedBackend:
        """Start a backend that answers with what ``script`` says, and let the service have it."""
        return await self.add(answering(script), host)

    async def raw_backend(self, serve: Serve, *, host: str = "127.0.0.1") -> ScriptedBackend:
        """Start a backend that does ``serve`` on each connection, and let the service have it."""
        return await self.add(ScriptedBackend(serve), host)

    async def add(self, backend: ScriptedBackend, host: str) -> ScriptedBackend:
        backend.host = host
        await backend.start()
        self._cleanup.push_async_callback(backend.stop)
        endpoints = self.directory.services.setdefault(NGINX, [])
        assert isinstance(endpoints, list)
        endpoints.append(backend.endpoint)
        return backend

    async def listen(self, service: ServiceKey | None = NGINX) -> Listening:
        return await self.proxy.listen("127.0.0.1", 0, service)

    async def connect(self, listener: Listening) -> RawClient:
        reader, writer = await asyncio.open_connection(*listener.address)
        client = RawClient(reader, writer)
        self._cleanup.push_async_callback(client.close)
        return client

    async def client(self) -> RawClient:
        """A client of a new listener of the service."""
        return await self.connect(await self.listen())

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until ``holds()``; how long real sockets take is up to the system."""
        for _ in range(1000):
            if holds():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never came to hold")

    def requests(self, listener: Listening) -> dict[str, int]:
        """Return the statuses counted for a listener's service."""
        name = f"{listener.service}:{listener.address.port}"
        codes: dict[str, int] = self.proxy.status()["requests"].get(name, {"codes": {}})["codes"]
        return codes

    def upstream(self, listener: Listening) -> Upstream:
        """Return what forwards for a listener's service."""
        assert listener.service is not None
        upstream = self.directory.upstreams.get((listener.service, listener.address.port, "tcp"))
        assert upstream is not None
        return upstream

    def errors(self) -> dict[str, int]:
        errors: dict[str, int] = self.proxy.status()["errors"]
        return errors


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def make_rig() -> AsyncIterator[MakeRig]:
    """Make rigs; all is stopped afterwards."""
    async with contextlib.AsyncExitStack() as cleanup:

        async def make(clock: Clock | None = None, policy: Policy | None = None, **limits: Any) -> Rig:
            clock = clock or SystemClock()
            directory, metrics, served = FakeDirectory(clock), Metrics(), list[Served]()
            directory.policy = policy or directory.policy
            proxy = MeshProxy(
                directory, directory.upstreams, clock, metrics, ProxyLimits(**limits), access=served.append
            )
            cleanup.push_async_callback(proxy.stop)
            return Rig(proxy, directory, metrics, served, cleanup)

        yield make


@pytest.fixture
async def rig(make_rig: MakeRig) -> Rig:
    return await make_rig()


@pytest.fixture
def nginx() -> ServiceKey:
    return NGINX
