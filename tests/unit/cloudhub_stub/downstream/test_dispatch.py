"""Sending: what is gathered, when it goes, and what is done about what did not arrive."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import ObjectKey, key_of
from cloudhub_stub.controllers.names import ENDPOINTS, NODES, PODGC
from cloudhub_stub.downstream.dispatch import SYNC_EVERY_S, SYNCED_A_ROUND
from cloudhub_stub.store.cluster import SyncedKey
from cluster.acting import ActingEdge
from cluster.devices import device
from cluster.objects import config, pod, service
from edgecore.clock import VirtualClock, settle
from edgecore.observe.ledger import SUPERSEDED

C = ObjectKey("ConfigMap", "default", "c")
MADE = ["insert default/endpoints/web", "insert default/service/web", "update default/podlist/web"]
"""What a new service makes to be sent."""
USING = {"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "c"}}]}]}


@pytest.fixture(autouse=True)
async def stopped(cloud: Cloud) -> AsyncIterator[None]:
    yield
    cloud.plane.stop()


@pytest.fixture
async def edge(cloud: Cloud, make_edge: Any) -> ActingEdge:
    """An edge that is ready, and has a pod that uses a ConfigMap."""
    made: ActingEdge = make_edge(cloud)
    cloud.plane.registry.put(pod("user", "edge-1", spec=USING))
    await made.join()
    return made


def put(edge: ActingEdge, *objects: Any) -> None:
    for each in objects:
        edge.cloud.plane.registry.put(each)
    edge.cloud.plane.kick()


def remove(edge: ActingEdge, key: ObjectKey) -> None:
    edge.cloud.plane.registry.remove(key)
    edge.cloud.plane.kick()


async def test_a_change_goes_to_a_node_that_is_connected(edge: ActingEdge) -> None:
    put(edge, config("c"))
    assert await edge.take() == ["insert default/configmap/c"]


async def test_a_change_waits_for_a_node_that_is_away(edge: ActingEdge) -> None:
    edge.disconnect()
    put(edge, service("web"))
    await settle()
    assert edge.cloud.delivery.depth("edge-1") == 0
    edge.connect()
    assert sorted(await edge.take()) == MADE


async def test_a_change_and_a_connection_at_once_make_one_message(edge: ActingEdge) -> None:
    edge.disconnect()
    put(edge, service("web"))
    edge.connect()
    assert sorted(await edge.take()) == MADE
    assert edge.cloud.ledger.counts().get(("cloud->edge", SUPERSEDED, "newer_version")) is None


async def test_what_has_arrived_is_not_sent_at_the_next_connection(edge: ActingEdge) -> None:
    put(edge, config("c"), service("web"))
    await edge.take()
    edge.disconnect()
    edge.connect()
    assert await edge.take() == []


async def test_what_was_written_and_not_acknowledged_is_made_anew(edge: ActingEdge) -> None:
    put(edge, config("c", k="1"))
    assert await edge.written() == ["insert default/configmap/c"]
    edge.disconnect()
    put(edge, config("c", k="2"))
    edge.connect()
    assert await edge.take() == ["insert default/configmap/c"]
    assert edge.store["default/configmap/c"]["data"] == {"k": "2"}
    assert edge.cloud.ledger.counts()["cloud->edge", SUPERSEDED, "made_anew"] == 1
    assert edge.cloud.ledger.under_way == 0


async def test_a_new_status_alone_follows_some_seconds_later(edge: ActingEdge, vclock: VirtualClock) -> None:
    edge.report("user")
    await vclock.advance(SYNC_EVERY_S - 0.1)
    assert await edge.take() == []
    await vclock.advance(0.1)
    assert await edge.take() == ["update default/pod/user"]
    assert edge.store["default/pod/user"]["status"]["phase"] == "Running"


async def test_many_new_statuses_are_sent_by_and_by(edge: ActingEdge, vclock: VirtualClock) -> None:
    names = [f"p{number:04}" for number in range(2 * SYNCED_A_ROUND + 1)]
    put(edge, *(pod(name, "edge-1") for name in names))
    await edge.take()
    for name in names:
        edge.report(name)
    rounds: list[int] = []
    edge.cloud.delivery.on_work = lambda node: rounds.append(edge.cloud.delivery.depth(node))
    await vclock.advance(SYNC_EVERY_S)
    assert rounds == [SYNCED_A_ROUND, 2 * SYNCED_A_ROUND, 2 * SYNCED_A_ROUND + 1]
    assert await edge.take() == [f"update default/pod/{name}" for name in names]
    assert {edge.store[f"default/pod/{name}"]["status"]["phase"] for name in names} == {"Running"}


async def test_statuses_that_follow_each_other_are_sent_as_one(edge: ActingEdge, vclock: VirtualClock) -> None:
    for ip in ("1.1.1.1", "2.2.2.2", "3.3.3.3"):
        edge.report("user", podIP=ip)
        await vclock.advance(1)
    await vclock.advance(SYNC_EVERY_S)
    assert await edge.take() == ["update default/pod/user"]
    await vclock.advance(2 * SYNC_EVERY_S)
    assert await edge.take() == []


async def test_a_status_of_a_node_that_has_gone_away_follows_when_it_is_back(
    edge: ActingEdge, vclock: VirtualClock
) -> None:
    edge.report("user")
    edge.disconnect()
    await vclock.advance(SYNC_EVERY_S)
    edge.connect()
    assert await edge.take() == ["update default/pod/user"]


async def test_what_something_newer_took_the_place_of_is_looked_at_again(
    edge: ActingEdge, vclock: VirtualClock
) -> None:
    """The newest of it has arrived: nothing is owed."""
    put(edge, config("c"))
    await edge.take()
    for value in ("1", "2", "3"):
        put(edge, config("c", k=value))
        await settle()
    assert await edge.take() == ["update default/configmap/c"]
    assert edge.cloud.ledger.counts()["cloud->edge", SUPERSEDED, "newer_version"] == 2
    await vclock.advance(2 * SYNC_EVERY_S)
    assert await edge.take() == []


async def test_what_is_sent_in_an_older_state_by_somebody_else_is_put_right(
    edge: ActingEdge, vclock: VirtualClock, message: Any
) -> None:
    """A message by hand has a higher version than the cluster's, which it therefore takes the place of."""
    put(edge, config("c", k="1"))
    by_hand = message("update", "default/configmap/c", {}, version="900", source="edgecontroller", group="resource")
    await edge.cloud.delivery.accept("edge-1", [by_hand])
    await edge.take()
    assert edge.store["default/configmap/c"] == {}
    await vclock.advance(SYNC_EVERY_S)
    assert await edge.take() == ["insert default/configmap/c"]
    assert edge.store["default/configmap/c"]["data"] == {"k": "1"}


