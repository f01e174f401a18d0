"""A client and a backend without sockets: how the bytes are cut up on arrival changes nothing of what is forwarded.

Whole requests and answers take the shortcut, others do not; both must forward the same bytes and keep the same books.
"""

from asyncio import Transport
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection, BackendOwner
from edgecore.modules.edgemesh.proxy.http.client import ClientConnection
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.options import ForwardedHeaders, ProxyOptions
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.observe.metrics import Metrics
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")
BACKEND = Endpoint("10.0.0.1", 80)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        assert data
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = write_eof = close

    def get_extra_info(self, name: str) -> Any:
        return ("10.9.9.9", 1234) if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class OnlyWeb:
    """A directory of one service."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def service_named(self, host: str, port: int) -> ServiceKey:
        return WEB

    def upstream(self, *_: Any) -> Upstream:
        return self._upstream


class Line:
    """One client of a service with one backend, and an idle connection between for each request."""

    def __init__(self, forwarded_headers: ForwardedHeaders = "off") -> None:
        upstreams = fresh_upstreams()
        self.upstream = upstreams.put(port_spec(WEB, 80, [BACKEND]))
        self.host = self.upstream.hosts[BACKEND]
        self.log: list[Served] = []
        self.gateway = Gateway(
            OnlyWeb(self.upstream),
            upstreams,
            VirtualClock(),
            Metrics(),
            ProxyLimits(),
            options=ProxyOptions(forwarded_headers=forwarded_headers),
            access=self.log.append,
        )
        self.client, self.to_client = ClientConnection(self.gateway, Door(WEB, Endpoint("10.1.0.1", 80))), Wire()
        self.client.connection_made(cast("Transport", self.to_client))
        self.to_backend = bytearray()

    def serve(self, request: list[bytes], answer: list[bytes]) -> None:
        """Have the client send ``request``, and the backend ``answer``, piece by piece."""
        wire = Wire()
        connection = BackendConnection(self.host, self.gateway.backends, cast("BackendOwner", self))
        connection.connection_made(cast("Transport", wire))
        self.gateway.backends.give_back(connection, 0.0)
        for piece in request:
            self.client.data_received(piece)
        for piece in answer:
            connection.data_received(piece)
        self.to_backend += wire.written
        connection.drop()
        connection.connection_lost(None)

    def result(self) -> tuple[Any, ...]:
        """Return what was forwarded and what was counted."""
        host = self.host
        told = [(line.method, line.target, line.status, line.bytes_in, line.bytes_out) for line in self.log]
        books = (host.requests, host.active, sum(host.latency), host.failures, host.errors, self.upstream.codes, told)
        return (bytes(self.to_backend), bytes(self.to_client.written), self.to_client.closing, *books)


REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a?b=c HTTP/1.1\r\nhost: x:80\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n",
    b"GET http://x/a HTTP/1.1\r\nHost: y\r\nTE: trailers\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nServer: n\r\nContent-Length: 0\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n03\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\ntoo much",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
    b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxtoo much",
    b"rubbish\r\n\r\n",
]


def bare(request: bytes, answer: bytes) -> bytes:
    """Return what a backend answers to ``request``: to HEAD, no body."""
    return answer[: answer.index(b"\r\n\r\n") + 4] if request.startswith(b"HEAD") else answer


@given(data=st.data())
def test_how_requests_and_answers_are_cut_up_changes_nothing(
    data, cut: Callable[[bytes, list[int]], list[bytes]]
) -> None:
    headers: ForwardedHeaders = data.draw(st.sampled_from(["off", "both"]))
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(REQUESTS), st.sampled_from(ANSWERS)), max_size=4))
    places = st.lists(st.integers(0, 150), max_size=4)
    whole, pieces, single = Line(headers), Line(headers), Line(headers)
    for request, found in pairs:
        answer = bare(request, found)
        whole.serve([request], [answer])
        pieces.serve(cut(request, data.draw(places)), cut(answer, data.draw(places)))
        single.serve(each_byte(request), each_byte(answer))
    assert pieces.result() == whole.result()
    assert single.result() == whole.result()


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("request_", [REQUESTS[number] for number in (0, 1, 2, 3, 5)])
@pytest.mark.parametrize("answer", [ANSWERS[0], ANSWERS[3]])
def test_whole_request_and_whole_answer_take_the_shortcut(
    request_: bytes, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientConnection, "unfold", pytest.fail)
    if request_.startswith(b"HEAD"):
        answer = bare(request_, ANSWERS[0])
    line = Line()
    for _ in range(3):
        line.serve([request_], [answer])
    assert bytes(line.to_client.written) == 3 * answer
    assert line.result()[3:7] == (3, 0, 3, 0)


def test_pipelined_requests_take_turns_whole() -> None:
    line = Line()
    line.serve([REQUESTS[0] + REQUESTS[1]], [ANSWERS[0], ANSWERS[0]])
    assert bytes(line.to_client.written) == 2 * ANSWERS[0]
    assert line.result()[3] == 2
