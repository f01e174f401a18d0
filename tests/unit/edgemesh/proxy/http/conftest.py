"""Readers driven to the end of their bytes, and streams of bytes worth reading."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st

from edgecore.modules.edgemesh.proxy.http.request import RequestReader
from edgecore.modules.edgemesh.proxy.http.response import ResponseReader

Events = list[Any]


def read_requests(pieces: list[bytes], max_header_bytes: int = 65_536) -> Events:
    """Return all events of a client's stream, body pieces joined, so that only what matters is compared."""
    reader = RequestReader(max_header_bytes)
    events: Events = []
    for piece in pieces:
        reader.receive(piece)
        while (event := reader.next()) is not None:
            _append(events, event)
            if hasattr(event, "reason"):
                return events
    return events


def read_answer(pieces: list[bytes], *, closed: bool = False, **options: Any) -> Events:
    """Return all events of a backend's answer; ``closed`` if the connection ends after it."""
    reader = ResponseReader(options.pop("max_header_bytes", 65_536), **options)
    events: Events = []

    def take() -> bool:
        while (event := reader.next()) is not None:
            _append(events, event)
            if hasattr(event, "reason") or event.__class__.__name__ == "Mark":
                return True
            if hasattr(event, "interim") and not event.interim and not event.has_body:
                return True
        return False

    for piece in pieces:
        reader.receive(piece)
        if take():
            return events
    if closed:
        reader.close()
        take()
    return events


def _append(events: Events, event: Any) -> None:
    if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
        events[-1] += event
    else:
        events.append(event)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return ``data`` in pieces."""
    stops = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:stop] for start, stop in pairwise(stops)]


@pytest.fixture(name="read_requests", scope="session")
def _read_requests() -> Callable[..., Events]:
    return read_requests


@pytest.fixture(name="read_answer", scope="session")
def _read_answer() -> Callable[..., Events]:
    return read_answer


@pytest.fixture(name="cut", scope="session")
def _cut() -> Callable[[bytes, list[int]], list[bytes]]:
    return cut


_words = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 204 No\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"Host: x\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"X:\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"abc",
        b"3\r\nabc\r\n",
        b"00a;x=1\r\n0123456789\r\n",
        b"3\nabc\n",
        b"0\r\n\r\n",
        b"0\r\nX-T: v\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"-1\r\n",
    ]
)


@pytest.fixture(scope="session")
def streams() -> st.SearchStrategy[bytes]:
    """Bytes that are HTTP for a while, or nearly."""
    return st.lists(_words | st.binary(max_size=4), max_size=12).map(b"".join)
