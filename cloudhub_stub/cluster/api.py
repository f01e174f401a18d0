"""The rules by which the objects of the cluster change, as they are in the API server of Kubernetes 1.17.

Users and their commands come through ``apply``, ``create``, ``replace``, ``scale`` and ``delete``, which check and
complete what they are given; the node's reports through ``replace_status`` and ``delete``; the scheduler through
``bind``; the other controllers through ``write``. Objects handed in become part of the registry: whoever hands one in
changes it no more. A write that changes nothing gets no version.
"""

from functools import cached_property
from typing import Any, NamedTuple

from cloudhub_stub.cluster.addresses import DEFAULT_RANGE, HEADLESS, ClusterAddresses
from cloudhub_stub.cluster.admission import admitted, for_update, named, with_reported
from cloudhub_stub.cluster.defaults import with_defaults
from cloudhub_stub.cluster.immutable import IMMUTABLE, check_update
from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import (
    DEPLOYMENT_KIND,
    ENDPOINTS_KIND,
    KINDS,
    NAMESPACE_KIND,
    POD_KIND,
    SERVICE_KIND,
    Object,
    ObjectKey,
    key_of,
)
from cloudhub_stub.cluster.limits import MAX_OBJECTS, check_size
from cloudhub_stub.cluster.merge import last_applied, merged, with_last_applied
from cloudhub_stub.cluster.metadata import (
    carried_over,
    fresh,
    next_generation,
    resource_name,
)
from cloudhub_stub.cluster.podlife import bound, ending
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from edgecore.clock import Clock
from edgecore.ids import NewId

CREATED, CONFIGURED, UNCHANGED = "created", "configured", "unchanged"

LASTING_NAMESPACES = ("default", "kube-system", "kube-public")
"""Those that cannot be deleted."""


class Applied(NamedTuple):
    """What ``apply`` made of a manifest."""

    object: Object
    outcome: str
    """``created``, ``configured`` or ``unchanged``."""


class Deleted(NamedTuple):
    """What ``delete`` did."""

    object: Object
    """The last state of one that is gone; the marked state of one that is on its way out."""
    gone: bool


