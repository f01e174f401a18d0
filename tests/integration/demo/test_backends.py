"""The backends of the demonstration, with real sockets."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from edgecore.demo import probes
from edgecore.demo.backends import Backends
from edgecore.errors import ListenError

Address = tuple[str, int]


@pytest.fixture
def addresses() -> list[Address]:
    """Two addresses that are free."""
    with socket.create_server(("127.0.0.2", 0)) as one, socket.create_server(("127.0.0.3", 0)) as other:
        return [one.getsockname(), other.getsockname()]


@pytest.fixture(autouse=True)
def threads() -> Iterator[Callable[[], None]]:
    """Wait until the threads of the test have ended: each connection has one, which ends with it."""
    before = set(threading.enumerate())

    def join() -> None:
        for thread in set(threading.enumerate()) - before:
            thread.join(10)

    yield join
    join()


def test_each_backend_says_which_it_is_and_what_was_asked(addresses: list[Address]) -> None:
    with Backends(addresses):
        answers = [probes.get(address, "/a/b?c", "web").body for address in addresses]

    assert answers == [f"backend {host}:{port} answers GET /a/b?c\n" for host, port in addresses]


def test_a_connection_serves_several_requests(addresses: list[Address]) -> None:
    request = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
    with Backends(addresses), socket.create_connection(addresses[0], timeout=10) as client:
        client.sendall(request + request)
        seen = b""
        while seen.count(b"answers GET /") < 2:
            seen += client.recv(4096)

    assert seen.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_nothing_listens_after_the_block(addresses: list[Address]) -> None:
    with Backends(addresses):
        pass

    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_a_taken_address_is_an_error_that_names_it_and_the_others_are_let_go(addresses: list[Address]) -> None:
    with (
        socket.create_server(addresses[1]),
        pytest.raises(ListenError, match=r"127\.0\.0\.3:\d+: Address already in use; the demo's backends need this"),
    ):
        Backends(addresses)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(addresses[0])


def test_a_connection_that_breaks_is_no_news(
    addresses: list[Address], threads: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Backends(addresses):
        client = socket.create_connection(addresses[0])
        client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert client.recv(4) == b"HTTP"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # with a reset
    threads()

    assert capsys.readouterr().err == ""
