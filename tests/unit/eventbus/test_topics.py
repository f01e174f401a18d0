"""Topics: where a message goes, what may be subscribed and published, what matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.topics import topic_of
from edgecore.modules.eventbus.topics import (
    SUBSCRIBED,
    Taken,
    as_text,
    fault_of_filter,
    fault_of_topic,
    matches,
    subscribed,
    taken_in,
)

LEVEL = st.text("ab$", max_size=2)
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)
FILTER = st.lists(LEVEL | st.just("+"), min_size=1, max_size=4).map("/".join) | st.lists(
    LEVEL | st.just("+"), max_size=3
).map(lambda levels: "/".join([*levels, "#"]))


def test_the_subscriptions_are_those_of_spec_6_2_and_one_more_from_1_6() -> None:
    assert subscribed("1.3") == (
        "$hw/events/upload/#",
        "$hw/events/device/+/state/update",
        "$hw/events/device/+/twin/+",
        "$hw/events/node/+/membership/get",
        "SYS/dis/upload_records",
    )
    assert subscribed("1.6") == (*SUBSCRIBED, "+/user/#")


@pytest.mark.parametrize(
    ("topic", "form", "taken"),
    [
        (
            "$hw/events/device/sensor/twin/update",
            "1.3",
            Taken("twin", "response", "JGh3L2V2ZW50cy9kZXZpY2Uvc2Vuc29yL3R3aW4vdXBkYXRl"),
        ),
        (
            "$hw/events/node/n/membership/get",
            "1.6",
            Taken("twin", "response", "JGh3L2V2ZW50cy9ub2RlL24vbWVtYmVyc2hpcC9nZXQ="),
        ),
        ("$hw/events/upload/x", "1.3", Taken("hub", "response", "JGh3L2V2ZW50cy91cGxvYWQveA==")),
        ("$hw/events/upload/x", "1.6", Taken("hub", "upload", "$hw/events/upload/x")),
        ("SYS/dis/upload_records", "1.3", Taken("hub", "response", "SYS/dis/upload_records")),
        ("SYS/dis/upload_records", "1.6", Taken("hub", "upload", "SYS/dis/upload_records")),
    ],
)
def test_a_topic_goes_where_go_sends_it(topic: str, form: str, taken: Taken) -> None:
    assert taken_in(topic, form) == taken  # type: ignore[arg-type]


@given(st.text())
def test_whatever_the_topic_its_resource_says_it(topic: str) -> None:
    taken = taken_in(f"$hw/events/device{topic}", "1.3")
    assert topic_of(taken.resource) == f"$hw/events/device{topic}"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"plain", "plain"),
        ("grün".encode(), "grün"),
        (b"", ""),
        (b"a\xff\xfeb", "a\ufffd\ufffdb"),
        (b"\xe2\x82", "\ufffd\ufffd"),  # Go counts bytes, not sequences
        (b"\xed\xa0\x80", "\ufffd" * 3),
    ],
)
def test_each_byte_that_is_no_text_becomes_a_replacement_character(payload: bytes, text: str) -> None:
    assert as_text(payload) == text


@given(st.binary())
def test_any_payload_becomes_text_that_can_be_sent(payload: bytes) -> None:
    as_text(payload).encode()


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("a/b", ""),
        ("$hw/events/x", ""),
        ("/", ""),
        ("", "it is empty"),
        ("a/+", "it has a wildcard"),
        ("a#", "it has a wildcard"),
        ("a\0b", "it has a NUL character"),
        ("\ud800", "it is no Unicode text"),
        ("a" * 65_536, "it has over 65535 bytes"),
    ],
)
def test_only_a_topic_without_wildcards_can_be_published_on(topic: str, fault: str) -> None:
    assert fault_of_topic(topic) == fault


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ("#", ""),
        ("+", ""),
        ("a/+/b/#", ""),
        ("", "it is empty"),
        ("a/#/b", "# is not the last level"),
        ("a+/b", "a wildcard is not alone in its level"),
        ("a/b#", "a wildcard is not alone in its level"),
        ("a\0", "it has a NUL character"),
    ],
)
def test_only_a_filter_with_wildcards_in_place_can_be_subscribed(wanted: str, fault: str) -> None:
    assert fault_of_filter(wanted) == fault


@pytest.mark.parametrize(
    ("wanted", "topic", "match"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("#", "$SYS/b", False),
        ("+/b", "$SYS/b", False),
        ("$SYS/#", "$SYS/b", True),
        ("a/#", "ab", False),
        ("+", "/a", False),
        ("+/+", "/a", True),
    ],
)
def test_a_filter_matches_topics_as_mqtt_says(wanted: str, topic: str, match: bool) -> None:
    assert matches(wanted, topic) is match


@given(FILTER, TOPIC)
def test_matching_is_as_a_pattern_says_it(wanted: str, topic: str) -> None:
    levels = ["[^/]*" if level == "+" else ".*" if level == "#" else re.escape(level) for level in wanted.split("/")]
    pattern = "/".join(levels).removesuffix("/.*") + ("(/.*)?" if len(levels) > 1 and levels[-1] == ".*" else "")
    expected = re.fullmatch(pattern, topic) is not None and not (topic[:1] == "$" and wanted[:1] in ("+", "#"))
    assert matches(wanted, topic) is expected
