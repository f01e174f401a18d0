"""What one spelled value means."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config.document import MappingNode, Node, ScalarNode, SequenceNode
from edgecore.config.scalars import NotOfType, describe, is_null, read_value

TEXTS = tuple[str, ...]


def plain(text: str) -> ScalarNode:
    return ScalarNode(text, plain=True, line=1)


def quoted(text: str) -> ScalarNode:
    return ScalarNode(text, plain=False, line=1)


def items(*nodes: Node) -> SequenceNode:
    return SequenceNode(nodes, 1)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_is_what_yaml_calls_so_without_quotes(text: str) -> None:
    assert is_null(plain(text))
    assert not is_null(quoted(text))


@pytest.mark.parametrize(
    ("node", "kind", "expected"),
    [
        (plain("true"), bool, True),
        (plain("on"), bool, True),
        (plain("Yes"), bool, True),
        (plain("y"), bool, True),
        (plain("OFF"), bool, False),
        (plain("no"), bool, False),
        (plain("15"), int, 15),
        (plain("-1"), int, -1),
        (plain("+7"), int, 7),
        (plain("1_024"), int, 1024),
        (plain("0x1F"), int, 31),
        (plain("0b101"), int, 5),
        (plain("010"), int, 8),
        (plain("-010"), int, -8),
        (plain("0o17"), int, 15),
        (plain("0"), int, 0),
        (plain("15.0"), int, 15),
        (plain("1e3"), int, 1000),
        (plain("5"), float, 5.0),
        (plain(".5"), float, 0.5),
        (plain("1e-3"), float, 0.001),
        (plain("text"), str, "text"),
        (quoted(""), str, ""),
        (plain("0123"), str, "0123"),
        (plain("yes"), str, "yes"),
        (plain("2020-01-01"), str, "2020-01-01"),
        (items(plain("1.2.3.4"), quoted("b")), TEXTS, ("1.2.3.4", "b")),
        (items(), TEXTS, ()),
        (plain("a"), TEXTS, ("a",)),
        (plain("rootless"), Literal["auto", "rootless"], "rootless"),
        (plain("2"), Literal[0, 1, 2], 2),
    ],
)
def test_a_value_of_the_right_type_is_read(node: Node, kind: Any, expected: object) -> None:
    value = read_value(node, kind)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (quoted("true"), bool),
        (plain("1"), bool),
        (plain("tRUE"), bool),
        (quoted("15"), int),
        (plain("1.5"), int),
        (plain("1:30"), int),
        (plain("15s"), int),
        (plain("0x"), int),
        (plain("0x_"), int),
        (plain("1e400"), int),
        (plain("9" * 5000), int),
        (plain("٣"), int),
        (plain("true"), int),
        (plain(".inf"), float),
        (plain("nan"), float),
        (plain("1e999"), float),
        (quoted("a\nb"), str),
        (quoted("a\x00"), str),
        (quoted("a\u2028b"), str),
        (items(), str),
        (MappingNode((), (), 1), str),
        (MappingNode((), (), 1), int),
        (items(items()), TEXTS),
        (plain("both"), Literal["auto", "rootless"]),
        (plain("Auto"), Literal["auto", "rootless"]),
        (plain("3"), Literal[0, 1, 2]),
        (items(), Literal[0, 1, 2]),
    ],
)
def test_a_value_of_another_type_is_refused(node: Node, kind: Any) -> None:
    with pytest.raises(NotOfType):
        read_value(node, kind)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_reads_back(number: int) -> None:
    assert read_value(plain(str(number)), int) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back(number: float) -> None:
    assert read_value(plain(repr(number)), float) == number


@given(st.text(max_size=50), st.booleans(), st.sampled_from([bool, int, float, str, Literal[0, 1], TEXTS]))
def test_no_text_raises_anything_else(text: str, is_plain: bool, kind: Any) -> None:
    try:
        read_value(ScalarNode(text, is_plain, 1), kind)
    except NotOfType:
        return


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (plain("15"), "15"),
        (plain("yes"), "yes"),
        (quoted("15"), '"15"'),
        (plain("soon"), '"soon"'),
        (plain("x" * 500), '"' + "x" * 79 + "..."),
        (items(plain("a")), "a list"),
        (MappingNode((), (), 1), "a mapping"),
    ],
)
def test_what_was_found_is_told_with_quotes_round_text(node: Node, expected: str) -> None:
    assert describe(node) == expected
