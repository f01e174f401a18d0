"""One listener when its socket is full, fails, or is lost."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.dns.listener import Listener

PEER = ("127.0.0.1", 5353)


class FakeTransport(asyncio.DatagramTransport):
    """Keeps what is sent, or raises ``error``."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 53)})
        self.sent: list[tuple[bytes, Any]] = []
        self.error: OSError | None = None

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((data, addr))

    def close(self) -> None:
        pass


@pytest.fixture
def transport():
    return FakeTransport()


@pytest.fixture
async def listener(transport):
    listener = Listener({b"ready": b"\0" * 7 + b"\1"}.get, lambda *_: None, {"answered": 0, "nodata": 0})
    listener.connection_made(transport)
    return listener


async def test_ready_answer_goes_to_the_asker(listener, transport):
    listener.datagram_received(b"ready", PEER)
    assert transport.sent == [(b"\0" * 7 + b"\1", PEER)]


async def test_other_packet_goes_to_the_server(transport):
    received = []
    listener = Listener(lambda _: None, lambda *packet: received.append(packet), {})
    listener.connection_made(transport)
    listener.datagram_received(b"other", PEER)
    assert received == [(b"other", PEER, listener)]


async def test_full_socket_takes_no_replies_until_there_is_room(listener, transport):
    listener.pause_writing()
    listener.send(b"1", PEER)
    listener.resume_writing()
    listener.send(b"2", PEER)
    assert transport.sent == [(b"2", PEER)]
    assert listener.unsent == 1


async def test_reply_that_the_system_refuses_is_counted(listener, transport):
    transport.error = OSError(22, "Invalid argument")
    listener.send(b"1", PEER)
    listener.error_received(ConnectionRefusedError())
    assert listener.unsent == 2


async def test_reply_after_close_is_counted_and_not_sent(listener, transport):
    listener.close()
    listener.close()
    listener.send(b"1", PEER)
    assert (transport.sent, listener.unsent) == ([], 1)


async def test_lost_socket_is_logged_with_its_address(listener):
    with capture_logs() as logs:
        listener.connection_lost(OSError("gone"))
    assert listener.closed.done()
    assert [(entry["event"], entry["address"]) for entry in logs] == [("dns_listener_lost", "127.0.0.1:53")]
