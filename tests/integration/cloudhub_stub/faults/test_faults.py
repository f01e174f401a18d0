"""Faults as an edge feels them: a real websocket client on loopback, and the stub with its sockets."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from cloudhub_stub.app import Stub
from cloudhub_stub.errors import NodeLost
from cloudhub_stub.faults.scenario import read_scenario
from cloudhub_stub.faults.spec import FaultSpec
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock
from edgecore.control.client import ControlClient
from edgecore.errors import ControlError

STATUS = "default/nodestatus/edge-1"


@pytest.fixture
async def stub(make_stub: Any) -> Stub:
    running: Stub = await make_stub()
    return running


@pytest.fixture
async def edge(stub: Stub, make_edge: Any) -> Any:
    return await make_edge(stub)


def inject(stub: Stub, kind: str, **fields: Any) -> dict[str, Any]:
    spelled = {name.rstrip("_"): value for name, value in fields.items()}
    return stub.faults.inject(msgspec.convert({"fault": kind, **spelled}, FaultSpec))


async def send_down(stub: Stub, *names: str, node: str = "edge-1") -> None:
    """Write a pod for each name to the socket of the link."""
    link = stub.hub.find(node)
    assert link is not None
    for name in names:
        route = Route("edgecontroller", "resource", "insert", f"default/pod/{name}")
        await link._socket.send(encode(Message(Header(name, "", 1), route, {})) + b"\n")


async def passing(clock: VirtualClock, work: Coroutine[Any, Any, Any]) -> Any:
    """Return what ``work`` returns, letting the time of the stub pass until it does."""
    task = asyncio.create_task(work)
    while not task.done():
        await clock.advance(0.1)
        await asyncio.sleep(0.001)
    return task.result()


async def close_code(edge: Any) -> int | None:
    """Return the code with which the connection ends, having read all that comes before."""
    with suppress(ConnectionClosed):
        while True:
            await edge.connection.recv()
    code: int | None = edge.connection.close_code
    return code


async def test_a_cut_is_seen_as_a_connection_that_broke(stub: Stub, edge: Any, turns: Any) -> None:
    inject(stub, "cut", node="edge-1")
    assert await close_code(edge) == 1006
    await turns(lambda: stub.hub.find("edge-1") is None)


async def test_a_cut_every_two_messages_lets_the_second_arrive_each_time(stub: Stub, make_edge: Any) -> None:
    inject(stub, "cut", every=2, direction="down")
    for _ in range(2):
        edge = await make_edge(stub)
        await send_down(stub, "a", "b")
        with pytest.raises(NodeLost):
            await send_down(stub, "c")
        assert [(await edge.receive())["header"]["msg_id"] for _ in range(2)] == ["a", "b"]
        assert await close_code(edge) == 1006


async def test_a_half_open_connection_answers_no_ping_and_is_not_closed(stub: Stub, edge: Any) -> None:
    await asyncio.wait_for(await edge.connection.ping(), 5)
    inject(stub, "half-open")
    pong = await edge.connection.ping()
    await edge.send("insert", STATUS, {})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pong), 0.2)
    await send_down(stub, "a")  # which the link takes for sent
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(edge.receive(), 0.05)
    assert edge.connection.close_code is None
    assert stub.cloud.nodes.known()[0].counters.received == 0
    pong.cancel()


async def test_a_half_open_connection_is_cut_when_its_time_is_over(make_stub: Any, make_edge: Any) -> None:
    clock = VirtualClock()
    stub = await make_stub(clock=clock)
    edge = await make_edge(stub)
    inject(stub, "half-open", for_=20)
    await clock.advance(19)
    assert edge.connection.close_code is None
    await clock.advance(1)
    assert await close_code(edge) == 1006


async def test_a_half_open_connection_outlives_the_session_and_ends_when_the_node_is_back(
    make_stub: Any, make_edge: Any, turns: Any
) -> None:
    clock = VirtualClock()
    stub = await make_stub(clock=clock)
    old = await make_edge(stub)
    inject(stub, "half-open")
    await clock.advance(60)  # beyond the keepalive timeout
    assert stub.hub.find("edge-1") is None
    assert old.connection.close_code is None
    new = await make_edge(stub)
    assert await close_code(old) == 1006
    assert (await passing(clock, new.ask("insert", STATUS, {})))["content"] == "OK"
    await turns(lambda: not stub.faults.busy)


async def test_a_flood_that_the_library_had_paused_for_does_not_wake_a_half_open_connection(
    stub: Stub, edge: Any
) -> None:
    inject(stub, "half-open", nth=5, direction="up")
    sends = asyncio.gather(*(edge.send("keepalive", "node", "ping") for _ in range(200)))
    await sends
    pong = await edge.connection.ping()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pong), 0.2)
    assert stub.cloud.nodes.known()[0].counters.received == 5
    pong.cancel()


async def test_a_late_message_down_keeps_its_place(make_stub: Any, make_edge: Any) -> None:
    clock = VirtualClock()
    stub = await make_stub(clock=clock)
    edge = await make_edge(stub)
    inject(stub, "delay", seconds=3, times=1)
    await send_down(stub, "a", "b")
    await clock.advance(2.9)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(edge.receive(), 0.05)
    await clock.advance(0.1)
    assert [(await edge.receive())["header"]["msg_id"] for _ in range(2)] == ["a", "b"]


async def test_a_late_message_up_keeps_its_place(make_stub: Any, make_edge: Any, turns: Any) -> None:
    clock = VirtualClock()
    stub = await make_stub(clock=clock)
    edge = await make_edge(stub)
    inject(stub, "delay", seconds=3, direction="up", nth=1)
    asked = [await edge.send("insert", STATUS, {}), await edge.send("insert", STATUS, {})]
    await turns(lambda: stub.faults.faults.rules()[0].fired == 1)
    assert stub.cloud.nodes.known()[0].counters.received == 0
    answers = [await passing(clock, edge.receive()) for _ in range(2)]
    assert [answer["header"]["parent_msg_id"] for answer in answers] == asked
    assert clock.monotonic() >= 3


async def test_messages_are_lost_on_the_way_down(stub: Stub, edge: Any) -> None:
    inject(stub, "drop", direction="down", every=2)
    await send_down(stub, "a", "b", "c", "d", "e")
    assert [(await edge.receive())["header"]["msg_id"] for _ in range(3)] == ["a", "c", "e"]


async def test_messages_are_lost_on_the_way_up(stub: Stub, edge: Any) -> None:
    inject(stub, "drop", direction="up", nth=1)
    await edge.send("insert", STATUS, {})
    second = await edge.send("insert", STATUS, {})
    assert (await edge.receive())["header"]["parent_msg_id"] == second
    assert stub.cloud.nodes.known()[0].counters.received == 1


async def test_messages_come_twice_down(stub: Stub, edge: Any) -> None:
    inject(stub, "duplicate", direction="down", times=1)
    await send_down(stub, "a", "b")
    assert [(await edge.receive())["header"]["msg_id"] for _ in range(3)] == ["a", "a", "b"]


async def test_messages_come_twice_up(stub: Stub, edge: Any) -> None:
    inject(stub, "duplicate", direction="up")
    asked = await edge.send("update", STATUS, {"Status": {}})
    answers = [await edge.receive() for _ in range(2)]
    assert [answer["header"]["parent_msg_id"] for answer in answers] == [asked, asked]


async def test_a_restart_comes_back_on_the_same_port_and_knows_nobody(
    make_stub: Any, make_edge: Any, turns: Any
) -> None:
    clock = VirtualClock()
    stub = await make_stub(clock=clock)
    edge = await make_edge(stub)
    url = stub.server.url
    inject(stub, "restart", down=10)
    assert await close_code(edge) == 1006
    await turns(lambda: stub.hub.find("edge-1") is None)
    await nobody_listens(stub)
    while stub.faults.view()["restarting"]:
        await clock.advance(1)
        await asyncio.sleep(0.001)
    assert clock.monotonic() >= 10
    assert stub.server.url == url
    edge = await make_edge(stub)
    assert (await passing(clock, edge.ask("insert", STATUS, {})))["content"] == "OK"


async def nobody_listens(stub: Stub) -> None:
    """Return once connections are refused."""
    host, port = stub.server.url.removeprefix("ws://").split(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_stub_that_is_away_can_be_stopped(make_stub: Any) -> None:
    stub = await make_stub()
    inject(stub, "restart", down=3600)
    await stub.stop()


async def test_a_stub_with_half_open_connections_stops_at_once(stub: Stub, edge: Any) -> None:
    inject(stub, "half-open")
    await asyncio.wait_for(stub.stop(), 0.9)
    assert await close_code(edge) == 1006


async def test_a_scenario_begins_when_the_stub_does(make_stub: Any, make_edge: Any) -> None:
    steps = read_scenario("- {at: 0, do: {drop: {direction: down, nth: 1}}}", "f.yaml")
    clock = VirtualClock()
    stub = await make_stub(clock=clock, scenario=steps)
    edge = await make_edge(stub)
    await clock.advance(0)
    await send_down(stub, "a", "b")
    assert (await edge.receive())["header"]["msg_id"] == "b"


async def test_a_step_for_a_node_begins_when_it_has_connected(make_stub: Any, make_edge: Any) -> None:
    steps = read_scenario("- {after: {connected: edge-1}, do: {cut: {node: edge-1}}}", "f.yaml")
    edge = await make_edge(await make_stub(scenario=steps))
    assert await close_code(edge) == 1006


@pytest.fixture
async def ask(stub: Stub) -> Callable[..., Awaitable[Any]]:
    """Return a function that asks over the control socket."""
    client = ControlClient(stub.control.path, 5, process="cloudhub-stub")

    async def run(method: str, *arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(client, method), *arguments)

    return run


async def test_faults_are_added_shown_and_cleared_over_the_control_socket(ask: Any) -> None:
    rule = await ask("post", "/v1/faults", {"fault": "drop", "every": 10})
    assert (rule["id"], rule["text"], rule["live"]) == ("f1", "drop: every 10 messages", True)
    assert [each["id"] for each in (await ask("get", "/v1/faults"))["rules"]] == ["f1"]
    assert await ask("delete", "/v1/faults", {"id": "f1"}) == {"cleared": 1}
    assert await ask("delete", "/v1/faults", {"all": "true"}) == {"cleared": 0}


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("post", (None,), "cannot read the fault: Expected `object`"),
        ("post", ({"fault": "snip"},), "cannot read the fault: Invalid enum value 'snip'"),
        ("post", ({"fault": "cut", "often": 1},), "unknown field `often`"),
        ("post", ({"fault": "delay"},), "cannot do delay: seconds: a delay needs"),
        ("post", ({"fault": "cut"},), "cannot do cut: no node is connected"),
        ("delete", ({"id": "f7"},), "cannot clear 'f7': no such fault"),
        ("delete", ({},), "say which fault"),
        ("delete", ({"id": "f7", "all": "true"},), "say which fault"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    ask: Any, method: str, arguments: Any, words: str
) -> None:
    with pytest.raises(ControlError) as error:
        await ask(method, "/v1/faults", *arguments)
    assert words in str(error.value)


async def test_the_faults_are_in_the_metrics_and_under_debug(make_stub: Any, make_edge: Any, tmp_path: Path) -> None:
    stub: Stub = await make_stub(observe="127.0.0.1:0", state_dir=tmp_path / "observed")
    await make_edge(stub)
    inject(stub, "cut")
    assert b'cloudhub_faults_total{fault="cut"} 1.0' in stub.metrics.render()
    assert stub.observe is not None
    host, _, port = stub.observe.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /debug/faults HTTP/1.0\r\n\r\n")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    await writer.wait_closed()
    assert json.loads(body)["counts"] == {"cut": 1}
