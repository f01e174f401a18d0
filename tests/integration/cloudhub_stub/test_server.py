"""The websocket side of the stub, asked by real clients."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from cloudhub_stub import server as server_file
from cloudhub_stub.app import Stub
from cloudhub_stub.cluster.kinds import ObjectKey
from cluster.devices import device
from edgecore.beehive import frame
from edgecore.clock import VirtualClock
from edgecore.errors import ListenError


@pytest.fixture
async def stub(make_stub: Any, vclock: VirtualClock) -> Stub:
    made: Stub = await make_stub(vclock)
    return made


def registered_node(stub: Stub) -> Any:
    """Return the Node object of the one edge."""
    return stub.cloud.plane.registry.get(ObjectKey("Node", "", "edge-1"))


async def raw_exchange(stub: Stub, data: bytes, *, ends: bool) -> bytes:
    """Send bytes over a bare connection and return all that comes back until it is closed."""
    where = urlsplit(stub.server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(data)
        if ends:
            writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_registration_is_answered_in_one_text_frame_with_a_newline(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    asked = await edge.send("insert", "default/nodestatus/edge-1", {"metadata": {}})
    frames = [fragment async for fragment in edge.connection.recv_streaming()]
    assert len(frames) == 1
    assert isinstance(frames[0], str)
    assert frames[0].endswith("}\n")
    answer = json.loads(frames[0])
    assert (answer["header"]["parent_msg_id"], answer["content"]) == (asked, "OK")
    assert answer["route"]["resource"] == "default/node/edge-1"


async def test_statuses_are_answered_with_growing_versions(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    versions = []
    for word in ("one", "two", "three"):
        status = {"conditions": [{"type": "Ready", "status": "False", "message": word}]}
        answer = await edge.ask("update", "default/nodestatus/edge-1", {"Status": status})
        versions.append(int(answer["header"]["resourceversion"]))
    assert versions == sorted(set(versions))


async def test_any_path_is_accepted_and_nothing_is_negotiated(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub, path="/")
    response = edge.connection.response
    assert "Sec-WebSocket-Extensions" not in response.headers
    assert "Sec-WebSocket-Protocol" not in response.headers
    assert response.headers["Server"].startswith("cloudhub-stub/")


async def test_an_origin_is_not_looked_at(stub: Stub) -> None:
    headers = {"Node_id": "n", "ConnectionUse": "msg", "Origin": "http://elsewhere.test"}
    async with connect(stub.server.url, additional_headers=headers, proxy=None):
        assert stub.hub.find("n") is not None


@pytest.mark.parametrize(
    ("headers", "text"),
    [({"ConnectionUse": "msg"}, "Node_id is missing"), ({"Node_id": "n"}, "ConnectionUse must be msg: it is missing")],
)
async def test_a_missing_header_is_answered_with_400_and_its_name(
    stub: Stub, headers: dict[str, str], text: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(stub.server.url, additional_headers=headers, proxy=None)
    response = refusal.value.response
    assert response.status_code == 400
    assert text in (response.body or b"").decode()
    assert sum(stub.metrics.bad_input_counts.values()) == 1


async def test_a_browser_is_told_that_this_is_a_websocket(stub: Stub) -> None:
    answer = await raw_exchange(stub, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ends=False)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert stub.metrics.bad_input_counts == {("cloudhub", "no_upgrade"): 1}


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"\x00" * 10_000])
async def test_what_is_not_http_is_counted_and_survived(stub: Stub, make_edge: Any, turns: Any, data: bytes) -> None:
    await raw_exchange(stub, data, ends=True)
    await turns(lambda: bool(stub.metrics.bad_input_counts))
    assert stub.metrics.bad_input_counts == {("cloudhub", "no_http"): 1}
    await make_edge(stub)


async def test_a_binary_frame_is_read_like_a_text_frame(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await edge.connection.send(edge.text("m", "insert", "default/nodestatus/edge-1", {}).encode())
    assert (await edge.receive())["header"]["parent_msg_id"] == "m"


async def test_a_fragmented_message_is_put_together(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    text = edge.text("m", "insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"é": "x" * 9000}}})
    parts = [text[start : start + 4096] for start in range(0, len(text), 4096)]
    await edge.connection.send(parts)
    assert (await edge.receive())["content"] == "OK"
    assert registered_node(stub)["metadata"]["labels"] == {"é": "x" * 9000}


async def test_a_message_in_more_fragments_than_the_library_joins_is_put_together(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await edge.connection.send(list(edge.text("m", "insert", "default/nodestatus/edge-1", {"x": "y" * 5000})))
    assert (await edge.receive())["content"] == "OK"


async def test_fragments_without_end_end_their_connection_alone(
    make_stub: Any, make_edge: Any, turns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "MOST_FRAGMENTS", 5000)
    stub = await make_stub()
    edge, other = await make_edge(stub), await make_edge(stub, "edge-2")
    begin, more = (Frame(code, b"", fin=False).serialize(mask=True) for code in (Opcode.TEXT, Opcode.CONT))
    edge.connection.transport.write(begin + more * 5000)
    await turns(lambda: ("cloudhub", "too_many_fragments") in stub.metrics.bad_input_counts)
    await turns(lambda: stub.hub.find("edge-1") is None)
    await other.ask("insert", "default/nodestatus/edge-2", {})


async def test_a_node_that_asks_for_pongs_and_reads_none_is_cut(
    make_stub: Any, make_edge: Any, turns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_file, "SPARE_BYTES", 10_000)
    stub = await make_stub(max_message_bytes=2000)
    edge, other = await make_edge(stub), await make_edge(stub, "edge-2")
    edge.connection.transport.pause_reading()
    edge.connection.transport.write(Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 60_000)
    await turns(lambda: ("cloudhub", "slow_reader") in stub.metrics.bad_input_counts)
    edge.connection.transport.abort()
    await other.ask("insert", "default/nodestatus/edge-2", {})


async def test_connections_beyond_the_limit_are_counted_and_those_that_are_there_go_on(
    stub: Stub, make_edge: Any, turns: Any
) -> None:
    stub.server._connections_limit = 3
    await stub.server.stop()
    await stub.server.start()
    edge = await make_edge(stub)
    where = urlsplit(stub.server.url)
    silent = [await asyncio.open_connection(where.hostname, where.port) for _ in range(4)]
    await turns(lambda: stub.metrics.bad_input_counts.get(("cloudhub", "too_many_connections")) == 2)
    await edge.ask("insert", "default/nodestatus/edge-1", {})
    for _, writer in silent:
        writer.transport.abort()


async def test_a_large_message_travels_both_ways_in_one_frame(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await edge.ask("insert", "default/nodestatus/edge-1", {"metadata": {"annotations": {"big": "y" * 200_000}}})
    await edge.send("query", "default/node/edge-1")
    frames = [fragment async for fragment in edge.connection.recv_streaming()]
    assert len(frames) == 1
    assert json.loads(frames[0])["content"]["metadata"]["annotations"]["big"] == "y" * 200_000


@pytest.mark.parametrize("data", ["{", b"\xff\xfe", "[]", ""])
async def test_a_malformed_message_is_counted_and_the_connection_lives(
    stub: Stub, make_edge: Any, data: str | bytes
) -> None:
    edge = await make_edge(stub)
    await edge.connection.send(data)
    await edge.ask("insert", "default/nodestatus/edge-1", {})
    assert stub.cloud.nodes.known()[0].counters.malformed == 1


async def test_text_that_is_not_utf8_is_malformed_and_not_the_end(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await edge.connection.send(b"\xff", text=True)
    await edge.ask("insert", "default/nodestatus/edge-1", {})
    assert stub.metrics.bad_input_counts == {("cloudhub", "not_utf8"): 1}


async def test_a_message_beyond_the_limit_ends_its_connection_alone(make_stub: Any, make_edge: Any, turns: Any) -> None:
    stub = await make_stub(max_message_bytes=2000)
    edge, other = await make_edge(stub), await make_edge(stub, "edge-2")
    await edge.connection.send("x" * 3000)
    with pytest.raises(ConnectionClosed) as closed:
        await edge.connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await turns(lambda: ("cloudhub", "message_too_big") in stub.metrics.bad_input_counts)
    await other.ask("insert", "default/nodestatus/edge-2", {})


async def test_a_frame_against_the_protocol_is_counted(stub: Stub, make_edge: Any, turns: Any) -> None:
    edge = await make_edge(stub)
    unmasked = Frame(Opcode.TEXT, b"{}").serialize(mask=False)
    edge.connection.transport.write(unmasked)
    await turns(lambda: ("cloudhub", "protocol_error") in stub.metrics.bad_input_counts)
    assert stub.hub.find("edge-1") is None


async def test_a_ping_gets_its_pong(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await (await edge.connection.ping(b"ping you"))


async def test_control_operations_are_answered_with_ack(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    assert (await edge.ask("ping", "x", "ping"))["content"] == "ack"


async def test_a_node_that_sends_no_keepalive_is_dropped(
    stub: Stub, make_edge: Any, vclock: VirtualClock, turns: Any
) -> None:
    edge = await make_edge(stub)
    await edge.ask("insert", "default/nodestatus/edge-1", {})
    await vclock.advance(30)
    with pytest.raises(ConnectionClosed):
        await _take_proofs(edge)
    assert (edge.connection.close_code, edge.connection.close_reason) == (1008, "keepalive_timeout")
    await turns(lambda: stub.hub.find("edge-1") is None)


async def _take_proofs(edge: Any) -> None:
    """Take what asks whether answers were read, as long as it comes."""
    while True:
        assert (await edge.receive())["route"]["operation"] == "ping"


async def test_a_node_with_keepalives_stays(stub: Stub, make_edge: Any, vclock: VirtualClock, turns: Any) -> None:
    edge = await make_edge(stub)
    node = stub.cloud.nodes.known()[0]
    for number in range(1, 5):
        await edge.send("keepalive", "node", "ping", source="websocket", group="resource")
        await turns(lambda number=number: node.counters.keepalives == number)
        await vclock.advance(29)
    await edge.ask("update", "default/nodestatus/edge-1", {"Status": {}})


async def test_a_new_connection_of_a_node_replaces_the_old_one(stub: Stub, make_edge: Any) -> None:
    old = await make_edge(stub)
    await old.ask("insert", "default/nodestatus/edge-1", {})
    new = await make_edge(stub)
    with pytest.raises(ConnectionClosed) as closed:
        await old.connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "replaced"
    await new.ask("update", "default/nodestatus/edge-1", {"Status": {"phase": "Running"}})
    (node,) = stub.cloud.nodes.known()
    assert node.counters.connections == 2
    assert registered_node(stub)["status"] == {"phase": "Running"}
    assert node.session is not None


async def test_a_node_that_drops_the_connection_is_gone_at_once(stub: Stub, make_edge: Any, turns: Any) -> None:
    edge = await make_edge(stub)
    edge.connection.transport.abort()
    await turns(lambda: stub.hub.find("edge-1") is None)
    await make_edge(stub)


async def test_stopping_says_goodbye_and_is_not_held_up_by_silent_clients(
    stub: Stub, make_edge: Any, turns: Any
) -> None:
    edge = await make_edge(stub)
    where = urlsplit(stub.server.url)
    silent_reader, silent_writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        await turns(lambda: len(stub.server._connections) == 2)
        await asyncio.gather(stub.stop(), edge.connection.wait_closed())
        assert edge.connection.close_code == 1001
        assert await asyncio.gather(silent_reader.read(), return_exceptions=True)
        await stub.stop()
    finally:
        silent_writer.close()
        await asyncio.gather(silent_writer.wait_closed(), return_exceptions=True)


async def test_a_port_in_use_is_named_with_a_way_out(stub: Stub, make_stub: Any, tmp_path: Any) -> None:
    taken = stub.server.url.removeprefix("ws://")
    with pytest.raises(ListenError, match=rf"cannot listen on {taken}: another program listens there") as refusal:
        await make_stub(listen=taken, state_dir=tmp_path / "second")
    assert refusal.value.reason == "in_use"


async def test_an_address_of_another_machine_cannot_be_listened_on(make_stub: Any) -> None:
    with pytest.raises(ListenError) as refusal:
        await make_stub(listen="192.0.2.1:0")
    assert refusal.value.reason == "no_such_address"


@pytest.fixture
async def impatient_client(stub: Stub) -> AsyncIterator[asyncio.StreamWriter]:
    """A client that resets its connection instead of closing it."""
    where = urlsplit(stub.server.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    yield writer
    writer.transport.abort()


async def test_a_reset_during_the_upgrade_is_survived(
    stub: Stub, impatient_client: asyncio.StreamWriter, make_edge: Any, turns: Any
) -> None:
    socket = impatient_client.get_extra_info("socket")
    socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: close with RST
    impatient_client.write(b"GET / HTTP/1.1\r\nHost:")
    await impatient_client.drain()
    impatient_client.transport.abort()
    await turns(lambda: bool(stub.metrics.bad_input_counts))
    await make_edge(stub)


async def test_a_stub_confirms_reports_and_tells_devices_where_it_is_told_to(make_stub: Any, make_edge: Any) -> None:
    stub = await make_stub(confirm_reports=True, tell_devices=True)
    stub.cloud.plane.registry.put(device("led", node="edge-1", uid="u", desired={"power": "ON"}))
    edge = await make_edge(stub)
    twin = {"source": "twin", "group": "resource"}
    asked = [
        await edge.send("get", "membership/detail", "{}", **twin),
        await edge.send("update", "device/led/state", '{"device": {"state": "online"}}', **twin),
    ]
    answers: dict[str, Any] = {}
    while len(answers) < 2:
        document = await edge.receive()
        if document["header"]["parent_msg_id"] in asked:
            answers[document["route"]["resource"]] = document["content"]
    assert answers["twin"] == "OK"
    assert [each["id"] for each in answers["membership/detail"]["devices"]] == ["led"]
