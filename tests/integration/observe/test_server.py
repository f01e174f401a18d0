"""The observation port on a real socket."""

import asyncio
import errno
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.errors import ListenError
from edgecore.observe.metrics import Metrics
from edgecore.observe.server import CONNECTIONS_LIMIT, ObserveServer

Make = Callable[..., ObserveServer]


@pytest.fixture
async def make(metrics: Metrics) -> AsyncIterator[Make]:
    """Make a server; it is stopped after the test."""
    servers: list[ObserveServer] = []

    def new(
        listen: str = "127.0.0.1:0",
        base_port: int = 0,
        health: Mapping[str, Any] | None = None,
        debug: Mapping[str, Callable[[], Any]] | None = None,
    ) -> ObserveServer:
        servers.append(ObserveServer(listen, base_port, metrics, lambda: health or {"status": "ok"}, debug or {}))
        return servers[-1]

    yield new
    for server in servers:
        await server.stop()


async def _ask(server: ObserveServer, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, str]:
    """Return status, content type and body."""
    address, port = server.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(address.strip("[]"), int(port))
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    kind = next((line.partition(": ")[2] for line in head.splitlines() if line.startswith("Content-Type")), "")
    return int(head.split()[1]), kind, body


def _free_ports_in_a_row(number: int) -> int:
    """Return the first of ``number`` ports that are free now."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            first: int = probe.getsockname()[1]
        if all(_is_free(port) for port in range(first, first + number)):
            return first


def _is_free(port: int) -> bool:
    if port > 65535:
        return False
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


async def test_metrics_are_in_the_form_of_prometheus(make: Make, metrics: Metrics) -> None:
    metrics.bad_input("edgehub", "malformed_json", "cloud")
    server = make()
    await server.start()
    status, kind, body = await _ask(server, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'edgecore_bad_input_total{module="edgehub",reason="malformed_json"} 1.0' in body


async def test_a_healthy_process_answers_200(make: Make) -> None:
    server = make(health={"status": "ok", "reasons": []})
    await server.start()
    status, kind, body = await _ask(server, "/healthz")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "reasons": []}


async def test_a_process_that_is_not_well_answers_503_and_says_why(make: Make) -> None:
    server = make(health={"status": "degraded", "reasons": ["the link is down"]})
    await server.start()
    status, _, body = await _ask(server, "/healthz")
    assert status == 503
    assert json.loads(body)["reasons"] == ["the link is down"]


async def test_debug_lists_what_there_is(make: Make) -> None:
    server = make(debug={"store": dict, "bus": dict})
    await server.start()
    assert json.loads((await _ask(server, "/debug/"))[2]) == {"there_are": ["/debug/bus", "/debug/store"]}


async def test_debug_shows_one_thing_even_if_json_has_no_form_for_it(make: Make) -> None:
    server = make(debug={"bus": lambda: {"depth": 3, "taps": [len]}})
    await server.start()
    assert json.loads((await _ask(server, "/debug/bus"))[2]) == {"depth": 3, "taps": ["<built-in function len>"]}


@pytest.mark.parametrize("path", ["/debug/attic", "/nowhere", "/"])
async def test_what_there_is_not_is_404_with_what_there_is(make: Make, path: str) -> None:
    server = make(debug={"bus": dict})
    await server.start()
    status, _, body = await _ask(server, path)
    assert status == 404
    assert "bus" in body or "/healthz" in body


async def test_nothing_can_be_changed(make: Make) -> None:
    server = make()
    await server.start()
    assert (await _ask(server, "/metrics", method="POST"))[0] == 405


async def test_a_reading_that_crashes_is_logged_and_the_server_goes_on(make: Make) -> None:
    server = make(debug={"bus": lambda: 1 // 0})
    await server.start()
    with capture_logs() as lines:
        status, _, body = await _ask(server, "/debug/bus")
    assert (status, json.loads(body)["error"].split(":")[1]) == (500, " ZeroDivisionError")
    assert [line["event"] for line in lines] == ["observe_request_crashed"]
    assert (await _ask(server, "/healthz"))[0] == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:10550", "localhost:10550", "[::1]:10550", "192.0.2.1"])
async def test_a_request_by_address_is_answered(make: Make, host: str) -> None:
    server = make()
    await server.start()
    assert (await _ask(server, "/healthz", host=host))[0] == 200


@pytest.mark.parametrize("host", ["rebound.example", "localhost.example:80", "[::1", ""])
async def test_a_request_by_a_strange_name_is_refused(make: Make, host: str) -> None:
    server = make(debug={"bus": dict})
    await server.start()
    assert (await _ask(server, "/debug/bus", host=host))[0] == 403


async def test_on_an_address_that_was_configured_any_name_is_answered(make: Make) -> None:
    server = make("0.0.0.0:0")
    await server.start()
    server.address = server.address.replace("0.0.0.0", "127.0.0.1")
    assert (await _ask(server, "/healthz", host="edge-1.example"))[0] == 200


async def test_auto_takes_the_first_free_port(make: Make) -> None:
    first = _free_ports_in_a_row(3)
    with socket.create_server(("127.0.0.1", first)):
        one, other = make("auto", first), make("auto", first)
        await one.start()
        await other.start()
    assert (one.address, other.address) == (f"127.0.0.1:{first + 1}", f"127.0.0.1:{first + 2}")


async def test_auto_goes_on_where_another_process_was_quicker_and_the_loop_says_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop keeps to itself that listening failed after binding: its server has no socket."""
    loop = asyncio.get_running_loop()
    create_server = loop.create_server
    tried: list[int] = []

    async def lose_the_first(accept: Any, host: str, port: int) -> Any:
        tried.append(port)
        if len(tried) == 1:
            return SimpleNamespace(sockets=(None,))
        return await create_server(accept, host, 0)

    monkeypatch.setattr(loop, "create_server", lose_the_first)
    server = make("auto", 10_900)
    await server.start()
    assert tried == [10_900, 10_901]
    assert server.address.startswith("127.0.0.1:")


