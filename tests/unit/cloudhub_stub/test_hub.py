"""Who is connected now, and waiting for a node to come."""

import asyncio
from typing import Any

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NoSuchNode
from cloudhub_stub.hub import REPLACED, Hub
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import VirtualClock, settle


@pytest.fixture
def hub(cloud: Cloud) -> Hub:
    return Hub(cloud)


async def test_a_new_connection_ends_the_old_one_first(hub: Hub, cloud: Cloud, make_socket: Any, message: Any) -> None:
    old_socket, new_socket = make_socket(), make_socket()
    hub.connect(Upgrade("edge-1", ""), old_socket)
    await cloud.delivery.accept("edge-1", [message("insert", "default/pod/p", {}, group="resource")])
    await settle()
    new = hub.connect(Upgrade("edge-1", ""), new_socket)
    await settle()
    assert old_socket.hung_up == [REPLACED]
    assert old_socket.frames == new_socket.frames != []
    assert hub.find("edge-1") is new
    new.end("test")


async def test_the_end_of_the_old_connection_leaves_the_new_one_alone(hub: Hub, make_socket: Any) -> None:
    old = hub.connect(Upgrade("edge-1", ""), make_socket())
    new_socket = make_socket()
    new = hub.connect(Upgrade("edge-1", ""), new_socket)
    old.end("connection_closed")
    assert hub.find("edge-1") is new
    assert not new.session.ended
    assert new_socket.hung_up == []


async def test_the_keepalive_of_the_old_connection_does_not_end_the_new_one(
    hub: Hub, make_socket: Any, frame: Any, vclock: VirtualClock
) -> None:
    hub.connect(Upgrade("edge-1", ""), make_socket())
    await vclock.advance(20)
    new = hub.connect(Upgrade("edge-1", ""), make_socket())
    await vclock.advance(29)
    await new.receive(frame("keepalive", "node"))
    await vclock.advance(20)
    assert not new.session.ended


async def test_a_disconnected_node_is_not_found(hub: Hub, make_socket: Any) -> None:
    link = hub.connect(Upgrade("edge-1", ""), make_socket())
    link.end("connection_closed")
    link.end("connection_closed")
    assert hub.find("edge-1") is None
    assert hub.find(None) is None


async def test_a_node_without_keepalive_is_not_found_any_more(
    hub: Hub, cloud: Cloud, make_socket: Any, vclock: VirtualClock
) -> None:
    hub.connect(Upgrade("edge-1", ""), make_socket())
    await vclock.advance(30)
    assert hub.find("edge-1") is None
    assert cloud.nodes.connected() == []


async def test_the_only_node_needs_no_name(hub: Hub, make_socket: Any) -> None:
    link = hub.connect(Upgrade("edge-1", ""), make_socket())
    assert hub.find(None) is link


async def test_of_several_nodes_one_must_be_named(hub: Hub, make_socket: Any) -> None:
    for name in ("b", "a"):
        hub.connect(Upgrade(name, ""), make_socket())
    with pytest.raises(NoSuchNode, match=r"2 are connected \(a, b\): say which"):
        hub.find(None)


@pytest.mark.parametrize("name", [None, "edge-1"])
async def test_waiting_ends_when_the_node_comes(
    hub: Hub, make_socket: Any, vclock: VirtualClock, name: str | None
) -> None:
    waiting = asyncio.create_task(hub.wait_for(name, 30.0))
    await vclock.advance(29)
    link = hub.connect(Upgrade("edge-1", ""), make_socket())
    assert await waiting is link


async def test_waiting_ends_with_the_time(hub: Hub, make_socket: Any, vclock: VirtualClock) -> None:
    waiting = asyncio.create_task(hub.wait_for("edge-1", 30.0))
    await settle()
    hub.connect(Upgrade("edge-2", ""), make_socket())
    await vclock.advance(30)
    with pytest.raises(NoSuchNode, match=r"node edge-1 has not connected within 30 s; connected: edge-2"):
        await waiting


async def test_waiting_for_no_time_asks_once(hub: Hub, make_socket: Any, vclock: VirtualClock) -> None:
    link = hub.connect(Upgrade("edge-1", ""), make_socket())
    assert await hub.wait_for(None, 0.0) is link
    asked = asyncio.create_task(hub.wait_for("other", 0.0))
    await vclock.advance(0)
    with pytest.raises(NoSuchNode):
        await asked


async def test_ending_all_hangs_up_on_everybody(hub: Hub, make_socket: Any) -> None:
    sockets = [make_socket() for _ in range(3)]
    for number, socket in enumerate(sockets):
        hub.connect(Upgrade(f"edge-{number}", ""), socket)
    hub.end_all("stopping")
    assert [socket.hung_up for socket in sockets] == [["stopping"]] * 3
    assert hub.find(None) is None


async def test_a_watcher_is_told_who_comes_and_goes(hub: Hub, make_socket: Any) -> None:
    told: list[bool] = []
    with hub.watch("edge-1", told.append):
        link = hub.connect(Upgrade("edge-1", ""), make_socket())
        hub.connect(Upgrade("edge-2", ""), make_socket())
        link.end("connection_closed")
    hub.connect(Upgrade("edge-1", ""), make_socket())
    assert told == [True, False]
