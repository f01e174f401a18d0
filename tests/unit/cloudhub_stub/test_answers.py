"""What the requests of an edge get."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudhub_stub.answers import FAULTS, Answer, Reply, answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.downstream.items import wire
from cloudhub_stub.nodes import Node
from cloudhub_stub.store.cluster import SyncedKey
from cloudhub_stub.upgrade import Upgrade
from cluster.devices import device
from cluster.objects import config, endpoints, pod, service
from cluster.objects import node as edge_node
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import decode, encode
from edgecore.clock import VirtualClock, settle
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

EXAMPLES = Path(__file__).parents[3] / "examples" / "recordings"

READY = {"Status": {"conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}}


async def test_a_registration_gets_ok_on_the_node_without_a_version(ask: Any, held: Any) -> None:
    got = ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}, "status": {"x": 1}})
    assert got == Answer("node_registered", Reply("OK", "default/node/edge-1", "", once_stored=True))
    metadata = held("Node", "edge-1")["metadata"]
    assert (metadata["name"], metadata["labels"]) == ("edge-1", {"a": "b"})
    assert {"uid", "resourceVersion", "creationTimestamp"} <= metadata.keys()


async def test_a_second_registration_gets_ok_and_changes_nothing(ask: Any, held: Any) -> None:
    ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}})
    first = held("Node", "edge-1")
    got = ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "c"}}})
    assert got.reply.content == "OK"
    assert held("Node", "edge-1") is first


async def test_a_registration_makes_everything_be_sent_once_more(ask: Any, cloud: Cloud, told: Any) -> None:
    cloud.plane.registry.put(edge_node("edge-1"))
    cloud.plane.registry.put(pod("p", "edge-1"))
    cloud.plane.kick()
    await told()
    key = SyncedKey("pod", "default", "p")
    cloud.plane.synced.has("edge-1", key, "uid-p", "2")
    for message_id in list(cloud.delivery.queue("edge-1")._held):
        cloud.delivery.withdraw("edge-1", message_id)
    ask("insert", "default/nodestatus/edge-1", {})
    assert await told() == ["update default/pod/p"]


@pytest.mark.parametrize("content", ["text", 5, [], {"metadata": "text"}, {"spec": []}])
async def test_a_registration_without_a_node_is_refused_with_the_empty_text(ask: Any, held: Any, content: Any) -> None:
    assert ask("insert", "default/nodestatus/edge-1", content) == Answer(
        "bad_content", Reply("", "default/node/edge-1")
    )
    assert held("Node", "edge-1") is None


async def test_each_status_that_changes_something_gets_ok_with_a_higher_version(
    ask: Any, node: Node, held: Any, vclock: VirtualClock
) -> None:
    versions = []
    for _ in range(3):
        got = ask("update", "default/nodestatus/edge-1", READY)
        assert (got.outcome, got.reply.content, got.reply.resource) == (
            "node_status_taken",
            "OK",
            "default/node/edge-1",
        )
        assert got.reply.resource_version == held("Node", "edge-1")["metadata"]["resourceVersion"]
        versions.append(int(got.reply.resource_version))
        await vclock.advance(10)
    assert versions == sorted(set(versions))
    assert node.status_at_ms == vclock.now_ms() - 10_000


async def test_a_status_that_changes_nothing_gets_the_version_that_is_there(ask: Any) -> None:
    versions = {ask("update", "default/nodestatus/edge-1", READY).reply.resource_version for _ in range(3)}
    assert len(versions) == 1


async def test_the_status_of_an_unknown_node_makes_it_a_node_of_the_edge(ask: Any, held: Any) -> None:
    ask("update", "default/nodestatus/edge-1", READY)
    assert held("Node", "edge-1")["metadata"]["labels"] == {
        "node-role.kubernetes.io/edge": "",
        "node-role.kubernetes.io/agent": "",
    }


@pytest.mark.parametrize(
    ("content", "ready"),
    [
        (READY, True),
        ({"Status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"Status": {"conditions": []}}, False),
        ({"status": {"conditions": []}}, False),
    ],
)
async def test_ready_is_what_the_last_status_says(ask: Any, held: Any, content: Any, ready: bool) -> None:
    ask("update", "default/nodestatus/edge-1", READY)
    ask("update", "default/nodestatus/edge-1", content)
    assert is_ready(held("Node", "edge-1")) is ready


@pytest.mark.parametrize(
    "content", [None, {}, {"Status": None}, {"Status": {"conditions": "none"}}, {"Status": {"conditions": [5]}}]
)
async def test_a_status_of_another_shape_changes_nothing(ask: Any, held: Any, content: Any) -> None:
    ask("update", "default/nodestatus/edge-1", READY)
    assert ask("update", "default/nodestatus/edge-1", content) == Answer("bad_content")
    assert is_ready(held("Node", "edge-1"))


async def test_a_status_that_is_no_object_meets_silence(ask: Any, node: Node) -> None:
    assert ask("update", "default/nodestatus/edge-1", "well") == Answer("bad_content")
    assert node.status_at_ms is None


async def test_a_node_query_gets_what_was_registered_and_posted(ask: Any) -> None:
    ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": {"a": "b"}}, "spec": {"taints": []}})
    version = ask("update", "default/nodestatus/edge-1", READY).reply.resource_version
    reply = ask("query", "default/node/edge-1").reply
    assert reply.resource == "default/node/edge-1"
    assert (reply.resource_version, reply.due_ack) == (version, False)
    assert reply.content["metadata"]["labels"] == {"a": "b"}
    assert reply.content["metadata"]["resourceVersion"] == version
    assert [each["type"] for each in reply.content["status"]["conditions"]] == ["DiskPressure", "Ready"]
    assert not {"kind", "apiVersion"} & reply.content.keys()


@pytest.mark.parametrize("operation", ["query", "update"])
async def test_what_is_asked_of_an_unknown_node_meets_silence(ask: Any, operation: str) -> None:
    assert ask(operation, "default/node/edge-1", {"metadata": {"annotations": {"a": "1"}}}).reply is None


async def test_a_node_update_merges_annotations_alone(ask: Any, held: Any) -> None:
    ask(
        "insert", "default/nodestatus/edge-1", {"metadata": {"annotations": {"a": "1", "b": "1"}, "labels": {"x": "y"}}}
    )
    got = ask("update", "default/node/edge-1", {"metadata": {"annotations": {"b": "2"}, "labels": {}}})
    metadata = held("Node", "edge-1")["metadata"]
    assert got == Answer("node_annotated", Reply("OK", "default/node/edge-1", metadata["resourceVersion"]))
    assert metadata["annotations"] == {"a": "1", "b": "2"}
    assert metadata["labels"] == {"x": "y"}


@pytest.mark.parametrize("resource", ["default/nodestatus/edge-2", "default/node/edge-2", "default/nodestatus"])
async def test_a_node_speaks_for_itself_alone(ask: Any, resource: str) -> None:
    assert ask("update", resource, READY) == Answer("other_node")


@pytest.mark.parametrize("kind", ["configmap", "secret", "service", "endpoints", "persistentvolumeclaim"])
async def test_a_query_gets_the_object_that_was_sent_by_hand(ask: Any, cloud: Cloud, message: Any, kind: str) -> None:
    cloud.objects.note_sent(message("update", f"default/{kind}/a", {"data": {"k": "v"}}, version="311"))
    got = ask("query", f"default/{kind}/a")
    content = msgspec.Raw(b'{"data":{"k":"v"}}')
    assert got == Answer("query_answered", Reply(content, f"default/{kind}/a", "311", due_ack=True))


@pytest.mark.parametrize(
    ("obj", "resource"),
    [
        (config("c", k="v"), "default/configmap/c"),
        (config("c", "Secret", k="dg=="), "default/secret/c"),
        (service("web"), "default/service/web"),
        (endpoints("web", "1.1.1.1"), "default/endpoints/web"),
    ],
)
async def test_a_query_gets_the_object_of_the_cluster(ask: Any, cloud: Cloud, obj: Any, resource: str) -> None:
    stored = cloud.plane.registry.put(obj)
    version = stored["metadata"]["resourceVersion"]
    reply = Reply(wire(stored), resource, version, due_ack=True, once_stored=True)
    assert ask("query", resource) == Answer("query_answered", reply)


async def test_the_object_of_the_cluster_goes_before_one_that_was_sent_by_hand(
    ask: Any, cloud: Cloud, message: Any
) -> None:
    cloud.objects.note_sent(message("update", "default/configmap/c", {"data": {"k": "by hand"}}, version="311"))
    cloud.plane.registry.put(config("c", k="cluster"))
    assert ask("query", "default/configmap/c").reply.content["data"] == {"k": "cluster"}


@pytest.mark.parametrize("kind", ["configmap", "secret", "service"])
async def test_our_edge_is_told_that_there_is_no_such_object(ask: Any, kind: str) -> None:
    got = ask("query", f"default/{kind}/a")
    text = f'{kind}s "a" not found'
    assert got == Answer("query_not_held", Reply(text, f"default/{kind}/a", operation="error"))


@pytest.mark.parametrize("kind", ["configmap", "secret", "service"])
async def test_a_go_edge_that_asks_for_what_is_not_there_meets_silence(ask: Any, kind: str) -> None:
    assert ask("query", f"default/{kind}/a", is_ours=False) == Answer("query_not_held")


@pytest.mark.parametrize("resource", ["default/pod/p", "default/pod", "default/podlist/web", "default/configmap"])
async def test_pods_and_lists_cannot_be_asked_for(ask: Any, cloud: Cloud, message: Any, resource: str) -> None:
    cloud.objects.note_sent(message("insert", "default/pod/p", {}))
    assert ask("query", resource) == Answer("not_answered")


@pytest.mark.parametrize("resource", ["membership/detail", "device/led/twin/edge_updated", "device/led/state"])
async def test_what_is_no_report_of_a_device_meets_silence(ask: Any, resource: str) -> None:
    assert ask("get", resource, "{}", source="twin", group="resource") == Answer("device_not_answered")


@pytest.mark.parametrize("resource", ["", "8080:health", "default/nodestatus/edge-1"])
async def test_messages_for_users_meet_silence_whatever_their_resource(ask: Any, resource: str) -> None:
    assert ask("insert", resource, {}, source="servicebus", group="user") == Answer("user_message_not_answered")


@pytest.mark.parametrize("resource", ["", "x", "a/b/c/d"])
async def test_a_resource_that_is_none_is_bad(ask: Any, resource: str) -> None:
    assert ask("query", resource) == Answer("bad_resource")


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("error", "namespace/servicelist/service"), ("insert", "default/unknown/x"), ("delete", "default/node/edge-1")],
)
async def test_everything_else_meets_silence(ask: Any, operation: str, resource: str) -> None:
    assert ask(operation, resource, {}) == Answer("not_answered")


async def test_the_recorded_edge_is_answered_where_the_recorded_cloud_answered(cloud: Cloud) -> None:
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
                reply = answer(message, node, cloud.plane, cloud.objects, is_ours=False).reply
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
            st.sampled_from(
                [
                    "metadata",
                    "Status",
                    "status",
                    "Name",
                    "conditions",
                    "annotations",
                    "spec",
                    "twin",
                    "actual",
                    "a",
                    "device",
                ]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["insert", "update", "query", "delete", "get", ""]),
    st.sampled_from(["edged", "twin", ""]),
    st.sampled_from(
        [
            "default/nodestatus/n",
            "default/node/n",
            "d/podstatus",
            "d/podstatus/p",
            "d/pod/p",
            "device/led/state",
            "device/led/twin/edge_updated",
        ]
    )
    | st.text(alphabet="a/\x00é", max_size=8),
    JSON,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_raises_and_every_answer_can_be_sent(
    make_cloud: Any, operation: str, source: str, resource: str, content: Any
) -> None:
    async def ask_once() -> Answer:
        cloud = make_cloud()
        node, _ = cloud.nodes.connect(Upgrade("n", ""))
        for obj in (edge_node("n"), pod("p", "n", namespace="d"), device("led", node="n", uid="u", desired={"a": "1"})):
            cloud.plane.registry.put(obj)
        request = decode(encode(Message(Header("m"), Route(source, "meta", operation, resource), content)))
        got = answer(request, node, cloud.plane, cloud.objects, is_ours=True)
        await settle()
        return got

    got = asyncio.run(ask_once())
    assert got.outcome
    if got.reply is not None:
        encode(Message(content=got.reply.content))
        assert got.outcome not in FAULTS or got.reply.content == ""
