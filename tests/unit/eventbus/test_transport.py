"""The stream that paho reads: no more waits in it than is read."""

from typing import Any

import pytest

from edgecore.modules.eventbus.transport import MOST_UNREAD_BYTES, Stream


class Transport:
    """Notes whether it is read."""

    def __init__(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def stream(transport: Any) -> Stream:
    stream = Stream(lambda: None, lambda: None, 1 << 20)
    stream.connection_made(transport)
    return stream


async def test_nothing_more_is_taken_from_a_broker_until_what_came_is_read(
    stream: Stream, transport: Transport
) -> None:
    stream.data_received(b"x" * (MOST_UNREAD_BYTES - 1))
    assert transport.reads
    stream.data_received(b"x" * 2)
    assert not transport.reads
    assert stream.recv(1) == b"x"
    assert not transport.reads
    stream.recv(10)
    assert transport.reads


async def test_who_wants_no_more_is_given_none_though_all_is_read(stream: Stream, transport: Transport) -> None:
    stream.data_received(b"x" * MOST_UNREAD_BYTES)
    stream.hold(True)
    stream.recv(MOST_UNREAD_BYTES)
    assert not transport.reads
    stream.hold(False)
    assert transport.reads
    stream.hold(False)


async def test_what_waits_is_read_first_when_more_is_wanted_again(stream: Stream, transport: Transport) -> None:
    stream.hold(True)
    stream.data_received(b"x" * MOST_UNREAD_BYTES)  # it was on its way
    stream.hold(False)
    assert not transport.reads
    stream.recv(1)
    assert transport.reads
