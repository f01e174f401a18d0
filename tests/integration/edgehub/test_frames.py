"""What goes over the wire: keepalives, every key, text frames; and whatever comes back, the link is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive import frame
from edgecore.beehive.message import Route, content_value
from edgecore.store import outbox

Document = Callable[..., dict[str, Any]]
KEYS = ["msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"]
ROUTE = ["source", "group", "operation", "resource"]


# Keepalives.


async def test_the_first_frame_is_a_keepalive(linked: Any) -> None:
    document = await (await linked.session()).any_frame()
    assert document["route"] == {
        "source": "websocket",
        "group": "resource",
        "operation": "keepalive",
        "resource": "node",
    }
    assert document["content"] == "ping"


async def test_a_keepalive_leaves_at_once_and_at_every_heartbeat(linked: Any) -> None:
    session = await linked.session()
    sent_at = [(await session.any_frame())["header"]["timestamp"]]
    for _ in range(3):
        await linked.clock.advance(14.999)
        await linked.clock.advance(0.001)
        sent_at.append((await session.any_frame())["header"]["timestamp"])
    assert [at - sent_at[0] for at in sent_at] == [0, 15_000, 30_000, 45_000]


async def test_keepalives_have_ids_of_their_own(linked: Any) -> None:
    session = await linked.session()
    await linked.clock.advance(30)
    assert len({(await session.any_frame())["header"]["msg_id"] for _ in range(3)}) == 3


# Frames to the cloud.


async def test_a_message_is_one_text_frame_with_every_key_and_a_newline(linked: Any) -> None:
    session = await linked.session()
    await session.frames.get()
    message = await linked.post("default/nodestatus/n", {"UID": "<u>"})
    frame = await session.frames.get()
    assert isinstance(frame, str)
    assert frame.endswith("}\n")
    assert "\\u003cu\\u003e" in frame
    document = json.loads(frame)
    assert list(document) == ["header", "route", "content"]
    assert list(document["header"]) == KEYS
    assert list(document["route"]) == ROUTE
    assert document["header"]["msg_id"] == message.header.id
    assert document["content"] == {"UID": "<u>"}


async def test_a_large_message_is_one_frame_too(linked: Any) -> None:
    """Go writes fragments of 4,096 bytes."""
    session = await linked.session()
    await linked.post("default/podstatus", ["x" * 100_000])
    assert (await session.frame())["content"] == ["x" * 100_000]
    assert session.fragments == [1, 1]


async def test_sync_is_never_true_on_the_wire(linked: Any, document: Document) -> None:
    session = await linked.session()
    asking = linked.ask("default/nodestatus/n")
    request = await session.frame()
    assert request["header"]["sync"] is False
    await session.send(document("response", "default/node/n", "OK", parent_msg_id=request["header"]["msg_id"]))
    await asking


async def test_content_that_is_no_json_costs_its_message_only(linked: Any) -> None:
    session = await linked.session()
    await linked.post("default/pod/x", object())
    await linked.post("default/pod/y", {})
    assert (await session.frame())["route"]["resource"] == "default/pod/y"
    assert linked.counted() == {"not_json": 1}


async def test_a_message_over_the_limit_is_not_sent(link: Any) -> None:
    linked = await link(max_message_bytes=1000)
    session = await linked.session()
    await linked.post("default/pod/x", "x" * 1000)
    await linked.post("default/pod/y", "y" * 100)
    assert (await session.frame())["route"]["resource"] == "default/pod/y"
    assert linked.counted() == {"too_large_to_send": 1}


async def test_a_message_that_can_never_be_sent_leaves_no_row(link: Any, until: Any) -> None:
    """MetaManager wrote it; each process to come would refuse it anew."""
    linked = await link(max_message_bytes=1000)
    message = linked.edged.build(Route("edged", "meta", "delete", "default/pod/x"), "x" * 1000)
    await linked.store.write(outbox.keep(message))
    await linked.edged.send("websocket", message)
    await until(lambda: not outbox.kept(linked.store))


# Frames from the cloud.


async def test_a_text_frame_without_a_newline_is_received(linked: Any, document: Document) -> None:
    session = await linked.session()
    await session.send(document(content={"é": "<&>"}))
    message = await linked.meta.receive()
    assert content_value(message) == {"é": "<&>"}


async def test_a_binary_frame_is_received(linked: Any, document: Document) -> None:
    session = await linked.session()
    await session.send(json.dumps(document()).encode())
    assert (await linked.meta.receive()).header.id == "c-1"


@pytest.mark.parametrize("size", [1, 4082])
async def test_a_fragmented_frame_is_joined(linked: Any, document: Document, size: int) -> None:
    session = await linked.session()
    text = json.dumps(document(content="é" * 3000), ensure_ascii=False)
    await session.send([text[start : start + size] for start in range(0, len(text), size)])
    assert content_value(await linked.meta.receive()) == "é" * 3000


async def test_a_frame_in_more_fragments_than_the_library_joins_is_received(linked: Any, document: Document) -> None:
    """A cloudcore sends 4,082 bytes in each: 4,096 of them, where ``websockets`` gives up, are 16.7 MB."""
    session = await linked.session()
    text = json.dumps(document(content="x" * 5000))
    await session.send(list(text))
    assert content_value(await linked.meta.receive()) == "x" * 5000


async def test_a_frame_of_the_greatest_size_is_received(linked: Any, document: Document) -> None:
    session = await linked.session()
    frame = json.dumps(document(content="x"))
    frame = frame.replace('"x"', '"' + "x" * (1_000_000 - len(frame) + 1) + '"')
    assert len(frame) == 1_000_000
    await session.send(frame)
    assert (await linked.meta.receive()).header.id == "c-1"


async def test_keys_that_are_left_out_are_empty_and_not_those_of_the_frame_before(
    linked: Any, document: Document
) -> None:
    """Go decodes every frame into one struct, so that a key that is absent keeps its last value (bug T1)."""
    session = await linked.session()
    await session.send(document(parent_msg_id="p", resourceversion="7"))
    await session.send('{"header":{"msg_id":"c-2"},"route":{"group":"resource"}}')
    await linked.meta.receive()
    second = await linked.meta.receive()
    assert (second.header.parent_id, second.header.resource_version, second.route.operation) == ("", "", "")
    assert second.content is None


BAD_FRAMES = [
    ("malformed_json", "{"),
    ("malformed_json", ""),
    ("malformed_json", "no JSON at all"),
    ("malformed_json", b"\x00\x01\x02"),
    ("not_utf8", b'{"content":"\xff"}'),
    ("wrong_shape", "[]"),
    ("wrong_shape", '"text"'),
    ("wrong_shape", '{"header":[]}'),
    ("wrong_shape", '{"header":{"msg_id":7}}'),
    ("too_deep", '{"content":' + "[" * 600 + "]" * 600 + "}"),
]


@pytest.mark.parametrize(("reason", "frame"), BAD_FRAMES)
async def test_a_bad_frame_is_counted_logged_once_and_the_link_is_kept(
    linked: Any,
    document: Document,
    reason: str,
    frame: str | bytes,
) -> None:
    """Go drops the connection, and is back after 33 s."""
    session = await linked.session()
    with capture_logs() as logs:
        await session.send(frame)
        await session.send(document())
        assert (await linked.meta.receive()).header.id == "c-1"
    assert linked.counted() == {reason: 1}
    (entry,) = [entry for entry in logs if entry["event"] == "bad_input"]
    assert (entry["peer"], entry["reason"]) == ("cloud", reason)
    assert not session.ended.is_set()


async def test_invalid_utf8_in_a_text_frame_keeps_the_link(linked: Any, document: Document) -> None:
    session = await linked.session()
    await session.websocket.send(b'{"content":"\xff"}', text=True)
    await session.send(document())
    assert (await linked.meta.receive()).header.id == "c-1"
    assert linked.counted() == {"not_utf8": 1}


async def test_a_frame_over_the_limit_ends_the_session_and_is_counted(linked: Any) -> None:
    session = await linked.session()
    await session.send("x" * 1_000_001)
    await linked.lost()
    await session.ended.wait()
    assert session.websocket.close_code == 1009
    assert linked.counted() == {"frame_too_large": 1}
    assert "1009" in linked.hub.status()["error"]
    await linked.clock.advance(1)
    await linked.session()


async def test_fragments_over_the_limit_end_the_session_and_are_counted(linked: Any) -> None:
    session = await linked.session()
    await session.send(["x" * 300_000] * 4)
    await linked.lost()
    assert linked.counted() == {"frame_too_large": 1}


async def test_fragments_without_end_end_the_session_and_are_counted(
    linked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "MOST_FRAGMENTS", 5000)
    session = await linked.session()
    session.websocket.transport.write(b"\x01\x00" + b"\x00\x00" * 5000)
    await linked.lost()
    assert linked.counted() == {"too_many_fragments": 1}


async def test_a_cloud_that_asks_for_pongs_and_reads_none_is_left(linked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await linked.session()
    session.websocket.transport.pause_reading()
    for _ in range(200):
        session.websocket.transport.write((b"\x89\x7d" + b"x" * 125) * 500)
    await linked.lost()
    session.vanish()


async def test_bytes_that_are_no_websocket_end_the_session_and_are_counted(linked: Any) -> None:
    session = await linked.session()
    session.websocket.transport.write(b"\xff" * 100)
    await linked.lost()
    assert linked.counted() == {"protocol_error": 1}
