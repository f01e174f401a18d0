"""The pods of the node: what is known of each, and what is to be done next (pure).

==============  =====================================================  ==============================================
state           what is to be done                                     left when
==============  =====================================================  ==============================================
taken on        ``Start``; over capacity: refused                      the runtime reports its containers
running         ``Post``, whenever the status differs from the last    told to go (``deletionTimestamp``): ``Kill``
                one stored                                             the runtime reports that all ended: over
over            ``Post``                                               told to go, and the status is stored: leaving
leaving         ``Delete``, ``DELETE_AFTER_S`` later                   done
==============  =====================================================  ==============================================

A pod that never ran and is told to go is leaving at once. In every state the cloud's own delete ends it without a word,
which is what a cloud does once it has heard that the pod is over; the pause before ``Delete`` leaves it time for that.
Nothing is to be done before the pods of an earlier process were ``listed``: some of them run already.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from edgecore.beehive import resource as r
from edgecore.errors import ContentError
from edgecore.kube import Pod, decode_pod
from edgecore.modules.edged import podstatus
from edgecore.modules.edged.knownpod import KnownPod
from edgecore.modules.edged.nodestatus import POD_CAPACITY
from edgecore.modules.edged.podinput import Fault, PodKey, read_pod, read_uid
from edgecore.modules.edged.podnetwork import PodNetwork
from edgecore.modules.edged.podstatus import Json, Refusal
from edgecore.modules.edged.references import Lacking, References, references
from edgecore.modules.edged.runtime import Containers, Order, Values
from edgecore.modules.edged.storedstatus import Remembered, remembered

KNOWN_LIMIT = 1024
"""Pods that are known at one time, those that were refused included; more where more may run: twice as many, so that
those that are to replace all of them are known too."""
DELETE_AFTER_S = 2.0
"""How long the cloud has to delete a pod that is over (recorded: 8 ms)."""
RETRY_AFTER_S = 10.0
"""The pause after a message that could not be sent: the period of the Go edgecore's status scan."""


class Start(NamedTuple):
    """Have the runtime run a pod, and asked for what it uses."""

    order: Order
    references: References = References()


class Ask(NamedTuple):
    """Have asked for what a pod uses, which waits for that."""

    uid: str
    references: References


class Update(NamedTuple):
    """Have the runtime go on with a pod by its newer order."""

    order: Order


class Kill(NamedTuple):
    """Have the runtime end a pod, within ``grace_s``; ``None``: as long as the pod's specification says."""

    uid: str
    grace_s: int | None = None


class Post(NamedTuple):
    """Have MetaManager store and send a status."""

    key: PodKey
    uid: str
    request: Json


class Delete(NamedTuple):
    """Tell the cloud that a pod is gone."""

    key: PodKey
    uid: str


Action = Ask | Start | Update | Kill | Post | Delete


class Supply(Protocol):
    """What is known of the objects that pods use."""

    def lacking(self, references: References) -> Lacking | None:
        """Return what stands in the way of a pod that uses these; ``None``: nothing."""

    def values(self, references: References) -> Mapping[r.EdgeResource, Values]:
        """Return what the objects of a pod hold that are there."""


