"""Which names were asked for, from the packets."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from edgecore.recording.questions import MOST, Questions


def query(name: str, kind: int = 1, *, number: int = 7, more: bytes = b"", family: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack(">6H", number, 0x100, 1, 0, 0, int(bool(more)))
        + labels
        + b"\0"
        + struct.pack(">2H", kind, family)
        + more
    )


def texts(*queries: bytes) -> list[str]:
    questions = Questions()
    for one in queries:
        questions.add(one)
    return questions.texts


def test_each_question_is_told_once_whoever_asks_it_and_how() -> None:
    edns = b"\0" + struct.pack(">2HIH", 41, 1232, 0, 0)
    asked = query("web.default"), query("WEB.default", number=8), query("web.default", more=edns), query("a.b", 28)
    assert texts(*asked) == ["a.b AAAA", "web.default A"]


def test_what_nobody_would_ask_again_is_left_out() -> None:
    assert texts(query("a.b", 99), query("a.b", family=3), query("a b.c"), b"", b"\0" * 20, query("x.y")[:15]) == []


def test_only_so_many_are_remembered() -> None:
    assert len(texts(*(query(f"n{number}.x") for number in range(MOST + 5)))) == MOST


@given(st.binary(max_size=80))
def test_arbitrary_bytes_do_no_harm(packet: bytes) -> None:
    assert len(texts(packet)) <= 1
