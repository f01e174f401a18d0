"""Topics of the mirror: wildcards mean something in them, and nothing of a name is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.eventbus.mirror import topics
from edgecore.modules.eventbus.topics import fault_of_topic, matches

TEXTS = st.text(st.characters(), max_size=12)


def test_a_message_stands_below_its_receiver_its_sender_and_its_operation() -> None:
    topic = topics.of_message("edge-1", "edgemesh", "metaManager", "insert", "default/service/web")

    assert topic == "edgecore/edge-1/bus/edgemesh/metaManager/insert/default/service/web"
    assert matches("edgecore/+/bus/edgemesh/#", topic)
    assert not matches("edgecore/+/bus/edged/#", topic)


@pytest.mark.parametrize(
    ("text", "level"),
    [("", "-"), ("-", "%2D"), ("a+b", "a%2Bb"), ("#", "%23"), ("a/b", "a%2Fb"), ("100%", "100%25"), ("\0", "%00")],
)
def test_what_a_level_cannot_have_is_escaped(text: str, level: str) -> None:
    assert topics.level(text) == level


def test_a_resource_keeps_its_separators() -> None:
    assert topics.path("default/service/a+b") == "default/service/a%2Bb"
    assert topics.path("") == "-"
    assert topics.path("a//b") == "a//b"


@given(TEXTS)
def test_a_level_gives_its_text_back(text: str) -> None:
    level = topics.level(text)

    assert topics.plain(level) == text
    assert "/" not in level
    assert not fault_of_topic(level)


@given(TEXTS, TEXTS)
def test_different_texts_are_different_levels(one: str, other: str) -> None:
    assert (topics.level(one) == topics.level(other)) == (one == other)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_whatever_names_are_the_topic_can_be_published(node: str, to: str, sender: str, op: str, path: str) -> None:
    topic = topics.of_message(node, to, sender, op, path)

    assert not fault_of_topic(topic)
    assert topics.is_of_mirror(topic)
    assert matches("edgecore/+/bus/+/+/+/#", topic)


@pytest.mark.parametrize("kind", ["bus", "state", "mirror", "inject"])
def test_the_topics_of_any_node_are_of_a_mirror(kind: str) -> None:
    assert topics.is_of_mirror(f"edgecore/another/{kind}/x")


@pytest.mark.parametrize(
    "topic", ["edgecore", "edgecore/n/user/x", "edgecore/n/bus", "x/n/bus/y", "$hw/events/upload/x"]
)
def test_other_topics_are_not_the_mirrors(topic: str) -> None:
    assert not topics.is_of_mirror(topic)


def test_the_receiver_of_what_is_injected_is_the_last_level() -> None:
    assert topics.receiver("edgecore/n/inject/edgemesh", "n") == "edgemesh"
    assert topics.receiver("edgecore/n/inject/a%2Fb", "n") == "a/b"
    for other in ("edgecore/n/inject/", "edgecore/n/inject/a/b", "edgecore/m/inject/edgemesh", "edgecore/n/bus/x"):
        assert topics.receiver(other, "n") is None


@given(st.text(max_size=20))
def test_a_receiver_that_is_no_level_of_ours_is_some_text(rest: str) -> None:
    assert topics.receiver(f"edgecore/n/inject/{rest}", "n") is None or rest
    topics.receiver(f"edgecore/n/inject/%FF{rest}", "n")
