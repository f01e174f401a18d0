"""ServiceBus on a real bus, calling a real HTTP server, or one that says what a test wants."""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, content_json
from edgecore.clock import VirtualClock, settle
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.config.schema import EdgeCoreConfig
from edgecore.ids import NewId
from edgecore.modules.servicebus import module as servicebus
from edgecore.modules.servicebus.module import CallRules, ServiceBus
from edgecore.modules.servicebus.places import Places
from edgecore.modules.servicebus.transport import Transport
from edgecore.observe.metrics import Metrics
from edgecore.wiring.servicebus import call_rules

Json = dict[str, Any]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Service:
    """A server that keeps every request, and answers with ``answer`` or as ``script`` does."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer = OK
        self.script: Script | None = None
        self.hung_up = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
            self.requests.append(head + await reader.readexactly(length))
            if self.script is not None:
                await self.script(reader, writer)
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up += 1
        finally:
            writer.close()


class Surroundings:
    """ServiceBus with a hub that keeps what is sent up."""

    def __init__(self, clock: VirtualClock, ids: NewId, metrics: Metrics, service: Service, **settings: Any) -> None:
        self.bus = Bus(clock, ids)
        self.clock = clock
        self.metrics = metrics
        self.service = service
        self.hub = self.bus.register("websocket", "hub")
        port = self.bus.register("servicebus", "bus")
        self.module = ServiceBus(
            port,
            metrics,
            Transport(clock),
            CallRules(
                Places(settings.pop("targets", {}), only_targets=settings.pop("only_targets", False)),
                timeout_s=10,
                max_calls=settings.pop("max_calls", 4),
                max_body_bytes=settings.pop("max_body_bytes", 5_000_000),
            ),
            rules_of=call_rules,
        )
        self.running: asyncio.Task[None] | None = None
        self._count = 0

    async def start(self) -> None:
        await self.module.start()
        self.running = asyncio.create_task(self.module.run())
        await settle()

    async def stop(self) -> None:
        await self.module.stop()
        self.bus.close()
        assert self.running is not None
        await asyncio.gather(self.running, return_exceptions=True)

    async def send(
        self,
        path: str = "/x",
        *,
        operation: str = "GET",
        header: Json | None = None,
        body: bytes = b"",
        **more: Any,
    ) -> str:
        """Send a call to the service, and return its id."""
        self._count += 1
        message_id = more.pop("id", f"call-{self._count}")
        content = more.pop("content", {"header": header or {}, "body": b64encode(body).decode()})
        route = Route(
            more.pop("source", "router_rest"), "user", operation, more.pop("resource", f"{self.service.port}:{path}")
        )
        raw = msgspec.Raw(msgspec.json.encode(content))
        await self.hub.send("servicebus", Message(Header(message_id), route, raw))
        await settle()
        return message_id

    async def answer(self) -> Message:
        """Return the next message to the cloud."""
        async with asyncio.timeout(10):
            return await self.hub.receive()

    async def call(self, *parts: Any, **named: Any) -> tuple[int, bytes, Json]:
        """Call the service, and return status, body and header of the answer."""
        message_id = await self.send(*parts, **named)
        message = await self.answer()
        assert message.header.parent_id == message_id
        return read(message)


def config_with(**settings: Any) -> EdgeCoreConfig:
    text = json.dumps({"modules": {"serviceBus": {"enable": True, **settings}}})
    return parse(text, "edgecore.yaml", env=Environment("edge-1", "192.0.2.2")).config


def read(message: Message) -> tuple[int, bytes, Json]:
    content = json.loads(content_json(message))
    return content["status_code"], b64decode(content["body"], validate=True), content["header"]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def make(
    vclock: VirtualClock, ids: NewId, metrics: Metrics, service: Service
) -> AsyncIterator[Callable[..., Awaitable[Surroundings]]]:
    made: list[Surroundings] = []

    async def make_(**settings: Any) -> Surroundings:
        surroundings = Surroundings(vclock, ids, metrics, service, **settings)
        made.append(surroundings)
        await surroundings.start()
        return surroundings

    yield make_
    for each in made:
        await each.stop()


@pytest.fixture
async def around(make: Callable[..., Awaitable[Surroundings]]) -> Surroundings:
    return await make()


async def test_a_call_reaches_the_service_as_it_was_asked_for(around: Surroundings, service: Service) -> None:
    header = {"X-A": ["1", "2"], "Accept": ["text/html"]}
    assert await around.call("/a:b/../c?d=%2F", operation="PUT", header=header, body=b"hello") == (
        200,
        b"ok",
        {"Content-Length": ["2"]},
    )
    head, _, body = service.requests[0].decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert (first, body) == ("PUT /a:b/../c?d=%2F HTTP/1.1", "hello")
    assert sorted(lines) == [
        "Accept: text/html",
        "Connection: close",
        "Content-Length: 5",
        f"Host: 127.0.0.1:{service.port}",
        "User-Agent: edgecore",
        "X-A: 1",
        "X-A: 2",
    ]


async def test_the_answer_goes_to_the_cloud_as_gos_does(around: Surroundings, service: Service) -> None:
    service.answer = b"HTTP/1.1 418 No\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\ncontent-length: 2\r\n\r\n\xff\x00"
    message_id = await around.send()
    message = await around.answer()
    assert message.route == Route("servicebus", "user")
    assert message.header.parent_id == message_id
    assert message.header.id not in {"", message_id}
    assert content_json(message) == (
        b'{"header":{"Content-Length":["2"],"Set-Cookie":["a=1","b=2"]},"status_code":418,"body":"/wA="}'
    )


async def test_only_accept_and_user_agent_are_added(around: Surroundings, service: Service) -> None:
    await around.call()
    lines = sorted(service.requests[0].decode().strip().split("\r\n")[1:])
    assert lines == ["Accept: */*", "Connection: close", f"Host: 127.0.0.1:{service.port}", "User-Agent: edgecore"]


async def test_a_redirect_is_an_answer(around: Surroundings, service: Service) -> None:
    service.answer = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
    status, _, header = await around.call()
    assert (status, header["Location"], len(service.requests)) == (302, ["http://192.0.2.1/"], 1)


async def test_a_compressed_body_is_left_as_it_is(around: Surroundings, service: Service) -> None:
    service.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
    assert (await around.call())[1] == b"\x1f\x8b\x00"


async def test_a_large_body_is_sent_and_a_chunked_one_taken(around: Surroundings, service: Service) -> None:
    service.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    body = bytes(range(256)) * 10_000
    assert await around.call(operation="POST", body=body) == (200, b"abc", {})
    assert service.requests[0].endswith(body)


async def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    around = await make(max_body_bytes=1000)
    service.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000
    assert (await around.call())[:2] == (200, b"x" * 1000)
    service.answer += b"x"
    status, text, header = await around.call()
    assert (status, text) == (500, b"error to receive response, err: response body too large")
    assert header == {"Server": ["kubeedge-edgecore"]}


async def test_a_body_without_end_is_not_read_beyond_the_limit(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    service.script = pour
    around = await make(max_body_bytes=1_000_000)
    assert (await around.call())[0] == 500
    async with asyncio.timeout(10):
        while not service.hung_up:
            await asyncio.sleep(0.01)


async def test_nobody_listening_is_a_service_that_cannot_be_called(around: Surroundings, unused_tcp_port: int) -> None:
    status, text, header = await around.call(resource=f"{unused_tcp_port}:x")
    assert (status, text, header) == (404, b"error to call service", {"Server": ["kubeedge-edgecore"]})
    assert around.module.status()["outcomes"] == {"not_reached": 1}


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_no_http_cannot_be_called(around: Surroundings, service: Service, answer: bytes) -> None:
    service.answer = answer
    assert (await around.call())[:2] == (404, b"error to call service")


async def test_an_answer_that_breaks_off_is_not_received(around: Surroundings, service: Service) -> None:
    service.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    assert (await around.call())[:2] == (500, b"error to receive response, err: the answer broke off")


async def test_a_silent_service_is_given_up_after_the_timeout(
    around: Surroundings, service: Service, vclock: VirtualClock
) -> None:
    service.script = _silent
    await around.send()
    await _until(lambda: bool(service.requests))
    await vclock.advance(9.9)
    assert around.module.status()["under_way"] == 1
    await vclock.advance(0.2)
    assert read(await around.answer())[:2] == (404, b"error to call service")


async def test_a_body_that_does_not_end_is_given_up_after_the_timeout(
    around: Surroundings, service: Service, vclock: VirtualClock
) -> None:
    begun = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        begun.set()
        await reader.read()

    service.script = begin
    await around.send()
    await begun.wait()
    await asyncio.sleep(0.05)  # until the client has read the header
    await vclock.advance(10.1)
    assert read(await around.answer())[:2] == (500, b"error to receive response, err: the answer did not end in time")


async def test_chunk_extensions_without_end_are_given_up_after_the_timeout(
    around: Surroundings, service: Service, vclock: VirtualClock
) -> None:
    flowing = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
        with suppress(ConnectionError):
            for number in range(1_000_000):
                writer.write(b"x" * 65_536)
                await writer.drain()
                if number == 100:
                    flowing.set()

    service.script = begin
    await around.send()
    await flowing.wait()
    await vclock.advance(10.1)
    assert read(await around.answer())[:2] == (500, b"error to receive response, err: the answer did not end in time")


async def test_more_calls_than_may_be_wait_for_the_others(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    gate = asyncio.Event()
    service.script = _behind(gate)
    around = await make(max_calls=2)
    sent = [await around.send(f"/{number}") for number in range(5)]
    await _until(lambda: len(service.requests) == 2)
    assert (around.module.status()["under_way"], around.module.status()["waiting"]) == (2, 3)
    gate.set()
    answers = [await around.answer() for _ in sent]
    assert {answer.header.parent_id for answer in answers} == set(sent)
    assert [request.split()[1] for request in sorted(service.requests)] == [b"/0", b"/1", b"/2", b"/3", b"/4"]
    await settle()
    assert around.module.status() == {"under_way": 0, "waiting": 0, "outcomes": {"answered": 5}, "passed_over": 0}


async def test_a_call_that_finds_too_many_waiting_is_refused_at_once(
    make: Callable[..., Awaitable[Surroundings]], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicebus, "MAX_WAITING", 1)
    gate = asyncio.Event()
    service.script = _behind(gate)
    around = await make(max_calls=1)
    for _ in range(2):
        await around.send()
    status, text, _ = await around.call()
    assert (status, text) == (503, b"error to call service, err: too many calls wait")
    gate.set()
    assert [read(await around.answer())[0] for _ in range(2)] == [200, 200]


async def test_calls_that_are_long_wait_only_up_to_so_many_bytes(
    make: Callable[..., Awaitable[Surroundings]], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicebus, "MAX_WAITING_BYTES", 1000)
    gate = asyncio.Event()
    service.script = _behind(gate)
    around = await make(max_calls=1)
    await around.send()
    await around.send(body=b"x" * 2000)  # one may always wait
    assert (await around.call())[0] == 503
    gate.set()
    assert [read(await around.answer())[0] for _ in range(2)] == [200, 200]


async def test_a_call_that_comes_once_more_is_not_made_twice(around: Surroundings, service: Service) -> None:
    await around.call(operation="POST", id="a")
    await around.send(operation="POST", id="a")
    await around.call(id="b")
    assert len(service.requests) == 2
    assert around.module.status()["outcomes"] == {"answered": 2, "repeated": 1}


async def test_what_is_of_others_is_passed_over(around: Surroundings, service: Service) -> None:
    await around.send(source="router_eventbus", operation="publish", resource="a/b", content="hello")
    await around.send(source="edgehub", operation="publish", resource="node/connection", content="cloud_connected")
    await around.call()
    assert (len(service.requests), around.module.status()["passed_over"]) == (1, 2)


@pytest.mark.parametrize(
    ("parts", "status", "text", "reason"),
    [
        ({"resource": "8080"}, 400, b"the format of resource 8080 is incorrect", "resource_malformed"),
        ({"content": []}, 400, b"error to parse http request", "content_malformed"),
        ({"content": {"body": "!"}}, 400, b"error to parse http request", "content_malformed"),
        ({"resource": "a:b"}, 404, b"error to call service", "port_not_allowed"),
        ({"operation": "G T"}, 404, b"error to call service", "method_malformed"),
        ({"header": {"A": ["x\r\ny"]}}, 404, b"error to call service", "header_malformed"),
    ],
)
async def test_a_call_that_is_wrong_is_counted_and_answered(
    around: Surroundings, metrics: Metrics, parts: Json, status: int, text: bytes, reason: str
) -> None:
    assert await around.call(**parts) == (status, text, {"Server": ["kubeedge-edgecore"]})
    assert metrics.bad_input_counts == {("servicebus", reason): 1}
    assert (await around.call())[0] == 200


async def test_with_only_targets_other_ports_are_not_called(
    make: Callable[..., Awaitable[Surroundings]], service: Service, metrics: Metrics
) -> None:
    around = await make(targets={7: ("127.0.0.1", service.port)}, only_targets=True)
    assert (await around.call(resource="7:x"))[0] == 200
    assert (await around.call())[:2] == (404, b"error to call service")
    assert (len(service.requests), metrics.bad_input_counts) == (1, {("servicebus", "port_not_allowed"): 1})


async def test_a_call_that_waited_until_its_time_was_over_is_not_made(
    make: Callable[..., Awaitable[Surroundings]], service: Service, vclock: VirtualClock
) -> None:
    service.script = _silent
    around = await make(max_calls=1)
    for _ in range(2):
        await around.send()
    await _until(lambda: len(service.requests) == 1)
    await vclock.advance(10.1)
    assert [read(await around.answer())[:2] for _ in range(2)] == [(404, b"error to call service")] * 2
    await settle()
    assert around.module.status()["outcomes"] == {"no_answer_in_time": 1, "waited_too_long": 1}
    assert len(service.requests) == 1


async def test_settings_that_are_read_again_hold_for_calls_that_wait_and_that_come(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    gate = asyncio.Event()
    service.script = _behind(gate)
    around = await make(max_calls=1)
    for _ in range(3):
        await around.send()
    await _until(lambda: len(service.requests) == 1)

    await around.module.reload(config_with(maxCalls=3))
    await _until(lambda: len(service.requests) == 3)
    gate.set()
    assert [read(await around.answer())[0] for _ in range(3)] == [200, 200, 200]

    await around.module.reload(config_with(maxBodyBytes=1024))
    service.script, service.answer = None, b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1025
    assert (await around.call())[1] == b"error to receive response, err: response body too large"

    await around.module.reload(config_with(onlyTargets=True, targets=[f"7=127.0.0.1:{service.port}"]))
    service.answer = OK
    assert (await around.call())[:2] == (404, b"error to call service")
    assert (await around.call(resource="7:/x"))[:2] == (200, b"ok")


async def test_fewer_calls_at_a_time_wait_for_those_that_are_under_way(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    gates = [asyncio.Event() for _ in range(4)]
    around = await make(max_calls=2)
    for gate in gates:
        service.script = _behind(gate)
        await around.send()
    await _until(lambda: len(service.requests) == 2)
    await around.module.reload(config_with(maxCalls=1))
    for gate in gates:
        gate.set()
    assert [read(await around.answer())[0] for _ in gates] == [200] * 4


async def test_what_the_cloud_sends_is_not_in_the_log(around: Surroundings) -> None:
    with capture_logs() as logs:
        await around.call("/secret-path", header={"Authorization": ["secret-token"]}, body=b"secret-body")
        await around.call("/secret-path", header={"Authorization": ["secret-token\r\n"]})
    assert [line["event"] for line in logs] == ["service_called", "bad_input"]
    assert "secret" not in str(logs)


async def test_a_stop_ends_the_calls_that_are_under_way(
    make: Callable[..., Awaitable[Surroundings]], service: Service
) -> None:
    service.script = _silent
    around = await make(max_calls=1)
    await around.send()
    await around.send()
    await _until(lambda: bool(service.requests))
    await around.module.stop()
    await around.send()
    assert (around.module.status()["under_way"], around.module.status()["waiting"]) == (0, 0)
    assert len(service.requests) == 1


async def test_the_figures_are_those_of_the_status(around: Surroundings, metrics: Metrics) -> None:
    await around.call()
    await settle()
    text = metrics.render().decode()
    assert 'edgecore_servicebus_calls_total{outcome="answered"} 1.0' in text
    assert "edgecore_servicebus_under_way 0.0" in text


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _behind(gate: asyncio.Event) -> Script:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(OK)
        await writer.drain()

    return answer


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.01)
