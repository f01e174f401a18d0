"""Deployments, pods and nodes for tests, and a registry in which a Deployment's plan is carried out."""

from collections.abc import Iterable
from typing import Any

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers.deployments import next_look_ms, plan

EDGE_LABELS = {"node-role.kubernetes.io/edge": ""}
START_MS = 1_800_000_000_000


def deployment(replicas: int = 3, *, image: str = "nginx:1.15.4", **spec: Any) -> Object:
    """Return the Deployment ``default/web`` with uid ``d1``."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "nginx", "image": image}]}}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "default", "uid": "d1", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            **spec,
        },
    }


def pod(name: str, *, node: str = "", labels: dict[str, str] | None = None, owner: str = "", **spec: Any) -> Object:
    """Return a running pod."""
    metadata: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [{"kind": "Deployment", "name": "web", "uid": owner, "controller": True}]
    spec = {"containers": [{"name": "nginx", "image": "nginx"}], **spec}
    if node:
        spec["nodeName"] = node
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def node(name: str, *, labels: dict[str, str] | None = None, ready: bool = True, **more: Any) -> Object:
    """Return an edge node; ``allocatable`` goes to its status, everything else to its spec."""
    allocatable = more.pop("allocatable", {"cpu": "2", "memory": "4Gi", "pods": "110"})
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": EDGE_LABELS if labels is None else labels},
        "spec": more,
        "status": {
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


def as_ready(each: Object, now_ms: int) -> Object:
    """Return a pod that runs and is ready since ``now_ms``."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(now_ms)}
    return {**each, "status": {"phase": "Running", "conditions": [condition]}}


class Bench:
    """One Deployment and its pods, with a clock; ``act`` asks the controller and does what it says, until it is done.

    A pod that is deleted stays until ``let_go``, as one does that an edge has to stop.
    """

    def __init__(self, obj: Object) -> None:
        self.now_ms = START_MS
        self.registry = Registry()
        self.registry.put(obj)
        self.key = key_of(obj)
        self.writes: list[Write] = []
        """All that was written."""

    @property
    def deployment(self) -> Object:
        """The Deployment as it is."""
        found = self.registry.get(self.key)
        assert found is not None
        return found

    @property
    def pods(self) -> list[Object]:
        """The pods that the Deployment owns."""
        return self.registry.pods_of("d1")

    @property
    def active(self) -> list[Object]:
        """Those of them that are neither being deleted nor at their end."""
        return [
            each
            for each in self.pods
            if "deletionTimestamp" not in each["metadata"] and each["status"]["phase"] not in ("Failed", "Succeeded")
        ]

    def names(self) -> list[str]:
        """The names of the active pods."""
        return [each["metadata"]["name"] for each in self.active]

    def images(self) -> list[str]:
        """The images of the active pods."""
        return [each["spec"]["containers"][0]["image"] for each in self.active]

    def plan(self) -> list[Write]:
        """What the controller wants now."""
        return plan(self.deployment, self.pods, self.is_taken, self.now_ms)

    def is_taken(self, name: str) -> bool:
        """Whether there is a pod of that name."""
        return self.registry.get(ObjectKey("Pod", "default", name)) is not None

    def act(self, rounds: int = 5) -> list[Write]:
        """Carry out what the controller wants until it wants nothing, which is to be soon; return all of it."""
        done = []
        for _ in range(rounds):
            if not (writes := self.plan()):
                self.writes += done
                return done
            done += writes
            for write in writes:
                self.carry_out(write)
        raise AssertionError(f"the controller wants still more: {writes}")

    def carry_out(self, write: Write) -> None:
        """Do as the API does."""
        if isinstance(write, Create):
            obj = write.object
            assert not self.is_taken(obj["metadata"]["name"])
            marks = {"uid": f"uid-{self.registry.version}", "creationTimestamp": rfc3339(self.now_ms)}
            self.put({**obj, "metadata": {**obj["metadata"], **marks}})
        elif isinstance(write, Replace):
            self.put(write.object)
        else:
            assert isinstance(write, Delete)
            found = self.registry.get(write.key)
            assert found is not None
            assert found["metadata"]["uid"] == write.uid
            self.delete(found)

    def put(self, obj: Object) -> None:
        """Write an object."""
        self.registry.put(obj)

    def change(self, **spec: Any) -> None:
        """Change the spec of the Deployment."""
        old = self.deployment
        metadata = {**old["metadata"], "generation": old["metadata"]["generation"] + 1}
        self.put({**old, "metadata": metadata, "spec": {**old["spec"], **spec}})

    def change_image(self, image: str) -> None:
        """Change the template."""
        self.change(template=deployment(image=image)["spec"]["template"])

    def make_ready(self, pods: Iterable[Object] | None = None) -> None:
        """Let pods be ready, by default all that are active."""
        for each in self.active if pods is None else pods:
            self.put(as_ready(each, self.now_ms))

    def set_phase(self, each: Object, phase: str) -> None:
        """Let a pod get to another phase, without being ready."""
        self.put({**each, "status": {"phase": phase}})

    def delete(self, each: Object) -> None:
        """Mark a pod as being deleted."""
        self.put({**each, "metadata": {**each["metadata"], "deletionTimestamp": rfc3339(self.now_ms)}})

    def let_go(self) -> None:
        """Remove the pods that are being deleted."""
        for each in self.pods:
            if "deletionTimestamp" in each["metadata"]:
                self.registry.remove(key_of(each))

    def settle(self, rounds: int = 50) -> None:
        """Let all pods be ready and all that go be gone, time after time, until nothing changes any more."""
        for _ in range(rounds):
            writes = self.act()
            pods = self.pods
            self.make_ready(each for each in self.active if not each["status"].get("conditions"))
            self.let_go()
            if not writes and self.pods == pods and next_look_ms(self.deployment, pods, self.now_ms) is None:
                return
            self.now_ms += 1_000
        raise AssertionError("the Deployment does not settle")
