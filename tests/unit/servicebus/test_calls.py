"""What a message asks for, and messages that ask for nothing that can be done."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.servicebus.answers import Refusal, Refused
from edgecore.modules.servicebus.calls import Call, read_call
from edgecore.modules.servicebus.places import Places

PLACES = Places({}, only_targets=False)
EMPTY: Any = {"header": {}, "body": ""}
ADDED = (("Accept", "*/*"), ("User-Agent", "edgecore"))

scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
json_values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
contents = json_values | st.fixed_dictionaries({}, optional={"header": json_values, "body": json_values})


def read(resource: str = "8080:health", content: Any = EMPTY, operation: str = "GET") -> Call | Refused:
    raw = msgspec.Raw(msgspec.json.encode(content))
    return read_call(Message(Header("m"), Route("router_rest", "user", operation, resource), raw), PLACES)


def called(*parts: Any, **named: Any) -> Call:
    found = read(*parts, **named)
    assert isinstance(found, Call), found
    return found


def test_the_worked_example_of_the_protocol_is_the_call_that_it_says() -> None:
    found = called("8080:health", {"header": {"Accept": ["*/*"]}, "body": ""})
    line = ("Accept", "*/*")
    assert found == Call("GET", "127.0.0.1:8080", "/health", (line, ADDED[1]), b"")


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("80:", "http://127.0.0.1:80/"),
        ("80:/", "http://127.0.0.1:80/"),
        ("80:/a/b", "http://127.0.0.1:80/a/b"),
        ("80://a", "http://127.0.0.1:80//a"),
        ("80:a:b/c:d", "http://127.0.0.1:80/a:b/c:d"),
        ("80:urn:x:1?time=10:20&x=y z", "http://127.0.0.1:80/urn:x:1?time=10:20&x=y%20z"),
        ("80:a/../b/./c", "http://127.0.0.1:80/a/../b/./c"),
        ("80:%2F%41?q=%", "http://127.0.0.1:80/%2F%41?q=%"),
        ("80:gr\u00fc\u00df", "http://127.0.0.1:80/gr%C3%BC%C3%9F"),
        ("80:a#b", "http://127.0.0.1:80/a"),
        ("80:@evil.example/", "http://127.0.0.1:80/@evil.example/"),
    ],
)
def test_s1_the_path_is_all_behind_the_first_colon(resource: str, url: str) -> None:
    assert called(resource).url == url


def test_the_method_is_the_operation_as_it_is() -> None:
    assert [called(operation=word).method for word in ("POST", "DELETE", "PURGE", "")] == [
        "POST",
        "DELETE",
        "PURGE",
        "GET",
    ]


def test_every_value_of_a_header_line_is_sent() -> None:
    found = called(content={"header": {"X-A": ["1", "2"], "accept": ["text/html"]}, "body": None})
    assert found.header == (("X-A", "1"), ("X-A", "2"), ("accept", "text/html"), ADDED[1])


def test_lines_of_the_connection_are_not_sent() -> None:
    header = {"Host": ["x"], "Content-Length": ["9"], "connection": ["upgrade"], "Expect": ["100-continue"]}
    assert called(content={"header": header, "body": ""}).header == ADDED


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (None, b""),
        ({}, b""),
        ({"body": None, "header": None}, b""),
        ({"body": "aGVs\nbG8="}, b"hello"),
        ({"Body": "aGk="}, b"hi"),
        ({"body": "AP8=", "more": 1}, b"\x00\xff"),
    ],
)
def test_the_body_is_what_the_base64_says(content: Any, body: bytes) -> None:
    found = called(content=content)
    assert (found.body, found.header) == (body, ADDED)


@pytest.mark.parametrize("resource", ["", "8080", "8080/health", "health"])
def test_a_resource_without_a_colon_is_refused(resource: str) -> None:
    assert read(resource) == Refused(Refusal.RESOURCE, "resource_malformed", resource)


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        1,
        True,
        {"header": []},
        {"header": {"A": "b"}},
        {"header": {"A": [1]}},
        {"header": {"A": {}}},
        {"body": 5},
        {"body": {}},
        {"body": "a"},
        {"body": "a b="},
        {"body": "-_-_"},
        {"body": "\u00fc"},
    ],
)
def test_a_content_of_the_wrong_shape_is_refused(content: Any) -> None:
    assert read(content=content) == Refused(Refusal.REQUEST, "content_malformed")


def test_a_content_that_is_no_json_is_refused() -> None:
    message = Message(Header("m"), Route("router_rest", "user", "GET", "80:x"), msgspec.Raw(b"{"))
    assert read_call(message, PLACES) == Refused(Refusal.CONTENT, "content_malformed")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"resource": "http:x"}, "port_not_allowed"),
        ({"resource": "0:x"}, "port_not_allowed"),
        ({"resource": ":x"}, "port_not_allowed"),
        ({"resource": "80:a\r\nHost: x"}, "path_malformed"),
        ({"resource": "80:a\x00"}, "path_malformed"),
        ({"resource": "80:%zz"}, "path_malformed"),
        ({"operation": "GET /x HTTP/1.1\r\n"}, "method_malformed"),
        ({"operation": "CONNECT"}, "method_malformed"),
        ({"operation": "G" * 300}, "method_malformed"),
        ({"content": {"header": {"A b": ["x"]}}}, "header_malformed"),
        ({"content": {"header": {"": ["x"]}}}, "header_malformed"),
        ({"content": {"header": {"A": ["x\r\nB: y"]}}}, "header_malformed"),
        ({"content": {"header": {"A": ["x\x00"]}}}, "header_malformed"),
    ],
)
def test_a_request_that_cannot_be_made_is_a_call_that_failed(parts: dict[str, Any], reason: str) -> None:
    assert read(**parts) == Refused(Refusal.CALL, reason)


@given(resource=texts | texts.map(lambda text: f"80:{text}"), content=contents, operation=texts)
def test_whatever_comes_is_a_call_that_can_be_written_or_refused(resource: str, content: Any, operation: str) -> None:
    found = read(resource, content, operation)
    if isinstance(found, Refused):
        assert found.answer.status_code in (400, 404)
        return
    assert found.place.startswith("127.0.0.1:")
    written = [found.method, found.path, *(f"{name}: {value}" for name, value in found.header)]
    assert not any(set(line) & {"\r", "\n", "\x00"} for line in written)
    assert found.path.isascii()
    assert " " not in found.path + found.method
