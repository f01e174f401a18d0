"""The link to the cloud in memory: what the node dials is the player, and no byte leaves the process."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from edgecore.errors import LinkError
from edgecore.modules.edgehub.cloud import STUB_SERVER
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.replay.journal import Journal

READ_AT_ONCE = 32
"""So many frames are handed to the node in a row; then others have their turn."""


class MemorySession:
    """One session of the node with the player; see ``Connection``."""

    violation = ""
    server = STUB_SERVER
    """It lets a node in when the recording did: nobody has to leave it alone before."""
    tls = ""

    def __init__(self, number: int, heard: Callable[[bytes], None]) -> None:
        self.number = number
        self._heard = heard
        self._unread: deque[bytes] = deque()
        self._moved = asyncio.Event()
        self._over = ""

    @property
    def unread(self) -> int:
        """How many frames the node has not read yet."""
        return 0 if self._over else len(self._unread)

    def give(self, payload: bytes) -> None:
        """Send one frame to the node."""
        self._unread.append(payload)
        self._moved.set()

    def end(self, why: str) -> None:
        """Be over, at once; what is unread stays so."""
        self._over = self._over or why
        self._moved.set()

    async def write(self, payload: bytes) -> None:
        """See ``Connection``."""
        self._look()
        self._heard(payload)

    async def ping(self) -> None:
        """See ``Connection``."""
        self._look()

    async def frames(self) -> AsyncIterator[bytes]:
        """See ``Connection``."""
        while True:
            for _ in range(READ_AT_ONCE):
                self._look()
                if not self._unread:
                    break
                yield self._unread.popleft()
            self._look()
            if self._unread:
                await asyncio.sleep(0)
                continue
            self._moved.clear()
            await self._moved.wait()

    def _look(self) -> None:
        if self._over:
            raise LinkError(f"lost the cloud: {self._over}")

    async def __aenter__(self) -> "MemorySession":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end("the node ended it")


class CloudLink:
    """Lets the node in while ``reachable``; hands on what it says."""

    def __init__(self, heard: Callable[[bytes], None], journal: Journal) -> None:
        self._heard = heard
        self._journal = journal
        self._session: MemorySession | None = None
        self._number = 0
        self.reachable = False

    @property
    def connected(self) -> bool:
        """Whether the node is there."""
        return self._session is not None

    @property
    def unread(self) -> int:
        """How many frames the node has not read yet."""
        return self._session.unread if self._session is not None else 0

    async def dial(
        self, address: CloudAddress, *, timeout_s: float, max_message_bytes: int, tls: ssl.SSLContext | None
    ) -> MemorySession:
        """Open a session, as ``dial`` of the transport. Raises ``LinkError`` where the recording has no connection."""
        if not self.reachable:
            raise LinkError(f"cannot connect to {address.url}: the recording has no connection here")
        self._end("the node dialled anew")
        self._number += 1
        session = self._session = MemorySession(self._number, lambda payload: self._take(session, payload))
        self._journal.opened(self._number)
        return session

    def send(self, text: str, message_id: str, parent: str = "") -> None:
        """Send a message; nothing happens without a node."""
        if self._session is not None:
            self._journal.to_edge(text, message_id, parent)
            self._session.give(text.encode())

    def drop(self, why: str = "the connection broke") -> None:
        """Let no node in any more, and end the session without a word."""
        self.reachable = False
        self._end(why)

    def _end(self, why: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end(why)
            self._journal.ended(session.number, why)

    def _take(self, session: MemorySession, payload: bytes) -> None:
        if session is self._session:
            self._heard(payload)
