"""The proxy and the health checks: what clients and backends send by HTTP, and the first bytes of any client."""

from asyncio import StreamReader
from typing import Any, cast

from edgecore.addresses import join_address, split_address
from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.bytes.sniff import LONG_LINE_BYTES, sniff
from edgecore.modules.edgemesh.proxy.doors.destination import endpoint_of
from edgecore.modules.edgemesh.proxy.http.head import forwarded_answer, forwarded_request
from edgecore.modules.edgemesh.proxy.http.request import END, RequestReader
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, parse_request, read_request
from edgecore.modules.edgemesh.proxy.http.response import ResponseReader
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, read_response
from edgecore.modules.edgemesh.proxy.http.target import host_port, is_authority
from edgecore.modules.edgemesh.upstream.health.asking import _answer
from edgecore.modules.edgemesh.upstream.health.probing import status_of
from edgecore.observe.server import _names_this_machine
from tests.fuzz.recorded import texts
from tests.fuzz.target import finish, target
from tests.support.exchanges.mutation import ANSWERS, REQUESTS

LIMIT = 2000
_REQUESTS = texts(
    *REQUESTS, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nTE: trailers\r\n\r\n"
)
_ANSWERS = texts(*ANSWERS)


@target(
    "edgecore.modules.edgemesh.proxy.http.framing",
    "edgecore.modules.edgemesh.proxy.http.requesthead",
    "edgecore.modules.edgemesh.proxy.http.body",
    "edgecore.modules.edgemesh.proxy.http.fields",
    "edgecore.modules.edgemesh.proxy.http.target",
    faces="clients of services",
    seeds=_REQUESTS,
)
def http_request(data: bytes) -> None:
    """Cut up or whole it is the same; what is forwarded is read as the same request by the next one."""
    whole = _requests([data])
    assert _joined(whole) == _joined(_requests([data[at : at + 1] for at in range(len(data))]))
    for event in whole:
        if isinstance(event, RequestHead):
            _check_request(event)


def _check_request(head: RequestHead) -> None:
    forwarded = forwarded_request(head, b"web:80")
    again = read_request(forwarded)
    assert isinstance(again, RequestHead), (head.head, forwarded, again)
    assert (again.method, again.path, again.length, again.upgrade) == (
        head.method,
        head.path,
        head.length,
        head.upgrade,
    )
    slowly = parse_request(forwarded)
    assert isinstance(slowly, RequestHead)
    assert (slowly.path, slowly.length, slowly.authority) == (again.path, again.length, again.authority)
    assert not head.authority or host_port(head.authority) is not None


def _requests(pieces: list[bytes]) -> list[object]:
    reader, found = RequestReader(LIMIT), list[object]()
    for piece in pieces:
        reader.receive(piece)
        while (event := reader.next()) is not None:
            found.append(event)
            if isinstance(event, Refusal) or (isinstance(event, RequestHead) and event.upgrade):
                return found
    return found


@target(
    "edgecore.modules.edgemesh.proxy.http.responsehead",
    "edgecore.modules.edgemesh.proxy.http.framing",
    "edgecore.modules.edgemesh.proxy.http.body",
    faces="backends of services",
    seeds=_ANSWERS,
)
def http_response(data: bytes) -> None:
    """Cut up or whole it is the same, and what the client gets has one length."""
    for bare, framed in ((False, True), (False, False), (True, True)):
        whole = _answers([data], bare, framed)
        assert _joined(whole) == _joined(_answers([data[at : at + 1] for at in range(len(data))], bare, framed))
        for event in whole:
            if isinstance(event, ResponseHead):
                forwarded = forwarded_answer(event, framed=framed, connection=b"")
                again = read_response(forwarded, bare=bare)
                assert isinstance(again, ResponseHead), (data, forwarded)
                assert again.status == event.status
                assert again.length == event.length or not framed, (data, forwarded)


def _answers(pieces: list[bytes], bare: bool, framed: bool) -> list[object]:
    reader, found = ResponseReader(LIMIT, bare=bare, framed=framed), list[object]()
    for piece in (*pieces, b""):
        if piece:
            reader.receive(piece)
        else:
            reader.close()
        while (event := reader.next()) is not None:
            found.append(event)
            if event is END or isinstance(event, Refusal) or (isinstance(event, ResponseHead) and event.status == 101):
                return found
    return found


def _joined(events: list[object]) -> list[object]:
    """Put pieces of a body together; of heads, what they say."""
    found: list[object] = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        elif isinstance(event, RequestHead | ResponseHead):
            found.append(event.head)
        elif isinstance(event, Refusal):
            found.append(event.reason)
        elif event != b"":
            found.append(event)
    return found


@target(
    "edgecore.modules.edgemesh.proxy.bytes.sniff",
    faces="clients of services whose protocol is not known: HTTP, TLS",
    seeds=lambda: [*_REQUESTS(), b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03" + bytes(40), b"*1\r\n$4\r\nPING\r\n"],
)
def first_bytes(data: bytes) -> None:
    """More bytes never change what was decided, and so much decides in any case."""
    decided = ""
    for end in range(min(len(data), LONG_LINE_BYTES + 8)):
        verdict = sniff(data[:end])
        if decided and verdict != "undecided":
            assert verdict == decided
        assert not decided or verdict == decided
        decided = "" if verdict == "undecided" else verdict
    if len(data.lstrip(b"\r\n")) > LONG_LINE_BYTES:
        assert sniff(data) != "undecided"


class _NoLoop:
    """Stands where a reader asks for its loop: it has all it reads, and waits for nothing."""

    def get_debug(self) -> bool:
        return False


@target(
    "edgecore.modules.edgemesh.upstream.health.asking",
    "edgecore.modules.edgemesh.upstream.health.probing",
    faces="pods that are asked whether they are well",
    seeds=_ANSWERS,
)
def health_answer(data: bytes) -> None:
    """It is well, or there is a word for what it is."""
    reader = StreamReader(limit=LIMIT, loop=cast("Any", _NoLoop()))
    reader.feed_data(data)
    reader.feed_eof()
    word = finish(_answer(reader))
    assert word in ("", "bad_response", "closed") or word.startswith("status_")
    status = status_of(data)
    assert status is None or 100 <= status <= 999


@target(
    "edgecore.addresses",
    "edgecore.modules.edgemesh.proxy.doors.destination",
    "edgecore.observe.server",
    "edgecore.modules.edgemesh.proxy.http.target",
    faces="Host headers, settings, socket addresses of the kernel",
    seeds=texts("[::1]:80", "a.b:8080", "x" * 28),
)
def addresses(data: bytes) -> None:
    """What is taken apart is put together to the same."""
    assert is_authority(data) == (host_port(data) is not None)
    text = data.decode(errors="replace")
    try:
        host, port = split_address(text)
    except ValueError:
        pass
    else:
        assert split_address(join_address(host, port)) == (host, port)
    _names_this_machine(text)
    try:
        endpoint_of(data)
    except ValueError:
        assert len(data) < 16
