"""What commands ask of the cluster over the control socket: apply, delete, get, scale, describe, messages."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

import msgspec

from cloudhub_stub.cluster.kinds import (
    ENDPOINTS_KIND,
    KINDS,
    NODE_KIND,
    POD_KIND,
    SERVICE_KIND,
    Object,
    ObjectKey,
    key_of,
)
from cloudhub_stub.cluster.registry import Change, labels_of
from cloudhub_stub.cluster.selectors import Selector, parse_selector
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.trace import Trace
from cloudhub_stub.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from cloudhub_stub.paths import APPLY, DELETE, DESCRIBE, HOLDS, OBJECTS, SCALE, TRACE
from edgecore.clock import Clock
from edgecore.control.routes import ControlRefused, ControlRequest, Routes

T = TypeVar("T")

WATCH_QUEUE = 20_000
"""How many changes wait for a watcher; one that is slower is told so and dropped."""
_AT_A_TIME = 100
"""How many objects are written before others have their turn: some 20 ms."""
_MAX_WAIT_S = 3600.0


class ManifestIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One manifest, and where it comes from."""

    where: str
    object: dict[str, Any]


class ApplyOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be applied."""

    manifests: list[ManifestIn]
    dry_run: bool = False


class KeyIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object, by name."""

    kind: str
    name: str
    namespace: str = ""


class DeleteOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be deleted: ``keys``, or all of a ``kind`` that a selector chooses."""

    keys: list[KeyIn] | None = None
    kind: str = ""
    namespace: str | None = None
    selector: str = ""
    all: bool = False
    grace_s: int | None = None
    ignore_not_found: bool = False
    wait_s: float = 0.0


class ScaleOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many replicas there shall be."""

    kind: str
    name: str
    replicas: int
    namespace: str = "default"
    current_replicas: int | None = None


def object_routes(plane: ControlPlane, trace: Trace, clock: Clock) -> Routes:
    """Return the routes.

    | route | answer |
    | --- | --- |
    | ``POST /v1/apply`` with ``ApplyOptions`` | one outcome for each manifest, in their order |
    | ``POST /v1/delete`` with ``DeleteOptions`` | one outcome for each object |
    | ``GET /v1/objects?kind=&namespace=&name=&selector=&watch=1`` | objects; or first them, then what changes |
    | ``POST /v1/scale`` with ``ScaleOptions`` | the Deployment's key and replicas |
    | ``GET /v1/describe?kind=&namespace=&name=`` | the object, its events, and what belongs to it |
    | ``GET /v1/trace?node=&watch=1`` | what was sent to a node, and what became of it |
    | ``GET /v1/holds?node=`` | what a node is to have in its store: key to object |
    """
    asked = _Asked(plane, trace, clock)
    return {
        ("POST", APPLY): asked.apply,
        ("POST", DELETE): asked.delete,
        ("GET", OBJECTS): asked.objects,
        ("POST", SCALE): asked.scale,
        ("GET", DESCRIBE): asked.describe,
        ("GET", TRACE): asked.trace,
        ("GET", HOLDS): asked.holds,
    }


