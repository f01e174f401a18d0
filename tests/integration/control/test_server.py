"""The control server on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from edgecore.control import server as server_file
from edgecore.control.client import ControlClient
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.control.server import ControlServer
from edgecore.errors import ControlError, EdgecoreError, ListenError

Serve = Callable[[Routes], Awaitable[ControlServer]]
Ask = Callable[..., Coroutine[Any, Any, bytes]]


async def _echo(request: ControlRequest) -> Any:
    return {"query": dict(request.query), "body": request.body}


async def _crash(_request: ControlRequest) -> Any:
    raise ZeroDivisionError("by nought")


async def _refuse(_request: ControlRequest) -> Any:
    raise ControlRefused(409, "cannot replay: a replay is running")


async def _fail(_request: ControlRequest) -> Any:
    raise EdgecoreError("cannot read the file: it is gone")


async def _return_nonsense(_request: ControlRequest) -> Any:
    return object()


async def _never(_request: ControlRequest) -> Any:
    await asyncio.Event().wait()


ECHO: Routes = {("GET", "/v1/echo"): _echo, ("POST", "/v1/echo"): _echo, ("DELETE", "/v1/echo"): _echo}


def _stream(make: Callable[[], AsyncIterator[Any]]) -> Routes:
    async def handler(_request: ControlRequest) -> Any:
        return make()

    return {("GET", "/v1/stream"): handler}


def _status_and_json(answer: bytes) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def test_query_and_body_reach_the_handler_and_its_value_comes_back(serve: Serve, client: ControlClient) -> None:
    await serve(ECHO)
    assert await asyncio.to_thread(client.get, "/v1/echo", {"namespace": "a&b"}) == {
        "query": {"namespace": "a&b"},
        "body": None,
    }
    assert await asyncio.to_thread(client.post, "/v1/echo", {"file": "ü"}) == {"query": {}, "body": {"file": "ü"}}
    assert await asyncio.to_thread(client.delete, "/v1/echo", {"id": "f1"}) == {"query": {"id": "f1"}, "body": None}


@pytest.mark.parametrize("line", ["GET /v1/echo", "GET /nowhere", "PUT /v1/echo"])
async def test_every_answer_names_the_version_and_is_json(serve: Serve, ask: Ask, line: str) -> None:
    await serve(ECHO)
    head = (await ask(line)).partition(b"\r\n\r\n")[0].splitlines()
    assert b"Edgecore-Control-Version: 1" in head
    assert b"Content-Type: application/json" in head


async def test_an_unknown_route_is_answered_with_the_known_ones(serve: Serve, ask: Ask) -> None:
    await serve(ECHO)
    status, value = _status_and_json(await ask("GET /v1/ecko"))
    assert (status, value["error"].partition("; ")[2]) == (
        404,
        "there are DELETE /v1/echo, GET /v1/echo, POST /v1/echo",
    )


async def test_a_refusal_comes_with_its_status_and_text(serve: Serve, ask: Ask) -> None:
    await serve({("POST", "/v1/replay"): _refuse})
    assert _status_and_json(await ask("POST /v1/replay")) == (409, {"error": "cannot replay: a replay is running"})


async def test_an_error_on_purpose_is_told_in_its_own_words(serve: Serve, client: ControlClient) -> None:
    await serve({("GET", "/v1/read"): _fail})
    with pytest.raises(ControlError, match=r"^cannot read the file: it is gone$"):
        await asyncio.to_thread(client.get, "/v1/read")


@pytest.mark.parametrize("handler", [_crash, _return_nonsense])
async def test_a_handler_that_crashes_is_logged_and_the_server_goes_on(serve: Serve, ask: Ask, handler: Any) -> None:
    await serve({**ECHO, ("GET", "/v1/crash"): handler})
    with capture_logs() as lines:
        status, value = _status_and_json(await ask("GET /v1/crash"))
    assert status == 500
    assert value["error"].startswith("cannot answer GET /v1/crash: ")
    assert [(line["event"], line["path"]) for line in lines] == [("control_handler_crashed", "/v1/crash")]
    assert _status_and_json(await ask("GET /v1/echo"))[0] == 200


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused(serve: Serve, ask: Ask, body: bytes) -> None:
    await serve(ECHO)
    status, value = _status_and_json(await ask("POST /v1/echo", body))
    assert (status, value["error"].partition(":")[0]) == (400, "cannot decode the body of /v1/echo")


async def test_a_body_over_the_limit_is_refused(serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_file, "LIMIT_BYTES", 1000)
    await serve(ECHO)
    assert _status_and_json(await ask("POST /v1/echo", b"1" * 1000))[0] == 200
    assert _status_and_json(await ask("POST /v1/echo", b"1" * 1001))[0] == 413


async def test_what_is_not_http_does_not_hurt_others(serve: Serve, ask: Ask, path: Path) -> None:
    await serve(ECHO)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert b"400" in await reader.readline()
    writer.close()
    assert _status_and_json(await ask("GET /v1/echo"))[0] == 200


async def test_items_of_a_stream_arrive_as_they_are_made(serve: Serve, path: Path) -> None:
    seen = asyncio.Event()

    async def items() -> AsyncIterator[Any]:
        yield {"n": 1}
        await seen.wait()
        yield {"n": 2}

    await serve(_stream(items))
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"application/x-ndjson" in head
    assert b'{"n":1}\n' in await reader.readuntil(b"}\n")
    seen.set()
    assert b'{"n":2}\n' in await reader.readuntil(b"}\n")
    writer.close()


async def test_a_stream_that_has_nothing_to_say_yet_is_accepted_at_once(serve: Serve, path: Path) -> None:
    async def items() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield 1

    await serve(_stream(items))
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in await reader.readline()
    writer.close()


async def test_a_stream_ends_where_its_iterator_ends(serve: Serve, client: ControlClient) -> None:
    async def items() -> AsyncIterator[Any]:
        for number in range(3):
            yield number

    await serve(_stream(items))
    assert await asyncio.to_thread(list, client.stream("GET", "/v1/stream")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ControlRefused(410, "cannot go on: the node left"), r"^cannot go on: the node left$"),
        (ValueError("odd"), r"^cannot answer GET /v1/stream: ValueError: odd; see the log"),
    ],
)
async def test_a_stream_that_fails_says_why(serve: Serve, client: ControlClient, error: Exception, told: str) -> None:
    async def items() -> AsyncIterator[Any]:
        yield 1
        raise error

    await serve(_stream(items))
    with capture_logs(), pytest.raises(ControlError, match=told):
        await asyncio.to_thread(list, client.stream("GET", "/v1/stream"))


async def test_a_client_that_hangs_up_ends_its_stream(serve: Serve, client: ControlClient) -> None:
    ended = asyncio.Event()

    async def items() -> AsyncIterator[Any]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    def take_one() -> Any:
        stream = client.stream("GET", "/v1/stream")
        first = next(stream)
        stream.close()  # type: ignore[attr-defined]  # it is a generator
        return first

    await serve(_stream(items))
    assert await asyncio.to_thread(take_one) == 1
    await ended.wait()


async def test_a_client_that_is_gone_before_its_stream_begins_is_a_hang_up_and_no_crash(
    serve: Serve, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_self: Any, _request: Any) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    async def items() -> AsyncIterator[Any]:
        yield 1

    monkeypatch.setattr(server_file.web.StreamResponse, "prepare", gone)
    await serve(_stream(items))
    with capture_logs() as logs, pytest.raises(ControlError):
        await asyncio.to_thread(lambda: next(client.stream("GET", "/v1/stream")))
    assert not [line for line in logs if line["event"] == "control_handler_crashed"]


async def test_stopping_ends_streams_with_a_word(serve: Serve, client: ControlClient) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def items() -> AsyncIterator[Any]:
        try:
            begun.set()
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = await serve(_stream(items))
    reading = asyncio.create_task(asyncio.to_thread(list, client.stream("GET", "/v1/stream")))
    await begun.wait()
    await server.stop()
    assert ended.is_set()
    with pytest.raises(ControlError, match=r"^cannot go on: the process is stopping$"):
        await reading


async def test_stopping_does_not_wait_for_a_client_that_reads_nothing(serve: Serve, path: Path) -> None:
    async def items() -> AsyncIterator[Any]:
        while True:
            yield "x" * 100_000

    server = await serve(_stream(items))
    _, writer = await asyncio.open_unix_connection(path, limit=1)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.1)  # both buffers fill
    async with asyncio.timeout(1):
        await server.stop()
    writer.close()


async def test_stopping_answers_who_waits(serve: Serve, ask: Ask) -> None:
    begun = asyncio.Event()

    async def wait(request: ControlRequest) -> Any:
        begun.set()
        await _never(request)

    server = await serve({("GET", "/v1/wait"): wait})
    waiting = asyncio.create_task(ask("GET /v1/wait"))
    await begun.wait()
    await server.stop()
    assert _status_and_json(await waiting) == (503, {"error": "cannot go on: the process is stopping"})


async def test_a_handler_may_ask_for_the_stop_itself(serve: Serve, ask: Ask) -> None:
    wanted = asyncio.Event()

    async def stop(_request: ControlRequest) -> Any:
        wanted.set()
        return {"stopping": True}

    server = await serve({("POST", "/v1/stop"): stop})
    asking = asyncio.create_task(ask("POST /v1/stop"))
    await wanted.wait()
    await server.stop()
    assert _status_and_json(await asking) == (200, {"stopping": True})


async def test_stopping_removes_the_file_and_may_be_repeated(serve: Serve, path: Path) -> None:
    server = await serve(ECHO)
    await server.stop()
    await server.stop()
    assert not path.exists()


async def test_a_stopped_server_can_start_again(serve: Serve, ask: Ask) -> None:
    server = await serve(ECHO)
    await server.stop()
    await server.start()
    assert _status_and_json(await ask("GET /v1/echo"))[0] == 200


async def test_a_second_node_on_the_same_socket_does_not_start(serve: Serve, path: Path, ask: Ask) -> None:
    await serve(ECHO)
    with pytest.raises(ListenError, match="another node is running there"):
        await ControlServer(path, {}).start()
    assert _status_and_json(await ask("GET /v1/echo"))[0] == 200


def test_the_server_answers_and_streams_on_uvloop_as_well(path: Path, client: ControlClient) -> None:
    async def items() -> AsyncIterator[Any]:
        yield 1

    async def main() -> list[Any]:
        server = ControlServer(path, {**ECHO, **_stream(items)})
        await server.start()
        streamed = await asyncio.to_thread(list, client.stream("GET", "/v1/stream"))
        echoed = await asyncio.to_thread(client.post, "/v1/echo", [2])
        await server.stop()
        return [*streamed, *echoed["body"]]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == [1, 2]


async def test_half_open_connections_however_many_keep_no_command_out(
    serve: Serve, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_file, "CONNECTIONS_LIMIT", 8)
    server = await serve(ECHO)
    silent = [await asyncio.open_unix_connection(server.path) for _ in range(20)]
    assert (await asyncio.to_thread(client.get, "/v1/echo"))["body"] is None
    for _, writer in silent:
        writer.transport.abort()


async def test_a_body_that_does_not_come_is_answered_with_408(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_file, "BODY_S", 0.01)
    server = await serve(ECHO)
    reader, writer = await asyncio.open_unix_connection(server.path)
    writer.write(b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()
