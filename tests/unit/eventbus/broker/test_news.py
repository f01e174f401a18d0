"""The lines of the embedded broker's process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.eventbus.broker.news import Counted, Failed, Library, Listening, News, heard


@pytest.mark.parametrize(
    ("line", "news"),
    [
        (b'{"event":"listening","library":"0.12.1","python":"3.11.2"}\n', Listening("0.12.1", "3.11.2")),
        (b'{"event":"failed","reason":"in use"}\n', Failed("in use")),
        (b'{"event":"library","level":"error","where":"broker.f","words":"w"}\n', Library("error", "broker.f", "w")),
        (b'{"event":"counted","clients":2,"received":5,"more":1}\n', Counted(clients=2, received=5)),
    ],
)
def test_a_line_says_what_it_says(line: bytes, news: News) -> None:
    assert heard(line) == news


@given(st.binary(max_size=200))
def test_a_line_that_is_none_of_its_lines_says_nothing(line: bytes) -> None:
    assert heard(line) is None or line.lstrip().startswith(b"{")
