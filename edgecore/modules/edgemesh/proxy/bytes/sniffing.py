"""Waiting for the first bytes of a client, without taking them: who serves it then finds them where they were."""

import asyncio
import socket
from collections.abc import Callable

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.proxy.bytes.connection import close
from edgecore.modules.edgemesh.proxy.bytes.sniff import LONG_LINE_BYTES, Verdict, sniff
from edgecore.modules.edgemesh.proxy.doors.door import Door

Found = Callable[[Verdict], None]
"""Hears what the client speaks; from then on the socket is the hearer's."""


class Sniffing:
    """Calls ``found`` once, perhaps before ``start`` returns: with ``bytes`` too where nothing comes in time.

    ``gone`` is called in its place when the client leaves, or is told to, before anything is known; the socket is
    closed then.
    """

    __slots__ = ("_client", "_door", "_found", "_gone", "_seen", "_timer")

    def __init__(self, client: socket.socket, door: Door, found: Found, gone: Callable[[], None]) -> None:
        self._client = client
        self._door = door
        self._found = found
        self._gone = gone
        self._seen = 0
        self._timer: Timer | None = None

    def start(self, clock: Clock, timeout_s: float) -> None:
        """Look what has come; wait if that is not enough."""
        verdict = self._look()
        if verdict != "undecided":
            self._found(verdict)
        elif self._client.fileno() >= 0:
            self._door.clients.add(self)
            self._timer = clock.call_at(clock.monotonic() + timeout_s, lambda: self._decide("bytes"))
            asyncio.get_running_loop().add_reader(self._client.fileno(), self._readable)

    def leave(self) -> None:
        """See ``Entered``."""
        self.abort()

    def abort(self) -> None:
        """See ``Entered``."""
        self._stop()
        close(self._client, reset=True)
        self._gone()

    def _readable(self) -> None:
        verdict = self._look()
        if verdict != "undecided":
            self._decide(verdict)

    def _look(self) -> Verdict:
        try:
            head = self._client.recv(LONG_LINE_BYTES, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return "undecided"
        except OSError:  # it has reset the connection: whoever serves it finds that out again
            return "bytes"
        verdict = sniff(head) if head else "bytes"
        if verdict == "undecided":
            if len(head) == self._seen:  # readable, and no more than before: it has ended
                return "bytes"
            self._seen = len(head)
            self._await(self._seen + 1)
        elif self._seen:
            self._await(1)
        return verdict

    def _await(self, size: int) -> None:
        """Have the system call the socket readable only when so much has come: what is not taken stays readable."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    def _decide(self, verdict: Verdict) -> None:
        if self._seen:
            self._await(1)
        self._stop()
        self._found(verdict)

    def _stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._client.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._door.clients.discard(self)