# Queues that are full.


@pytest.fixture
async def narrow(make_cloud: Any, make_edge: Any) -> Any:
    """An edge whose queue takes four messages."""
    cloud = make_cloud(max_messages=4)
    edge: ActingEdge = make_edge(cloud)
    await edge.join()
    yield edge
    cloud.plane.stop()


async def test_a_node_whose_queue_was_full_catches_up(narrow: ActingEdge) -> None:
    put(narrow, *(service(f"s{number}") for number in range(20)))
    await settle()
    assert narrow.cloud.delivery.depth("edge-1") == 4
    lines = await narrow.take()
    assert narrow.store == narrow.cloud.plane.wanted.holds("edge-1")
    assert len(narrow.store) >= 20
    assert narrow.cloud.plane.dispatch.behind("edge-1") == 0
    inserted = [line for line in lines if line.startswith("insert default/service/")]
    assert len(inserted) == len(set(inserted)) == 20


async def test_a_node_whose_queue_was_full_of_messages_by_hand_catches_up(narrow: ActingEdge, message: Any) -> None:
    header = {"source": "edgecontroller", "group": "resource"}
    by_hand = [message("insert", f"default/pod/{name}", {}, id=name, **header) for name in "abcd"]
    await narrow.cloud.delivery.accept("edge-1", by_hand)
    put(narrow, service("web"))
    await settle()
    assert "insert default/service/web" in await narrow.take()


async def test_a_node_that_went_away_behind_catches_up_when_it_is_back(narrow: ActingEdge) -> None:
    put(narrow, *(service(f"s{number}") for number in range(20)))
    await narrow.take(1)
    narrow.disconnect()
    await settle()
    narrow.connect()
    await narrow.take()
    assert narrow.store == narrow.cloud.plane.wanted.holds("edge-1")


