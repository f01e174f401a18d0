"""Which messages are wanted, in the words of people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.passages import PassageFilter, filter_of, parse_conditions
from edgecore.errors import ContentError

MESSAGE = Message(Header("abc-1"), Route("edgecontroller", "resource", "delete", "default/service/web"))


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("", True),
        ("to=edgemesh", True),
        ("to=EdgeMesh op=DELETE", True),
        ("to=edge* from=meta?anager", True),
        ("to=edged", False),
        ("from=edgemesh", False),
        ("op=insert", False),
        ("resource=default/service/*", True),
        ("resource=*/web", True),
        ("resource='default/pod/*'", False),
        ("id=abc", True),
        ("id=c-1", True),
        ("id=bc", False),
    ],
)
def test_each_condition_must_hold(text: str, is_taken: bool) -> None:
    assert parse_conditions(text).takes("metaManager", "edgemesh", MESSAGE) is is_taken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("edgemesh", "conditions are to=, from=, op=, resource=, id="),
        ("too=edgemesh", "'too=edgemesh'"),
        ("to=", "'to='"),
        ("to=a to=b", "twice"),
        ("to='a", "No closing quotation"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ContentError, match=words):
        parse_conditions(text)


def test_a_module_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ContentError, match="to=edgemsh: there is no such module; there are edged, edgemesh"):
        PassageFilter(receiver="edgemsh").check(["edgemesh", "edged"])
    PassageFilter(receiver="edge*", sender="EDGED").check(["edgemesh", "edged"])


@given(st.builds(PassageFilter, *[st.text(max_size=8)] * 5))
def test_words_and_filter_are_the_same(wanted: PassageFilter) -> None:
    assert filter_of({**wanted.words(), "other": "x"}) == wanted


@given(st.text(max_size=30))
def test_any_text_is_conditions_or_refused(text: str) -> None:
    try:
        wanted = parse_conditions(text)
    except ContentError:
        return
    wanted.takes("a", "b", MESSAGE)
