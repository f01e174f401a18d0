"""Dialling the cloud: the one place of the node that speaks websocket (spec 2.1 and 2.5).

One text frame holds one message. No compression, no sub-protocol, no ``Origin``. A frame over ``max_message_bytes``
ends the session (close code 1009).
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, cast

import websockets.asyncio.client
import websockets.exceptions
from websockets.frames import CloseCode

from edgecore.beehive.frame import SPARE_BYTES, joined
from edgecore.errors import FrameError, LinkError

PROJECT_PATH = "/{project}/{node}/events"

CLOUD_CLOSED = "the cloud closed"
WE_CLOSED = "we closed"
"""How the text of a ``LinkError`` says who ended a session in good order."""


class CloudAddress(NamedTuple):
    """Where the cloud is, and as whom we come."""

    scheme: str
    host: str
    port: int
    project_id: str
    node: str

    @property
    def url(self) -> str:
        """The URL that is dialled."""
        path = PROJECT_PATH.format(project=self.project_id, node=self.node)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{path}"

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that say who we are; Go's spelling, with the underscores."""
        return {"Node_id": self.node, "Project_id": self.project_id, "Connectionuse": "msg"}


VIOLATIONS = {1002: "protocol_error", 1009: "frame_too_large"}
"""Close codes with which we end a session because of what came, and the words for them."""


class Session(Protocol):
    """One session with the cloud, as the conversation needs it; what each does is said below, at ``Connection``."""

    violation: str

    @property
    def server(self) -> str:
        """What the cloud calls itself."""

    @property
    def tls(self) -> str:
        """The version of TLS, or nothing."""

    async def write(self, payload: bytes) -> None:
        """Send one frame."""

    async def ping(self) -> None:
        """Send a ping and wait for its answer."""

    def frames(self) -> AsyncIterator[bytes]:
        """Yield each frame."""

    async def __aenter__(self) -> "Session": ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Connection:
    """One session with the cloud, over a websocket."""

    def __init__(self, websocket: websockets.asyncio.client.ClientConnection) -> None:
        self._websocket = websocket
        self.violation = ""
        """Why we ended the session, a word of ``VIOLATIONS``; empty where we did not."""

    @property
    def server(self) -> str:
        """What the cloud calls itself (``Server`` header of its answer), or nothing."""
        response = self._websocket.response
        return response.headers.get("Server", "") if response is not None else ""

    @property
    def tls(self) -> str:
        """The version of TLS, such as ``TLSv1.3``; empty without TLS."""
        wrapped = self._websocket.transport.get_extra_info("ssl_object")
        return (wrapped.version() or "") if wrapped is not None else ""

    async def write(self, payload: bytes) -> None:
        """Send one text frame. Raises ``LinkError`` if the session is over."""
        try:
            await self._websocket.send(payload, text=True)
        except websockets.exceptions.ConnectionClosed as error:
            raise LinkError(f"cannot write to the cloud: {_why(error)}") from error

    async def ping(self) -> None:
        """Send a websocket ping and return when it is answered. Raises ``LinkError`` if the session is over."""
        try:
            await (await self._websocket.ping())
        except websockets.exceptions.ConnectionClosed as error:
            raise LinkError(f"lost the cloud: {_why(error)}") from error

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the payload of each frame, fragments joined, text and binary alike. Raises ``LinkError`` at the end.

        Joined here and not by the library, which joins no more than 4,096: a cloudcore sends 4,082 bytes in each.
        """
        try:
            while True:
                yield await joined(self._websocket.recv_streaming(decode=False))
        except FrameError as error:
            self.violation = error.reason
            await self._websocket.close(CloseCode.MESSAGE_TOO_BIG, error.reason)
            raise LinkError(f"lost the cloud: {WE_CLOSED}: {error}") from error
        except websockets.exceptions.ConnectionClosed as error:
            if error.sent is not None and not error.rcvd_then_sent:
                self.violation = VIOLATIONS.get(error.sent.code, "")
            raise LinkError(f"lost the cloud: {_why(error)}") from error

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._websocket.close()
        finally:
            self._websocket.transport.abort()  # the closing itself may be cancelled; no socket outlives its session


class _Dial(websockets.asyncio.client.connect):
    """A dial that stays with the address it was given: names and certificate are meant for that cloud alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Dialled(websockets.asyncio.client.ClientConnection):
    """A connection that remembers how TLS ended it: in TLS 1.3 a cloud refuses a certificate after the handshake.

    It is cut where the cloud asks for more answers of the protocol (pongs) than it reads.
    """

    refusal: ssl.SSLError | None = None
    unsent_limit_bytes = SPARE_BYTES

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > self.unsent_limit_bytes:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            self.refusal = exc
        super().connection_lost(exc)


class Dial(Protocol):
    """Opens a session with the cloud, as ``dial`` does."""

    async def __call__(
        self, address: CloudAddress, *, timeout_s: float, max_message_bytes: int, tls: ssl.SSLContext | None
    ) -> Session:
        """Raises ``LinkError``."""


async def dial(
    address: CloudAddress,
    *,
    timeout_s: float,
    max_message_bytes: int,
    tls: ssl.SSLContext | None,
) -> Connection:
    """Open a session. ``tls`` is used for ``wss`` only. Raises ``LinkError``, naming the URL and the reason."""
    options: dict[str, Any] = {"ssl": tls} if address.scheme == "wss" else {}
    dialled: list[_Dialled] = []

    def remember(*arguments: Any, **keywords: Any) -> _Dialled:
        dialled.append(_Dialled(*arguments, **keywords))
        dialled[-1].unsent_limit_bytes = max_message_bytes + SPARE_BYTES
        return dialled[-1]

    try:
        websocket = await _Dial(
            address.url,
            additional_headers=address.headers,
            user_agent_header="edgecore",
            compression=None,
            ping_interval=None,
            open_timeout=timeout_s,
            close_timeout=1,
            max_size=max_message_bytes,
            proxy=None,
            create_connection=cast("type[_Dialled]", remember),  # any callable will do
            **options,
        )
    except websockets.exceptions.InvalidStatus as error:
        body = bytes(error.response.body or b"").decode(errors="replace").strip()[:200]
        raise LinkError(f"cannot connect to {address.url}: HTTP {error.response.status_code} {body}") from error
    except (OSError, websockets.exceptions.WebSocketException, ValueError) as error:
        refusal = next((each.refusal for each in dialled if each.refusal is not None), None)
        why = str(error) or type(error).__name__
        if refusal is not None:
            why = f"the cloud refused the node at TLS: {(refusal.reason or str(refusal)).replace('_', ' ').lower()}"
        raise LinkError(f"cannot connect to {address.url}: {why}") from error
    return Connection(websocket)


def _why(error: websockets.exceptions.ConnectionClosed) -> str:
    for close, who in ((error.rcvd, CLOUD_CLOSED), (error.sent, WE_CLOSED)):
        if close is not None:
            return f"{who} with code {close.code} {close.reason}".rstrip()
    return "the connection broke"
