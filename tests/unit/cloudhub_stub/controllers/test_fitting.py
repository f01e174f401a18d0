"""Whether a pod fits a node, and which of several nodes it had better be on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.fitting import HostPort, Load, Needs, drawbacks, needs_of, offer_of, reasons_against
from workloads import EDGE_LABELS, node, pod

DISK = {"key": "disk", "operator": "In", "values": ["hdd"]}
NO_PORTS = "node(s) didn't have free ports for the requested pod ports"
NOT_SELECTED = "node(s) didn't match node selector"
NOT_TOLERATED = "node(s) had taints that the pod didn't tolerate"


def against(each: Object, place: Object, *others: Object, connected: bool = True) -> list[str]:
    load = Load()
    for other in others:
        load.add(needs_of(other))
    return reasons_against(each, needs_of(each), offer_of(place), load, connected=connected)


def asking(name: str = "a", **requests: Any) -> Object:
    return pod(name, containers=[{"name": "c", "resources": {"requests": requests}}])


def with_port(name: str, port: int = 80, **more: Any) -> Object:
    return pod(name, containers=[{"name": "c", "ports": [{"containerPort": 8080, "hostPort": port, **more}]}])


def selecting(*terms: Any) -> Object:
    required = {"nodeSelectorTerms": list(terms)}
    return pod("a", affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}})


def test_a_pod_that_asks_for_nothing_fits_an_edge_node_that_is_ready() -> None:
    assert against(pod("a"), node("n")) == []


@pytest.mark.parametrize(
    ("place", "connected", "reason"),
    [
        (node("n", labels={"node-role.kubernetes.io/master": ""}), True, "node(s) were not edge nodes"),
        (node("n"), False, "node(s) were not connected"),
        (node("n", ready=False), True, "node(s) were not ready"),
        ({"metadata": {"name": "n", "labels": EDGE_LABELS}}, True, "node(s) were not ready"),
        (node("n", unschedulable=True), True, "node(s) were unschedulable"),
    ],
)
def test_a_node_that_takes_no_pods_says_why(place: Object, connected: bool, reason: str) -> None:
    assert against(pod("a"), place, connected=connected) == [reason]


def test_a_pod_that_tolerates_it_goes_to_a_node_that_is_closed() -> None:
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
    assert against(pod("a", tolerations=[toleration]), node("n", unschedulable=True)) == []


@pytest.mark.parametrize("selector", [{"disk": "ssd"}, {"disk": "hdd", "zone": "a"}, {"zone": ""}])
def test_a_node_selector_wants_every_label(selector: dict[str, str]) -> None:
    place = node("n", labels={**EDGE_LABELS, "disk": "hdd"})
    assert against(pod("a", nodeSelector=selector), place) == [NOT_SELECTED]
    assert against(pod("a", nodeSelector={"disk": "hdd"}), place) == []


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        ([{"matchExpressions": [{"key": "node-role.kubernetes.io/edge", "operator": "Exists"}]}], True),
        ([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}], False),
        ([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, {"matchExpressions": [DISK]}], True),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}], True),
        ([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]}], False),
        (
            [{"matchExpressions": [DISK], "matchFields": [{"key": "metadata.name", "operator": "In", "values": []}]}],
            False,
        ),
        ([{}], False),
        ([], False),
    ],
)
def test_one_term_of_a_required_affinity_must_match(terms: list[Any], fits: bool) -> None:
    place = node("n", labels={**EDGE_LABELS, "disk": "hdd"})
    assert against(selecting(*terms), place) == ([] if fits else [NOT_SELECTED])


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({}, False),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "operator": "Equal", "value": "other"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"operator": "Exists"}, True),
    ],
)
def test_a_taint_must_be_tolerated(toleration: dict[str, str], fits: bool) -> None:
    place = node("n", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    assert against(pod("a", tolerations=[toleration]), place) == ([] if fits else [NOT_TOLERATED])


def test_a_taint_that_only_advises_against_keeps_nobody_away() -> None:
    assert against(pod("a"), node("n", taints=[{"key": "k", "effect": "PreferNoSchedule"}])) == []


@pytest.mark.parametrize(
    ("taken", "fits"),
    [
        (with_port("b"), False),
        (with_port("b", protocol="UDP"), True),
        (with_port("b", 81), True),
        (with_port("b", hostIP="10.0.0.1"), False),
        (pod("b", initContainers=[{"ports": [{"containerPort": 80, "hostPort": 80}]}]), True),
    ],
)
def test_a_host_port_is_had_once(taken: Object, fits: bool) -> None:
    assert against(with_port("a"), node("n"), taken) == ([] if fits else [NO_PORTS])


def test_a_host_port_can_be_had_on_two_addresses() -> None:
    assert against(with_port("a", hostIP="10.0.0.2"), node("n"), with_port("b", hostIP="10.0.0.1")) == []
    assert against(with_port("a", hostIP="10.0.0.1"), node("n"), with_port("b", hostIP="10.0.0.1")) == [NO_PORTS]


def test_a_host_port_that_is_had_on_every_address_is_had_on_each() -> None:
    assert against(with_port("a", hostIP="10.0.0.1"), node("n"), with_port("b")) == [NO_PORTS]


def test_requests_must_fit_into_what_is_left() -> None:
    place = node("n", allocatable={"cpu": "2", "memory": "1Gi", "pods": "110"})
    other = asking("b", cpu="1500m", memory="512Mi")
    assert against(asking(cpu="500m", memory="512Mi"), place, other) == []
    assert against(asking(cpu="501m"), place, other) == ["Insufficient cpu"]
    assert sorted(against(asking(cpu=1, memory="1Gi"), place, other)) == ["Insufficient cpu", "Insufficient memory"]


def test_a_pod_that_asks_for_no_cpu_fits_a_node_that_is_full() -> None:
    assert against(asking(memory="1Mi"), node("n"), asking("b", cpu="2")) == []


def test_there_are_as_many_pods_as_the_node_allows() -> None:
    place = node("n", allocatable={"pods": "2"})
    assert against(pod("a"), place, pod("b")) == []
    assert against(pod("a"), place, pod("b"), pod("c")) == ["Insufficient pods"]


@pytest.mark.parametrize("allocatable", [{}, {"cpu": "lots", "pods": None}])
def test_what_a_node_does_not_say_sets_no_limit(allocatable: dict[str, Any]) -> None:
    assert against(asking(cpu="64", memory="1Ti"), node("n", allocatable=allocatable)) == []


def test_of_devices_that_a_node_does_not_name_it_has_none() -> None:
    assert against(asking(**{"example.org/gpu": 1}), node("n")) == ["Insufficient example.org/gpu"]
    assert against(asking(**{"example.org/gpu": 0}), node("n")) == []


def test_every_general_reason_is_told() -> None:
    each = {**asking(cpu="4"), "spec": {**asking(cpu="4")["spec"], "nodeSelector": {"zone": "a"}}}
    assert against(each, node("n")) == ["Insufficient cpu", NOT_SELECTED]


def test_a_pod_needs_the_sum_of_its_containers_or_the_most_of_an_init_container() -> None:
    containers = [{"resources": {"requests": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1", "memory": "1k"}}}]
    init = [{"resources": {"requests": {"cpu": "3"}}}, {"resources": {"requests": {"memory": "1"}}}]
    assert needs_of(pod("a", containers=containers, initContainers=init)).requests == {"cpu": 3000, "memory": 1_000_000}


def test_ports_are_had_on_every_address_unless_one_is_named() -> None:
    assert needs_of(with_port("a")).ports == (HostPort("TCP", 80, "0.0.0.0"),)


def test_pods_of_one_owner_are_a_group_and_pods_of_equal_labels_without_one() -> None:
    assert needs_of(pod("a", owner="d1", labels={"x": "1"})).group == needs_of(pod("b", owner="d1")).group
    assert needs_of(pod("a", labels={"x": "1"})).group == needs_of(pod("b", labels={"x": "1"})).group
    assert needs_of(pod("a", labels={"x": "1"})).group != needs_of(pod("b", labels={"x": "2"})).group
    assert needs_of(pod("a")).group is None


def better(each: Object, *places: tuple[Object, list[Object]]) -> str:
    found = []
    for place, others in places:
        load = Load()
        for other in others:
            load.add(needs_of(other))
        found.append(drawbacks(each, needs_of(each), offer_of(place), load))
    return min(found)[-1]


def test_the_node_that_is_preferred_most_is_better() -> None:
    preferred = [
        {"weight": weight, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": [value]}]}}
        for weight, value in ((10, "ssd"), (20, "hdd"))
    ]
    each = pod("a", affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})
    nodes = [node(value, labels={**EDGE_LABELS, "disk": value}) for value in ("ssd", "hdd", "tape")]
    assert better(each, *((place, [pod("b")]) for place in nodes[1:]), (nodes[0], [])) == "hdd"


def test_a_node_without_a_taint_that_advises_against_is_better() -> None:
    tainted = node("a", taints=[{"key": "k", "effect": "PreferNoSchedule"}])
    assert better(pod("a"), (tainted, []), (node("b"), [pod("b")])) == "b"


def test_a_node_with_fewer_pods_of_the_group_is_better() -> None:
    each = pod("a", owner="d1")
    others = [pod("y", owner="d2"), pod("z", owner="d2")]
    assert better(each, (node("a"), [pod("x", owner="d1")]), (node("b"), others)) == "b"


def test_else_a_node_with_fewer_pods_is_better_and_else_the_first_by_name() -> None:
    assert better(pod("a"), (node("a"), [pod("x")]), (node("b"), [])) == "b"
    assert better(pod("a"), (node("b"), []), (node("a"), [])) == "a"


_NEEDS = st.builds(
    Needs,
    st.dictionaries(st.sampled_from(["cpu", "memory"]), st.integers(1, 5)),
    st.lists(
        st.builds(
            HostPort, st.sampled_from(["TCP", "UDP"]), st.integers(1, 2), st.sampled_from(["0.0.0.0", "10.0.0.1"])
        ),
        max_size=3,
    ).map(tuple),
    st.sampled_from([None, ("default", "d1", frozenset())]),
)


@given(st.lists(_NEEDS), st.lists(_NEEDS))
def test_what_is_removed_leaves_no_trace(stay: list[Needs], go: list[Needs]) -> None:
    load, expected = Load(), Load()
    for needs in [*stay, *go]:
        load.add(needs)
    for needs in go:
        load.remove(needs)
    for needs in stay:
        expected.add(needs)
    assert (load.pods, +load.sums, load.groups) == (expected.pods, +expected.sums, expected.groups)
    for port in (HostPort(protocol, number, "10.0.0.1") for protocol in ("TCP", "UDP") for number in (1, 2)):
        assert load.has_free([port]) == expected.has_free([port])
