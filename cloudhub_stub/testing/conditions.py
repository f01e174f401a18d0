"""What is waited for most, as pure functions that return what was looked for, or raise ``NotYet`` with what lacks."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.testing.errors import NotYet

Json = Mapping[str, Any]


def rolled_out(deployment: Object) -> Object:
    """All pods that are wanted are there, of the newest template, and available; and no others.

    As ``kubectl rollout status`` has it (kubernetes pkg/polymorphichelpers/rollout_status.go), for 0 replicas too.
    """
    metadata, status = deployment["metadata"], deployment.get("status", {})
    wanted = deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        raise NotYet(f"deployment {metadata['name']} was changed, and nobody has looked at it since")
    found = {name: status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")}
    if set(found.values()) != {wanted}:
        numbers = ", ".join(f"{name} {number}" for name, number in found.items())
        why = "".join(f"; {each.get('type')}: {each.get('message')}" for each in status.get("conditions", ()))
        raise NotYet(f"deployment {metadata['name']} wants {wanted} pods: {numbers}{why}")
    return deployment


def ready_node(nodes: Iterable[Json], name: str) -> Json:
    """The node is connected and has said that it is ready; ``nodes`` are as ``cloudhub-stub nodes --json`` has them."""
    seen = list(nodes)
    node = next((each for each in seen if each["name"] == name), None)
    if node is None:
        known = ", ".join(each["name"] for each in seen) or "none"
        raise NotYet(f"node {name} has not connected; known: {known}")
    lacking = [word for word in ("connected", "ready") if not node[word]]
    if lacking:
        raise NotYet(f"node {name} is not {', not '.join(lacking)}")
    return node


def at_rest(stub: Json, edges: Mapping[str, Json], ledgers: Mapping[str, Json]) -> int:
    """Nothing waits for a node or in a node, and every message is accounted for.

    ``stub`` and ``edges`` are what ``status`` says, ``ledgers`` the books of all of them, by name. What was written a
    moment ago, such as the answer to a node's last status, may be under way. Returns how many messages there were so
    far, and 1: while that number stays, nothing has moved.
    """
    lacking = [f"{number} messages wait for {node}" for node, number in stub["queues"]["waiting"].items()]
    for name, status in edges.items():
        if waiting := status["link"].get("outbox", 0):
            lacking.append(f"{waiting} messages wait in {name}")
    for name, ledger in ledgers.items():
        if number := max(ledger["unexplained"], ledger["held_by_nobody"]):
            lacking.append(f"{name} cannot account for {number} messages")
    if lacking:
        raise NotYet("; ".join(lacking))
    opened: list[int] = [counts["opened"] for each in ledgers.values() for counts in each["directions"].values()]
    return 1 + sum(opened)
