"""Messages of node and keeper: whole after any cut, and nothing but ContentError for what is none."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    MESSAGE_LIMIT_BYTES,
    Ask,
    Bye,
    Command,
    Done,
    Frames,
    News,
    Nft,
    Ready,
    Said,
    TakeOver,
    Told,
    Will,
    frame,
)

STEPS = (Nft("list ruleset", json=True), Command(("ip", "route"), stdin="x", may_fail=True))
TOLD = [
    Will(STEPS, STEPS, 30.0, STEPS),
    Ask(1, STEPS),
    Ask(2, ()),
    TakeOver(3, "9.251.0.0/16"),
    Bye(linger=True),
]
NEWS = [Ready("library"), Done(1, "out"), Done(2, error="no", reason="refused"), Said("error", "event", {"a": "b"})]


@pytest.mark.parametrize(("expects", "messages"), [(Told, TOLD), (News, NEWS)])
@given(data=st.data())
def test_messages_cut_anywhere_arrive_whole_and_in_order(expects, messages, data):
    stream = b"".join(map(frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, arrived = Frames(expects), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        frames.feed(stream[begin:end])
        arrived += frames.messages()
    assert arrived == messages


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_bytes_that_are_no_message_are_refused_and_raise_nothing_else(packed, loose):
    frames = Frames(Told)
    frames.feed(len(packed).to_bytes(4, "big") + packed + loose)
    try:
        arrived = list(frames.messages())
    except ContentError:
        return
    assert all(isinstance(message, Ask | Will | Bye | TakeOver) for message in arrived)


def test_a_message_nested_without_end_is_refused():
    packed = b"\x91" * 100_000
    frames = Frames(Told)
    frames.feed(len(packed).to_bytes(4, "big") + packed)
    with pytest.raises(ContentError):
        list(frames.messages())


def test_a_length_beyond_the_limit_is_refused_before_the_bytes_come():
    frames = Frames(Told)
    frames.feed((MESSAGE_LIMIT_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(ContentError, match="are allowed"):
        list(frames.messages())


def test_a_message_beyond_the_limit_is_not_sent():
    with pytest.raises(ContentError, match="are allowed"):
        frame(Ask(1, (Nft("x" * MESSAGE_LIMIT_BYTES),)))


def test_a_message_at_the_limit_arrives():
    spare = len(msgspec.msgpack.encode(Ask(1, (Nft("x" * 100_000),)))) - 100_000
    message = Ask(1, (Nft("x" * (MESSAGE_LIMIT_BYTES - spare)),))
    frames = Frames(Told)
    frames.feed(frame(message))
    assert list(frames.messages()) == [message]


def test_a_will_of_an_older_node_has_nothing_to_do_at_succession():
    packed = msgspec.msgpack.encode({"type": "will", "linger_s": 5.0})
    frames = Frames(Told)
    frames.feed(len(packed).to_bytes(4, "big") + packed)
    assert list(frames.messages()) == [Will(linger_s=5.0)]