class Api:
    """The one way in which objects change."""

    def __init__(self, registry: Registry, clock: Clock, new_id: NewId, *, service_range: str = DEFAULT_RANGE) -> None:
        """Objects of an earlier process are in ``registry`` before the first service is written."""
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._service_range = service_range

    def get(self, key: ObjectKey) -> Object:
        """Return the object. Raises ``NotFound``."""
        found = self._registry.get(key)
        if found is None:
            raise NotFound(f"{resource_name(key)} not found")
        return found

    # What users do.

    def apply(self, manifest: Object, *, dry_run: bool = False) -> Applied:
        """Make the object be what ``manifest`` says, as ``kubectl apply`` does; ``dry_run`` writes nothing.

        Raises ``Invalid``, ``Conflict`` (the manifest names another version or uid) or ``ApiError``.
        """
        wanted = with_last_applied(admitted(manifest))
        key = key_of(wanted)
        old = self._registry.get(key)
        if old is None:
            new = self._first(wanted, manifest)
            return Applied(new if dry_run else self._put(None, new), CREATED)
        self._check_same(key, manifest["metadata"], old)
        new = self._next(old, merged(for_update(last_applied(old)), for_update(wanted), old))
        if new is old:
            return Applied(old, UNCHANGED)
        return Applied(new if dry_run else self._put(old, new), CONFIGURED)

    def create(self, obj: Object) -> Object:
        """Write a new object; its name may be made from ``generateName``.

        Raises ``Invalid``, ``AlreadyExists``, or ``ApiError`` where nothing new may be.
        """
        wanted = admitted(named(obj, self._new_id))
        key = key_of(wanted)
        if self._registry.get(key) is not None:
            raise AlreadyExists(f"{resource_name(key)} already exists")
        return self._put(None, self._first(wanted, obj))

    def replace(self, obj: Object) -> Object:
        """Write an object instead of the one of its name, if that has still the version that ``obj`` names, if any.

        Raises ``Invalid``, ``NotFound`` or ``Conflict``.
        """
        wanted = admitted(obj)
        key = key_of(wanted)
        old = self.get(key)
        self._check_same(key, obj["metadata"], old)
        wanted = for_update(wanted)
        if "status" not in wanted and "status" in old:
            wanted = {**wanted, "status": old["status"]}
        return self._put(old, self._next(old, wanted))

    def scale(self, key: ObjectKey, replicas: int, expected: int | None = None, version: str = "") -> Object:
        """Set how many pods a deployment has, if it has ``expected`` now, and this version, where they are given.

        Raises ``NotFound``, ``Conflict``, ``Invalid``, or ``ApiError`` where the kind has no scale.
        """
        if key.kind != DEPLOYMENT_KIND.name:
            raise ApiError(f"cannot scale {resource_name(key)}: only deployments have replicas")
        old = self.get(key)
        self._check_same(key, {"resourceVersion": version}, old)
        if expected is not None and old["spec"]["replicas"] != expected:
            raise Conflict(f"Expected replicas to be {expected}, was {old['spec']['replicas']}")
        if replicas < 0:
            raise Invalid("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")
        return self._put(old, self._next(old, {**old, "spec": {**old["spec"], "replicas": replicas}}))

    def delete(self, key: ObjectKey, *, grace_s: int | None = None, uid: str = "", version: str = "") -> Deleted:
        """Delete an object with what belongs to it; ``grace_s`` is for pods, ``None`` for what they ask for.

        A pod that runs on a node, and a namespace with such pods in it, are only marked: they are gone when the edge
        has said so. Raises ``NotFound``, ``Conflict`` (it is another uid or version by now), ``Invalid``, or
        ``ApiError`` for what cannot be deleted.
        """
        if grace_s is not None and grace_s < 0:
            raise Invalid("gracePeriodSeconds", f"Invalid value: {grace_s}: must be greater than or equal to 0")
        old = self.get(key)
        self._check_same(key, {"uid": uid, "resourceVersion": version}, old)
        if key.kind == NAMESPACE_KIND.name:
            return self._delete_namespace(key, old, grace_s)
        deleted = self._delete(key, old, grace_s)
        if deleted.gone:
            self._end_namespace(key.namespace)
        return deleted

    # What nodes and controllers do.

    def replace_status(self, key: ObjectKey, status: Any, *, uid: str = "") -> Object:
        """Set the status of an object, if it is the one of that uid. Raises ``NotFound`` or ``Conflict``."""
        old = self.get(key)
        self._check_same(key, {"uid": uid}, old)
        return self._put(old, {**old, "status": status})

    def bind(self, key: ObjectKey, node: str) -> Object:
        """Put a pod on a node. Raises ``NotFound``, or ``Conflict`` if it is on another one or on its way out."""
        old = self.get(key)
        there = old["spec"].get("nodeName")
        if there == node:
            return old
        if there:
            raise Conflict(f'cannot bind {resource_name(key)}: it is on node "{there}" already')
        if old["metadata"].get("deletionTimestamp") is not None:
            raise Conflict(f"cannot bind {resource_name(key)}: it is being deleted")
        return self._put(old, bound(old, node, self._clock.now_ms()))

    def write(self, write: Write) -> bool:
        """Do what a controller wants, unchecked; return whether things are so now.

        ``False`` means that it decided on something that is not so any more: nothing was written.
        """
        match write:
            case Create(obj):
                key = key_of(obj)
                is_full = len(self._registry) >= MAX_OBJECTS
                if is_full or self._registry.get(key) is not None or self._is_ending(key.namespace):
                    return False
                self._put(None, self._stamped(obj))
            case Replace(obj):
                old = self._registry.get(key_of(obj))
                if old is None or not _is_same(obj["metadata"], old):
                    return False
                self._put(old, obj)
            case Delete(key, uid, grace_s):
                old = self._registry.get(key)
                if old is None or old["metadata"]["uid"] != uid:
                    return False
                self.delete(key, grace_s=grace_s)
        return True

    # Writing.

    def _put(self, old: Object | None, new: Object) -> Object:
        if old is not None:
            if new == old:
                return old
            new = next_generation(new, old)
        if new["kind"] == SERVICE_KIND.name:
            self._addresses.hold(key_of(new), new["spec"].get("clusterIP") or "")
        return self._registry.put(new)

    def _first(self, obj: Object, given: Object) -> Object:
        """Return a new object of a user as it is written; ``given`` is what the user handed in."""
        key = key_of(obj)
        if given["metadata"].get("resourceVersion"):
            raise Invalid("metadata.resourceVersion", "should not be set on objects to be created")
        if self._is_ending(key.namespace):
            reason = f"unable to create new content in namespace {key.namespace} because it is being terminated"
            raise ApiError(f"{resource_name(key)} is forbidden: {reason}")
        if len(self._registry) >= MAX_OBJECTS:
            raise ApiError(f"{resource_name(key)} is forbidden: the cluster holds {MAX_OBJECTS} objects, its limit")
        new = self._stamped(obj)
        check_size(new)
        return new

    def _stamped(self, obj: Object) -> Object:
        """Return a new object with all that the API writes into it."""
        new = with_defaults(obj)
        if new["kind"] == SERVICE_KIND.name:
            new = self._addressed(key_of(new), "", new)
        return fresh(new, self._new_id(), self._clock.now_ms())

    def _next(self, old: Object, wanted: Object) -> Object:
        """Return an object as it is written after a user changed it; ``old`` itself where nothing changes."""
        new = with_reported(with_defaults(carried_over(wanted, old)), old)
        if new["kind"] == SERVICE_KIND.name:
            new = self._addressed(key_of(old), old["spec"].get("clusterIP") or "", new)
        if new == old:
            return old
        check_update(old, new)
        check_size(new)
        admitted(for_update(new))
        return new

    def _addressed(self, key: ObjectKey, held: str, service: Object) -> Object:
        """Return ``service`` with its address, given that it held this one before."""
        spec = service["spec"]
        asked = spec.get("clusterIP") or ""
        if spec.get("type") == "ExternalName":
            if asked not in ("", held):
                raise Invalid("spec.clusterIP", "Forbidden: must be empty for ExternalName services")
            return {**service, "spec": {name: value for name, value in spec.items() if name != "clusterIP"}}
        if held and asked not in ("", held):
            raise Invalid("spec.clusterIP", f'Invalid value: "{asked}": {IMMUTABLE}')
        if asked and asked not in (held, HEADLESS):
            self._addresses.check(key, asked)
        address = asked or held or self._addresses.free_for(key)
        return service if address == spec.get("clusterIP") else {**service, "spec": {**spec, "clusterIP": address}}

    @cached_property
    def _addresses(self) -> ClusterAddresses:
        return ClusterAddresses(self._service_range, self._registry.all_of(SERVICE_KIND.name))

    # Removing.

    def _delete(self, key: ObjectKey, old: Object, grace_s: int | None) -> Deleted:
        if key.kind == POD_KIND.name:
            return self._delete_pod(key, old, grace_s)
        last = self._registry.remove(key)
        if key.kind == SERVICE_KIND.name:
            self._addresses.release(key)
            endpoints = key._replace(kind=ENDPOINTS_KIND.name)
            if self._registry.get(endpoints) is not None:
                self._registry.remove(endpoints)
        elif key.kind == DEPLOYMENT_KIND.name:
            for pod in self._registry.pods_of(old["metadata"]["uid"]):
                self._delete_pod(key_of(pod), pod, None)
        return Deleted(last, gone=True)

    def _delete_pod(self, key: ObjectKey, old: Object, grace_s: int | None) -> Deleted:
        """Two writes where it goes at once, the mark and the removal, as of the API server."""
        pod, goes = ending(old, grace_s, self._clock.now_ms())
        if pod is not old:
            pod = self._registry.put(pod)
        return Deleted(self._registry.remove(key), gone=True) if goes else Deleted(pod, gone=False)

    def _delete_namespace(self, key: ObjectKey, old: Object, grace_s: int | None) -> Deleted:
        if key.name in LASTING_NAMESPACES:
            raise ApiError(f"{resource_name(key)} is forbidden: this namespace may not be deleted")
        if old["metadata"].get("deletionTimestamp") is None:
            metadata = {**old["metadata"], "deletionTimestamp": rfc3339(self._clock.now_ms())}
            status = {**old.get("status", {}), "phase": "Terminating"}
            old = self._registry.put({**old, "metadata": metadata, "status": status})
        # What makes other objects goes before what it makes.
        owners = (DEPLOYMENT_KIND.name, SERVICE_KIND.name)
        for kind in (*owners, *(name for name in KINDS if name not in owners and KINDS[name].namespaced)):
            for obj in self._registry.all_of(kind, key.name):
                self._delete(key_of(obj), obj, grace_s)
        last = self._end_namespace(key.name)
        return Deleted(old, gone=False) if last is None else Deleted(last, gone=True)

    def _is_ending(self, namespace: str) -> bool:
        found = self._registry.get(ObjectKey(NAMESPACE_KIND.name, "", namespace))
        return found is not None and found["metadata"].get("deletionTimestamp") is not None

    def _end_namespace(self, namespace: str) -> Object | None:
        """Remove a namespace that is to go, if nothing is left in it, and return its last state."""
        if not self._is_ending(namespace):
            return None
        if any(each["metadata"].get("namespace") == namespace for each in self._registry.every()):
            return None
        return self._registry.remove(ObjectKey(NAMESPACE_KIND.name, "", namespace))

    def _check_same(self, key: ObjectKey, metadata: Object, old: Object) -> None:
        if not _is_same(metadata, old):
            reason = "the object has been modified; please apply your changes to the latest version and try again"
            uid, there = metadata.get("uid"), old["metadata"]["uid"]
            if uid and uid != there:
                reason = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {there}"
            raise Conflict(f"Operation cannot be fulfilled on {resource_name(key)}: {reason}")


def _is_same(metadata: Object, old: Object) -> bool:
    """Whether ``metadata`` names the uid and the version of ``old``, as far as it names them."""
    there = old["metadata"]
    return all(metadata.get(name) in (None, "", there[name]) for name in ("uid", "resourceVersion"))
