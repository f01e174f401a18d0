"""One direction of bytes over real sockets, where the order of what happens at its ends matters."""

import asyncio
import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from edgecore.modules.edgemesh.proxy.bytes.direction import Direction
from edgecore.modules.edgemesh.proxy.bytes.lane import Lane
from edgecore.modules.edgemesh.proxy.bytes.pipes import Pipes

RESET = struct.pack("ii", 1, 0)


class Owner:
    """Hears of what becomes of a direction."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def began(self, direction: Direction) -> None:
        """Nothing is to be done."""

    def ended(self, direction: Direction) -> None:
        direction.close()
        self.heard.set_result(None)

    def broken(self, direction: Direction, error: OSError, *, at_source: bool) -> None:
        direction.close()
        self.heard.set_result(error.errno if at_source else -1)


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for each in made:
        each.close()


def joined(sockets: list[socket.socket]) -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    sockets += [one, other]
    other.setblocking(False)
    return one, other


@pytest.mark.parametrize("size", [1, 300_000])
@pytest.mark.parametrize("pipes", [0, 1])
async def test_sender_that_resets_behind_its_last_bytes_is_noticed(
    sockets: list[socket.socket], size: int, pipes: int
) -> None:
    sender, source = joined(sockets)
    receiver, sink = joined(sockets)
    receiver.setblocking(False)
    sender.sendall(b"x" * size)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sender.close()
    owner, lane = Owner(), Lane(Pipes(pipes), 256 * 1024)
    direction = Direction(asyncio.get_running_loop(), lane, owner, source, sink)
    direction.start()
    try:
        async with asyncio.timeout(5):
            while not owner.heard.done():
                with suppress(BlockingIOError):
                    receiver.recv(65536)
                await asyncio.sleep(0.001)
        assert (owner.heard.result(), direction.has_ended) == (errno.ECONNRESET, False)
        assert direction.moved > 0
    finally:
        direction.close()
        lane.pipes.close()
