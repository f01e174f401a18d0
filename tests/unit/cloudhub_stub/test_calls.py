"""Calls of services at a node: a message down, an answer up, and whoever waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from cloudhub_stub import calls
from cloudhub_stub.calls import Caller, CallOptions
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import BadAnswer, NoAnswer, NoSuchNode, QueueFull
from cloudhub_stub.hub import Hub
from cloudhub_stub.link import Link
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.observe.ledger import COALESCED, DELIVERED, UP
from edgecore.observe.metrics import Metrics

OPTIONS = CallOptions(node="edge-1", resource="8080:a:b?c", method="PUT", header={"A": ["1", "2"]}, body=b"hello")
ANSWER = {"header": {"Date": ["now"], "X": None}, "status_code": 201, "body": "AP8="}
SENDER = {"source": "servicebus", "group": "user"}


@pytest.fixture
def socket(make_socket: Any) -> Any:
    return make_socket()


@pytest.fixture
async def link(cloud: Cloud, socket: Any) -> AsyncIterator[Link]:
    made = Hub(cloud).connect(Upgrade("edge-1", "p", "edgecore"), socket)
    yield made
    made.end("test")
    await settle()


@pytest.fixture
def caller(cloud: Cloud, metrics: Metrics, vclock: VirtualClock, ids: NewId) -> Caller:
    return Caller(cloud.calls, cloud.nodes, cloud.delivery, metrics, clock=vclock, new_id=ids)


@pytest.fixture
async def called(caller: Caller, link: Link) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """A call under way."""
    task = asyncio.create_task(caller.call(OPTIONS))
    await settle()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_call_is_a_message_of_the_router(called: Any, socket: Any) -> None:
    (sent,) = socket.sent
    assert sent["route"] == {
        "source": "router_rest",
        "group": "user",
        "operation": "PUT",
        "resource": "8080:a:b?c",
    }
    assert sent["content"] == {"header": {"A": ["1", "2"]}, "body": "aGVsbG8="}


async def test_the_answer_is_found_by_its_parent(
    called: Any, link: Link, socket: Any, frame: Any, cloud: Cloud
) -> None:
    message_id = socket.sent[0]["header"]["msg_id"]
    await link.receive(frame("", "", ANSWER, parent=message_id, **SENDER))
    answer = await called
    assert (answer["node"], answer["id"], answer["ms"]) == ("edge-1", message_id, 0)
    assert (answer["status_code"], answer["header"], answer["body"]) == (201, {"Date": ["now"], "X": []}, "AP8=")
    assert link.node.counters.outcomes == {"call_answered": 1}
    assert cloud.ledger.counts()[UP, DELIVERED, ""] == 1
    assert (len(cloud.calls), cloud.delivery.depth("edge-1"), cloud.ledger.unexplained) == (0, 0, 0)


async def test_an_answer_with_an_operation_is_one_too(called: Any, link: Link, socket: Any, frame: Any) -> None:
    message_id = socket.sent[0]["header"]["msg_id"]
    await link.receive(frame("response", "", ANSWER, parent=message_id, **SENDER))
    assert (await called)["status_code"] == 201


async def test_an_answer_that_nobody_waits_for_is_counted(link: Link, frame: Any, cloud: Cloud) -> None:
    await link.receive(frame("", "", ANSWER, parent="other", **SENDER))
    assert link.node.counters.outcomes == {"unawaited_response": 1}
    assert cloud.ledger.counts() == {(UP, COALESCED, "unawaited_response"): 1}


async def test_the_answer_of_another_node_is_none(
    called: Any, cloud: Cloud, make_socket: Any, socket: Any, frame: Any
) -> None:
    other = Hub(cloud).connect(Upgrade("edge-2", "p", "edgecore"), make_socket())
    await other.receive(frame("", "", ANSWER, parent=socket.sent[0]["header"]["msg_id"], **SENDER))
    await settle()
    assert not called.done()
    other.end("test")


async def test_a_silent_node_is_given_up_and_the_message_taken_back(
    called: Any, cloud: Cloud, vclock: VirtualClock
) -> None:
    await vclock.advance(14.9)
    assert not called.done()
    await vclock.advance(0.2)
    with pytest.raises(NoAnswer, match=r"cannot call edge-1: no answer within 15 s; is its serviceBus enabled\?"):
        await called
    assert (len(cloud.calls), cloud.delivery.depth("edge-1")) == (0, 0)


async def test_who_hangs_up_takes_the_call_back(called: Any, cloud: Cloud) -> None:
    called.cancel()
    await asyncio.gather(called, return_exceptions=True)
    assert (len(cloud.calls), cloud.delivery.depth("edge-1")) == (0, 0)


async def test_a_call_waits_for_a_node_that_comes_back(
    called: Any, cloud: Cloud, link: Link, make_socket: Any, frame: Any
) -> None:
    link.end("test")
    socket = make_socket()
    again = Hub(cloud).connect(Upgrade("edge-1", "p", "edgecore"), socket)
    await settle()
    await again.receive(frame("", "", ANSWER, parent=socket.sent[0]["header"]["msg_id"], **SENDER))
    assert (await called)["status_code"] == 201
    again.end("test")


@pytest.mark.parametrize("content", [None, [], "x", {}, {"status_code": "200"}, {**ANSWER, "body": "!"}])
async def test_an_answer_of_the_wrong_shape_is_refused(
    called: Any, link: Link, socket: Any, frame: Any, metrics: Metrics, content: Any
) -> None:
    await link.receive(frame("", "", content, parent=socket.sent[0]["header"]["msg_id"], **SENDER))
    with pytest.raises(BadAnswer, match="cannot use the answer of edge-1: "):
        await called
    assert metrics.bad_input_counts == {("cloudhub", "bad_call_answer"): 1}


async def test_a_node_that_is_not_connected_is_not_called(caller: Caller, cloud: Cloud) -> None:
    with pytest.raises(NoSuchNode, match="cannot call edge-1: it is not connected"):
        await caller.call(OPTIONS)
    assert (len(cloud.calls), cloud.delivery.depth("edge-1")) == (0, 0)


async def test_only_so_many_calls_wait(
    called: Any, caller: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_CALLS", 1)
    with pytest.raises(QueueFull, match="1 calls wait"):
        await caller.call(OPTIONS)
    assert len(cloud.calls) == 1


async def test_a_full_queue_takes_no_call(make_cloud: Any, socket: Any, vclock: VirtualClock, ids: NewId) -> None:
    cloud = make_cloud(max_bytes=10)
    link = Hub(cloud).connect(Upgrade("edge-1", "p", "edgecore"), socket)
    caller = Caller(cloud.calls, cloud.nodes, cloud.delivery, cloud.metrics, clock=vclock, new_id=ids)
    with pytest.raises(QueueFull, match="its queue is full"):
        await caller.call(OPTIONS)
    assert len(cloud.calls) == 0
    link.end("test")


@pytest.mark.parametrize("timeout_s", [0, -1, 3601, "x"])
def test_a_timeout_must_be_one(timeout_s: Any) -> None:
    asked = json.loads(json.dumps({"node": "n", "resource": "80:x", "timeout_s": timeout_s}))
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(asked, CallOptions)