async def test_pods_that_nobody_knows_fill_no_memory(narrow: ActingEdge) -> None:
    narrow.say("update", "default/podstatus", [{"Name": f"p{number}"} for number in range(100)])
    await settle()
    narrow.say("update", "default/podstatus", [{"Name": f"q{number}"} for number in range(100)])
    await settle()
    assert narrow.cloud.delivery.depth("edge-1") == 4
    assert len(narrow.cloud.plane.synced.of("edge-1")) < 20


# What nodes say.


async def test_an_unknown_pod_that_is_reported_twice_at_once_gets_one_delete(edge: ActingEdge) -> None:
    for _ in range(2):
        edge.report("ghost")
    assert await edge.take() == ["delete default/pod/ghost"]


async def test_an_unknown_pod_that_is_reported_again_later_gets_another_delete(edge: ActingEdge) -> None:
    edge.report("ghost")
    await edge.take()
    edge.report("ghost")
    assert await edge.take() == ["delete default/pod/ghost"]


async def test_an_edge_that_registers_gets_nothing_twice(edge: ActingEdge) -> None:
    put(edge, config("c"))
    edge.disconnect()
    edge.connect()
    edge.register()
    assert sorted(await edge.take()) == ["insert default/configmap/c", "update default/pod/user"]


async def test_an_edge_that_registers_gets_the_lists_with_its_next_ready_status(edge: ActingEdge) -> None:
    edge.register()
    await edge.take()
    edge.post("False")
    assert await edge.take() == []
    edge.post()
    lists = ["update namespace/endpointslist/endpoints", "update namespace/servicelist/service"]
    assert sorted(await edge.take()) == lists
    edge.post()
    assert await edge.take() == []


async def test_an_edge_that_registers_and_is_as_ready_as_before_gets_the_lists_once(edge: ActingEdge) -> None:
    """Its status changes nothing, if it comes within the same second."""
    edge.register()
    await edge.take()
    edge.post()
    assert len(await edge.take()) == 2
    edge.post()
    assert await edge.take() == []


async def test_lists_that_did_not_arrive_come_with_the_first_status_of_the_next_connection(edge: ActingEdge) -> None:
    put(edge, service("web"))
    await edge.take()
    edge.register()
    edge.post()
    edge.store.clear()
    await edge.written()
    edge.disconnect()
    edge.connect()
    edge.post()
    await edge.take()
    assert edge.store == edge.cloud.plane.wanted.holds("edge-1")


async def test_lists_for_which_there_was_no_room_come_with_a_later_status(narrow: ActingEdge) -> None:
    put(narrow, *(service(f"s{number}") for number in range(8)))
    await narrow.take()
    narrow.disconnect()
    narrow.store.clear()
    narrow.connect()
    narrow.register()
    for _ in range(3):
        narrow.post()
        await narrow.take()
    assert narrow.store == narrow.cloud.plane.wanted.holds("edge-1")


async def test_a_list_that_has_arrived_brings_what_is_in_it(edge: ActingEdge) -> None:
    put(edge, service("web"))
    await edge.take()
    edge.register()
    edge.post()
    assert "update namespace/servicelist/service" in await edge.take()
    row = edge.cloud.plane.synced.get("edge-1", SyncedKey("service", "default", "web"))
    held = edge.cloud.plane.registry.get(ObjectKey("Service", "default", "web"))
    assert held is not None
    assert row is not None
    assert row.acked == held["metadata"]["resourceVersion"]


async def test_a_service_that_is_made_again_gets_its_list_again(edge: ActingEdge, vclock: VirtualClock) -> None:
    """The list overtakes the end of the first service, with which the edge drops it."""
    put(edge, service("web"))
    await edge.take()
    remove(edge, ObjectKey("Service", "default", "web"))
    await settle()
    put(edge, service("web", uid="another"))
    await edge.take()
    await vclock.advance(SYNC_EVERY_S)
    await edge.take()
    assert edge.store == edge.cloud.plane.wanted.holds("edge-1")
    assert "default/podlist/web" in edge.store


async def test_nothing_is_known_any_more_of_a_service_that_is_gone(edge: ActingEdge) -> None:
    before = dict(edge.cloud.plane.synced.of("edge-1"))
    put(edge, service("web"))
    await edge.take()
    for kind in ("Service", "Endpoints"):
        remove(edge, ObjectKey(kind, "default", "web"))
    await edge.take()
    assert edge.cloud.plane.synced.of("edge-1") == before


