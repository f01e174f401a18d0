"""The observation port: ``/metrics`` for Prometheus, ``/healthz`` for supervisors, ``/debug/`` for people; read only.

It listens on loopback unless the configuration names another address. There it answers only requests that name this
machine (an address or ``localhost``) as their host: a web page whose name was made to resolve to 127.0.0.1 is refused.
"""

import asyncio
import errno
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import web

from edgecore.addresses import join_address, split_address
from edgecore.errors import ListenError, listen_error
from edgecore.observe.guests import Guests
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("observe")

AUTO = "auto"
_PORTS_TRIED = 100
_PATIENCE_S = 0.3
CONNECTIONS_LIMIT = 64
"""Prometheus needs one, a person a few."""
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class ObserveServer:
    """Serves one process's figures over HTTP, from ``start`` to ``stop``.

    ``listen`` is ``host:port``, or ``auto``: on 127.0.0.1 the first free port of the hundred from ``base_port`` on.
    ``health`` returns at least ``status``: ``ok``, or a word for what is wrong; then the answer is 503.
    ``debug`` maps a name to a function that returns something fit for JSON; what JSON has no form for is shown as text.
    """

    def __init__(
        self,
        listen: str,
        base_port: int,
        metrics: Metrics,
        health: Callable[[], Mapping[str, Any]],
        debug: Mapping[str, Callable[[], Any]],
    ) -> None:
        self._listen = listen
        self._base_port = base_port
        self._metrics = metrics
        self._health = health
        self._debug = debug
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self.address = ""
        """``host:port`` in use, once started."""
        self._loopback = True
        self._guests = Guests("observe", CONNECTIONS_LIMIT, metrics)

    async def start(self) -> None:
        """Listen. Raises ``ListenError``."""
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/healthz", self._show_health)
        app.router.add_get("/debug/", self._list_debug)
        app.router.add_get("/debug/{name}", self._show_debug)
        app.middlewares.append(self._guard)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PATIENCE_S)
        await runner.setup()
        try:
            self._server = await self._bind(runner)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        host, port = self._server.sockets[0].getsockname()[:2]
        self._loopback = ipaddress.ip_address(host).is_loopback
        self.address = join_address(host, port)
        log.info("observe_listening", address=self.address)

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        server, self._server = self._server, None
        if server is not None and self._runner is not None:
            server.close()
            await self._runner.cleanup()
            self._guests.close()

    async def _bind(self, runner: web.AppRunner) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        accept = self._guests.received_by(cast("web.Server", runner.server))  # there since setup()
        tried = ""
        for host, port in self._candidates():
            tried = join_address(host, port)
            try:
                server = await loop.create_server(accept, host, port)
                if server.sockets[0] is not None:
                    return server
                # Another process listened between our bind and our listen; uvloop says nothing of that.
                raise OSError(errno.EADDRINUSE, "Address already in use")
            except OSError as error:
                if self._listen != AUTO or error.errno != errno.EADDRINUSE:
                    raise listen_error(tried, error) from error
        text = f"none of the {_PORTS_TRIED} ports from {self._base_port} on is free; name one in observe.listen"
        raise ListenError(tried, "in_use", text)

    def _candidates(self) -> list[tuple[str, int]]:
        if self._listen != AUTO:
            try:
                return [split_address(self._listen)]
            except ValueError as error:
                raise ListenError(self._listen, "no_such_address", str(error)) from None
        return [("127.0.0.1", port) for port in range(self._base_port, self._base_port + _PORTS_TRIED) if port < 65536]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        """Answer errors as JSON, and strangers not at all."""
        if self._loopback and not _names_this_machine(request.host):
            return _json({"error": f"cannot answer for {request.host}: ask by address, or as localhost"}, 403)
        try:
            with self._guests.serving(request.transport):
                response: web.StreamResponse = await handler(request)
        except web.HTTPException as refusal:
            text = f"cannot answer {request.method} {request.path}: {refusal.reason}"
            return _json({"error": text, "there_are": ["/metrics", "/healthz", "/debug/"]}, refusal.status)
        except Exception as error:
            log.exception("observe_request_crashed", path=request.path)
            return _json({"error": f"cannot answer {request.path}: {type(error).__name__}: {error}"}, 500)
        return response

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": _TEXT_FORMAT})

    async def _show_health(self, _request: web.Request) -> web.Response:
        health = self._health()
        return _json(health, 200 if health.get("status") == "ok" else 503)

    async def _list_debug(self, _request: web.Request) -> web.Response:
        return _json({"there_are": [f"/debug/{name}" for name in sorted(self._debug)]})

    async def _show_debug(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._debug:
            known = ", ".join(sorted(self._debug))
            return _json({"error": f"cannot show {name}: there are {known or 'none'}"}, 404)
        return _json(self._debug[name]())


def _names_this_machine(host_header: str) -> bool:
    try:
        host = urlsplit(f"//{host_header}").hostname or ""
        return host == "localhost" or bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _json(value: object, status: int = 200) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(value, enc_hook=repr), indent=2) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json")
