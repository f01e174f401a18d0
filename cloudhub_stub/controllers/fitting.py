"""Whether a pod fits a node: what it needs, what the node offers, and the reasons against (pure).

The words of the reasons are those of ``kubernetes pkg/scheduler/algorithm/predicates/error.go`` @v1.17; the first three
are the stub's own. As there, the first group that says no is the answer, and of the third group all reasons are.

| group | reasons |
| --- | --- |
| what nodes run pods | ``node(s) were not edge nodes``, ``node(s) were not connected``, ``node(s) were not ready`` |
| ``spec.unschedulable`` | ``node(s) were unschedulable`` |
| general | ``Insufficient cpu`` ..., ``node(s) didn't have free ports ...``, ``node(s) didn't match node selector`` |
| taints | ``node(s) had taints that the pod didn't tolerate`` |
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.quantities import milli
from cloudhub_stub.cluster.registry import labels_of, owner_uid
from cloudhub_stub.cluster.selectors import matches_expressions
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.errors import Invalid

EDGE_LABEL = "node-role.kubernetes.io/edge"
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_ANY_ADDRESS = "0.0.0.0"
_NO_PORTS = "node(s) didn't have free ports for the requested pod ports"

Group = tuple[str, str, frozenset[tuple[str, str]]]


class HostPort(NamedTuple):
    """A port of the node that a container takes."""

    protocol: str
    port: int
    address: str


class Needs(NamedTuple):
    """What a pod takes from the node that it is on."""

    requests: Mapping[str, int]
    """Amounts in thousandths, by resource; none is 0."""
    ports: tuple[HostPort, ...]
    group: Group | None
    """The pods that it had better not share a node with: namespace, and the owner or the labels they have in common."""


class Offer(NamedTuple):
    """What a node is, whatever runs on it."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    allocatable: Mapping[str, int]
    """Amounts in thousandths, by resource."""
    closed: bool
    """``spec.unschedulable``"""
    ready: bool


class Load:
    """What the pods on one node take together."""

    def __init__(self) -> None:
        self.pods = 0
        self.sums: Counter[str] = Counter()
        self.groups: Counter[Group] = Counter()
        self._ports: dict[tuple[str, int], Counter[str]] = {}

    def add(self, needs: Needs) -> None:
        """One more pod."""
        self._change(needs, 1)

    def remove(self, needs: Needs) -> None:
        """One pod fewer, which was added with the same needs."""
        self._change(needs, -1)

    def has_free(self, ports: Iterable[HostPort]) -> bool:
        """Whether nobody has any of the ports: one on every address is in the way of one on any."""
        for protocol, port, address in ports:
            addresses = self._ports.get((protocol, port))
            if addresses and (address == _ANY_ADDRESS or address in addresses or _ANY_ADDRESS in addresses):
                return False
        return True

    def _change(self, needs: Needs, by: int) -> None:
        self.pods += by
        for resource, amount in needs.requests.items():
            self.sums[resource] += by * amount
        if needs.group is not None:
            _count(self.groups, needs.group, by)
        for protocol, port, address in needs.ports:
            addresses = self._ports.setdefault((protocol, port), Counter())
            _count(addresses, address, by)
            if not addresses:
                del self._ports[protocol, port]


