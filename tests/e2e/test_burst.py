"""Many objects applied at once reach two edges completely, and in order for each object."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from burst import REPLICAS, Arrivals, manifests
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.downstream.devices import DeviceItems
from cloudhub_stub.downstream.synced import Synced
from cloudhub_stub.downstream.wanted import Wanted
from cloudhub_stub.store.cluster import stored_objects, stored_synced
from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from edgecore.clock import VirtualClock
from edgecore.errors import StoreError
from edgecore.ids import seeded_ids
from edgecore.store.databasefile import peek

SERVICES = 100
"""In a short run."""
ALL_SERVICES = 1000
PATIENCE_S = 400.0
OF_CLOUD = frozenset({"service", "endpoints", "podlist", "pod"})
THERE = """SELECT type, count(*) FROM meta
    WHERE type IN ('service', 'pod')
        OR type = 'endpoints' AND json_array_length(value, '$.subsets[0].addresses') = 3
        OR type = 'podlist' AND json_array_length(value) = 3 AND value NOT LIKE '%"Pending"%'
    GROUP BY type"""
"""How many objects of each type a node has: services, their endpoints and lists with three pods that run, pods."""
GO_KEEPS_A_QUESTION_S = 15.0
"""The sync keeper of EdgeHub (``edge/pkg/edgehub/process.go:183@v1.3.1``)."""
GO_OBJECTS_A_SECOND = 25
"""What the Go cloud did in recording f."""

pytestmark = pytest.mark.timeout(int(PATIENCE_S) + 200)


class Burst(NamedTuple):
    """What was applied, and what has come of it."""

    cloud: Cloud
    count: int
    arrivals: dict[str, Arrivals]
    seconds: float
    """From apply until both edges had everything."""
    equal_s: float
    """And until it was in its newest state, statuses included."""


class StateFile:
    """What the stub has on disk."""

    def __init__(self, cloud: Cloud) -> None:
        self._path = cloud.stub.directory / "cloudhub.db"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return peek(self._path, sql)


def wanted(cloud: Cloud, node: str) -> dict[str, object]:
    """Return what a node is to hold, by what the stub has on disk."""
    registry, synced, file = Registry(), Synced(), StateFile(cloud)
    for _, found in stored_objects(file):
        assert not isinstance(found, StoreError)
        registry.load(found)
    synced.load(stored_synced(file))
    return Wanted(registry, synced, DeviceItems(registry, synced, VirtualClock(), seeded_ids(1))).holds(node)


def held(edge: Edge) -> dict[str, object]:
    """Return what a node has from the cloud."""
    return {key: json.loads(row.value) for key, row in edge.store().items() if row.type in OF_CLOUD}


def differing(cloud: Cloud, edge: Edge) -> list[str]:
    """Return the keys under which a node does not hold what it is to hold."""
    is_held, is_wanted = held(edge), wanted(cloud, edge.name)
    return [key for key in is_held.keys() | is_wanted.keys() if is_held.get(key) != is_wanted.get(key)]


def counts(edge: Edge) -> Counter[str]:
    """Return how many objects of each type a node has from the cloud."""
    return Counter(row.type for row in edge.store().values() if row.type in OF_CLOUD)


def is_there(cloud: Cloud, count: int, known: int) -> bool:
    """Whether each node has every service with all its pods ready, and all pods are at one of them.

    The files are not looked into before ``known``, of how many things they have heard, is enough: looking costs time.
    """
    assert known >= count * (3 * len(cloud.edges) + REPLICAS)
    found = [Counter(dict(peek(edge.directory / "edgecore.db", THERE))) for edge in cloud.edges]
    assert [(each["service"], each["endpoints"], each["podlist"]) for each in found] == [(count,) * 3] * len(found)
    assert sum(each["pod"] for each in found) == REPLICAS * count
    return True


def is_equal(cloud: Cloud) -> bool:
    """Whether each node holds what it is to hold: the news that only the status of a pod has comes seconds later."""
    for edge in cloud.edges:
        different = differing(cloud, edge)
        assert not different, f"{edge.name} differs in {len(different)} objects: {sorted(different)[:5]}"
    return True


def heard(arrivals: dict[str, Arrivals]) -> int:
    """Return of how many things the nodes have heard."""
    return sum(len(each.of) for each in arrivals.values())


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory, scale: int) -> Iterator[Burst]:
    """Apply everything to a cloud with two edges, each of which can take all pods, and wait until it is there."""
    count = min(SERVICES * scale, ALL_SERVICES)
    settings = {"modules": {"edged": {"maxPods": REPLICAS * count}}}
    with Cloud.start(tmp_path_factory.mktemp("burst"), plain=True, edges=2, settings=settings) as cloud:
        arrivals = {edge.name: Arrivals(edge) for edge in cloud.edges}
        for each in arrivals.values():
            each.start()
        began = time.monotonic()
        cloud.apply(list(manifests(count)))
        everything = f"{count} services at both edges"
        cloud.wait_for(lambda c: is_there(c, count, heard(arrivals)), PATIENCE_S, everything)
        seconds = time.monotonic() - began
        cloud.wait_for(is_equal, PATIENCE_S, "both edges as they are to be")
        equal_s = time.monotonic() - began
        cloud.wait_for_settled()
        for each in arrivals.values():
            each.stop()
        yield Burst(cloud, count, arrivals, seconds, equal_s)


def test_every_object_reaches_both_edges(burst: Burst, capsys: pytest.CaptureFixture[str]) -> None:
    found = [counts(edge) for edge in burst.cloud.edges]
    assert [(each["service"], each["endpoints"], each["podlist"]) for each in found] == [(burst.count,) * 3] * 2
    assert sum(each["pod"] for each in found) == REPLICAS * burst.count
    objects = sum(each.total() for each in found)
    rate = objects / burst.seconds
    told = (
        f"{objects} objects at two edges {burst.seconds:.1f} s after apply, with all that they hear watched:",
        f"{rate:.0f} a second (the Go cloud: about {GO_OBJECTS_A_SECOND});",
        f"all as in the cloud after {burst.equal_s:.1f} s;",
        f"a node waited {waits_s(burst)[-1]:.2f} s for an answer at most",
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{' '.join(told)}\n")
    assert rate > GO_OBJECTS_A_SECOND


def waits_s(burst: Burst) -> list[float]:
    """Return how long nodes waited for the answers to their statuses, the longest last."""
    return sorted(wait for each in burst.arrivals.values() for wait in each.waits_s)


def test_each_edge_holds_what_the_cloud_says_it_is_to_hold(burst: Burst) -> None:
    assert {edge.name: differing(burst.cloud, edge) for edge in burst.cloud.edges} == {"edge-1": [], "edge-2": []}


def test_no_object_ever_goes_back(burst: Burst) -> None:
    back = []
    for edge in burst.cloud.edges:
        arrivals = burst.arrivals[edge.name]
        assert arrivals.missed == 0
        for resource, heard in arrivals.of.items():
            seen: set[str] = set()
            newest: dict[str, int] = {}
            for arrival in heard:
                if arrival.id in seen:
                    continue  # sent once more, and taken once
                seen.add(arrival.id)
                old = {uid: version for uid, version in arrival.versions.items() if version < newest.get(uid, 0)}
                back += [f"{edge.name}: {resource} has {version} of {uid}" for uid, version in old.items()]
                newest.update(arrival.versions)
    assert not back


def test_what_came_last_of_each_object_is_what_is_stored(burst: Burst) -> None:
    for edge in burst.cloud.edges:
        stored = held(edge)
        heard = burst.arrivals[edge.name].of
        assert stored.keys() <= heard.keys()
        for resource, value in stored.items():
            objects = value if isinstance(value, list) else [value]
            versions = {each["metadata"]["uid"]: int(each["metadata"]["resourceVersion"]) for each in objects}
            assert heard[resource][-1].versions == versions, resource


def test_nodes_are_answered_meanwhile(burst: Burst) -> None:
    """Within the time for which a Go edge waits for an answer; how fast that is, is printed and not tested."""
    assert max(waits_s(burst)) < GO_KEEPS_A_QUESTION_S


def test_every_message_is_accounted_for_and_none_was_given_up(burst: Burst) -> None:
    queues = burst.cloud.status()["queues"]
    assert (burst.cloud.ledger()["unexplained"], queues) == (0, {"waiting": {}, "given_up": 0, "refused": 0})
    for edge in burst.cloud.edges:
        assert edge.ledger()["unexplained"] == 0
