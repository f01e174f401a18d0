"""Every recorded frame of the real programs: decoded, written again with all keys, and read alike in both ways."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import content_value
from edgecore.beehive.wire import _decode_as_go, decode, encode
from edgecore.recording.entries import CloudFrame
from edgecore.recording.reader import read_entries

ROOT = Path(__file__).parents[3]
RECORDINGS = [
    ROOT / "tests/data/a_connect_first_sync.jsonl",
    ROOT / "examples/recordings/b_services_endpoints_pods.jsonl",
    ROOT / "examples/recordings/b2_deletes.jsonl",
    ROOT / "tests/data/b3_service_endpoints_delete.jsonl",
    ROOT / "tests/data/c_configmap_secret_pod.jsonl",
    ROOT / "tests/data/d_devices_twins.jsonl",
    ROOT / "tests/data/e0_both_restarted_with_existing_objects.jsonl",
    ROOT / "tests/data/e_disconnect_reconnect_resync.jsonl",
    ROOT / "tests/data/samples.json",
]


def frames(path: Path) -> Iterator[str]:
    if path.suffix == ".json":
        for sample in json.loads(path.read_text()).values():
            yield sample["text"]
        return
    for entry in read_entries(path):
        if isinstance(entry, CloudFrame):
            yield entry.text


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> list[str]:
    texts = list(frames(request.param))
    assert len(texts) > 10
    return texts


def with_every_key(document: dict[str, Any]) -> dict[str, Any]:
    """Return what Go left out with ``omitempty`` as well."""
    header = {"msg_id": "", "parent_msg_id": "", "timestamp": 0, "resourceversion": "", "sync": False}
    route = {"source": "", "group": "", "operation": "", "resource": ""}
    return {"header": header | document["header"], "route": route | document["route"], "content": document["content"]}


def test_frame_is_written_as_an_equal_document_with_every_key(recorded: list[str]) -> None:
    for text in recorded:
        written = json.loads(encode(decode(text)))
        assert written == with_every_key(json.loads(text))
        assert list(written) == ["header", "route", "content"]
        assert list(written["header"]) == ["msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"]
        assert list(written["route"]) == ["source", "group", "operation", "resource"]


def test_content_passes_through_unchanged(recorded: list[str]) -> None:
    for text in recorded:
        content = text[text.index('"content":') :].rstrip("\n")
        assert encode(decode(text)).decode().endswith(content)


def test_content_stays_undecoded(recorded: list[str]) -> None:
    for text in recorded:
        content = decode(text).content
        assert content is None or isinstance(content, msgspec.Raw)


def test_frame_written_and_read_again_is_the_same_message(recorded: list[str]) -> None:
    for text in recorded:
        message = decode(text)
        assert decode(encode(message)) == message


def test_strict_way_and_go_way_read_the_same(recorded: list[str]) -> None:
    for text in recorded:
        strict, as_go = decode(text), _decode_as_go(text)
        assert (strict.header, strict.route) == (as_go.header, as_go.route)
        assert content_value(strict) == content_value(as_go) == json.loads(text)["content"]


def test_sync_is_never_on_the_wire(recorded: list[str]) -> None:
    assert not any(decode(text).header.sync for text in recorded)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            '{"header":{"msg_id":"","timestamp":0},"route":{},"content":null}',
            (
                '{"header":{"msg_id":"","parent_msg_id":"","timestamp":0,"resourceversion":"","sync":false},'
                '"route":{"source":"","group":"","operation":"","resource":""},"content":null}'
            ),
        ),
        (
            (
                '{"header":{"msg_id":"1015f218-74be-4b16-a99a-b560b35fd9c5","timestamp":1795168961927},'
                '"route":{"source":"edgehub","group":"meta","operation":"publish","resource":"node/connection"},'
                '"content":"cloud_connected"}'
            ),
            (
                '{"header":{"msg_id":"1015f218-74be-4b16-a99a-b560b35fd9c5","parent_msg_id":"","timestamp":1795168961927,'
                '"resourceversion":"","sync":false},'
                '"route":{"source":"edgehub","group":"meta","operation":"publish","resource":"node/connection"},'
                '"content":"cloud_connected"}'
            ),
        ),
        (
            (
                '{"header":{"msg_id":"4017ce1e-dd59-4eb9-b725-1a3eeee638ef","timestamp":1795168962997},"route":{"source":'
                '"metaManager","group":"resource","operation":"meta-internal-sync","resource":"podstatus"},"content":null}'
            ),
            (
                '{"header":{"msg_id":"4017ce1e-dd59-4eb9-b725-1a3eeee638ef","parent_msg_id":"","timestamp":1795168962997,'
                '"resourceversion":"","sync":false},"route":{"source":'
                '"metaManager","group":"resource","operation":"meta-internal-sync","resource":"podstatus"},"content":null}'
            ),
        ),
        (
            (
                '{"header":{"msg_id":"x","timestamp":1,"sync":true},"route":{"resource":"$hw/events/device/a"},'
                '"content":"\\u003ca\\u003e\\u0026\\u2028é"}'
            ),
            (
                '{"header":{"msg_id":"x","parent_msg_id":"","timestamp":1,"resourceversion":"","sync":true},'
                '"route":{"source":"","group":"","operation":"","resource":"$hw/events/device/a"},'
                '"content":"\\u003ca\\u003e\\u0026\\u2028é"}'
            ),
        ),
    ],
)
def test_text_of_go_is_written_again_with_the_keys_that_go_leaves_out(text: str, written: str) -> None:
    assert encode(decode(text)).decode() == written
