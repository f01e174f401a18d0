"""The https listener, where edges fetch the CA and ask for their certificates: bytes in and out, limits, deadlines."""

import asyncio
from ssl import SSLContext, SSLObject
from typing import Any, cast

import structlog
from aiohttp import web

from cloudhub_stub.certificates.issuer import TEXT, Answer, Ask, Issuer
from edgecore import __version__
from edgecore.addresses import join_address
from edgecore.clock import Clock, Timer
from edgecore.errors import ListenError, listen_error
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("cloudhub")

BODY_LIMIT_BYTES = 16 * 1024
"""A certificate request of an edge has 284 bytes."""

CONNECTION_LIMIT = 100
CONNECTION_LIFE_S = 30.0
"""An exchange takes milliseconds; whatever is not over by then is cut, however it passes its time."""

_IDLE_S = 5.0
_HANDSHAKE_S = 10.0
_LINGER_S = 1.0
"""How long the rest of a body that was refused is read and thrown away, so that its sender gets the answer."""
_PATIENCE_S = 0.3


class HttpsServer:
    """Asks an ``Issuer`` and sends what it answers, from ``start`` to ``stop``."""

    def __init__(self, host: str, port: int, metrics: Metrics, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._runner: web.ServerRunner | None = None
        self.open: set[web.RequestHandler] = set()
        """The connections, once their handshakes are over."""

    @property
    def url(self) -> str:
        """Where it listens, with the port that was found free if port 0 was asked for; until then nothing."""
        return "" if self._port == 0 else f"https://{join_address(self._host, self._port)}"

    async def start(self, issuer: Issuer, context: SSLContext) -> None:
        """Listen. Raises ``ListenError``."""
        runner = web.ServerRunner(_Server(self, issuer), access_log=None, shutdown_timeout=_PATIENCE_S)
        await runner.setup()
        accept = cast("web.Server", runner.server)  # there since setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                accept, self._host, self._port, ssl=context, ssl_handshake_timeout=_HANDSHAKE_S
            )
        except OSError as error:
            await runner.cleanup()
            raise _refused(join_address(self._host, self._port), error) from error
        self._runner = runner
        self._port = self._server.sockets[0].getsockname()[1]
        log.info("https_listening", url=self.url)

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        server, self._server = self._server, None
        if server is not None and self._runner is not None:
            server.close()
            await self._runner.cleanup()

    def count(self, reason: str, peer: str, **details: Any) -> None:
        """Count a refusal."""
        self._metrics.bad_input("cloudhub", reason, peer, **details)

    def cut_in_time(self, connection: "_Connection", transport: asyncio.Transport) -> Timer:
        """Return the timer that ends a connection which does not end by itself."""

        def cut() -> None:
            self.count("too_slow", connection.peer)
            transport.abort()

        return self._clock.call_at(self._clock.monotonic() + CONNECTION_LIFE_S, cut)


class _Server(web.Server):
    """Makes a ``_Connection`` of each connection."""

    def __init__(self, shell: HttpsServer, issuer: Issuer) -> None:
        super().__init__(self._handle, handler_cancellation=True)
        self._shell = shell
        self._issuer = issuer

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._shell)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        peer = _peer(request.transport)
        try:
            body = await _body(request)
        except web.RequestPayloadError as error:
            self._shell.count("bad_http", peer, detail=str(error))
            return _response(_BAD_REQUEST, close=True)
        if body is None:
            answer = Answer(413, b"413 request entity too large\n", refused="body_too_large")
        else:
            certificate = _certificate(request.transport)
            authorization = request.headers.get("Authorization")
            answer = self._issuer.answer(Ask(request.method, request.path, peer, authorization, certificate, body))
        if answer.refused:
            self._shell.count(answer.refused, peer, method=request.method, path=request.path)
        return _response(answer, close=body is None)


class _Connection(web.RequestHandler):
    """One connection: counted, with a deadline, its faults told to nobody but our own log."""

    def __init__(self, server: web.Server, shell: HttpsServer) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # none, as the library allows in its other places
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        self._shell = shell
        self._deadline: Timer | None = None
        self.peer = "unknown"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer = _peer(transport)
        real_transport = cast("asyncio.Transport", transport)
        if len(self._shell.open) >= CONNECTION_LIMIT:
            self._shell.count("too_many_connections", self.peer)
            real_transport.abort()
            return
        self._shell.open.add(self)
        self._deadline = self._shell.cut_in_time(self, real_transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._shell.open.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what our own mistake made impossible to answer."""
        if status < 500:
            self._shell.count("bad_http", self.peer, detail=message or str(exc))
            return _response(_BAD_REQUEST, close=True)
        log.error("https_request_crashed", method=request.method, path=request.path, exc_info=exc)
        return _response(Answer(500, b"500 internal server error\n"), close=True)


_BAD_REQUEST = Answer(400, b"400 Bad Request")


async def _body(request: web.BaseRequest) -> bytes | None:
    """Return the body, which a GET may have too; ``None`` where it is over the limit."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        return None
    body = b""
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            return None
    return body


def _response(answer: Answer, *, close: bool) -> web.Response:
    headers = {"Content-Type": answer.content_type, "Server": f"cloudhub-stub/{__version__}"}
    if answer.status >= 400 and answer.content_type == TEXT:
        headers["X-Content-Type-Options"] = "nosniff"
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if close:
        response.force_close()
    return response


def _certificate(transport: asyncio.BaseTransport | None) -> bytes | None:
    tls: SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")
    return None if tls is None else tls.getpeercert(binary_form=True)


def _peer(transport: asyncio.BaseTransport | None) -> str:
    address = None if transport is None else transport.get_extra_info("peername")
    return join_address(address[0], address[1]) if address else "unknown"


def _refused(address: str, error: OSError) -> ListenError:
    text = "another program listens there; choose another port with --https, or 0 for a free one"
    refusal = listen_error(address, error)
    return listen_error(address, error, text) if refusal.reason == "in_use" else refusal