class _Asked:
    def __init__(self, plane: ControlPlane, trace: Trace, clock: Clock) -> None:
        self._plane = plane
        self._trace = trace
        self._clock = clock

    async def apply(self, request: ControlRequest) -> list[dict[str, Any]]:
        options = _converted(request.body, ApplyOptions)
        outcomes = []
        for number, manifest in enumerate(options.manifests, 1):
            outcomes.append(self._apply_one(manifest, dry_run=options.dry_run))
            if number % _AT_A_TIME == 0:
                await self._clock.sleep(0)
        await self._plane.commit()
        return outcomes

    def _apply_one(self, manifest: ManifestIn, *, dry_run: bool) -> dict[str, Any]:
        obj = manifest.object
        metadata = obj.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        kind = str(obj.get("kind", ""))
        outcome = {"where": manifest.where, "kind": kind, "namespace": "", "name": str(named.get("name", ""))}
        try:
            applied = self._plane.api.apply(obj, dry_run=dry_run)
        except ApiError as error:
            return {**outcome, "outcome": "failed", "error": str(error)}
        self._plane.kick()
        key = key_of(applied.object)
        return {**outcome, "namespace": key.namespace, "name": key.name, "outcome": applied.outcome}

    async def delete(self, request: ControlRequest) -> list[dict[str, Any]]:
        options = _converted(request.body, DeleteOptions)
        outcomes = []
        for number, key in enumerate(self._chosen(options), 1):
            outcomes.append(self._delete_one(key, options))
            if number % _AT_A_TIME == 0:
                await self._clock.sleep(0)
        await self._plane.commit()
        if options.wait_s > 0:
            await self._wait_until_gone(outcomes, min(options.wait_s, _MAX_WAIT_S))
        return [{name: value for name, value in each.items() if name != "uid"} for each in outcomes]

    def _chosen(self, options: DeleteOptions) -> list[ObjectKey]:
        if options.keys is not None:
            return [
                ObjectKey(_kind(each.kind), _namespace(each.kind, each.namespace), each.name) for each in options.keys
            ]
        if not options.selector and not options.all:
            raise ControlRefused(400, "cannot delete: say which objects, by names, by a selector, or all")
        selector = _selector(options.selector)
        found = self._plane.registry.all_of(_kind(options.kind), options.namespace)
        return [key_of(each) for each in found if selector.matches(labels_of(each))]

    def _delete_one(self, key: ObjectKey, options: DeleteOptions) -> dict[str, Any]:
        outcome: dict[str, Any] = {"kind": key.kind, "namespace": key.namespace, "name": key.name}
        try:
            deleted = self._plane.api.delete(key, grace_s=options.grace_s)
        except NotFound as error:
            missing = {**outcome, "outcome": "not_found"}
            return missing if options.ignore_not_found else {**missing, "error": str(error)}
        except ApiError as error:
            return {**outcome, "outcome": "failed", "error": str(error)}
        return {
            **outcome,
            "outcome": "deleted" if deleted.gone else "deleting",
            "uid": deleted.object["metadata"]["uid"],
        }

    async def _wait_until_gone(self, outcomes: list[dict[str, Any]], wait_s: float) -> None:
        """Wait until each object is gone, or another of its name is there."""
        deadline = self._clock.monotonic() + wait_s
        for each in outcomes:
            key = ObjectKey(each["kind"], each["namespace"], each["name"])
            while each["outcome"] == "deleting" and self._clock.monotonic() < deadline:
                held = self._plane.registry.get(key)
                if held is None or held["metadata"]["uid"] != each["uid"]:
                    each["outcome"] = "deleted"
                else:
                    await self._clock.sleep(0.02)

    async def objects(self, request: ControlRequest) -> list[Object] | AsyncIterator[dict[str, Any]]:
        wants = _Wants(request)
        if request.query.get("watch") in {"1", "true"}:
            return self._watch(wants)
        return [each for each in self._plane.registry.all_of(wants.kind, wants.namespace) if wants.matches(each)]

    async def _watch(self, wants: "_Wants") -> AsyncGenerator[dict[str, Any], None]:
        changes: asyncio.Queue[Change | None] = asyncio.Queue()
        listed = self._plane.registry.version

        def tell(change: Change) -> None:
            is_new = int(change.object["metadata"]["resourceVersion"]) > listed
            if change.key.kind == wants.kind and is_new and changes.qsize() <= WATCH_QUEUE:
                changes.put_nowait(change if changes.qsize() < WATCH_QUEUE else None)

        self._plane.watchers.append(tell)
        try:
            for each in self._plane.registry.all_of(wants.kind, wants.namespace):
                if wants.matches(each):
                    yield {"type": "ADDED", "object": each}
            yield {"type": "BOOKMARK"}
            while (change := await changes.get()) is not None:
                event = wants.event_of(change)
                if event:
                    yield {"type": event, "object": change.object}
            raise ControlRefused(429, f"cannot go on: {WATCH_QUEUE} changes wait for this watcher; watch anew")
        finally:
            self._plane.watchers.remove(tell)

    async def scale(self, request: ControlRequest) -> dict[str, Any]:
        options = _converted(request.body, ScaleOptions)
        key = ObjectKey(_kind(options.kind), options.namespace, options.name)
        try:
            scaled = self._plane.api.scale(key, options.replicas, options.current_replicas)
        except ApiError as error:
            raise ControlRefused(_status_of(error), str(error)) from error
        await self._plane.commit()
        return {**key._asdict(), "replicas": scaled["spec"]["replicas"]}

    async def describe(self, request: ControlRequest) -> dict[str, Any]:
        wants = _Wants(request)
        key = ObjectKey(wants.kind, wants.namespace or "", wants.name)
        obj = self._plane.registry.get(key)
        if obj is None:
            raise ControlRefused(404, f'{KINDS[wants.kind].plural} "{wants.name}" not found')
        events = [event._asdict() for event in self._plane.events.of(key)]
        return {"object": obj, "events": events, "related": self._related(key, obj)}

    def _related(self, key: ObjectKey, obj: Object) -> dict[str, Any]:
        registry = self._plane.registry
        if key.kind == NODE_KIND.name:
            return {"pods": registry.pods_on(key.name)}
        if key.kind == SERVICE_KIND.name:
            selected = registry.pods_selected(key.namespace, obj["spec"].get("selector") or {})
            return {"pods": selected, "endpoints": registry.get(key._replace(kind=ENDPOINTS_KIND.name))}
        if key.kind == POD_KIND.name:
            node = registry.get(ObjectKey(NODE_KIND.name, "", obj["spec"].get("nodeName", "")))
            return {"nodes": [] if node is None else [node]}
        return {"pods": registry.pods_of(obj["metadata"]["uid"])}

    async def trace(self, request: ControlRequest) -> list[dict[str, Any]] | AsyncIterator[dict[str, Any]]:
        node = request.query.get("node", "")
        if not node:
            raise ControlRefused(400, "cannot show messages: say of which node (?node=NAME)")
        if request.query.get("watch") in {"1", "true"}:
            return self._watch_trace(node)  # of a node that is yet to come, too
        entries = self._trace.entries(node)
        if not entries and self._plane.registry.get(ObjectKey(NODE_KIND.name, "", node)) is None:
            why = f"there is no node {node[:253]!r}; see `cloudhub-stub get nodes`"
            raise ControlRefused(404, f"cannot show messages: {why}")
        return entries

    async def _watch_trace(self, node: str) -> AsyncGenerator[dict[str, Any], None]:
        watch = self._trace.watch(node)  # no await in between: nothing is missed, and nothing told twice
        entries = self._trace.entries(node)
        try:
            for entry in entries:
                yield entry
            async for entry in watch:
                yield entry
        finally:
            watch.close()

    async def holds(self, request: ControlRequest) -> dict[str, object]:
        node = request.query.get("node", "")
        if not node:
            raise ControlRefused(400, "cannot say what a node is to have: say which (?node=NAME)")
        return self._plane.wanted.holds(node)