async def test_auto_gives_up_at_the_last_port_there_is(make: Make) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # somebody else has it: as good
            stack.enter_context(socket.create_server(("127.0.0.1", 65535)))
        with pytest.raises(ListenError, match=r"name one in observe\.listen") as refused:
            await make("auto", 65535).start()
    assert refused.value.reason == "in_use"


async def test_a_port_that_is_taken_is_an_error_that_names_it(make: Make) -> None:
    server = make()
    await server.start()
    with pytest.raises(ListenError, match=rf"^cannot listen on {server.address}: address already in use$") as refused:
        await make(server.address).start()
    assert refused.value.reason == "in_use"


async def test_a_port_that_needs_privilege_is_an_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(
            errno.EACCES, "error while attempting to bind on address ('127.0.0.1', 1): permission denied"
        )

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", refuse)
    with pytest.raises(ListenError, match=r"^cannot listen on 127.0.0.1:1: permission denied$") as refused:
        await make("127.0.0.1:1").start()
    assert refused.value.reason == "no_permission"


async def test_what_is_no_address_is_an_error(make: Make) -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on 127\.0\.0\.1: the host is missing$") as refused:
        await make("127.0.0.1").start()
    assert refused.value.reason == "no_such_address"


async def test_an_address_of_another_machine_is_an_error(make: Make) -> None:
    with pytest.raises(ListenError) as refused:
        await make("192.0.2.1:10550").start()
    assert refused.value.reason == "no_such_address"


async def test_the_server_listens_on_ipv6(make: Make) -> None:
    server = make("[::1]:0")
    try:
        await server.start()
    except ListenError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert server.address.startswith("[::1]:")
    assert (await _ask(server, "/healthz"))[0] == 200


async def test_a_stopped_server_listens_no_more(make: Make) -> None:
    server = make()
    await server.start()
    await server.stop()
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await _ask(server, "/healthz")


async def test_half_open_connections_however_many_keep_nobody_out(make: Make, metrics: Metrics) -> None:
    server = make()
    await server.start()
    host, port = server.address.rsplit(":", 1)
    async with AsyncExitStack() as stack:
        readers = []
        for _ in range(2 * CONNECTIONS_LIMIT):
            reader, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            writer.write(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            readers.append(reader)
        assert (await _ask(server, "/healthz"))[0] == 200
        with suppress(ConnectionError):
            assert await readers[0].read() == b""
    assert metrics.bad_input_counts["observe", "too_many_connections"] >= 1
