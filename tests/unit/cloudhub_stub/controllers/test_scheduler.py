"""The scheduler: where pods go, what is said where they cannot, and that its sums are those of the cluster."""

from time import perf_counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object, key_of
from cloudhub_stub.controllers.scheduler import NodeState, Placement, Scheduler, place, unschedulable
from workloads import START_MS, node, pod


def states(*names: str) -> list[NodeState]:
    return [NodeState(node(name), True, []) for name in names]


def bound(each: Object, name: str) -> Object:
    return {**each, "spec": {**each["spec"], "nodeName": name}}


def asking(name: str, cpu: str, **spec: Any) -> Object:
    return pod(name, containers=[{"name": "c", "resources": {"requests": {"cpu": cpu}}}], **spec)


def placed(scheduler: Scheduler, *pods: Object) -> list[str]:
    """Place pods one after the other."""
    found = []
    for each in pods:
        found.append(scheduler.place(each).node)
        if found[-1]:
            scheduler.add_pod(bound(each, found[-1]))
    return found


def with_nodes(*nodes: Object) -> Scheduler:
    scheduler = Scheduler()
    for each in nodes:
        scheduler.set_node(each)
        scheduler.set_connected(each["metadata"]["name"], connected=True)
    return scheduler


def test_a_pod_goes_to_the_node_that_fits() -> None:
    assert place(pod("a"), states("n")) == Placement("n", "Scheduled", "Successfully assigned default/a to n")


def test_without_nodes_there_is_nowhere_to_go() -> None:
    assert place(pod("a"), []) == Placement("", "Unschedulable", "no nodes available to schedule pods")


def test_the_reasons_are_counted_and_sorted_as_by_kubernetes() -> None:
    full = [NodeState(node(name), True, [asking(f"on-{name}", "2", nodeName=name)]) for name in ("a", "b")]
    zone = {"zone": "x"}
    nodes = [*full, *states("c")]
    for state in full:
        state.node["metadata"]["labels"] = {**state.node["metadata"]["labels"], **zone}
    text = "0/3 nodes are available: 1 node(s) didn't match node selector, 2 Insufficient cpu."
    assert place(asking("p", "1", nodeSelector=zone), nodes) == Placement("", "Unschedulable", text)


def test_pods_of_one_owner_are_spread_over_the_nodes() -> None:
    pods = [pod(f"p{number}", owner="d1") for number in range(4)]
    assert placed(with_nodes(node("a"), node("b")), *pods) == ["a", "b", "a", "b"]


def test_a_pod_that_has_ended_makes_room() -> None:
    ended = {**asking("x", "2", nodeName="n"), "status": {"phase": "Failed"}}
    assert place(asking("p", "2"), [NodeState(node("n"), True, [ended])]).node == "n"


def test_a_pod_that_ends_makes_room() -> None:
    scheduler = with_nodes(node("n"))
    running = asking("x", "2", nodeName="n")
    scheduler.add_pod(running)
    assert scheduler.place(asking("p", "1")).node == ""
    scheduler.add_pod({**running, "status": {"phase": "Succeeded"}})
    assert scheduler.place(asking("p", "1")).node == "n"


def test_a_pod_that_is_added_again_counts_once() -> None:
    scheduler = with_nodes(node("n"))
    for _ in range(3):
        scheduler.add_pod(asking("x", "1", nodeName="n"))
    assert scheduler.place(asking("p", "1")).node == "n"


def test_a_pod_whose_labels_change_is_spread_by_the_new_ones() -> None:
    scheduler = with_nodes(node("a"), node("b"))
    there = bound(pod("there", labels={"app": "x"}), "a")
    scheduler.add_pod(there)
    scheduler.add_pod({**there, "status": {"phase": "Running"}})
    scheduler.add_pod({**there, "metadata": {**there["metadata"], "labels": {"app": "y"}}})
    scheduler.add_pod(bound(pod("other", labels={"app": "z"}), "b"))
    assert scheduler.place(pod("p", labels={"app": "y"})).node == "b"


def test_a_pod_that_is_removed_makes_room_and_one_that_is_not_there_none() -> None:
    scheduler = with_nodes(node("n"))
    running = asking("x", "2", nodeName="n")
    scheduler.add_pod(running)
    for _ in range(2):
        scheduler.remove_pod(key_of(running))
    assert placed(scheduler, asking("p", "2"), asking("q", "1")) == ["n", ""]


def test_a_node_that_changes_is_taken_as_it_is_now() -> None:
    scheduler = with_nodes(node("n"))
    scheduler.set_node(node("n", unschedulable=True))
    assert scheduler.place(pod("a")).message == "0/1 nodes are available: 1 node(s) were unschedulable."