async def test_a_removed_node_is_sent_no_more(edge: ActingEdge) -> None:
    remove(edge, ObjectKey("Pod", "default", "user"))
    await edge.take()
    remove(edge, ObjectKey("Node", "", "edge-1"))
    put(edge, service("web"))
    assert await edge.take() == []


async def test_a_device_comes_and_its_wishes_follow(edge: ActingEdge) -> None:
    put(edge, device("led", node="edge-1", uid="u", desired={"power": "ON"}))
    assert await edge.take() == ["update membership"]
    put(edge, device("led", node="edge-1", uid="u", desired={"power": "OFF"}))
    assert await edge.take() == ["update device/led/twin/cloud_updated"]
    edge.disconnect()
    edge.connect()
    assert await edge.take() == []


_STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from([config("c", k="1"), config("c", k="2"), service("a"), service("b")])),
    st.tuples(
        st.just("put"), st.sampled_from([pod("p", "edge-1"), pod("p", "edge-1", uid="other"), pod("p", "x", uid="x")])
    ),
    st.tuples(st.just("remove"), st.sampled_from([C, ObjectKey("Service", "default", "a")])),
    st.tuples(st.just("remove"), st.just(ObjectKey("Pod", "default", "p"))),
    st.tuples(st.just("take"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["away", "back", "starts", "posts", "fails", "works", "passes"]), st.none()),
)


_FAILS, _STARTS, _AWAY = ("fails", None), ("starts", None), ("away", None)
_A, _POD = ("put", service("a")), ("put", pod("p", "edge-1"))
_GOES = ("remove", ObjectKey("Pod", "default", "p"))


@example(steps=[_A, ("take", 1), _STARTS], limit=2)  # lists for which there is no room
@example(steps=[_AWAY, _A], limit=2)  # one of the two lists alone has arrived
@example(steps=[_POD, _GOES, _POD, _GOES], limit=2)  # no room for the second removal
@example(steps=[_FAILS, _A, _STARTS, _A], limit=3)  # a list comes before an older state of what is in it
@given(steps=st.lists(_STEPS, max_size=25), limit=st.integers(2, 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_an_edge_that_is_back_holds_what_it_is_to_hold(
    make_cloud: Any, make_edge: Any, rows: Any, steps: list[Any], limit: int
) -> None:
    asyncio.run(_live(make_cloud(max_messages=limit, controllers=(NODES, PODGC, ENDPOINTS)), make_edge, rows, steps))


async def _live(cloud: Cloud, make_edge: Any, rows: Any, steps: list[Any]) -> None:
    edge: ActingEdge = make_edge(cloud)
    rows.broken = False
    put(edge, pod("user", "edge-1", spec=USING))
    await edge.join()
    is_away = False
    for step, what in steps:
        match step:
            case "put":
                held = cloud.plane.registry.get(key_of(what))
                if held is not None and held["metadata"]["uid"] != what["metadata"]["uid"]:
                    remove(edge, key_of(what))
                put(edge, what)
            case "remove" if cloud.plane.registry.get(what) is not None:
                remove(edge, what)
            case "take":
                await edge.take(what)
            case "away" if not is_away:
                edge.disconnect()
                is_away = True
            case "back" if is_away:
                edge.connect()
                is_away = False
            case "starts":
                if not is_away:
                    edge.disconnect()
                edge.store.clear()
                edge.connect()
                edge.register()
                is_away = False
            case "posts" if not is_away:
                edge.post()
            case "fails" | "works":
                rows.broken = step == "fails"
            case "passes":
                await edge.pass_time(3)
        await settle()
    rows.broken = False
    if is_away:
        edge.connect()
    for _ in range(8):  # a retry of the disk, some lists for which there was no room, what came in the wrong order
        edge.post()
        await edge.take()
        await edge.pass_time(SYNC_EVERY_S + 1)
    await edge.take()
    assert edge.store == cloud.plane.wanted.holds("edge-1")
    assert cloud.plane.dispatch.behind("edge-1") == 0
    assert cloud.delivery.depth("edge-1") == 0
    assert cloud.ledger.unexplained == 0
    cloud.plane.stop()
