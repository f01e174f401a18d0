"""One mailbox by itself: room, the line of blocked senders, and the taker."""

import asyncio

import pytest

from edgecore.beehive.mailbox import Blocked, Mailbox
from edgecore.beehive.message import Message
from edgecore.errors import BusClosed


def message(number: int) -> Message:
    return Message(content=number)


def contents(mailbox: Mailbox) -> list[int]:
    return [one.content for one in mailbox.queue]


class Line:
    """Blocks senders at a mailbox, and keeps who was let in."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.admitted: list[int] = []

    def stand(self, number: int) -> Blocked:
        room = asyncio.get_running_loop().create_future()
        blocked = Blocked(room, message(number), lambda: self.admitted.append(number))
        self._mailbox.blocked.append(blocked)
        return blocked


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox("metaManager", "meta", 2)


def test_message_is_refused_when_there_is_no_room(mailbox: Mailbox) -> None:
    assert [mailbox.put(message(number), 0) for number in range(3)] == [True, True, False]
    assert contents(mailbox) == [0, 1]


async def test_taker_is_woken_once(mailbox: Mailbox) -> None:
    taker = mailbox.taker = asyncio.get_running_loop().create_future()
    mailbox.put(message(1), 0)
    mailbox.put(message(2), 0)
    assert taker.done()
    assert mailbox.taker is None


async def test_free_place_goes_to_the_first_in_line_that_still_waits(mailbox: Mailbox) -> None:
    line = Line(mailbox)
    gone, first, second = (line.stand(number) for number in (1, 2, 3))
    gone.room.cancel()
    mailbox.admit(0)

    assert contents(mailbox) == line.admitted == [2]
    assert first.room.done()
    assert not second.room.done()
    assert list(mailbox.blocked) == [second]


async def test_place_stays_free_when_all_in_line_have_gone(mailbox: Mailbox) -> None:
    line = Line(mailbox)
    line.stand(1).room.cancel()
    mailbox.admit(0)
    assert contents(mailbox) == line.admitted == []
    assert not mailbox.blocked


async def test_sender_that_leaves_is_taken_out_of_the_line_and_one_that_was_let_in_stays_in(mailbox: Mailbox) -> None:
    line = Line(mailbox)
    first, second = line.stand(1), line.stand(2)
    mailbox.admit(0)
    mailbox.leave(first)
    mailbox.leave(second)
    mailbox.leave(second)
    assert contents(mailbox) == [1]
    assert not mailbox.blocked
    assert second.room.cancelled()


async def test_failure_ends_every_wait(mailbox: Mailbox) -> None:
    line = Line(mailbox)
    taker = mailbox.taker = asyncio.get_running_loop().create_future()
    waiting = [line.stand(1), line.stand(2)]
    waiting[0].room.cancel()
    error = BusClosed("the bus is closed")
    mailbox.fail(error)

    assert taker.exception() is error
    assert waiting[1].room.exception() is error
    assert not mailbox.blocked
    assert contents(mailbox) == line.admitted == []


@pytest.mark.parametrize("capacity", [0, -5])
def test_mailbox_without_room_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"at least one message, not {capacity}"):
        Mailbox("edged", "edged", capacity)
