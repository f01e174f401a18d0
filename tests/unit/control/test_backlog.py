"""What waits for the reader of a stream."""

import asyncio

from edgecore.control.backlog import Backlog


async def test_items_come_in_their_order_and_nothing_was_missed() -> None:
    backlog = Backlog[str](2)
    backlog.put("a")
    backlog.put("b")
    assert [await backlog.next(), await backlog.next()] == [("a", 0), ("b", 0)]


async def test_what_found_no_room_is_told_with_the_item_that_follows_it_and_only_once() -> None:
    backlog = Backlog[int](1)
    for item in range(4):
        backlog.put(item)
    assert await backlog.next() == (0, 0)
    backlog.put(4)
    assert await backlog.next() == (4, 3)
    backlog.put(5)
    assert await backlog.next() == (5, 0)


async def test_a_reader_waits_for_the_next_item() -> None:
    backlog = Backlog[int](1)
    reading = asyncio.create_task(backlog.next())
    await asyncio.sleep(0)
    assert not reading.done()
    backlog.put(1)
    assert await reading == (1, 0)