def needs_of(pod: Object) -> Needs:
    """Return what a pod takes: the sum over its containers, or what an init container asks for if that is more."""
    spec = pod["spec"]
    sums: Counter[str] = Counter()
    for container in spec["containers"]:
        sums.update(_requests(container))
    for container in spec.get("initContainers") or ():
        sums |= Counter(_requests(container))
    ports = tuple(
        HostPort(port.get("protocol") or "TCP", port["hostPort"], port.get("hostIP") or _ANY_ADDRESS)
        for container in spec["containers"]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
    return Needs({name: amount for name, amount in sums.items() if amount > 0}, ports, _group(pod))


def offer_of(node: Object) -> Offer:
    """Return what a node is; an amount that the edge spelled wrongly counts as not given."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return Offer(
        node["metadata"]["name"],
        labels_of(node),
        tuple(spec.get("taints") or ()),
        _amounts(status.get("allocatable") or {}),
        bool(spec.get("unschedulable")),
        is_ready(node),
    )


def reasons_against(pod: Object, needs: Needs, offer: Offer, load: Load, *, connected: bool) -> list[str]:
    """Return why the pod cannot be on the node; nothing if it can."""
    if EDGE_LABEL not in offer.labels:
        return ["node(s) were not edge nodes"]
    if not connected:
        return ["node(s) were not connected"]
    if not offer.ready:
        return ["node(s) were not ready"]
    spec = pod["spec"]
    tolerations = spec.get("tolerations") or ()
    if offer.closed and not _is_tolerated(_UNSCHEDULABLE, tolerations):
        return ["node(s) were unschedulable"]
    general = [f"Insufficient {resource}" for resource in _lacking(needs, offer, load)]
    if not load.has_free(needs.ports):
        general.append(_NO_PORTS)
    if not _is_selected(spec, offer):
        general.append("node(s) didn't match node selector")
    if general:
        return general
    hard = (taint for taint in offer.taints if taint.get("effect") in ("NoSchedule", "NoExecute"))
    if not all(_is_tolerated(taint, tolerations) for taint in hard):
        return ["node(s) had taints that the pod didn't tolerate"]
    return []


def drawbacks(pod: Object, needs: Needs, offer: Offer, load: Load) -> tuple[int, int, int, int, str]:
    """Return what speaks for other nodes that fit as well; the smallest is the best.

    First what the pod prefers, then taints that only advise against it, then how many of its group are there, then how
    many pods at all, then the name.
    """
    spec = pod["spec"]
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    liked: int = sum(
        preference["weight"]
        for preference in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        if not preference.get("preference") or _term_matches(preference["preference"], offer)
    )
    tolerations = spec.get("tolerations") or ()
    soft = (taint for taint in offer.taints if taint.get("effect") == "PreferNoSchedule")
    disliked = sum(not _is_tolerated(taint, tolerations) for taint in soft)
    alike = load.groups[needs.group] if needs.group is not None else 0
    return -liked, disliked, alike, load.pods, offer.name


def _lacking(needs: Needs, offer: Offer, load: Load) -> Iterable[str]:
    """Yield the resources that the node has too little of.

    A node that says nothing about cpu, memory, storage or pods has enough of it; of what a vendor names (with a slash)
    it has none.
    """
    if (load.pods + 1) * 1000 > offer.allocatable.get("pods", (load.pods + 1) * 1000):
        yield "pods"
    for resource, amount in needs.requests.items():
        allocatable = offer.allocatable.get(resource, 0 if "/" in resource else None)
        if allocatable is not None and load.sums[resource] + amount > allocatable:
            yield resource


def _is_selected(spec: Object, offer: Offer) -> bool:
    if any(offer.labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term_matches(term, offer) for term in required.get("nodeSelectorTerms") or ())


def _term_matches(term: Object, offer: Offer) -> bool:
    """Whether all that a term says is so; one that says nothing matches no node."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return matches_expressions(expressions, offer.labels) and matches_expressions(fields, {"metadata.name": offer.name})


def _is_tolerated(taint: Mapping[str, str], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """``kubernetes staging/src/k8s.io/api/core/v1/toleration.go``: an empty effect or key means any."""
    for toleration in tolerations:
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        if toleration.get("key") and toleration["key"] != taint["key"]:
            continue
        operator = toleration.get("operator") or "Equal"
        if operator == "Exists" or (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def _requests(container: Object) -> dict[str, int]:
    """Return what a container asks for; where it only says its limit, that."""
    resources = container.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    found = {}
    for resource, quantity in quantities.items():
        try:
            found[resource] = milli(quantity)
        except Invalid:
            continue
    return found


def _group(pod: Object) -> Group | None:
    namespace = pod["metadata"].get("namespace", "")
    if owner := owner_uid(pod):
        return namespace, owner, frozenset()
    labels = labels_of(pod)
    return (namespace, "", frozenset(labels.items())) if labels else None


def _count(counter: Counter[Any], key: Any, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]
