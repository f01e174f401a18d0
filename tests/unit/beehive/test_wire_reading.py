"""What we read: the strict form, the latitude of Go's decoder, and what is refused."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import Header, Message, Route, content_value
from edgecore.beehive.wire import MAX_DEPTH, decode
from edgecore.errors import FrameError

STRICT = (
    '{"header":{"msg_id":"id","parent_msg_id":"parent","timestamp":7,"resourceversion":"77","sync":true},'
    '"route":{"source":"s","group":"g","operation":"update","resource":"default/pod/x"},"content":{"a":[1, 2.50]}}'
)
HEADER = Header("id", "parent", 7, "77", sync=True)
ROUTE = Route("s", "g", "update", "default/pod/x")


def refused(data: bytes | str) -> str:
    """Return the reason for which a frame is refused."""
    with pytest.raises(FrameError, match=r"^cannot decode frame: ") as caught:
        decode(data)
    return caught.value.reason


@pytest.mark.parametrize("data", [STRICT, STRICT.encode(), STRICT + "\n", f" \t\r\n{STRICT}"])
def test_strict_form_is_read_whole(data: bytes | str) -> None:
    message = decode(data)
    assert (message.header, message.route) == (HEADER, ROUTE)
    assert content_value(message) == {"a": [1, 2.5]}


def test_content_stays_the_bytes_it_came_as() -> None:
    content = decode(STRICT).content
    assert isinstance(content, msgspec.Raw)
    assert bytes(content) == b'{"a":[1, 2.50]}'


@pytest.mark.parametrize("content", ["null", " null ", "\tnull\n"])
def test_null_content_is_no_content(content: str) -> None:
    assert decode(f'{{"content":{content}}}').content is None


@pytest.mark.parametrize(
    "data", ["{}", "null", '{"header":{},"route":{}}', '{"header":null,"route":null,"content":null}']
)
def test_absent_and_null_parts_are_empty(data: str) -> None:
    assert decode(data) == Message()


@pytest.mark.parametrize("name", ["msg_id", "parent_msg_id", "resourceversion", "timestamp", "sync"])
def test_null_in_the_header_is_the_empty_value(name: str) -> None:
    assert decode(f'{{"header":{{"{name}":null}}}}').header == Header()


@pytest.mark.parametrize("name", ["source", "group", "operation", "resource"])
def test_null_in_the_route_is_the_empty_text(name: str) -> None:
    assert decode(f'{{"route":{{"{name}":null}}}}').route == Route()


def test_keys_are_read_in_any_case() -> None:
    message = decode(STRICT.replace("header", "HEADER").replace("msg_id", "Msg_ID").replace("content", "Content"))
    assert message.header.id == "id"
    assert content_value(message) == {"a": [1, 2.5]}


@pytest.mark.parametrize("data", [' {"CONTENT":1}', '\t\r\n{"extra":2,"content":1}\n'])
def test_whitespace_before_the_latitude_of_go_is_passed_over(data: str) -> None:
    assert content_value(decode(data)) == 1


def test_keys_inside_the_content_keep_their_case() -> None:
    assert content_value(decode('{"Content":{"A":1,"a":2}}')) == {"A": 1, "a": 2}


@pytest.mark.parametrize(
    "data", ['{"content":1,"Content":2}', '{"Content":1,"content":2}', '{"content":1,"content":2}']
)
def test_last_of_equal_keys_wins(data: str) -> None:
    assert content_value(decode(data)) == 2


def test_unknown_keys_are_passed_over() -> None:
    data = STRICT.replace('"header":{', '"extra":[{}],"header":{"new":null,').replace('"route":{', '"route":{"type":1,')
    message = decode(data)
    assert (message.header, message.route) == (HEADER, ROUTE)
    assert content_value(message) == {"a": [1, 2.5]}


@pytest.mark.parametrize("rest", ["{}", "\n{}", "]", " x", "\x00", "\ufeff"])
def test_only_the_first_document_of_a_frame_is_read(rest: str) -> None:
    assert decode(STRICT + rest).header == HEADER


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'"\ud800"', "\ufffd"),
        (r'"a\udc00b"', "a\ufffdb"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\ud800\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\ud800\ud800"', "\ufffd\ufffd"),
        (r'{"\udfff":["\udbff"]}', {"\ufffd": ["\ufffd"]}),
    ],
)
def test_half_a_surrogate_pair_becomes_the_replacement_character(written: str, read: Any) -> None:
    assert content_value(decode(f'{{"content":{written}}}')) == read


def test_half_a_surrogate_pair_in_header_and_route_becomes_the_replacement_character() -> None:
    message = decode(r'{"header":{"msg_id":"\ud800"},"route":{"resource":"x\udc00"}}')
    assert (message.header.id, message.route.resource) == ("\ufffd", "x\ufffd")


@pytest.mark.parametrize("key", ["content", "Content"])
@pytest.mark.parametrize("number", [2**53 + 1, 2**64, -(2**70), 10**300])
def test_whole_numbers_in_the_content_keep_their_digits(key: str, number: int) -> None:
    message = decode(f'{{"{key}":{number}}}')
    assert bytes(message.content) == str(number).encode()


def test_escapes_and_other_scripts_are_read() -> None:
    message = decode('{"route":{"resource":"\\u003ca\\/\\n\\u00e9é\\ud83d\\ude00"}}')
    assert message.route.resource == "<a/\néé\U0001f600"


@pytest.mark.parametrize(
    "data",
    [
        "",
        " ",
        "\n",
        "{",
        "{]",
        "x",
        "\ufeff{}",
        "\u00a0{}",
        "\x0b{}",
        '{"header"}',
        '{"header":{}',
        "{'header':{}}",
        '{"content":}',
        '{"content":[1,]}',
        '{"content":{"a":1,}}',
        '{"content":01}',
        '{"content":.5}',
        '{"content":1.}',
        '{"content":+1}',
        '{"content":"a\nb"}',
        '{"content":"\x01"}',
        r'{"content":"\x41"}',
        r'{"content":"\u12"}',
        '{"content":tru}',
        '{"content":NaN}',
        '{"content":Infinity}',
        '{"content":[-Infinity]}',
        '{"extra":NaN}',
        '{"extra":1e999}',
        '{"extra":[-1e999]}',
        '{"header":{"timestamp":1e999}}',
        '{"Content":1e999}',
        '{"Content":' + "9" * 5000 + "}",
        '{"content":1 /* why */}',
    ],
)
def test_text_that_is_no_json_is_refused(data: str) -> None:
    assert refused(data) == "malformed_json"


def test_number_too_large_for_go_is_refused_when_the_content_is_looked_at() -> None:
    message = decode('{"content":{"a":1e999}}')
    with pytest.raises(Exception, match="cannot decode content"):
        content_value(message)


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        "1",
        '"text"',
        "true",
        '{"header":[]}',
        '{"header":"x"}',
        '{"route":[]}',
        '{"route":1}',
        '{"header":{"msg_id":1}}',
        '{"header":{"msg_id":{}}}',
        '{"header":{"parent_msg_id":[]}}',
        '{"header":{"timestamp":"7"}}',
        '{"header":{"timestamp":7.0}}',
        '{"header":{"timestamp":true}}',
        '{"header":{"resourceversion":77}}',
        '{"header":{"sync":"true"}}',
        '{"header":{"sync":1}}',
        '{"route":{"resource":false}}',
    ],
)
def test_json_of_the_wrong_shape_is_refused(data: str) -> None:
    assert refused(data) == "wrong_shape"


@pytest.mark.parametrize(
    ("data", "place"), [('{"header":[]}', "header"), ('{"route":{"resource":1}}', "resource"), ("[]", "document")]
)
def test_refusal_of_a_shape_names_the_place(data: str, place: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data)
    assert place in caught.value.detail


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b'{"content":"\xc3"}',
        b'{"content":"\xed\xa0\x80"}',  # a surrogate half, encoded
        b'{"content":"\xc0\xaf"}',  # a slash in two bytes
        b'{"content":"\xf5\x80\x80\x80"}',  # beyond U+10FFFF
        b'{"content":1}\xff',
        "\ud800",
    ],
)
def test_bytes_that_are_not_utf8_are_refused(data: bytes | str) -> None:
    assert refused(data) == "not_utf8"


def nested(depth: int, opening: str = "[", closing: str = "]", key: str = "content") -> str:
    """Return a frame nested that deep, its own object included."""
    return f'{{"{key}":' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}"


@pytest.mark.parametrize("key", ["content", "Content", "extra"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('{"a":[', "]}")])
def test_depth_at_the_limit_is_read_and_one_more_refused(opening: str, closing: str, key: str) -> None:
    levels = 2 if len(closing) == 2 else 1
    deepest = (MAX_DEPTH - 1) // levels
    assert decode(nested(deepest + 1, opening, closing, key)).header == Header()
    assert refused(nested(deepest + 2, opening, closing, key)) == "too_deep"


def test_limit_is_the_documented_one() -> None:
    decode(nested(512))
    assert refused(nested(513)) == "too_deep"


def test_shallow_brackets_beside_do_not_add_to_the_depth() -> None:
    beside = '"extra":[{},{},[[]]],'
    decode("{" + beside + nested(512)[1:])
    assert refused("{" + beside + nested(513)[1:]) == "too_deep"


@pytest.mark.parametrize("depth", [513, 5000, 1_000_000])
def test_any_greater_depth_is_refused(depth: int) -> None:
    assert refused(nested(depth)) == "too_deep"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_that_never_closes_is_refused(opening: str) -> None:
    assert refused('{"content":' + opening * 100_000) in {"too_deep", "malformed_json"}
    assert refused(opening * 100_000) in {"too_deep", "malformed_json"}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 2000,
        "{[" * 2000,
        r"\"" + "[" * 2000,
        r"\\" + "[" * 2000 + r"\"",
        "[" * 2000 + r"\\\"",
    ],
)
def test_brackets_inside_strings_do_not_count(text: str) -> None:
    assert decode(f'{{"content":"{text}"}}').content is not None
    assert decode(f'{{"content":{{"{text}":[["{text}"]]}}}}').content is not None


def test_brackets_behind_a_string_that_ends_in_a_backslash_count() -> None:
    deep = "[" * 600 + "]" * 600
    assert refused(rf'{{"content":["\\",{deep}]}}') == "too_deep"
    assert refused(rf'{{"content":["\"[\\\\",{deep}]}}') == "too_deep"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    wide = ",".join(['{"a":[[]]}'] * 5000)
    assert len(content_value(decode(f'{{"content":[{wide}]}}'))) == 5000


def test_frame_read_far_down_the_stack_is_a_message_or_refused() -> None:
    def deeper(levels: int, key: str) -> None:
        if levels:
            deeper(levels - 1, key)
            return
        with suppress(FrameError):
            decode(nested(MAX_DEPTH, key=key))

    for levels in range(300, 900):
        deeper(levels, "Content")
        deeper(levels, "content")
