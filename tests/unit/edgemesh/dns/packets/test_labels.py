"""Names as labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.labels import (
    fits,
    folded,
    is_within,
    plain_label,
    plain_name,
    wire,
    wire_bytes,
)


def test_wire_form_has_a_length_before_each_label_and_the_root_behind():
    assert wire((b"web", b"default")) == b"\x03web\x07default\x00"
    assert wire(()) == b"\0"


@given(st.lists(st.binary(min_size=1, max_size=63)))
def test_length_on_the_wire_is_known_without_writing(labels):
    assert wire_bytes(labels) == len(wire(labels))


def test_case_is_folded_for_letters_only():
    assert folded((b"WeB", b"\xc4[")) == (b"web", b"\xc4[")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), True),
        ((b"a" * 63,), True),
        ((b"a" * 64,), False),
        ((b"",), False),
        ((b"a" * 63, b"a" * 63, b"a" * 63, b"a" * 61), True),
        ((b"a" * 63, b"a" * 63, b"a" * 63, b"a" * 62), False),
    ],
)
def test_labels_fit_into_63_bytes_and_names_into_255(labels, expected):
    assert fits(labels) is expected


@pytest.mark.parametrize(
    ("text", "label"),
    [("Web-0", b"web-0"), ("_http", b"_http"), ("", None), ("a.b", None), ("a b", None), ("ä", None), ("a" * 64, None)],
)
def test_plain_label_has_letters_digits_hyphens_and_underscores(text, label):
    assert plain_label(text) == label


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Example.org", (b"example", b"org")),
        ("example.org.", (b"example", b"org")),
        ("a", (b"a",)),
        ("", None),
        (".", None),
        ("a..b", None),
        ("a b.c", None),
        (".".join(["a" * 63] * 4), None),
    ],
)
def test_plain_name_is_of_plain_labels(text, labels):
    assert plain_name(text) == labels


@pytest.mark.parametrize(
    ("name", "zone", "expected"),
    [
        ((b"a", b"b"), (b"b",), True),
        ((b"b",), (b"b",), True),
        ((b"a", b"b"), (), True),
        ((b"a", b"xb"), (b"b",), False),
        ((b"b",), (b"a", b"b"), False),
    ],
)
def test_name_is_within_a_zone_by_whole_labels(name, zone, expected):
    assert is_within(name, zone) is expected
