"""What commands ask of the cluster, without a socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudhub_stub import objectroutes
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.delivery.trace import Trace
from cloudhub_stub.objectroutes import object_routes
from cloudhub_stub.paths import APPLY, DELETE, DESCRIBE, OBJECTS, SCALE, TRACE
from cluster.acting import ActingEdge
from cluster.objects import config, pod, service
from edgecore.clock import VirtualClock, settle
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.errors import StoreError


class Asker:
    """Asks the routes of a cloud."""

    def __init__(self, cloud: Cloud, clock: VirtualClock) -> None:
        self.cloud = cloud
        trace = Trace(clock)
        cloud.delivery.watchers.append(trace.note)
        self._routes = object_routes(cloud.plane, trace, clock)

    async def post(self, path: str, **body: Any) -> Any:
        return await self._routes["POST", path](ControlRequest({}, body))

    async def get(self, path: str, **query: str) -> Any:
        return await self._routes["GET", path](ControlRequest(query, None))

    async def apply(self, *objects: Any, **options: Any) -> list[Any]:
        manifests = [{"where": f"f.yaml, document {number}", "object": obj} for number, obj in enumerate(objects, 1)]
        outcomes: list[Any] = await self.post(APPLY, manifests=manifests, **options)
        return outcomes

    async def names(self, **query: str) -> list[str]:
        return [each["metadata"]["name"] for each in await self.get(OBJECTS, **query)]

    def put(self, *objects: Any) -> None:
        for each in objects:
            self.cloud.plane.registry.put(each)
        self.cloud.plane.kick()


@pytest.fixture
async def asker(cloud: Cloud, vclock: VirtualClock) -> AsyncIterator[Asker]:
    yield Asker(cloud, vclock)
    cloud.plane.stop()


@pytest.fixture
async def edge(asker: Asker, make_edge: Any) -> ActingEdge:
    made: ActingEdge = make_edge(asker.cloud)
    await made.join()
    return made


def manifest(name: str = "c", kind: str = "ConfigMap", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"name": name}, **more}


# apply


async def test_apply_tells_of_each_manifest_what_became_of_it(asker: Asker) -> None:
    first = {"where": "f.yaml, document 1", "kind": "ConfigMap", "namespace": "default", "name": "c"}
    assert await asker.apply(manifest()) == [{**first, "outcome": "created"}]
    assert await asker.apply(manifest(data={"a": "b"})) == [{**first, "outcome": "configured"}]
    assert await asker.apply(manifest(data={"a": "b"})) == [{**first, "outcome": "unchanged"}]


async def test_a_bad_manifest_is_told_with_its_field_and_the_others_go_on(asker: Asker) -> None:
    bad = manifest("bad", data={"a": 5})
    outcomes = await asker.apply(manifest("a"), bad, {"kind": "What"}, {}, manifest("b"))
    assert [each["outcome"] for each in outcomes] == ["created", "failed", "failed", "failed", "created"]
    assert (outcomes[1]["where"], outcomes[1]["name"]) == ("f.yaml, document 2", "bad")
    assert "data" in outcomes[1]["error"]
    assert await asker.names(kind="ConfigMap") == ["a", "b"]


@pytest.mark.parametrize("obj", [{"metadata": 5, "kind": 5}, {"kind": "Pod", "metadata": {"name": {}}}, {"kind": None}])
async def test_a_manifest_of_any_shape_is_told_and_not_raised(asker: Asker, obj: Any) -> None:
    (outcome,) = await asker.apply(obj)
    assert outcome["outcome"] == "failed"
    assert outcome["error"]


async def test_a_dry_run_changes_nothing(asker: Asker) -> None:
    assert (await asker.apply(manifest(), dry_run=True))[0]["outcome"] == "created"
    assert await asker.names(kind="ConfigMap") == []


async def test_apply_answers_when_everything_is_on_disk(asker: Asker, rows: Any) -> None:
    rows.held = True
    asking = asyncio.ensure_future(asker.apply(manifest()))
    await settle()
    assert not asking.done()
    await rows.commit()
    await asking
    assert rows.log == ["ConfigMap c"]


async def test_apply_says_so_where_nothing_can_be_stored(asker: Asker, rows: Any) -> None:
    rows.broken = True
    with pytest.raises(StoreError, match="disk is full"):
        await asker.apply(manifest())


async def test_many_manifests_leave_others_their_turn(asker: Asker) -> None:
    turns = 0
    asking = asyncio.ensure_future(asker.apply(*(manifest(f"c{number}") for number in range(1000))))
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 10


@pytest.mark.parametrize("body", [None, {}, {"manifests": 5}, {"manifests": [], "more": 1}, {"manifests": [{}]}])
async def test_what_is_no_request_is_refused(asker: Asker, body: Any) -> None:
    with pytest.raises(ControlRefused) as refused:
        await asker._routes["POST", APPLY](ControlRequest({}, body))
    assert refused.value.status == 400


# delete


async def test_delete_tells_of_each_object_what_became_of_it(asker: Asker, edge: ActingEdge) -> None:
    asker.put(config("c"), pod("p", "edge-1", spec={"terminationGracePeriodSeconds": 30}))
    keys = [{"kind": "ConfigMap", "name": "c"}, {"kind": "Pod", "name": "p"}, {"kind": "Pod", "name": "none"}]
    assert await asker.post(DELETE, keys=keys) == [
        {"kind": "ConfigMap", "namespace": "default", "name": "c", "outcome": "deleted"},
        {"kind": "Pod", "namespace": "default", "name": "p", "outcome": "deleting"},
        {
            "kind": "Pod",
            "namespace": "default",
            "name": "none",
            "outcome": "not_found",
            "error": 'pods "none" not found',
        },
    ]


async def test_what_is_not_there_is_no_error_where_that_was_asked_for(asker: Asker) -> None:
    keys = [{"kind": "Pod", "name": "none"}]
    (outcome,) = await asker.post(DELETE, keys=keys, ignore_not_found=True)
    assert "error" not in outcome


async def test_delete_takes_what_a_selector_chooses(asker: Asker) -> None:
    asker.put(pod("a", labels={"app": "x"}), pod("b", labels={"app": "y"}), pod("c", labels={"app": "x"}))
    await asker.post(DELETE, kind="Pod", namespace="default", selector="app=x")
    assert await asker.names(kind="Pod") == ["b"]


async def test_delete_takes_all_of_a_namespace(asker: Asker) -> None:
    asker.put(pod("a"), pod("b", namespace="other"))
    await asker.post(DELETE, kind="Pod", namespace="default", all=True)
    assert await asker.names(kind="Pod") == ["b"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Pod"},
        {"kind": "What", "all": True},
        {"keys": [{"kind": "What", "name": "x"}]},
        {"kind": "Pod", "selector": "(("},
    ],
)
async def test_a_delete_of_nobody_knows_what_is_refused(asker: Asker, body: Any) -> None:
    asker.put(pod("a"))
    with pytest.raises(ControlRefused) as refused:
        await asker.post(DELETE, **body)
    assert refused.value.status == 400
    assert await asker.names(kind="Pod") == ["a"]


async def test_delete_waits_until_the_edge_says_that_the_pod_is_gone(
    asker: Asker, edge: ActingEdge, vclock: VirtualClock
) -> None:
    asker.put(pod("p", "edge-1", spec={"terminationGracePeriodSeconds": 30}))
    asking = asyncio.ensure_future(asker.post(DELETE, keys=[{"kind": "Pod", "name": "p"}], wait_s=60))
    await vclock.advance(5)
    assert not asking.done()
    edge.say("delete", "default/pod/p", "uid-p")
    await vclock.advance(1)
    assert [each["outcome"] for each in await asking] == ["deleted"]


async def test_delete_waits_no_longer_than_it_was_told(asker: Asker, edge: ActingEdge, vclock: VirtualClock) -> None:
    asker.put(pod("p", "edge-1", spec={"terminationGracePeriodSeconds": 30}))
    asking = asyncio.ensure_future(asker.post(DELETE, keys=[{"kind": "Pod", "name": "p"}], wait_s=10))
    await vclock.advance(9.9)
    assert not asking.done()
    await vclock.advance(0.2)
    assert [each["outcome"] for each in await asking] == ["deleting"]


async def test_another_pod_of_that_name_ends_the_waiting(asker: Asker, edge: ActingEdge, vclock: VirtualClock) -> None:
    asker.put(pod("p", "edge-1", spec={"terminationGracePeriodSeconds": 30}))
    asking = asyncio.ensure_future(asker.post(DELETE, keys=[{"kind": "Pod", "name": "p"}], wait_s=60))
    await vclock.advance(1)
    asker.put(pod("p", uid="another"))
    await vclock.advance(1)
    assert [each["outcome"] for each in await asking] == ["deleted"]


# get


async def test_objects_are_those_of_kind_namespace_name_and_labels(asker: Asker) -> None:
    asker.put(pod("a", labels={"app": "x"}), pod("b"), pod("a", namespace="other"), service("a"))
    assert await asker.names(kind="Pod") == ["a", "b", "a"]
    assert await asker.names(kind="Pod", namespace="default") == ["a", "b"]
    assert await asker.names(kind="Pod", namespace="default", name="b") == ["b"]
    assert await asker.names(kind="Pod", selector="app=x") == ["a"]


async def test_the_namespace_does_not_matter_for_what_has_none(asker: Asker, edge: ActingEdge) -> None:
    assert await asker.names(kind="Node", namespace="default") == ["edge-1"]


@pytest.mark.parametrize("query", [{}, {"kind": "What"}, {"kind": "Pod", "selector": "(("}])
async def test_a_question_for_nobody_knows_what_is_refused(asker: Asker, query: Any) -> None:
    with pytest.raises(ControlRefused) as refused:
        await asker.get(OBJECTS, **query)
    assert refused.value.status == 400


async def told(stream: Any, count: int) -> list[str]:
    found = []
    for _ in range(count):
        event = await asyncio.wait_for(anext(stream), 5)
        name = event["object"]["metadata"]["name"] if "object" in event else ""
        found.append(f"{event['type']} {name}".rstrip())
    return found


async def test_a_watcher_gets_what_is_there_and_then_what_changes(asker: Asker) -> None:
    asker.put(config("a"))
    await settle()
    stream = await asker.get(OBJECTS, kind="ConfigMap", watch="1")
    assert await told(stream, 2) == ["ADDED a", "BOOKMARK"]
    asker.put(config("a", k="v"), config("b"), service("other"))
    asker.cloud.plane.registry.remove(ObjectKey("ConfigMap", "default", "a"))
    asker.cloud.plane.kick()
    assert await told(stream, 3) == ["MODIFIED a", "ADDED b", "DELETED a"]
    await stream.aclose()
    assert asker.cloud.plane.watchers == []


async def test_what_changes_while_a_watcher_takes_what_is_there_is_told_it_behind_that(asker: Asker) -> None:
    asker.put(config("a"), config("b"))
    await settle()
    stream = await asker.get(OBJECTS, kind="ConfigMap", watch="1")
    first = await told(stream, 1)
    asker.put(config("b", k="v"))
    await settle()
    assert first + await told(stream, 3) == ["ADDED a", "ADDED b", "BOOKMARK", "MODIFIED b"]
    await stream.aclose()


async def test_what_was_written_and_not_dealt_with_when_a_watcher_came_is_told_once(asker: Asker) -> None:
    asker.cloud.plane.registry.put(config("a"))
    stream = await asker.get(OBJECTS, kind="ConfigMap", watch="1")
    assert [(await anext(stream))["type"] for _ in range(2)] == ["ADDED", "BOOKMARK"]
    asker.put(config("b"))
    assert await told(stream, 1) == ["ADDED b"]
    await stream.aclose()


async def test_an_object_that_comes_to_match_is_added_and_one_that_does_no_more_is_deleted(asker: Asker) -> None:
    stream = await asker.get(OBJECTS, kind="Pod", selector="app=x", watch="1")
    await told(stream, 1)
    for labels in ({}, {"app": "x"}, {"app": "x", "more": "y"}, {}):
        asker.put(pod("p", labels=labels))
        await settle()
    assert await told(stream, 3) == ["ADDED p", "MODIFIED p", "DELETED p"]
    await stream.aclose()


async def test_a_watcher_that_is_too_slow_is_told_so_and_dropped(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectroutes, "WATCH_QUEUE", 3)
    stream = await asker.get(OBJECTS, kind="ConfigMap", watch="1")
    await told(stream, 1)
    asker.put(*(config(f"c{number}") for number in range(10)))
    await settle()
    assert await told(stream, 3) == ["ADDED c0", "ADDED c1", "ADDED c2"]
    with pytest.raises(ControlRefused, match="3 changes wait for this watcher"):
        await anext(stream)
    assert asker.cloud.plane.watchers == []


# scale, describe, messages

DEPLOYMENT = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i:1"}]},
        },
    },
}


async def test_scale_sets_the_replicas(asker: Asker) -> None:
    await asker.apply(DEPLOYMENT)
    scaled = await asker.post(SCALE, kind="Deployment", name="web", replicas=3)
    assert scaled == {"kind": "Deployment", "namespace": "default", "name": "web", "replicas": 3}
    await settle()
    assert len(await asker.names(kind="Pod")) == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "Deployment", "name": "none", "replicas": 1}, 404),
        ({"kind": "Deployment", "name": "web", "replicas": 2, "current_replicas": 5}, 409),
        ({"kind": "Deployment", "name": "web", "replicas": -1}, 422),
        ({"kind": "Pod", "name": "web", "replicas": 1}, 422),
        ({"kind": "What", "name": "web", "replicas": 1}, 400),
        ({"kind": "Deployment", "name": "web", "replicas": "1"}, 400),
    ],
)
async def test_what_cannot_be_scaled_is_refused(asker: Asker, body: Any, status: int) -> None:
    await asker.apply(DEPLOYMENT)
    with pytest.raises(ControlRefused) as refused:
        await asker.post(SCALE, **body)
    assert refused.value.status == status


async def test_describe_shows_an_object_with_its_events_and_what_belongs_to_it(asker: Asker, edge: ActingEdge) -> None:
    await asker.apply(
        DEPLOYMENT, manifest("web", "Service", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    )
    await settle()
    deployment = await asker.get(DESCRIBE, kind="Deployment", namespace="default", name="web")
    assert [each["reason"] for each in deployment["events"]] == ["ScalingUp"]
    (made,) = deployment["related"]["pods"]
    shown = await asker.get(DESCRIBE, kind="Pod", namespace="default", name=made["metadata"]["name"])
    assert [each["reason"] for each in shown["events"]] == ["Scheduled"]
    assert [each["metadata"]["name"] for each in shown["related"]["nodes"]] == ["edge-1"]
    found = await asker.get(DESCRIBE, kind="Service", namespace="default", name="web")
    assert found["related"]["pods"] == [shown["object"]]
    assert found["related"]["endpoints"]["metadata"]["name"] == "web"
    node = await asker.get(DESCRIBE, kind="Node", name="edge-1", namespace="default")
    assert node["related"]["pods"] == [shown["object"]]


async def test_what_is_not_there_cannot_be_described(asker: Asker) -> None:
    with pytest.raises(ControlRefused, match='pods "p" not found') as refused:
        await asker.get(DESCRIBE, kind="Pod", namespace="default", name="p")
    assert refused.value.status == 404


async def test_the_messages_of_a_node_are_shown_with_what_became_of_them(asker: Asker, edge: ActingEdge) -> None:
    asker.put(pod("p", "edge-1"))
    await edge.written()
    *_, last = await asker.get(TRACE, node="edge-1")
    assert (last["operation"], last["resource"], last["state"]) == ("insert", "default/pod/p", "sent")


async def test_who_watches_messages_gets_those_of_before_first(asker: Asker, edge: ActingEdge) -> None:
    stream = await asker.get(TRACE, node="edge-1", watch="1")
    before = [(await anext(stream))["resource"] for _ in range(2)]
    assert sorted(before) == ["namespace/endpointslist/endpoints", "namespace/servicelist/service"]
    asker.put(pod("p", "edge-1"))
    await edge.take()
    assert [(await anext(stream))["state"] for _ in range(2)] == ["sent", "acknowledged"]
    await stream.aclose()


async def test_messages_are_those_of_one_node(asker: Asker) -> None:
    with pytest.raises(ControlRefused, match="say of which node"):
        await asker.get(TRACE)