def test_a_node_that_disconnects_takes_no_pods_until_it_is_back() -> None:
    scheduler = with_nodes(node("n"))
    scheduler.set_connected("n", connected=False)
    assert scheduler.place(pod("a")).message == "0/1 nodes are available: 1 node(s) were not connected."
    scheduler.set_connected("n", connected=True)
    assert scheduler.place(pod("a")).node == "n"


def test_a_node_that_comes_back_has_its_pods_still() -> None:
    scheduler = with_nodes(node("n"))
    scheduler.add_pod(asking("x", "2", nodeName="n"))
    scheduler.remove_node("n")
    assert scheduler.place(pod("a")).message == "no nodes available to schedule pods"
    scheduler.set_node(node("n"))
    assert scheduler.place(asking("p", "1")).node == ""


def test_a_pod_that_no_node_takes_says_so_in_its_conditions() -> None:
    refused = unschedulable(pod("a"), Placement("", "Unschedulable", "no"), START_MS)
    assert refused["status"] == {
        "phase": "Running",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": "2027-01-15T08:00:00Z",
                "reason": "Unschedulable",
                "message": "no",
            }
        ],
    }


def test_a_pod_that_says_so_already_is_the_same_object() -> None:
    refused = unschedulable(pod("a"), Placement("", "Unschedulable", "no"), START_MS)
    assert unschedulable(refused, Placement("", "Unschedulable", "no"), START_MS + 5_000) is refused


def test_other_reasons_change_the_message_and_not_the_time() -> None:
    refused = unschedulable(pod("a"), Placement("", "Unschedulable", "no"), START_MS)
    again = unschedulable(refused, Placement("", "Unschedulable", "still no"), START_MS + 5_000)
    assert [each["message"] for each in again["status"]["conditions"]] == ["still no"]
    assert again["status"]["conditions"][0]["lastTransitionTime"] == "2027-01-15T08:00:00Z"


_PODS = st.lists(
    st.builds(
        lambda name, cpu, port, owner, node_name, phase: {
            **pod(
                name,
                node=node_name,
                owner=owner,
                containers=[
                    {
                        "name": "c",
                        "resources": {"requests": {"cpu": cpu}},
                        "ports": [{"containerPort": 80, "hostPort": port}],
                    }
                ],
            ),
            "status": {"phase": phase},
        },
        st.sampled_from("abcdef"),
        st.sampled_from(["0", "500m", "1"]),
        st.sampled_from([0, 80, 81]),
        st.sampled_from(["", "d1"]),
        st.sampled_from(["", "n", "m", "lost"]),
        st.sampled_from(["Running", "Failed"]),
    ),
    max_size=12,
)


@given(_PODS, st.sets(st.sampled_from("abcdef")))
def test_after_any_changes_it_decides_as_one_that_begins_anew(changes: list[Object], removed: set[str]) -> None:
    scheduler = with_nodes(node("n"), node("m"))
    now: dict[str, Object] = {}
    for each in changes:
        scheduler.add_pod(each)
        now[each["metadata"]["name"]] = each
    for name in removed & set(now):
        scheduler.remove_pod(key_of(now.pop(name)))
    fresh = [
        NodeState(node(name), True, [each for each in now.values() if each["spec"].get("nodeName") == name])
        for name in ("n", "m")
    ]
    for probe in (asking("p", "1"), pod("q", owner="d1"), changes[0] if changes else pod("r")):
        assert scheduler.place(probe) == place(probe, fresh)


@given(_PODS)
def test_no_node_gets_more_than_it_has_nor_a_port_twice(pods: list[Object]) -> None:
    nodes = [node("n"), node("m", allocatable={"cpu": "1", "pods": "2"})]
    scheduler = with_nodes(*nodes)
    unique = {each["metadata"]["name"]: each for each in pods}
    waiting = [{**each, "status": {}, "spec": {**each["spec"], "nodeName": ""}} for each in unique.values()]
    where = placed(scheduler, *waiting)
    for name, cores, most in (("n", 2.0, 110), ("m", 1.0, 2)):
        there = [each["spec"]["containers"][0] for each, target in zip(waiting, where, strict=True) if target == name]
        ports = [each["ports"][0]["hostPort"] for each in there if each["ports"][0]["hostPort"]]
        asked = {"0": 0.0, "500m": 0.5, "1": 1.0}
        assert sum(asked[each["resources"]["requests"]["cpu"]] for each in there) <= cores
        assert len(there) <= most
        assert len(ports) == len(set(ports))


def test_three_thousand_pods_are_placed_on_two_nodes_in_less_than_two_seconds() -> None:
    scheduler = with_nodes(node("a", allocatable={}), node("b", allocatable={}))
    pods = [asking(f"p{number}", "1m", owner=f"d{number // 3}") for number in range(3000)]
    begin = perf_counter()
    found = placed(scheduler, *pods)
    assert perf_counter() - begin < 2
    assert (found.count("a"), found.count("b")) == (1500, 1500)
