"""The link to the cloud in memory."""

import asyncio

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.errors import LinkError
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.recording.entries import CloudFrame, ConnectionEvent
from edgecore.replay.journal import Journal
from edgecore.replay.link import CloudLink, MemorySession

ADDRESS = CloudAddress("ws", "127.0.0.1", 10000, "project", "n1")
FRAME = '{"header":{"msg_id":"m1","timestamp":1},"route":{},"content":"x"}'


class Rig:
    def __init__(self, clock: VirtualClock) -> None:
        self.heard: list[bytes] = []
        self.journal = Journal(clock, "n1")
        self.journal.begin()
        self.link = CloudLink(self.heard.append, self.journal)
        self.link.reachable = True

    async def dial(self) -> MemorySession:
        return await self.link.dial(ADDRESS, timeout_s=1, max_message_bytes=1, tls=None)


@pytest.fixture
def rig(vclock: VirtualClock) -> Rig:
    return Rig(vclock)


async def test_a_cloud_that_is_not_there_refuses_and_names_its_address(rig: Rig) -> None:
    rig.link.reachable = False
    with pytest.raises(LinkError, match=r"cannot connect to ws://127\.0\.0\.1:10000"):
        await rig.dial()


async def test_frames_go_both_ways_in_order_and_are_kept(rig: Rig) -> None:
    session = await rig.dial()
    rig.link.send(FRAME, "m1")
    rig.link.send(FRAME.replace("m1", "m2"), "m2", "m1")
    assert rig.link.unread == 2
    frames = session.frames()
    assert [await anext(frames), await anext(frames)] == [FRAME.encode(), FRAME.replace("m1", "m2").encode()]
    await session.write(b"said")
    assert rig.heard == [b"said"]
    kinds = [type(one) for one in rig.journal.entries[1:]]
    assert kinds == [ConnectionEvent, CloudFrame, CloudFrame]
    assert rig.journal.entries[-1].causes == (3,)
    await frames.aclose()


async def test_who_waits_for_a_frame_hears_of_the_end(rig: Rig) -> None:
    session = await rig.dial()
    frames = session.frames()
    waiting = asyncio.ensure_future(anext(frames))
    await settle()
    rig.link.drop("cut")
    with pytest.raises(LinkError, match="cut"):
        await waiting
    with pytest.raises(LinkError):
        await session.write(b"late")
    with pytest.raises(LinkError):
        await session.ping()
    assert not rig.link.connected
    assert not rig.heard


async def test_what_is_sent_to_nobody_is_not_kept(rig: Rig) -> None:
    rig.link.send(FRAME, "m1")
    assert rig.journal.count == 1


async def test_a_second_session_ends_the_first(rig: Rig) -> None:
    first, second = await rig.dial(), await rig.dial()
    with pytest.raises(LinkError):
        await first.write(b"x")
    await second.write(b"y")
    assert rig.heard == [b"y"]
