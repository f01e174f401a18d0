"""What commands can ask a running stub over its control socket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from cloudhub_stub.calls import Caller, CallOptions
from cloudhub_stub.certificates.joining import Joining
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import BadAnswer, BadMessage, NoAnswer, NoSuchNode, QueueFull, ReplayError, StubError
from cloudhub_stub.paths import CALLS, JOURNAL, LEDGER, MESSAGES, NODES, REPLAY, STATUS, TOKEN, UPLOADS
from cloudhub_stub.replay.plan import ReplayOptions
from cloudhub_stub.replay.player import Event, Player
from cloudhub_stub.sender import Sender, SendOptions
from cloudhub_stub.store.tables import Rows
from cloudhub_stub.views import nodes_view, uploads_view
from edgecore.control.routes import ControlRefused, ControlRequest, Handler, Routes

MAX_JOURNAL = 1000
"""How many rows of the journal are shown at a time."""


def routes(cloud: Cloud, player: Player, sender: Sender, rows: Rows, status: Callable[[], dict[str, Any]]) -> Routes:
    """Return the routes of the control socket.

    | route | answer |
    | --- | --- |
    | ``GET /v1/status`` | what ``status`` returns |
    | ``GET /v1/nodes`` | the nodes that the stub knows (``views.py``) |
    | ``GET /v1/journal?node=NAME&after=SEQ`` | the messages with an effect that were taken in of a node, from one on |
    | ``POST /v1/messages`` with ``SendOptions`` | ``accepted``, or a stream of events (``sender.py``) |
    | ``POST /v1/replay`` with ``ReplayOptions`` | a stream of events (``player.py``); hanging up stops the replay |
    """

    async def show_status(_request: ControlRequest) -> dict[str, Any]:
        return status()

    async def show_nodes(_request: ControlRequest) -> list[dict[str, Any]]:
        return nodes_view(cloud)

    async def replay(request: ControlRequest) -> AsyncIterator[Event]:
        try:
            options = msgspec.convert(request.body, ReplayOptions)
            return player.play(options)
        except (msgspec.ValidationError, ReplayError) as error:
            raise ControlRefused(400, str(error)) from error

    async def send(request: ControlRequest) -> Event | AsyncIterator[Event]:
        try:
            return await sender.send(msgspec.convert(request.body, SendOptions))
        except (msgspec.ValidationError, BadMessage) as error:
            raise ControlRefused(400, str(error)) from error
        except NoSuchNode as error:
            raise ControlRefused(409, str(error)) from error
        except QueueFull as error:
            raise ControlRefused(429, str(error)) from error

    return {
        ("GET", STATUS): show_status,
        ("GET", NODES): show_nodes,
        ("GET", JOURNAL): _journal(rows),
        ("POST", MESSAGES): send,
        ("POST", REPLAY): replay,
    }


def _journal(rows: Rows) -> Handler:
    async def show_journal(request: ControlRequest) -> list[dict[str, Any]]:
        node, after = request.query.get("node", ""), request.query.get("after", "0")
        if not node or not (after.isascii() and after.isdigit() and len(after) < 19):
            raise ControlRefused(400, "cannot show the journal: it wants ?node=NAME, and a number in &after=SEQ")
        return [row._asdict() for row in rows.journal(node, int(after), MAX_JOURNAL)]

    return show_journal


def device_routes(cloud: Cloud, caller: Caller) -> Routes:
    """Return the routes for what is behind an edge.

    | route | answer |
    | --- | --- |
    | ``POST /v1/calls`` with ``CallOptions`` | the answer of the service (``Caller.call``) |
    | ``GET /v1/uploads?node=NAME`` | what devices of the node sent up last, oldest first |
    """

    async def call(request: ControlRequest) -> dict[str, Any]:
        try:
            return await caller.call(msgspec.convert(request.body, CallOptions))
        except (msgspec.ValidationError, BadMessage) as error:
            raise ControlRefused(400, str(error)) from error
        except NoSuchNode as error:
            raise ControlRefused(409, str(error)) from error
        except QueueFull as error:
            raise ControlRefused(429, str(error)) from error
        except BadAnswer as error:
            raise ControlRefused(502, str(error)) from error
        except NoAnswer as error:
            raise ControlRefused(504, str(error)) from error

    async def show_uploads(request: ControlRequest) -> list[dict[str, Any]]:
        name = request.query.get("node", "")
        node = cloud.nodes.get(name)
        if node is None:
            why = "no node of that name has connected; see `cloudhub-stub nodes`"
            raise ControlRefused(404, f"cannot show uploads of {name[:80]!r}: {why}")
        return uploads_view(node)

    return {("POST", CALLS): call, ("GET", UPLOADS): show_uploads}


def token_routes(joining: Joining) -> Routes:
    """Return the route of the token: ``GET /v1/token``, an object with ``token``, ``expires_at`` and ``file``."""

    async def show_token(_request: ControlRequest) -> dict[str, Any]:
        try:
            tokens = joining.tokens
        except StubError as error:
            raise ControlRefused(409, str(error)) from error
        return {"token": tokens.current, "expires_at": tokens.expires_at, "file": str(tokens.path)}

    return {("GET", TOKEN): show_token}


def ledger_routes(view: Callable[[], dict[str, Any]]) -> Routes:
    """Return the route of the ledger: ``GET /v1/ledger``, ``Ledger.view`` with the faults that were fired."""

    async def show_ledger(_request: ControlRequest) -> dict[str, Any]:
        return view()

    return {("GET", LEDGER): show_ledger}
