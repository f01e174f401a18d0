"""EdgeHub stops in any state, and leaves no task and no socket (the fixtures of all tests look)."""

import asyncio
from typing import Any

import pytest

from edgecore.clock import settle


async def test_stop_while_linked_ends_the_session_in_order(linked: Any) -> None:
    session = await linked.session()
    await linked.hub.stop()
    linked.bus.close()
    await session.ended.wait()
    assert session.websocket.close_code == 1000


async def test_stop_lets_the_last_messages_leave(linked: Any) -> None:
    session = await linked.session()
    for number in range(100):
        await linked.post(f"default/pod/{number}", operation="delete")
    await linked.hub.stop()
    linked.bus.close()
    await session.ended.wait()
    frames = [await session.frame() for _ in range(100)]
    assert [frame["route"]["resource"] for frame in frames] == [f"default/pod/{number}" for number in range(100)]


async def test_stop_lets_messages_leave_that_the_session_before_could_not_send(linked: Any) -> None:
    session = await linked.session()
    session.websocket.transport.pause_reading()
    for number in range(40):
        await linked.post(f"default/pod/{number}", "x" * 900_000)
    await asyncio.sleep(0.05)
    session.vanish()
    await linked.lost()
    left = linked.hub.status()["outbox"]
    assert left > 1
    await linked.clock.advance(1)
    session = await linked.session()
    await linked.hub.stop()
    linked.bus.close()
    await session.ended.wait()
    frames = [await session.frame() for _ in range(left)]
    assert frames[-1]["route"]["resource"] == "default/pod/39"


async def test_stop_without_a_link_waits_for_nothing(linked: Any) -> None:
    (await linked.session()).vanish()
    await linked.lost()
    await linked.post("default/pod/x", operation="delete")
    await settle()
    await linked.hub.stop()
    await linked.hub.stop()


async def test_stop_does_not_wait_for_a_link_that_is_lost_meanwhile(linked: Any) -> None:
    session = await linked.session()
    session.websocket.transport.pause_reading()
    for number in range(40):
        await linked.post(f"default/pod/{number}", "x" * 900_000)
    stopping = asyncio.create_task(linked.hub.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    session.vanish()
    await stopping


async def test_a_closed_bus_ends_the_module_while_it_waits_to_dial(linked: Any, until: Any) -> None:
    (await linked.session()).vanish()
    await until(lambda: linked.hub.status()["state"] == "waiting")
    linked.bus.close()


async def test_a_closed_bus_ends_the_module_while_it_dials(cloud: Any, link: Any, until: Any) -> None:
    cloud.may_answer.clear()
    linked = await link()
    await until(lambda: cloud.requests)
    linked.bus.close()
    await settle(50)
    cloud.may_answer.set()


@pytest.mark.parametrize("blocked", [False, True])
async def test_a_closed_bus_ends_the_module_while_a_message_waits_for_room(
    linked: Any,
    document: Any,
    until: Any,
    blocked: bool,
) -> None:
    session = await linked.session()
    for _ in range(30 if blocked else 1):
        await session.send(document())
    await until(lambda: linked.meta.statistics().depth == (16 if blocked else 1))
    if blocked:
        await until(lambda: linked.meta.statistics().blocked == 1)
    linked.bus.close()
    await session.ended.wait()


@pytest.mark.parametrize("turns", range(12))
async def test_a_closed_bus_ends_the_module_while_the_connection_ends_by_itself(linked: Any, turns: int) -> None:
    """A task group that is ending already swallows a cancellation of its parent."""
    session = await linked.session()
    session.vanish()
    await settle(turns)
    linked.bus.close()


@pytest.mark.parametrize("turns", range(12))
async def test_a_closed_bus_ends_the_module_that_is_cancelled_in_the_same_turn(linked: Any, turns: int) -> None:
    """As the runner does when the node stops: both come in one turn of the loop."""
    session = await linked.session()
    session.vanish()
    await settle(turns)
    linked.bus.close()
    linked.running.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([linked.running])
