"""Dialling: the request as a cloud of 1.3.1 gets it, and what happens when there is no session to be had."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.errors import LinkError
from edgecore.modules.edgehub.transport import CloudAddress, dial

PROJECT = "e632aba927ea4ac2b575ec1603d56f10"


async def test_the_request_is_the_one_of_spec_2_5(linked: Any) -> None:
    await linked.session()
    (request,) = linked.cloud.requests
    assert request.path == f"/{PROJECT}/edge-node1/events"
    headers = [(name, value) for name, value in request.headers.raw_items() if name != "Sec-WebSocket-Key"]
    assert sorted(headers) == [
        ("Connection", "Upgrade"),
        ("Connectionuse", "msg"),
        ("Host", f"127.0.0.1:{linked.cloud.port}"),
        ("Node_id", "edge-node1"),
        ("Project_id", PROJECT),
        ("Sec-WebSocket-Version", "13"),
        ("Upgrade", "websocket"),
        ("User-Agent", "edgecore"),
    ]


async def test_a_second_dial_says_everything_once(linked: Any) -> None:
    """Go adds one more ``Connectionuse: msg`` at each try (bug T8)."""
    (await linked.session()).vanish()
    await linked.lost()
    await linked.clock.advance(1)
    await linked.session()
    assert linked.cloud.requests[1].headers.get_all("Connectionuse") == ["msg"]


def _address(port: int) -> CloudAddress:
    return CloudAddress("ws", "127.0.0.1", port, PROJECT, "n")


async def test_a_refusal_is_told_with_status_and_body(cloud: Any) -> None:
    """Go prints the body only when reading it failed (bug T9)."""
    cloud.refusal = (403, {}, b"node edge-node1 is not welcome\n")
    with pytest.raises(
        LinkError, match=r"cannot connect to ws://127\.0\.0\.1:.*: HTTP 403 node edge-node1 is not welc"
    ):
        await dial(_address(cloud.port), timeout_s=5, max_message_bytes=1000, tls=None)


async def test_a_redirect_is_not_followed(cloud: Any) -> None:
    """Go does not follow either: the certificate and the names are for one cloud."""
    cloud.refusal = (302, {"Location": f"ws://127.0.0.1:{cloud.port}/elsewhere"}, b"")
    with pytest.raises(LinkError, match="HTTP 302"):
        await dial(_address(cloud.port), timeout_s=5, max_message_bytes=1000, tls=None)
    assert len(cloud.requests) == 1


async def test_a_port_where_nobody_listens_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(LinkError, match=f"cannot connect to ws://127.0.0.1:{unused_tcp_port}/"):
        await dial(_address(unused_tcp_port), timeout_s=5, max_message_bytes=1000, tls=None)


@pytest.mark.parametrize(
    "answer", [b"", b"\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 101 Go\r\n\r\n", b"\0" * 100]
)
async def test_a_server_that_speaks_something_else_is_a_link_error(answer: bytes) -> None:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkError, match="cannot connect to"):
            await dial(_address(port), timeout_s=5, max_message_bytes=1000, tls=None)


async def test_a_server_that_says_nothing_is_given_up_after_the_handshake_timeout() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkError, match="timed out"):
            await dial(_address(port), timeout_s=0.05, max_message_bytes=1000, tls=None)


@pytest.mark.parametrize("node", ["a b", "a\r\nX-Injected: b"])
async def test_a_name_that_no_header_can_hold_is_a_link_error(cloud: Any, node: str) -> None:
    address = CloudAddress("ws", "127.0.0.1", cloud.port, PROJECT, node)
    with pytest.raises(LinkError, match="cannot connect"):
        await dial(address, timeout_s=5, max_message_bytes=1000, tls=None)


class Unusable:
    """Certificate files that cannot be used."""

    async def ready(self) -> Any:
        raise LinkError("cannot use the CA file ca.crt: No such file or directory")

    def status(self) -> dict[str, Any]:
        return {}


class Renewing:
    """A certificate that is renewed when the test says so."""

    def __init__(self) -> None:
        self.servers: list[str] = []
        self.now = asyncio.Event()

    async def ready(self) -> Any:
        return None

    def learned(self, server: str) -> None:
        self.servers.append(server)

    async def renewed(self) -> None:
        await self.now.wait()
        self.now.clear()

    def status(self) -> dict[str, Any]:
        return {"valid_until": "tomorrow"}


async def test_a_renewed_certificate_is_shown_on_a_connection_of_its_own(link: Any) -> None:
    credentials = Renewing()
    linked = await link(credentials=credentials)
    await linked.session()
    assert credentials.servers == ["cloudhub-stub/test"]
    credentials.now.set()
    await linked.lost()
    assert linked.hub.status()["error"] == "the node's certificate was renewed: connecting anew"
    assert linked.hub.status()["certificate"] == {"valid_until": "tomorrow"}
    await linked.clock.advance(1)
    await linked.session()


async def test_tls_files_that_cannot_be_used_are_a_reason_to_wait_not_to_end(link: Any, until: Any) -> None:
    """Go ends the process (bug E7)."""

    with capture_logs() as logs:
        linked = await link(credentials=Unusable())
        await until(lambda: linked.hub.status()["state"] == "waiting")
    assert linked.hub.status()["error"] == "cannot use the CA file ca.crt: No such file or directory"
    assert [entry["event"] for entry in logs] == ["cloud_not_reached"]
