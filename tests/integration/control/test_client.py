"""What the client says of servers that are not there, or not what they should be."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from edgecore.control import client as client_file
from edgecore.control.client import ControlClient
from edgecore.control.unix_socket import address_of
from edgecore.errors import ControlError

Answering = Callable[[bytes], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nEdgecore-Control-Version: 1\r\n"


@pytest.fixture
async def answering(path: Path) -> AsyncIterator[Answering]:
    """Listen on ``path`` and give everybody the same bytes, then hang up."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> None:
        async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        servers.append(await asyncio.start_unix_server(give, path))

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def _error(client: ControlClient) -> str:
    with pytest.raises(ControlError) as raised:
        await asyncio.to_thread(client.get, "/v1/status")
    return str(raised.value)


async def _stream_error(client: ControlClient) -> str:
    with pytest.raises(ControlError) as raised:
        await asyncio.to_thread(list, client.stream("GET", "/v1/tap"))
    return str(raised.value)


async def test_no_socket_says_how_to_start_a_node(client: ControlClient, path: Path) -> None:
    assert await _error(client) == (
        f"cannot reach the node at {path}: no such socket; is it running?"
        " start it with `edgecore run --config FILE`, or name its socket with --control"
    )


async def test_the_process_and_its_command_have_the_names_they_were_given(path: Path) -> None:
    client = ControlClient(path, process="stub", start_command="cloudhub-stub run")
    error = await _error(client)
    assert error.startswith("cannot reach the stub at ")
    assert "`cloudhub-stub run`" in error


async def test_the_socket_of_a_dead_process_says_so(client: ControlClient, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert f"cannot reach the node at {path}: nobody listens there any more; start it" in await _error(client)


async def test_a_path_through_a_file_is_no_socket(path: Path) -> None:
    path.write_text("")
    assert "no such socket" in await _error(ControlClient(path / "node.sock"))


async def test_the_socket_of_another_user_says_whom_to_ask_as(
    client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(client_file, "address_of", refuse)
    assert "the socket belongs to another user; ask as the user who runs the node" in await _error(client)


async def test_a_process_that_does_not_answer_is_given_up_in_time(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        error = await _error(ControlClient(path, timeout_s=0.05))
    assert error == f"cannot get an answer of the node at {path}: none within 0.05 s; it is busy or stopped"


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"])
async def test_something_that_is_no_control_server_is_named(
    client: ControlClient, answering: Answering, answer: bytes
) -> None:
    await answering(answer)
    error = await _error(client)
    assert error.startswith(("cannot hear the node at", "cannot speak to"))


async def test_a_server_of_another_version_is_refused(client: ControlClient, answering: Answering) -> None:
    await answering(b"HTTP/1.1 200 OK\r\nEdgecore-Control-Version: 2\r\nContent-Length: 2\r\n\r\n{}")
    assert "it speaks version 2 of the control protocol, this command version 1" in await _error(client)


async def test_an_answer_that_breaks_off_is_an_error(client: ControlClient, answering: Answering, path: Path) -> None:
    await answering(HEAD + b'Content-Length: 100\r\n\r\n{"state":')
    assert (await _error(client)).startswith(f"cannot hear the node at {path} to the end: ")


async def test_an_answer_that_is_no_json_is_an_error(client: ControlClient, answering: Answering, path: Path) -> None:
    await answering(HEAD + b"Content-Length: 3\r\n\r\n<p>")
    assert (await _error(client)).startswith(f"cannot understand the node at {path}: ")


async def test_an_answer_over_the_limit_is_an_error(
    client: ControlClient, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_file, "LIMIT_BYTES", 10)
    await answering(HEAD + b'Content-Length: 13\r\n\r\n"01234567890"')
    assert "an answer of over 10 bytes" in await _error(client)


async def test_a_question_over_the_limit_is_not_asked(client: ControlClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_file, "LIMIT_BYTES", 10)
    with pytest.raises(ControlError, match="the question has over 10 bytes"):
        await asyncio.to_thread(client.post, "/v1/replay", "0123456789")


async def test_a_refusal_without_text_names_the_status(client: ControlClient, answering: Answering) -> None:
    await answering(HEAD.replace(b"200 OK", b"502 Bad Gateway") + b"Content-Length: 0\r\n\r\n")
    assert await _error(client) == "cannot do that: the process answers 502 Bad Gateway"


async def test_a_stream_that_breaks_off_is_no_proper_end(client: ControlClient, answering: Answering) -> None:
    await answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n2\r\n2\n\r\n")
    assert "cannot hear the node" in await _stream_error(client)


async def test_lines_of_a_stream_may_be_cut_anywhere(client: ControlClient, answering: Answering) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"a":1}\n[2,\n3]\n'.replace(b"2,\n", b"2,"))
    await answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert await asyncio.to_thread(list, client.stream("GET", "/v1/tap")) == [{"a": 1}, [2, 3]]


async def test_a_line_over_the_limit_is_an_error(
    client: ControlClient, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_file, "LIMIT_BYTES", 10)
    await answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + b"1" * 12 + b"\r\n0\r\n\r\n")
    assert "a line of over 10 bytes" in await _stream_error(client)


async def test_a_stream_asks_when_its_first_item_is_wanted(client: ControlClient) -> None:
    stream = client.stream("GET", "/v1/tap")
    with pytest.raises(ControlError, match="no such socket"):
        next(stream)


async def test_a_long_path_is_reached(answering: Answering, tmp_path: Path) -> None:
    directory = tmp_path.joinpath(*["directory-with-a-name"] * 8)
    directory.mkdir(parents=True)
    path = directory / "node.sock"
    with socket.socket(socket.AF_UNIX) as listening, address_of(path) as address:
        listening.bind(address)
        listening.listen()
        error = await _error(ControlClient(path, timeout_s=0.05))
    assert "none within" in error