class Pods:
    """All pods of one node. ``now`` is in monotonic seconds, ``at`` the same instant in RFC 3339.

    Without a ``network`` all pods have the address of the node. With a ``supply`` a pod is started once it has all that
    it needs.
    """

    def __init__(
        self,
        node: str,
        host_ip: str,
        network: PodNetwork | None,
        *,
        capacity: int = POD_CAPACITY,
        supply: Supply | None = None,
    ) -> None:
        self._supply = supply
        self._node = node
        self._host_ip = host_ip
        self._network = network
        self._capacity = capacity
        self._known_limit = max(KNOWN_LIMIT, 2 * capacity)
        self._pods: dict[PodKey, KnownPod] = {}
        self._keys: dict[str, PodKey] = {}
        self._active: set[str] = set()
        self._listed = False
        self._due: dict[PodKey, None] = {}  # pods for which something may have to be done, in order
        self._leaving: dict[PodKey, float] = {}  # pods that are over, and when to say they are gone
        self._to_update: dict[PodKey, None] = {}  # pods of which the runtime is to know more
        self._to_kill: deque[str] = deque()  # pods that are not known any more, and may run
        self._resume_at = 0.0
        self.counts: Counter[str] = Counter()

    # What is told.

    def apply(self, operation: str, resource: r.EdgeResource, data: bytes, at: str) -> Fault | None:
        """Take a message about a pod: insert, update or delete. Return what is wrong with it."""
        key = PodKey(resource.namespace, resource.name)
        if operation == r.DELETE:
            return self._forget(key, read_uid(data))
        pod = read_pod(resource, data)
        return pod if isinstance(pod, Fault) else self._take(key, pod, data, at)

    def listed(self, pods: Iterable[bytes], statuses: Iterable[bytes], at: str) -> list[Fault]:
        """Take the pods and statuses that were stored before the node started. Return what is wrong with some."""
        faults: list[Fault] = []
        before = self._remember(statuses, faults)
        for data in pods:
            pod = _read_row(data)
            fault = pod if isinstance(pod, Fault) else self._take_listed(pod, data, at)
            faults.extend([fault] if fault else [])
        for known in self._pods.values():
            if known.uid in before:
                self._resume(known, before[known.uid])
        self._listed = True
        # Those that ran before come first, so that none of them is refused for want of room.
        self._due = dict.fromkeys(sorted(self._pods, key=lambda key: not self._pods[key].ran_before))
        return faults

    def observed(self, uid: str, containers: Containers) -> bool:
        """Take what the runtime reports; of a pod that is not known any more, nothing. Return whether it is over."""
        key = self._keys.get(uid)
        if key is None:
            return True
        known = self._pods[key]
        known.containers = containers
        if known.over:
            self._active.discard(uid)
        self._due[key] = None
        return known.over

    @property
    def known(self) -> Iterable[KnownPod]:
        """The pods, to look at."""
        return self._pods.values()

    def supplied(self, uid: str) -> None:
        """Take that something became known of what a pod uses."""
        key = self._keys.get(uid)
        if key is not None:
            self._to_update[key] = None
            self._due[key] = None

    # What is to be done.

    def next(self, now: float) -> Action | None:
        """Return the next thing to do, which counts as begun; if nothing, ask after any change, or at ``next_at``."""
        if self._to_kill:
            return Kill(self._to_kill.popleft())
        if not self._listed:
            return None
        self._due.update((key, None) for key, at in self._leaving.items() if at <= now)
        found, idle = None, []
        for key in self._due:
            action = self._decide(self._pods[key], now)
            if action is None:
                idle.append(key)
            elif now >= self._resume_at or not isinstance(action, Post | Delete):
                found = action
                break
        for key in idle:
            del self._due[key]
        return found

    def next_at(self) -> float | None:
        """Return when ``next``, which had nothing to do, may have something without any change before."""
        if self._due:  # what is left there waits for the end of the pause
            return self._resume_at
        return max(min(self._leaving.values()), self._resume_at) if self._leaving else None

    def done(self, action: Post | Delete) -> None:
        """Take that MetaManager has stored a status, or has the message that a pod is gone."""
        known = self._pods.get(action.key)
        if known is None or known.uid != action.uid:
            return
        if isinstance(action, Delete):
            self.counts["deleted"] += 1
            self._drop(known)
            return
        self.counts["posted"] += 1
        known.stored = action.request
        self._due[action.key] = None

    def failed(self, action: Post | Delete, now: float) -> None:
        """Take that a message could not be sent: nothing is sent for a while, and then this pod's last."""
        self._resume_at = now + RETRY_AFTER_S
        if action.key in self._due:
            del self._due[action.key]
            self._due[action.key] = None

    def view(self) -> dict[str, Any]:
        """Return the pods as people want to see them."""
        pods = [
            {
                "namespace": known.key.namespace,
                "name": known.key.name,
                "phase": known.phase,
                "terminating": known.pod.terminating,
                "podIP": known.pod_ip(self._host_ip),
                "reason": known.reason or self._waits_for(known),
            }
            for known in self._pods.values()
        ]
        return {
            "listed": self._listed,
            "phases": dict(Counter(pod["phase"] for pod in pods)),
            "pods": pods,
            "counts": dict(self.counts),
        }

    # The rest.

    def _waits_for(self, known: KnownPod) -> str:
        return "NoFreeAddress" if self._listed and not known.given and not known.over else ""

    def _take(self, key: PodKey, pod: Pod, data: bytes, at: str) -> Fault | None:
        if pod.spec.node_name not in ("", self._node):
            self.counts["of_other_nodes"] += 1
            return None
        known = self._pods.get(key)
        if known is not None and known.uid == pod.metadata.uid:
            if pod.terminating or not known.pod.terminating:  # what was told to go never comes back
                known.pod, known.data = pod, data
                self._to_update[key] = None
            self._due[key] = None
            return None
        if pod.metadata.uid in self._keys:
            return Fault("pod_uid_taken", f"{key} has the uid of {self._keys[pod.metadata.uid]}")
        if known is not None:
            self._drop(known)
        elif len(self._pods) >= self._known_limit:
            return Fault("too_many_pods", f"{key} is not taken on: {self._known_limit} pods are known")
        self._pods[key] = KnownPod(key, pod, data, at, references(key.namespace, data))
        self._keys[pod.metadata.uid] = key
        self._due[key] = None
        return None

    def _take_listed(self, pod: Pod, data: bytes, at: str) -> Fault | None:
        key = PodKey(pod.metadata.namespace, pod.metadata.name)
        # A message that came before the list says more than the list: it is the same row, or a later one.
        return None if key in self._pods else self._take(key, pod, data, at)

    def _forget(self, key: PodKey, uid: str | Fault) -> Fault | None:
        known = self._pods.get(key)
        if isinstance(uid, str) and uid and known is not None and uid != known.uid:
            return Fault("pod_of_other_uid", f"{key} has uid {known.uid}, not {uid}")
        if known is not None:
            self._drop(known)
        return uid if isinstance(uid, Fault) else None

    def _drop(self, known: KnownPod) -> None:
        del self._pods[known.key]
        del self._keys[known.uid]
        self._due.pop(known.key, None)
        self._leaving.pop(known.key, None)
        self._to_update.pop(known.key, None)
        self._active.discard(known.uid)
        if self._network is not None:
            self._network.release(known.uid)
        if (known.given and not known.killed) or (known.asked and not known.given) or known.final:
            self._to_kill.append(known.uid)
        for other in self._pods.values():  # one of them may wait for an address
            if not other.given and not other.over:
                self._due.setdefault(other.key)

    def _remember(self, statuses: Iterable[bytes], faults: list[Fault]) -> dict[str, Remembered]:
        found: dict[str, Remembered] = {}
        for data in statuses:
            try:
                status = remembered(data)
            except ContentError as error:
                faults.append(Fault("stored_status_malformed", str(error)))
            else:
                found[status.uid] = status
        return found

    def _resume(self, known: KnownPod, before: Remembered) -> None:
        """Go on with a pod where an earlier process of the node left it."""
        known.stored = before.request
        known.started_at = before.started_at or known.started_at
        if before.phase in (podstatus.SUCCEEDED, podstatus.FAILED):
            known.final, known.containers = True, before.containers
            return
        known.before = before.containers
        if self._network is None or known.pod.spec.host_network:
            return
        if self._network.claim(known.uid, before.pod_ip):
            known.address = before.pod_ip

    def _decide(self, known: KnownPod, now: float) -> Action | None:
        if not known.given and not known.over:
            if not known.asked and not self._admit(known):
                return None
            if known.refusal is None and (action := self._begin(known)) is not None:
                return action
        if known.pod.terminating and known.given and not known.killed and not known.over:
            known.killed = True
            return Kill(known.uid, known.pod.metadata.deletion_grace_period_seconds)
        if known.key in self._to_update and known.given and not known.killed and not known.over:
            del self._to_update[known.key]
            return Update(self._order(known))
        request = known.request(self._host_ip)
        if request is not None and request != known.stored:
            return Post(known.key, known.uid, request)
        if not (known.pod.terminating and known.over):
            return None
        due_at = self._leaving.setdefault(known.key, now + DELETE_AFTER_S)
        return Delete(known.key, known.uid) if due_at <= now else None

    def _begin(self, known: KnownPod) -> Ask | Start | None:
        """Return what starts a pod that was admitted; nothing while it waits for what it uses."""
        self._active.add(known.uid)
        if self._supply is not None and not known.asked:
            known.asked = True
            return Ask(known.uid, known.references)
        if self._supply is not None and not known.pod.terminating:
            lacking = self._supply.lacking(known.references)
            if lacking is not None:
                if lacking.missing or not known.ran_before:  # what ran is not told to wait before anybody has answered
                    known.wait(lacking)
                return None
        known.given = True
        self._to_update.pop(known.key, None)
        return Start(self._order(known), known.references)

    def _order(self, known: KnownPod) -> Order:
        order = known.order(self._node, self._host_ip)
        return order if self._supply is None else order._replace(objects=self._supply.values(known.references))

    def _admit(self, known: KnownPod) -> bool:
        """Return whether a pod can be dealt with now: started, or refused for good, as by the kubelet."""
        used = len(self._active)
        if used >= self._capacity and not known.ran_before:
            text = f"Pod Node didn't have enough resource: pods, requested: 1, used: {used}, capacity: {self._capacity}"
            known.refusal = Refusal("OutOfpods", text)
            self.counts["refused"] += 1
            return True
        if known.pod.spec.host_network or known.address:
            return True
        known.address = self._host_ip if self._network is None else self._network.take(known.uid) or ""
        return bool(known.address)


def _read_row(data: bytes) -> Pod | Fault:
    """Return the pod in a row, which names itself."""
    try:
        metadata = decode_pod(data).metadata
    except ContentError as error:
        return Fault("pod_malformed", str(error))
    if not metadata.namespace:
        return Fault("pod_without_identity", f"stored pod {metadata.name!r} has no namespace")
    return read_pod(r.EdgeResource(metadata.namespace, r.POD, metadata.name), data)
