"""What a process answers on its control socket: requests, refusals, and finding the handler of a request."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from edgecore.errors import EdgecoreError

VERSION_HEADER = "Edgecore-Control-Version"
VERSION = "1"
"""Changes when an old command would misread what a new process answers."""
STREAM_TYPE = "application/x-ndjson"
"""Content type of a stream: one JSON value a line, and no end until one of the two sides goes.

An item is never an object whose only key is ``error``: such a line is the last one, and says why there are no more.
"""
LIMIT_BYTES = 64 * 1024 * 1024
"""The largest request body, answer, and line of a stream."""


class ControlRequest(NamedTuple):
    """One question of a command."""

    query: Mapping[str, str]
    body: Any
    """The decoded JSON body; ``None`` where there was none."""


Handler = Callable[[ControlRequest], Awaitable[Any]]
"""Returns a JSON value, or an asynchronous iterator whose JSON values are streamed.

Handlers are cancelled when their client goes away or the process stops. ``ControlRefused`` ends a request on purpose;
raised before the iterator is returned it sets the HTTP status, raised in the iterator it is the last line.
"""
Routes = Mapping[tuple[str, str], Handler]
"""(method, path) to handler, such as ``("GET", "/v1/status")``."""


class ControlRefused(EdgecoreError):  # noqa: N818 - reads as what happened, like the tree in errors.py
    """The process will not do what was asked: an HTTP status, and a text that says why and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def find_handler(routes: Routes, method: str, path: str) -> Handler:
    """Return the handler of one request. Raises ``ControlRefused``: 404, or 405 where only the method is wrong."""
    handler = routes.get((method, path))
    if handler is not None:
        return handler
    methods = sorted(known for known, known_path in routes if known_path == path)
    if methods:
        raise ControlRefused(405, f"cannot answer {method} {path}: it takes {', '.join(methods)}")
    known_routes = ", ".join(" ".join(route) for route in sorted(routes, key=lambda route: route[::-1]))
    raise ControlRefused(404, f"cannot answer {method} {path}: no such route; there are {known_routes or 'none'}")
