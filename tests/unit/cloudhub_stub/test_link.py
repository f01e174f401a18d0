"""One live connection, with time in hand and no socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudhub_stub.answers import Manners
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.hub import Hub
from cloudhub_stub.link import CONNECTION_CLOSED, FRAMES_A_TURN, MAX_CONTROLS, Link
from cloudhub_stub.session import KEEPALIVE_TIMEOUT, WRITE_TIMEOUT
from cloudhub_stub.upgrade import Upgrade
from cluster.devices import device
from cluster.objects import pod
from edgecore.clock import VirtualClock, settle
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DOWN, DROPPED, UP
from edgecore.observe.metrics import Metrics


@pytest.fixture
def socket(make_socket: Any) -> Any:
    return make_socket()


@pytest.fixture
def connected(make_socket: Any) -> Any:
    """Return a function that connects a node, by default our edge, and returns its link and its socket."""

    def connect(cloud: Cloud, node: str = "edge-1", agent: str = "edgecore") -> tuple[Link, Any]:
        socket = make_socket()
        hubs.setdefault(id(cloud), Hub(cloud))
        return hubs[id(cloud)].connect(Upgrade(node, "p", agent), socket), socket

    hubs: dict[int, Hub] = {}
    return connect


@pytest.fixture
async def link(cloud: Cloud, socket: Any) -> AsyncIterator[Link]:
    made = Hub(cloud).connect(Upgrade("edge-1", "p", "edgecore"), socket)
    yield made
    made.end("test")
    await settle()


@pytest.fixture
def send(cloud: Cloud, message: Any) -> Any:
    """Return a function that queues a message of the cloud for the node."""

    async def queue(operation: str, resource: str, content: Any = None, **header: str) -> None:
        header = {"source": "edgecontroller", "group": "resource", **header}
        await cloud.delivery.accept("edge-1", [message(operation, resource, content, **header)])
        await settle()

    return queue


async def test_an_answer_is_one_document_with_every_key_and_a_newline(link: Link, socket: Any, frame: Any) -> None:
    await receive(link, frame("insert", "default/nodestatus/edge-1", {}, id="asked"))
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


async def test_a_node_that_asks_the_transport_on_and_reads_nothing_fills_no_memory(
    cloud: Cloud, link: Link, socket: Any, frame: Any
) -> None:
    socket.blocked = asyncio.Event()
    for number in range(MAX_CONTROLS + 10):
        await receive(link, frame("ping", "x", "ping", id=str(number)))
    assert cloud.ledger.counts()[UP, DROPPED, "queue_full"] == 9  # one is with the socket
    socket.blocked.set()
    await settle()
    assert len(socket.frames) == MAX_CONTROLS + 1


async def test_a_control_operation_is_answered_as_the_transport_does(link: Link, socket: Any, frame: Any) -> None:
    await receive(link, frame("ping", "x", "ping", id="4", source="a", group="b"))
    (sent,) = socket.sent
    assert (sent["header"]["parent_msg_id"], sent["content"]) == ("4", "ack")
    assert sent["route"] == {"source": "a", "group": "b", "operation": "response", "resource": "x"}


async def test_a_keepalive_is_counted_and_not_answered(link: Link, socket: Any, frame: Any) -> None:
    await link.receive(frame("keepalive", "node", "ping"))
    assert link.node.counters.keepalives == 1
    assert socket.frames == []


async def test_a_node_that_has_much_to_say_leaves_others_their_turn(link: Link, frame: Any) -> None:
    async def say_much() -> None:
        for _ in range(4 * FRAMES_A_TURN):
            await link.receive(frame("keepalive", "node", "ping"))

    saying = asyncio.ensure_future(say_much())
    turns = 0
    while not saying.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 4


@pytest.mark.parametrize(("resource", "logged"), [("default/podstatus/p", []), ("default/else/x", ["not_answered"])])
async def test_what_nobody_waits_for_an_answer_to_is_not_logged_as_unanswered(
    link: Link, frame: Any, cloud: Cloud, resource: str, logged: list[str]
) -> None:
    cloud.plane.registry.put(pod("p", "edge-1"))
    with structlog.testing.capture_logs() as logs:
        await receive(link, frame("update", resource, {"Status": {"phase": "Running"}}))
        await settle()
    assert [each["reason"] for each in logs if each["event"] == "request_unanswered"] == logged


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
    await link.receive(frame("update", "default/nodestatus/edge-1", {"Status": {}}))  # only keepalives count
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
    await receive(link, b"{", frame("insert", "default/nodestatus/edge-1", {}))
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


async def test_a_queued_message_is_sent_and_acknowledged(
    link: Link, socket: Any, frame: Any, send: Any, cloud: Cloud, rows: Any
) -> None:
    await send("insert", "default/configmap/cm", {}, id="sent")
    assert [sent["header"]["msg_id"] for sent in socket.sent] == ["sent"]
    assert list(rows.queued) == [("edge-1", "sent")]
    await link.receive(frame("response", "default/configmap/cm", "OK", parent="sent"))
    assert (link.node.counters.acknowledged, rows.queued, len(cloud.objects)) == (1, {}, 1)
    assert cloud.ledger.counts() == {(DOWN, ACKNOWLEDGED, ""): 1, (UP, DELIVERED, ""): 1}


@pytest.mark.parametrize(("agent", "at_once"), [("edgecore", 3), ("Go-http-client/1.1", 1)])
async def test_our_edge_gets_several_objects_at_a_time_and_a_go_edge_one(
    cloud: Cloud, connected: Any, send: Any, agent: str, at_once: int
) -> None:
    link, socket = connected(cloud, agent=agent)
    for name in ("a", "b", "c"):
        await send("insert", f"default/configmap/{name}", id=name)
    names = [json.loads(frame)["route"]["resource"] for frame in socket.frames]
    assert names == ["default/configmap/a", "default/configmap/b", "default/configmap/c"][:at_once]
    link.end("test")
    await settle()


async def test_a_message_is_sent_again_with_the_same_bytes_until_it_is_acknowledged(
    link: Link, socket: Any, frame: Any, send: Any, vclock: VirtualClock
) -> None:
    await send("insert", "default/configmap/cm", {}, id="sent")
    for _ in range(2):
        await vclock.advance(5)
    await link.receive(frame("response", "default/configmap/cm", "OK", parent="sent"))
    await link.receive(frame("keepalive", "node"))
    await vclock.advance(25)
    assert len(socket.frames) == 3
    assert len(set(socket.frames)) == 1


async def test_a_message_goes_on_in_the_next_session_with_the_same_bytes(
    cloud: Cloud, connected: Any, send: Any, vclock: VirtualClock
) -> None:
    old, first = connected(cloud)
    await send("insert", "default/pod/p", {}, id="sent")
    await vclock.advance(5)
    old.end(CONNECTION_CLOSED)
    await vclock.advance(60)
    new, second = connected(cloud)
    await vclock.advance(5)
    assert first.frames == second.frames
    assert len(second.frames) == 2
    new.end("test")


async def test_what_was_queued_before_the_node_came_is_sent_when_it_comes(
    cloud: Cloud, connected: Any, send: Any
) -> None:
    await send("insert", "default/pod/p", {}, id="sent")
    link, socket = connected(cloud)
    await settle()
    assert [sent["header"]["msg_id"] for sent in socket.sent] == ["sent"]
    link.end("test")


async def test_a_message_that_is_given_up_is_explained_and_sent_in_the_next_session(
    cloud: Cloud, connected: Any, send: Any, frame: Any, vclock: VirtualClock, metrics: Metrics
) -> None:
    link, _ = connected(cloud)
    await send("insert", "default/pod/p", {}, id="sent")
    await vclock.advance(20)
    await link.receive(frame("keepalive", "node"))
    await vclock.advance(5)
    assert (cloud.delivery.given_up, cloud.delivery.queue("edge-1").given_up) == (1, 1)
    link.end("test")
    await vclock.advance(1000)
    assert cloud.ledger.unexplained == 0
    again, socket = connected(cloud)
    await settle()
    assert [sent["header"]["msg_id"] for sent in socket.sent] == ["sent"]
    again.end("test")


async def test_an_object_that_answers_a_query_awaits_its_acknowledgement(
    link: Link, socket: Any, frame: Any, message: Any, cloud: Cloud
) -> None:
    cloud.objects.note_sent(message("update", "default/secret/s", {"data": {}}, version="7"))
    await receive(link, frame("query", "default/secret/s", id="asked"))
    (sent,) = socket.sent
    assert (sent["header"]["parent_msg_id"], sent["header"]["resourceversion"]) == ("asked", "7")
    assert cloud.delivery.queue("edge-1").unacknowledged == 1
    await link.receive(frame("response", "default/secret/s", "OK", parent=sent["header"]["msg_id"]))
    assert link.node.counters.acknowledged == 1


async def test_an_answer_is_dropped_with_its_session(link: Link, socket: Any, frame: Any, cloud: Cloud) -> None:
    await receive(link, frame("update", "default/nodestatus/edge-1", {"Status": {}}))
    link.end(CONNECTION_CLOSED)
    assert cloud.ledger.counts()[DOWN, DROPPED, "link_lost"] == 1
    assert cloud.ledger.under_way == 0


async def test_whether_an_answer_was_read_is_asked_after_two_seconds(
    link: Link, socket: Any, frame: Any, cloud: Cloud, vclock: VirtualClock
) -> None:
    await receive(link, frame("update", "default/nodestatus/edge-1", {"Status": {}}))
    await vclock.advance(2)
    proof = socket.sent[-1]
    assert (proof["route"]["operation"], proof["header"]["parent_msg_id"]) == ("ping", "")
    await link.receive(frame("response", "node", "ack", parent=proof["header"]["msg_id"]))
    assert cloud.ledger.counts()[DOWN, DELIVERED, ""] == 1
    await vclock.advance(10)
    assert len(socket.frames) == 2


async def test_e1_an_answer_to_a_go_edge_is_held_back_until_it_is_ready(
    cloud: Cloud, connected: Any, frame: Any, vclock: VirtualClock
) -> None:
    link, socket = connected(cloud, agent="Go-http-client/1.1")
    await receive(link, frame("update", "default/nodestatus/edge-1", {"Status": {}}))
    await vclock.advance(0.009)
    assert socket.frames == []
    await vclock.advance(0.002)
    assert len(socket.frames) == 1
    link.end("test")


async def test_a_go_edge_gets_sixty_four_unread_lists_at_most(
    cloud: Cloud, connected: Any, send: Any, frame: Any
) -> None:
    for number in range(70):
        await send("update", f"default/podlist/s{number}", [], id=str(number))
    link, socket = connected(cloud, agent="Go-http-client/1.1")
    await settle(200)
    assert sum(sent["route"]["operation"] == "update" for sent in socket.sent) == 64
    await link.receive(frame("response", "x", "OK", parent="63"))
    await settle(200)
    assert sum(sent["route"]["operation"] == "update" for sent in socket.sent) == 70
    link.end("test")


async def test_t2_a_faithful_stub_drops_a_node_thirty_seconds_after_the_last_write(
    make_cloud: Any, connected: Any, frame: Any, vclock: VirtualClock
) -> None:
    link, socket = connected(make_cloud(faithful=True))
    await vclock.advance(20)
    await receive(link, frame("keepalive", "node"), frame("update", "default/nodestatus/edge-1", {"Status": {}}))
    await vclock.advance(0.01)
    for _ in range(2):
        await vclock.advance(14)
        await link.receive(frame("keepalive", "node"))
    await vclock.advance(2)
    assert (len(socket.frames), socket.hung_up) == (1, [WRITE_TIMEOUT])


async def test_t2_by_default_keepalives_keep_a_node_to_which_nothing_is_written(
    link: Link, socket: Any, frame: Any, vclock: VirtualClock
) -> None:
    for _ in range(10):
        await vclock.advance(20)
        await link.receive(frame("keepalive", "node"))
    assert socket.hung_up == []


async def test_h1_in_a_full_faithful_hub_nobody_is_heard(
    make_cloud: Any, connected: Any, frame: Any, vclock: VirtualClock
) -> None:
    cloud = make_cloud(faithful=True, max_nodes=2)
    first, first_socket = connected(cloud, "a")
    connected(cloud, "b")
    await receive(first, frame("keepalive", "node"), frame("insert", "default/nodestatus/a", {}))
    await vclock.advance(29)
    assert (first_socket.frames, first.node.counters.keepalives) == ([], 0)
    await vclock.advance(1)
    assert first.session.ended == KEEPALIVE_TIMEOUT
    assert cloud.ledger.counts() == {(UP, DROPPED, "node_limit"): 2}


async def test_h1_by_default_a_full_hub_hears_everybody(make_cloud: Any, connected: Any, frame: Any) -> None:
    cloud = make_cloud(max_nodes=2)
    link, socket = connected(cloud, "a")
    other, _ = connected(cloud, "b")
    await receive(link, frame("insert", "default/nodestatus/a", {}))
    assert len(socket.frames) == 1
    link.end("test")
    other.end("test")


UPLOAD = {"source": "bus", "group": "user"}


async def test_h8_an_upload_is_taken_counted_and_shown(link: Link, frame: Any, cloud: Cloud, rows: Any) -> None:
    await link.receive(frame("response", "JGh3L2V2ZW50cy91cGxvYWQveA==", "hello", id="u", **UPLOAD))
    (upload,) = link.node.uploads
    assert (upload.topic, upload.size_bytes, link.node.counters.uploads) == ("$hw/events/upload/x", 7, 1)
    assert link.node.counters.outcomes == {"upload_taken": 1}
    assert rows.noted == [("edge-1", "u")]


async def test_h8_a_faithful_stub_swallows_uploads(make_cloud: Any, connected: Any, frame: Any, rows: Any) -> None:
    cloud = make_cloud(faithful=True)
    link, _ = connected(cloud)
    await link.receive(frame("response", "JGh3L2V2ZW50cy91cGxvYWQveA==", "hello", id="u", **UPLOAD))
    assert (list(link.node.uploads), rows.noted) == ([], [])
    assert cloud.ledger.counts() == {(UP, DROPPED, "response_swallowed"): 1}
    link.end("test")


async def test_the_keepalive_is_watched_while_a_write_is_stuck(
    link: Link, socket: Any, send: Any, vclock: VirtualClock
) -> None:
    socket.blocked = asyncio.Event()
    await send("insert", "default/pod/p", {})
    await vclock.advance(30)
    assert socket.hung_up == [KEEPALIVE_TIMEOUT]
    await settle()
    assert link._writer is None


async def test_an_idle_link_has_no_task(link: Link, frame: Any) -> None:
    before = len(asyncio.all_tasks())
    await receive(link, frame("update", "default/nodestatus/edge-1", {"Status": {}}))
    assert len(asyncio.all_tasks()) == before


async def test_an_ended_link_touches_neither_node_nor_socket(
    link: Link, socket: Any, frame: Any, send: Any, cloud: Cloud, vclock: VirtualClock
) -> None:
    link.end("replaced")
    await receive(link, frame("insert", "default/nodestatus/edge-1", {}), b"{")
    await send("insert", "default/pod/p", {})
    await vclock.advance(100)
    assert (socket.frames, socket.hung_up) == ([], ["replaced"])
    assert (len(cloud.plane.registry), link.node.counters.received) == (0, 0)


async def test_a_connection_that_breaks_under_an_answer_is_over(
    link: Link, socket: Any, frame: Any, cloud: Cloud
) -> None:
    socket.broken = True
    await receive(link, frame("insert", "default/nodestatus/edge-1", {}))
    assert link.session.ended == CONNECTION_CLOSED
    assert cloud.ledger.counts()[DOWN, DROPPED, "link_lost"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ an0', max_size=30).map(str.encode), max_size=5))
def test_no_bytes_raise_out_of_a_link(make_cloud: Any, make_socket: Any, frames: list[bytes]) -> None:
    async def receive_all() -> int:
        link = Hub(make_cloud()).connect(Upgrade("n", "", ""), make_socket())
        await receive(link, *frames)
        link.end("test")
        return link.node.counters.received

    assert asyncio.run(receive_all()) == len(frames)


async def receive(link: Link, *frames: bytes) -> None:
    """Let the link take these, and write what it has to."""
    for data in frames:
        await link.receive(data)
    await settle()


REPORT = {"twin": {"power": {"actual": {"value": "OFF"}}}}
TWIN = {"source": "twin", "group": "resource"}


async def test_a_report_is_confirmed_and_once_more_when_it_comes_again(
    cloud: Cloud, socket: Any, frame: Any, rows: Any
) -> None:
    cloud.plane.registry.put(device("led", node="edge-1", uid="u", desired={"power": "ON"}))
    link = Hub(replace(cloud, manners=Manners(confirms_reports=True))).connect(
        Upgrade("edge-1", "p", "edgecore"), socket
    )
    rows.held = True
    data = frame("update", "device/led/twin/edge_updated", REPORT, id="r", **TWIN)
    await receive(link, data)
    assert _confirmations(socket) == []
    rows.held = False
    await rows.commit()
    await receive(link, data)
    answer = {"source": "devicecontroller", "group": "twin", "operation": "response", "resource": "twin"}
    assert _confirmations(socket) == [("r", answer, "OK")] * 2
    link.end("test")


async def test_by_default_reports_are_not_confirmed(link: Link, cloud: Cloud, socket: Any, frame: Any) -> None:
    cloud.plane.registry.put(device("led", node="edge-1", uid="u", desired={"power": "ON"}))
    data = frame("update", "device/led/twin/edge_updated", REPORT, id="r", **TWIN)
    await receive(link, data, data)
    assert _confirmations(socket) == []


async def test_an_upload_of_a_later_edge_is_taken_once(link: Link, frame: Any) -> None:
    data = frame("upload", "$hw/events/upload/x", "hello", id="u", **UPLOAD)
    await receive(link, data, data)
    (upload,) = link.node.uploads
    assert (upload.topic, upload.shown) == ("$hw/events/upload/x", "hello")
    assert link.node.counters.outcomes == {"upload_taken": 1, "seen_before": 1}


def _confirmations(socket: Any) -> list[tuple[str, Any, Any]]:
    parents = [(each["header"]["parent_msg_id"], each["route"], each["content"]) for each in socket.sent]
    return [each for each in parents if each[1]["source"] == "devicecontroller" and each[0]]
