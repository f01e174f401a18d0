"""The control socket: what commands ask a node, what a node answers, and what people type into them."""

import http.client
import io
import json
import socket
from typing import cast

import msgspec

from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.passages import parse_conditions
from edgecore.cli.tap_decision import decision_of, message_of
from edgecore.cli.tap_report import parsed
from edgecore.control.client import _lines, _refusal, _whole
from edgecore.control.documents import as_json, as_yaml
from edgecore.control.routes import ControlRefused
from edgecore.control.server import decoded
from edgecore.errors import ContentError
from edgecore.metadata.filters import filters_of_query, full_type
from edgecore.modules.edgemesh.dns.byhand.question import query_packet, reverse_name, type_number
from edgecore.modules.edgemesh.dns.packets.packet import Query, read_query
from edgecore.routes.pods import _tail
from edgecore.routes.tap import _edited, _seconds
from tests.fuzz.recorded import texts, to_cloud
from tests.fuzz.target import target

ORIGINAL = Message(Header("1", "", 2, "", True), Route("a", "b", "update", "c/d/e"), msgspec.Raw(b"{}"))


@target(
    "edgecore.control.server",
    "edgecore.routes.tap",
    faces="commands: the body of a request",
    seeds=lambda: [*to_cloud(), b'{"hold":1,"then":"edit","message":{"header":{},"route":{}}}'],
)
def control_body(data: bytes) -> None:
    """It is a JSON value, or refused; a message that is edited keeps its identity."""
    try:
        body = decoded(data, "/v1/x")
    except ControlRefused as refused:
        assert refused.status == 400
        return
    for original in (ORIGINAL, Message(ORIGINAL.header, ORIGINAL.route, b"bytes"), Message(content="text")):
        try:
            edited = _edited(original, body)
        except ControlRefused:
            continue
        assert (edited.header.id, edited.header.sync) == (original.header.id, original.header.sync)
        assert not isinstance(original.content, bytes) or isinstance(edited.content, bytes)
    assert json.loads(as_json(body)) == body
    as_yaml(body)


class _Answered:
    """A connection on which everything came already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._data))  # type: ignore[arg-type]


@target(
    "edgecore.control.client",
    faces="the process that a command asks",
    seeds=texts(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]",
        b'HTTP/1.1 404 x\r\n\r\n{"error":"cannot"}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n4\r\n[1]\n\r\n0\r\n\r\n",
    ),
)
def control_answer(data: bytes) -> None:
    """It is an answer, a refusal, or one of the errors that the client explains."""
    for read in (
        _refusal,
        lambda answer: json.loads(_whole(answer)),
        lambda answer: [*map(json.loads, _lines(answer))],
    ):
        with http.client.HTTPResponse(cast("socket.socket", _Answered(data))) as response:
            try:
                response.begin()
                read(response)
            except (ValueError, RecursionError, OSError, http.client.HTTPException):
                continue


@target(
    "edgecore.cli.tap_decision",
    "edgecore.cli.tap_report",
    "edgecore.beehive.passages",
    "edgecore.modules.edgemesh.dns.byhand.question",
    "edgecore.routes.pods",
    "edgecore.metadata.filters",
    faces="people and scripts: what they type",
    seeds=lambda: [
        *list(to_cloud())[:3],
        *texts(
            "go",
            "to=edgemesh op='delete'",
            "100",
            "1e3",
            "TYPE99",
            "a\\.b.c",
            "::1",
            "xn--bcher.example",
            "podstatuses",
        )(),
    ],
)
def typed_words(data: bytes) -> None:
    """Each is understood, or said not to be."""
    text = data.decode(errors="replace")
    for read, refusal in (
        (lambda: decision_of(text, {}), ContentError),
        (lambda: message_of(text), ContentError),
        (lambda: parse_conditions(text), ContentError),
        (lambda: type_number(text), ContentError),
        (lambda: _seconds(text), ControlRefused),
        (lambda: _tail(text), ControlRefused),
        (lambda: filters_of_query({"type": text, "since_ms": text}), ValueError),
    ):
        try:
            read()
        except refusal:
            continue
    parsed(text)
    reverse_name(text)
    full_type(text)
    try:
        packet = query_packet(text, 1)
    except ContentError:
        return
    assert isinstance(read_query(packet), Query)
