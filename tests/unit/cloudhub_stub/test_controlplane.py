"""The control plane: objects in, nodes told, everything on disk before."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.cluster.registry import Change
from cloudhub_stub.cluster.writes import Create, Delete
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.controlplane import CHANGES_A_ROUND, RETRY_AFTER_S, ROUND_S
from cloudhub_stub.delivery.parcel import parcel_of
from cloudhub_stub.downstream.items import wire
from cloudhub_stub.store.cluster import VERSION_STEP, SyncedKey, SyncedRow
from cluster.acting import ActingEdge
from cluster.objects import config, pod
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement

DEPLOYMENT = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1.17", "ports": [{"containerPort": 80}]}]},
        },
    },
}
SERVICE = {
    "kind": "Service",
    "apiVersion": "v1",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
USING = {"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "c"}}]}]}
KEY = ObjectKey("ConfigMap", "default", "c")


@pytest.fixture
async def edge(cloud: Cloud, make_edge: Any) -> ActingEdge:
    """An edge that is connected and ready, and has a pod that uses a ConfigMap which is not there yet."""
    made: ActingEdge = make_edge(cloud)
    cloud.plane.registry.put(pod("user", "edge-1", spec=USING))
    await made.join()
    return made


@pytest.fixture(autouse=True)
async def stopped(cloud: Cloud) -> AsyncIterator[None]:
    yield
    cloud.plane.stop()


def pods(cloud: Cloud) -> list[Any]:
    return [each for each in cloud.plane.registry.all_of("Pod") if each["metadata"]["name"] != "user"]


# What becomes of manifests.


async def test_a_deployment_and_its_service_come_up_on_an_edge(cloud: Cloud, edge: ActingEdge) -> None:
    for manifest in (DEPLOYMENT, SERVICE):
        cloud.plane.api.apply(manifest)
    await cloud.plane.commit()
    await edge.take()
    first, second = (each["metadata"]["name"] for each in pods(cloud))
    assert {f"default/pod/{first}", f"default/pod/{second}", "default/service/web"} <= edge.store.keys()
    for name in (first, second):
        edge.report(name)
    assert sorted(await edge.take()) == ["update default/endpoints/web", "update default/podlist/web"]
    (subset,) = edge.store["default/endpoints/web"]["subsets"]
    assert {each["targetRef"]["name"] for each in subset["addresses"]} == {first, second}
    status = cloud.plane.registry.get(ObjectKey("Deployment", "default", "web"))["status"]  # type: ignore[index]
    assert (status["readyReplicas"], status["availableReplicas"]) == (2, 2)


async def test_what_an_edge_holds_is_what_it_is_to_hold(cloud: Cloud, edge: ActingEdge, vclock: VirtualClock) -> None:
    for manifest in (DEPLOYMENT, SERVICE):
        cloud.plane.api.apply(manifest)
    cloud.plane.kick()
    await edge.take()
    for each in pods(cloud):
        edge.report(each["metadata"]["name"])
    await edge.take()
    await vclock.advance(10)
    await edge.take()
    assert edge.store == cloud.plane.wanted.holds("edge-1")


async def test_a_controller_that_is_turned_off_does_nothing(make_cloud: Any) -> None:
    cloud = make_cloud(controllers=())
    cloud.plane.api.apply(DEPLOYMENT)
    cloud.plane.kick()
    await settle()
    assert pods(cloud) == []
    assert cloud.plane.is_idle


# Rounds.


async def test_a_round_takes_a_bounded_number_of_changes(make_cloud: Any) -> None:
    plane = make_cloud(controllers=()).plane
    seen: list[Change] = []
    plane.watchers.append(seen.append)
    for number in range(2 * CHANGES_A_ROUND + 50):
        plane.registry.put(config(f"c{number}"))
    plane.kick()
    taken = []
    for _ in range(3):
        await asyncio.sleep(0)
        taken.append(len(seen))
    assert taken == [CHANGES_A_ROUND, 2 * CHANGES_A_ROUND, 2 * CHANGES_A_ROUND + 50]


async def test_a_round_that_takes_long_lets_others_have_their_turn(make_cloud: Any, vclock: VirtualClock) -> None:
    plane = make_cloud(controllers=()).plane
    looks = count()
    vclock.monotonic = lambda: next(looks) * 0.01
    seen: list[Change] = []
    plane.watchers.append(seen.append)
    for number in range(20):
        plane.registry.put(config(f"c{number}"))
    plane.kick()
    await asyncio.sleep(0)
    assert 0 < len(seen) <= ROUND_S / 0.01
    await settle()
    assert len(seen) == 20


async def test_an_object_that_changes_often_in_a_round_is_stored_once(cloud: Cloud, rows: Any) -> None:
    for number in range(5):
        cloud.plane.registry.put(config("c", k=str(number)))
    cloud.plane.kick()
    await settle()
    assert rows.log == ["ConfigMap c"]


async def test_watchers_are_told_of_changes_in_their_order(cloud: Cloud) -> None:
    seen: list[Change] = []
    cloud.plane.watchers.append(seen.append)
    cloud.plane.write(Create(config("c")))
    held = cloud.plane.registry.get(KEY)
    assert held is not None
    cloud.plane.write(Delete(KEY, held["metadata"]["uid"]))
    await settle()
    assert [(each.old is None, each.new is None) for each in seen] == [(True, False), (False, True)]


async def test_a_write_that_comes_too_late_is_refused(cloud: Cloud) -> None:
    assert not cloud.plane.write(Delete(KEY, "u"))


async def test_after_the_stop_no_round_begins(cloud: Cloud, rows: Any) -> None:
    cloud.plane.stop()
    cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    await settle()
    assert rows.log == []


async def test_the_plane_is_idle_when_only_time_or_a_node_can_go_on(cloud: Cloud, edge: ActingEdge) -> None:
    assert cloud.plane.is_idle
    cloud.plane.api.apply(DEPLOYMENT)
    assert not cloud.plane.is_idle
    cloud.plane.kick()
    await settle()
    assert cloud.plane.is_idle


# Commits.


async def test_commit_is_over_when_what_has_changed_is_on_disk(cloud: Cloud, rows: Any) -> None:
    rows.held = True
    cloud.plane.registry.put(config("c"))
    committed = cloud.plane.commit()
    await settle()
    assert not committed.done()
    await rows.commit()
    assert committed.done()
    assert rows.log == ["ConfigMap c"]


async def test_a_commit_of_nothing_is_over_with_the_last_one(cloud: Cloud, rows: Any) -> None:
    assert cloud.plane.commit().done()
    rows.held = True
    cloud.plane.registry.put(config("c"))
    cloud.plane.commit()
    behind = cloud.plane.commit()
    await settle()
    assert not behind.done()
    await rows.commit()
    assert behind.done()


async def test_nothing_is_sent_before_it_is_on_disk(cloud: Cloud, edge: ActingEdge, rows: Any) -> None:
    rows.held = True
    cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    assert await edge.take() == []
    await rows.commit()
    assert await edge.take() == ["insert default/configmap/c"]


@pytest.fixture
async def failed(cloud: Cloud, edge: ActingEdge, rows: Any) -> ActingEdge:
    """A ConfigMap was made, and cannot be stored."""
    rows.broken = True
    cloud.plane.registry.put(config("c", k="1"))
    cloud.plane.kick()
    await settle()
    return edge


async def test_a_commit_that_fails_is_tried_again_and_then_sent(
    cloud: Cloud, failed: ActingEdge, rows: Any, vclock: VirtualClock, metrics: Metrics
) -> None:
    assert metrics.bad_input_counts == {("cloudhub", "cluster_not_stored"): 1}
    await vclock.advance(RETRY_AFTER_S)
    assert await failed.take() == []
    assert not cloud.plane.is_idle
    rows.broken = False
    await vclock.advance(RETRY_AFTER_S)
    assert await failed.take() == ["insert default/configmap/c"]
    assert cloud.plane.synced.get("edge-1", SyncedKey("configmap", "default", "c")) is not None
    assert "ConfigMap c" in rows.log
    assert cloud.plane.is_idle


async def test_what_changed_meanwhile_is_stored_as_it_is_now_and_sent_in_order(
    cloud: Cloud, failed: ActingEdge, rows: Any, vclock: VirtualClock
) -> None:
    cloud.plane.registry.put(config("c", k="2"))
    rows.broken = False
    await cloud.plane.commit()
    await vclock.advance(RETRY_AFTER_S)
    await failed.take()
    assert failed.store["default/configmap/c"]["data"] == {"k": "2"}
    assert failed.store == cloud.plane.wanted.holds("edge-1")


async def test_a_commit_that_fails_does_not_undo_one_that_was_under_way_behind_it(
    cloud: Cloud, edge: ActingEdge, rows: Any, vclock: VirtualClock
) -> None:
    rows.held = True
    for value in ("1", "2"):
        cloud.plane.registry.put(config("c", k=value))
        cloud.plane.commit()
    await rows.commit(fail_first=True)
    assert await edge.take() == []  # the second one waits for the first
    rows.held = False
    await vclock.advance(RETRY_AFTER_S)
    assert await edge.take() == ["update default/configmap/c"]
    assert edge.store["default/configmap/c"]["data"] == {"k": "2"}
    again = stored(rows, KEY)
    assert again["data"] == {"k": "2"}


async def test_what_a_node_has_got_is_stored_though_the_first_commit_of_that_failed(
    cloud: Cloud, edge: ActingEdge, rows: Any, vclock: VirtualClock
) -> None:
    held = cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    await settle()
    rows.broken = True
    await edge.take()
    rows.broken = False
    await vclock.advance(RETRY_AFTER_S)
    version = held["metadata"]["resourceVersion"]
    row = ("edge-1", "configmap", "default", "c", "uid-c", version, version)
    assert row in rows.rows("SELECT * FROM synced")


async def test_the_version_of_a_removal_is_stored_though_the_first_commit_of_it_failed(
    cloud: Cloud, rows: Any, vclock: VirtualClock
) -> None:
    cloud.plane.registry.put(config("c"))
    cloud.plane.registry.remove(KEY)
    rows.broken = True
    cloud.plane.kick()
    await settle()
    rows.broken = False
    await vclock.advance(RETRY_AFTER_S)
    assert rows.rows("SELECT value FROM counters") == [(2,)]


def stored(rows: Any, key: ObjectKey) -> Any:
    found = {ObjectKey(*row[:3]): json.loads(row[3]) for row in rows.rows("SELECT kind FROM objects")}
    return found.get(key)


# The next process.


@pytest.fixture
async def restart(cloud: Cloud, make_cloud: Any) -> AsyncIterator[Any]:
    """Return a function that ends the process, and returns the cloud of the next one."""
    clouds = [cloud]

    async def restart_(*, killed: bool = False) -> Cloud:
        if not killed:
            await clouds[-1].plane.commit()
        clouds[-1].plane.stop()
        clouds.append(make_cloud())
        clouds[-1].plane.load()
        await settle()
        return clouds[-1]

    yield restart_
    clouds[-1].plane.stop()


async def test_objects_survive_a_restart_as_they_were(cloud: Cloud, edge: ActingEdge, restart: Any) -> None:
    for manifest in (DEPLOYMENT, SERVICE):
        cloud.plane.api.apply(manifest)
    cloud.plane.kick()
    await edge.take()
    before = list(cloud.plane.registry.every())
    again = await restart()
    assert {str(each) for each in again.plane.registry.every()} == {str(each) for each in before}


async def test_no_version_is_given_twice(cloud: Cloud, restart: Any) -> None:
    """Also of those that were handed out and not on disk when the process was killed."""
    cloud.plane.registry.put(config("c"))
    await cloud.plane.commit()
    cloud.plane.stop()
    for _ in range(VERSION_STEP - 1):
        highest = int(cloud.plane.registry.next_version())
    again = await restart(killed=True)
    assert int(again.plane.registry.next_version()) > highest


async def test_a_bad_row_is_counted_and_passed_over(cloud: Cloud, rows: Any, restart: Any, metrics: Metrics) -> None:
    cloud.plane.registry.put(config("c"))
    await cloud.plane.commit()
    for key, content in ((("ConfigMap", "default", "bad"), b"{"), (("Unheard", "default", "x"), b"{}")):
        rows.submit(Statement("INSERT OR REPLACE INTO objects VALUES", (*key, content)))
    again = await restart()
    assert [each["metadata"]["name"] for each in again.plane.registry.every()] == ["c"]
    assert metrics.bad_input_counts == {("cloudhub", "bad_row"): 2}


async def test_an_edge_that_has_everything_is_sent_nothing_after_a_restart(
    cloud: Cloud, edge: ActingEdge, restart: Any, make_edge: Any
) -> None:
    cloud.plane.api.apply(SERVICE)
    cloud.plane.kick()
    await edge.take()
    again = make_edge(await restart())
    again.connect()
    assert await again.take() == []


async def test_what_was_not_acknowledged_is_sent_after_a_restart(
    cloud: Cloud, edge: ActingEdge, restart: Any, make_edge: Any
) -> None:
    cloud.plane.api.apply(SERVICE)
    cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    assert await edge.take(2) == ["update default/podlist/web", "insert default/service/web"]
    again = make_edge(await restart())
    again.connect()
    assert sorted(await again.take()) == ["insert default/configmap/c", "insert default/endpoints/web"]


async def test_the_end_of_what_went_while_the_stub_was_away_is_sent(
    cloud: Cloud, edge: ActingEdge, restart: Any, make_edge: Any
) -> None:
    cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    await edge.take()
    edge.disconnect()
    cloud.plane.registry.remove(KEY)
    again = make_edge(await restart())
    again.connect()
    assert await again.take() == ["delete default/configmap/c"]


async def test_nodes_have_their_grace_once_more_after_a_restart(
    edge: ActingEdge, restart: Any, vclock: VirtualClock
) -> None:
    await vclock.advance(30)
    again = await restart()
    await vclock.advance(39)
    assert is_ready(again.plane.registry.get(ObjectKey("Node", "", "edge-1")))
    await vclock.advance(1)
    assert not is_ready(again.plane.registry.get(ObjectKey("Node", "", "edge-1")))


# What nodes tell.


async def test_an_edge_that_starts_anew_is_sent_everything_once_more(cloud: Cloud, edge: ActingEdge) -> None:
    for each in (SERVICE, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}}):
        cloud.plane.api.apply(each)
    cloud.plane.kick()
    await edge.take()
    edge.disconnect()
    edge.store.clear()
    lines = await edge.join()
    assert edge.store == cloud.plane.wanted.holds("edge-1")
    assert sorted(lines) == [
        "update default/configmap/c",
        "update default/pod/user",
        "update default/podlist/web",
        "update namespace/endpointslist/endpoints",
        "update namespace/servicelist/service",
    ]


async def test_what_a_node_is_known_not_to_have_is_sent_once_more(cloud: Cloud, edge: ActingEdge) -> None:
    cloud.plane.registry.put(config("c"))
    cloud.plane.kick()
    await edge.take()
    cloud.plane.owe("edge-1", SyncedKey("configmap", "default", "c"))
    assert await edge.take() == ["update default/configmap/c"]


async def test_an_object_that_a_node_asked_for_is_kept_up_to_date_there(cloud: Cloud, edge: ActingEdge) -> None:
    held = cloud.plane.registry.put(config("asked"))
    cloud.plane.kick()
    await settle()
    cloud.delivery.queue("edge-1").answer(answer_parcel(held), 0.0)
    await edge.take()
    version = held["metadata"]["resourceVersion"]
    row = cloud.plane.synced.get("edge-1", SyncedKey("configmap", "default", "asked"))
    assert row == SyncedRow("uid-asked", version, version)
    cloud.plane.registry.put(config("asked", k="new"))
    cloud.plane.kick()
    assert await edge.take() == ["update default/configmap/asked"]


def answer_parcel(obj: Any) -> Any:
    """Return the answer to a question for an object."""
    metadata = obj["metadata"]
    resource = f"{metadata['namespace']}/{obj['kind'].lower()}/{metadata['name']}"
    head = Header("answer", "asked", 1, metadata["resourceVersion"])
    return parcel_of(Message(head, Route("edgecontroller", "resource", "response", resource), obj), lasting=False)


async def test_a_node_that_is_lost_and_back_keeps_its_pods(
    cloud: Cloud, edge: ActingEdge, vclock: VirtualClock
) -> None:
    for manifest in (DEPLOYMENT, SERVICE):
        cloud.plane.api.apply(manifest)
    cloud.plane.kick()
    await edge.take()
    names = [each["metadata"]["name"] for each in pods(cloud)]
    for name in names:
        edge.report(name)
    await edge.take()
    edge.disconnect()
    await vclock.advance(40)
    assert "addresses" not in endpoints_of(cloud)["subsets"][0]
    edge.connect()
    edge.post()
    await edge.take()
    assert len(endpoints_of(cloud)["subsets"][0]["addresses"]) == 2
    assert [each["metadata"]["name"] for each in pods(cloud)] == names
    assert edge.store["default/endpoints/web"] == wire(endpoints_of(cloud))


def endpoints_of(cloud: Cloud) -> Any:
    return cloud.plane.registry.get(ObjectKey("Endpoints", "default", "web"))
