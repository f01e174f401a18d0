"""What a node tells: it has its effect at once, and nothing behind it is answered before that is on disk, noted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.hub import Hub
from cloudhub_stub.inbox import MAX_WAITING, STORE_FAILED
from cloudhub_stub.link import Link
from cloudhub_stub.upgrade import Upgrade
from cluster.objects import node, pod
from edgecore.clock import VirtualClock, settle
from edgecore.observe.ledger import COALESCED, DELIVERED, DROPPED, UP

STATUS = ("update", "default/podstatus/p", {"UID": "u", "Status": {"phase": "Running"}})


@pytest.fixture
def hub(cloud: Cloud) -> Hub:
    return Hub(cloud)


@pytest.fixture
def socket(make_socket: Any) -> Any:
    return make_socket()


@pytest.fixture
async def link(hub: Hub, socket: Any, cloud: Cloud, message: Any) -> AsyncIterator[Link]:
    cloud.objects.note_sent(message("insert", "default/pod/p", {}))  # by hand, or the edge is told to remove it
    made = hub.connect(Upgrade("edge-1", "", "edgecore"), socket)
    yield made
    hub.end_all("test")
    await settle()


@pytest.fixture
async def running_pod(link: Link, socket: Any, cloud: Cloud) -> dict[str, Any]:
    """Put a pod on the node, and return what that says of it; what the node was sent of it is forgotten."""
    registry = cloud.plane.registry
    registry.put(node("edge-1"))
    held = registry.put(pod("web", "edge-1"))
    await cloud.plane.commit()
    await settle()
    socket.frames.clear()
    return {"UID": held["metadata"]["uid"], "Status": {"phase": "Running"}}


async def receive(link: Link, *frames: bytes) -> None:
    for data in frames:
        await link.receive(data)
    await settle()


async def test_an_effect_is_in_memory_at_once(link: Link, frame: Any, rows: Any) -> None:
    rows.held = True
    await receive(link, frame(*STATUS, id="s"))
    assert [note.phase for note in link.node.pods.values()] == ["Running"]
    assert rows.noted == []
    await rows.commit()
    assert rows.noted == [("edge-1", "s")]


async def test_an_effect_is_on_disk_with_its_note(link: Link, frame: Any, rows: Any, running_pod: Any) -> None:
    rows.log.clear()
    await receive(link, frame("update", "default/podstatus/web", running_pod, id="s"))
    assert rows.log == ["Pod web", "note s"]


@pytest.mark.parametrize("message_id", ["", "x" * 300])
async def test_an_effect_that_cannot_be_noted_is_waited_for_all_the_same(
    link: Link, socket: Any, frame: Any, rows: Any, running_pod: Any, message_id: str
) -> None:
    rows.log.clear()
    rows.held = True
    await receive(
        link, frame("update", "default/podstatus/web", running_pod, id=message_id), frame("ping", "x", id="behind")
    )
    assert socket.frames == []
    await rows.commit()
    assert rows.log == ["Pod web"]
    assert [sent["header"]["parent_msg_id"] for sent in socket.sent] == ["behind"]


@pytest.mark.parametrize("message_id", ["s", ""])
async def test_an_effect_that_cannot_be_stored_ends_the_session_without_proof(
    link: Link, socket: Any, frame: Any, rows: Any, running_pod: Any, message_id: str
) -> None:
    rows.broken = True
    await receive(
        link, frame("update", "default/podstatus/web", running_pod, id=message_id), frame("ping", "x", id="behind")
    )
    assert (socket.frames, socket.hung_up) == ([], [STORE_FAILED])


async def test_nothing_behind_an_effect_is_answered_before_it_is_on_disk(
    link: Link, socket: Any, frame: Any, rows: Any
) -> None:
    rows.held = True
    await receive(
        link,
        frame("ping", "x", id="before"),
        frame(*STATUS, id="s"),
        frame("ping", "x", id="behind"),
        frame("update", "default/nodestatus/edge-1", {"Status": {}}, id="status"),
    )
    assert [sent["header"]["parent_msg_id"] for sent in socket.sent] == ["before"]
    await rows.commit()
    assert [sent["header"]["parent_msg_id"] for sent in socket.sent] == ["before", "behind", "status"]


async def test_keepalives_and_acknowledgements_wait_for_nobody(
    link: Link, frame: Any, rows: Any, cloud: Cloud, message: Any
) -> None:
    await cloud.delivery.accept("edge-1", [message("insert", "default/pod/p", id="sent", group="resource")])
    await settle()
    rows.held = True
    await receive(link, frame(*STATUS, id="s"), frame("keepalive", "node"), frame("response", "x", parent="sent"))
    assert (link.node.counters.keepalives, link.node.counters.acknowledged) == (1, 1)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_message_that_comes_again_has_no_second_effect(
    link: Link, frame: Any, rows: Any, cloud: Cloud, waits: bool
) -> None:
    rows.held = waits
    await receive(link, frame(*STATUS, id="s"), frame(*STATUS, id="s"))
    await rows.commit()
    assert link.node.counters.outcomes == {"pod_status_noted": 1, "seen_before": 1}
    assert cloud.ledger.counts() == {(UP, DELIVERED, ""): 1, (UP, COALESCED, "seen_before"): 1}
    assert rows.noted == [("edge-1", "s")]


async def test_the_same_id_of_another_node_is_another_message(
    link: Link, hub: Hub, make_socket: Any, frame: Any, rows: Any
) -> None:
    other = hub.connect(Upgrade("edge-2", "", "edgecore"), make_socket())
    await receive(link, frame(*STATUS, id="s"))
    await receive(other, frame(*STATUS, id="s"))
    assert rows.noted == [("edge-1", "s"), ("edge-2", "s")]


@pytest.mark.parametrize("message_id", ["", "x" * 300])
async def test_a_message_without_a_usable_id_has_its_effect_each_time(
    link: Link, frame: Any, rows: Any, message_id: str
) -> None:
    await receive(link, frame(*STATUS, id=message_id), frame(*STATUS, id=message_id))
    assert link.node.counters.outcomes == {"pod_status_noted": 2}
    assert rows.noted == []


@pytest.mark.parametrize(
    "told",
    [
        ("keepalive", "node"),
        ("update", "default/nodestatus/edge-1", {}),
        ("query", "default/configmap/c"),
        ("ping", "x"),
    ],
)
async def test_what_has_no_effect_costs_no_row(link: Link, frame: Any, rows: Any, told: Any) -> None:
    await receive(link, frame(*told))
    assert rows.noted == []


@pytest.mark.parametrize(
    ("told", "header"),
    [
        (STATUS, {}),
        (("delete", "default/pod/p", "uid"), {}),
        (("update", "device/d/twin/edge_updated", {}), {"source": "twin", "group": "resource"}),
        (("response", "JGh3", "hello"), {"source": "bus", "group": "user"}),
    ],
)
async def test_what_has_an_effect_is_noted(link: Link, frame: Any, rows: Any, told: Any, header: Any) -> None:
    await receive(link, frame(*told, id="m", **header))
    assert rows.noted == [("edge-1", "m")]


async def test_what_cannot_be_noted_ends_the_session_without_proof(
    link: Link, socket: Any, frame: Any, rows: Any, cloud: Cloud
) -> None:
    rows.held = True
    await receive(link, frame(*STATUS, id="s"), frame("ping", "x"))
    rows.broken = True
    await rows.commit()
    assert (rows.noted, socket.frames, socket.hung_up) == ([], [], [STORE_FAILED])
    assert cloud.ledger.counts() == {(UP, DROPPED, STORE_FAILED): 1, (UP, DROPPED, "link_lost"): 1}


async def test_what_could_not_be_noted_is_taken_when_it_comes_again(
    link: Link, hub: Hub, make_socket: Any, frame: Any, rows: Any
) -> None:
    rows.broken = True
    await receive(link, frame(*STATUS, id="s"))
    rows.broken = False
    again = hub.connect(Upgrade("edge-1", "", "edgecore"), make_socket())
    await receive(again, frame(*STATUS, id="s"))
    assert again.node.counters.outcomes == {"pod_status_noted": 2}
    assert rows.noted == [("edge-1", "s")]


async def test_a_repeat_on_a_new_connection_waits_for_the_first_and_fails_with_it(
    link: Link, hub: Hub, make_socket: Any, frame: Any, rows: Any
) -> None:
    rows.held = True
    await receive(link, frame(*STATUS, id="s"))
    socket = make_socket()
    again = hub.connect(Upgrade("edge-1", "", "edgecore"), socket)
    await receive(again, frame(*STATUS, id="s"), frame("ping", "x"))
    assert socket.frames == []
    rows.broken = True
    await rows.commit()
    assert (socket.frames, socket.hung_up) == ([], [STORE_FAILED])


async def test_what_is_on_disk_has_its_effect_though_the_session_has_ended(
    link: Link, socket: Any, frame: Any, rows: Any, cloud: Cloud
) -> None:
    rows.held = True
    await receive(link, frame(*STATUS, id="s"), frame("ping", "x"))
    link.end("connection_closed")
    await rows.commit()
    assert len(link.node.pods) == 1
    assert socket.frames == []
    assert cloud.ledger.counts() == {(UP, DELIVERED, ""): 1, (UP, DROPPED, "link_lost"): 1}


async def test_reading_stops_when_too_much_waits_for_the_disk(link: Link, frame: Any, rows: Any) -> None:
    rows.held = True
    reading = asyncio.create_task(
        receive(link, *(frame(*STATUS, id=str(number)) for number in range(MAX_WAITING + 10)))
    )
    await settle()
    assert link.node.counters.received == MAX_WAITING
    rows.held = False
    await rows.commit()
    await reading
    assert link.node.counters.received == MAX_WAITING + 10
    assert link.node.counters.outcomes == {"pod_status_noted": MAX_WAITING + 10}


async def test_what_waits_for_a_slow_disk_is_not_unexplained(
    link: Link, frame: Any, rows: Any, cloud: Cloud, vclock: VirtualClock
) -> None:
    rows.held = True
    await receive(link, frame(*STATUS, id="s"))
    await vclock.advance(1000)
    assert (cloud.ledger.under_way, cloud.ledger.unexplained) == (1, 0)
    await rows.commit()
    assert cloud.ledger.under_way == 0
