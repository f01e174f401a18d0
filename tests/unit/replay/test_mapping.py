"""Names and addresses that are others in a replay."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.edged.nodestatus import NodeIdentity
from edgecore.recording.entries import CloudFrame, Direction, Http, MqttDirection, MqttMessage, SessionHead, Snapshot
from edgecore.replay.mapping import Mapper, parse_mapping


def mapped(document: object, *texts: str) -> object:
    entry = CloudFrame(1, 0, Direction.TO_EDGE, 1, json.dumps(document) + "\n")
    changed = Mapper(parse_mapping(texts), "edge-1").entry(entry)
    assert isinstance(changed, CloudFrame)
    assert changed.text.endswith("\n")
    return json.loads(changed.text)


def test_the_node_has_another_name_wherever_it_is_named() -> None:
    found = mapped({"route": {"resource": "default/nodestatus/edge-1"}, "spec": {"nodeName": "edge-1"}}, "node=n9")
    assert found == {"route": {"resource": "default/nodestatus/n9"}, "spec": {"nodeName": "n9"}}


def test_a_longer_name_is_another_one() -> None:
    document = {"a": "edge-12", "b": "my-edge-1", "c": "edge-1-x"}
    assert mapped(document, "node=n9") == document


def test_a_namespace_changes_where_it_is_one() -> None:
    document = {
        "route": {"resource": "default/service/default"},
        "metadata": {"namespace": "default", "name": "default"},
        "selfLink": "/api/v1/namespaces/default/services/default",
    }
    assert mapped(document, "namespace=default:shop") == {
        "route": {"resource": "shop/service/default"},
        "metadata": {"namespace": "shop", "name": "default"},
        "selfLink": "/api/v1/namespaces/shop/services/default",
    }


def test_what_is_about_the_node_keeps_its_namespace() -> None:
    document = {"route": {"resource": "default/node/edge-1"}, "content": {"namespace": "default"}}
    assert mapped(document, "namespace=shop", "node=n9") == {
        "route": {"resource": "default/node/n9"},
        "content": {"namespace": "default"},
    }


def test_addresses_change_alone_and_with_a_port() -> None:
    document = {"a": "10.0.0.1", "b": "10.0.0.1:80", "c": "10.0.0.11", "d": "110.0.0.1", "e": "10.0.0.1.5"}
    found = mapped(document, "10.0.0.1=10.9.9.9")
    assert found == {**document, "a": "10.9.9.9", "b": "10.9.9.9:80"}


def test_topics_payloads_and_heads_change_too() -> None:
    mapper = Mapper(parse_mapping(("node=n9",)), "edge-1")
    message = mapper.entry(MqttMessage(1, 0, MqttDirection.IN, "external", "$hw/node/edge-1/x", b"to edge-1 \xff"))
    assert isinstance(message, MqttMessage)
    assert (message.topic, message.payload) == ("$hw/node/n9/x", b"to n9 \xff")
    head = mapper.entry(SessionHead(1, 0, 2, node="edge-1"))
    assert isinstance(head, SessionHead)
    assert head.node == "n9"
    request = mapper.entry(Http(1, 0, Direction.TO_CLOUD, 1, "GET / HTTP/1.1\r\nNode_id: edge-1\r\n", b""))
    assert isinstance(request, Http)
    assert request.head == "GET / HTTP/1.1\r\nNode_id: n9\r\n"


def test_what_a_node_knew_has_other_names_too() -> None:
    state = {
        "rows": [
            {"key": "default/service/web", "type": "service", "value": {"metadata": {"namespace": "default"}}},
            {"key": "default/listener/default.web", "type": "listener", "value": "127.251.0.1"},
            {"key": "default/nodestatus/edge-1", "type": "nodestatus", "value": {"UID": uid("edge-1")}},
        ],
        "services": [{"namespace": "default", "name": "web", "ports": [{"backends": [{"endpoint": "10.0.0.1:80"}]}]}],
        "dns": {"web.default": {"rule": "service", "answer": ["web.default. 64 A 127.251.0.1"]}, "1": {"error": "x"}},
        "devices": [],
    }
    texts = parse_mapping(("node=n9,namespace=shop,10.0.0.1=10.9.9.9",))
    found = Mapper(texts, "edge-1").entry(Snapshot(1, 0, state))
    assert isinstance(found, Snapshot)
    assert found.state == {
        "rows": [
            {"key": "shop/service/web", "type": "service", "value": {"metadata": {"namespace": "shop"}}},
            {"key": "default/listener/shop.web", "type": "listener", "value": "127.251.0.1"},
            {"key": "default/nodestatus/n9", "type": "nodestatus", "value": {"UID": uid("n9")}},
        ],
        "services": [{"namespace": "shop", "name": "web", "ports": [{"backends": [{"endpoint": "10.9.9.9:80"}]}]}],
        "dns": {"web.shop": {"rule": "service", "answer": ["web.shop. 64 A 127.251.0.1"]}, "1": {"error": "x"}},
        "devices": [],
    }


def uid(node: str) -> str:
    return NodeIdentity(node, "default", "", "").uid


def test_a_frame_that_is_no_json_stays() -> None:
    entry = CloudFrame(1, 0, Direction.TO_EDGE, 1, "edge-1 {")
    assert Mapper(parse_mapping(("node=n9",)), "edge-1").entry(entry) == entry


@pytest.mark.parametrize("text", ["node", "node=", "=x", "colour=red", "node=a,b"])
def test_what_cannot_be_mapped_is_named(text: str) -> None:
    with pytest.raises(ContentError, match="cannot map"):
        parse_mapping((text,))


@given(st.text(max_size=30))
def test_without_a_mapping_no_text_changes(text: str) -> None:
    assert mapped({"a": text}) == {"a": text}
