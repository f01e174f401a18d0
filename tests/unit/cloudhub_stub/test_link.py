"""One live connection, with time in hand and no socket."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NoAck, NodeLost
from cloudhub_stub.link import KEEPALIVE_TIMEOUT, Link
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import VirtualClock, settle
from edgecore.ids import seeded_ids
from edgecore.observe.metrics import Metrics


@pytest.fixture
def socket(make_socket: Any) -> Any:
    return make_socket()


@pytest.fixture
def link(cloud: Cloud, socket: Any) -> Link:
    node, session = cloud.nodes.connect(Upgrade("edge-1", "p"))
    made = Link(cloud, node, session, socket, lambda _: None)
    made.start()
    return made


async def test_an_answer_is_one_document_with_every_key_and_a_newline(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(frame("insert", "default/nodestatus/edge-1", {}, id="asked"))
    (sent,) = socket.frames
    assert sent.endswith(b"}\n")
    document = json.loads(sent)
    assert document["header"].keys() == {"msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"}
    assert document["header"]["parent_msg_id"] == "asked"
    assert document["route"] == {
        "source": "edgecontroller",
        "group": "resource",
        "operation": "response",
        "resource": "default/node/edge-1",
    }
    assert document["content"] == "OK"


async def test_a_control_operation_is_answered_as_the_transport_does(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(frame("ping", "x", "ping", id="4", source="a", group="b"))
    (sent,) = socket.sent
    assert (sent["header"]["parent_msg_id"], sent["content"]) == ("4", "ack")
    assert sent["route"] == {"source": "a", "group": "b", "operation": "response", "resource": "x"}


async def test_a_keepalive_is_counted_and_not_answered(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(frame("keepalive", "node", "ping"))
    assert link.node.counters.keepalives == 1
    assert socket.frames == []


async def test_keepalives_keep_the_session(link: Link, socket: Any, frame: Any, vclock: VirtualClock) -> None:
    for _ in range(5):
        await vclock.advance(29)
        await link.receive(frame("keepalive", "node", "ping"))
    await vclock.advance(29.9)
    assert socket.hung_up == []


async def test_silence_ends_the_session_after_the_timeout(
    link: Link, socket: Any, frame: Any, vclock: VirtualClock
) -> None:
    await vclock.advance(20)
    await link.receive(frame("update", "default/nodestatus/edge-1", {}))  # only keepalives count
    await vclock.advance(9.9)
    assert socket.hung_up == []
    await vclock.advance(0.1)
    assert socket.hung_up == [KEEPALIVE_TIMEOUT]
    assert link.session.ended == KEEPALIVE_TIMEOUT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "malformed_json"),
        (b"[]", "wrong_shape"),
        (b"\xff\xfe", "not_utf8"),
        (b"[" * 600 + b"]" * 600, "too_deep"),
    ],
)
async def test_a_malformed_frame_is_counted_by_reason(link: Link, metrics: Metrics, data: bytes, reason: str) -> None:
    await link.receive(data)
    assert metrics.bad_input_counts == {("cloudhub", reason): 1}
    assert link.node.counters.malformed == 1


async def test_a_malformed_frame_does_not_end_the_session(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(b"{")
    await link.receive(frame("insert", "default/nodestatus/edge-1", {}))
    assert (len(socket.frames), socket.hung_up) == (1, [])


async def test_a_request_that_is_the_fault_of_the_edge_is_counted_as_bad_input(
    link: Link, frame: Any, metrics: Metrics
) -> None:
    await link.receive(frame("update", "default/nodestatus/other", {}))
    assert metrics.bad_input_counts == {("cloudhub", "other_node"): 1}


async def test_what_is_not_answered_is_counted_by_outcome(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(frame("query", "default/secret/none"))
    await link.receive(frame("get", "membership/detail", "{}", source="twin"))
    await link.receive(frame("response", "x", parent="unknown"))
    assert link.node.counters.outcomes == {"query_not_held": 1, "device_not_answered": 1, "unawaited_response": 1}
    assert socket.frames == []


async def test_delivery_returns_with_the_acknowledgement(
    link: Link, socket: Any, frame: Any, message: Any, cloud: Cloud
) -> None:
    delivery = asyncio.create_task(link.deliver(message("insert", "default/configmap/cm", {}, id="sent"), 25.0))
    await settle()
    assert [sent["header"]["msg_id"] for sent in socket.sent] == ["sent"]
    assert not delivery.done()
    await link.receive(frame("response", "default/configmap/cm", "OK", parent="sent"))
    await delivery
    assert link.node.counters.acknowledged == 1
    assert link.session.unacknowledged == {}
    assert len(cloud.objects) == 1


async def test_delivery_fails_when_the_time_is_up(link: Link, vclock: VirtualClock, frame: Any, message: Any) -> None:
    delivery = asyncio.create_task(link.deliver(message("insert", "default/pod/p", {}, id="sent"), 25.0))
    await vclock.advance(24.9)
    assert not delivery.done()
    await vclock.advance(0.1)
    with pytest.raises(NoAck, match="no acknowledgement from edge-1 in 25 s: is the edge running"):
        await delivery
    await link.receive(frame("response", "default/pod/p", "OK", parent="sent"))
    assert link.node.counters.outcomes == {"unawaited_response": 1}


async def test_delivery_fails_at_once_when_the_session_ends(link: Link, message: Any) -> None:
    delivery = asyncio.create_task(link.deliver(message("insert", "default/pod/p", {}), 25.0))
    await settle()
    link.end("connection_closed")
    with pytest.raises(NodeLost, match=r"the connection of edge-1 ended \(connection_closed\)"):
        await delivery


async def test_a_cancelled_delivery_leaves_nothing_behind(link: Link, message: Any) -> None:
    delivery = asyncio.create_task(link.deliver(message("insert", "default/pod/p", {}), 25.0))
    await settle()
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    assert link.session.unacknowledged == {}
    link.end("stopping")


async def test_an_object_that_answers_a_query_awaits_its_acknowledgement(
    link: Link, socket: Any, frame: Any, message: Any, cloud: Cloud
) -> None:
    cloud.objects.note_sent(message("update", "default/secret/s", {"data": {}}, version="7"))
    await link.receive(frame("query", "default/secret/s", id="asked"))
    (sent,) = socket.sent
    assert (sent["header"]["parent_msg_id"], sent["header"]["resourceversion"]) == ("asked", "7")
    assert list(link.session.unacknowledged) == [sent["header"]["msg_id"]]
    await link.receive(frame("response", "default/secret/s", "OK", parent=sent["header"]["msg_id"]))
    assert link.node.counters.acknowledged == 1


async def test_an_ended_link_touches_neither_node_nor_socket(
    link: Link, socket: Any, frame: Any, message: Any, vclock: VirtualClock
) -> None:
    link.end("replaced")
    await link.receive(frame("insert", "default/nodestatus/edge-1", {}))
    await link.receive(b"{")
    await vclock.advance(100)
    with pytest.raises(NodeLost):
        await link.send(message("insert", "default/pod/p", {}))
    assert (socket.frames, socket.hung_up) == ([], ["replaced"])
    assert (link.node.registered, link.node.counters.received) == (False, 0)


async def test_a_connection_that_breaks_under_an_answer_is_survived(link: Link, socket: Any, frame: Any) -> None:
    socket.broken = True
    await link.receive(frame("insert", "default/nodestatus/edge-1", {}))
    assert link.node.counters.sent == 0


@given(st.lists(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ an0', max_size=30).map(str.encode), max_size=5))
def test_no_bytes_raise_out_of_a_link(frames: list[bytes]) -> None:
    class Unread:
        async def send(self, data: bytes) -> None:
            """Take anything."""

        def hang_up(self, reason: str) -> None:
            raise AssertionError(reason)

    clock, new_id = VirtualClock(), seeded_ids(1)
    cloud = Cloud(clock, new_id, Metrics(), Nodes(clock, new_id, keepalive_timeout_s=30.0), Objects())
    link = Link(cloud, *cloud.nodes.connect(Upgrade("n", "")), Unread(), lambda _: None)

    async def receive_all() -> None:
        for data in frames:
            await link.receive(data)

    asyncio.run(receive_all())
    assert link.node.counters.received == len(frames)
