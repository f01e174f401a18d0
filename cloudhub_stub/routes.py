"""What commands can ask a running stub over its control socket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from cloudhub_stub.api import NODES, REPLAY, STATUS, TOKEN
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import ReplayError, StubError
from cloudhub_stub.joining import Joining
from cloudhub_stub.player import Event, Player
from cloudhub_stub.replay import ReplayOptions
from cloudhub_stub.views import nodes_view
from edgecore.control.routes import ControlRefused, ControlRequest, Routes


def routes(cloud: Cloud, player: Player, status: Callable[[], dict[str, Any]], joining: Joining) -> Routes:
    """Return the routes of the control socket.

    | route | answer |
    | --- | --- |
    | ``GET /v1/status`` | what ``status`` returns |
    | ``GET /v1/token`` | the token with which edges join, and when it ends |
    | ``GET /v1/nodes`` | the nodes that the stub knows (``views.py``) |
    | ``POST /v1/replay`` with ``ReplayOptions`` | a stream of events (``player.py``); hanging up stops the replay |
    """

    async def show_status(_request: ControlRequest) -> dict[str, Any]:
        return status()

    async def show_token(_request: ControlRequest) -> dict[str, Any]:
        try:
            tokens = joining.tokens
        except StubError as error:
            raise ControlRefused(409, str(error)) from error
        return {"token": tokens.current, "expires_at": tokens.expires_at, "file": str(tokens.path)}

    async def show_nodes(_request: ControlRequest) -> list[dict[str, Any]]:
        return nodes_view(cloud)

    async def replay(request: ControlRequest) -> AsyncIterator[Event]:
        try:
            options = msgspec.convert(request.body, ReplayOptions)
            return player.play(options)
        except (msgspec.ValidationError, ReplayError) as error:
            raise ControlRefused(400, str(error)) from error

    return {
        ("GET", STATUS): show_status,
        ("GET", TOKEN): show_token,
        ("GET", NODES): show_nodes,
        ("POST", REPLAY): replay,
    }
