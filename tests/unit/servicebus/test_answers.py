"""What the cloud is told of a call."""

import msgspec
import pytest

from edgecore.beehive.gojson import marshal
from edgecore.modules.servicebus.answers import (
    MAX_HEADER_BYTES,
    TOO_LARGE,
    Answer,
    Refusal,
    Refused,
    answer_of,
    go_name,
)


def test_an_answer_has_its_header_sorted_its_status_and_its_body_in_base64() -> None:
    found = answer_of(201, [("x-b", "2"), ("content-type", "text/plain"), ("X-B", "1")], b"hello")
    text = '{"header":{"Content-Type":["text/plain"],"X-B":["2","1"]},"status_code":201,"body":"aGVsbG8="}'
    assert marshal(found).decode() == text


def test_an_empty_body_is_an_empty_text() -> None:
    assert marshal(answer_of(204, [], b"")) == b'{"header":{},"status_code":204,"body":""}'


def test_lines_of_the_connection_are_left_out() -> None:
    found = answer_of(200, [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Date", "now")], b"")
    assert isinstance(found, Answer)
    assert found.header == {"Date": ["now"]}


def test_a_header_beyond_its_limit_is_refused() -> None:
    assert answer_of(200, [("A", "x" * MAX_HEADER_BYTES)], b"") == Refused(
        Refusal.RECEIVE, "header_too_large", "response header too large"
    )


@pytest.mark.parametrize(
    ("refused", "status", "text"),
    [
        (Refused(Refusal.RESOURCE, "r", "8080"), 400, b"the format of resource 8080 is incorrect"),
        (Refused(Refusal.CONTENT, "r"), 400, b"error to marshal request msg content"),
        (Refused(Refusal.REQUEST, "r"), 400, b"error to parse http request"),
        (Refused(Refusal.CALL, "r"), 404, b"error to call service"),
        (TOO_LARGE, 500, b"error to receive response, err: response body too large"),
        (Refused(Refusal.BUSY, "r"), 503, b"error to call service, err: too many calls wait"),
    ],
)
def test_a_refusal_has_the_shape_of_an_answer(refused: Refused, status: int, text: bytes) -> None:
    assert refused.answer == Answer({"Server": ["kubeedge-edgecore"]}, status, text)
    assert msgspec.json.decode(marshal(refused.answer)).keys() == {"header", "status_code", "body"}


@pytest.mark.parametrize(
    ("name", "spelling"),
    [("content-type", "Content-Type"), ("ETAG", "Etag"), ("x--y", "X--Y"), ("WWW-authenticate", "Www-Authenticate")],
)
def test_names_are_spelled_as_go_does(name: str, spelling: str) -> None:
    assert go_name(name) == spelling
