import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.topics import topic_of, topic_resource


def test_a_topic_is_written_as_the_go_edgecore_writes_it() -> None:
    assert topic_resource("$hw/events/upload/abc") == "JGh3L2V2ZW50cy91cGxvYWQvYWJj"
    assert topic_resource("$hw/events/upload/x") == "JGh3L2V2ZW50cy91cGxvYWQveA=="


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_topic_comes_back(topic: str) -> None:
    assert topic_of(topic_resource(topic)) == topic


@pytest.mark.parametrize("resource", ["a", "SYS/dis/upload_records\u00e9", "_w==", "====a"])
def test_what_stands_for_no_topic_is_told_so(resource: str) -> None:
    assert topic_of(resource) is None
