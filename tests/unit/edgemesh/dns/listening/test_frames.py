"""Queries out of a TCP stream."""

import random

import pytest

from edgecore.modules.edgemesh.dns.listening.frames import ROOM_BYTES, Frames, NoQueryError
from edgecore.modules.edgemesh.dns.packets.packet import QUERY_LIMIT_BYTES


def framed(query: bytes) -> bytes:
    return len(query).to_bytes(2, "big") + query


def put(frames: Frames, data: bytes) -> int:
    """Put in what there is room for."""
    room = frames.room()
    count = min(len(room), len(data))
    room[:count] = data[:count]
    frames.filled(count)
    return count


def test_several_queries_of_one_read_come_in_their_order():
    frames = Frames()
    queries = [bytes([number]) * 12 for number in range(5)]
    put(frames, b"".join(map(framed, queries)))
    assert [frames.next() for _ in range(6)] == [*queries, None]


@pytest.mark.parametrize("seed", range(20))
def test_queries_come_whole_however_the_stream_is_cut(seed):
    chance = random.Random(seed)
    queries = [chance.randbytes(chance.choice((12, 40, 600, QUERY_LIMIT_BYTES))) for _ in range(50)]
    stream = b"".join(map(framed, queries))
    frames, found = Frames(), []
    while stream:
        stream = stream[put(frames, stream[: chance.randrange(1, 9000)]) :]
        while (query := frames.next()) is not None:
            found.append(query)
    assert found == queries


def test_longest_query_has_room_behind_the_start_of_it():
    frames = Frames()
    put(frames, b"\x10")
    assert frames.next() is None
    assert len(frames.room()) == ROOM_BYTES - 1


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\0\x0b" + bytes(11), "short"),
        (b"\0\0", "short"),
        (b"GET / HTTP/1.1\r\n", "too_long"),
        (b"\x10\x01", "too_long"),
    ],
)
def test_length_that_no_query_has_is_told_with_what_came(head, reason):
    frames = Frames()
    put(frames, head)
    with pytest.raises(NoQueryError) as e:
        frames.next()
    assert (e.value.reason, e.value.head) == (reason, head)
