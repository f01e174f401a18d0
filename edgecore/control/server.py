"""The control server: HTTP and JSON on a Unix socket, for the commands that speak to this process.

Whoever may open the socket (mode 0600: its owner and root) may ask everything; there is no other authentication.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
from aiohttp import web

from edgecore.clock import Clock, before
from edgecore.control.routes import (
    LIMIT_BYTES,
    STREAM_TYPE,
    VERSION,
    VERSION_HEADER,
    ControlRefused,
    ControlRequest,
    Routes,
    find_handler,
)
from edgecore.control.unix_socket import UnixListener
from edgecore.errors import EdgecoreError
from edgecore.observe.guests import Guests
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("control")

_STOPPING = "cannot go on: the process is stopping"
_PATIENCE_S = 0.3
"""How long aiohttp waits, twice, for what is unfinished at the end although its task was cancelled."""
CONNECTIONS_LIMIT = 256
"""Each command is one, as long as it runs."""
BODY_S = 30.0
"""How long the body of a question may take to come."""


class ControlServer:
    """Answers the routes it was given, from ``start`` to ``stop``."""

    def __init__(self, path: Path, routes: Routes, *, process: str = "node", metrics: Metrics | None = None) -> None:
        self.path = path
        self._guests = Guests("control", CONNECTIONS_LIMIT, metrics)
        self._routes = routes
        self._process = process
        self._listener: UnixListener | None = None
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._work: set[asyncio.Task[web.StreamResponse]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Listen. Raises ``ListenError``: a live process there, no permission, a path that cannot be."""
        listener = UnixListener(self.path, self._process)
        app = web.Application(client_max_size=LIMIT_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_response_prepare.append(_add_version)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_PATIENCE_S)
        try:
            await runner.setup()
            accept = self._guests.received_by(cast("web.Server", runner.server))  # there since setup()
            # Not one of aiohttp's sites: those bind by path themselves, or speak TCP to the socket (uvloop).
            self._server = await asyncio.get_running_loop().create_unix_server(accept, sock=listener.socket)
        except BaseException:
            listener.close()
            await runner.cleanup()
            raise
        self._listener, self._runner, self._stopping = listener, runner, False
        log.info("control_listening", path=str(self.path))

    async def stop(self) -> None:
        """End every request with a word, remove the file, stop listening. Takes less than a second."""
        listener, self._listener = self._listener, None
        if listener is None or self._server is None or self._runner is None:
            return
        self._stopping = True
        listener.remove_file()
        self._server.close()
        for work in self._work:
            work.cancel()
        await self._runner.cleanup()
        self._guests.close()
        listener.close()
        self._server = self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Run one exchange in a task of its own, so that ``stop`` can end the work and still say so to the client."""
        with self._guests.serving(request.transport):
            return await self._work_at(request)

    async def _work_at(self, request: web.Request) -> web.StreamResponse:
        exchange = _Exchange(request, self._routes, self._guests.clock)
        work = asyncio.create_task(exchange.run())
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        try:
            return await work
        except asyncio.CancelledError:
            this_task = asyncio.current_task()
            client_went = this_task is not None and this_task.cancelling() > 0
            if client_went or not self._stopping:
                raise
            return await exchange.broken_off()


class _Exchange:
    """One request and its answer."""

    def __init__(self, request: web.Request, routes: Routes, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._routes = routes
        self._stream: web.StreamResponse | None = None

    async def run(self) -> web.StreamResponse:
        """Answer, whatever the handler does."""
        request = self._request
        try:
            handler = find_handler(self._routes, request.method, request.path)
            answer = await handler(ControlRequest(dict(request.query), await _body(request, self._clock)))
            if isinstance(answer, AsyncIterator):
                return await self._send_stream(answer)
            return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
        except ControlRefused as refusal:
            return _error(refusal.status, refusal.text)
        except EdgecoreError as error:
            log.warning("control_request_failed", method=request.method, path=request.path, error=str(error))
            return _error(500, str(error))
        except Exception as error:
            return _error(500, _crashed(request, error))

    async def _send_stream(self, items: AsyncIterator[Any]) -> web.StreamResponse:
        self._stream = stream = web.StreamResponse(headers={"Content-Type": STREAM_TYPE})
        last_line = b""
        try:
            try:
                await stream.prepare(self._request)
            except ConnectionError:  # the client went before it saw anything
                return stream
            async for item in items:
                line = msgspec.json.encode(item) + b"\n"
                with suppress(ConnectionError):  # the client has seen enough; aiohttp cancels this task
                    await stream.write(line)
        except EdgecoreError as refusal:
            last_line = _last_line(str(refusal))
        except Exception as error:
            last_line = _last_line(_crashed(self._request, error))
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
        if last_line:
            with suppress(ConnectionError):
                await stream.write(last_line)
        return stream

    async def broken_off(self) -> web.StreamResponse:
        """Return the answer to a request that the end of the process cut short."""
        if self._stream is None:
            return _error(503, _STOPPING)
        transport = self._request.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # its client does not read: nothing more would reach it in time
        else:
            await self._stream.write(_last_line(_STOPPING))
        return self._stream


async def _add_version(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[VERSION_HEADER] = VERSION


async def _body(request: web.Request, clock: Clock) -> Any:
    """Return the decoded JSON body, ``None`` for an empty one. Raises ``ControlRefused``."""
    try:
        body = await before(clock, clock.monotonic() + BODY_S, request.read())
    except TimeoutError:
        raise ControlRefused(408, f"cannot take the body of {request.path}: it did not come in {BODY_S:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise ControlRefused(413, f"cannot take the body of {request.path}: over {LIMIT_BYTES} bytes") from None
    return decoded(body, request.path) if body else None


def decoded(body: bytes, path: str) -> Any:
    """Return the JSON value of the body of a request for ``path``. Raises ``ControlRefused``."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:  # the former also for what is not UTF-8
        raise ControlRefused(400, f"cannot decode the body of {path}: {error}") from None


def _crashed(request: web.Request, error: Exception) -> str:
    """Log a handler's own mistake, and return what its client is told."""
    log.error("control_handler_crashed", method=request.method, path=request.path, exc_info=error)
    return f"cannot answer {request.method} {request.path}: {type(error).__name__}: {error}; see the log of the process"


def _error(status: int, text: str) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode({"error": text}), content_type="application/json")


def _last_line(text: str) -> bytes:
    return msgspec.json.encode({"error": text}) + b"\n"