class _Wants:
    """Which objects a request is about."""

    def __init__(self, request: ControlRequest) -> None:
        query = request.query
        self.kind = _kind(query.get("kind", ""))
        self.namespace = query.get("namespace") if KINDS[self.kind].namespaced else None
        self.name = query.get("name", "")
        self._selector = _selector(query.get("selector", ""))

    def matches(self, obj: Object) -> bool:
        """Whether it is about ``obj``."""
        metadata = obj["metadata"]
        return (
            (self.namespace is None or metadata.get("namespace", "") == self.namespace)
            and (not self.name or metadata["name"] == self.name)
            and self._selector.matches(labels_of(obj))
        )

    def event_of(self, change: Change) -> str:
        """Return what a watcher is told of ``change``; the empty text for nothing."""
        was = change.old is not None and self.matches(change.old)
        is_now = change.new is not None and self.matches(change.new)
        if is_now:
            return "MODIFIED" if was else "ADDED"
        return "DELETED" if was else ""


def _kind(name: str) -> str:
    if name not in KINDS:
        raise ControlRefused(400, f"cannot find objects of kind {name[:80]!r}: known are {', '.join(sorted(KINDS))}")
    return name


def _namespace(kind: str, namespace: str) -> str:
    return (namespace or "default") if KINDS[_kind(kind)].namespaced else ""


def _selector(text: str) -> Selector:
    try:
        return parse_selector(text)
    except Invalid as error:
        raise ControlRefused(400, str(error)) from error


def _converted(body: Any, type_: type[T]) -> T:
    try:
        return msgspec.convert(body, type_)
    except msgspec.ValidationError as error:
        raise ControlRefused(400, f"cannot read the request: {error}") from error


def _status_of(error: ApiError) -> int:
    if isinstance(error, NotFound):
        return 404
    return 409 if isinstance(error, Conflict | AlreadyExists) else 422
