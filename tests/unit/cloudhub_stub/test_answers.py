"""What the requests of an edge get."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.answers import FAULTS, Answer, Reply, answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.nodes import Node, PodNote
from cloudhub_stub.objects import Objects
from cloudhub_stub.upgrade import Upgrade
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import EdgeResource
from edgecore.beehive.wire import decode, encode
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

EXAMPLES = Path(__file__).parents[3] / "examples" / "recordings"

READY = {"Status": {"conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}}


@pytest.fixture
def node(cloud: Cloud) -> Node:
    return cloud.nodes.connect(Upgrade("edge-1", "p"))[0]


@pytest.fixture
def ask(message: Any, node: Node, cloud: Cloud) -> Any:
    def ask_(*parts: Any, **header: str) -> Answer:
        return answer(message(*parts, **header), node, cloud.objects, 777)

    return ask_


def test_a_registration_gets_ok_on_the_node_without_a_version(ask: Any, node: Node) -> None:
    got = ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}, "status": {"x": 1}})
    assert got == Answer("node_registered", Reply("OK", "default/node/edge-1", ""))
    assert node.registered
    assert node.object["metadata"]["labels"] == {"a": "b"}
    assert node.object["metadata"]["name"] == "edge-1"


def test_a_second_registration_gets_ok_and_changes_nothing(ask: Any, node: Node) -> None:
    ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}})
    got = ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "c"}}})
    assert got.reply.content == "OK"
    assert node.object["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize("content", ["text", 5, [], {"metadata": "text"}, {"spec": []}])
def test_a_registration_without_a_node_is_refused_with_the_empty_text(ask: Any, node: Node, content: Any) -> None:
    assert ask("insert", "default/nodestatus/edge-1", content) == Answer(
        "bad_content", Reply("", "default/node/edge-1")
    )
    assert not node.registered


def test_each_status_gets_ok_with_a_higher_version(ask: Any, node: Node) -> None:
    versions = []
    for _ in range(3):
        got = ask("update", "default/nodestatus/edge-1", READY)
        assert (got.outcome, got.reply.content, got.reply.resource) == (
            "node_status_taken",
            "OK",
            "default/node/edge-1",
        )
        versions.append(int(got.reply.resource_version))
    assert versions == sorted(set(versions))
    assert node.status_at_ms == 777


@pytest.mark.parametrize(
    ("content", "ready"),
    [
        (READY, True),
        ({"Status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"Status": {"conditions": "none"}}, False),
        ({"Status": {"conditions": [5]}}, False),
        ({"Status": None}, False),
        (None, False),
    ],
)
def test_ready_is_what_the_last_status_says(ask: Any, node: Node, content: Any, ready: bool) -> None:
    ask("update", "default/nodestatus/edge-1", READY)
    ask("update", "default/nodestatus/edge-1", content)
    assert node.ready is ready


def test_a_status_that_is_no_object_meets_silence(ask: Any, node: Node) -> None:
    assert ask("update", "default/nodestatus/edge-1", "well") == Answer("bad_content")
    assert node.status_at_ms is None


def test_a_node_query_gets_what_was_registered_and_posted(ask: Any) -> None:
    ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}, "spec": {"taints": []}})
    version = ask("update", "default/nodestatus/edge-1", READY).reply.resource_version
    reply = ask("query", "default/node/edge-1").reply
    assert reply.resource == "default/node/edge-1"
    assert (reply.resource_version, reply.due_ack) == (version, False)
    assert reply.content["metadata"]["labels"] == {"a": "b"}
    assert reply.content["metadata"]["resourceVersion"] == version
    assert reply.content["status"] == READY["Status"]


def test_a_node_query_before_any_status_meets_silence(ask: Any) -> None:
    assert ask("query", "default/node/edge-1") == Answer("query_not_held")


def test_a_node_update_merges_annotations_alone(ask: Any, node: Node) -> None:
    ask(
        "insert", "default/nodestatus/edge-1", {"metadata": {"annotations": {"a": "1", "b": "1"}, "labels": {"x": "y"}}}
    )
    got = ask("update", "default/node/edge-1", {"metadata": {"annotations": {"b": "2"}, "labels": {}}})
    assert got.outcome == "node_annotated"
    assert node.object["metadata"]["annotations"] == {"a": "1", "b": "2"}
    assert node.object["metadata"]["labels"] == {"x": "y"}


@pytest.mark.parametrize("resource", ["default/nodestatus/edge-2", "default/node/edge-2", "default/nodestatus"])
def test_a_node_speaks_for_itself_alone(ask: Any, resource: str) -> None:
    assert ask("update", resource, READY) == Answer("other_node")


@pytest.mark.parametrize("kind", ["configmap", "secret", "service", "endpoints", "persistentvolumeclaim"])
def test_a_query_gets_the_object_that_was_sent(ask: Any, cloud: Cloud, message: Any, kind: str) -> None:
    cloud.objects.note_sent(message("update", f"default/{kind}/a", {"data": {"k": "v"}}, version="311"))
    got = ask("query", f"default/{kind}/a")
    content = msgspec.Raw(b'{"data":{"k":"v"}}')
    assert got == Answer("query_answered", Reply(content, f"default/{kind}/a", "311", due_ack=True))


@pytest.mark.parametrize("kind", ["configmap", "secret", "service"])
def test_a_query_for_what_was_not_sent_meets_silence(ask: Any, kind: str) -> None:
    assert ask("query", f"default/{kind}/a") == Answer("query_not_held")


@pytest.mark.parametrize("resource", ["default/pod/p", "default/pod", "default/podlist/web", "default/configmap"])
def test_pods_and_lists_cannot_be_asked_for(ask: Any, cloud: Cloud, message: Any, resource: str) -> None:
    cloud.objects.note_sent(message("insert", "default/pod/p", {}))
    assert ask("query", resource) == Answer("not_answered")


def test_a_pod_status_is_noted_in_silence(ask: Any, node: Node) -> None:
    got = ask("update", "default/podstatus/p", {"UID": "u1", "Name": "p", "Status": {"phase": "Running"}})
    assert got == Answer("pod_status_noted")
    assert node.pods == {EdgeResource("default", "pod", "p"): PodNote("u1", "Running")}


def test_the_summary_of_pod_statuses_is_noted_pod_by_pod(ask: Any, node: Node) -> None:
    summary = [{"Name": "p", "UID": "1", "Status": {"phase": "Failed"}}, {"Name": "q", "Status": {}}]
    assert ask("update", "kube-system/podstatus", summary) == Answer("pod_status_noted")
    assert {str(pod): note.phase for pod, note in node.pods.items()} == {
        "kube-system/pod/p": "Failed",
        "kube-system/pod/q": "",
    }


@pytest.mark.parametrize("content", [{}, "text", [5], [{"Name": "n" * 300}], [{}], [{"Name": "p", "Status": 1}]])
def test_a_summary_of_another_shape_is_bad(ask: Any, content: Any) -> None:
    assert ask("update", "default/podstatus", content) == Answer("bad_content")


def test_a_pod_that_the_edge_deleted_is_forgotten(ask: Any, node: Node) -> None:
    ask("update", "default/podstatus/p", {"Status": {"phase": "Running"}})
    assert ask("delete", "default/pod/p", "u1") == Answer("pod_delete_noted")
    assert node.pods == {}


@pytest.mark.parametrize("resource", ["membership/detail", "device/led/twin/edge_updated", "device/led/state"])
def test_twins_meet_silence(ask: Any, resource: str) -> None:
    assert ask("get", resource, "{}", source="twin", group="resource") == Answer("device_not_answered")


@pytest.mark.parametrize("resource", ["", "8080:health", "default/nodestatus/edge-1"])
def test_messages_for_users_meet_silence_whatever_their_resource(ask: Any, resource: str) -> None:
    assert ask("insert", resource, {}, source="servicebus", group="user") == Answer("user_message_not_answered")


@pytest.mark.parametrize("resource", ["", "x", "a/b/c/d"])
def test_a_resource_that_is_none_is_bad(ask: Any, resource: str) -> None:
    assert ask("query", resource) == Answer("bad_resource")


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("error", "namespace/servicelist/service"), ("insert", "default/unknown/x"), ("delete", "default/node/edge-1")],
)
def test_everything_else_meets_silence(ask: Any, operation: str, resource: str) -> None:
    assert ask(operation, resource, {}) == Answer("not_answered")


def test_the_recorded_edge_is_answered_where_the_recorded_cloud_answered(cloud: Cloud) -> None:
    """Ids, times and versions aside: the same requests get an answer, on the same resource, with the same content."""
    node, _ = cloud.nodes.connect(Upgrade("edge-node1", ""))
    recorded, answered = {}, {}
    for name in ("b_services_endpoints_pods.jsonl", "b2_deletes.jsonl"):
        for entry in read_entries(EXAMPLES / name):
            if not isinstance(entry, CloudFrame):
                continue
            message = decode(entry.text)
            if entry.direction is Direction.TO_EDGE:
                if message.header.parent_id:
                    recorded[message.header.parent_id] = (
                        message.route.resource,
                        json.loads(encode(message))["content"],
                    )
            elif message.route.operation not in {"keepalive", "response"}:
                reply = answer(message, node, cloud.objects, 0).reply
                if reply is not None:
                    answered[message.header.id] = (reply.resource, reply.content)
    # The last status of the first recording was posted as the connection ended.
    assert {asked: answered[asked] for asked in recorded} == recorded
    assert len(set(answered) - set(recorded)) <= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "Status", "status", "Name", "conditions", "annotations", "spec"]), inner
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["insert", "update", "query", "delete", "get", ""]),
    st.sampled_from(["edged", "twin", ""]),
    st.sampled_from(["default/nodestatus/n", "default/node/n", "default/podstatus", "default/podstatus/p", "d/pod/p"])
    | st.text(alphabet="a/\x00é", max_size=8),
    JSON,
)
def test_no_request_raises_and_every_answer_can_be_sent(
    operation: str, source: str, resource: str, content: Any
) -> None:
    node, objects = Node("n", "u", 0), Objects()
    request = decode(encode(Message(Header("m"), Route(source, "meta", operation, resource), content)))
    got = answer(request, node, objects, 0)
    assert got.outcome
    if got.reply is not None:
        encode(Message(content=got.reply.content))
        assert got.outcome not in FAULTS or got.reply.content == ""
