"""What lets an edge publish something."""

import pytest

from cloudhub_stub.publishing import is_topic, publication


def test_a_publication_is_the_message_of_the_worked_example() -> None:
    route = {"source": "router_eventbus", "group": "user", "operation": "publish", "resource": "my/topic"}
    assert publication("my/topic", "payload text") == {"route": route, "content": "payload text"}


@pytest.mark.parametrize("text", ["a", "/", "a/b c", "$hw/events/x", "\u00fc" * 30_000])
def test_a_name_without_wildcards_is_a_topic(text: str) -> None:
    assert is_topic(text)


@pytest.mark.parametrize("text", ["", "a/+/b", "a/#", "#", "a\x00", "x" * 65536, "\u00fc" * 33_000])
def test_wildcards_and_what_is_too_long_are_no_topic(text: str) -> None:
    assert not is_topic(text)
