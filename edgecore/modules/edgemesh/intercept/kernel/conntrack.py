"""The kernel's table of connections, asked over netlink: which flows there are, and which are to be forgotten.

It is read on the event loop in pieces of 32 KiB at most, and others run in between. Needs CAP_NET_ADMIN.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence

from edgecore.clock import Clock, before
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.kernel.ctnetlink import Batch, Flow, ask_for_all, forget, read

ANSWER_S = 5.0
"""So long the kernel may take for one piece."""
MAX_PIECES = 50_000
"""Of one look: some millions of flows."""
_PIECE_BYTES = 1 << 16
_AT_ONCE = 64
_NETLINK_NETFILTER = 12


class Conntrack:
    """See the module. Each question has a socket of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def flows(self) -> AsyncIterator[Sequence[Flow]]:
        """Yield the flows that were translated, some at a time. Raises ``InterceptError``."""
        try:
            with _socket() as sock:
                sock.send(ask_for_all(1))
                for _ in range(MAX_PIECES):
                    batch = await self._piece(sock)
                    if batch.errors:
                        raise _refused(OSError(batch.errors[0], os.strerror(batch.errors[0])))
                    yield batch.flows
                    if batch.is_last:
                        return
                    await self._clock.sleep(0)
        except OSError as error:
            raise _refused(error) from error

    async def forget(self, flows: Sequence[Flow]) -> None:
        """Have the kernel forget these flows; those that are gone already do not matter. Raises ``InterceptError``."""
        try:
            with _socket() as sock:
                for at in range(0, len(flows), _AT_ONCE):
                    # The kernel has done what it was sent when this returns. Only failures are answered.
                    for number, flow in enumerate(flows[at : at + _AT_ONCE], at):
                        sock.send(forget(flow, number & 0xFFFFFFFF))
                    _complain_of(sock)
                    await self._clock.sleep(0)
        except OSError as error:
            raise _refused(error) from error

    async def _piece(self, sock: socket.socket) -> Batch:
        try:
            receiving = asyncio.get_running_loop().sock_recv(sock, _PIECE_BYTES)
            return read(await before(self._clock, self._clock.monotonic() + ANSWER_S, receiving))
        except TimeoutError as error:
            raise InterceptError(
                "refused", f"the kernel does not list its connections within {ANSWER_S:g} s"
            ) from error
        except ValueError as error:
            raise InterceptError("refused", f"the kernel's list of connections cannot be read: {error}") from error


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
    try:
        sock.bind((0, 0))
    except BaseException:
        sock.close()
        raise
    return sock


def _complain_of(sock: socket.socket) -> None:
    """Raise ``OSError`` if something failed for another reason than that there is no such flow."""
    while True:
        try:
            answer = read(sock.recv(_PIECE_BYTES))
        except (BlockingIOError, ValueError):
            return
        for number in answer.errors:
            if number != _NO_SUCH:
                raise OSError(number, os.strerror(number))


_NO_SUCH = 2  # ENOENT


def _refused(error: OSError) -> InterceptError:
    reason = "no_permission" if isinstance(error, PermissionError) else "refused"
    return InterceptError(reason, f"the kernel's table of connections is closed to us: {error.strerror or error}")
